//! The state of the gateway on one page.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::access::Area;
use super::guard::{Problem, Visit};
use super::pages::{OverviewPage, show};

/// The overview.
pub(super) async fn overview(visit: Visit) -> HttpResponse {
    let page = page(&visit).await;
    visit.answer(page)
}

async fn page(visit: &Visit) -> Result<HttpResponse, Problem> {
    visit.asker(Area::Overview)?;
    let view = visit.console.sight().overview().await?;
    let total = view.total();
    let f = visit.frame(Some(Area::Overview));
    Ok(show(&OverviewPage { f, view, total }, StatusCode::OK))
}
