//! What the standards demand of a gateway, one case a file, asked through sockets alone.
//!
//! Knows MLLP, HTTPS and the published inquiry interface; nothing of any gateway's
//! code, so that it can be pointed at an installed one.

pub mod case;
pub mod https;
pub mod mllp;
pub mod reply;
pub mod run;
pub mod stream;
pub mod values;

pub use case::Case;
pub use run::{Outcome, Target, run};
