//! Acknowledgements: what a sender is told, in its own separators and character set.
//!
//! Standard: HL7 v2.4 section 2.9.2 (original mode), 2.9.3 (enhanced mode), 2.16.8 (MSA);
//! tables 0008, 0155 and 0357. Deterministic: the same input gives the same bytes.

use std::borrow::Cow;

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
    let reply = |(kind, outcome): (Kind, &Outcome)| match kind {
        Kind::Accept => {
            let control_id = &format!("{}C", stamp.control_id);
            acknowledge(header, kind, outcome, Stamp { control_id, ..stamp })
        }
        Kind::Application => acknowledge(header, kind, outcome, stamp),
    };
    asked_for(header, verdict).into_iter().map(reply).collect()
}

/// What [`replies`] says in MSA-1, in its order.
#[must_use]
pub fn codes(header: Option<&Header>, verdict: &Verdict) -> Vec<&'static str> {
    asked_for(header, verdict).into_iter().map(|(kind, outcome)| code(kind, outcome)).collect()
}

/// At which levels the sender wants to hear what.
fn asked_for<'a>(header: Option<&Header>, verdict: &'a Verdict) -> Vec<(Kind, &'a Outcome)> {
    let Some(enhanced) = header.filter(|header| header.is_enhanced()) else {
        return vec![(Kind::Application, &verdict.application)];
    };
    let accept = wanted(enhanced.accept_ack, &verdict.accept);
    let taken_on = verdict.accept == Outcome::Accepted;
    let application =
        wanted(enhanced.application_ack, &verdict.application) && (taken_on || !accept);
    let accept = accept.then_some((Kind::Accept, &verdict.accept));
    let application = application.then_some((Kind::Application, &verdict.application));
    accept.into_iter().chain(application).collect()
}

const fn code(kind: Kind, outcome: &Outcome) -> &'static str {
    match (kind, outcome) {
        (Kind::Accept, Outcome::Accepted) => "CA",
        (Kind::Accept, Outcome::Error(..)) => "CE",
        (Kind::Accept, Outcome::Rejected(..)) => "CR",
        (Kind::Application, Outcome::Accepted) => "AA",
        (Kind::Application, Outcome::Error(..)) => "AE",
        (Kind::Application, Outcome::Rejected(..)) => "AR",
    }
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
    segment(&mut text, &header.separators, &msh(header, stamp, message_type(header)));
    segment(&mut text, &header.separators, &msa(header, kind, outcome));
    if let Outcome::Error(fault, at) | Outcome::Rejected(fault, at) = outcome {
        let fields = err::fields(header, *fault, at.as_ref());
        segment(&mut text, &header.separators, &fields);
    }
    encoded(header, &text)
}

/// The text in the character set of the message it answers.
pub(super) fn encoded(header: &Header, text: &str) -> Vec<u8> {
    // UTF-16 shows its byte order by a mark; nothing else needs one.
    match header.charset.extends_ascii() {
        true => header.charset.encode_lossy(text).into_owned(),
        false => header.charset.encode_lossy(&format!("\u{FEFF}{text}")).into_owned(),
    }
}

/// A header for answering what has none.
fn unknown() -> Header {
    Header::read("MSH|^~\\&", Separators::default(), Charset::Ascii)
}

pub(super) fn segment(text: &mut String, separators: &Separators, fields: &[impl AsRef<str>]) {
    let filled = |field: &_| !AsRef::<str>::as_ref(field).is_empty();
    let used = fields.iter().rposition(filled).map_or(0, |last| last + 1);
    for (index, field) in fields.iter().take(used).enumerate() {
        if index > 0 {
            text.push(char::from(separators.field));
        }
        text.push_str(field.as_ref());
    }
    text.push('\r');
}

/// MSH-9 of an acknowledgement, as the version of the message has it.
fn message_type(header: &Header) -> String {
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
    message_type
}

pub(super) fn msh<'a>(
    header: &'a Header,
    stamp: Stamp<'a>,
    message_type: String,
) -> [Cow<'a, str>; 18] {
    let or = |text: &'a str, default| if text.is_empty() { default } else { text };
    let never = if header.is_enhanced() { "NE" } else { "" };
    [
        "MSH".into(),
        header.separators.encoding_characters().into(),
        header.receiving_application.as_str().into(),
        header.receiving_facility.as_str().into(),
        header.sending_application.as_str().into(),
        header.sending_facility.as_str().into(),
        stamp.at.as_str().into(),
        "".into(),
        message_type.into(),
        stamp.control_id.into(),
        or(&header.processing_id, "P").into(),
        or(&header.version, "2.4").into(),
        "".into(),
        "".into(),
        never.into(),
        never.into(),
        "".into(),
        charset_name(header).into(),
    ]
}

/// The sender's own spelling where it was right, else the name of what is written here.
fn charset_name(header: &Header) -> &str {
    match (header.charset_declared.split('~').next(), header.charset_mismatch) {
        (None | Some(""), false) => "",
        (Some(declared), false) => declared,
        _ => header.charset.hl7_name(),
    }
}

pub(super) fn msa<'a>(header: &'a Header, kind: Kind, outcome: &Outcome) -> Vec<Cow<'a, str>> {
    let mut fields: Vec<Cow<'a, str>> =
        vec!["MSA".into(), code(kind, outcome).into(), header.control_id.as_str().into()];
    let (Outcome::Error(fault, at) | Outcome::Rejected(fault, at)) = outcome else {
        return fields;
    };
    let version = header.version_numbers();
    // MSA-3 and MSA-6 are withdrawn in 2.7; ERR says it all from 2.5 on.
    if version < (2, 7) {
        fields.push(err::sentence(header, *fault, at.as_ref()).into());
    }
    if version < (2, 5) {
        fields.extend(["".into(), "".into(), err::coded(header, *fault).into()]);
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, Message};
    use super::*;
    use crate::vocabulary::position::Hl7Position;

    fn header(version: &str, modes: &str) -> Header {
        let body =
            format!("MSH|^~\\&|HIS^1|A|KQ|B|2026||ADT^A01^ADT_A01|C\\T\\1|T|{version}|||{modes}");
        let limits = Limits::default();
        Message::read(body.as_bytes(), Charset::Utf8, &limits).unwrap().header().clone()
    }

    fn place() -> Option<Position> {
        let at = Hl7Position { repetition: 2, component: 1, ..Hl7Position::field(*b"PID", 8) };
        Some(Position::Hl7(at))
    }

    fn check(header: Option<&Header>, outcome: &Outcome, expected: &[&str]) {
        let at = Date::parse("20261121083000").unwrap();
        let stamp = Stamp { control_id: "K9", at: &at };
        let bytes = acknowledge(header, Kind::Application, outcome, stamp);
        let text = String::from_utf8(bytes).unwrap();
        let segments: Vec<_> = text.split_terminator('\r').collect();
        assert_eq!(segments, expected);
    }

    /// A whole MSH of an acknowledgement from what follows its time.
    fn msh(rest: &str) -> String {
        format!("MSH|^~\\&|KQ|B|HIS^1|A|20261121083000||ACK^A01{rest}")
    }

    #[test]
    fn an_acknowledgement_turns_the_header_round_and_returns_the_id_exactly() {
        for (version, modes, rest) in [
            ("2.3", "", "|K9|T|2.3"),
            ("2.3.1", "", "^ACK|K9|T|2.3.1"),
            ("2.4", "", "^ACK|K9|T|2.4"),
            ("2.5.1", "AL|NE|CHN|UTF-8", "^ACK|K9|T|2.5.1|||NE|NE||UTF-8"),
        ] {
            let header = header(version, modes);
            check(Some(&header), &Outcome::Accepted, &[&msh(rest), "MSA|AA|C\\T\\1"]);
        }
    }

    #[test]
    fn an_error_stands_where_its_version_has_it() {
        let wrong = Outcome::refused(Fault::TableValue, place());
        let said = "MSA|AE|C\\T\\1|table-value: a code is not in its table (PID-8(2).1)";
        let coded = format!("{said}|||103^Table value not found^HL70357");
        let eld = "ERR|PID^1^8^103&Table value not found&HL70357";
        check(Some(&header("2.4", "")), &wrong, &[&msh("^ACK|K9|T|2.4"), &coded, eld]);
        let erl = "ERR||PID^1^8^2^1|103^Table value not found^HL70357|E\
            |table-value^^99KANGQIAO|||代码不在值域表中";
        check(Some(&header("2.5", "")), &wrong, &[&msh("^ACK|K9|T|2.5"), said, erl]);
        let at = Hl7Position::segment(*b"PV1", 1).into();
        let missing = Outcome::refused(Fault::SegmentSequence, Some(at));
        let erl = "ERR||PV1^1|100^Segment sequence error^HL70357|E\
            |segment-sequence^^99KANGQIAO|||段缺失或顺序错误";
        let msa = "MSA|AE|C\\T\\1";
        check(Some(&header("2.8", "")), &missing, &[&msh("^ACK|K9|T|2.8"), msa, erl]);
    }

    #[test]
    fn what_has_no_hl7_place_is_said_in_words() {
        let byte = Outcome::refused(Fault::Malformed, Some(Position::Byte(7)));
        let said = "malformed: the message is not well formed (byte 7)";
        let erl = format!(
            "ERR|||100^Segment sequence error^HL70357|E|malformed^^99KANGQIAO||{said}|消息格式不正确"
        );
        let msa = format!("MSA|AR|C\\T\\1|{said}");
        check(Some(&header("2.5", "")), &byte, &[&msh("^ACK|K9|T|2.5"), &msa, &erl]);
        let anonymous = [
            "MSH|^~\\&|||||20261121083000||ACK|K9|P|2.4",
            &format!("MSA|AR||{said}|||100^Segment sequence error^HL70357"),
            "ERR|^^^100&Segment sequence error&HL70357",
        ];
        check(None, &byte, &anonymous);
    }

    #[test]
    fn an_acknowledgement_is_in_the_senders_character_set() {
        let text = "MSH|^~\\&|億|A|KQ|B|2026||ADT^A01|1|P|2.5||||||GBK\r";
        let body = Charset::Gb18030.encode(text).unwrap();
        let message = Message::read(&body, Charset::Utf8, &Limits::default()).unwrap();
        let at = Date::parse("2026").unwrap();
        let stamp = Stamp { control_id: "K9", at: &at };
        let wrong = Outcome::refused(Fault::TableValue, None);
        let bytes = acknowledge(Some(message.header()), Kind::Application, &wrong, stamp);
        let back = Message::read(&bytes, Charset::Utf8, &Limits::default()).unwrap();
        assert_eq!(back.header().receiving_application, "億");
        assert_eq!(
            (back.header().charset, back.header().charset_mismatch),
            (Charset::Gb18030, false)
        );
        let said = back.segment(*b"ERR").unwrap().field(8).unwrap();
        assert_eq!(said.text(), Fault::TableValue.row().zh);
    }

    #[test]
    fn a_utf16_sender_is_answered_in_utf16_of_its_own_byte_order() {
        for charset in [Charset::Utf16Be, Charset::Utf16Le] {
            let text = "MSH|^~\\&|上下|A|KQ|B|2026||ADT^A01|1|P|2.5\r";
            let body = charset.encode(text).unwrap();
            let message = Message::read(&body, Charset::Utf8, &Limits::default()).unwrap();
            let at = Date::parse("2026").unwrap();
            let stamp = Stamp { control_id: "K9", at: &at };
            let header = Some(message.header());
            let bytes = acknowledge(header, Kind::Application, &Outcome::Accepted, stamp);
            assert_eq!(charset.decode(bytes.first_chunk::<2>().unwrap()).unwrap(), "", "a mark");
            let back = Message::read(&bytes, Charset::Utf8, &Limits::default()).unwrap();
            let back = back.header();
            assert_eq!((back.receiving_application.as_str(), back.charset), ("上下", charset));
        }
    }

    /// The codes sent for a message applied, quarantined and refused.
    fn check_modes(modes: &str, applied: &str, quarantined: &str, refused: &str) {
        let header = header("2.4", modes);
        let at = Date::parse("2026").unwrap();
        let stamp = Stamp { control_id: "K9", at: &at };
        let codes = |verdict: &Verdict| {
            let replies = replies(Some(&header), verdict, stamp);
            let ids: std::collections::BTreeSet<_> = replies
                .iter()
                .map(|reply| Header::salvage(reply, Charset::Utf8).unwrap().control_id)
                .collect();
            assert_eq!(ids.len(), replies.len(), "each acknowledgement has an id of its own");
            let code = |reply: &Vec<u8>| {
                let message = Message::read(reply, Charset::Utf8, &Limits::default()).unwrap();
                message.segment(*b"MSA").unwrap().field(1).unwrap().raw().to_owned()
            };
            replies.iter().map(code).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(codes(&Verdict::applied()), applied, "{modes}: applied");
        assert_eq!(codes(&Verdict::quarantined(Fault::TableValue, None)), quarantined, "{modes}");
        assert_eq!(codes(&Verdict::refused(Fault::Malformed, None)), refused, "{modes}: refused");
    }

    #[test]
    fn every_pair_of_msh_15_and_msh_16_gets_what_it_asks_for() {
        check_modes("|", "AA", "AE", "AR");
        let accept = [
            ("AL", "CA", "CA", "CR"),
            ("NE", "", "", ""),
            ("ER", "", "", "CR"),
            ("SU", "CA", "CA", ""),
            ("", "", "", ""),
        ];
        let application = [
            ("AL", "AA", "AE", "AR"),
            ("NE", "", "", ""),
            ("ER", "", "AE", "AR"),
            ("SU", "AA", "", ""),
            ("", "", "", ""),
        ];
        for (first, ca, cq, cr) in accept {
            for (second, aa, aq, ar) in application {
                if first.is_empty() && second.is_empty() {
                    continue;
                }
                let both = |c: &str, a: &str| format!("{c} {a}").trim().to_owned();
                let refused = if cr.is_empty() { ar } else { cr };
                check_modes(&format!("{first}|{second}"), &both(ca, aa), &both(cq, aq), refused);
            }
        }
    }
}
