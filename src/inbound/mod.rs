//! Sockets in: listeners hand what they read to a closure and know nothing of the flow.

pub mod console;
pub mod tls;
