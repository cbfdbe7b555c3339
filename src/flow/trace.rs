//! 报文追踪, what became of a message, told to an operator or an auditor.
//!
//! The journal keeps what cannot be found out again; the rest is made anew from the sealed bytes,
//! by the mappings that read them where these are still kept. No value is told: what a message
//! holds is for whoever has a purpose, and whoever traces it has none.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::sight::line;
use super::{Gateway, Rules, Sights, intake, verdict};
use crate::audit::{Entry, Hash, Kind};
use crate::identity::{Certificate, PersonId, Pseudonym};
use crate::inbound::console::access::Area;
use crate::inbound::console::view::trace::{
    Counts, Journey, Known, MessagePage, MessageQuery, NoticeView, Pile, Reading, Told, Tracing,
    Wanted, Whom,
};
use crate::inbound::console::view::{Asker, LedgerRow, Seen};
use crate::store::trace::{Line, Noticed, Traced};
use crate::store::{LedgerSearch, Reason, Replay, State};
use crate::translate::{Bins, Form};
use crate::vocabulary::{Date, Entrance, Fault};
use crate::wire::charset::Charset;
use crate::wire::hl7v2::{self, Message};

/// Messages of one page at most.
const ROWS_MAX: usize = 200;
/// Messages of one control id that their sender is told of.
const OWN_MAX: usize = 20;
/// Entries about one person that are looked through, newest first.
const ENTRIES_MAX: usize = 1_000;
/// Entries read at once.
const ENTRIES_AT_ONCE: usize = 200;
/// Disclosures that are told.
const DISCLOSURES_MAX: usize = 50;

/// Today's policies over mappings that served before; `None` if they are not kept any more.
pub type Past = Arc<dyn Fn(String) -> BoxFuture<'static, Option<Arc<Rules>>> + Send + Sync>;

/// Who looks: by which name the ledger knows him, and whether he may see the ledger.
pub struct Looker<'a> {
    /// A user of the console, or of the system.
    pub name: &'a str,
    /// Whether he is told who read what.
    pub audits: bool,
}

impl Tracing for Sights {
    fn senders(&self) -> Seen<'_, Vec<String>> {
        let gateway = &self.gateway;
        async move {
            let counts = gateway.store.counts().await.map_err(|error| error.fault())?;
            Ok(counts.iter().map(|count| count.source.to_string()).collect())
        }
        .boxed()
    }

    fn messages<'a>(&'a self, asker: &'a Asker, query: &'a MessageQuery) -> Seen<'a, MessagePage> {
        self.gateway.messages(&asker.user, query.clone()).boxed()
    }

    fn journey<'a>(&'a self, asker: &'a Asker, number: u64) -> Seen<'a, Option<Journey>> {
        let looker = Looker { name: &asker.user, audits: asker.roles.may_see(Area::Ledger) };
        self.gateway.journey(looker, number, &self.past).boxed()
    }

    fn piles<'a>(&'a self, asker: &'a Asker) -> Seen<'a, Vec<Pile>> {
        self.gateway.piles(&asker.user).boxed()
    }
}

impl Gateway {
    /// Messages that match, newest first.
    ///
    /// # Errors
    /// [`Fault::IdentifierInvalid`], [`Fault::Unavailable`].
    pub async fn messages(&self, name: &str, query: MessageQuery) -> Result<MessagePage, Fault> {
        let entries = match query.person {
            Some(Whom::Entries(entries)) => Some(entries),
            Some(Whom::Identifier(identifier)) => {
                let token = self.keys.token(&identifier).map_err(|_| Fault::IdentifierInvalid)?;
                let known = self.store.known_as(token).await.map_err(|error| error.fault())?;
                Some(known.0.into_iter().map(|person| person.0).collect())
            }
            None => None,
        };
        let id = query.wanted.control_id.filter(|id| !id.is_empty());
        let control_id = id.map(|id| self.journalled(&id));
        let persons =
            entries.as_ref().map(|entries: &Vec<i64>| entries.iter().copied().map(PersonId));
        let wanted = Wanted {
            control_id,
            persons: persons.map(Iterator::collect),
            limit: query.wanted.limit.clamp(1, ROWS_MAX),
            ..query.wanted
        };
        let first = entries.as_ref().and_then(|entries| entries.first());
        let person = first.map(|entry| self.keys.pseudonym(PersonId(*entry)));
        self.asked(name, &subject(&wanted), person.clone()).await?;
        let control_id = wanted.control_id.clone();
        let lines = self.store.messages(wanted).await.map_err(|error| error.fault())?;
        let pseudonym = person.map(|known| known.0);
        Ok(MessagePage { lines, control_id, entries, pseudonym })
    }

    /// What became of a sender's own messages of one control id, newest first. It hears what it
    /// was told before, or would be if it sent them again, so there is no entry.
    ///
    /// # Errors
    /// [`Fault::CertificateUnknown`] for who is no sender, [`Fault::NumberUnknown`] if it sent
    /// none of that number.
    pub async fn own_messages(
        &self,
        certificate: Option<&Certificate>,
        control_id: &str,
    ) -> Result<Vec<Line>, Fault> {
        let source = self.rules.load().sender(certificate, None, (self.clock)());
        let source = Some(source.ok_or(Fault::CertificateUnknown)?);
        let control_id = Some(self.journalled(control_id));
        let wanted = Wanted { source, control_id, limit: OWN_MAX, ..Wanted::default() };
        let found = self.store.messages(wanted).await.map_err(|error| error.fault())?;
        if found.rows.is_empty() { Err(Fault::NumberUnknown) } else { Ok(found.rows) }
    }

    /// A control id as the journal has it: what it holds under a digest is looked for under that.
    fn journalled(&self, control_id: &str) -> String {
        intake::control_id(&self.keys, Some(control_id), &Hash::digest(b""))
    }

    /// What waits in quarantine, by what is wrong.
    ///
    /// # Errors
    /// [`Fault::Unavailable`].
    pub async fn piles(&self, name: &str) -> Result<Vec<Pile>, Fault> {
        self.asked(name, "messages quarantined, by reason", None).await?;
        self.store.piles().await.map_err(|error| error.fault())
    }

    /// What became of one message; `None` if there is none of that number.
    ///
    /// # Errors
    /// [`Fault::Unavailable`].
    pub async fn journey(
        &self,
        looker: Looker<'_>,
        number: u64,
        past: &Past,
    ) -> Result<Option<Journey>, Fault> {
        let traced = self.store.traced(number).await.map_err(|error| error.fault())?;
        let known: Vec<_> = traced.iter().flat_map(|traced| &traced.persons).copied().collect();
        let known: Vec<_> = known.iter().map(|person| self.keys.pseudonym(*person)).collect();
        self.asked(looker.name, &format!("message {number}"), known.first().cloned()).await?;
        let Some(traced) = traced else { return Ok(None) };
        let came = self.store.replay(number).await.map_err(|error| error.fault())?;
        let since = match looker.audits || !traced.notices.is_empty() {
            true => self.entries_since(&known, traced.line.received_at_ms).await?,
            false => Vec::new(),
        };
        let disclosures = looker.audits.then(|| self.disclosures(&since));
        let notices = traced.notices.iter().map(|notice| entered(notice, &since)).collect();
        let reading = match &came {
            Some(came) => self.reading(&traced, came, past).await,
            None => None,
        };
        let person = known.into_iter().next().zip(traced.entry);
        Ok(Some(Journey {
            told: self.told_of(&traced, came.as_ref()),
            bytes: came.map(|came| came.raw.len()),
            entrance: traced.entrance,
            mark: traced.mark,
            same_number: traced.same_number,
            reading,
            outcomes: traced.outcomes,
            person: person.map(|(pseudonym, entry)| Known {
                pseudonym: pseudonym.0,
                entries: traced.persons.iter().map(|person| person.0).collect(),
                entry: entry.0,
            }),
            said: traced.said,
            notices,
            disclosures,
            line: traced.line,
        }))
    }

    /// Where its leaves end, by the mappings that read it; by today's where these are gone.
    async fn reading(&self, traced: &Traced, came: &Replay, past: &Past) -> Option<Reading> {
        if traced.line.state == State::Refused {
            return None;
        }
        let version = traced.outcomes.last().and_then(|outcome| outcome.mappings.clone());
        let today = self.rules.load_full();
        let (rules, then) = match version {
            Some(version) if version == today.pack.version() => (today, true),
            Some(version) => match past(version).await {
                Some(rules) => (rules, true),
                None => (today, false),
            },
            None => (today, false),
        };
        let read = rules.pack.read((came.form, came.source), &came.raw, &self.limits);
        let read = read.ok().and_then(|records| records.into_iter().next());
        Some(Reading {
            mappings: rules.pack.version().to_owned(),
            then,
            dataset: traced.dataset.clone(),
            bins: read.map(|read| counts(&read.bins)),
        })
    }

    /// What its sender was told when it came: a function of the unit and of its first outcome.
    fn told_of(&self, traced: &Traced, came: Option<&Replay>) -> Told {
        let first = traced.outcomes.first();
        let state = first.map_or(traced.line.state, |outcome| outcome.state);
        let fault = first.and_then(|outcome| outcome.fault);
        match (Form::parse(&traced.line.form), traced.entrance) {
            (Some(Form::Hl7v2), None | Some(Entrance::Https | Entrance::Mllp)) => {
                let Some(came) = came else { return Told::Erased };
                let charset = self.rules.load().pack.overlay(came.source).charset;
                let charset = charset.unwrap_or(Charset::Utf8);
                let message = Message::read(&came.raw, charset, &self.limits.hl7v2);
                let header = intake::header(message, &came.raw, charset);
                let said = verdict(state, fault.map(|fault| Reason { fault, at: None }));
                Told::Acknowledged(hl7v2::codes(header.as_ref(), &said))
            }
            (_, Some(Entrance::Folder)) => Told::Reported,
            (_, Some(Entrance::Table)) => Told::Written,
            (Some(Form::V3Hospital | Form::V3Regional), _) => Told::Replied,
            _ => Told::Receipt(fault.map_or(200, |fault| fault.row().http_status)),
        }
    }

    /// Entries about a person from a time on, newest first.
    async fn entries_since(
        &self,
        known: &[Pseudonym],
        since_ms: i64,
    ) -> Result<Vec<(u64, Entry)>, Fault> {
        let mut found = Vec::new();
        for person in known {
            let mut before = None;
            while found.len() < ENTRIES_MAX {
                let person = Some(person.clone());
                let limit = ENTRIES_AT_ONCE;
                let search = LedgerSearch { person, before, limit };
                let page = self.store.search(search).await.map_err(|error| error.fault())?;
                let full = page.len() >= limit;
                let newer = page.iter().take_while(|stored| stored.at_ms >= since_ms);
                let newer = newer.filter_map(|stored| {
                    Some((stored.number, Entry::from_bytes(&stored.bytes).ok()?))
                });
                found.extend(newer);
                before = page.last().map(|stored| stored.number);
                if !full || page.last().is_none_or(|stored| stored.at_ms < since_ms) {
                    break;
                }
            }
        }
        found.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        found.dedup_by_key(|(number, _)| *number);
        Ok(found)
    }

    /// What left about a person, of what is kept here.
    fn disclosures(&self, since: &[(u64, Entry)]) -> Vec<LedgerRow> {
        let rules = self.rules.load_full();
        let left = since.iter().filter(|(_, entry)| {
            let leaves = matches!(entry.kind, Kind::Delivery | Kind::Disclosure);
            leaves && entry.sources.contains_key(&super::OWN)
        });
        let left = left.take(DISCLOSURES_MAX);
        left.map(|(number, entry)| line(&rules, *number, entry)).collect()
    }
}

/// What the ledger says was looked for, as far as its line is long, the most telling first; who it
/// was about stands beside it.
pub(super) fn subject(wanted: &Wanted) -> String {
    let day = |at_ms: i64| Date::from_timestamp(at_ms / 1000).to_iso();
    let told = [
        wanted.source.map(|source| format!("of {source}")),
        wanted.persons.as_ref().map(|_| "about a person".to_owned()),
        wanted.control_id.as_ref().map(|id| format!("numbered {id}")),
        wanted.state.map(|state| state.as_str().to_owned()),
        wanted.fault.map(|fault| fault.row().name.to_owned()),
        wanted.form.map(|form| form.name().to_owned()),
        wanted.place.as_ref().map(|place| format!("at {place}")),
        wanted.since_ms.map(|at_ms| format!("since {}", day(at_ms))),
        wanted.until_ms.map(|at_ms| format!("until {}", day(at_ms))),
    ];
    let told: Vec<_> =
        std::iter::once("messages".to_owned()).chain(told.into_iter().flatten()).collect();
    told.join(" ")
}

/// A notice with what the ledger says of it, an entry a try.
fn entered(notice: &Noticed, since: &[(u64, Entry)]) -> NoticeView {
    let own = format!("notice {}-{} ", notice.subscription, notice.number);
    let of_it = since.iter().filter(|(_, entry)| {
        let subject = entry.subject.as_ref().map(|subject| subject.as_str());
        entry.kind == Kind::Delivery && subject.is_some_and(|subject| subject.starts_with(&own))
    });
    let entries = of_it.map(|(number, entry)| (*number, entry.receipt.to_string())).collect();
    NoticeView { notice: notice.clone(), entries }
}

fn counts(bins: &Bins) -> Counts {
    Counts {
        mapped: bins.mapped,
        dropped: bins.dropped,
        carried: bins.carried,
        unmapped: bins.unmapped,
        first_unmapped: bins.first_unmapped.iter().map(ToString::to_string).collect(),
    }
}
