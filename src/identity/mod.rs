//! Who asks, and about whom: peers from certificates, residents from identifiers.
//!
//! Pure: keys, certificates and what the index holds are handed in.

pub mod card;
mod handle;
pub mod index;
pub mod linkage;
pub mod peer;
pub mod resident;

pub use index::{Keys, PersonId, Pseudonym, Subject, Token, hex};
pub use peer::{Bindings, Certificate, Peer, Standing};
pub use resident::{IdentityError, Indexed, Resolution};
