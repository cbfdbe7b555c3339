//! 记录的存法, how a record is kept: MessagePack with its names, before it is sealed.
//!
//! Names stand with the values, so a record can be read by every later build. It is a quarter of
//! the work of JSON, which records were before: those begin with a brace, as no MessagePack map
//! does, and are read as they are.

use serde::Serialize;

use super::error::StoreError;
use crate::vocabulary::Record;

/// As long as most records are.
const USUAL_BYTES: usize = 8_192;

/// The bytes of a record.
///
/// # Errors
/// [`StoreError::Damaged`] if it has none.
pub fn write(record: &Record) -> Result<Vec<u8>, StoreError> {
    // Room for most: what grows is copied, and cleared where it was.
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    let mut writer = rmp_serde::Serializer::new(&mut bytes).with_struct_map();
    record.serialize(&mut writer).map_err(|_| StoreError::Damaged)?;
    Ok(bytes)
}

/// The record that bytes are.
///
/// # Errors
/// [`StoreError::Damaged`] if they are none.
pub fn read(bytes: &[u8]) -> Result<Record, StoreError> {
    if bytes.starts_with(b"{") {
        return serde_json::from_slice(bytes).map_err(|_| StoreError::Damaged);
    }
    rmp_serde::from_slice(bytes).map_err(|_| StoreError::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::position::Hl7Position;
    use crate::vocabulary::record::{Carried, Wire};
    use crate::vocabulary::value::{Composite, Quantity};
    use crate::vocabulary::{
        Coding, Dataset, Date, ElementId, Field, Group, GroupName, Identifier, IdentifierKind,
        Position, Source, Value,
    };

    /// One value of each type, at each kind of place.
    fn all() -> Record {
        let element = |name: &str| ElementId::parse(name).unwrap();
        let whole =
            || Composite { text: "金水路".into(), parts: vec!["a".into(), String::new()] };
        let values = [
            Value::Address(whole()),
            Value::Boolean(true),
            Value::Bytes(vec![0, 255, b'{']),
            Value::Code(serde_json::from_str::<Coding>(r#"{"code":"1"}"#).unwrap()),
            Value::Date(Date::parse("20261001").unwrap()),
            Value::Identifier(Identifier {
                kind: IdentifierKind::CitizenId,
                value: "1".into(),
                authority: None,
                type_code: Some("MR".into()),
                parts: vec!["1".into()],
            }),
            Value::Name(whole()),
            Value::Organization(whole()),
            Value::Person(whole()),
            Value::Place(whole()),
            Value::Quantity(Quantity {
                number: "7.10".into(),
                comparator: Some("<".into()),
                unit: None,
            }),
            Value::Telecom(whole()),
            Value::Text("\u{1F9D3}\"\\\0".into()),
        ];
        let places = [
            None,
            Some(Position::Byte(9)),
            Some(Position::Hl7(Hl7Position::segment(*b"OBX", 70_000))),
            Some(Position::Hl7(Hl7Position { subcomponent: 2, ..Hl7Position::field(*b"PID", 3) })),
            Some(Position::Place(3, 4)),
            Some(Position::Pointer("/a/0".into())),
        ];
        let fields = values.into_iter().zip(places.into_iter().cycle());
        let fields = fields
            .map(|(value, at)| Field { element: element("DE02.01.039.00"), value, at })
            .collect();
        let group =
            |parent| Group { name: GroupName::parse("record").unwrap(), parent, fields: vec![] };
        Record {
            dataset: Dataset::parse("admission").unwrap(),
            source: Source::fixed("hospital"),
            time: Some(Date::parse("2026").unwrap()),
            groups: vec![Group { fields, ..group(None) }, group(Some(0))],
            carried: vec![Carried { at: Position::Byte(0), text: "x".into() }],
            wire: Some(Wire {
                form: "hl7v2".into(),
                charset: None,
                frame: "MSH|".into(),
                bytes: vec![1],
            }),
            mappings: "v".into(),
        }
    }

    #[test]
    fn a_record_comes_back_as_it_was_and_so_does_one_kept_as_json() {
        let record = all();
        let bytes = write(&record).unwrap();
        let json = serde_json::to_vec(&record).unwrap();
        assert!(bytes.len() < json.len() && read(&bytes).unwrap() == record);
        assert!(read(&json).unwrap() == record);
        let bare = Record { time: None, carried: vec![], wire: None, groups: vec![], ..record };
        assert!(read(&write(&bare).unwrap()).unwrap() == bare);
    }

    #[test]
    fn what_is_no_record_is_damaged() {
        let bytes = write(&all()).unwrap();
        for wrong in [&b""[..], b"{", b"{}", &bytes[..bytes.len() - 1], &[0x80], &[0xC1]] {
            assert!(matches!(read(wrong), Err(StoreError::Damaged)));
        }
    }
}
