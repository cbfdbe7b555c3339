//! HL7 v3 消息, what a message of the exchange services is beside its mapping file: the
//! document inside it, the two persons of a merge.

use super::Pack;
use super::form::Form;
use crate::vocabulary::{Dataset, Record};
use crate::wire::xml::Document;

/// The dataset of a person as a query is answered with one.
pub const FOUND: Dataset = Dataset::fixed("person-found");

/// A record of the elements of a person, as a reply of that form holds it; `None` if the
/// form has no file for it.
#[must_use]
pub fn write(_pack: &Pack, _form: Form, _record: Record) -> Option<Document> {
    None
}
