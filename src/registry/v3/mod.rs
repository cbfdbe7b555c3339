//! HL7 v3 交换服务, person and document services of 区域平台 and 医院平台: which request is
//! which, and how each is answered. No sockets.

pub mod answer;
pub mod answered;
pub mod client;
pub(in crate::registry) mod element;
pub mod reply;
pub mod request;
pub mod services;
#[cfg(test)]
mod tests;
pub mod wsdl;

pub use answer::Answering;
pub use answered::Answered;
pub use request::{Dialect, Request};
pub use services::{Deed, Interaction};

/// What a SOAP header may say of a question: what for, and what shows that it is due.
pub const HEADERS: &[&str] = &["Purpose", "Asker", "Call", "Case", "Reason"];
