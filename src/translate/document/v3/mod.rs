//! HL7 v3 data types as elements: CDA and the messages of the two Chinese platforms.
//!
//! | row | regional platform, PIXV3, CDA | hospital platform |
//! | --- | --- | --- |
//! | `code` | `@code` `@codeSystem` `@codeSystemName` `@displayName` | `displayName/@value` |
//! | `identifier` | `@root` `@extension` `@assigningAuthorityName` | the same |
//! | `date`, `boolean` | `@value` | the same |
//! | `quantity` | `@value` `@unit` | the same |
//! | `text`, `bytes` | text of the element | `@value` |
//! | `telecom` | `@value`, `tel:` is left out | `item/@value` |
//! | `name` | text, or `family` and `given` | `item/part/@value` |
//! | `address` | text, or its parts | `item/part[@type]/@value` |
//! | `observation` | by `@xsi:type` | the same |
//!
//! A row whose path ends in `@name` or `#text` is that one string. Where the last step is
//! `value`, the type is written as `@xsi:type`; `shape` names another than the usual one
//! (`CD`, `PQ`, `TS`, `ST`, `BL`). The shape `parts` of a name or address writes its parts.
//! `system` is the OID that `@codeSystem` or `@root` holds, `named` its printed name.

mod composite;

use super::json;
use super::plan::DocumentRow;
use super::syntax::{Sent, Syntax};
use crate::translate::plan::{Bin, Codes, Read};
use crate::translate::reading::with_authority;
use crate::translate::value::{self, Wrong};
use crate::vocabulary::code::Original;
use crate::vocabulary::value::Quantity;
use crate::vocabulary::{Coding, Date, Identifier, IdentifierKind, Value};
use crate::wire::Tree;

/// `cda`, `v3-pix`, `v3-regional`, `v3-hospital`.
#[derive(Debug)]
pub(in crate::translate) struct V3 {
    /// Whether names, addresses and display names are those of the hospital platforms.
    pub hospital: bool,
}

/// What a value keeps of the document.
type Used<'u, 't> = &'u mut Vec<&'t Tree>;

impl Syntax for V3 {
    fn is_xml(&self) -> bool {
        true
    }

    fn is_closed(&self) -> bool {
        true
    }

    fn lists(&self, path: &[&str]) -> bool {
        path.last().is_some_and(|name| !name.starts_with(['@', '#']))
    }

    fn shapes(&self, read: &Read, name: &str) -> Option<&'static [&'static str]> {
        Some(match read {
            Read::Organization | Read::Person | Read::Place => return None,
            Read::Address | Read::Name(_) => &["parts"],
            _ if name != "value" => &[],
            Read::Code(_) => &["CE", "CO", "CS", "CV"],
            Read::Quantity => &["INT", "REAL"],
            Read::Text => &["ED", "SC"],
            _ => &[],
        })
    }

    fn read<'t>(
        &self,
        row: &DocumentRow,
        (tree, sent): (&'t Tree, Sent<'_>),
        used: &mut Vec<&'t Tree>,
    ) -> Result<Value, Wrong> {
        let before = used.len();
        let value = match tree {
            Tree::Map(_) => self.element((row, &row.meaning.read), tree, (sent, used)),
            Tree::Text(text) if !text.is_empty() => {
                used.push(tree);
                scalar(&row.meaning.read, text, sent)
            }
            _ => Err(Wrong::Absent),
        };
        match value {
            Ok(value) => {
                used.extend(tree.get("@xsi:type"));
                Ok(value)
            }
            Err(wrong) => {
                used.truncate(before);
                Err(wrong)
            }
        }
    }

    fn write(&self, row: &DocumentRow, value: &Value) -> Option<Tree> {
        match &row.meaning.read {
            read if row.name().starts_with(['@', '#']) => {
                written_scalar(read, value).map(Tree::Text)
            }
            Read::Observation(by_type) => {
                let (_, read) = by_type.holding(value)?;
                self.written(row, &read, value)
            }
            read => self.written(row, read, value),
        }
    }

    fn noise(&self, name: &str) -> Option<Bin> {
        match name {
            // The name of a coding system repeats its OID.
            "@codeSystemName" | "@codeSystemVersion" | "@displayName" => Some(Bin::Carried),
            "@nullFlavor" => Some(Bin::Carried),
            _ => None,
        }
    }
}

impl V3 {
    fn element<'t>(
        &self,
        (row, read): (&DocumentRow, &Read),
        tree: &'t Tree,
        (sent, used): (Sent<'_>, Used<'_, 't>),
    ) -> Result<Value, Wrong> {
        Ok(match read {
            Read::Code(codes) => Value::Code(self.coding(row, codes, (tree, used))?),
            Read::Identifier(kind) => {
                let kind = kind.unwrap_or(IdentifierKind::Other);
                let found = identifier(row, (tree, used), kind).ok_or(Wrong::Absent)?;
                Value::Identifier(with_authority(found, sent.overlay, sent.source))
            }
            Read::Date => Value::Date(self::date(take(tree, "@value", used)?, sent)?),
            Read::Boolean => match take(tree, "@value", used)? {
                "true" => Value::Boolean(true),
                "false" => Value::Boolean(false),
                _ => return Err(Wrong::Type),
            },
            Read::Quantity => Value::Quantity(quantity(tree, (sent, used))?),
            Read::Text | Read::Bytes => {
                let name = if tree.get("#text").is_some() { "#text" } else { "@value" };
                json::line(read, take(tree, name, used)?, sent)?
            }
            Read::Address => Value::Address(composite::address(tree, used).ok_or(Wrong::Absent)?),
            Read::Name(_) => Value::Name(composite::name(tree, used).ok_or(Wrong::Absent)?),
            Read::Telecom => Value::Telecom(composite::telecom(tree, used).ok_or(Wrong::Absent)?),
            Read::Observation(by_type) => {
                let typed = tree.get("@xsi:type").and_then(Tree::text).unwrap_or_default();
                let (_, read) = by_type.typed(typed).ok_or(Wrong::Absent)?;
                return self.element((row, &read), tree, (sent, used));
            }
            Read::Organization | Read::Person | Read::Place => return Err(Wrong::Type),
        })
    }

    /// CD and what is made of it: code, system, what it says.
    fn coding<'t>(
        &self,
        row: &DocumentRow,
        codes: &Codes,
        (tree, used): (&'t Tree, Used<'_, 't>),
    ) -> Result<Coding, Wrong> {
        let inner = |name: &str| tree.get(name)?.item(0)?.get("@value");
        let sent = filled(tree.get("@code"));
        let display = filled(tree.get("@displayName")).or_else(|| filled(inner("displayName")));
        let system = filled(tree.get("@codeSystem"));
        if sent.is_none() && display.is_none() {
            return Err(Wrong::Absent);
        }
        let text = |tree: Option<&Tree>| tree.and_then(Tree::text).map(str::to_owned);
        let plain = text(sent);
        let foreign = system.and_then(Tree::text).is_some_and(|name| row.is_foreign(name.trim()));
        let listed = |code| match foreign {
            true => codes.tables.foreign(code),
            false => codes.tables.read(code),
        };
        let code = plain.as_deref().and_then(listed).map(str::to_owned);
        if plain.is_some() && code.is_none() && codes.refuse {
            return Err(Wrong::Code);
        }
        let implied = row.system.is_some() && row.system == text(system);
        let other =
            if implied { None } else { text(system).filter(|_| !row.implies("@codeSystem")) };
        let differs = code != plain || other.is_some();
        let own = other.or_else(|| row.system.clone());
        let system = system.filter(|_| implied || differs);
        let original = plain.filter(|_| differs).map(|code| Original::new(code, own));
        used.extend([sent, display, system].into_iter().flatten());
        used.extend(
            filled(tree.get("@codeSystemName")).filter(|name| name.text() == row.named.as_deref()),
        );
        Ok(Coding { code, display: text(display), original })
    }

    fn coded(
        &self,
        row: &DocumentRow,
        codes: &Codes,
        coding: &Coding,
    ) -> Option<Vec<(String, Tree)>> {
        let original = coding.original.as_ref().filter(|original| !original.code.is_empty());
        let foreign = original.and_then(|original| original.system.as_deref());
        let foreign = foreign.filter(|name| is_oid(name) && Some(*name) != row.system.as_deref());
        let own = original.filter(|original| {
            foreign.is_some() || coding.code.is_none() || original.system == row.system
        });
        let code = match own {
            Some(original) => Some(original.code.as_str()),
            None => coding.code.as_deref().and_then(|code| codes.tables.write(code)),
        };
        let display = coding.display.as_deref();
        if code.is_none() && display.is_none() {
            return None;
        }
        let system = foreign.or(row.system.as_deref()).filter(|_| !row.implies("@codeSystem"));
        let named = row.named.as_deref().filter(|_| foreign.is_none());
        let pairs = [
            ("@xsi:type", self.typed(row, "CD")),
            ("@code", code),
            ("@codeSystem", system.filter(|_| code.is_some())),
            ("@codeSystemName", named.filter(|_| code.is_some())),
            ("@displayName", display.filter(|_| !self.hospital)),
        ];
        let member = |(name, text): (&str, Option<&str>)| Some((name.to_owned(), text?.into()));
        let mut members: Vec<_> = pairs.into_iter().filter_map(member).collect();
        if let Some(display) = display.filter(|_| self.hospital) {
            let value = Tree::Map(vec![("@value".to_owned(), display.into())]);
            members.push(("displayName".to_owned(), Tree::List(vec![value])));
        }
        Some(members)
    }

    fn written(&self, row: &DocumentRow, read: &Read, value: &Value) -> Option<Tree> {
        let mut members = Vec::new();
        let mut put = |name: &str, text: Option<&str>| {
            members.extend(text.map(|text| (name.to_owned(), Tree::from(text))));
        };
        match (read, value) {
            (Read::Code(codes), Value::Code(coding)) => {
                return self.coded(row, codes, coding).map(Tree::Map);
            }
            (Read::Identifier(kind), Value::Identifier(identifier)) => {
                if kind.is_some_and(|kind| kind != identifier.kind) {
                    return None;
                }
                let authority = identifier.authority.as_deref();
                let root = row.system.as_deref().or(authority.filter(|name| is_oid(name)));
                put("@root", root.filter(|_| !row.implies("@root")));
                put("@extension", Some(&identifier.value));
                let named = authority.filter(|name| !is_oid(name) && row.system.is_none());
                put("@assigningAuthorityName", named);
            }
            (Read::Quantity, Value::Quantity(quantity)) if quantity.comparator.is_none() => {
                put("@xsi:type", self.typed(row, "PQ"));
                put("@value", Some(&quantity.number));
                put("@unit", quantity.unit.as_deref());
            }
            (Read::Date, Value::Date(date)) => {
                put("@xsi:type", self.typed(row, "TS"));
                put("@value", Some(date.as_str()));
            }
            (Read::Boolean, Value::Boolean(yes)) => {
                put("@xsi:type", self.typed(row, "BL"));
                put("@value", Some(if *yes { "true" } else { "false" }));
            }
            (Read::Text, Value::Text(_)) | (Read::Bytes, Value::Bytes(_)) => {
                let text = json::written_line(read, value);
                put("@xsi:type", self.typed(row, "ST"));
                put(if self.hospital { "@value" } else { "#text" }, text.as_deref());
            }
            (Read::Address, Value::Address(whole))
            | (Read::Name(_), Value::Name(whole))
            | (Read::Telecom, Value::Telecom(whole)) => {
                return Some(composite::write((row, read), whole, self.hospital));
            }
            _ => return None,
        }
        Some(Tree::Map(members))
    }

    /// The name of the type, where the element allows several.
    fn typed<'a>(&self, row: &'a DocumentRow, usual: &'a str) -> Option<&'a str> {
        (row.name() == "value").then(|| row.shape.as_deref().unwrap_or(usual))
    }
}

/// II: number and assigner.
fn identifier<'t>(
    row: &DocumentRow,
    (tree, used): (&'t Tree, Used<'_, 't>),
    kind: IdentifierKind,
) -> Option<Identifier> {
    let number = filled(tree.get("@extension"))?;
    let root = filled(tree.get("@root")).filter(|_| !row.implies("@root"));
    let name = filled(tree.get("@assigningAuthorityName"));
    let implied = root.is_some_and(|root| root.text() == row.system.as_deref());
    let authority = if implied { None } else { root.or(name) };
    used.push(number);
    used.extend(authority.or(root));
    let mut found = Identifier::new(kind, number.text()?);
    found.authority = authority.and_then(Tree::text).map(str::to_owned);
    Some(found)
}

/// PQ, INT, REAL.
fn quantity<'t>(tree: &'t Tree, (sent, used): (Sent<'_>, Used<'_, 't>)) -> Result<Quantity, Wrong> {
    let text = take(tree, "@value", used)?;
    let mut quantity = value::quantity(value::trimmed(text, sent.overlay))?;
    if quantity.comparator.is_some() {
        return Err(Wrong::Type);
    }
    let unit = filled(tree.get("@unit"));
    used.extend(unit);
    quantity.unit = unit.and_then(Tree::text).map(str::to_owned);
    Ok(quantity)
}

fn date(text: &str, sent: Sent<'_>) -> Result<Date, Wrong> {
    // The registries beside the messages write `2013-09-30T02:00:01Z` (XML Schema dateTime).
    value::date(text, sent.overlay).or_else(|wrong| Date::parse_iso(text).map_err(|_| wrong))
}

/// A value that is one attribute or text.
fn scalar(read: &Read, text: &str, sent: Sent<'_>) -> Result<Value, Wrong> {
    Ok(match read {
        Read::Boolean => match text {
            "true" => Value::Boolean(true),
            "false" => Value::Boolean(false),
            _ => return Err(Wrong::Type),
        },
        Read::Date => Value::Date(date(text, sent)?),
        Read::Quantity => Value::Quantity(value::quantity(value::trimmed(text, sent.overlay))?),
        _ => json::line(read, text, sent)?,
    })
}

fn written_scalar(read: &Read, value: &Value) -> Option<String> {
    Some(match (read, value) {
        (Read::Boolean, Value::Boolean(yes)) => yes.to_string(),
        (Read::Date, Value::Date(date)) => date.as_str().to_owned(),
        (Read::Quantity, Value::Quantity(quantity)) => {
            format!("{}{}", quantity.comparator.as_deref().unwrap_or_default(), quantity.number)
        }
        _ => json::written_line(read, value)?,
    })
}

/// The text of a member, which the value keeps.
fn take<'t>(tree: &'t Tree, name: &str, used: Used<'_, 't>) -> Result<&'t str, Wrong> {
    let found = filled(tree.get(name)).ok_or(Wrong::Absent)?;
    used.push(found);
    found.text().ok_or(Wrong::Absent)
}

fn filled(tree: Option<&Tree>) -> Option<&Tree> {
    tree.filter(|tree| tree.text().is_some_and(|text| !text.is_empty()))
}

/// Digits and dots, as ISO 8824 writes an object identifier.
fn is_oid(text: &str) -> bool {
    text.contains('.') && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}
