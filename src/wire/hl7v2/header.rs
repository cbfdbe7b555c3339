//! MSH, the header: who sends, what kind, and how to be answered.
//!
//! Standard: HL7 v2.4 section 2.16.9 (MSH), 2.9 (acknowledgement modes).

use std::fmt;

use super::decoded;
use super::separators::Separators;
use crate::vocabulary::Date;
use crate::wire::charset::Charset;

/// How much of a body is searched for a header when the body cannot be read.
const SALVAGE_BYTES_MAX: usize = 4_096;

/// When an acknowledgement is wanted, HL7 table 0155.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// AL.
    Always,
    /// NE.
    Never,
    /// ER.
    OnError,
    /// SU.
    OnSuccess,
}

impl Mode {
    /// An unknown code asks for an answer: silence could lose a message.
    fn read(code: &str) -> Option<Self> {
        match code {
            "" | "\"\"" => None,
            "NE" => Some(Self::Never),
            "ER" => Some(Self::OnError),
            "SU" => Some(Self::OnSuccess),
            _ => Some(Self::Always),
        }
    }
}

/// What MSH says. Texts are as they stand in the message, escapes included, so
/// that an acknowledgement can return them exactly.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    /// MSH-1 and MSH-2.
    pub separators: Separators,
    /// MSH-3, the whole field.
    pub sending_application: String,
    /// MSH-4, the whole field.
    pub sending_facility: String,
    /// MSH-5, the whole field.
    pub receiving_application: String,
    /// MSH-6, the whole field.
    pub receiving_facility: String,
    /// MSH-7, where it is a date.
    pub time: Option<Date>,
    /// MSH-9.1.
    pub message_type: String,
    /// MSH-9.2.
    pub trigger: String,
    /// MSH-9.3.
    pub structure: String,
    /// MSH-10, the whole field.
    pub control_id: String,
    /// MSH-11, the whole field.
    pub processing_id: String,
    /// MSH-12.1.
    pub version: String,
    /// MSH-15.
    pub accept_ack: Option<Mode>,
    /// MSH-16.
    pub application_ack: Option<Mode>,
    /// MSH-18, the whole field.
    pub charset_declared: String,
    /// What the message was decoded by.
    pub charset: Charset,
    /// Whether MSH-18 names something else than the message was decoded by, or what
    /// was read as GB 18030 looks like UTF-8: to be counted and shown.
    pub charset_mismatch: bool,
}

impl Header {
    /// Reads the text of an MSH segment.
    pub(super) fn read(segment: &str, separators: Separators, charset: Charset) -> Self {
        let fields: Vec<&str> = segment.split(char::from(separators.field)).collect();
        // MSH-1 is the separator itself, so MSH-n stands at index n - 1.
        let field = |number: usize| fields.get(number - 1).copied().unwrap_or_default();
        let part = |number, index| {
            let first = field(number).split(char::from(separators.repetition)).next();
            let mut parts = first.unwrap_or_default().split(char::from(separators.component));
            parts.nth(index).unwrap_or_default()
        };
        Self {
            separators,
            sending_application: field(3).to_owned(),
            sending_facility: field(4).to_owned(),
            receiving_application: field(5).to_owned(),
            receiving_facility: field(6).to_owned(),
            time: Date::parse(part(7, 0)).ok(),
            message_type: part(9, 0).to_owned(),
            trigger: part(9, 1).to_owned(),
            structure: part(9, 2).to_owned(),
            control_id: field(10).to_owned(),
            processing_id: field(11).to_owned(),
            version: part(12, 0).to_owned(),
            accept_ack: Mode::read(field(15)),
            application_ack: Mode::read(field(16)),
            charset_declared: field(18).to_owned(),
            charset,
            charset_mismatch: false,
        }
    }

    /// What of the header of an unreadable body can be read, so that its refusal
    /// can name the message; `None` if there is no MSH at all.
    ///
    /// Fields that do not decode come out empty, never garbled.
    #[must_use]
    pub fn salvage(bytes: &[u8], fallback: Charset) -> Option<Self> {
        let head = bytes.get(..SALVAGE_BYTES_MAX).unwrap_or(bytes);
        let charset = decoded::candidates(head, fallback).first().copied().unwrap_or(fallback);
        let text = match charset {
            Charset::Utf16Be => encoding_rs::UTF_16BE.decode(head).0,
            Charset::Utf16Le => encoding_rs::UTF_16LE.decode(head).0,
            Charset::Gb18030 => encoding_rs::GB18030.decode(head).0,
            Charset::Latin1 => encoding_rs::mem::decode_latin1(head),
            Charset::Ascii | Charset::Utf8 => encoding_rs::UTF_8.decode(head).0,
        };
        let text = text.trim_start_matches('\u{FEFF}');
        let segment = text.split(['\r', '\n']).next()?;
        let sign = segment.strip_prefix("MSH")?.bytes().next()?;
        let separators = Separators::read(segment).ok().or_else(|| {
            let standard = Separators::default();
            (sign == standard.field).then_some(standard)
        })?;
        let mut header = Self::read(segment, separators, charset);
        for text in [
            &mut header.sending_application,
            &mut header.sending_facility,
            &mut header.receiving_application,
            &mut header.receiving_facility,
            &mut header.message_type,
            &mut header.trigger,
            &mut header.control_id,
            &mut header.processing_id,
            &mut header.version,
            &mut header.charset_declared,
        ] {
            if text.contains(char::REPLACEMENT_CHARACTER) {
                text.clear();
            }
        }
        Some(header)
    }

    /// The version as numbers, `2.5.1` as (2, 5); versions that cannot be read count as 2.4.
    #[must_use]
    pub fn version_numbers(&self) -> (u8, u8) {
        let mut parts = self.version.split('.').map(str::parse);
        match (parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
            _ => (2, 4),
        }
    }

    /// Whether MSH-15 or MSH-16 asks for enhanced acknowledgement.
    #[must_use]
    pub const fn is_enhanced(&self) -> bool {
        self.accept_ack.is_some() || self.application_ack.is_some()
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Header({}^{} {})", self.message_type, self.trigger, self.version)
    }
}
