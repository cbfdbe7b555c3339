//! 用途, the closed list of purposes: `policies/purposes.toml`.
//!
//! A purpose is a ceiling. An element it does not list is released to nobody for
//! it, whatever the Cedar rules permit.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::consent::ConsentTerms;
use super::page::Page;
use crate::vocabulary::{
    Catalogue, Class, Dataset, Diagnostic, Element, ElementId, Files, Purpose, Source,
};

/// Where the list stands.
const PATH: &str = "purposes.toml";
/// How long a ticket may be good for.
const MINUTES_MAX: u32 = 1_440;

/// A text in both languages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bilingual {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

/// 法律依据, the legal basis as the operator states it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegalBasis {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
    /// How sure the operator is of the wording.
    pub wording: Wording,
}

/// Whether somebody compared the wording of a legal basis with the published text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wording {
    /// Compared with the published text.
    Confirmed,
    /// Not yet compared.
    Unconfirmed,
}

/// What an inquiry can bring to show that it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKey {
    /// 查询人, an identifier of the human who asks, as the asking system knows him.
    AskedBy,
    /// 通话编号, the id of an open call.
    Call,
    /// 案件编号, a case number.
    Case,
    /// 理由, a stated reason.
    Reason,
}

impl EvidenceKey {
    /// Every key.
    pub const ALL: [Self; 4] = [Self::AskedBy, Self::Call, Self::Case, Self::Reason];

    /// The name in inquiries.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AskedBy => "asked_by",
            Self::Call => "call",
            Self::Case => "case",
            Self::Reason => "reason",
        }
    }
}

/// Evidence a purpose cannot do without, and what to tell who lacks it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Which evidence.
    pub evidence: EvidenceKey,
    /// What to do, in Chinese.
    pub zh: String,
    /// What to do, in English.
    pub en: String,
}

/// 紧急调阅单, evidence that is good for one person and a while alone, and is looked at afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketTerms {
    /// Which evidence is the ticket's number.
    pub evidence: EvidenceKey,
    /// How long it is good for, minutes from its first use.
    pub minutes: u32,
    /// Whether a second person of the department must ask the same before anybody is answered.
    #[serde(default)]
    pub four_eyes: bool,
}

/// What happens when an upstream the purpose gathers from does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stale {
    /// Answer from cache, with the age stated.
    Answer,
    /// Refuse.
    Refuse,
}

/// 先后, which questions go first when more is asked than can be answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precedence {
    /// Those for life and health: others wait, and are turned away, before them.
    Emergency,
    /// All others.
    #[default]
    Ordinary,
}

/// How the source of a value is named to the asker. The ledger keeps the true one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Naming {
    /// Every source by its own name.
    All,
    /// An upstream of the purpose by its name, any other as `gateway`: the name of a
    /// hospital would itself tell something.
    Upstreams,
}

/// 权威来源, who alone is believed about the elements of a class.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    /// The class.
    pub class: Class,
    /// Only these datasets; none named means any.
    #[serde(default)]
    pub datasets: Vec<Dataset>,
    /// Only these sources; none named means any.
    #[serde(default)]
    pub sources: Vec<Source>,
}

/// 取值优先级, whose word on a class or an element counts before others' when several speak
/// of one person.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Survivorship {
    /// Of which class; of these elements alone if any are named.
    pub class: Class,
    /// Of which elements.
    #[serde(default)]
    pub elements: Vec<ElementId>,
    /// Who is believed first, who next; whoever is not named comes last.
    pub sources: Vec<Source>,
}

impl Survivorship {
    /// The place of a source in the order; the lower the more it is believed.
    #[must_use]
    pub fn rank(&self, source: Source) -> usize {
        self.sources.iter().position(|known| *known == source).unwrap_or(self.sources.len())
    }
}

/// The terms of one purpose.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Its id in inquiries.
    pub id: Purpose,
    /// Its short code: `P1`.
    pub code: String,
    /// Its name.
    pub title: Bilingual,
    /// Its legal basis.
    pub legal_basis: LegalBasis,
    /// The upstream systems asked beside the own store.
    pub upstreams: Vec<Source>,
    /// Evidence without which it is refused.
    pub requires: Vec<Requirement>,
    /// Which of it is a ticket.
    pub ticket: Option<TicketTerms>,
    /// If any are named, the newest record of these datasets alone is looked at.
    pub latest_of: Vec<Dataset>,
    /// Whether its questions go first.
    pub precedence: Precedence,
    /// Whether a list of people may be asked about at once.
    pub batch: bool,
    /// Whether it is for counting alone.
    pub counts: bool,
    /// What happens when an upstream is down.
    pub stale: Stale,
    /// Whether the person is asked.
    pub consent: ConsentTerms,
    /// How sources are named.
    pub naming: Naming,
    /// Who alone is believed about what.
    pub authoritative: Vec<Authority>,
    /// What it may see, in the order of the file.
    pub elements: Vec<ElementId>,
    /// By which parameters its answers may be searched; see `registry::fhir::parameter`.
    pub search: Vec<String>,
    /// By which elements a person may be looked for: some of those it may see.
    pub described_by: Vec<ElementId>,
    /// What to tell who asked for more.
    pub remedy: Bilingual,
}

/// All purposes, and the classes and elements of which every group is given.
#[derive(Debug, Clone, Default)]
pub struct Purposes {
    terms: BTreeMap<Purpose, Terms>,
    repeats: HashSet<Class>,
    survivorship: Vec<Survivorship>,
    repeated: HashSet<ElementId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PurposesFile {
    #[allow(dead_code, reason = "for the reader of the file")]
    title: String,
    #[allow(dead_code, reason = "for the reader of the file")]
    source: String,
    repeats: Vec<Spanned<String>>,
    #[serde(default)]
    survivorship: Vec<Spanned<Survivorship>>,
    purpose: Vec<PurposeRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PurposeRow {
    id: Spanned<String>,
    code: String,
    zh: String,
    en: String,
    legal_basis: LegalBasis,
    upstreams: Vec<Source>,
    #[serde(default)]
    requires: Vec<Requirement>,
    ticket: Option<Spanned<TicketTerms>>,
    #[serde(default)]
    latest_of: Vec<Dataset>,
    #[serde(default)]
    precedence: Precedence,
    #[serde(default)]
    batch: bool,
    #[serde(default)]
    counts: bool,
    stale: Stale,
    consent: ConsentTerms,
    naming: Naming,
    #[serde(default)]
    authoritative: Vec<Spanned<Authority>>,
    elements: Vec<Spanned<String>>,
    #[serde(default)]
    search: Vec<Spanned<String>>,
    remedy: Bilingual,
}

impl Purposes {
    /// Reads `purposes.toml`.
    pub(super) fn load(files: &Files, catalogue: &Catalogue) -> Result<Self, Vec<Diagnostic>> {
        let (mut page, file) =
            Page::open::<PurposesFile>(files, PATH).map_err(|fault| vec![fault])?;
        let classes: HashSet<Class> = catalogue.iter().map(|element| element.class).collect();
        let mut found = Self::default();
        for row in &file.survivorship {
            let rule = row.get_ref();
            let of = |id: &ElementId| catalogue.get(*id).map(|element| element.class);
            if !classes.contains(&rule.class) {
                page.fault(row.span().start, "no element is of this class");
            }
            if rule.elements.iter().any(|id| of(id) != Some(rule.class)) {
                page.fault(row.span().start, "an element that is not of this class");
            }
            found.survivorship.push(rule.clone());
        }
        for word in &file.repeats {
            if let Some(element) = element(catalogue, word.get_ref()) {
                found.repeated.insert(element);
                continue;
            }
            match page.name(word, Class::parse) {
                Some(class) if classes.contains(&class) => drop(found.repeats.insert(class)),
                Some(_) => page.fault(word.span().start, "no element is of this class"),
                None => (),
            }
        }
        for row in file.purpose {
            let span = row.id.span();
            for authority in &row.authoritative {
                if !classes.contains(&authority.get_ref().class) {
                    page.fault(authority.span().start, "no element is of this class");
                }
            }
            let Some(terms) = terms(row, catalogue, &mut page) else { continue };
            if let Some(before) = found.terms.insert(terms.id, terms) {
                page.fault(span.start, format!("purpose {} stands twice", before.id));
            }
        }
        page.close(found)
    }

    /// Whose word on an element counts first: of the rules that name it, else of its class.
    #[must_use]
    pub fn survivorship(&self, element: &Element) -> Option<&Survivorship> {
        let of_class = |rule: &&Survivorship| rule.class == element.class;
        let own = self.survivorship.iter().find(|rule| rule.elements.contains(&element.id));
        own.or_else(|| {
            self.survivorship.iter().filter(of_class).find(|rule| rule.elements.is_empty())
        })
    }

    /// The terms of a purpose.
    #[must_use]
    pub fn terms(&self, id: Purpose) -> Option<&Terms> {
        self.terms.get(&id)
    }

    /// Every purpose, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Terms> {
        self.terms.values()
    }

    /// Whether every group of this element is given, not the latest alone.
    #[must_use]
    pub fn repeats(&self, element: &Element) -> bool {
        self.repeats.contains(&element.class) || self.repeated.contains(&element.id)
    }
}

/// One row, its elements known to the catalogue and none of them twice.
fn terms(row: PurposeRow, catalogue: &Catalogue, page: &mut Page<'_>) -> Option<Terms> {
    let mut elements = Vec::new();
    for word in &row.elements {
        let Some(id) = page.name(word, ElementId::parse) else { continue };
        if catalogue.get(id).is_none() {
            page.fault(word.span().start, format!("the catalogue has no element {id}"));
        } else if elements.contains(&id) {
            page.fault(word.span().start, format!("element {id} stands twice"));
        } else {
            elements.push(id);
        }
    }
    let (mut search, mut described_by) = (Vec::new(), Vec::new());
    for word in row.search {
        match element(catalogue, word.get_ref()) {
            None => search.push(word.into_inner()),
            // Every predicate is a read of its field.
            Some(id) if elements.contains(&id) => described_by.push(id),
            Some(id) => page.fault(
                word.span().start,
                format!("element {id} is not listed: nobody searches by what he may not see"),
            ),
        }
    }
    if let Some(ticket) = &row.ticket {
        let terms = ticket.get_ref();
        if row.batch {
            page.fault(ticket.span().start, "a ticket is about one person: nobody asks by lists");
        }
        if row.requires.iter().all(|required| required.evidence != terms.evidence) {
            page.fault(ticket.span().start, "the evidence that is the ticket must be required");
        }
        if terms.evidence == EvidenceKey::AskedBy {
            page.fault(ticket.span().start, "who asks is a person, and no ticket");
        }
        if !(1..=MINUTES_MAX).contains(&terms.minutes) {
            page.fault(
                ticket.span().start,
                format!("a ticket is good for 1 to {MINUTES_MAX} minutes"),
            );
        }
    }
    Some(Terms {
        id: page.name(&row.id, Purpose::parse)?,
        code: row.code,
        title: Bilingual { zh: row.zh, en: row.en },
        legal_basis: row.legal_basis,
        upstreams: row.upstreams,
        requires: row.requires,
        ticket: row.ticket.map(Spanned::into_inner),
        latest_of: row.latest_of,
        precedence: row.precedence,
        batch: row.batch,
        counts: row.counts,
        stale: row.stale,
        consent: row.consent,
        naming: row.naming,
        authoritative: row.authoritative.into_iter().map(Spanned::into_inner).collect(),
        elements,
        search,
        described_by,
        remedy: row.remedy,
    })
}

/// The element a word names, if the catalogue has it.
fn element(catalogue: &Catalogue, word: &str) -> Option<ElementId> {
    let id = ElementId::parse(word).ok()?;
    catalogue.get(id).map(|element| element.id)
}
