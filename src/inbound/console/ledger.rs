//! The ledger's pages. What names a person is only ever in the body of a form.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, ContentType};
use actix_web::web::{Form, Path, Query as Asked};
use serde::Deserialize;

use super::access::Area;
use super::guard::{Problem, Visit, see};
use super::pages::{EntriesPage, EntryPage, Of, SearchPage, show};
use super::saved::Shelved;
use super::text::doubt::DoubtText;
use super::text::hold::HoldText;
use super::text::invite::InviteText;
use super::text::saved::SavedText;
use super::text::ticket::TicketText;
use super::text::trace::TraceText;
use super::trace::moment;
use super::view::history::History;
use super::view::saved::Shelf;
use super::view::{EntryKey, Named, Query, Terms, Whose};
use crate::audit::{Kind, history};
use crate::identity::Pseudonym;
use crate::vocabulary::{ElementId, Identifier, IdentifierKind, Purpose};

const ROWS_MAX: usize = 50;
const RECEIPT_BYTES_MAX: usize = 64;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct PageQuery {
    before: Option<u64>,
    said: Option<String>,
}

/// Which entries, as an address says it.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct TermsForm {
    /// Of which department.
    name: String,
    kind: String,
    purpose: String,
    element: String,
    since: String,
    until: String,
    before: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct PersonForm {
    kind: String,
    value: String,
    authority: String,
    pseudonym: String,
    before: Option<u64>,
    form_token: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct HistoryForm {
    pseudonym: String,
    form: String,
    form_token: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct ReceiptForm {
    receipt: String,
    form_token: String,
}

/// Where a search begins. Shows nothing of the ledger, so it is not recorded.
pub(super) async fn begin(visit: Visit, asked: Asked<PageQuery>) -> HttpResponse {
    let page = begin_page(&visit, (None, asked.said.as_deref())).await;
    visit.answer(page)
}

/// The newest entries of all.
pub(super) async fn latest(visit: Visit, asked: Asked<PageQuery>) -> HttpResponse {
    let page = entries(&visit, (Whose::All, Terms::default()), Of::All, asked.before).await;
    visit.answer(page)
}

/// What one department read, or what else entries say.
pub(super) async fn department(visit: Visit, asked: Asked<TermsForm>) -> HttpResponse {
    let page = terms_page(&visit, asked.into_inner()).await;
    visit.answer(page)
}

/// The address of an answered form, typed or reloaded: the question was in its body.
pub(super) async fn again() -> HttpResponse {
    see("/ledger")
}

/// Who saw one person.
pub(super) async fn person(visit: Visit, form: Form<PersonForm>) -> HttpResponse {
    let page = person_page(&visit, form.into_inner()).await;
    visit.answer(page)
}

/// What the ledger says of one person, as a file to be handed to him.
pub(super) async fn history(visit: Visit, form: Form<HistoryForm>) -> HttpResponse {
    let page = history_file(&visit, form.into_inner()).await;
    visit.answer(page)
}

/// The entry of a receipt or number that was typed.
pub(super) async fn find(visit: Visit, form: Form<ReceiptForm>) -> HttpResponse {
    let page = match visit.own_form(&form.form_token) {
        Ok(()) => entry_page(&visit, key(form.receipt.trim())).await,
        Err(problem) => Err(problem),
    };
    visit.answer(page)
}

/// The entry of a number that was clicked.
pub(super) async fn entry(visit: Visit, number: Path<u64>) -> HttpResponse {
    let page = entry_page(&visit, Some(EntryKey::Number(*number))).await;
    visit.answer(page)
}

/// The proof of an entry, as a file.
pub(super) async fn proof(visit: Visit, number: Path<u64>) -> HttpResponse {
    let page = proof_file(&visit, *number).await;
    visit.answer(page)
}

async fn proof_file(visit: &Visit, number: u64) -> Result<HttpResponse, Problem> {
    let asker = visit.asker(Area::Ledger)?;
    let proof = visit.console.sight().proof(&asker, number).await?.ok_or(Problem::NotFound)?;
    let name = format!("attachment; filename=\"entry-{number}.tlog-proof\"");
    Ok(HttpResponse::Ok()
        .content_type(ContentType::plaintext())
        .insert_header((header::CONTENT_DISPOSITION, name))
        .body(proof))
}

async fn history_file(visit: &Visit, wish: HistoryForm) -> Result<HttpResponse, Problem> {
    let asker = visit.asker(Area::Ledger)?;
    visit.own_form(&wish.form_token)?;
    let known = known(&wish.pseudonym).ok_or(Problem::NotFound)?;
    let form = history::Form::parse(&wish.form).ok_or(Problem::NotFound)?;
    let file = match visit.console.sight().access_history(&asker, &known, form).await? {
        History::NoFont => return Err(Problem::Unchanged(visit.t.history_no_font)),
        History::Written(file) => file,
    };
    // A name that says nothing of whom it is about: it may stay in a list of downloads.
    let name = format!("attachment; filename=\"history.{}\"", form.as_str());
    let media = match form {
        history::Form::Html => "text/html; charset=utf-8",
        history::Form::Pdf => "application/pdf",
    };
    let mut response = HttpResponse::Ok();
    let response = response.content_type(media);
    Ok(response.insert_header((header::CONTENT_DISPOSITION, name)).body(file))
}

async fn begin_page(
    visit: &Visit,
    (wrong, said): (Option<&'static str>, Option<&str>),
) -> Result<HttpResponse, Problem> {
    visit.asker(Area::Ledger)?;
    let saved = Shelved::of(visit, Shelf::Ledger, said).await?;
    let departments = visit.console.sight().departments().await?;
    let purposes = visit.console.sight().purposes().await?;
    let f = visit.frame(Some(Area::Ledger));
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let lang = visit.t.lang;
    let (w, d, h) = (TicketText::of(lang), DoubtText::of(lang), HoldText::of(lang));
    let (v, m) = (InviteText::of(lang), TraceText::of(lang));
    Ok(show(&SearchPage { f, w, d, h, v, m, saved, departments, purposes, wrong }, status))
}

async fn terms_page(visit: &Visit, asked: TermsForm) -> Result<HttpResponse, Problem> {
    visit.asker(Area::Ledger)?;
    let department = asked.department(visit).await?;
    let terms = match asked.terms(visit) {
        Ok(terms) => terms,
        Err(wrong) => return begin_page(visit, (Some(wrong), None)).await,
    };
    let purposes = visit.console.sight().purposes().await?;
    let named = |id: Purpose| {
        let known = purposes.iter().find(|known| known.id == id.as_str());
        known.map_or_else(|| id.to_string(), |known| visit.t.name(known).to_owned())
    };
    let frame = visit.frame(None);
    let words = [
        department.as_ref().map(|department| visit.t.name(department).to_owned()),
        terms.kind.map(|kind| visit.t.kind_of(kind.as_str()).to_owned()),
        terms.purpose.map(named),
        terms.element.map(|element| element.to_string()),
        terms.since_ms.map(|at_ms| format!("≥ {}", frame.time(&at_ms))),
        terms.until_ms.map(|at_ms| format!("< {}", frame.time(&at_ms))),
    ];
    let words = words.into_iter().flatten().collect();
    let whose = department.map_or(Whose::All, |department| Whose::Department(department.id));
    let before = asked.before;
    entries(visit, (whose, terms), Of::Terms(asked, words), before).await
}

impl TermsForm {
    /// The same, as fields.
    pub(super) fn fields(&self) -> [(&'static str, &str); 6] {
        [
            ("name", &self.name),
            ("kind", &self.kind),
            ("purpose", &self.purpose),
            ("element", &self.element),
            ("since", &self.since),
            ("until", &self.until),
        ]
    }

    /// Whether it asks for something there is.
    pub(super) async fn can_be_run(&self, visit: &Visit) -> Result<bool, Problem> {
        let asks = self.fields().iter().any(|(_, value)| !value.is_empty());
        let department = self.department(visit).await;
        Ok(asks && department.is_ok() && self.terms(visit).is_ok())
    }

    /// The department, if one is named.
    async fn department(&self, visit: &Visit) -> Result<Option<Named>, Problem> {
        if self.name.is_empty() {
            return Ok(None);
        }
        let departments = visit.console.sight().departments().await?;
        let known = departments.into_iter().find(|department| department.id == self.name);
        known.map(Some).ok_or(Problem::NotFound)
    }

    /// The rest, or in words what of it cannot be read.
    fn terms(&self, visit: &Visit) -> Result<Terms, &'static str> {
        let wrong_time = TraceText::of(visit.t.lang).wrong_time;
        let v = SavedText::of(visit.t.lang);
        let wrong_term = v.wrong_term;
        let time = |text: &str| match text.trim() {
            "" => Ok(None),
            text => moment(text, visit).map(Some).ok_or(wrong_time),
        };
        Ok(Terms {
            kind: typed(&self.kind, Kind::parse).ok_or(wrong_term)?,
            purpose: typed(&self.purpose, |id| Purpose::parse(id).ok()).ok_or(wrong_term)?,
            element: typed(&self.element, |id| ElementId::parse(id).ok()).ok_or(wrong_term)?,
            since_ms: time(&self.since)?,
            until_ms: time(&self.until)?,
        })
    }
}

async fn person_page(visit: &Visit, form: PersonForm) -> Result<HttpResponse, Problem> {
    visit.asker(Area::Ledger)?;
    visit.own_form(&form.form_token)?;
    let before = form.before;
    match whose(form) {
        Some(whose) => entries(visit, (whose, Terms::default()), Of::Person, before).await,
        None => begin_page(visit, (Some(visit.t.identifier_wrong), None)).await,
    }
}

async fn entries(
    visit: &Visit,
    (whose, terms): (Whose, Terms),
    of: Of,
    before: Option<u64>,
) -> Result<HttpResponse, Problem> {
    let asker = visit.asker(Area::Ledger)?;
    let query = Query { whose, terms, before, limit: ROWS_MAX };
    let page = visit.console.sight().search(&asker, &query).await?;
    let (v, shelf) = (SavedText::of(visit.t.lang), Shelf::Ledger);
    let title = match of {
        Of::All => visit.t.latest,
        Of::Person => visit.t.person_title,
        Of::Terms(..) => v.terms_found,
    };
    let f = visit.frame(Some(Area::Ledger));
    Ok(show(&EntriesPage { f, v, shelf, title, of, page }, StatusCode::OK))
}

async fn entry_page(visit: &Visit, key: Option<EntryKey>) -> Result<HttpResponse, Problem> {
    let asker = visit.asker(Area::Ledger)?;
    let key = key.ok_or(Problem::NotFound)?;
    let entry = visit.console.sight().entry(&asker, &key).await?.ok_or(Problem::NotFound)?;
    let f = visit.frame(Some(Area::Ledger));
    Ok(show(&EntryPage { f, entry }, StatusCode::OK))
}

/// A word of a field that may be left out; `None` if it is none of its words.
fn typed<T>(field: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    match field.trim() {
        "" => Some(None),
        word => parse(word).map(Some),
    }
}

/// Whom a form means.
fn whose(form: PersonForm) -> Option<Whose> {
    if !form.pseudonym.is_empty() {
        return known(&form.pseudonym).map(Whose::Known);
    }
    identifier(&form.kind, &form.value, &form.authority).map(Whose::Person)
}

/// An identifier as it was typed; one that fails its own check is nobody's.
pub(super) fn identifier(kind: &str, value: &str, authority: &str) -> Option<Identifier> {
    let kind = IdentifierKind::parse(kind)?;
    let mut identifier = Identifier::new(kind, value.trim());
    if kind == IdentifierKind::Local {
        identifier.authority = Some(authority.trim().to_owned());
    }
    identifier.normalised().ok()?;
    Some(identifier)
}

/// The pseudonyms a page named, with spaces between them.
fn known(typed: &str) -> Option<Vec<String>> {
    typed.split(' ').map(|word| Pseudonym::parse(word).map(|known| known.0)).collect()
}

/// A number is a number; anything else short and plain is a receipt.
fn key(typed: &str) -> Option<EntryKey> {
    if let Ok(number) = typed.parse() {
        return Some(EntryKey::Number(number));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let shape = (1..=RECEIPT_BYTES_MAX).contains(&typed.len()) && typed.bytes().all(plain);
    shape.then(|| EntryKey::Receipt(typed.to_owned()))
}
