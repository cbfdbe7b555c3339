//! The words of the field: elements, values, records, positions, faults. Depends on nothing.
//!
//! Nothing here knows a wire format, a department or a file. Types that hold
//! personal data mask their `Debug` and have no `Display`.

mod base64;
pub mod catalogue;
pub mod code;
pub mod date;
pub mod diagnostic;
pub mod element;
pub mod entrance;
pub mod fault;
pub mod freshness;
pub mod hex;
pub mod identifier;
pub mod name;
pub mod position;
pub mod record;
pub mod tier;
pub mod value;

pub use catalogue::Catalogue;
pub use code::{CodeTables, Coding};
pub use date::Date;
pub use diagnostic::{Diagnostic, Files};
pub use element::{Element, ValueType};
pub use entrance::Entrance;
pub use fault::Fault;
pub use freshness::Freshness;
pub use identifier::{Identifier, IdentifierKind};
pub use name::{
    Class, Dataset, Department, ElementId, Event, GroupName, Purpose, Relation, Role, Source,
    Subscription,
};
pub use position::Position;
pub use record::{Field, Group, Record};
pub use tier::Tier;
pub use value::Value;
