//! Bytes to messages and back: character sets, MLLP frames, HL7 v2, strict JSON and XML.
//!
//! Knows no mapping, no person and no socket. What cannot be read is refused by
//! position; a value never stands in an error.

pub mod card;
pub mod charset;
pub mod hl7v2;
pub mod json;
pub mod mllp;
pub mod soap;
pub mod syslog;
pub mod tree;
pub mod xml;

pub use charset::Charset;
pub use tree::Tree;
