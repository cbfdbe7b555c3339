//! Style and icon, compiled in, fetched once a version.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("../../../console/style.css");
const ICON: &str = include_str!("../../../console/icon.svg");

static VERSION: LazyLock<String> = LazyLock::new(|| {
    let digest = Sha256::new().chain_update(STYLE).chain_update(ICON).finalize();
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
});

/// Changes with every byte of the assets; part of their addresses.
pub(super) fn version() -> &'static str {
    &VERSION
}

pub(super) async fn style() -> HttpResponse {
    asset("text/css; charset=utf-8", STYLE)
}

pub(super) async fn icon() -> HttpResponse {
    asset("image/svg+xml", ICON)
}

fn asset(kind: &'static str, content: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, kind))
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .body(content)
}
