//! 框架, a message with its values taken out, and put in again.
//!
//! In the frame one sign stands for each leaf that the record gives back; every other
//! leaf stands there as it came. The sign itself is doubled where a leaf holds it.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{FORM, expand};
use crate::translate::leaf::{Leaf, Leaves};
use crate::vocabulary::position::Hl7Position;
use crate::vocabulary::record::Wire;
use crate::vocabulary::{Position, Record};
use crate::wire::Charset;
use crate::wire::hl7v2::{Message, Separators, escape};

/// Stands for a value. DEL is one byte in JSON and in no message anybody sends.
const TAKEN: char = '\u{7f}';

/// The byte order mark, where one stood.
const MARK: char = '\u{feff}';

/// The frame of a message while its leaves are read.
pub(in crate::translate) struct Frame<'m> {
    message: &'m Message,
    text: String,
    /// Whether what no escape sequence was read of is written as it came.
    plain: bool,
    /// Up to where the message is in the frame.
    until: usize,
}

impl<'m> Frame<'m> {
    /// The frame of a message nothing of which is read yet.
    pub fn new(message: &'m Message) -> Self {
        let mut text = String::with_capacity(message.text().len() / 2);
        text.extend(message.is_marked().then_some(MARK));
        // A separator in a leaf is escaped by whoever sent it; these two need not be.
        let truncation = message.header().separators.truncation.map(char::from);
        let loose = |sign| message.text().contains(sign);
        let plain = !loose('\n') && !truncation.is_some_and(loose);
        Self { message, text, plain, until: 0 }
    }

    /// Takes the leaves of one segment, each of which has its bin.
    pub fn segment(&mut self, leaves: &Leaves<'_>) {
        let whole = self.message.text();
        for leaf in &leaves.0 {
            let between = whole.get(self.until..leaf.span.start).unwrap_or_default();
            let raw = whole.get(leaf.span.clone()).unwrap_or_default();
            self.text.push_str(between);
            self.until = leaf.span.end;
            match leaf.exact && self.comes_back(leaf, raw) {
                true => self.text.push(TAKEN),
                false if !raw.contains(TAKEN) => self.text.push_str(raw),
                false => self.text.push_str(&raw.replace(TAKEN, "\u{7f}\u{7f}")),
            }
        }
    }

    /// Whether writing the text of a leaf gives what was read; the separators themselves stay.
    fn comes_back(&self, leaf: &Leaf<'_>, raw: &str) -> bool {
        let header = self.message.header();
        match leaf.text {
            _ if leaf.at.segment == *b"MSH" && leaf.at.field <= 2 => false,
            Cow::Borrowed(_) if self.plain => true,
            _ => escape::escape(&leaf.text, &header.separators, header.charset) == raw,
        }
    }

    /// The frame, once every segment is read.
    pub fn finish(mut self) -> Wire {
        self.text.push_str(self.message.text().get(self.until..).unwrap_or_default());
        let charset = Some(self.message.header().charset).filter(|own| *own != Charset::Utf8);
        let charset = charset.and_then(|charset| serde_json::to_value(charset).ok());
        let inexact = self.message.inexact().map(<[u8]>::to_vec);
        Wire {
            form: FORM.to_owned(),
            charset: charset.and_then(|name| name.as_str().map(str::to_owned)),
            frame: self.text,
            bytes: inexact.unwrap_or_default(),
        }
    }
}

/// The text of each leaf of a record, by its place.
type Texts = HashMap<Hl7Position, String>;

fn texts(record: &Record) -> Texts {
    let mut texts = Texts::new();
    for leaf in &record.carried {
        if let Position::Hl7(at) = leaf.at {
            texts.insert(at, leaf.text.clone());
        }
    }
    for field in record.fields() {
        let Some(Position::Hl7(at)) = &field.at else { continue };
        expand(&field.value, at, &mut |component, subcomponent, text| {
            let at =
                Hl7Position { component, subcomponent, repetition: at.repetition.max(1), ..*at };
            texts.entry(at).or_insert_with(|| text.to_owned());
        });
    }
    texts
}

/// Puts the values of a record into its frame; `None` if it is no frame.
pub(super) fn fill(wire: &Wire, record: &Record) -> Option<Vec<u8>> {
    if !wire.bytes.is_empty() {
        return Some(wire.bytes.clone());
    }
    let charset = match &wire.charset {
        Some(name) => Charset::from_hl7(name)?,
        None => Charset::Utf8,
    };
    let marked = wire.frame.starts_with(MARK);
    let frame = Message::frame(wire.frame.strip_prefix(MARK).unwrap_or(&wire.frame)).ok()?;
    let text = filled(&frame, &texts(record), charset);
    let text = if marked { format!("{MARK}{text}") } else { text };
    charset.encode(&text).ok().map(std::borrow::Cow::into_owned)
}

fn filled(frame: &Message, texts: &Texts, charset: Charset) -> String {
    let (whole, separators) = (frame.text(), &frame.header().separators);
    let mut text = String::with_capacity(whole.len() * 3);
    let mut until = 0;
    for (at, span) in frame.segments().flat_map(|segment| segment.spans()) {
        text.push_str(whole.get(until..span.start).unwrap_or_default());
        until = span.end;
        let raw = whole.get(span).unwrap_or_default();
        put(&mut text, (raw, texts.get(&at)), (separators, charset));
    }
    text.push_str(whole.get(until..).unwrap_or_default());
    text
}

fn put(
    text: &mut String,
    (raw, taken): (&str, Option<&String>),
    (separators, charset): (&Separators, Charset),
) {
    let mut signs = raw.chars();
    if signs.next() == Some(TAKEN) && signs.next().is_none() {
        // A value that was taken out since leaves its place empty.
        let value = taken.map(String::as_str).unwrap_or_default();
        text.push_str(&escape::escape(value, separators, charset));
    } else {
        text.push_str(&raw.replace("\u{7f}\u{7f}", "\u{7f}"));
    }
}
