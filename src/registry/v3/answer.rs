//! 查询应答, what was released, in the words of the exchange services.
//!
//! Takes a [`Release`] and nothing less. An unknown person, one without data and one whose
//! data are withheld are answered alike: accepted, and nothing found.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::element::{Member, attribute, child, children, instance, item, leaf, marked};
use super::reply::{self, Verdict, document, head, registry_head};
use super::request::{Dialect, Instance, Request};
use super::services::{Deed, Reply};
use crate::policy::Release;
use crate::registry::answer::{AnswerMeta, RefusalMeta};
use crate::registry::released;
use crate::registry::writing::{Several, Window, Writing, Written};
use crate::translate::{Pack, v3};
use crate::vocabulary::{ElementId, Group, Record, Value};
use crate::wire::soap::{self, Call};
use crate::wire::tree::Tree;
use crate::wire::xml::{self, Document};

/// 文档流水号
pub const DOCUMENT: ElementId = ElementId::fixed("MZ.document.id");
/// 文档类型
pub const TYPE: ElementId = ElementId::fixed("MZ.document.type");
/// 文档标题
pub const TITLE: ElementId = ElementId::fixed("MZ.document.title");
/// 文档生成时间
pub const TIME: ElementId = ElementId::fixed("MZ.document.time");
/// 媒体类型
pub const MEDIA: ElementId = ElementId::fixed("MZ.document.media");
/// 文档内容
pub const CONTENT: ElementId = ElementId::fixed("MZ.document.content");

/// The elements of a search for documents.
pub const INDEX: &[ElementId] = &[DOCUMENT, TYPE, TITLE, TIME, MEDIA];
/// The elements of a document that is fetched.
pub const WHOLE: &[ElementId] = &[DOCUMENT, TYPE, TITLE, TIME, MEDIA, CONTENT];

/// The elements of a person that is asked for.
pub const PERSON: &[ElementId] = &[
    ElementId::fixed("DE02.01.030.00"),
    ElementId::fixed("DE01.00.021.00"),
    ElementId::fixed("DE01.00.009.00"),
    ElementId::fixed("DE02.01.039.00"),
    ElementId::fixed("DE02.01.040.00"),
    ElementId::fixed("DE02.01.005.01"),
    ElementId::fixed("DE02.01.010.00"),
    ElementId::fixed("MZ.address.home"),
    ElementId::fixed("DE02.01.018.00"),
    ElementId::fixed("DE02.01.025.00"),
];

/// What is said of a document that is absent and of one that may not be given.
const NOT_GIVEN: &str = "没有该文档，或不予提供；no such document, or it may not be given";
/// Whose documents these are, where a platform wants a name for it.
pub const REPOSITORY: &str = "kangqiao";

/// Persons one answer is about, where the question does not say.
const PERSONS: usize = 10;

/// How one request is answered, and in which envelope.
#[derive(Debug)]
pub struct Answering {
    /// The call it came in.
    pub call: Call,
    /// The request.
    pub request: Request,
    /// When it came, seconds since 1970.
    pub at: i64,
}

impl Answering {
    /// A reply in the envelope of its call.
    #[must_use]
    pub fn enveloped(&self, document: &Document) -> Written {
        let text = String::from_utf8_lossy(&xml::write(document)).into_owned();
        let body = soap::answer(&self.call, &text);
        Written { status: 200, media: self.call.edition.media(), body }
    }
}

impl Writing for Answering {
    fn answer(&self, pack: &Pack, release: &Release, meta: &AnswerMeta<'_>) -> Written {
        let number = meta.receipt.to_owned();
        let verdict = Verdict { failed: None, number, at: meta.answered_at };
        let record = released::record(release);
        let request = &self.request;
        let answered = match request.service.map(|service| service.deed) {
            Some(Deed::FindPerson | Deed::FindEntry) => person(request, &verdict, (pack, record)),
            Some(Deed::FetchDocuments) => documents(request, &verdict, &record, written),
            _ => documents(request, &verdict, &record, listed),
        };
        self.enveloped(&answered)
    }

    fn window(&self) -> Option<Window> {
        let deed = self.request.service.map(|service| service.deed);
        let most = self.request.quantity().unwrap_or(PERSONS);
        (deed == Some(Deed::FindPerson)).then_some(Window { from: 0, most, certain: false })
    }

    fn several(&self, pack: &Pack, several: &Several<'_>) -> Written {
        let number = several.meta.receipt.to_owned();
        let verdict = Verdict { failed: None, number, at: several.meta.answered_at };
        let request = &self.request;
        let each = several.found.iter().map(|one| released::record(&one.release));
        let subjects: Vec<_> =
            each.flat_map(|record| found(pack, request.dialect, record)).collect();
        self.enveloped(&persons(request, &verdict, (subjects, several.total)))
    }

    fn refusal(&self, meta: &RefusalMeta<'_>) -> Written {
        let mut failed = reply::words(meta.fault, meta.at, false);
        for more in [meta.rule.map(|rule| format!(" [{rule}]")), meta.remedy.map(|r| r.zh.clone())]
        {
            failed.push_str(&more.unwrap_or_default());
        }
        let number = meta.receipt.unwrap_or_default().to_owned();
        let verdict = Verdict { failed: Some(failed), number, at: self.at };
        let mut answered = reply::acknowledge(&self.request, &verdict, &[]);
        if let (true, Tree::Map(members)) = (is_query(&self.request), &mut answered.tree) {
            members.push(concluded(&self.request, Vec::new(), "AE"));
        }
        self.enveloped(&answered)
    }
}

/// Whether its answer holds the number of the query.
fn is_query(request: &Request) -> bool {
    request.service.is_some_and(|service| {
        let asks = !matches!(service.deed, Deed::Take | Deed::Store | Deed::Enter | Deed::Decline);
        asks && matches!(service.reply, Reply::Message(_, _))
    })
}

/// What follows the acknowledgement of an answered query: the subjects, then the query's
/// number and whether anything was found (`OK`, `NF`, `AE`).
fn concluded(request: &Request, subjects: Vec<Vec<Member>>, code: &str) -> Member {
    let total = subjects.len();
    concluded_of(request, (subjects, total), code)
}

/// The same where there are more than are given.
fn concluded_of(
    request: &Request,
    (subjects, total): (Vec<Vec<Member>>, usize),
    code: &str,
) -> Member {
    let query = request.query_id().map(|id| instance("queryId", &id));
    let mut ack: Vec<Member> = query.into_iter().collect();
    ack.push(marked("queryResponseCode", "code", code));
    if code == "OK" {
        let quantity = |name, count: usize| marked(name, "value", &count.to_string());
        ack.push(quantity("resultTotalQuantity", total));
        if total > subjects.len() {
            ack.push(quantity("resultCurrentQuantity", subjects.len()));
            ack.push(quantity("resultRemainingQuantity", total - subjects.len()));
        }
    }
    let mut members = vec![attribute("classCode", "CACT"), attribute("moodCode", "EVN")];
    if !subjects.is_empty() {
        members.push(children("subject", subjects));
    }
    members.push(child("queryAck", ack));
    child("controlActProcess", members)
}

/// The person, staff or organisation as the mapping file of the dialect writes one.
fn person(request: &Request, verdict: &Verdict, (pack, record): (&Pack, Record)) -> Document {
    let found = found(pack, request.dialect, record);
    let total = found.len();
    persons(request, verdict, (found, total))
}

/// Subjects, of so many there are.
fn persons(
    request: &Request,
    verdict: &Verdict,
    (found, total): (Vec<Vec<Member>>, usize),
) -> Document {
    let name = match request.service.map(|service| service.reply) {
        Some(Reply::Message(name, _)) => name,
        _ => "PRPA_IN201306UV02",
    };
    let code = if found.is_empty() { "NF" } else { "OK" };
    let mut members = head(request, verdict, name);
    members.push(concluded_of(request, (found, total), code));
    document(name, members)
}

/// The subjects of a written person, none if nothing of it left.
fn found(pack: &Pack, dialect: Dialect, record: Record) -> Vec<Vec<Member>> {
    let empty = record.groups.iter().all(|group| group.fields.is_empty());
    let written = (!empty).then(|| v3::write(pack, dialect.form(), record)).flatten();
    let subject = written.and_then(|document| {
        let process = document.tree.get("controlActProcess")?.item(0)?;
        Some(process.get("subject")?.item(0)?.members().to_vec())
    });
    subject.into_iter().collect()
}

/// The documents of a release: all that left with a number, each as `each` writes it.
fn documents(
    request: &Request,
    verdict: &Verdict,
    record: &Record,
    each: fn(Dialect, &Sheet<'_>) -> Vec<Member>,
) -> Document {
    let wanted = request.title();
    let fetched = request.documents();
    let sheets = record.groups.iter().filter_map(|group| Sheet::of(group, &fetched));
    let sheets: Vec<_> =
        sheets.filter(|sheet| wanted.is_none_or(|wanted| sheet.is(wanted))).collect();
    let found: Vec<_> = sheets.iter().map(|sheet| each(request.dialect, sheet)).collect();
    match request.service.map(|service| service.reply) {
        Some(Reply::Message(name, _)) => {
            let subjects = sheets.iter().map(|sheet| clinical(request.dialect, sheet)).collect();
            let code = if found.is_empty() { "NF" } else { "OK" };
            let mut members = head(request, verdict, name);
            members.push(concluded(request, subjects, code));
            document(name, members)
        }
        Some(Reply::Registry(name)) => {
            let fetched = name.starts_with("Retrieve");
            // An answer without a document is none: the schema wants one.
            if fetched && found.is_empty() {
                let failed = Some(NOT_GIVEN.to_owned());
                let verdict = Verdict { failed, ..verdict.clone() };
                return reply::acknowledge(request, &verdict, &[]);
            }
            let mut members = registry_head(request, verdict);
            if !found.is_empty() {
                let line = if fetched { "DocumentResponse" } else { "DocumentSet" };
                members.push(children(line, found));
            }
            document(name, members)
        }
        None => reply::acknowledge(request, verdict, &[]),
    }
}

/// One document of a release.
struct Sheet<'a> {
    number: String,
    group: &'a Group,
}

impl<'a> Sheet<'a> {
    /// A document by the number it was asked for by, else the first it has; `None` if it is
    /// none, or another than those asked for.
    fn of(group: &'a Group, fetched: &[String]) -> Option<Self> {
        let numbers = group.fields.iter().filter(|field| field.element == DOCUMENT);
        let mut numbers = numbers.filter_map(|field| match &field.value {
            Value::Identifier(identifier) => Some(identifier.value.as_str()),
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        });
        let number = match fetched {
            [] => numbers.next(),
            _ => numbers.find(|number| fetched.iter().any(|wanted| wanted == number)),
        };
        Some(Self { number: number?.to_owned(), group })
    }

    fn text(&self, element: ElementId) -> Option<String> {
        match value(self.group, element)? {
            Value::Text(text) => Some(text.clone()),
            Value::Date(date) => Some(date.to_iso()),
            Value::Code(coding) => coding.display.clone().or_else(|| coding.code.clone()),
            Value::Bytes(bytes) => Some(STANDARD.encode(bytes)),
            _ => None,
        }
    }

    fn code(&self) -> Option<String> {
        match value(self.group, TYPE)? {
            Value::Code(coding) => {
                let original = || coding.original.as_ref().map(|original| original.code.clone());
                coding.code.clone().or_else(original)
            }
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// Whether it is of a title or a type.
    fn is(&self, wanted: &str) -> bool {
        let said = [self.text(TITLE), self.text(TYPE), self.code()];
        said.iter().flatten().any(|said| said == wanted)
    }
}

fn value(group: &Group, element: ElementId) -> Option<&Value> {
    group.fields.iter().find(|field| field.element == element).map(|field| &field.value)
}

/// A line of `GetDocumentStroedInfoResponse`.
fn listed(_: Dialect, sheet: &Sheet<'_>) -> Vec<Member> {
    let mut members =
        vec![leaf("DocumentUniqueId", &sheet.number), leaf("RepositoryUniqueId", REPOSITORY)];
    let title = sheet.text(TITLE).or_else(|| sheet.text(TYPE));
    members.extend(title.map(|title| leaf("DocumentTitle", &title)));
    members.extend(sheet.text(TIME).map(|time| leaf("CreateTime", &time)));
    members
}

/// A line of `RetrieveDocumentSetResponse`.
fn written(_: Dialect, sheet: &Sheet<'_>) -> Vec<Member> {
    let media = sheet.text(MEDIA).unwrap_or_else(|| "text/xml".to_owned());
    let mut members = vec![
        leaf("RepositoryUniqueId", REPOSITORY),
        leaf("DocumentUniqueId", &sheet.number),
        leaf("MimeType", &media),
    ];
    members.extend(sheet.text(CONTENT).map(|content| leaf("Document", &content)));
    members
}

/// A subject of `RCMR_IN000030UV01`; with its content where that was released.
fn clinical(dialect: Dialect, sheet: &Sheet<'_>) -> Vec<Member> {
    let of = |root: &str, number: &str| Instance {
        root: Some(root.to_owned()),
        extension: Some(number.to_owned()),
    };
    let mut members = vec![attribute("classCode", "DOCCLIN"), attribute("moodCode", "EVN")];
    members.push(item(dialect, "id", &of("2.16.156.10011.2.5.1.24", &sheet.number)));
    if let Some(code) = sheet.code() {
        let mut coded = vec![
            attribute("code", &code),
            attribute("codeSystem", "2.16.156.10011.2.5.1.23"),
            attribute("codeSystemName", "文档类型代码"),
        ];
        let shown = sheet.text(TITLE).or_else(|| sheet.text(TYPE));
        coded.extend(shown.map(|shown| marked("displayName", "value", &shown)));
        members.push(child("code", coded));
    }
    members.push(child("statusCode", Vec::new()));
    if let Some(Value::Date(date)) = value(sheet.group, TIME) {
        members.push(marked("effectiveTime", "value", date.as_str()));
    }
    if let Some(content) = sheet.text(CONTENT) {
        let original = marked("originalText", "value", &content);
        members.push(child("storageCode", vec![original]));
    }
    vec![attribute("typeCode", "SUBJ"), child("clinicalDocument", members)]
}
