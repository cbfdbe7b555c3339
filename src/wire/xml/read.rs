//! From bytes to a tree, event by event, and what is wrong where.

use std::borrow::Cow;
use std::sync::Arc;

use quick_xml::XmlVersion;
use quick_xml::errors::{Error, IllFormedError};
use quick_xml::escape::{resolve_xml_entity, unescape};
use quick_xml::events::attributes::{AttrError, Attribute};
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, NamespaceError, QName, ResolveResult};
use quick_xml::reader::NsReader;

use super::{Document, Limits, Tree, XSI, XmlError, decode};
use crate::vocabulary::{Fault, Position};

/// Dropping a tree recurses; a deeper one is refused whatever the settings say.
const DEPTH_MAX: usize = 120;

/// Names of attributes, and of children, one element may have: both are searched in turn.
const NAMES_MAX: usize = 256;

/// The namespace of `xml:lang`, bound without being declared.
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// Reads one document.
///
/// # Errors
/// [`XmlError`]: `limit`, or one of the faults named `xml-…`.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Document, XmlError> {
    if bytes.len() > limits.bytes_max {
        return Err(XmlError { fault: Fault::Limit, at: Position::place(1, 1) });
    }
    let text = decode::decode(bytes)?;
    let mut walk = Walk { text: &text, limits, nodes: 0, open: Vec::new(), done: None };
    walk.run().map_err(|(fault, at)| XmlError { fault, at: place(&text, at) })
}

/// Line and column of a byte of the decoded text.
fn place(text: &str, at: usize) -> Position {
    let before = text.get(..at.min(text.len())).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position::place(line, before.get(start..).unwrap_or_default().chars().count() + 1)
}

/// What is wrong, and at which byte.
type Wrong = (Fault, usize);

/// An element whose end has not come yet.
struct Open {
    name: String,
    namespace: Option<Arc<str>>,
    members: Vec<(String, Tree)>,
    attributes: usize,
    text: String,
    /// The part of the text whose outer white space was written on purpose.
    solid: Option<(usize, usize)>,
}

struct Walk<'t> {
    text: &'t str,
    limits: &'t Limits,
    nodes: usize,
    open: Vec<Open>,
    done: Option<Document>,
}

impl Walk<'_> {
    fn run(&mut self) -> Result<Document, Wrong> {
        if let Some((at, _)) = self.text.char_indices().find(|(_, sign)| !is_character(*sign)) {
            return Err((Fault::XmlCharacter, at));
        }
        let text = self.text;
        let mut reader = NsReader::from_str(text);
        reader.config_mut().check_comments = true;
        reader.config_mut().allow_dangling_amp = true;
        loop {
            let at = offset(reader.buffer_position());
            let event = reader.read_event().map_err(|error| {
                let shown = offset(reader.error_position());
                (fault_of(&error), if shown > 0 { shown } else { at })
            })?;
            match event {
                Event::Start(tag) => self.start(&reader, &tag, at)?,
                Event::Empty(tag) => {
                    self.start(&reader, &tag, at)?;
                    self.end(at)?;
                }
                Event::End(_) => self.end(at)?,
                Event::Text(text) => self.characters(&text, at)?,
                Event::CData(text) => self.add(&text.xml10_content(), true, at)?,
                Event::GeneralRef(name) => {
                    let text = referenced(&name).ok_or((Fault::XmlEntity, at))?;
                    self.add(&text, true, at)?;
                }
                Event::Decl(head) => {
                    let sound = at == 0 && head.xml_version().is_ok();
                    sound.then_some(()).ok_or((Fault::XmlProlog, at))?;
                }
                Event::PI(pi) if pi.target().eq_ignore_ascii_case("xml") => {
                    return Err((Fault::XmlProlog, at));
                }
                Event::Comment(_) | Event::PI(_) => (),
                Event::DocType(_) => return Err((Fault::XmlDoctype, at)),
                Event::Eof => break,
            }
        }
        if !self.open.is_empty() {
            return Err((Fault::XmlUnclosed, text.len()));
        }
        self.done.take().ok_or((Fault::XmlNotWellFormed, text.len()))
    }

    fn start(
        &mut self,
        reader: &NsReader<&[u8]>,
        tag: &BytesStart<'_>,
        at: usize,
    ) -> Result<(), Wrong> {
        if self.done.is_some() {
            return Err((Fault::XmlNotWellFormed, at));
        }
        if self.open.len() >= self.limits.depth_max.min(DEPTH_MAX) {
            return Err((Fault::Limit, at));
        }
        self.count(at)?;
        let name = tag.name();
        if !is_name(name.as_ref()) {
            return Err((Fault::XmlNotWellFormed, at));
        }
        let (bound, local) = reader.resolver().resolve_element(name);
        let parent = self.open.last().and_then(|open| open.namespace.clone());
        let namespace = match uri(bound).map_err(|fault| (fault, at))? {
            Some(found) if parent.as_deref() == Some(&*found) => parent.clone(),
            found => found.map(Arc::from),
        };
        let mut open = Open {
            name: local.as_ref().to_owned(),
            namespace,
            members: Vec::new(),
            attributes: 0,
            text: String::new(),
            solid: None,
        };
        if !self.open.is_empty() && open.namespace != parent {
            let changed = open.namespace.as_deref().unwrap_or_default();
            open.members.push(("@xmlns".to_owned(), changed.into()));
        }
        self.attributes(reader, (tag, at), &mut open)?;
        open.attributes = open.members.len();
        self.open.push(open);
        Ok(())
    }

    fn attributes(
        &mut self,
        reader: &NsReader<&[u8]>,
        (tag, at): (&BytesStart<'_>, usize),
        open: &mut Open,
    ) -> Result<(), Wrong> {
        let raw = tag.attributes_raw();
        // The tag's own content begins behind `<`, its attributes behind the name.
        let begin = at + 1 + tag.name().as_ref().len();
        for (number, attribute) in tag.attributes().enumerate() {
            let attribute = attribute.map_err(|error| wrong_attribute(&error, at + 1))?;
            let key = attribute.key.as_ref();
            let inside = key.as_ptr().addr().saturating_sub(raw.as_ptr().addr());
            let spot = begin + inside;
            let before = raw.get(..inside).and_then(|before| before.chars().next_back());
            if !before.is_some_and(is_space) || !is_name(key) || attribute.value.contains('<') {
                return Err((Fault::XmlNotWellFormed, spot));
            }
            if number >= NAMES_MAX {
                return Err((Fault::Limit, spot));
            }
            self.count(spot)?;
            let value = normalised(&attribute).ok_or((Fault::XmlEntity, spot))?;
            if attribute.key.as_namespace_binding().is_none() {
                named(reader, attribute.key, value, open).map_err(|fault| (fault, spot))?;
            }
        }
        Ok(())
    }

    fn count(&mut self, at: usize) -> Result<(), Wrong> {
        self.nodes += 1;
        if self.nodes > self.limits.nodes_max { Err((Fault::Limit, at)) } else { Ok(()) }
    }

    fn end(&mut self, at: usize) -> Result<(), Wrong> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let (name, namespace) = (open.name.clone(), open.namespace.clone());
        let tree = open.close();
        let Some(parent) = self.open.last_mut() else {
            let namespace = namespace.as_deref().map(str::to_owned);
            self.done = Some(Document { root: name, namespace, tree });
            return Ok(());
        };
        let full = parent.members.len() - parent.attributes >= NAMES_MAX;
        let children = parent.members.iter_mut().skip(parent.attributes);
        match children.into_iter().find(|(known, _)| *known == name) {
            Some((_, Tree::List(items))) => items.push(tree),
            _ if full => return Err((Fault::Limit, at)),
            _ => parent.members.push((name, Tree::List(vec![tree]))),
        }
        Ok(())
    }

    fn characters(&mut self, text: &str, at: usize) -> Result<(), Wrong> {
        if let Some(end) = text.find("]]>") {
            return Err((Fault::XmlNotWellFormed, at + end));
        }
        if let Some(dangling) = text.find('&') {
            return Err((Fault::XmlEntity, at + dangling));
        }
        let unified = match text.contains('\r') {
            true => Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")),
            false => Cow::Borrowed(text),
        };
        self.add(&unified, false, at)
    }

    fn add(&mut self, text: &str, solid: bool, at: usize) -> Result<(), Wrong> {
        let Some(open) = self.open.last_mut() else {
            let blank = !solid && text.chars().all(is_space);
            return if blank { Ok(()) } else { Err((Fault::XmlNotWellFormed, at)) };
        };
        let start = open.text.len();
        open.text.push_str(text);
        if solid {
            let first = open.solid.map_or(start, |(first, _)| first);
            open.solid = Some((first, open.text.len()));
        }
        Ok(())
    }
}

impl Open {
    /// The element, its text between attributes and children.
    fn close(mut self) -> Tree {
        let text = self.text.trim_end_matches(is_space).len();
        let end = self.solid.map_or(text, |(_, last)| last.max(text));
        let start = self.text.len() - self.text.trim_start_matches(is_space).len();
        let start = self.solid.map_or(start, |(first, _)| first.min(start));
        let text = self.text.get(start..end).unwrap_or_default();
        if !text.is_empty() {
            self.members.insert(self.attributes, ("#text".to_owned(), text.into()));
        }
        Tree::Map(self.members)
    }
}

/// The namespace a name is in, its references resolved.
fn uri(bound: ResolveResult<'_>) -> Result<Option<Cow<'_, str>>, Fault> {
    match bound {
        ResolveResult::Unbound => Ok(None),
        ResolveResult::Unknown(_) => Err(Fault::XmlUndeclaredPrefix),
        ResolveResult::Bound(Namespace(written)) => {
            unescape(written).map(Some).map_err(|_| Fault::XmlEntity)
        }
    }
}

/// Puts an attribute under the name that paths use for it.
fn named(
    reader: &NsReader<&[u8]>,
    key: QName<'_>,
    value: String,
    open: &mut Open,
) -> Result<(), Fault> {
    let (bound, local) = reader.resolver().resolve_attribute(key);
    let local = local.as_ref();
    let mut declared = None;
    let name = match uri(bound)?.as_deref() {
        None => format!("@{local}"),
        Some(XML) => format!("@xml:{local}"),
        Some(XSI) => format!("@xsi:{local}"),
        Some(other) => {
            // Two prefixes of one namespace are two spellings of one attribute.
            let known = open.members.iter().find_map(|(name, value)| {
                name.strip_prefix("@xmlns:").filter(|_| value.text() == Some(other))
            });
            let own = || key.prefix().map(|prefix| free(prefix.as_ref(), &open.members));
            let prefix = known.map(str::to_owned).or_else(own).unwrap_or_default();
            declared = Some((format!("@xmlns:{prefix}"), Tree::from(other)));
            format!("@{prefix}:{local}")
        }
    };
    let known = |name: &str, open: &Open| open.members.iter().any(|(known, _)| known == name);
    if known(&name, open) {
        return Err(Fault::XmlDuplicateAttribute);
    }
    let bare = |text: String| text.rsplit(':').next().map(str::to_owned).unwrap_or_default();
    let value = if name == "@xsi:type" { bare(value) } else { value };
    open.members.extend(declared.filter(|(name, _)| !known(name, open)));
    open.members.push((name, value.into()));
    Ok(())
}

/// A prefix as it came, or the next one that means nothing yet: `xsi` is written for XML Schema
/// instances alone, and no prefix may mean two namespaces in one element.
fn free(prefix: &str, members: &[(String, Tree)]) -> String {
    let mut free = prefix.to_owned();
    let taken = |prefix: &str| {
        let declared = |name: &str| name.strip_prefix("@xmlns:") == Some(prefix);
        prefix == "xsi" || members.iter().any(|(name, _)| declared(name))
    };
    while taken(&free) {
        free.push('_');
    }
    free
}

/// XML 1.0 section 3.3.3; `None` if it names an entity.
fn normalised(attribute: &Attribute<'_>) -> Option<String> {
    attribute
        .normalized_value(XmlVersion::Implicit1_0)
        .ok()
        .map(Cow::into_owned)
        .filter(|text| text.chars().all(is_character))
}

/// What `&name;` stands for; `None` if it is none of the five and no character.
fn referenced(name: &quick_xml::events::BytesRef<'_>) -> Option<String> {
    match name.resolve_char_ref() {
        Ok(Some(sign)) => is_character(sign).then(|| sign.to_string()),
        Ok(None) => resolve_xml_entity(name).map(str::to_owned),
        Err(_) => None,
    }
}

fn wrong_attribute(error: &AttrError, begin: usize) -> Wrong {
    match error {
        AttrError::Duplicated(at, _) => (Fault::XmlDuplicateAttribute, begin + at),
        AttrError::UnquotedValue(at) | AttrError::ExpectedQuote(at, _) => {
            (Fault::XmlUnquotedAttribute, begin + at)
        }
        AttrError::ExpectedEq(at) | AttrError::ExpectedValue(at) => {
            (Fault::XmlNotWellFormed, begin + at)
        }
    }
}

fn fault_of(error: &Error) -> Fault {
    use quick_xml::errors::SyntaxError as Syntax;
    match error {
        Error::IllFormed(
            IllFormedError::MissingEndTag(_)
            | IllFormedError::MismatchedEndTag { .. }
            | IllFormedError::UnmatchedEndTag(_),
        )
        | Error::Syntax(Syntax::UnclosedTag | Syntax::UnclosedCData | Syntax::UnclosedComment) => {
            Fault::XmlUnclosed
        }
        Error::IllFormed(
            IllFormedError::MissingDeclVersion(_) | IllFormedError::UnknownVersion,
        )
        | Error::Syntax(Syntax::UnclosedXmlDecl | Syntax::UnclosedPI) => Fault::XmlProlog,
        Error::Syntax(Syntax::UnclosedDoctype)
        | Error::IllFormed(IllFormedError::MissingDoctypeName) => Fault::XmlDoctype,
        Error::Syntax(
            Syntax::UnclosedSingleQuotedAttributeValue | Syntax::UnclosedDoubleQuotedAttributeValue,
        ) => Fault::XmlUnquotedAttribute,
        Error::Escape(_) | Error::IllFormed(IllFormedError::UnclosedReference) => Fault::XmlEntity,
        Error::Namespace(
            NamespaceError::TooManyBindings(_) | NamespaceError::TooDeeplyNested(_),
        ) => Fault::Limit,
        Error::Namespace(NamespaceError::UnknownPrefix(_)) => Fault::XmlUndeclaredPrefix,
        _ => Fault::XmlNotWellFormed,
    }
}

/// Positions are below the length of a text in memory.
fn offset(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

/// XML 1.0 section 2.3.
pub(super) const fn is_space(sign: char) -> bool {
    matches!(sign, ' ' | '\t' | '\n' | '\r')
}

/// XML 1.0 section 2.2.
pub(super) const fn is_character(sign: char) -> bool {
    matches!(sign,
        '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// XML 1.0 section 2.3, where beyond ASCII every letter and sign of a script will do.
fn is_name(text: &str) -> bool {
    let begins = |sign: char| sign.is_alphabetic() || matches!(sign, '_' | ':');
    let goes_on = |sign: char| begins(sign) || sign.is_alphanumeric() || matches!(sign, '-' | '.');
    let beyond = |sign: char| !sign.is_ascii();
    text.chars().next().is_some_and(begins)
        && text.chars().all(|sign| goes_on(sign) || beyond(sign))
}
