//! JSON read strictly: no duplicate keys, nothing behind the value, bounded in
//! bytes, depth and count.
//!
//! Standard: RFC 8259; RFC 7493 section 2.3 (I-JSON: names are unique). Errors name
//! the byte, never a key: a key may be somebody's number.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::vocabulary::{Fault, Position};

/// serde_json refuses at its own 128th level, and ours must speak first.
const DEPTH_MAX: usize = 120;

/// What one JSON text may hold at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes; default 1,048,576.
    pub bytes_max: usize,
    /// Levels of arrays and objects, at most 120; default 32.
    pub depth_max: usize,
    /// Values, arrays and objects included; default 100,000.
    pub values_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes_max: 1_048_576, depth_max: 32, values_max: 100_000 }
    }
}

/// Why bytes are not acceptable JSON, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} at {at}", .fault.row().en)]
pub struct JsonError {
    fault: Fault,
    at: Position,
}

impl JsonError {
    /// What the peer is told.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        self.fault
    }

    /// Where in the body it stood: the byte at which reading stopped.
    #[must_use]
    pub const fn position(&self) -> &Position {
        &self.at
    }
}

/// Reads one JSON value.
///
/// # Errors
/// [`JsonError`]: `limit`, `character-set` (not UTF-8), or `malformed`.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Value, JsonError> {
    let error = |fault, at| JsonError { fault, at: Position::Byte(at) };
    if bytes.len() > limits.bytes_max {
        return Err(error(Fault::Limit, limits.bytes_max));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|wrong| error(Fault::CharacterSet, wrong.valid_up_to()))?;
    let budget = Budget {
        depth: limits.depth_max.min(DEPTH_MAX),
        values: Cell::new(limits.values_max),
        exceeded: Cell::new(false),
    };
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = Strict { budget: &budget, depth: 0 }.deserialize(&mut reader);
    read.and_then(|value| reader.end().map(|()| value)).map_err(|wrong| {
        let fault = if budget.exceeded.get() { Fault::Limit } else { Fault::Malformed };
        error(fault, byte_of(text, wrong.line(), wrong.column()))
    })
}

/// serde_json counts lines from 1 and bytes in them from 1.
fn byte_of(text: &str, line: usize, column: usize) -> usize {
    let before = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len);
    (before.sum::<usize>() + column.saturating_sub(1)).min(text.len())
}

/// What is left to spend on one text.
struct Budget {
    depth: usize,
    values: Cell<usize>,
    exceeded: Cell<bool>,
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    budget: &'a Budget,
    depth: usize,
}

impl Strict<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= self.budget.depth {
            self.budget.exceeded.set(true);
            return Err(E::custom("too deep"));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        let Some(left) = self.budget.values.get().checked_sub(1) else {
            self.budget.exceeded.set(true);
            return Err(D::Error::custom("too many values"));
        };
        self.budget.values.set(left);
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom("a key stands twice"));
            }
            let value = entries.next_value_seed(inner)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &[u8], expected: Result<(), (Fault, usize)>) {
        let limits = Limits { bytes_max: 300_000, depth_max: 4, values_max: 8 };
        let outcome = read(text, &limits).map(|_| ());
        let expected = expected.map_err(|(fault, at)| JsonError { fault, at: Position::Byte(at) });
        assert_eq!(outcome, expected, "{:?}", text.get(..text.len().min(40)));
    }

    #[test]
    fn what_is_not_strictly_json_is_refused_at_its_byte() {
        check(br#"{"a":[1,-2,3.5,"x",null,true]}"#, Ok(()));
        check(b" [] \n", Ok(()));
        check(b"", Err((Fault::Malformed, 0)));
        check(b"{}{}", Err((Fault::Malformed, 2)));
        check(b"{} x", Err((Fault::Malformed, 3)));
        check(b"[1,]", Err((Fault::Malformed, 3)));
        check(b"[01]", Err((Fault::Malformed, 2)));
        check(b"[NaN]", Err((Fault::Malformed, 1)));
        check(b"\xEF\xBB\xBF{}", Err((Fault::Malformed, 0)));
        check(b"[\"\xD5\xC5\"]", Err((Fault::CharacterSet, 2)));
        check(b"[1e999]", Err((Fault::Malformed, 5)));
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_however_it_is_spelled() {
        check(br#"{"a":1,"a":2}"#, Err((Fault::Malformed, 9)));
        check(br#"{"a":1,"\u0061":2}"#, Err((Fault::Malformed, 14)));
        check(br#"{"x":{"a":1,"b":2,"a":3}}"#, Err((Fault::Malformed, 20)));
        check(br#"{"a":{"a":1}}"#, Ok(()));
    }

    #[test]
    fn limits_hold_and_depth_never_reaches_the_stack() {
        check(b"[[[[]]]]", Ok(()));
        check(b"[[[[[]]]]]", Err((Fault::Limit, 5)));
        check(&b"[".repeat(100_000), Err((Fault::Limit, 4)));
        check(&br#"{"a":"#.repeat(50_000), Err((Fault::Limit, 20)));
        check(b"[1,2,3,4,5,6,7,8]", Err((Fault::Limit, 14)));
        check(&b"[".repeat(300_001), Err((Fault::Limit, 300_000)));
        let deep = Limits { depth_max: usize::MAX, ..Limits::default() };
        let outcome = read(&b"[".repeat(100_000), &deep);
        assert_eq!(outcome.map_err(|error| error.fault()), Err(Fault::Limit));
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = read(&bytes, &Limits::default());
        }

        #[test]
        fn what_is_read_is_what_serde_json_reads(text in r#"[\[\]{}:,"a1\-.e tru]{0,24}"#) {
            if let Ok(value) = read(text.as_bytes(), &Limits::default()) {
                prop_assert_eq!(serde_json::from_str::<Value>(&text).ok(), Some(value));
            }
        }
    }
}
