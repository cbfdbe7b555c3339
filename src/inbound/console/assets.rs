//! Styles, scripts and icon, compiled in, fetched once a version. `console/vendor` says whose they
//! are and under which licence.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Path;
use sha2::{Digest, Sha256};

use super::guard::{Problem, Visit};

const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Name, media type and content.
const ASSETS: &[(&str, &str, &str)] = &[
    ("htmx.js", SCRIPT, include_str!("../../../console/vendor/htmx-2.0.11.min.js")),
    ("icon.svg", "image/svg+xml", include_str!("../../../console/icon.svg")),
    ("live.js", SCRIPT, include_str!("../../../console/live.js")),
    ("style.css", STYLE, include_str!("../../../console/style.css")),
    ("uplot.css", STYLE, include_str!("../../../console/vendor/uplot-1.6.32.min.css")),
    ("uplot.js", SCRIPT, include_str!("../../../console/vendor/uplot-1.6.32.min.js")),
];

static VERSION: LazyLock<String> = LazyLock::new(|| {
    let all = ASSETS.iter().fold(Sha256::new(), |hash, (.., content)| hash.chain_update(content));
    all.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
});

/// Changes with every byte of the assets; part of their addresses.
pub(super) fn version() -> &'static str {
    &VERSION
}

/// One of them.
pub(super) async fn asset(visit: Visit, name: Path<String>) -> HttpResponse {
    match ASSETS.iter().find(|(known, ..)| *known == name.as_str()) {
        Some((_, kind, content)) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, *kind))
            .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
            .body(*content),
        None => visit.answer(Err(Problem::NotFound)),
    }
}
