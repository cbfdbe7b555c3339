//! An acknowledgement that came back: what it says, and of which message.

use super::{Limits, Message};
use crate::wire::charset::Charset;

/// What became of a message (HL7 tables 0008 and 0155 know no more).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// AA or CA.
    Accepted,
    /// AE or CE: sending it again may help.
    Error,
    /// AR or CR: it will not.
    Rejected,
}

impl Level {
    /// By the code of an acknowledgement; HL7 v3 has the same (AcknowledgementType).
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        match code {
            "AA" | "CA" => Some(Self::Accepted),
            "AE" | "CE" => Some(Self::Error),
            "AR" | "CR" => Some(Self::Rejected),
            _ => None,
        }
    }
}

/// An acknowledgement, as far as it decides anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// MSA-1.
    pub level: Level,
    /// MSA-2: the MSH-10 of the message it is about.
    pub control_id: String,
}

impl Answered {
    /// Reads one; `None` if it is none.
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        let message = Message::read(body, Charset::Utf8, &Limits::default()).ok()?;
        let msa = message.segment(*b"MSA")?;
        let level = Level::of(msa.field(1)?.raw())?;
        let control_id = msa.field(2).map(|field| field.raw().to_owned());
        Some(Self { level, control_id: control_id.unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(msa: &str, expect: Option<(Level, &str)>) {
        let body = format!("MSH|^~\\&|||||20261130||ACK|1|P|2.5.1\r{msa}\r");
        let found = Answered::read(body.as_bytes());
        let found = found.as_ref().map(|found| (found.level, found.control_id.as_str()));
        assert_eq!(found, expect, "{msa}");
    }

    #[test]
    fn an_acknowledgement_says_of_which_message_it_is() {
        check("MSA|AA|payments-1", Some((Level::Accepted, "payments-1")));
        check("MSA|CA|payments-1|text", Some((Level::Accepted, "payments-1")));
        check("MSA|AE|a", Some((Level::Error, "a")));
        check("MSA|CE|a", Some((Level::Error, "a")));
        check("MSA|AR|a", Some((Level::Rejected, "a")));
        check("MSA|CR", Some((Level::Rejected, "")));
        check("MSA|OK|a", None);
        check("MSA", None);
        check("EVN|A01", None);
        assert_eq!(Answered::read(b"HTTP/1.1 200 OK"), None);
    }
}
