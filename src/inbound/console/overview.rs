//! The state of the gateway on one page.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Query as Asked;
use serde::Deserialize;

use super::access::Area;
use super::guard::{Problem, Visit};
use super::pages::{OverviewPage, show};

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct StillQuery {
    still: Option<String>,
}

/// The overview.
pub(super) async fn overview(visit: Visit, asked: Asked<StillQuery>) -> HttpResponse {
    let page = page(&visit, asked.still.is_some()).await;
    visit.answer(page)
}

async fn page(visit: &Visit, still: bool) -> Result<HttpResponse, Problem> {
    visit.asker(Area::Overview)?;
    let view = visit.console.sight().overview().await?;
    let total = view.total();
    let f = visit.frame(Some(Area::Overview));
    Ok(show(&OverviewPage { f, view, total, still }, StatusCode::OK))
}
