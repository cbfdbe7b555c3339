//! The reviewer's pages. Who is shown stands in the ledger; who waits is shown by number.

mod difference;
mod page;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Form, Path, Query as Asked};
use serde::Deserialize;

use super::access::Area;
use super::guard::{Problem, Visit, see};
use super::pages::show;
use super::view::review::{Cursor, Decided, Decision, Judged, Pair};
use crate::store::opinion::Opinion;
use page::{HeldList, HistoryPage, PairPage, QueueList};

const ROWS_MAX: usize = 50;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct QueueQuery {
    after: Option<String>,
    said: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct HeldQuery {
    after: Option<u64>,
    said: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct DecisionForm {
    decision: String,
    form_token: String,
}

/// What waits.
pub(super) async fn queue(visit: Visit, asked: Asked<QueueQuery>) -> HttpResponse {
    let page = queue_page(&visit, asked.into_inner()).await;
    visit.answer(page)
}

/// What the overlay guard holds.
pub(super) async fn held(visit: Visit, asked: Asked<HeldQuery>) -> HttpResponse {
    let page = held_page(&visit, asked.into_inner()).await;
    visit.answer(page)
}

/// A reviewer says what shall become of a held message.
pub(super) async fn judge(
    visit: Visit,
    number: Path<u64>,
    form: Form<DecisionForm>,
) -> HttpResponse {
    let judged = judged(&visit, *number, &form).await;
    visit.answer(judged)
}

/// Two entries side by side.
pub(super) async fn pair(visit: Visit, pair: Path<Pair>) -> HttpResponse {
    let page = pair_page(&visit, *pair).await;
    visit.answer(page)
}

/// What was said of the entries of both.
pub(super) async fn history(visit: Visit, pair: Path<Pair>) -> HttpResponse {
    let page = history_page(&visit, *pair).await;
    visit.answer(page)
}

/// A reviewer has decided.
pub(super) async fn decide(
    visit: Visit,
    pair: Path<Pair>,
    form: Form<DecisionForm>,
) -> HttpResponse {
    let decided = decided(&visit, *pair, &form).await;
    visit.answer(decided)
}

async fn queue_page(visit: &Visit, asked: QueueQuery) -> Result<HttpResponse, Problem> {
    visit.asker(Area::Review)?;
    let after = match asked.after.as_deref().map(Cursor::parse) {
        Some(None) => return Err(Problem::NotFound),
        Some(cursor) => cursor,
        None => None,
    };
    let page = visit.console.sight().waiting(after, ROWS_MAX).await?;
    let f = visit.frame(Some(Area::Review));
    let said = match asked.said.as_deref() {
        Some("apart") => Some(f.r.said_apart),
        Some("same") => Some(f.r.said_same),
        Some("waits") => Some(f.r.said_waits),
        _ => None,
    };
    Ok(show(&QueueList { f, page, said, paged: after.is_some() }, StatusCode::OK))
}

async fn held_page(visit: &Visit, asked: HeldQuery) -> Result<HttpResponse, Problem> {
    let asker = visit.asker(Area::Review)?;
    let page = visit.console.sight().held(asked.after, ROWS_MAX).await?;
    let f = visit.frame(Some(Area::Review));
    let said = match asked.said.as_deref() {
        Some("accepted") => Some(f.r.said_accepted),
        Some("refused") => Some(f.r.said_refused),
        Some("still") => Some(f.r.said_still),
        Some("waits") => Some(f.r.said_held_waits),
        _ => None,
    };
    Ok(show(&HeldList { f, page, said, user: asker.user }, StatusCode::OK))
}

async fn judged(visit: &Visit, number: u64, form: &DecisionForm) -> Result<HttpResponse, Problem> {
    let asker = visit.asker(Area::Review)?;
    visit.own_form(&form.form_token)?;
    let opinion = match form.decision.as_str() {
        "accept" => Opinion::Accept,
        "refuse" => Opinion::Refuse,
        _ => return Err(Problem::Form),
    };
    let r = super::text::review::ReviewText::of(visit.t.lang);
    match visit.console.sight().judge(&asker, (number, opinion)).await? {
        Judged::Accepted => Ok(see("/review/held?said=accepted")),
        Judged::Own => Err(Problem::Unchanged(r.own_opinion)),
        Judged::Refused => Ok(see("/review/held?said=refused")),
        Judged::Settled => Err(Problem::Unchanged(r.held_settled)),
        Judged::Still => Ok(see("/review/held?said=still")),
        Judged::Waits => Ok(see("/review/held?said=waits")),
    }
}

async fn pair_page(visit: &Visit, pair: Pair) -> Result<HttpResponse, Problem> {
    let asker = visit.asker(Area::Review)?;
    let found = visit.console.sight().pair(&asker, sorted(pair)?).await?;
    let view = found.ok_or(Problem::NotFound)?;
    let own = view.proposed_by.as_deref() == Some(asker.user.as_str());
    let f = visit.frame(Some(Area::Review));
    let rows = page::rows(&f, &view);
    Ok(show(&PairPage { f, view, rows, own }, StatusCode::OK))
}

async fn history_page(visit: &Visit, pair: Pair) -> Result<HttpResponse, Problem> {
    let asker = visit.asker(Area::Review)?;
    let found = visit.console.sight().history(&asker, sorted(pair)?).await?;
    let events = found.ok_or(Problem::NotFound)?;
    let f = visit.frame(Some(Area::Review));
    Ok(show(&HistoryPage { f, pair, events }, StatusCode::OK))
}

async fn decided(visit: &Visit, pair: Pair, form: &DecisionForm) -> Result<HttpResponse, Problem> {
    let asker = visit.asker(Area::Review)?;
    visit.own_form(&form.form_token)?;
    let decision = match form.decision.as_str() {
        "apart" => Decision::Apart,
        "same" => Decision::Same,
        _ => return Err(Problem::Form),
    };
    let decided = visit.console.sight().decide(&asker, sorted(pair)?, decision).await?;
    let r = super::text::review::ReviewText::of(visit.t.lang);
    match decided.ok_or(Problem::NotFound)? {
        Decided::Apart => Ok(see("/review?said=apart")),
        Decided::Own => Err(Problem::Unchanged(r.own_proposal)),
        Decided::Same => Ok(see("/review?said=same")),
        Decided::Settled => Err(Problem::Unchanged(r.settled)),
        Decided::Waits => Ok(see("/review?said=waits")),
    }
}

/// A pair has one address.
fn sorted(pair: Pair) -> Result<Pair, Problem> {
    if pair.0 < pair.1 { Ok(pair) } else { Err(Problem::NotFound) }
}
