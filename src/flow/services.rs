//! 交换服务, the SOAP services: what is brought goes through the intake, what is asked through
//! the answer; nothing here keeps or discloses by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use super::Gateway;
use super::asker::Human;
use super::intake::{Taken, Unit};
use super::load::turned_away;
use super::question::{Question, Refused, Turn};
use super::rules::Asker;
use super::whom::of;
use crate::audit::Entry;
use crate::identity::{Certificate, PersonId, Pseudonym};
use crate::inbound::http::Answered;
use crate::policy::{self, Admission, Evidence, Release};
use crate::registry::answer::AnswerMeta;
use crate::registry::civil::{Inquiry, InquiryError};
use crate::registry::v3::answer::{self, Answering, PERSON};
use crate::registry::v3::reply::{self, Registered, Verdict};
use crate::registry::v3::{Deed, Dialect, Request, services};
use crate::registry::whom::Whom;
use crate::registry::writing::{Writing, Written};
use crate::store::cache::Records;
use crate::store::{Holder, State};
use crate::translate::v3::LISTED;
use crate::vocabulary::{ElementId, Entrance, Fault, Identifier, Position};
use crate::wire::soap::{self, SoapError};
use crate::wire::tree::Tree;
use crate::wire::xml::{self, Document};

/// Documents one message may bring.
const DOCUMENTS_MAX: usize = 100;

/// How many bytes one text of a header may have.
const TEXT_BYTES_MAX: usize = 512;

/// Entries of a person, and documents in them.
type Filed = (BTreeSet<PersonId>, Records);

/// A call as it came.
#[derive(Debug)]
pub struct Asked {
    /// The client's certificate.
    pub certificate: Option<Certificate>,
    /// By the path.
    pub dialect: Dialect,
    /// The envelope.
    pub body: Bytes,
}

impl Gateway {
    /// Carries one call of the exchange services to its answer.
    pub async fn serve(&self, asked: Asked) -> Answered {
        let limits = &self.limits.xml;
        let call = match soap::read(&asked.body, limits) {
            Ok(call) => call,
            Err(error) => return torn(&error),
        };
        let message = call.parameter("message").or_else(|| call.first());
        let Some(message) = message.map(|parameter| parameter.message()) else {
            let fault = Fault::RequiredMissing;
            return torn(&SoapError { fault, at: None, edition: call.edition });
        };
        let request = Request::read(asked.dialect, &message, limits);
        let at = (self.clock)() / 1000;
        let (readable, request) = match request {
            Ok(request) => (true, request),
            // Kept as refused like any other unit; its sender hears where it breaks.
            Err(_) => (false, Request::unreadable(asked.dialect)),
        };
        let action = match call.parameter("action") {
            Some(soap::Parameter::Text(action)) => action,
            _ => call.operation.clone(),
        };
        let agrees = request.service.is_none_or(|service| services::agrees(&action, service));
        let answering = Answering { call, request, at };
        let deed = answering.request.service.map_or(Deed::Take, |service| service.deed);
        if !agrees {
            return self.decline(asked.certificate, answering).await;
        }
        let _inside = match deed {
            Deed::Take | Deed::Enter | Deed::Store => {
                let who = (asked.certificate.as_ref(), None);
                match self.admit_push(who, Entrance::Https).await {
                    Ok(inside) => Some(inside),
                    Err(fault) => return turned_away(&answering, fault),
                }
            }
            _ => None,
        };
        match deed {
            Deed::Store if readable => self.store_all(asked.certificate, answering, message).await,
            Deed::Take | Deed::Enter | Deed::Store => {
                let unit = unit(asked.certificate, &answering.request, message.into());
                let verdict = verdict(&self.take(unit).await);
                acknowledged(&answering, &verdict, &[])
            }
            Deed::Decline => self.decline(asked.certificate, answering).await,
            Deed::FindPerson => self.find(asked.certificate, answering, PERSON).await,
            Deed::FindDocuments => self.find(asked.certificate, answering, answer::INDEX).await,
            Deed::FetchDocuments if answering.request.documents().is_empty() => {
                self.find(asked.certificate, answering, answer::WHOLE).await
            }
            Deed::FetchDocuments | Deed::FindEntry => {
                self.fetch(asked.certificate, answering).await
            }
        }
    }

    /// Every document of a registration is a unit of its own; one alone is the message as it
    /// came. Accepted is what is kept whole: one that failed is said of the message too.
    async fn store_all(
        &self,
        certificate: Option<Certificate>,
        answering: Answering,
        message: Vec<u8>,
    ) -> Answered {
        let parts = parts(&answering.request, message);
        if parts.len() > DOCUMENTS_MAX {
            let failed = Some(reply::words(Fault::Limit, None, false));
            let verdict = Verdict { failed, number: String::new(), at: answering.at };
            return acknowledged(&answering, &verdict, &[]);
        }
        let each = parts.into_iter().map(|Part { sent, bytes, suffix }| {
            let mut unit = unit(certificate.clone(), &answering.request, bytes);
            unit.number = unit.number.map(|number| number + &suffix);
            (sent, unit)
        });
        let (sent, units): (Vec<_>, Vec<_>) = each.unzip();
        let taken = self.take_each(units).await;
        let registered = sent.into_iter().zip(&taken).map(|(sent, taken)| {
            let unique = taken.document.clone();
            Registered { sent, unique, verdict: verdict(taken) }
        });
        let registered: Vec<_> = registered.collect();
        let worst = registered.iter().find(|one| one.verdict.failed.is_some());
        let Some(told) = worst.or(registered.first()) else {
            return self.decline(certificate, answering).await;
        };
        acknowledged(&answering, &told.verdict.clone(), &registered)
    }

    /// A question about a person, as any other interface asks one.
    async fn find(
        &self,
        certificate: Option<Certificate>,
        answering: Answering,
        wanted: &[ElementId],
    ) -> Answered {
        let asker = self.rules.load().asker(certificate.as_ref(), (self.clock)());
        let authority = asker.as_ref().map(|(department, _)| department.as_str()).unwrap_or("");
        let subject = answering.request.subject(authority).map(Whom::Identifier);
        let subject = subject.or_else(|(fault, at)| {
            // Only a question about a person has somebody described in it.
            let described = answering.window().and_then(|_| answering.request.described());
            let described = described.filter(|_| fault == Fault::RequiredMissing);
            described.ok_or(InquiryError { fault, at })
        });
        let inquiry = subject.map(|whom| Inquiry {
            whom,
            purpose: self.purpose(&answering, asker.ok()),
            elements: Some(wanted.to_vec()),
            evidence: evidence(&answering, certificate.as_ref()),
        });
        self.answer(Question { certificate, asker: None, inquiry, writing: Arc::new(answering) })
            .await
    }

    /// What is not answered here is refused as any question is: with an entry.
    async fn decline(&self, certificate: Option<Certificate>, answering: Answering) -> Answered {
        let at = Position::Pointer(format!("/{}", answering.request.document.root));
        let refused = Refused { at: Some(at.clone()), ..Fault::UnsupportedMessage.into() };
        let inquiry = Err(InquiryError { fault: refused.fault, at });
        let turn = self.turn();
        let writing = Arc::new(answering);
        let question = Question { certificate, asker: None, inquiry, writing };
        // Whoever asks: that a service is not offered is no secret, and a sender hears it too.
        self.refuse(&turn, &question, refused).await
    }

    /// What for: as the header says, else the first purpose the asker's role was granted.
    fn purpose(&self, answering: &Answering, asker: Option<Asker>) -> String {
        let said = answering.call.header("Purpose").map(str::to_owned);
        let granted = || self.rules.load().first_purpose(asker?).map(|purpose| purpose.to_string());
        said.or_else(granted).unwrap_or_default()
    }

    /// Documents, or an entry about staff or an organisation, asked for by their own numbers.
    async fn fetch(&self, certificate: Option<Certificate>, answering: Answering) -> Answered {
        let turn = self.turn();
        let asker = turn.rules.asker(certificate.as_ref(), turn.at_ms);
        let purpose = self.purpose(&answering, asker.as_ref().ok().copied());
        let evidence = evidence(&answering, certificate.as_ref());
        let opened = match asker {
            Ok(asker) => self.open((&turn, asker), (&purpose, evidence), &answering).await,
            Err(fault) => Err(fault.into()),
        };
        match opened {
            Ok(answered) => answered,
            Err(refused) => {
                let at = Position::Pointer(String::new());
                let inquiry = Err(InquiryError { fault: refused.fault, at });
                let question =
                    Question { certificate, asker: None, inquiry, writing: Arc::new(answering) };
                self.refuse(&turn, &question, refused).await
            }
        }
    }

    /// Decides on what is there, enters it in the ledger, and only then lets it go.
    async fn open(
        &self,
        (turn, asker): (&Turn, Asker),
        (purpose, evidence): (&str, Evidence),
        answering: &Answering,
    ) -> Result<Answered, Refused> {
        let admission = turn.rules.policies.admit(asker, purpose, evidence)?;
        let asker = self.asked_by(admission.evidence()).await?;
        let (release, person) = match answering.request.service.map(|service| service.deed) {
            Some(Deed::FetchDocuments) => {
                self.documents_told(turn, (&admission, &asker), &answering.request).await?
            }
            _ => {
                let entries = self.entries_under(&answering.request).await?;
                let entries: Vec<_> = entries.iter().map(of).collect();
                let scope = admission.towards(&entries, turn.at_ms / 1000);
                (policy::decide(&scope, None, &entries, &self.keys), None)
            }
        };
        let entry = Entry::disclosure(&release, Self::about(turn, person, BTreeMap::new()))
            .asked_by(asker.pseudonym);
        let meta = AnswerMeta {
            receipt: &entry.receipt.to_string(),
            answered_at: turn.at_ms / 1000,
            mappings: turn.rules.pack.version(),
            sources: &[],
        };
        let written = answering.answer(&turn.rules.pack, &release, &meta);
        let entry = entry.with_answer(&written.body);
        let releases = std::iter::once(&release);
        let entry = Some(self.enter_answer((turn, &admission), releases, vec![entry]).await?);
        let Written { status, media, body } = written;
        Ok(Answered { status, media, body, entry })
    }

    /// Of the documents under the numbers of a request those that may be told, and of whom. Those
    /// of two people are not opened together, for each person's entry would tell of the other:
    /// those of the first of whom anything may be told are, and nothing says that there are others.
    /// Where nothing is told, the entry is about the number asked for, whoever has it: ticket and
    /// budget are then looked at alike whether there is such a document or not.
    async fn documents_told(
        &self,
        turn: &Turn,
        (admission, asker): (&Admission, &Human),
        request: &Request,
    ) -> Result<(Release, Option<Pseudonym>), Refused> {
        let at = turn.at_ms / 1000;
        for (person, (entries, records)) in self.kept_under(request).await? {
            // What somebody said and who treats him stands in his other records.
            let mut all = Vec::new();
            for entry in entries {
                let holder = Holder { entry, root: person };
                all.push(self.own_records(turn, admission, holder).await?);
            }
            let all: Vec<_> = all.iter().flat_map(|own| own.iter()).map(of).collect();
            let asks = asker.asks((None, Some(person)), &all);
            let scope = admission.towards_asker((&all, at), asks);
            let records: Vec<_> = records.iter().map(of).collect();
            let release = policy::decide(&scope, Some(answer::WHOLE), &records, &self.keys);
            if release.released().len() > 0 {
                return Ok((release, Some(self.keys.pseudonym(person))));
            }
        }
        let nobody = admission.towards(&[], at);
        let release = policy::decide(&nobody, Some(answer::WHOLE), &[], &self.keys);
        let asked = request.documents().into_iter().next();
        Ok((release, asked.map(|number| self.stand_in("document", &number))))
    }

    /// The documents under the numbers of a request, and in which entries they stand, by person, in
    /// the order of the request.
    async fn kept_under(&self, request: &Request) -> Result<Vec<(PersonId, Filed)>, Refused> {
        let mut kept: Vec<(PersonId, Filed)> = Vec::new();
        for number in request.documents().iter().take(DOCUMENTS_MAX) {
            let found = self.store.document(self.keyed("document", number)).await?;
            let Some(found) = found else { continue };
            let (record, Holder { entry, root }) =
                ((found.record, found.received_at_ms), found.holder);
            match kept.iter_mut().find(|(person, _)| *person == root) {
                Some((_, (entries, records))) => {
                    entries.insert(entry);
                    records.push(record);
                }
                None => kept.push((root, ([entry].into(), vec![record]))),
            }
        }
        Ok(kept)
    }

    /// What is listed under the numbers of a request: staff and organisations.
    async fn entries_under(&self, request: &Request) -> Result<Records, Refused> {
        let mut records = Records::new();
        for (dataset, _) in LISTED {
            for number in request.instances().into_iter().filter_map(|one| one.extension) {
                let key = self.keyed(dataset.as_str(), &number);
                records.extend(self.store.listing(key).await?);
            }
        }
        Ok(records)
    }
}

/// One document of a registration, as a unit.
struct Part {
    /// What its sender calls it in this message.
    sent: String,
    /// The message with this document alone.
    bytes: Bytes,
    /// What tells its number from that of the message.
    suffix: String,
}

/// The documents of a registration, each as a message of its own.
fn parts(request: &Request, message: Vec<u8>) -> Vec<Part> {
    let documents = request.document.tree.get("Document").map_or(&[] as &[_], Tree::items);
    let name =
        |document: &Tree| document.get("@id").and_then(Tree::text).unwrap_or_default().to_owned();
    let (one, message) = match documents {
        [] => (String::new(), message),
        [one] => (name(one), message),
        many => {
            let part = |(index, document): (usize, &Tree)| Part {
                sent: name(document),
                bytes: with_alone(&request.document, document).into(),
                suffix: format!("#{}", index + 1),
            };
            return many.iter().enumerate().map(part).collect();
        }
    };
    vec![Part { sent: one, bytes: message.into(), suffix: String::new() }]
}

/// The message with one of its documents.
fn with_alone(document: &Document, one: &Tree) -> Vec<u8> {
    let alone = |(name, value): &(String, Tree)| match name.as_str() {
        "Document" => (name.clone(), Tree::List(vec![one.clone()])),
        _ => (name.clone(), value.clone()),
    };
    let tree = Tree::Map(document.tree.members().iter().map(alone).collect());
    xml::write(&Document { tree, ..document.clone() })
}

fn unit(certificate: Option<Certificate>, request: &Request, bytes: Bytes) -> Unit {
    let number = request.id().and_then(|id| id.text());
    let (form, entrance) = (request.dialect.form(), Entrance::Https);
    Unit { certificate, sender: None, form, entrance, mark: None, number, bytes }
}

/// What is said of a unit: a function of what the journal says, so that the same message
/// sent again gets the same answer.
fn verdict(taken: &Taken) -> Verdict {
    let at_ms = taken.kept.as_ref().map_or(taken.received_at_ms, |kept| kept.received_at_ms);
    let number = taken.kept.as_ref().map_or(0, |kept| kept.number);
    let aside = taken.kept.as_ref().is_ok_and(|kept| kept.state == State::Quarantined);
    let failed = taken.reason().map(|reason| reply::words(reason.fault, reason.at.as_ref(), aside));
    Verdict { failed, number: format!("KQ{number}"), at: at_ms / 1000 }
}

fn acknowledged(answering: &Answering, told: &Verdict, each: &[Registered]) -> Answered {
    let document = reply::acknowledge(&answering.request, told, each);
    let Written { status, media, body } = answering.enveloped(&document);
    Answered { status, media, body, entry: None }
}

/// What shows that a question is due, as the header of its call says.
fn evidence(answering: &Answering, certificate: Option<&Certificate>) -> Evidence {
    let holder = certificate.map(|certificate| certificate.subject.clone());
    let said = |name| {
        let text = answering.call.header(name)?;
        (text.len() <= TEXT_BYTES_MAX).then(|| text.to_owned())
    };
    let (call, case) = (said("Call"), said("Case"));
    let asked_by = said("AskedBy").map(|text| Identifier::spelled(&text));
    Evidence { asked_by, call, case, reason: said("Reason"), asker: said("Asker"), holder }
}

/// An envelope that could not be read: there is no message to answer.
fn torn(error: &SoapError) -> Answered {
    let reason = reply::words(error.fault, error.at.as_ref(), false);
    let (status, body) = soap::refusal(error.edition, &reason);
    Answered { status, media: error.edition.media(), body, entry: None }
}
