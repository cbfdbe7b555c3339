//! Questions in FHIR: the same decision and the same ledger, in other words.

use std::sync::Arc;

use super::Gateway;
use super::intake::Unit;
use super::question::{Question, Refused, Turn};
use super::rules::Asker;
use crate::audit::{self, Entry, Kind, Reference};
use crate::inbound::fhir::Request;
use crate::inbound::http::Answered;
use crate::registry::civil::{Inquiry, InquiryError};
use crate::registry::fhir::capability;
use crate::registry::fhir::parameter::Predicate;
use crate::registry::fhir::request::{self, Interaction, Who};
use crate::registry::fhir::taken;
use crate::registry::fhir::write::{self, FhirWriting};
use crate::registry::whom::Whom;
use crate::registry::writing::Written;
use crate::store::LedgerSearch;
use crate::translate::Form;
use crate::vocabulary::{Fault, Identifier, Position};

/// The purpose of who reads the ledger.
const AUDIT: &str = "audit";
/// Entries one question about the ledger looks at.
const ENTRIES_MAX: usize = 10_000;

impl Gateway {
    /// Carries one FHIR request to its answer.
    pub async fn fhir(&self, asked: Request) -> Answered {
        let turn = Turn { rules: self.rules.load_full(), at_ms: (self.clock)() };
        let path = (asked.path.as_str(), asked.query.as_str());
        match request::read(asked.method, path, &asked.body) {
            Ok(Interaction::Capability) => self.capability(&turn),
            Ok(Interaction::Take) => self.take_resource(asked).await,
            Ok(Interaction::Search { resource, who, predicates }) if resource == "AuditEvent" => {
                self.ledger_of(&turn, asked, (who, predicates)).await
            }
            Ok(interaction) => self.fhir_question(&turn, asked, interaction).await,
            Err(unread) => {
                let inquiry = Err(InquiryError { fault: unread.fault, at: unread.at });
                self.ask_as_fhir(asked, (inquiry, Interaction::Take, String::new())).await
            }
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
            Interaction::Match(who)
            | Interaction::Read { who, .. }
            | Interaction::Search { who, .. } => Some(who),
            Interaction::Capability | Interaction::Take => None,
        };
        let identifier = match (asker, named) {
            (Ok(asker), Some(who)) => self.meant(asker, who),
            // Who asks is looked at again where it is refused.
            _ => Err(Fault::IdentityMissing),
        };
        let at = |fault| InquiryError { fault, at: Position::Pointer("/id".to_owned()) };
        let handle = match (&asker, &identifier) {
            (Ok((department, _)), Ok(identifier)) => {
                self.keys.handle(department.as_str(), identifier).unwrap_or_default()
            }
            _ => String::new(),
        };
        let opened = self.opens(turn, &asked, &interaction);
        let inquiry = identifier.map_err(at).and_then(|identifier| {
            opened?;
            Ok(Inquiry {
                whom: Whom::Identifier(identifier),
                purpose: asked.purpose.clone(),
                elements: None,
                evidence: asked.evidence.clone(),
            })
        });
        self.ask_as_fhir(asked, (inquiry, interaction, handle)).await
    }

    /// Whom a request means, if the asker may mean him so.
    fn meant(&self, (department, _): Asker, who: &Who) -> Result<Identifier, Fault> {
        match who {
            Who::Identifier(identifier) => Ok(identifier.clone()),
            Who::Handle(handle) => {
                let known = self.keys.identifier(department.as_str(), handle);
                known.ok_or(Fault::IdentityMissing)
            }
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

    /// Keeps a bundle or a single resource: one unit, one record.
    async fn take_resource(&self, asked: Request) -> Answered {
        let Request { certificate, body, .. } = asked;
        let form = Form::Fhir;
        let unit = Unit { certificate, sender: None, form, mark: None, number: None, bytes: body };
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
        match self.audit_events(turn, &asked, (&who, &predicates)).await {
            Ok(answered) => answered,
            Err(refused) => {
                let inquiry = Err(InquiryError {
                    fault: refused.fault,
                    at: refused.at.unwrap_or(Position::Pointer("/".to_owned())),
                });
                self.ask_as_fhir(asked, (inquiry, Interaction::Take, String::new())).await
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
            let search = LedgerSearch {
                person: Some(person),
                department: None,
                before: None,
                limit: ENTRIES_MAX,
            };
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
