//! 康桥 Kangqiao, a gateway between health and civil affairs.
//!
//! ```text
//! push    socket → journal → parse → identify → translate → keep → acknowledge
//! answer  socket → who, what for → identify → gather → decide → treat → ledger → write
//! ```
//!
//! Modules stand in reading order; each may use those above it, never those below.

pub mod vocabulary;

pub mod wire;

pub mod identity;
pub mod policy;
pub mod translate;

pub mod registry;

pub mod config;

pub mod command;
