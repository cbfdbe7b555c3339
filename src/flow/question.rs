//! 提问, a question as it came, and why one is refused.

use std::sync::Arc;

use bytes::Bytes;

use super::rules::{Asker, Rules};
use crate::identity::{Certificate, PersonId};
use crate::policy::{Bilingual, Evidence, Refusal, RuleId};
use crate::registry::civil::{self, Inquiry, InquiryError};
use crate::registry::writing::{CivilJson, Writing};
use crate::store::StoreError;
use crate::vocabulary::identifier::IdentifierError;
use crate::vocabulary::{Fault, Position};

/// A question: who asks is what the certificate says, what is asked is the body.
pub struct Question {
    /// The client's certificate.
    pub certificate: Option<Certificate>,
    /// Who asks by a table of inquiries: the configuration says.
    pub asker: Option<Asker>,
    /// What is asked, or why that cannot be read.
    pub inquiry: Result<Inquiry, InquiryError>,
    /// In which words the answer is given.
    pub writing: Arc<dyn Writing>,
}

impl Question {
    /// Reads a question of our published JSON interface.
    #[must_use]
    pub fn read(certificate: Option<Certificate>, body: &Bytes) -> Self {
        let (inquiry, writing) = (civil::read_inquiry(body), Arc::new(CivilJson));
        Self { certificate, asker: None, inquiry, writing }
    }

    /// What it brings to show that it is due, and who holds the certificate.
    pub(super) fn evidence(&self, inquiry: &Inquiry) -> Evidence {
        let holder = self.certificate.as_ref().map(|certificate| certificate.subject.clone());
        Evidence { holder, ..inquiry.evidence.clone() }
    }

    /// Who asks.
    ///
    /// # Errors
    /// [`Fault::CertificateUnknown`] if the certificate belongs to no department.
    pub(super) fn asker(&self, turn: &Turn) -> Result<Asker, Fault> {
        let asker = || turn.rules.asker(self.certificate.as_ref(), turn.at_ms);
        self.asker.map_or_else(asker, Ok)
    }
}

/// What is fixed when a question begins: a reload or a tick in between changes nothing.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    /// The rules it is answered under.
    pub rules: Arc<Rules>,
    /// When it began, milliseconds since 1970.
    pub at_ms: i64,
}

/// Why a question is not answered: told to the asker and entered in the ledger alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What is wrong.
    pub fault: Fault,
    /// Where in the inquiry.
    pub at: Option<Position>,
    /// About whom, where the question names nobody and somebody was found.
    pub person: Option<PersonId>,
    /// By which rule, if one of the policies.
    pub rule: Option<RuleId>,
    /// What can be done.
    pub remedy: Option<Bilingual>,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self { fault, at: None, person: None, rule: None, remedy: None }
    }
}

impl From<&InquiryError> for Refused {
    fn from(error: &InquiryError) -> Self {
        Self { at: Some(error.at.clone()), ..error.fault.into() }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let Refusal { fault, rule, at, remedy } = refusal;
        Self { fault, at, person: None, rule: Some(rule), remedy: Some(remedy) }
    }
}

impl From<IdentifierError> for Refused {
    fn from(_: IdentifierError) -> Self {
        let at = Position::Pointer("/identifier/value".to_owned());
        Self { at: Some(at), ..Fault::IdentifierInvalid.into() }
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Exhausted
            | StoreError::Full
            | StoreError::Spent
            | StoreError::SecondNeeded => error.fault().into(),
            _ => Fault::Unavailable.into(),
        }
    }
}
