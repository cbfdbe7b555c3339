//! The operators' pages of messages tried again many at a time: previewed, proposed, approved by
//! another, watched and stopped.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use actix_web::web::{Form as Posted, Path, Query as Asked};
use askama::Template;
use serde::Deserialize;

use super::access::Area;
use super::guard::{Problem, SaidQuery, Visit};
use super::pages::{Frame, show};
use super::text::rerun::RerunText;
use super::trace::SearchForm;
use super::view::rerun::{Expected, Preview, RerunJudged, RerunView, Stage, Wanted, Word};

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct WordForm {
    decision: String,
    form_token: String,
}

#[derive(Template)]
#[template(path = "rerun_preview.html")]
struct PreviewPage {
    f: Frame,
    b: &'static RerunText,
    preview: Preview,
    asked: SearchForm,
    words: Vec<String>,
}

#[derive(Template)]
#[template(path = "rerun.html")]
struct RerunPage {
    f: Frame,
    b: &'static RerunText,
    view: RerunView,
    words: Vec<String>,
    said: Option<&'static str>,
    /// Who looks.
    user: String,
}

#[derive(Template)]
#[template(path = "reruns.html")]
struct RerunsPage {
    f: Frame,
    b: &'static RerunText,
    rows: Vec<RerunView>,
}

/// What was proposed.
pub(super) async fn list(visit: Visit) -> HttpResponse {
    let page = list_page(&visit).await;
    visit.answer(page)
}

/// What would become of messages.
pub(super) async fn preview(visit: Visit, form: Posted<SearchForm>) -> HttpResponse {
    let page = preview_page(&visit, form.into_inner()).await;
    visit.answer(page)
}

/// Somebody proposes it.
pub(super) async fn propose(visit: Visit, form: Posted<SearchForm>) -> HttpResponse {
    let proposed = proposed(&visit, &form).await;
    visit.answer(proposed)
}

/// One, and how far it is.
pub(super) async fn one(visit: Visit, number: Path<u64>, asked: Asked<SaidQuery>) -> HttpResponse {
    let page = one_page(&visit, *number, &asked).await;
    visit.answer(page)
}

/// Somebody has decided.
pub(super) async fn judge(visit: Visit, number: Path<u64>, form: Posted<WordForm>) -> HttpResponse {
    let judged = judged(&visit, *number, &form).await;
    visit.answer(judged)
}

async fn list_page(visit: &Visit) -> Result<HttpResponse, Problem> {
    visit.asker(Area::Trace)?;
    let rows = visit.console.sight().reruns().await?;
    let (f, b) = (visit.frame(Some(Area::Trace)), RerunText::of(visit.t.lang));
    Ok(show(&RerunsPage { f, b, rows }, StatusCode::OK))
}

async fn preview_page(visit: &Visit, asked: SearchForm) -> Result<HttpResponse, Problem> {
    let asker = visit.asker(Area::Replay)?;
    let wanted = asked.wanted(visit)?;
    let preview = visit.console.sight().rehearse(&asker, &wanted).await?;
    let (f, b) = (visit.frame(Some(Area::Trace)), RerunText::of(visit.t.lang));
    let words = words(&f, &wanted);
    Ok(show(&PreviewPage { f, b, preview, asked, words }, StatusCode::OK))
}

async fn proposed(visit: &Visit, asked: &SearchForm) -> Result<HttpResponse, Problem> {
    let asker = visit.asker(Area::Replay)?;
    let wanted = asked.wanted(visit)?;
    match visit.console.sight().propose_rerun(&asker, &wanted).await? {
        Some(number) => Ok(to_one(number)),
        None => Err(Problem::Unchanged(RerunText::of(visit.t.lang).nothing)),
    }
}

async fn one_page(visit: &Visit, number: u64, asked: &SaidQuery) -> Result<HttpResponse, Problem> {
    visit.asker(Area::Trace)?;
    let view = visit.console.sight().rerun(number).await?.ok_or(Problem::NotFound)?;
    let (f, b) = (visit.frame(Some(Area::Trace)), RerunText::of(visit.t.lang));
    let said = asked.said.as_deref().filter(|said| *said == "noted").map(|_| b.noted);
    let user = visit.session().map(|session| session.user.clone()).unwrap_or_default();
    let words = words(&f, &view.wanted);
    Ok(show(&RerunPage { f, b, view, words, said, user }, StatusCode::OK))
}

async fn judged(visit: &Visit, number: u64, form: &WordForm) -> Result<HttpResponse, Problem> {
    let asker = visit.asker(Area::Replay)?;
    visit.own_form(&form.form_token)?;
    let word = match form.decision.as_str() {
        "approve" => Word::Approve,
        "decline" => Word::Decline,
        "stop" => Word::Stop,
        _ => return Err(Problem::Form),
    };
    let b = RerunText::of(visit.t.lang);
    match visit.console.sight().judge_rerun(&asker, (number, word)).await? {
        RerunJudged::Noted => Ok(to_one(number)),
        RerunJudged::Outdated => Err(Problem::Unchanged(b.outdated)),
        RerunJudged::Own => Err(Problem::Unchanged(b.own)),
        RerunJudged::Settled => Err(Problem::Unchanged(b.done_before)),
    }
}

/// Look there, where it says that it was noted.
fn to_one(number: u64) -> HttpResponse {
    let place = (header::LOCATION, format!("/trace/replays/{number}?said=noted"));
    HttpResponse::SeeOther().insert_header(place).finish()
}

/// Which messages, in words.
fn words(f: &Frame, wanted: &Wanted) -> Vec<String> {
    let told = [
        wanted.source.map(|source| source.to_string()),
        wanted.form.map(|form| form.name().to_owned()),
        wanted.fault.map(|fault| format!("{} ({})", f.t.fault(&fault), fault.row().name)),
        wanted.place.clone(),
        wanted.state.map(|state| f.state(&state).to_owned()),
        wanted.since_ms.map(|at_ms| format!("≥ {}", f.time(&at_ms))),
        wanted.until_ms.map(|at_ms| format!("< {}", f.time(&at_ms))),
    ];
    told.into_iter().flatten().collect()
}

impl RerunsPage {
    fn words(&self, row: &RerunView) -> Vec<String> {
        words(&self.f, &row.wanted)
    }
}

impl RerunPage {
    /// Whether whoever looks may still approve or decline it.
    fn waits(&self) -> bool {
        self.view.stage == Stage::Waits && self.f.sees(Area::Replay)
    }

    /// Whether it changes while somebody looks.
    fn moves(&self) -> bool {
        matches!(self.view.stage, Stage::Runs | Stage::Stopping)
    }

    fn runs(&self) -> bool {
        self.view.stage == Stage::Runs && self.f.sees(Area::Replay)
    }

    fn own(&self) -> bool {
        self.view.by == self.user
    }
}

impl Preview {
    /// What would not be kept: whether it would be held, and why.
    fn reasons(&self) -> impl Iterator<Item = (bool, &Expected)> {
        let held = self.held.iter().map(|one| (true, one));
        held.chain(self.refused.iter().map(|one| (false, one)))
    }

    fn of(reasons: &[Expected]) -> u64 {
        reasons.iter().map(|one| one.count).sum()
    }

    fn would_hold(&self) -> u64 {
        Self::of(&self.held)
    }

    fn would_refuse(&self) -> u64 {
        Self::of(&self.refused)
    }
}
