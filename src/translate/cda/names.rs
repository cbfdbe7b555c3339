//! The elements the reader and the writer of documents use by name.

use crate::vocabulary::ElementId;

macro_rules! elements {
    ($($name:ident $id:literal;)+) => {
        $(pub(super) const $name: ElementId = ElementId::fixed($id);)+

        /// All of them, so that a pack without one is refused when it is read.
        pub(super) const ALL: &[ElementId] = &[$($name),+];
    };
}

elements! {
    BODY "MZ.document.body";
    DOCUMENT_ID "MZ.document.id";
    DOCUMENT_TIME "MZ.document.time";
    DOCUMENT_TYPE "MZ.document.type";
    ENTRY_NAME "MZ.document.entry-name";
    ITEM "MZ.document.item";
    ITEM_BOOLEAN "MZ.document.item-boolean";
    ITEM_BYTES "MZ.document.item-bytes";
    ITEM_CODE "MZ.document.item-code";
    ITEM_DATE "MZ.document.item-date";
    ITEM_QUANTITY "MZ.document.item-quantity";
    ITEM_TEXT "MZ.document.item-text";
    OTHER_ID "MZ.document.other-id";
    PARTICIPANT_ADDRESS "MZ.participant.address";
    PARTICIPANT_ORGANIZATION "MZ.participant.organization";
    PARTICIPANT_PERSON "MZ.participant.person";
    PARTICIPANT_PHONE "MZ.participant.phone";
    PARTICIPANT_POSITION "MZ.participant.position";
    PARTICIPANT_TIME "MZ.participant.time";
    PARTICIPANT_TITLE "MZ.participant.title";
    PARTICIPANT_TYPE "MZ.participant.type";
    PARTICIPANT_WORDS "MZ.participant.words";
    SECTION "MZ.document.section";
    SECTION_TITLE "MZ.document.section-title";
    STATEMENT "MZ.document.statement";
}
