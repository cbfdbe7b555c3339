//! 患者查询, PDQ and PIX: a query in HL7 v2, answered from what was released.
//!
//! Standard: IHE ITI TF-2 3.21 (QBP^Q22, RSP^K22) and 3.9 (QBP^Q23, RSP^K23); HL7 v2.5
//! chapter 5. By an identifier asked for is one person; further parameters narrow, by what is
//! released alone: a value that may not be told matches nothing. By name, birth date, sex,
//! address and telephone asked for is whoever the index finds alike, each with a confidence
//! (QRI-1), as many at once as RCP-2 says and the rest behind the pointer of DSC-1: the number
//! of those given before, so that nothing is kept for it. An unknown person, one without data
//! and one whose data are withheld get the same answer: nothing found (AA, NF), where ITI-9
//! would tell them apart.

use crate::identity::linkage::Demographics;
use crate::policy::{Evidence, Release};
use crate::registry::answer::{AnswerMeta, RefusalMeta};
use crate::registry::civil::{Inquiry, InquiryError};
use crate::registry::released;
use crate::registry::whom::Whom;
use crate::registry::writing::{Found, Several, Window, Writing, Written};
use crate::translate::{Pack, address_line, telecom_line, xpn_line};
use crate::vocabulary::position::Hl7Position;
use crate::vocabulary::value::Composite;
use crate::vocabulary::{
    Date, ElementId, Fault, Field, Identifier, IdentifierKind, Position, Record, Value,
};
use crate::wire::hl7v2::response::{self, Hits};
use crate::wire::hl7v2::{Message, Outcome, Stamp};

/// Components of a name, an address or a telephone.
const COMPONENTS_MAX: usize = 30;
/// Media type of HL7 v2.
const HL7: &str = "application/hl7-v2";

/// The identifiers of a person.
pub const IDENTIFIERS: &[ElementId] = &[
    ElementId::fixed("DE02.01.030.00"),
    ElementId::fixed("DE01.00.021.00"),
    ElementId::fixed("DE01.00.009.00"),
    ElementId::fixed("MZ.id.local"),
];

/// The demographics of a person, identifiers first.
pub const DEMOGRAPHICS: &[ElementId] = &[
    ElementId::fixed("DE02.01.030.00"),
    ElementId::fixed("DE01.00.021.00"),
    ElementId::fixed("DE01.00.009.00"),
    ElementId::fixed("MZ.id.local"),
    ElementId::fixed("DE02.01.039.00"),
    ElementId::fixed("DE02.01.040.00"),
    ElementId::fixed("DE02.01.005.01"),
    ElementId::fixed("DE02.01.010.00"),
    ElementId::fixed("MZ.address.home"),
    ElementId::fixed("DE02.01.018.00"),
    ElementId::fixed("DE02.01.025.00"),
];

/// Which of the two questions it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Demographics of the person (PDQ, ITI-21).
    Demographics,
    /// Other identifiers of the person (PIX, ITI-9).
    Identifiers,
}

/// A query as it came.
pub struct Query {
    message: Message,
    kind: Kind,
    /// When it came, seconds since 1970.
    at: i64,
}

impl Query {
    /// The query a message is; the message back if it is another.
    ///
    /// # Errors
    /// The message itself, to be taken like any other.
    pub fn read(message: Message, at: i64) -> Result<Self, Box<Message>> {
        let header = message.header();
        let kind = match (header.message_type.as_str(), header.trigger.as_str()) {
            ("QBP", "Q22") => Kind::Demographics,
            ("QBP", "Q23") => Kind::Identifiers,
            _ => return Err(Box::new(message)),
        };
        Ok(Self { message, kind, at })
    }

    /// What it asks, for a purpose that its connection has.
    ///
    /// # Errors
    /// Where it names no one.
    pub fn inquiry(&self, pack: &Pack, purpose: String) -> Result<Inquiry, InquiryError> {
        let wrong = |fault| InquiryError { fault, at: Hl7Position::field(*b"QPD", 3).into() };
        self.read_window()?;
        let named = match self.kind {
            Kind::Demographics => self.by_parameters(pack),
            Kind::Identifiers => self.by_identifier(pack),
        };
        let whom = match (named, self.kind) {
            (Some(identifier), _) => Whom::Identifier(identifier),
            (None, Kind::Identifiers) => return Err(wrong(Fault::RequiredMissing)),
            (None, Kind::Demographics) => {
                let who = described(self.parameters());
                let who = who.ok_or_else(|| wrong(Fault::UnsupportedParameter))?;
                Whom::described(who).ok_or_else(|| wrong(Fault::RequiredMissing))?
            }
        };
        let elements = match self.kind {
            Kind::Demographics => DEMOGRAPHICS,
            Kind::Identifiers => IDENTIFIERS,
        };
        let (elements, evidence) = (Some(elements.to_vec()), Evidence::default());
        Ok(Inquiry { whom, purpose, elements, evidence })
    }

    /// How many at once (RCP-2), and how many were given before (DSC-1).
    fn read_window(&self) -> Result<Window, InquiryError> {
        let number = |segment: [u8; 3], field: u16| {
            let found = self.message.segment(segment).and_then(|found| found.field(field));
            let text = found.and_then(|field| field.component(1)).map(|part| part.text());
            let text = text.filter(|text| !text.is_empty());
            let fault = Fault::DataType;
            let wrong = |_| InquiryError { fault, at: Hl7Position::field(segment, field).into() };
            text.map(|text| text.parse::<usize>().map_err(wrong)).transpose()
        };
        let most = number(*b"RCP", 2)?.filter(|most| *most > 0).unwrap_or(usize::MAX);
        Ok(Window { from: number(*b"DSC", 1)?.unwrap_or(0), most, certain: false })
    }

    /// QPD-3 of PIX: an identifier with its domain (CX).
    fn by_identifier(&self, pack: &Pack) -> Option<Identifier> {
        let field = self.message.segment(*b"QPD")?.field(3)?;
        let part = |component: u16, subcomponent: u16| {
            let found = field.component(component)?.subcomponent(subcomponent)?;
            Some(found.text().into_owned())
        };
        let authority = part(4, 1).or_else(|| part(4, 2));
        Some(identifier(pack, part(1, 1)?, authority, part(5, 1)))
    }

    /// QPD-3 of PDQ: `@PID.3.1^12345~@PID.3.4.1^hospital-a~@PID.3.5^MR`.
    fn by_parameters(&self, pack: &Pack) -> Option<Identifier> {
        let find = |names: &[&str]| {
            let mut found = self.parameters().into_iter();
            found.find(|(name, _)| names.contains(&name.as_str())).map(|(_, text)| text)
        };
        let authority = find(&["@PID.3.4.1", "@PID.3.4"]).or_else(|| find(&["@PID.3.4.2"]));
        Some(identifier(pack, find(&["@PID.3.1", "@PID.3"])?, authority, find(&["@PID.3.5"])))
    }

    fn parameters(&self) -> Vec<(String, String)> {
        let field = self.message.segment(*b"QPD").and_then(|qpd| qpd.field(3));
        let pairs = field.into_iter().flat_map(|field| field.repetitions());
        let pairs = pairs.filter_map(|pair| {
            let text = |number| Some(pair.component(number)?.text().into_owned());
            Some((text(1)?, text(2)?))
        });
        pairs.collect()
    }

    /// The domains whose identifiers are wanted (QPD-4 of PIX, QPD-8 of PDQ); empty: all.
    fn domains(&self) -> Vec<String> {
        let number = match self.kind {
            Kind::Demographics => 8,
            Kind::Identifiers => 4,
        };
        let field = self.message.segment(*b"QPD").and_then(|qpd| qpd.field(number));
        let domains = field.into_iter().flat_map(|field| field.repetitions());
        let named = domains.filter_map(|domain| {
            let part = domain.component(4)?;
            let name = part.subcomponent(1).or_else(|| part.subcomponent(2))?;
            Some(name.text().into_owned())
        });
        named.collect()
    }

    /// Leaves out identifiers of other domains.
    fn narrowed(&self, mut record: Record) -> Record {
        let domains = self.domains();
        let wanted = |field: &Field| match &field.value {
            Value::Identifier(identifier) if !domains.is_empty() => {
                identifier.authority.as_ref().is_some_and(|own| domains.contains(own))
            }
            _ => true,
        };
        for group in &mut record.groups {
            group.fields.retain(wanted);
        }
        record
    }

    /// Whether the person is who the further parameters describe.
    fn agrees(&self, pack: &Pack, record: &Record) -> bool {
        let wanted = self.parameters();
        let further = wanted.iter().filter(|(name, _)| !name.starts_with("@PID.3"));
        let mut further = further.peekable();
        further.peek().is_none() || {
            let leaves = pack.hl7_leaves(*b"PID", record);
            further.all(|(name, text)| {
                let mut own = leaves.iter().filter(|(place, _)| place == name);
                own.any(|(_, found)| found.eq_ignore_ascii_case(text))
            })
        }
    }

    fn respond(
        &self,
        outcome: &Outcome,
        (status, hits, found): (&str, Option<Hits>, &[String]),
        at: &Date,
    ) -> Written {
        let (trigger, structure) = match self.kind {
            Kind::Demographics => ("K22", "RSP_K21"),
            Kind::Identifiers => ("K23", "RSP_K23"),
        };
        let kind = ["RSP", trigger, structure];
        let own = response::Response { kind, outcome, status, hits, segments: found };
        let control_id = format!("KQ{}", self.message.header().control_id);
        let stamp = Stamp { control_id: &control_id, at };
        Written { status: 200, media: HL7, body: response::respond(&self.message, &own, stamp) }
    }
}

/// Whom parameters describe; `None` if there is one of another field: what cannot be looked
/// for must not seem to have been.
fn described(parameters: Vec<(String, String)>) -> Option<Demographics> {
    let mut who = Demographics::default();
    let mut composites: [Vec<String>; 3] = Default::default();
    for (name, text) in parameters.into_iter().filter(|(_, text)| !text.is_empty()) {
        let mut steps = name.strip_prefix("@PID.")?.split('.');
        let (field, component) = (steps.next()?, steps.next());
        let component = component.map_or(Some(1), |step| step.parse::<usize>().ok())?;
        let index = match field {
            "5" => 0,
            "7" => {
                who.birth_date = text;
                continue;
            }
            "8" => {
                who.sex = text;
                continue;
            }
            "11" => 1,
            "13" => 2,
            _ => return None,
        };
        let parts = composites.get_mut(index)?;
        if component == 0 || component > COMPONENTS_MAX {
            return None;
        }
        parts.resize(parts.len().max(component), String::new());
        *parts.get_mut(component - 1)? = Composite::subcomponent(&text).into_owned();
    }
    let [name, address, telephone] = &composites;
    let line = |text: String| (!text.is_empty()).then_some(text);
    who.names.extend(line(xpn_line(name)));
    who.addresses.extend(line(address_line(address)));
    who.phones.extend(line(telecom_line(telephone)));
    Some(who)
}

fn identifier(
    pack: &Pack,
    value: String,
    authority: Option<String>,
    type_code: Option<String>,
) -> Identifier {
    let named = type_code.as_deref().and_then(|code| pack.identifier_kind(code));
    // Without a type the domain says it: a number of a hospital is local.
    let kind = named.unwrap_or(IdentifierKind::Local);
    Identifier { kind, value, authority, type_code, parts: Vec::new() }
}

impl Writing for Query {
    fn answer(&self, pack: &Pack, release: &Release, meta: &AnswerMeta<'_>) -> Written {
        let record = released::record(release);
        let told = self.agrees(pack, &record);
        let record = self.narrowed(record);
        let separators = &self.message.header().separators;
        let found: Vec<_> = match told {
            true => pack.hl7_segment(*b"PID", &record, separators).into_iter().collect(),
            false => Vec::new(),
        };
        let status = if found.is_empty() { "NF" } else { "OK" };
        let at = Date::from_timestamp(meta.answered_at);
        let hits = Hits { total: found.len(), here: found.len(), left: 0 };
        self.respond(&Outcome::Accepted, (status, Some(hits), &found), &at)
    }

    fn window(&self) -> Option<Window> {
        match self.kind {
            Kind::Demographics => self.read_window().ok(),
            Kind::Identifiers => None,
        }
    }

    fn several(&self, pack: &Pack, several: &Several<'_>) -> Written {
        let separators = &self.message.header().separators;
        let field = char::from(separators.field);
        let (mut segments, mut here) = (Vec::new(), 0);
        for Found { release, likeness, .. } in several.found {
            let record = self.narrowed(released::record(release));
            let Some(pid) = pack.hl7_segment(*b"PID", &record, separators) else { continue };
            here += 1;
            let first = format!("PID{field}1{field}");
            segments.push(pid.replacen(&first, &format!("PID{field}{here}{field}"), 1));
            segments.push(format!("QRI{field}{}\r", likeness.score));
        }
        let from = self.window().map_or(0, |window| window.from);
        let given = from.saturating_add(several.found.len());
        let left = several.total.saturating_sub(given);
        if left > 0 {
            segments.push(format!("DSC{field}{given}{field}I\r"));
        }
        let hits = Hits { total: several.total, here, left };
        let status = if here == 0 { "NF" } else { "OK" };
        let at = Date::from_timestamp(several.meta.answered_at);
        self.respond(&Outcome::Accepted, (status, Some(hits), &segments), &at)
    }

    fn refusal(&self, meta: &RefusalMeta<'_>) -> Written {
        // An inquiry's own places are those of the identifier asked for.
        let at = meta.at.map(|at| match at {
            Position::Pointer(_) => Hl7Position::field(*b"QPD", 3).into(),
            other => other.clone(),
        });
        let outcome = Outcome::refused(meta.fault, at);
        let status = if matches!(outcome, Outcome::Rejected(..)) { "AR" } else { "AE" };
        self.respond(&outcome, (status, None, &[]), &Date::from_timestamp(self.at))
    }
}

/// Shows what sort of query it is alone.
impl std::fmt::Debug for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Query({:?}, <masked>)", self.kind)
    }
}
