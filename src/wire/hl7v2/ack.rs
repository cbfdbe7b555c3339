//! Acknowledgements: what a sender is told, in its own separators and character set.
//!
//! Standard: HL7 v2.4 section 2.9.2 (original mode), 2.9.3 (enhanced mode), 2.16.8 (MSA);
//! tables 0008, 0155 and 0357. Deterministic: the same input gives the same bytes.

use super::err;
use super::header::{Header, Mode};
use super::separators::Separators;
use crate::vocabulary::fault::Nack;
use crate::vocabulary::{Date, Fault, Position};
use crate::wire::charset::Charset;

/// What became of a message at one level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// AA or CA.
    Accepted,
    /// AE or CE.
    Error(Fault, Option<Position>),
    /// AR or CR.
    Rejected(Fault, Option<Position>),
}

impl Outcome {
    /// The negative outcome the fault table gives a fault.
    #[must_use]
    pub const fn refused(fault: Fault, at: Option<Position>) -> Self {
        match fault.row().nack {
            Nack::Error => Self::Error(fault, at),
            Nack::Reject => Self::Rejected(fault, at),
        }
    }
}

/// What became of a message: at the accept level (is it durable?), and at the
/// application level (was it applied?).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    accept: Outcome,
    application: Outcome,
}

impl Verdict {
    /// Durable and applied.
    #[must_use]
    pub const fn applied() -> Self {
        Self { accept: Outcome::Accepted, application: Outcome::Accepted }
    }

    /// Durable, but not applied: quarantined.
    #[must_use]
    pub const fn quarantined(fault: Fault, at: Option<Position>) -> Self {
        Self { accept: Outcome::Accepted, application: Outcome::refused(fault, at) }
    }

    /// Not taken on at all.
    #[must_use]
    pub fn refused(fault: Fault, at: Option<Position>) -> Self {
        let outcome = Outcome::refused(fault, at);
        Self { accept: outcome.clone(), application: outcome }
    }
}

/// At which level an acknowledgement speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// CA, CE, CR.
    Accept,
    /// AA, AE, AR.
    Application,
}

/// What makes one acknowledgement this one: its own id and time, handed in.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'a> {
    /// MSH-10 of the acknowledgement: letters, digits and `-`.
    pub control_id: &'a str,
    /// MSH-7 of the acknowledgement.
    pub at: &'a Date,
}

/// Every acknowledgement the sender wants, in the order to write them.
///
/// | MSH-15, MSH-16 | answer |
/// |---|---|
/// | both empty | original mode: one of AA, AE, AR |
/// | one or both valued | CA, CE, CR as MSH-15 asks, then AA, AE, AR as MSH-16 asks |
///
/// In enhanced mode an empty field asks for nothing. A message that was not taken on
/// gets its refusal once: at the accept level, or where MSH-15 wants none, at the
/// application level. Of two acknowledgements the first has the stamp's id with `C`
/// behind it.
#[must_use]
pub fn replies(header: Option<&Header>, verdict: &Verdict, stamp: Stamp<'_>) -> Vec<Vec<u8>> {
    let Some(enhanced) = header.filter(|header| header.is_enhanced()) else {
        return vec![acknowledge(header, Kind::Application, &verdict.application, stamp)];
    };
    let accept = wanted(enhanced.accept_ack, &verdict.accept);
    let taken_on = verdict.accept == Outcome::Accepted;
    let application =
        wanted(enhanced.application_ack, &verdict.application) && (taken_on || !accept);
    let accept_id = format!("{}C", stamp.control_id);
    let mut replies = Vec::with_capacity(2);
    if accept {
        let stamp = Stamp { control_id: &accept_id, ..stamp };
        replies.push(acknowledge(header, Kind::Accept, &verdict.accept, stamp));
    }
    if application {
        replies.push(acknowledge(header, Kind::Application, &verdict.application, stamp));
    }
    replies
}

fn wanted(mode: Option<Mode>, outcome: &Outcome) -> bool {
    let accepted = *outcome == Outcome::Accepted;
    match mode {
        Some(Mode::Always) => true,
        Some(Mode::OnError) => !accepted,
        Some(Mode::OnSuccess) => accepted,
        Some(Mode::Never) | None => false,
    }
}

/// One acknowledgement. Without a header it names no message and is plain ASCII.
#[must_use]
pub fn acknowledge(
    header: Option<&Header>,
    kind: Kind,
    outcome: &Outcome,
    stamp: Stamp<'_>,
) -> Vec<u8> {
    let unknown = unknown();
    let header = header.unwrap_or(&unknown);
    let mut text = String::with_capacity(256);
    segment(&mut text, &header.separators, &msh(header, stamp));
    segment(&mut text, &header.separators, &msa(header, kind, outcome));
    if let Outcome::Error(fault, at) | Outcome::Rejected(fault, at) = outcome {
        let fields = err::fields(header, *fault, at.as_ref());
        segment(&mut text, &header.separators, &fields);
    }
    let mut bytes = header.charset.encode_lossy(&text).into_owned();
    // UTF-16 shows its byte order by a mark; nothing else needs one.
    let mark = header.charset.encode("\u{FEFF}").unwrap_or_default();
    if !header.charset.extends_ascii() {
        bytes.splice(..0, mark.iter().copied());
    }
    bytes
}

/// A header for answering what has none.
fn unknown() -> Header {
    Header::read("MSH|^~\\&", Separators::default(), Charset::Ascii)
}

fn segment(text: &mut String, separators: &Separators, fields: &[String]) {
    let used = fields.iter().rposition(|field| !field.is_empty()).map_or(0, |last| last + 1);
    for (index, field) in fields.iter().take(used).enumerate() {
        if index > 0 {
            text.push(char::from(separators.field));
        }
        text.push_str(field);
    }
    text.push('\r');
}

fn msh(header: &Header, stamp: Stamp<'_>) -> Vec<String> {
    let component = char::from(header.separators.component);
    let version = header.version_numbers();
    let mut message_type = "ACK".to_owned();
    if version >= (2, 3) && !header.trigger.is_empty() {
        message_type.extend([component]);
        message_type.push_str(&header.trigger);
        // MSH-9.3 came with 2.3.1.
        if version >= (2, 4) || header.version.starts_with("2.3.1") {
            message_type.push(component);
            message_type.push_str("ACK");
        }
    }
    let or = |text: &str, default: &str| if text.is_empty() { default } else { text }.to_owned();
    let never = if header.is_enhanced() { "NE" } else { "" }.to_owned();
    vec![
        "MSH".to_owned(),
        header.separators.encoding_characters(),
        header.receiving_application.clone(),
        header.receiving_facility.clone(),
        header.sending_application.clone(),
        header.sending_facility.clone(),
        stamp.at.as_str().to_owned(),
        String::new(),
        message_type,
        stamp.control_id.to_owned(),
        or(&header.processing_id, "P"),
        or(&header.version, "2.4"),
        String::new(),
        String::new(),
        never.clone(),
        never,
        String::new(),
        charset_name(header),
    ]
}

/// The sender's own spelling where it was right, else the name of what is written here.
fn charset_name(header: &Header) -> String {
    match (header.charset_declared.split('~').next(), header.charset_mismatch) {
        (None | Some(""), false) => String::new(),
        (Some(declared), false) => declared.to_owned(),
        _ => header.charset.hl7_name().to_owned(),
    }
}

fn msa(header: &Header, kind: Kind, outcome: &Outcome) -> Vec<String> {
    let (code, fault) = match (kind, outcome) {
        (Kind::Accept, Outcome::Accepted) => ("CA", None),
        (Kind::Accept, Outcome::Error(fault, at)) => ("CE", Some((*fault, at))),
        (Kind::Accept, Outcome::Rejected(fault, at)) => ("CR", Some((*fault, at))),
        (Kind::Application, Outcome::Accepted) => ("AA", None),
        (Kind::Application, Outcome::Error(fault, at)) => ("AE", Some((*fault, at))),
        (Kind::Application, Outcome::Rejected(fault, at)) => ("AR", Some((*fault, at))),
    };
    let mut fields = vec!["MSA".to_owned(), code.to_owned(), header.control_id.clone()];
    let Some((fault, at)) = fault else { return fields };
    let version = header.version_numbers();
    // MSA-3 and MSA-6 are withdrawn in 2.7; ERR says it all from 2.5 on.
    if version < (2, 7) {
        fields.push(err::sentence(header, fault, at.as_ref()));
    }
    if version < (2, 5) {
        fields.extend([String::new(), String::new(), err::coded(header, fault)]);
    }
    fields
}
