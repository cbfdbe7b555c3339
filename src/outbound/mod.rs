//! Ways out: the clients of upstream systems, of subscribers, of witnesses and of sinks.
//!
//! Knows no dialect and keeps nothing: bytes of a release go out, bytes come back.
//! What either is told comes from a [`crate::policy::Release`] and from
//! nowhere else; a URL holds no identifier, so no proxy or log on the way can.

pub mod circuit;
pub mod gate;
pub mod line;
pub mod provider;
pub mod sink;
pub mod subscriber;
pub mod table;
pub mod tls;
pub mod upstream;
pub mod way;
pub mod witness;

pub use circuit::{Circuit, CircuitState, Reading};
pub use gate::{LineError, SetUpError};
pub use sink::{Sink, SinkSettings};
pub use subscriber::{Subscriber, SubscriptionSettings};
pub use tls::{TlsError, TlsFiles};
pub use upstream::{Settings, Upstream};
pub use way::{Parcel, Said};
pub use witness::{Witness, WitnessSettings};
