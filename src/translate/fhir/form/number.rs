//! Quantity, Money, numbers and bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Forms, Shape, map};
use crate::translate::fhir::leaves::Leaves;
use crate::translate::fhir::plan::FhirRow;
use crate::translate::value::{is_number, quantity};
use crate::vocabulary::value::Quantity;
use crate::wire::Tree;

/// The code system of units.
const UCUM: &str = "http://unitsofmeasure.org";

/// A number as JSON writes it; HL7 v2 allows `+5`, `.5`, `5.` and `05`.
pub(super) fn plain_number(text: &str) -> Option<Tree> {
    if !is_number(text) {
        return None;
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.trim_start_matches('+')),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    Some(Tree::Number(format!("{sign}{whole}{point}{fraction}")))
}

/// The seconds of a UCUM unit of time that always lasts as long.
fn duration(code: &str) -> Option<u64> {
    let units = [("s", 1), ("min", 60), ("h", 3_600), ("d", 86_400), ("wk", 604_800)];
    units.into_iter().find(|(unit, _)| *unit == code).map(|(_, seconds)| seconds)
}

/// A number of one of FHIR's numeric types.
fn number_of(of: &str, text: &str) -> Option<Tree> {
    let number = plain_number(text)?;
    let Tree::Number(digits) = &number else { return None };
    let fits = match of {
        "decimal" => true,
        "integer" => digits.parse::<i32>().is_ok(),
        "positiveInt" => digits.parse::<i32>().is_ok_and(|number| number > 0),
        _ => digits.parse::<i32>().is_ok_and(|number| number >= 0),
    };
    fits.then_some(number)
}

/// Bytes in base64; as an attachment with the kind their first bytes show.
pub(super) fn bytes(shape: Shape, bytes: &[u8]) -> Tree {
    let data = Tree::from(STANDARD.encode(bytes));
    if shape == Shape::Bytes {
        return data;
    }
    // FHIR R4 invariant att-1: data has a content type.
    map([("contentType", Some(kind(bytes).into())), ("data", Some(data))])
}

fn kind(bytes: &[u8]) -> &'static str {
    let signs: [(&[u8], &str); 6] = [
        (b"%PDF", "application/pdf"),
        (b"\x89PNG", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"{\\rtf", "application/rtf"),
        (b"<?xml", "application/xml"),
        (b"<ClinicalDocument", "application/xml"),
    ];
    let known = signs.into_iter().find(|(sign, _)| bytes.starts_with(sign));
    known.map_or_else(
        || match std::str::from_utf8(bytes) {
            Ok(_) => "text/plain",
            Err(_) => "application/octet-stream",
        },
        |(_, kind)| kind,
    )
}

pub(super) fn read_bytes<'t>(
    shape: Shape,
    tree: &'t Tree,
    leaves: &mut Leaves<'t>,
) -> Option<Vec<u8>> {
    let data = if shape == Shape::Bytes { tree } else { tree.get("data")? };
    let bytes = STANDARD.decode(data.text()?).ok()?;
    leaves.text(data)?;
    // Said again by the bytes themselves when it is written.
    let stated = tree.get("contentType").filter(|stated| stated.text() == Some(kind(&bytes)));
    if let Some(stated) = stated {
        leaves.text(stated);
    }
    Some(bytes)
}

impl Forms<'_> {
    pub(super) fn quantity(self, row: &FhirRow, quantity: &Quantity) -> Option<Tree> {
        let unit = quantity.unit.as_deref().or(row.unit.as_deref());
        match row.shape {
            Shape::Number => {
                let number = self.converted(row, quantity)?;
                number_of(&row.of, &number)
            }
            // The unit alone, beside its number: units of time in a Timing.
            Shape::Code => {
                let unit = unit?;
                let code = self.plan.units.get(unit).map_or(unit, String::as_str);
                matches!(code, "s" | "min" | "h" | "d" | "wk" | "mo" | "a").then(|| code.into())
            }
            Shape::Money => {
                let currency = |text: &&str| {
                    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
                };
                let currency = unit.filter(currency).map(Tree::from);
                let value = plain_number(&quantity.number)?;
                Some(map([("value", Some(value)), ("currency", currency)]))
            }
            Shape::Text => {
                let comparator = quantity.comparator.as_deref().unwrap_or_default();
                let space = if unit.is_some() { " " } else { "" };
                let unit = unit.unwrap_or_default();
                Some(format!("{comparator}{}{space}{unit}", quantity.number).into())
            }
            _ => {
                let value = plain_number(&quantity.number)?;
                let ucum = unit.and_then(|unit| self.plan.units.get(unit));
                Some(map([
                    ("value", Some(value)),
                    ("comparator", quantity.comparator.as_deref().map(Tree::from)),
                    ("unit", unit.map(Tree::from)),
                    ("system", ucum.map(|_| UCUM.into())),
                    ("code", ucum.map(|code| code.as_str().into())),
                ]))
            }
        }
    }

    /// The number in the unit its place has; `None` if it is no whole number of them.
    fn converted(self, row: &FhirRow, quantity: &Quantity) -> Option<String> {
        let seconds = |unit: &Option<String>| {
            let unit = unit.as_deref()?;
            duration(self.plan.units.get(unit).map_or(unit, String::as_str))
        };
        let (Some(from), Some(to)) = (seconds(&quantity.unit), seconds(&row.unit)) else {
            return Some(quantity.number.clone());
        };
        if from == to {
            return Some(quantity.number.clone());
        }
        let all = quantity.number.parse::<u64>().ok()?.checked_mul(from)?;
        (all % to == 0).then(|| (all / to).to_string())
    }

    pub(super) fn read_quantity<'t>(
        self,
        row: &FhirRow,
        tree: &'t Tree,
        leaves: &mut Leaves<'t>,
    ) -> Option<Quantity> {
        let plain = |number: String| Quantity { number, comparator: None, unit: None };
        match row.shape {
            Shape::Code => None,
            Shape::Number => leaves.text(tree).map(plain),
            Shape::Text => {
                let read = quantity(tree.text()?).ok()?;
                leaves.text(tree).map(|_| read)
            }
            Shape::Money => {
                let number = leaves.member(tree, "value")?;
                let unit = leaves.member(tree, "currency");
                Some(Quantity { unit, ..plain(number) })
            }
            _ => {
                let Tree::Number(_) = tree.get("value")? else { return None };
                let number = leaves.member(tree, "value")?;
                let comparator = leaves.member(tree, "comparator");
                let text = |name: &str| tree.get(name).and_then(Tree::text);
                let ucum = text("code").filter(|_| text("system") == Some(UCUM));
                let unit = leaves.member(tree, "unit").or_else(|| ucum.map(str::to_owned));
                // Both are written again where the table knows the unit.
                let known = unit.as_ref().and_then(|unit| self.plan.units.get(unit));
                if ucum.is_some() && (known.map(String::as_str) == ucum || text("unit").is_none()) {
                    leaves.member(tree, "system");
                    leaves.member(tree, "code");
                }
                Some(Quantity { number, comparator, unit })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_hl7_is_written_as_json_has_it() {
        for (text, number) in
            [("7.10", "7.10"), ("+5", "5"), (".5", "0.5"), ("5.", "5"), ("-05", "-5"), ("0", "0")]
        {
            assert_eq!(plain_number(text), Some(Tree::Number(number.to_owned())));
        }
        assert_eq!(plain_number("5e3"), None);
        assert_eq!(number_of("positiveInt", "0"), None);
        assert_eq!(number_of("integer", "1.5"), None);
    }
}
