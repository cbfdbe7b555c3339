//! Sockets in: HTTPS, MLLP, the console and the door of operation; and folders.
//!
//! Each is handed closures and knows nothing of what happens behind them.

pub mod batch;
pub mod console;
pub mod exchange;
pub mod fhir;
pub mod http;
pub mod mllp;
pub mod operation;
pub mod operator;
pub mod tls;
pub mod witness;
