//! Plays a case against a gateway and says what did not come out as demanded.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::case::{Case, Step};
use crate::stream::Tls;
use crate::values::Values;
use crate::{https, mllp, reply};

/// How long silence must last to count as silence.
const SILENCE: Duration = Duration::from_millis(400);

/// The gateway under test.
#[derive(Clone)]
pub struct Target {
    /// `host:port` of its MLLP port.
    pub mllp: String,
    /// TLS of the MLLP port, if it has any.
    pub mllp_tls: Option<Tls>,
    /// `host:port` of its HTTPS port.
    pub https: String,
    /// Certificates by name; `""` is the default one.
    pub identities: BTreeMap<String, Tls>,
}

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Everything as demanded.
    Passed,
    /// Something was not as demanded: step and what.
    Failed(String),
    /// Not played: no certificate of that name was given.
    Skipped(String),
}

/// Plays one case.
#[must_use]
pub fn run(target: &Target, case: &Case) -> Outcome {
    let lacking = case.step.iter().filter_map(|step| step.who.as_deref());
    if let Some(name) = lacking.into_iter().find(|name| !target.identities.contains_key(*name)) {
        return Outcome::Skipped(format!("no certificate was given for `{name}`"));
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = u64::try_from(since.as_nanos() & u128::from(u64::MAX)).unwrap_or(0);
    let mut play = Play {
        target,
        values: Values::new(seed, &timestamp(since.as_secs())),
        link: None,
        held: Vec::new(),
        sent: Vec::new(),
        replies: Vec::new(),
    };
    for (number, step) in (1..).zip(&case.step) {
        play.values.step(number);
        if let Err(fault) = play.step(step) {
            return Outcome::Failed(format!("step {number}: {fault}"));
        }
    }
    Outcome::Passed
}

/// A message as the one parameter of a call, SOAP 1.1 section 4.
fn envelope(message: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
         <HIPMessageServer xmlns=\"urn:hl7-org:v3\"><action/><message><![CDATA[{message}]]>\
         </message></HIPMessageServer></s:Body></s:Envelope>"
    )
}

/// Seconds since 1970 as HL7 writes a UTC time.
fn timestamp(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Civil date from a day count, H. Hinnant's algorithm, for days after 1970.
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}+0000")
}

struct Play<'a> {
    target: &'a Target,
    values: Values,
    link: Option<mllp::Link>,
    held: Vec<u8>,
    sent: Vec<Vec<u8>>,
    replies: Vec<Vec<u8>>,
}

impl Play<'_> {
    fn step(&mut self, step: &Step) -> Result<(), String> {
        let https = step.ask.is_some() || step.post.is_some() || step.give.is_some();
        if https || step.call.is_some() {
            let reply = self.http(step).map_err(|error| format!("https: {error}"))?;
            self.sent.push(Vec::new());
            self.replies.push(reply.body.clone());
            return self.answered(step, &reply);
        }
        let bytes = self.bytes(step)?;
        self.sent.push(bytes.clone());
        self.held.extend(bytes);
        if step.hold {
            self.replies.push(Vec::new());
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.held);
        let replies = self.mllp(step, &bytes)?;
        for (found, expect) in replies.iter().zip(&step.reply) {
            self.acknowledged(found, expect)?;
        }
        let whole: Vec<u8> = replies.concat();
        self.compare(step, &whole)?;
        self.replies.push(whole);
        Ok(())
    }

    /// What goes over the MLLP connection.
    fn bytes(&mut self, step: &Step) -> Result<Vec<u8>, String> {
        if let Some(number) = step.again {
            return earlier(&self.sent, number);
        }
        if let Some(pairs) = &step.bytes {
            let digits: Vec<_> = pairs.chars().filter_map(|c| c.to_digit(16)).collect();
            let pair = |pair: &[u32]| pair.iter().fold(0, |sum, digit| sum * 16 + digit);
            return digits
                .chunks(2)
                .map(|two| u8::try_from(pair(two)))
                .collect::<Result<_, _>>()
                .map_err(|error| error.to_string());
        }
        let body = self.message(step.hl7.as_deref().unwrap_or_default(), step)?;
        Ok([&[mllp::START], body.as_slice(), &mllp::END].concat())
    }

    fn message(&mut self, segments: &[String], step: &Step) -> Result<Vec<u8>, String> {
        let text: String =
            segments.iter().map(|segment| self.values.fill(segment) + "\r").collect();
        encode(&text, step.charset.as_deref().unwrap_or("utf-8"))
    }

    fn mllp(&mut self, step: &Step, bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        let fault = |error: io::Error| format!("mllp: {error}");
        let mut link = match self.link.take() {
            Some(link) => link,
            None => mllp::Link::connect(&self.target.mllp, self.target.mllp_tls.as_ref())
                .map_err(fault)?,
        };
        for piece in bytes.chunks(step.pieces.unwrap_or(usize::MAX).max(1)) {
            link.raw(piece).map_err(fault)?;
        }
        let wanted = step.reply.len().max(usize::from(step.same.is_some()));
        let mut replies = Vec::new();
        for _ in 0..wanted {
            replies.push(link.receive().map_err(fault)?);
        }
        if step.closes {
            return drained(&mut link, replies);
        }
        if step.silent && !link.silent_for(SILENCE).map_err(fault)? {
            return Err("a reply came where none is due".to_owned());
        }
        self.link = Some(link);
        Ok(replies)
    }

    fn acknowledged(
        &mut self,
        found: &[u8],
        expect: &BTreeMap<String, String>,
    ) -> Result<(), String> {
        let text = reply::text(found);
        for (position, pattern) in expect {
            let pattern = self.values.fill(pattern);
            matches(position, reply::field(&text, position).as_deref(), &pattern)?;
        }
        Ok(())
    }

    fn http(&mut self, step: &Step) -> Result<https::Reply, io::Error> {
        let name = step.who.as_deref().unwrap_or_default();
        let mut link = https::Link::connect(&self.target.https, self.target.identities.get(name))?;
        if let Some(segments) = &step.post {
            let body = self.message(segments, step).map_err(io::Error::other)?;
            return link.post("/v1/messages", "application/hl7-v2", &body);
        }
        if let Some(document) = &step.give {
            let body = self.values.fill(document);
            let media = "application/vnd.kangqiao.civil+json";
            return link.post("/v1/messages", media, body.as_bytes());
        }
        if let Some(message) = &step.call {
            let path = format!("/soap/{}", step.dialect.as_deref().unwrap_or("regional"));
            let body = envelope(&self.values.fill(message));
            let mut reply = link.post(&path, "text/xml; charset=utf-8", body.as_bytes())?;
            // The answer is text in an envelope; cases speak of the message it is.
            let text = String::from_utf8_lossy(&reply.body).replace("&lt;", "<");
            let text = text.replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
            reply.body = text.into_bytes();
            return Ok(reply);
        }
        let body = self.values.fill(step.ask.as_deref().unwrap_or_default());
        link.post("/v1/inquiries", "application/json", body.as_bytes())
    }

    fn answered(&mut self, step: &Step, reply: &https::Reply) -> Result<(), String> {
        if !step.status.contains(&reply.status) {
            return Err(format!("status {} instead of {:?}", reply.status, step.status));
        }
        let text = reply::text(&reply.body);
        for expect in &step.reply {
            self.acknowledged(text.as_bytes(), expect)?;
        }
        let body = reply.json();
        for (pointer, pattern) in &step.json {
            let found = body.pointer(pointer).map(plain);
            matches(pointer, found.as_deref(), &self.values.fill(pattern))?;
        }
        let named = |list: &str, element: &str| {
            let rows = body.get(list).and_then(Value::as_array).cloned().unwrap_or_default();
            rows.into_iter().find(|row| row.get("element").is_some_and(|id| id == element))
        };
        for (element, tier) in &step.elements {
            let found = named("elements", element).map(|row| row.get("tier").map(plain));
            matches(element, found.flatten().as_deref(), tier)?;
        }
        for element in &step.withheld {
            named("withheld", element).ok_or(format!("{element} is not said to be withheld"))?;
        }
        self.compare(step, &reply.body)
    }

    fn compare(&mut self, step: &Step, found: &[u8]) -> Result<(), String> {
        if let Some(number) = step.same
            && earlier(&self.replies, number)? != found
        {
            return Err(format!("the reply differs from that of step {number}"));
        }
        // In the sender's character set, where the case looks at more than single fields.
        let text = match &step.charset {
            Some(name) if !step.holds.is_empty() => decode(found, name)?,
            _ => reply::text(found),
        };
        for part in &step.holds {
            let part = self.values.fill(part);
            if !text.contains(&part) {
                return Err("the reply lacks a text it must hold".to_owned());
            }
        }
        for part in &step.lacks {
            let part = self.values.fill(part);
            if text.contains(&part) {
                return Err("the reply holds a text it must not".to_owned());
            }
        }
        Ok(())
    }
}

fn earlier(kept: &[Vec<u8>], number: usize) -> Result<Vec<u8>, String> {
    kept.get(number.wrapping_sub(1)).cloned().ok_or(format!("there is no step {number} before"))
}

/// What still comes until the other side closes.
fn drained(link: &mut mllp::Link, mut replies: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, String> {
    loop {
        match link.receive() {
            Ok(reply) => replies.push(reply),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock) => {
                return Err("the connection stays open".to_owned());
            }
            Err(_) => return Ok(replies),
        }
    }
}

/// `{absent}`, `{present}`, `{one of A B}` or the text itself.
fn matches(place: &str, found: Option<&str>, pattern: &str) -> Result<(), String> {
    let choice = pattern.strip_prefix("{one of ").and_then(|rest| rest.strip_suffix('}'));
    let fits = match (pattern, choice) {
        ("{absent}", _) => found.is_none(),
        ("{present}", _) => found.is_some(),
        (_, Some(choice)) => choice.split(' ').any(|one| found == Some(one)),
        _ => found == Some(pattern),
    };
    // Cases are made of invented persons, so that what was found may be shown.
    let found = found.unwrap_or("nothing");
    if fits { Ok(()) } else { Err(format!("{place} is {found}, not {pattern}")) }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn encoding(name: &str) -> Result<&'static encoding_rs::Encoding, String> {
    encoding_rs::Encoding::for_label(name.as_bytes()).ok_or(format!("no character set {name}"))
}

fn encode(text: &str, name: &str) -> Result<Vec<u8>, String> {
    if name == "utf-16be" {
        return Ok(text.encode_utf16().flat_map(u16::to_be_bytes).collect());
    }
    let (bytes, _, lost) = encoding(name)?.encode(text);
    if lost { Err(format!("the text has no {name} form")) } else { Ok(bytes.into_owned()) }
}

fn decode(bytes: &[u8], name: &str) -> Result<String, String> {
    let (text, broken) = encoding(name)?.decode_without_bom_handling(bytes);
    if broken { Err(format!("the reply is not {name}")) } else { Ok(text.into_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_hl7_writes_it() {
        assert_eq!(timestamp(0), "19700101000000+0000");
        assert_eq!(timestamp(951_782_400), "20000229000000+0000");
        assert_eq!(timestamp(1_798_761_599), "20261231235959+0000");
    }

    #[test]
    fn a_pattern_can_fail() {
        for (found, pattern, fits) in [
            (Some("AA"), "AA", true),
            (Some("AE"), "AA", false),
            (None, "AA", false),
            (None, "{absent}", true),
            (Some("x"), "{absent}", false),
            (Some("x"), "{present}", true),
            (None, "{present}", false),
            (Some("AR"), "{one of AE AR}", true),
            (Some("AA"), "{one of AE AR}", false),
        ] {
            assert_eq!(matches("MSA-1", found, pattern).is_ok(), fits, "{pattern}");
        }
    }

    #[test]
    fn no_text_is_sent_in_a_character_set_that_lacks_it() {
        assert_eq!(encode("億", "gb18030"), Ok(vec![0x83, 0x7C]));
        assert_eq!(encode("A", "utf-16be"), Ok(vec![0, 0x41]));
        assert!(encode("\u{8}億", "iso-8859-1").is_err());
    }
}
