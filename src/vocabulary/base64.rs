//! Bytes in a kept record: base64 text, as every format that carries them has it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserializer, Serializer};

/// Bytes as base64 text.
pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

/// From base64 text, or from the list of numbers that records once had.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    struct Bytes;

    impl<'de> Visitor<'de> for Bytes {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("base64 text")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Vec<u8>, E> {
            STANDARD.decode(text).map_err(|_| E::custom("not base64"))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<u8>, A::Error> {
            let mut bytes = Vec::new();
            while let Some(byte) = list.next_element()? {
                bytes.push(byte);
            }
            Ok(bytes)
        }
    }

    deserializer.deserialize_any(Bytes)
}

#[cfg(test)]
mod tests {
    use crate::vocabulary::Value;

    #[test]
    fn bytes_are_kept_as_base64_and_old_lists_are_still_read() {
        let value = Value::Bytes(b"%PDF".to_vec());
        let kept = serde_json::to_string(&value).unwrap();
        assert_eq!(kept, r#"{"t":"bytes","v":"JVBERg=="}"#);
        for text in [kept.as_str(), r#"{"t":"bytes","v":[37,80,68,70]}"#] {
            assert!(serde_json::from_str::<Value>(text).unwrap() == value);
        }
        assert!(serde_json::from_str::<Value>(r#"{"t":"bytes","v":"?"}"#).is_err());
    }
}
