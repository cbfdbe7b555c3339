//! Questions in FHIR: the same decision and the same ledger, in other words.

use std::sync::Arc;

use super::intake::Unit;
use super::load::turned_away;
use super::question::{Question, Refused, Turn};
use super::rules::Asker;
use super::{Gateway, OWN};
use crate::audit::{self, Entry, Kind, Reference};
use crate::identity::linkage::Demographics;
use crate::inbound::fhir::Request;
use crate::inbound::http::Answered;
use crate::registry::civil::{Inquiry, InquiryError};
use crate::registry::fhir::capability;
use crate::registry::fhir::parameter::Predicate;
use crate::registry::fhir::request::{self, Interaction, Who};
use crate::registry::fhir::taken;
use crate::registry::fhir::write::{self, FhirWriting};
use crate::registry::pdq;
use crate::registry::receipt::Receipt;
use crate::registry::whom::{self, Whom};
use crate::registry::writing::Written;
use crate::store::LedgerSearch;
use crate::translate::Form;
use crate::vocabulary::{Entrance, Fault, Identifier, Position};
use crate::wire::Tree;

/// The purpose of who reads the ledger.
pub(super) const AUDIT: &str = "audit";
/// Entries one question about the ledger looks at.
const ENTRIES_MAX: usize = 10_000;

impl Gateway {
    /// Carries one FHIR request to its answer.
    pub async fn fhir(&self, asked: Request) -> Answered {
        let turn = self.turn();
        let path = (asked.path.as_str(), asked.query.as_str());
        match request::read(asked.method, path, &asked.body) {
            Ok(Interaction::Capability) => self.capability(&turn),
            Ok(Interaction::Take) => self.take_resource(asked).await,
            Ok(Interaction::Search { resource, who, predicates }) if resource == "AuditEvent" => {
                self.ledger_of(&turn, asked, (who, predicates)).await
            }
            Ok(interaction) => self.fhir_question(&turn, asked, interaction).await,
            Err(unread) => self.refuse_as_fhir(asked, (unread.fault, unread.at)).await,
        }
    }

    fn capability(&self, turn: &Turn) -> Answered {
        let purposes = turn.rules.policies.purposes().iter();
        let purposes: Vec<_> =
            purposes.map(|terms| (terms.id.as_str(), terms.title.zh.as_str())).collect();
        let types = turn.rules.pack.fhir_types();
        let Written { status, media, body } =
            capability::statement(&types, &purposes, turn.at_ms / 1000);
        Answered { status, media, body, entry: None }
    }

    /// An inquiry about one person, whoever the request names him by.
    async fn fhir_question(
        &self,
        turn: &Turn,
        asked: Request,
        interaction: Interaction,
    ) -> Answered {
        let asker = turn.rules.asker(asked.certificate.as_ref(), turn.at_ms);
        let named = match &interaction {
            Interaction::CrossReference { who, .. }
            | Interaction::Match { who, .. }
            | Interaction::Read { who, .. }
            | Interaction::Search { who, .. } => Some(who),
            Interaction::Capability | Interaction::Take => None,
        };
        let whom = match (asker, named) {
            (Ok(asker), Some(who)) => self.whom_of(turn, asker, who),
            // Who asks is looked at again where it is refused.
            _ => Err(unknown(Fault::IdentityMissing)),
        };
        let handle = match (&asker, &whom) {
            (Ok((department, _)), Ok(Whom::Identifier(identifier))) => {
                self.keys.handle(department.as_str(), identifier).unwrap_or_default()
            }
            // Each of those described has his own.
            _ => String::new(),
        };
        let elements = match (&interaction, &whom) {
            (Interaction::CrossReference { .. }, _) => Some(pdq::IDENTIFIERS.to_vec()),
            (_, Ok(Whom::Described(_))) => Some(pdq::DEMOGRAPHICS.to_vec()),
            _ => None,
        };
        let opened = self.opens(turn, &asked, &interaction);
        let inquiry = whom.and_then(|whom| {
            opened?;
            let (purpose, evidence) = (asked.purpose.clone(), asked.evidence.clone());
            Ok(Inquiry { whom, purpose, elements, evidence })
        });
        self.ask_as_fhir(asked, (inquiry, interaction, handle)).await
    }

    /// Whom a request means: by a number, or by what its Patient says.
    fn whom_of(&self, turn: &Turn, asker: Asker, who: &Who) -> Result<Whom, InquiryError> {
        let (patient, at) = match who {
            Who::Handle(_) | Who::Identifier(_) => {
                return self.meant(asker, who).map(Whom::Identifier).map_err(unknown);
            }
            Who::Numbered(patient) => (patient, "sourceIdentifier"),
            Who::Patient(patient) => (patient, "Parameters.parameter.resource"),
        };
        let wrong = |fault| InquiryError { fault, at: Position::Pointer(at.to_owned()) };
        let read = turn.rules.pack.read_fhir(OWN, &Tree::from_json(patient));
        let record = read.map_err(|error| wrong(error.fault()))?.record;
        if matches!(who, Who::Patient(_)) {
            let whom = Whom::described(Demographics::of(&record));
            return whom.ok_or_else(|| wrong(Fault::RequiredMissing));
        }
        let number = whom::numbers(std::iter::once(&record)).into_iter().next().cloned();
        let number = number.ok_or_else(|| wrong(Fault::TableValue))?;
        match number.normalised() {
            Ok(_) => Ok(Whom::Identifier(number)),
            Err(_) => Err(wrong(Fault::IdentifierInvalid)),
        }
    }

    /// Whom a request means, if the asker may mean him so.
    fn meant(&self, (department, _): Asker, who: &Who) -> Result<Identifier, Fault> {
        match who {
            Who::Identifier(identifier) => Ok(identifier.clone()),
            Who::Handle(handle) => {
                let known = self.keys.identifier(department.as_str(), handle);
                known.ok_or(Fault::IdentityMissing)
            }
            Who::Numbered(_) | Who::Patient(_) => Err(Fault::IdentityMissing),
        }
    }

    /// Whether the purpose may be searched by the parameters of a request.
    fn opens(
        &self,
        turn: &Turn,
        asked: &Request,
        interaction: &Interaction,
    ) -> Result<(), InquiryError> {
        let Interaction::Search { predicates, .. } = interaction else { return Ok(()) };
        let purposes = turn.rules.policies.purposes();
        let terms = purposes.iter().find(|terms| terms.id.as_str() == asked.purpose);
        let open = terms.map(|terms| terms.search.as_slice()).unwrap_or_default();
        match predicates.iter().find(|one| open.iter().all(|name| name != one.name())) {
            // An unknown purpose is refused as such, further on.
            Some(one) if terms.is_some() => Err(InquiryError {
                fault: Fault::UnsupportedParameter,
                at: Position::Pointer(format!("?{}", one.name())),
            }),
            _ => Ok(()),
        }
    }

    async fn ask_as_fhir(
        &self,
        asked: Request,
        (inquiry, interaction, handle): (Result<Inquiry, InquiryError>, Interaction, String),
    ) -> Answered {
        let writing = FhirWriting { interaction, handle, base: asked.base };
        let certificate = asked.certificate;
        self.answer(Question { certificate, asker: None, inquiry, writing: Arc::new(writing) })
            .await
    }

    /// A question that is none, refused and entered as one.
    async fn refuse_as_fhir(&self, asked: Request, (fault, at): (Fault, Position)) -> Answered {
        let inquiry = Err(InquiryError { fault, at });
        self.ask_as_fhir(asked, (inquiry, Interaction::Take, String::new())).await
    }

    /// Keeps a bundle or a single resource: one unit, one record.
    async fn take_resource(&self, asked: Request) -> Answered {
        let Request { certificate, body, .. } = asked;
        let _inside = match self.admit_push((certificate.as_ref(), None), Entrance::Https).await {
            Ok(inside) => inside,
            Err(fault) => {
                let Written { status, media, body } = taken::answer(&Receipt::of(fault));
                return Answered { status, media, body, entry: None };
            }
        };
        let unit = Unit::posted(certificate, Form::Fhir, body);
        let taken = self.take(unit).await;
        let Written { status, media, body } = taken::answer(&taken.receipt());
        Answered { status, media, body, entry: None }
    }

    /// What the ledger says of a person, for an auditor. The question is entered first.
    async fn ledger_of(
        &self,
        turn: &Turn,
        asked: Request,
        (who, predicates): (Who, Vec<Predicate>),
    ) -> Answered {
        let found = match self.admit_visit(asked.certificate.as_ref()).await {
            Ok(_inside) => self.audit_events(turn, &asked, (&who, &predicates)).await,
            Err(fault) => return turned_away(&refusing(asked.base), fault),
        };
        match found {
            Ok(answered) => answered,
            Err(refused) => {
                let at = refused.at.unwrap_or(Position::Pointer("/".to_owned()));
                self.refuse_as_fhir(asked, (refused.fault, at)).await
            }
        }
    }

    async fn audit_events(
        &self,
        turn: &Turn,
        asked: &Request,
        (who, predicates): (&Who, &[Predicate]),
    ) -> Result<Answered, Refused> {
        let asker = turn.rules.asker(asked.certificate.as_ref(), turn.at_ms)?;
        if asked.purpose != AUDIT {
            return Err(Fault::PurposeNotGranted.into());
        }
        turn.rules.policies.admit(asker, AUDIT, asked.evidence.clone())?;
        let identifier = self.meant(asker, who)?;
        let persons = self.known_as(&identifier).await?;
        let mut entry = self.event(Kind::Query, "person");
        entry.department = Some(asker.0);
        entry.role = Some(asker.1);
        entry.asker = asked.evidence.asker.as_deref().map(Reference::new);
        entry.person = persons.first().cloned();
        let mut events = Vec::new();
        for person in persons {
            let search = LedgerSearch { person: Some(person), before: None, limit: ENTRIES_MAX };
            for stored in self.store.search(search).await? {
                let entry = Entry::from_bytes(&stored.bytes).map_err(|_| Fault::Internal)?;
                events.push((stored.number, audit::audit_event(stored.number, &entry)));
            }
        }
        events.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        events.dedup_by_key(|(number, _)| *number);
        if events.len() > ENTRIES_MAX {
            return Err(Fault::Limit.into());
        }
        events.retain(|(_, event)| predicates.iter().all(|one| one.holds(event)));
        let receipt = entry.receipt.to_string();
        let events = events.into_iter().map(|(_, event)| event).collect();
        let Written { status, media, body } =
            write::searchset(&asked.base, (&receipt, turn.at_ms / 1000), events);
        let appended = self.append(&entry.with_answer(&body)).await?;
        Ok(Answered { status, media, body, entry: Some(appended) })
    }
}

/// The words in which nothing but a refusal is told.
fn refusing(base: String) -> FhirWriting {
    FhirWriting { interaction: Interaction::Take, handle: String::new(), base }
}

/// Somebody whom nothing in the address or body leads to.
fn unknown(fault: Fault) -> InquiryError {
    InquiryError { fault, at: Position::Pointer("/id".to_owned()) }
}
