//! FHIR R4, the door for systems that speak it: what a request asks for, how an answer
//! is written.
//!
//! Standard: HL7 FHIR R4 (4.0.1), RESTful API. Everything read here is an inquiry as on
//! the published interface: the certificate says who asks, a header says what for, and
//! only a [`crate::policy::Release`] is written.

pub mod capability;
mod operation;
mod outcome;
pub mod parameter;
pub mod request;
pub mod taken;
pub mod write;
