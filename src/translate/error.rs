//! Why a message did not become a record.

use crate::vocabulary::position::Hl7Position;
use crate::vocabulary::{Fault, Position};

/// Why a message did not become a record.
///
/// Variants name positions, never values: an error may be logged and answered
/// to the sender, a patient's data may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TranslateError {
    /// A value is not of its data type, in a row that is required or strict.
    #[error("{0} is not of its data type")]
    DataType(Position),
    /// Neither the mapping pack nor the caller has a dialect of that name.
    #[error("no mapping for this dialect or dataset at {0}")]
    Dialect(Position),
    /// HL7 v2 table 0357, code 101.
    #[error("required field {0} is empty")]
    Missing(Position),
    /// A segment the event requires is absent.
    #[error("required segment {0} is missing")]
    SegmentMissing(Position),
    /// A segment that may stand once stands again; two patients are never joined.
    #[error("segment {0} may stand only once")]
    SegmentRepeated(Position),
    /// A second patient; two persons are never joined.
    #[error("{0} is a second patient")]
    SubjectRepeated(Position),
    /// HL7 v2 table 0357, code 103.
    #[error("{0} holds a code its table does not list")]
    TableValue(Position),
    /// HL7 v2 table 0357, code 201.
    #[error("no mapping for the trigger event at {0}")]
    UnsupportedEvent(Position),
    /// HL7 v2 table 0357, code 200.
    #[error("no mapping for the message type at {0}")]
    UnsupportedMessage(Position),
    /// HL7 v2 table 0357, code 202: MSH-11 is neither P nor one the sender's overlay names
    /// (table 0103).
    #[error("processing id at {0} is neither P nor one this sender may use")]
    UnsupportedProcessing(Position),
    /// HL7 v2 table 0357, code 203: MSH-12 is none of 2.1 to 2.9 (table 0104).
    #[error("version at {0} is none of 2.1 to 2.9")]
    UnsupportedVersion(Position),
}

impl TranslateError {
    /// What the peer is told.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::DataType(_) => Fault::DataType,
            Self::Dialect(_) | Self::UnsupportedMessage(_) => Fault::UnsupportedMessage,
            Self::Missing(_) => Fault::RequiredMissing,
            Self::SegmentMissing(_) | Self::SegmentRepeated(_) | Self::SubjectRepeated(_) => {
                Fault::SegmentSequence
            }
            Self::TableValue(_) => Fault::TableValue,
            Self::UnsupportedEvent(_) => Fault::UnsupportedEvent,
            Self::UnsupportedProcessing(_) => Fault::UnsupportedProcessing,
            Self::UnsupportedVersion(_) => Fault::UnsupportedVersion,
        }
    }

    /// The same at another place: where a document was renamed before it was read.
    pub(super) fn placed(self, place: impl FnOnce(&Position) -> Position) -> Self {
        let at = place(self.at());
        match self {
            Self::DataType(_) => Self::DataType(at),
            Self::Dialect(_) => Self::Dialect(at),
            Self::Missing(_) => Self::Missing(at),
            Self::SegmentMissing(_) => Self::SegmentMissing(at),
            Self::SegmentRepeated(_) => Self::SegmentRepeated(at),
            Self::SubjectRepeated(_) => Self::SubjectRepeated(at),
            Self::TableValue(_) => Self::TableValue(at),
            Self::UnsupportedEvent(_) => Self::UnsupportedEvent(at),
            Self::UnsupportedMessage(_) => Self::UnsupportedMessage(at),
            Self::UnsupportedProcessing(_) => Self::UnsupportedProcessing(at),
            Self::UnsupportedVersion(_) => Self::UnsupportedVersion(at),
        }
    }

    /// Where it is wrong.
    #[must_use]
    pub const fn at(&self) -> &Position {
        match self {
            Self::DataType(at)
            | Self::Dialect(at)
            | Self::Missing(at)
            | Self::SegmentMissing(at)
            | Self::SegmentRepeated(at)
            | Self::SubjectRepeated(at)
            | Self::TableValue(at)
            | Self::UnsupportedEvent(at)
            | Self::UnsupportedMessage(at)
            | Self::UnsupportedProcessing(at)
            | Self::UnsupportedVersion(at) => at,
        }
    }
}

/// A component of the message header.
pub(super) const fn header(field: u16, component: u16) -> Position {
    Position::Hl7(Hl7Position { component, ..Hl7Position::field(*b"MSH", field) })
}
