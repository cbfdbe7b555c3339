//! Sockets in: HTTPS, MLLP, the console and the door of operation; and folders.
//!
//! Each is handed closures and knows nothing of what happens behind them.

pub mod batch;
pub mod console;
pub mod door;
pub mod exchange;
pub mod fhir;
pub mod http;
mod line;
pub mod mllp;
pub mod operation;
pub mod operator;
pub mod places;
pub mod tls;
pub mod turnstile;
pub mod witness;
