//! Sockets out: the client of an upstream system.
//!
//! Knows no dialect and keeps nothing: bytes of a release go out, bytes come back.
//! What an upstream is told comes from a [`crate::policy::Release`] and from
//! nowhere else; a URL holds no identifier, so no proxy or log on the way can.

pub mod circuit;
pub mod table;
pub mod tls;
pub mod upstream;

pub use circuit::{Circuit, CircuitState, Reading};
pub use tls::{TlsError, TlsFiles};
pub use upstream::{Settings, SettingsError, Upstream, UpstreamError};
