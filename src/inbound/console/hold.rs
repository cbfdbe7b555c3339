//! The auditors' page of holds: which there are, a new one, and two who lift one.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Form, Path, Query as Asked};
use askama::Template;
use serde::Deserialize;

use super::access::Area;
use super::guard::{Problem, SaidQuery, Visit, see};
use super::ledger::identifier;
use super::pages::{Frame, show};
use super::text::hold::HoldText;
use super::view::Named;
use super::view::hold::{HeldWhose, HoldJudged, HoldRow, HoldWhom, HoldWish, HoldWord, Placed};
use crate::vocabulary::Fault;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct PlaceForm {
    whose: String,
    kind: String,
    value: String,
    authority: String,
    department: String,
    reason: String,
    form_token: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct WordForm {
    decision: String,
    reason: String,
    form_token: String,
}

#[derive(Template)]
#[template(path = "ledger_holds.html")]
struct HoldsPage {
    f: Frame,
    h: &'static HoldText,
    rows: Vec<HoldRow>,
    departments: Vec<Named>,
    said: Option<&'static str>,
    /// Who looks.
    user: String,
}

/// Which there are.
pub(super) async fn list(visit: Visit, asked: Asked<SaidQuery>) -> HttpResponse {
    let page = list_page(&visit, &asked).await;
    visit.answer(page)
}

/// Somebody keeps entries.
pub(super) async fn place(visit: Visit, form: Form<PlaceForm>) -> HttpResponse {
    let placed = placed(&visit, form.into_inner()).await;
    visit.answer(placed)
}

/// Somebody has said that one shall end, or go on.
pub(super) async fn judge(visit: Visit, number: Path<u64>, form: Form<WordForm>) -> HttpResponse {
    let judged = judged(&visit, *number, form.into_inner()).await;
    visit.answer(judged)
}

async fn list_page(visit: &Visit, asked: &SaidQuery) -> Result<HttpResponse, Problem> {
    let asker = visit.asker(Area::Ledger)?;
    let sight = visit.console.sight();
    let (rows, departments) = (sight.holds(&asker).await?, sight.departments().await?);
    let (f, h) = (visit.frame(Some(Area::Ledger)), HoldText::of(visit.t.lang));
    let said = match asked.said.as_deref() {
        Some("kept") => Some(h.kept),
        Some("lifted") => Some(h.lifted),
        Some("placed") => Some(h.placed),
        Some("stands") => Some(h.stands),
        Some("waits") => Some(h.waits),
        _ => None,
    };
    let page = HoldsPage { f, h, rows, departments, said, user: asker.user };
    Ok(show(&page, StatusCode::OK))
}

async fn placed(visit: &Visit, form: PlaceForm) -> Result<HttpResponse, Problem> {
    let asker = visit.asker(Area::Ledger)?;
    visit.own_form(&form.form_token)?;
    let h = HoldText::of(visit.t.lang);
    if form.reason.trim().is_empty() {
        return Err(Problem::Unchanged(h.no_reason));
    }
    let whose = match form.whose.as_str() {
        "department" => HoldWhom::Department(form.department),
        "everything" => HoldWhom::Everything,
        "person" => {
            let found = identifier(&form.kind, &form.value, &form.authority);
            HoldWhom::Person(found.ok_or(Problem::Unchanged(visit.t.identifier_wrong))?)
        }
        _ => return Err(Problem::Form),
    };
    let wish = HoldWish { whose, reason: form.reason };
    match visit.console.sight().place_hold(&asker, wish).await {
        Ok(Placed::Placed(_)) => Ok(see("/ledger/holds?said=placed")),
        Ok(Placed::Stands(_)) => Ok(see("/ledger/holds?said=stands")),
        Ok(Placed::Unknown) => Err(Problem::NotFound),
        Err(Fault::IdentityMissing) => Err(Problem::Unchanged(h.nobody)),
        Err(fault) => Err(fault.into()),
    }
}

async fn judged(visit: &Visit, number: u64, form: WordForm) -> Result<HttpResponse, Problem> {
    let asker = visit.asker(Area::Ledger)?;
    visit.own_form(&form.form_token)?;
    let word = match form.decision.as_str() {
        "keep" => HoldWord::Keep,
        "lift" => HoldWord::Lift(form.reason),
        _ => return Err(Problem::Form),
    };
    let h = HoldText::of(visit.t.lang);
    match visit.console.sight().judge_hold(&asker, (number, word)).await? {
        HoldJudged::Kept => Ok(see("/ledger/holds?said=kept")),
        HoldJudged::Lifted => Ok(see("/ledger/holds?said=lifted")),
        HoldJudged::NoReason => Err(Problem::Unchanged(h.no_reason)),
        HoldJudged::Own => Err(Problem::Unchanged(h.own)),
        HoldJudged::Settled => Err(Problem::Unchanged(h.settled)),
        HoldJudged::Waits => Ok(see("/ledger/holds?said=waits")),
    }
}
