//! A message as a tree of parts that are not empty, each a span of the decoded text.
//!
//! Empty parts do not exist here: what is asked for and not there is `None`. Counting
//! is as HL7 counts, from 1, and MSH-1 is the field separator.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::decoded::{Decoded, decode};
use super::header::Header;
use super::segments::{self, Line, Wrong};
use super::separators::Separators;
use super::structure::{Leaf, Structure};
use super::{Limits, ReadError, escape};
use crate::vocabulary::position::Hl7Position;
use crate::vocabulary::{Fault, Position};
use crate::wire::charset::Charset;

/// One HL7 v2 message, read whole. `Debug` shows its header alone.
pub struct Message {
    text: String,
    header: Header,
    segments: Vec<Span>,
    leaves: Vec<Leaf>,
    line_ends_repaired: bool,
    marked: bool,
    /// The body, where encoding the text does not give it back.
    inexact: Option<Vec<u8>>,
}

struct Span {
    line: Line,
    leaves: Range<usize>,
}

impl Message {
    /// Reads the body of one message; `fallback` is the sender's own character set.
    ///
    /// # Errors
    /// [`ReadError`] with fault and position if the bytes are not one message within
    /// the limits, or MSH lacks what every answer needs (MSH-9, MSH-10).
    pub fn read(bytes: &[u8], fallback: Charset, limits: &Limits) -> Result<Self, ReadError> {
        if bytes.len() > limits.message_bytes_max {
            let at = Position::Byte(limits.message_bytes_max);
            return Err(ReadError::at(Fault::Limit, at));
        }
        let decoded = decode(bytes, fallback)?;
        let exact = match decoded.charset {
            Charset::Gb18030 => {
                decoded.charset.encode(&decoded.text).is_ok_and(|again| *again == *bytes)
            }
            _ => true,
        };
        let mut message = Self::assemble(decoded, limits)?;
        message.inexact = (!exact).then(|| bytes.to_vec());
        Ok(message)
    }

    /// Reads a frame: a message in which a sign stands for each value taken out.
    ///
    /// # Errors
    /// [`ReadError`] as for [`Message::read`].
    pub fn frame(text: &str) -> Result<Self, ReadError> {
        let limits = Limits {
            segments_max: usize::MAX,
            fields_max: u16::MAX,
            repetitions_max: u16::MAX,
            parts_max: u16::MAX,
            leaves_max: usize::MAX,
            leaf_bytes_max: usize::MAX,
            message_bytes_max: usize::MAX,
        };
        Self::assemble(Decoded::text(text), &limits)
    }

    fn assemble(decoded: Decoded<'_>, limits: &Limits) -> Result<Self, ReadError> {
        let separators = begin(&decoded.text)?;
        let wrong = |wrong| match wrong {
            Wrong::Text(fault, offset) => ReadError::at(fault, decoded.byte_at(offset)),
            Wrong::Hl7(fault, at) => ReadError::at(fault, at),
        };
        let lines = segments::split(&decoded.text, &separators, limits).map_err(wrong)?;
        let mut structure = Structure::new(&decoded.text, &separators, limits);
        let mut segments = Vec::with_capacity(lines.lines.len());
        for line in lines.lines {
            let first = structure.leaves.len();
            structure.segment(&line).map_err(|(fault, at)| ReadError::at(fault, at))?;
            segments.push(Span { line, leaves: first..structure.leaves.len() });
        }
        let leaves = structure.leaves;
        let header = header(&decoded, separators, segments.first())?;
        let marked = decoded.is_marked();
        let (text, line_ends_repaired) = (decoded.text.into_owned(), lines.repaired);
        let inexact = None;
        Ok(Self { text, header, segments, leaves, line_ends_repaired, marked, inexact })
    }

    /// What MSH says.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The same, of a message that is done with.
    #[must_use]
    pub fn into_header(self) -> Header {
        self.header
    }

    /// Whether segments ended with LF or CRLF instead of CR.
    #[must_use]
    pub const fn line_ends_repaired(&self) -> bool {
        self.line_ends_repaired
    }

    /// The decoded text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a byte order mark stood before it.
    #[must_use]
    pub const fn is_marked(&self) -> bool {
        self.marked
    }

    /// The body, where encoding the text does not give it back.
    #[must_use]
    pub fn inexact(&self) -> Option<&[u8]> {
        self.inexact.as_deref()
    }

    /// The segments in order, MSH first.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        self.segments.iter().map(|span| Segment { message: self, span })
    }

    /// The first segment with an id.
    #[must_use]
    pub fn segment(&self, id: [u8; 3]) -> Option<Segment<'_>> {
        self.segments().find(|segment| segment.id() == id)
    }

    /// Every leaf that is not empty, as it stands in the text: MSH-1 and MSH-2 are two of them.
    pub fn leaves(&self) -> impl Iterator<Item = (Hl7Position, &str)> {
        self.segments().flat_map(Segment::leaves)
    }

    /// Reads the escape sequences of a raw text of this message.
    #[must_use]
    pub fn unescape<'a>(&self, raw: &'a str) -> Cow<'a, str> {
        escape::unescape(raw, &self.header.separators, self.header.charset)
    }

    fn slice(&self, start: usize, end: usize) -> &str {
        // Spans come from this text alone, so there always is such a slice.
        self.text.get(start..end).unwrap_or_default()
    }

    fn leaf_text(&self, leaf: &Leaf) -> &str {
        // `usize` has at least 32 bits on every platform this runs on.
        let index = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
        self.slice(index(leaf.start), index(leaf.end))
    }
}

fn begin(text: &str) -> Result<Separators, ReadError> {
    match text.get(..3) {
        Some("MSH") => (),
        // A batch is no message; its parts come one to a frame.
        Some(id @ ("FHS" | "BHS")) => {
            let id = *id.as_bytes().first_chunk().unwrap_or(b"FHS");
            let at = Hl7Position::segment(id, 1);
            return Err(ReadError::at(Fault::UnsupportedMessage, at));
        }
        _ => return Err(ReadError::at(Fault::Malformed, Position::Byte(0))),
    }
    let segment = text.split(['\r', '\n']).next().unwrap_or_default();
    Separators::read(segment).map_err(|(fault, at)| ReadError::at(fault, at))
}

fn header(
    decoded: &Decoded<'_>,
    separators: Separators,
    span: Option<&Span>,
) -> Result<Header, ReadError> {
    let end = span.map_or(0, |span| span.line.end);
    let segment = decoded.text.get(..end).unwrap_or_default();
    let mut header = Header::read(segment, separators, decoded.charset);
    header.charset_mismatch = decoded.mismatch;
    for (text, field) in [(&header.message_type, 9), (&header.control_id, 10)] {
        if text.is_empty() {
            let at = Hl7Position::field(*b"MSH", field);
            return Err(ReadError::at(Fault::RequiredMissing, at));
        }
    }
    Ok(header)
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({:?}, {} segments, <masked>)", self.header, self.segments.len())
    }
}

/// One segment of a message.
#[derive(Clone, Copy)]
pub struct Segment<'a> {
    message: &'a Message,
    span: &'a Span,
}

impl<'a> Segment<'a> {
    /// Its id: three capitals or digits.
    #[must_use]
    pub const fn id(self) -> [u8; 3] {
        self.span.line.id
    }

    /// Which of the segments with this id, from 1.
    #[must_use]
    pub const fn occurrence(self) -> u32 {
        self.span.line.occurrence
    }

    /// Its place.
    #[must_use]
    pub const fn position(self) -> Hl7Position {
        Hl7Position::segment(self.span.line.id, self.span.line.occurrence)
    }

    /// The segment as it stands in the text, id included.
    #[must_use]
    pub fn raw(self) -> &'a str {
        self.message.slice(self.span.line.start, self.span.line.end)
    }

    /// A field, if anything stands in it.
    #[must_use]
    pub fn field(self, number: u16) -> Option<Field<'a>> {
        let leaves = part(self.all(), number, |leaf| leaf.field)?;
        Some(Field(Part { segment: self, leaves }))
    }

    /// The fields in which anything stands.
    pub fn fields(self) -> impl Iterator<Item = Field<'a>> {
        self.all()
            .chunk_by(|a, b| a.field == b.field)
            .map(move |leaves| Field(Part { segment: self, leaves }))
    }

    /// Its leaves, as they stand in the text.
    pub fn leaves(self) -> impl Iterator<Item = (Hl7Position, &'a str)> {
        self.all().iter().map(move |leaf| (self.place(leaf), self.message.leaf_text(leaf)))
    }

    /// Its leaves, as spans of the text.
    pub fn spans(self) -> impl Iterator<Item = (Hl7Position, Range<usize>)> {
        // `usize` has at least 32 bits on every platform this runs on.
        let index = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
        self.all().iter().map(move |leaf| (self.place(leaf), index(leaf.start)..index(leaf.end)))
    }

    fn all(self) -> &'a [Leaf] {
        self.message.leaves.get(self.span.leaves.clone()).unwrap_or_default()
    }

    fn place(self, leaf: &Leaf) -> Hl7Position {
        let Leaf { field, repetition, component, subcomponent, .. } = *leaf;
        Hl7Position { field, repetition, component, subcomponent, ..self.position() }
    }
}

/// The run of leaves with one number; leaves stand in order.
fn part(leaves: &[Leaf], number: u16, of: fn(&Leaf) -> u16) -> Option<&[Leaf]> {
    let first = leaves.partition_point(|leaf| of(leaf) < number);
    let rest = leaves.get(first..)?;
    let found = rest.get(..rest.partition_point(|leaf| of(leaf) == number))?;
    (!found.is_empty()).then_some(found)
}

/// Leaves that belong together; never empty.
#[derive(Clone, Copy)]
struct Part<'a> {
    segment: Segment<'a>,
    leaves: &'a [Leaf],
}

impl<'a> Part<'a> {
    fn place(self) -> Hl7Position {
        self.leaves.first().map_or(self.segment.position(), |leaf| self.segment.place(leaf))
    }

    /// The first leaf, if it stands where the primitive value of this part stands.
    fn text(self, primitive: fn(&Leaf) -> bool) -> Cow<'a, str> {
        let message = self.segment.message;
        match self.leaves.first().filter(|leaf| primitive(leaf)) {
            Some(leaf) => message.unescape(message.leaf_text(leaf)),
            None => Cow::Borrowed(""),
        }
    }

    /// From one of the separators to the next, around the leaves.
    fn raw(self, stops: &[u8]) -> &'a str {
        let (message, line) = (self.segment.message, self.segment.span.line);
        let (Some(first), Some(last)) = (self.leaves.first(), self.leaves.last()) else {
            return "";
        };
        if line.id == *b"MSH" && first.field <= 2 {
            return message.leaf_text(first);
        }
        let index = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
        let (first, last) = (index(first.start), index(last.end));
        let stop = |byte: &u8| stops.contains(byte);
        let before = message.text.as_bytes().get(line.start..first).unwrap_or_default();
        let after = message.text.as_bytes().get(last..line.end).unwrap_or_default();
        let start = before.iter().rposition(stop).map_or(first, |at| line.start + at + 1);
        let end = after.iter().position(stop).map_or(line.end, |at| last + at);
        message.slice(start, end)
    }

    const fn separators(self) -> &'a Separators {
        &self.segment.message.header.separators
    }
}

macro_rules! parts {
    ($(
        $(#[$doc:meta])*
        $name:ident stops [$($stop:ident)*] number $number:ident zero [$($zero:ident)*];
    )+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name<'a>(Part<'a>);

        impl<'a> $name<'a> {
            /// Its number, from 1.
            #[must_use]
            pub fn number(self) -> u16 {
                self.0.place().$number
            }

            /// Its place.
            #[must_use]
            pub fn position(self) -> Hl7Position {
                Hl7Position { $($zero: 0,)* ..self.0.place() }
            }

            /// All of it as it stands in the text, separators and escapes included.
            #[must_use]
            pub fn raw(self) -> &'a str {
                self.0.raw(&[$(self.0.separators().$stop),*])
            }

            /// Its primitive value: the first subcomponent of the first component,
            /// escapes read; empty if other parts alone are there.
            #[must_use]
            pub fn text(self) -> Cow<'a, str> {
                self.0.text(|_leaf| true $(&& _leaf.$zero == 1)*)
            }

            /// Its leaves, as they stand in the text.
            pub fn leaves(self) -> impl Iterator<Item = (Hl7Position, &'a str)> {
                let Part { segment, leaves } = self.0;
                let text = |leaf| segment.message.leaf_text(leaf);
                leaves.iter().map(move |leaf| (segment.place(leaf), text(leaf)))
            }
        }
    )+};
}

parts! {
    /// A field in which something stands.
    Field stops [field] number field zero [repetition component subcomponent];
    /// One repetition of a field.
    Repetition stops [field repetition] number repetition zero [component subcomponent];
    /// One component of a repetition.
    Component stops [field repetition component] number component zero [subcomponent];
    /// One subcomponent: a leaf.
    Subcomponent stops [field repetition component subcomponent] number subcomponent zero [];
}

impl<'a> Field<'a> {
    /// The repetitions in which anything stands.
    pub fn repetitions(self) -> impl Iterator<Item = Repetition<'a>> {
        let Part { segment, leaves } = self.0;
        leaves
            .chunk_by(|a, b| a.repetition == b.repetition)
            .map(move |leaves| Repetition(Part { segment, leaves }))
    }

    /// A repetition, if anything stands in it.
    #[must_use]
    pub fn repetition(self, number: u16) -> Option<Repetition<'a>> {
        let leaves = part(self.0.leaves, number, |leaf| leaf.repetition)?;
        Some(Repetition(Part { leaves, ..self.0 }))
    }

    /// A component of the first repetition.
    #[must_use]
    pub fn component(self, number: u16) -> Option<Component<'a>> {
        self.repetition(1)?.component(number)
    }
}

impl<'a> Repetition<'a> {
    /// The components in which anything stands.
    pub fn components(self) -> impl Iterator<Item = Component<'a>> {
        let Part { segment, leaves } = self.0;
        leaves
            .chunk_by(|a, b| a.component == b.component)
            .map(move |leaves| Component(Part { segment, leaves }))
    }

    /// A component, if anything stands in it.
    #[must_use]
    pub fn component(self, number: u16) -> Option<Component<'a>> {
        let leaves = part(self.0.leaves, number, |leaf| leaf.component)?;
        Some(Component(Part { leaves, ..self.0 }))
    }
}

impl<'a> Component<'a> {
    /// The subcomponents in which anything stands.
    pub fn subcomponents(self) -> impl Iterator<Item = Subcomponent<'a>> {
        let Part { segment, leaves } = self.0;
        leaves.chunks(1).map(move |leaves| Subcomponent(Part { segment, leaves }))
    }

    /// A subcomponent, if anything stands in it.
    #[must_use]
    pub fn subcomponent(self, number: u16) -> Option<Subcomponent<'a>> {
        let leaves = part(self.0.leaves, number, |leaf| leaf.subcomponent)?;
        Some(Subcomponent(Part { leaves, ..self.0 }))
    }
}
