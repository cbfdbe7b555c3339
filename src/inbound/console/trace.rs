//! The trace of messages: found, told from arrival to notice, and what waits by its reason. Who
//! a message is about is typed into the body of a form, and comes back as numbers of the index.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use actix_web::web::{Form as Posted, Path, Query as Asked};
use askama::Template;
use chrono::NaiveDateTime;
use serde::Deserialize;

use super::access::Area;
use super::guard::{Problem, SaidQuery, Visit, see};
use super::ledger::identifier;
use super::pages::{Frame, show};
use super::saved::Shelved;
use super::text::rerun::RerunText;
use super::text::saved::SavedText;
use super::text::trace::TraceText;
use super::view::saved::Shelf;
use super::view::trace::{Journey, MessagePage, MessageQuery, Pile, Told, Wanted, Whom};
use crate::store::State;
use crate::store::history::What;
use crate::translate::Form;
use crate::vocabulary::{Fault, Source};

const ROWS_MAX: usize = 50;
/// Entries of one person that a page carries to the next.
const ENTRIES_MAX: usize = 100;

/// What is known of a message, as it was typed.
#[derive(Deserialize, Default, Clone)]
#[serde(default)]
pub(super) struct SearchForm {
    number: String,
    control_id: String,
    sender: String,
    state: String,
    form: String,
    since: String,
    until: String,
    fault: String,
    place: String,
    kind: String,
    value: String,
    authority: String,
    entries: String,
    before: Option<u64>,
    form_token: String,
}

#[derive(Template)]
#[template(path = "trace.html")]
struct BeginPage {
    f: Frame,
    m: &'static TraceText,
    b: &'static RerunText,
    saved: Shelved,
    senders: Vec<String>,
    wrong: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "trace_messages.html")]
struct FoundPage {
    f: Frame,
    m: &'static TraceText,
    b: &'static RerunText,
    v: &'static SavedText,
    shelf: Shelf,
    page: MessagePage,
    /// What was asked, without whom it was about: how the next page is asked for.
    asked: SearchForm,
}

#[derive(Template)]
#[template(path = "trace_message.html")]
struct JourneyPage {
    f: Frame,
    m: &'static TraceText,
    told: Journey,
}

#[derive(Template)]
#[template(path = "trace_quarantine.html")]
struct PilesPage {
    f: Frame,
    m: &'static TraceText,
    b: &'static RerunText,
    piles: Vec<Pile>,
}

/// Where a trace begins. Shows no message, so it is not recorded.
pub(super) async fn begin(visit: Visit, asked: Asked<SaidQuery>) -> HttpResponse {
    let page = begin_page(&visit, (None, asked.said.as_deref())).await;
    visit.answer(page)
}

/// The address of an answered form, typed or reloaded: the question was in its body.
pub(super) async fn again() -> HttpResponse {
    see("/trace")
}

/// Messages like that.
pub(super) async fn search(visit: Visit, form: Posted<SearchForm>) -> HttpResponse {
    let page = found_page(&visit, form.into_inner()).await;
    visit.answer(page)
}

/// The whole way of one.
pub(super) async fn message(visit: Visit, number: Path<u64>) -> HttpResponse {
    let page = journey_page(&visit, *number).await;
    visit.answer(page)
}

/// What waits, by what is wrong.
pub(super) async fn quarantine(visit: Visit) -> HttpResponse {
    let page = piles_page(&visit).await;
    visit.answer(page)
}

async fn begin_page(
    visit: &Visit,
    (wrong, said): (Option<&'static str>, Option<&str>),
) -> Result<HttpResponse, Problem> {
    visit.asker(Area::Trace)?;
    let saved = Shelved::of(visit, Shelf::Trace, said).await?;
    let senders = visit.console.sight().senders().await?;
    let (f, m, b) = texts(visit);
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(show(&BeginPage { f, m, b, saved, senders, wrong }, status))
}

async fn found_page(visit: &Visit, form: SearchForm) -> Result<HttpResponse, Problem> {
    let asker = visit.asker(Area::Trace)?;
    visit.own_form(&form.form_token)?;
    let m = TraceText::of(visit.t.lang);
    if let Ok(number) = form.number.trim().parse::<u64>() {
        let place = (header::LOCATION, format!("/trace/message/{number}"));
        return Ok(HttpResponse::SeeOther().insert_header(place).finish());
    }
    let query = match form.query(visit, m) {
        Ok(query) => query,
        Err(wrong) => return begin_page(visit, (Some(wrong), None)).await,
    };
    let page = visit.console.sight().messages(&asker, &query).await?;
    let (f, m, b) = texts(visit);
    let (v, shelf) = (SavedText::of(visit.t.lang), Shelf::Trace);
    let entries = page.entries.iter().flatten().take(ENTRIES_MAX).map(ToString::to_string);
    let asked = SearchForm {
        // As the journal has it: a number of a resident does not come back.
        control_id: page.control_id.clone().unwrap_or_default(),
        entries: entries.collect::<Vec<_>>().join(","),
        ..form
    };
    Ok(show(&FoundPage { f, m, b, v, shelf, page, asked }, StatusCode::OK))
}

async fn journey_page(visit: &Visit, number: u64) -> Result<HttpResponse, Problem> {
    let asker = visit.asker(Area::Trace)?;
    let told = visit.console.sight().journey(&asker, number).await?.ok_or(Problem::NotFound)?;
    let (f, m) = (visit.frame(Some(Area::Trace)), TraceText::of(visit.t.lang));
    Ok(show(&JourneyPage { f, m, told }, StatusCode::OK))
}

async fn piles_page(visit: &Visit) -> Result<HttpResponse, Problem> {
    let asker = visit.asker(Area::Trace)?;
    let piles = visit.console.sight().piles(&asker).await?;
    let (f, m, b) = texts(visit);
    Ok(show(&PilesPage { f, m, b, piles }, StatusCode::OK))
}

impl SearchForm {
    /// Whether it asks for something there is.
    pub(super) fn can_be_run(&self, visit: &Visit) -> bool {
        let asked = self.query(visit, TraceText::of(visit.t.lang));
        asked.is_ok_and(|asked| asked.wanted != Wanted { limit: ROWS_MAX, ..Wanted::default() })
    }

    /// Which messages a form of this session means; none that names somebody or one message.
    pub(super) fn wanted(&self, visit: &Visit) -> Result<Wanted, Problem> {
        visit.own_form(&self.form_token)?;
        let query = self.query(visit, TraceText::of(visit.t.lang)).map_err(Problem::Unchanged)?;
        match (query.person, &query.wanted.control_id) {
            (None, None) => Ok(query.wanted),
            _ => Err(Problem::Form),
        }
    }

    /// What was asked, without whom it was about, as hidden fields of the next question.
    pub(super) fn fields(&self) -> [(&'static str, &str); 9] {
        [
            ("control_id", &self.control_id),
            ("sender", &self.sender),
            ("state", &self.state),
            ("form", &self.form),
            ("since", &self.since),
            ("until", &self.until),
            ("fault", &self.fault),
            ("place", &self.place),
            ("entries", &self.entries),
        ]
    }

    /// What is looked for, or what of it cannot be read.
    fn query(&self, visit: &Visit, m: &'static TraceText) -> Result<MessageQuery, &'static str> {
        let word = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let source = |text: String| Source::parse(&text).map_err(|_| m.wrong_word);
        let form = |text: String| Form::parse(&text).ok_or(m.wrong_word);
        let state = |text: String| named::<State>(text).ok_or(m.wrong_word);
        let fault = |text: String| named::<Fault>(text).ok_or(m.wrong_word);
        let time = |text: String| moment(&text, visit).ok_or(m.wrong_time);
        let wanted = Wanted {
            control_id: word(&self.control_id),
            source: word(&self.sender).map(source).transpose()?,
            since_ms: word(&self.since).map(time).transpose()?,
            until_ms: word(&self.until).map(time).transpose()?,
            state: word(&self.state).map(state).transpose()?,
            form: word(&self.form).map(form).transpose()?,
            fault: word(&self.fault).map(fault).transpose()?,
            place: word(&self.place),
            before: self.before,
            limit: ROWS_MAX,
            ..Wanted::default()
        };
        let person = match (word(&self.value), word(&self.entries)) {
            (Some(value), _) => {
                let found = identifier(&self.kind, &value, &self.authority);
                Some(Whom::Identifier(found.ok_or(visit.t.identifier_wrong)?))
            }
            (None, Some(entries)) => {
                let numbers = entries.split(',').take(ENTRIES_MAX).map(str::parse);
                let numbers = numbers.collect::<Result<_, _>>();
                Some(Whom::Entries(numbers.map_err(|_| visit.t.identifier_wrong)?))
            }
            (None, None) => None,
        };
        Ok(MessageQuery { wanted, person })
    }
}

fn texts(visit: &Visit) -> (Frame, &'static TraceText, &'static RerunText) {
    let lang = visit.t.lang;
    (visit.frame(Some(Area::Trace)), TraceText::of(lang), RerunText::of(lang))
}

/// The word of a closed list.
fn named<T: serde::de::DeserializeOwned>(text: String) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(text)).ok()
}

/// A time as browsers send it, where the console is.
pub(super) fn moment(text: &str, visit: &Visit) -> Option<i64> {
    let shapes = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
    let read = |shape| NaiveDateTime::parse_from_str(text, shape).ok();
    let local = shapes.into_iter().find_map(read)?;
    Some(local.and_local_timezone(visit.console.offset()).single()?.timestamp_millis())
}

impl BeginPage {
    fn states(&self) -> [(&'static str, &'static str); 3] {
        let t = self.f.t;
        [
            (State::Kept.as_str(), t.kept),
            (State::Quarantined.as_str(), t.quarantined),
            (State::Refused.as_str(), t.refused),
        ]
    }

    fn forms(&self) -> impl Iterator<Item = &'static str> {
        Form::ALL.iter().map(|form| form.name())
    }
}

impl Frame {
    /// What became of a message, in words.
    pub(super) fn state(&self, state: &State) -> &'static str {
        match state {
            State::Kept => self.t.kept,
            State::Quarantined => self.t.quarantined,
            State::Refused => self.t.refused,
        }
    }

    /// How that looks.
    fn look(&self, state: &State) -> &'static str {
        match state {
            State::Kept => "good",
            State::Quarantined => "warn",
            State::Refused => "bad",
        }
    }

    pub(super) fn place(&self, at: &Option<String>) -> String {
        at.clone().unwrap_or_else(|| self.t.dash.to_owned())
    }
}

impl FoundPage {
    /// What was asked, without whom it was about.
    fn words(&self) -> Vec<&str> {
        let asked = &self.asked;
        let all = [
            &asked.control_id,
            &asked.sender,
            &asked.state,
            &asked.form,
            &asked.since,
            &asked.until,
            &asked.fault,
            &asked.place,
        ];
        all.into_iter().map(String::as_str).filter(|word| !word.is_empty()).collect()
    }

    /// Whether it can be asked what would become of these if they were tried again.
    fn may_be_tried(&self) -> bool {
        let may_wait = ["", State::Quarantined.as_str()].contains(&self.asked.state.as_str());
        self.f.sees(Area::Replay) && may_wait && self.names_nobody()
    }

    /// Whether it can be kept under a name.
    fn names_nobody(&self) -> bool {
        self.asked.entries.is_empty() && self.asked.control_id.is_empty()
    }
}

impl JourneyPage {
    fn told(&self) -> String {
        let m = self.m;
        match &self.told.told {
            Told::Acknowledged(codes) if codes.is_empty() => m.told_none.to_owned(),
            Told::Acknowledged(codes) => format!("MSA-1: {}", codes.join(" ")),
            Told::Erased => m.erased.to_owned(),
            Told::Receipt(status) => self.f.t.fill(m.told_receipt, status),
            Told::Replied => m.told_replied.to_owned(),
            Told::Reported => m.told_reported.to_owned(),
            Told::Written => m.told_written.to_owned(),
        }
    }

    fn said(&self, what: &What) -> &'static str {
        match what {
            What::Apart => self.m.said_apart,
            What::Moved => self.m.said_moved,
            What::Same => self.m.said_same,
        }
    }

    /// The person's entries, as the search for all messages asks for them.
    fn entries(&self) -> String {
        let entries = self.told.person.iter().flat_map(|person| &person.entries);
        entries.take(ENTRIES_MAX).map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
}
