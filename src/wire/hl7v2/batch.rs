//! 批, files and batches: FHS, BHS, their messages, BTS, FTS.
//!
//! Standard: HL7 v2.4 section 2.10.3 (batch protocol), 2.16.1 to 2.16.4 (BHS, BTS, FHS, FTS).
//!
//! Cut as the bytes come: what is held is one message, however long the batch is. A line
//! ends with CR, LF or both; those bytes are no part of a character in any set that
//! extends ASCII. Each message is a unit of its own, and one batch answers the whole: the
//! acknowledgements between headers that refer to those that came.

use std::borrow::Cow;

use super::Separators;
use crate::vocabulary::{Date, Fault, Position};
use crate::wire::charset::Charset;

/// How long a header or trailer may be.
const LINE_BYTES_MAX: usize = 8_192;
/// Messages handed on at once: as many as `join_all` begins in their order.
const TOGETHER: usize = 30;

/// What stands next in a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Messages that stand next to each other, each to be taken like any other, begun in their
    /// order; say with [`Batch::answered`] how many replies were written for them.
    Messages(Vec<Vec<u8>>),
    /// Segments of the answering batch.
    Reply(Vec<u8>),
}

/// A batch while it is read, and what is to be answered.
#[derive(Debug)]
pub struct Batch {
    held: Vec<u8>,
    searched: usize,
    ended: bool,
    message_bytes_max: usize,
    at: Date,
    file: Option<Header>,
    batch: Option<Header>,
    messages: u64,
    batches: u64,
    answered: u64,
    /// Bytes cut off before what is held.
    before: usize,
}

/// FHS or BHS as it came, which its answer turns round.
#[derive(Debug)]
struct Header {
    id: [u8; 3],
    fields: Vec<String>,
    separators: Separators,
    charset: Charset,
}

/// Whether bytes begin a batch and no message.
#[must_use]
pub fn is_batch(bytes: &[u8]) -> bool {
    let plain = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    matches!(plain.first_chunk(), Some(b"FHS" | b"BHS"))
}

impl Batch {
    /// A batch nothing of which has come; `at` stands in the headers of the answer.
    #[must_use]
    pub const fn new(message_bytes_max: usize, at: Date) -> Self {
        Self {
            held: Vec::new(),
            searched: 0,
            ended: false,
            message_bytes_max,
            at,
            file: None,
            batch: None,
            messages: 0,
            batches: 0,
            answered: 0,
            before: 0,
        }
    }

    /// Adds bytes as they come.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// Nothing more comes.
    pub const fn end(&mut self) {
        self.ended = true;
    }

    /// How many replies were written for the last messages.
    pub fn answered(&mut self, replies: usize) {
        self.answered += u64::try_from(replies).unwrap_or(u64::MAX);
    }

    /// The next part; `None` if more bytes are needed, or all have been told.
    ///
    /// # Errors
    /// What cannot be a batch, with its byte: what follows it cannot be trusted.
    pub fn next_part(&mut self) -> Result<Option<Part>, (Fault, Position)> {
        while let Some(piece) = self.cut()? {
            let at = self.before;
            self.before += piece.len();
            let wrong = || (Fault::Malformed, Position::Byte(at));
            let plain = piece.strip_prefix(b"\xEF\xBB\xBF".as_slice()).unwrap_or(&piece);
            let reply = match plain.first_chunk() {
                Some(b"MSH") => return Ok(Some(Part::Messages(self.gather(plain)))),
                Some(b"FHS") if at == 0 => self.open_file(plain).ok_or_else(wrong)?,
                Some(b"BHS") if self.batch.is_none() => self.open_batch(plain).ok_or_else(wrong)?,
                Some(b"BTS") if self.batch.is_some() => self.close_batch(Some(plain)),
                Some(b"FTS") if self.file.is_some() => {
                    let mut reply = self.close_batch(None);
                    reply.extend(self.close_file(Some(plain)));
                    reply
                }
                _ if plain.iter().all(u8::is_ascii_whitespace) => continue,
                _ => return Err(wrong()),
            };
            return Ok(Some(Part::Reply(reply)));
        }
        if !self.ended {
            return Ok(None);
        }
        let mut reply = self.close_batch(None);
        reply.extend(self.close_file(None));
        Ok((!reply.is_empty()).then_some(Part::Reply(reply)))
    }

    /// A message, and those behind it that are there already; a question stands alone, for what
    /// came before it is to be kept when it is answered.
    fn gather(&mut self, first: &[u8]) -> Vec<Vec<u8>> {
        let mut messages = vec![first.to_vec()];
        while messages.len() < TOGETHER
            && !asks(first)
            && !asks(&self.held)
            && self.held.starts_with(b"MSH")
            && let Ok(Some(next)) = self.cut()
        {
            self.before += next.len();
            messages.push(next);
        }
        self.messages += u64::try_from(messages.len()).unwrap_or(u64::MAX);
        messages
    }

    /// Closes the answer where what came could not be read on.
    #[must_use]
    pub fn broken(&mut self, fault: Fault, at: &Position) -> Vec<u8> {
        let said = format!("{}: {} ({at})", fault.row().name, fault.row().en);
        let mut reply = self.trailer("BTS", &said);
        reply.extend(self.trailer("FTS", &said));
        reply
    }

    /// One message, header or trailer, with its line end.
    fn cut(&mut self) -> Result<Option<Vec<u8>>, (Fault, Position)> {
        let mut at = self.searched.max(1);
        while let Some(head) = self.held.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
            let before = self.held.get(at - 1);
            if matches!(before, Some(b'\r' | b'\n')) && is_head(*head) {
                self.searched = 0;
                let rest = self.held.split_off(at);
                return Ok(Some(std::mem::replace(&mut self.held, rest)));
            }
            at += 1;
        }
        self.searched = at;
        let line = !self.held.starts_with(b"MSH");
        let most = if line { LINE_BYTES_MAX } else { self.message_bytes_max };
        if self.held.len() > most {
            return Err((Fault::Limit, Position::Byte(self.before + most)));
        }
        let whole = self.ended && !self.held.is_empty();
        Ok(whole.then(|| std::mem::take(&mut self.held)))
    }

    fn open_file(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        let header = Header::read(*b"FHS", line)?;
        let reply = header.turned(&self.at);
        self.file = Some(header);
        Some(reply)
    }

    fn open_batch(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        let header = Header::read(*b"BHS", line)?;
        let reply = header.turned(&self.at);
        self.batch = Some(header);
        (self.messages, self.answered) = (0, 0);
        Some(reply)
    }

    /// BTS-1 of the batch against what came; the answer's own trailer.
    fn close_batch(&mut self, line: Option<&[u8]>) -> Vec<u8> {
        let Some(header) = &self.batch else { return Vec::new() };
        let said = header.count(line, self.messages, "messages");
        let reply = self.trailer("BTS", &said);
        self.batch = None;
        self.batches += 1;
        reply
    }

    fn close_file(&mut self, line: Option<&[u8]>) -> Vec<u8> {
        let Some(header) = &self.file else { return Vec::new() };
        let said = header.count(line, self.batches, "batches");
        let reply = self.trailer("FTS", &said);
        self.file = None;
        reply
    }

    fn trailer(&self, id: &str, said: &str) -> Vec<u8> {
        let (header, count) = match id {
            "BTS" => (&self.batch, self.answered),
            _ => (&self.file, self.batches),
        };
        let Some(header) = header else { return Vec::new() };
        let separator = char::from(header.separators.field);
        let mut line = format!("{id}{separator}{count}");
        if !said.is_empty() {
            line.push(separator);
            let escaped = super::escape::escape(said, &header.separators, header.charset);
            line.push_str(&escaped);
        }
        line.push('\r');
        header.charset.encode_lossy(&line).into_owned()
    }
}

/// Whether a message is a question: its type in MSH-9 begins with Q.
fn asks(message: &[u8]) -> bool {
    let Some(&separator) = message.get(3) else { return false };
    let line = message.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    // MSH-1 is the separator itself.
    line.split(|byte| *byte == separator).nth(8).is_some_and(|kind| kind.starts_with(b"Q"))
}

/// Whether four bytes begin a message, a header or a trailer.
const fn is_head(head: [u8; 4]) -> bool {
    let [first, second, third, sign] = head;
    let id = matches!(&[first, second, third], b"MSH" | b"FHS" | b"BHS" | b"BTS" | b"FTS");
    // A trailer may stand alone on its line.
    id && (sign.is_ascii_punctuation() || matches!(sign, b'\r' | b'\n'))
}

impl Header {
    fn read(id: [u8; 3], line: &[u8]) -> Option<Self> {
        let (text, charset) = decode(line);
        let text = text.trim_end_matches(['\r', '\n']);
        // FHS and BHS begin as MSH does.
        let separators = Separators::read(text).ok()?;
        let fields = text.split(char::from(separators.field)).map(str::to_owned).collect();
        Some(Self { id, fields, separators, charset })
    }

    /// Field by its number: as in MSH the first is the separator itself.
    fn field(&self, number: usize) -> &str {
        self.fields.get(number - 1).map(String::as_str).unwrap_or_default()
    }

    /// The header of the answer: FHS-12 and BHS-12 refer to the number that came.
    fn turned(&self, at: &Date) -> Vec<u8> {
        let id = String::from_utf8_lossy(&self.id).into_owned();
        let signs = self.separators.encoding_characters();
        let own = format!("KQ{}", self.field(11));
        let fields = [
            id.as_str(),
            signs.as_str(),
            self.field(5),
            self.field(6),
            self.field(3),
            self.field(4),
            at.as_str(),
            "",
            "",
            "",
            if self.field(11).is_empty() { "" } else { own.as_str() },
            self.field(11),
        ];
        let line = fields.join(&char::from(self.separators.field).to_string());
        let line = line.trim_end_matches(char::from(self.separators.field)).to_owned() + "\r";
        self.charset.encode_lossy(&line).into_owned()
    }

    /// What is wrong with a count; nothing where none is given.
    fn count(&self, trailer: Option<&[u8]>, came: u64, what: &str) -> String {
        let Some(line) = trailer else { return "the trailer is missing".to_owned() };
        let (text, _) = decode(line);
        let text = text.trim_end_matches(['\r', '\n']);
        let told = text.split(char::from(self.separators.field)).nth(1).unwrap_or_default().trim();
        match told.parse::<u64>() {
            _ if told.is_empty() => String::new(),
            Ok(told) if told == came => String::new(),
            Ok(told) => format!("{told} {what} were told, {came} came"),
            Err(_) => format!("the count is no number, {came} {what} came"),
        }
    }
}

/// A header names no character set: UTF-8 where it is that, else the Chinese one.
fn decode(line: &[u8]) -> (Cow<'_, str>, Charset) {
    match Charset::Utf8.decode(line) {
        Ok(text) => (text, Charset::Utf8),
        Err(_) => match Charset::Gb18030.decode(line) {
            Ok(text) => (text, Charset::Gb18030),
            Err(_) => (String::from_utf8_lossy(line), Charset::Utf8),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds a batch in pieces; every message is answered by its own MSH-10.
    fn run(text: &str, piece: usize, limit: usize) -> String {
        let mut batch = Batch::new(limit, Date::parse("2026").unwrap());
        let mut told = String::new();
        let mut pieces = text.as_bytes().chunks(piece).peekable();
        loop {
            match batch.next_part() {
                Ok(Some(Part::Reply(reply))) => told += &String::from_utf8(reply).unwrap(),
                Ok(Some(Part::Messages(messages))) => {
                    assert!(!messages.is_empty() && messages.len() <= TOGETHER);
                    batch.answered(messages.len());
                    for message in messages {
                        told += &format!("<{}>", String::from_utf8(message).unwrap());
                    }
                }
                Ok(None) if pieces.peek().is_some() => batch.feed(pieces.next().unwrap()),
                Ok(None) if !batch.ended => batch.end(),
                Ok(None) => break,
                Err((fault, at)) => {
                    told += &String::from_utf8(batch.broken(fault, &at)).unwrap();
                    break;
                }
            }
        }
        told.replace('\r', "/")
    }

    fn check(text: &str, expect: &str) {
        for piece in [1, 3, 7, 1_000] {
            assert_eq!(run(text, piece, 1_000), expect, "in pieces of {piece}");
        }
    }

    const HEADS: &str = "FHS|^~\\&|HIS|H|KQ|G|2026||f.hl7||F1\rBHS|^~\\&|HIS|H|KQ|G|2026||||B1\r";
    const TURNED: &str =
        "FHS|^~\\&|KQ|G|HIS|H|2026||||KQF1|F1/BHS|^~\\&|KQ|G|HIS|H|2026||||KQB1|B1/";

    #[test]
    fn a_batch_is_cut_into_its_messages_and_answered_by_one_batch() {
        check(
            &format!("{HEADS}MSH|1\rPID|1\rMSH|2\rBTS|2\rFTS|1\r"),
            &format!("{TURNED}<MSH|1/PID|1/><MSH|2/>BTS|2/FTS|1/"),
        );
        check(
            "BHS|^~\\&|HIS|H|KQ|G|2026||||B1\nMSH|1\n\nMSH|2\nBTS\n",
            "BHS|^~\\&|KQ|G|HIS|H|2026||||KQB1|B1/<MSH|1\n\n><MSH|2\n>BTS|2/",
        );
    }

    #[test]
    fn counts_are_checked_and_a_missing_trailer_is_told() {
        check(
            &format!("{HEADS}MSH|1\rBTS|2\rFTS|3\r"),
            &format!(
                "{TURNED}<MSH|1/>BTS|1|2 messages were told, 1 came/\
                 FTS|1|3 batches were told, 1 came/"
            ),
        );
        check(
            &format!("{HEADS}MSH|1\r"),
            &format!("{TURNED}<MSH|1/>BTS|1|the trailer is missing/FTS|1|the trailer is missing/"),
        );
    }

    #[test]
    fn what_stands_between_and_what_is_too_long_ends_the_batch() {
        let odd = run("BHS|^~\\&|A\rBHS|^~\\&|B\r", 3, 1_000);
        assert_eq!(
            odd,
            "BHS|^~\\&|||A||2026/BTS|0|malformed: the message is not well formed (byte 11)/"
        );
        let long = format!("BHS|^~\\&|A\rMSH|{}\rBTS|1\r", "x".repeat(99));
        assert!(run(&long, 10, 50).ends_with(
            "BTS|0|limit: a limit of size, depth, count or time was reached (byte 61)/"
        ));
        // What came before it is handed on first.
        let late = format!("BHS|^~\\&|A\rMSH|1\rMSH|2\rMSH|{}\r", "x".repeat(99));
        assert!(run(&late, 1_000, 50).contains("2026/<MSH|1/><MSH|2/>BTS|2|limit"));
    }

    #[test]
    fn so_many_messages_are_handed_on_at_once() {
        let text: String = (0..100).map(|number| format!("MSH|{number}\r")).collect();
        let mut batch = Batch::new(1_000, Date::parse("2026").unwrap());
        batch.feed(format!("BHS|^~\\&|A\r{text}BTS|100\r").as_bytes());
        batch.end();
        let (mut counts, mut told) = (Vec::new(), String::new());
        while let Some(part) = batch.next_part().unwrap() {
            if let Part::Messages(messages) = part {
                counts.push(messages.len());
                told += &String::from_utf8(messages.concat()).unwrap();
            }
        }
        assert_eq!((counts, told), (vec![TOGETHER, TOGETHER, TOGETHER, 10], text));
        let kinds = |kind: &str| format!("MSH|^~\\&|||||||{kind}^|1\r");
        let text = ["ADT", "ADT", "QBP", "QRY", "ADT", "ADT"].map(kinds).concat();
        batch = Batch::new(1_000, Date::parse("2026").unwrap());
        batch.feed(format!("BHS|^~\\&|A\r{text}BTS|6\r").as_bytes());
        let parts = std::iter::from_fn(|| batch.next_part().unwrap());
        let counts: Vec<_> = parts
            .filter_map(|part| match part {
                Part::Messages(messages) => Some(messages.len()),
                Part::Reply(_) => None,
            })
            .collect();
        assert_eq!(counts, [2, 1, 1, 2], "a question stands alone");
    }

    #[test]
    fn a_long_batch_holds_one_message_at_a_time() {
        let mut batch = Batch::new(1_000, Date::parse("2026").unwrap());
        batch.feed(b"BHS|^~\\&|A\r");
        for number in 0..10_000 {
            batch.feed(format!("MSH|{number}\rPID|1\r").as_bytes());
            while let Ok(Some(_)) = batch.next_part() {
                batch.answered(1);
            }
            assert!(batch.held.len() < 100 && batch.held.capacity() < 4_096);
        }
    }
}
