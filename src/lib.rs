//! 康桥 Kangqiao, a gateway between health and civil affairs.
//!
//! ```text
//! push    socket → read → translate → identify → keep (one commit) → acknowledge
//! answer  socket → who, what for → identify → gather → decide → treat → ledger → write
//! ```
//!
//! Modules stand in reading order; each may use those above it, never those below,
//! and modules of one paragraph do not know each other.

pub mod vocabulary;

pub mod identity;
pub mod wire;

pub mod policy;
pub mod translate;

pub mod audit;
pub mod registry;
pub mod store;

pub mod inbound;
pub mod outbound;
pub mod sandbox;

pub mod config;
pub mod flow;
pub mod telemetry;

pub mod command;
