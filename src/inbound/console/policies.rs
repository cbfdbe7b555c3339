//! The policy administrator's pages: who gets what, why, and what waits to be accepted.

mod page;

use std::collections::BTreeSet;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Form, Query as Asked};
use serde::Deserialize;

use super::access::Area;
use super::guard::{Problem, SaidQuery, Visit, see};
use super::pages::show;
use super::view::policies::PoliciesJudged;
use crate::policy::Asking;
use crate::vocabulary::{Department, Purpose, Relation, Role};
use page::{MatrixPage, ProposalPage, SheetPage, WhyPage};

/// One kind of asker, and perhaps an element, as an address names them.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
pub(super) struct AskingQuery {
    department: String,
    role: String,
    purpose: String,
    element: String,
    asked_by: Option<String>,
    call: Option<String>,
    case: Option<String>,
    reason: Option<String>,
    relation: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct JudgeForm {
    proposal: String,
    decision: String,
    form_token: String,
}

impl AskingQuery {
    /// What ties the department to the person, if anything does.
    fn relation(&self) -> Option<Relation> {
        Relation::parse(self.relation.as_deref()?).ok()
    }

    /// Whether a relation is the one that was chosen.
    fn is_tied_by(&self, id: &str) -> bool {
        self.relation.as_deref() == Some(id)
    }

    /// The asker; `None` if a name is none.
    fn asking(&self) -> Option<Asking> {
        let own = [("asked_by", &self.asked_by), ("call", &self.call)];
        let given = own.into_iter().chain([("case", &self.case), ("reason", &self.reason)]);
        let brings: BTreeSet<String> =
            given.filter(|(_, said)| said.is_some()).map(|(key, _)| key.to_owned()).collect();
        Some(Asking {
            department: Department::parse(&self.department).ok()?,
            role: Role::parse(&self.role).ok()?,
            purpose: Purpose::parse(&self.purpose).ok()?,
            brings,
            relations: self.relation().into_iter().collect(),
        })
    }
}

/// Departments and purposes.
pub(super) async fn matrix(visit: Visit) -> HttpResponse {
    let page = matrix_page(&visit).await;
    visit.answer(page)
}

/// What one asker gets for one purpose.
pub(super) async fn sheet(visit: Visit, asked: Asked<AskingQuery>) -> HttpResponse {
    let page = sheet_page(&visit, &asked).await;
    visit.answer(page)
}

/// Why an asker gets an element, or not.
pub(super) async fn why(visit: Visit, asked: Asked<AskingQuery>) -> HttpResponse {
    let page = why_page(&visit, asked.into_inner()).await;
    visit.answer(page)
}

/// What waits.
pub(super) async fn proposal(visit: Visit, asked: Asked<SaidQuery>) -> HttpResponse {
    let page = proposal_page(&visit, &asked).await;
    visit.answer(page)
}

/// Somebody has decided.
pub(super) async fn judge(visit: Visit, form: Form<JudgeForm>) -> HttpResponse {
    let judged = judged(&visit, &form).await;
    visit.answer(judged)
}

async fn matrix_page(visit: &Visit) -> Result<HttpResponse, Problem> {
    visit.asker(Area::Policies)?;
    let view = visit.console.sight().matrix().await?;
    let f = visit.frame(Some(Area::Policies));
    Ok(show(&MatrixPage { f, view }, StatusCode::OK))
}

async fn sheet_page(visit: &Visit, asked: &AskingQuery) -> Result<HttpResponse, Problem> {
    visit.asker(Area::Policies)?;
    let asking = asked.asking().ok_or(Problem::NotFound)?;
    let sheets = visit.console.sight().sheet(&asking).await?;
    if sheets.is_empty() {
        return Err(Problem::NotFound);
    }
    let f = visit.frame(Some(Area::Policies));
    Ok(show(&SheetPage { f, asking, sheets }, StatusCode::OK))
}

async fn why_page(visit: &Visit, asked: AskingQuery) -> Result<HttpResponse, Problem> {
    visit.asker(Area::Policies)?;
    let sight = visit.console.sight();
    let asking = asked.asking();
    let view = match &asking {
        Some(asking) => Some(sight.why(asking, asked.element.trim()).await?),
        // Nothing was asked yet, or a name is none.
        None => (!asked.department.is_empty()).then_some(super::view::policies::WhyView::Unknown),
    };
    let choices = sight.matrix().await?;
    let f = visit.frame(Some(Area::Policies));
    Ok(show(&WhyPage { f, asked, choices, view }, StatusCode::OK))
}

async fn proposal_page(visit: &Visit, asked: &SaidQuery) -> Result<HttpResponse, Problem> {
    let asker = visit.asker(Area::Policies)?;
    let view = visit.console.sight().proposal().await?;
    let f = visit.frame(Some(Area::Policies));
    let said = match asked.said.as_deref() {
        Some("in-force") => Some(f.p.said_in_force),
        Some("refused") => Some(f.p.said_refused),
        Some("waits") => Some(f.p.said_waits),
        _ => None,
    };
    Ok(show(&ProposalPage { f, view, said, user: asker.user }, StatusCode::OK))
}

async fn judged(visit: &Visit, form: &JudgeForm) -> Result<HttpResponse, Problem> {
    let asker = visit.asker(Area::Policies)?;
    visit.own_form(&form.form_token)?;
    let accepts = match form.decision.as_str() {
        "accept" => true,
        "refuse" => false,
        _ => return Err(Problem::Form),
    };
    let p = super::text::policies::PolicyText::of(visit.t.lang);
    let said = (form.proposal.as_str(), accepts);
    match visit.console.sight().judge_policies(&asker, said).await? {
        PoliciesJudged::Failed => Err(Problem::Unchanged(p.failed)),
        PoliciesJudged::InForce => Ok(see("/policies/proposal?said=in-force")),
        PoliciesJudged::Own => Err(Problem::Unchanged(p.own)),
        PoliciesJudged::Refused => Ok(see("/policies/proposal?said=refused")),
        PoliciesJudged::Settled => Err(Problem::Unchanged(p.settled)),
        PoliciesJudged::Waits => Ok(see("/policies/proposal?said=waits")),
    }
}
