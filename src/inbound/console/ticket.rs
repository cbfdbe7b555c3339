//! The auditor's page of tickets: what was opened in an emergency, and whether it was due.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Form, Path, Query as Asked};
use askama::Template;
use serde::Deserialize;

use super::access::Area;
use super::guard::{Problem, Visit, see};
use super::pages::{Frame, show};
use super::text::ticket::TicketText;
use super::view::ticket::{Inspected, TicketPage};

const ROWS_MAX: usize = 50;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct TicketQuery {
    after: Option<i64>,
    said: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct VerdictForm {
    verdict: String,
    form_token: String,
}

#[derive(Template)]
#[template(path = "ledger_tickets.html")]
struct TicketList {
    f: Frame,
    w: &'static TicketText,
    page: TicketPage,
    said: Option<&'static str>,
}

/// Tickets nobody has looked at.
pub(super) async fn list(visit: Visit, asked: Asked<TicketQuery>) -> HttpResponse {
    let page = list_page(&visit, asked.into_inner()).await;
    visit.answer(page)
}

/// An auditor says whether one was due.
pub(super) async fn inspect(
    visit: Visit,
    number: Path<i64>,
    form: Form<VerdictForm>,
) -> HttpResponse {
    let inspected = inspected(&visit, *number, &form).await;
    visit.answer(inspected)
}

async fn list_page(visit: &Visit, asked: TicketQuery) -> Result<HttpResponse, Problem> {
    let asker = visit.asker(Area::Ledger)?;
    let page = visit.console.sight().tickets(&asker, asked.after, ROWS_MAX).await?;
    let f = visit.frame(Some(Area::Ledger));
    let w = TicketText::of(visit.t.lang);
    let said = asked.said.as_deref().filter(|said| *said == "noted").map(|_| w.noted);
    Ok(show(&TicketList { f, w, page, said }, StatusCode::OK))
}

async fn inspected(
    visit: &Visit,
    number: i64,
    form: &VerdictForm,
) -> Result<HttpResponse, Problem> {
    let asker = visit.asker(Area::Ledger)?;
    visit.own_form(&form.form_token)?;
    let justified = match form.verdict.as_str() {
        "justified" => true,
        "unjustified" => false,
        _ => return Err(Problem::Form),
    };
    let w = TicketText::of(visit.t.lang);
    match visit.console.sight().inspect(&asker, (number, justified)).await? {
        Inspected::Noted => Ok(see("/ledger/tickets?said=noted")),
        Inspected::Settled => Err(Problem::Unchanged(w.settled)),
    }
}
