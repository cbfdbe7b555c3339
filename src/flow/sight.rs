//! What the console may see of the gateway: counts, states and ledger entries, never a value.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::seek::by_receipt;
use super::trace::Past;
use super::{Gateway, Rules, proof};
use crate::audit::tree::leaf;
use crate::audit::{Bundle, Checkpoint, Entry, Kind, Receipt, Reference, VerifyingKey};
use crate::identity::Pseudonym;
use crate::inbound::console::view::{self, Door, Seen, Sight};
use crate::inbound::tls::ExpiryKind;
use crate::outbound::witness::Stand;
use crate::outbound::{CircuitState, Reading, Subscriber, Upstream, Witness};
use crate::sandbox::{self, Walls};
use crate::store::room::{Fill, Room};
use crate::store::trace::{Line, Wanted};
use crate::store::{Standing, State};
use crate::vocabulary::{ElementId, Fault};

/// Quarantined messages shown.
const HELD_MAX: usize = 50;

/// The gateway as its console sees it, and what it needs of whoever starts it.
pub struct Sights {
    /// The gateway.
    pub gateway: Arc<Gateway>,
    /// What brings policies into force.
    pub enforce: Enforce,
    /// What compiles mappings that served before.
    pub past: Past,
}

/// Brings the policies that two people have accepted into force, in the name of the second.
pub type Enforce = Arc<dyn Fn(String) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

impl Sight for Sights {
    fn overview(&self) -> Seen<'_, view::Overview> {
        self.gateway.overview().boxed()
    }

    fn departments(&self) -> Seen<'_, Vec<view::Named>> {
        let rules = self.gateway.rules.load_full();
        let named = rules.policies.departments().iter().map(|row| view::Named {
            id: row.name.to_string(),
            zh: row.title.zh.clone(),
            en: row.title.en.clone(),
        });
        let named = named.collect();
        async move { Ok(named) }.boxed()
    }

    fn purposes(&self) -> Seen<'_, Vec<view::Named>> {
        let rules = self.gateway.rules.load_full();
        let named = rules.policies.purposes().iter().map(|terms| view::Named {
            id: terms.id.to_string(),
            zh: terms.title.zh.clone(),
            en: terms.title.en.clone(),
        });
        let named = named.collect();
        async move { Ok(named) }.boxed()
    }

    fn search<'a>(
        &'a self,
        asker: &'a view::Asker,
        query: &'a view::Query,
    ) -> Seen<'a, view::LedgerPage> {
        self.gateway.search(asker, query).boxed()
    }

    fn entry<'a>(
        &'a self,
        asker: &'a view::Asker,
        key: &'a view::EntryKey,
    ) -> Seen<'a, Option<view::EntryView>> {
        self.gateway.entry_view(asker, key).boxed()
    }

    fn proof<'a>(&'a self, asker: &'a view::Asker, number: u64) -> Seen<'a, Option<Vec<u8>>> {
        self.gateway.proof_file(asker, number).boxed()
    }

    fn record<'a>(&'a self, occasion: &'a view::Occasion) -> Seen<'a, ()> {
        async move {
            let kind = match occasion.what {
                Door::Declined(_)
                | Door::Enrolled(_)
                | Door::Found(..)
                | Door::Gone
                | Door::Invited(_)
                | Door::Nominated(_) => Kind::Account,
                Door::Locked | Door::Refused | Door::SignedIn | Door::SignedOut => Kind::SignIn,
            };
            let subject = occasion.to_string();
            self.gateway.record(kind, &subject).await.map_err(|error| error.fault())
        }
        .boxed()
    }
}

impl Gateway {
    async fn overview(&self) -> Result<view::Overview, Fault> {
        let rules = self.rules.load_full();
        let at_ms = (self.clock)();
        let counts = self.store.counts().await.map_err(|error| error.fault())?;
        let state = Some(State::Quarantined);
        let wanted = Wanted { state, limit: HELD_MAX, ..Wanted::default() };
        let held = self.store.messages(wanted).await.map_err(|error| error.fault())?;
        let entries = self.store.ledger_size().await.map_err(|error| error.fault())?;
        let last = self.store.checkpoint().await.map_err(|error| error.fault())?;
        // A checkpoint is signed in the commit of the last entry it covers.
        let newest = self.store.ledger(entries.saturating_sub(1), 1).await;
        let newest = newest.map_err(|error| error.fault())?;
        let signed_ms = newest.first().map(|entry| entry.at_ms);
        let backlog = self.store.backlog().await.map_err(|error| error.fault())?;
        let (waiting, capacity) = self.store.queue();
        let cache = self.cache.reading();
        Ok(view::Overview {
            at_ms,
            started_ms: self.watch.started_ms,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            mappings: rules.pack.version().to_owned(),
            policy: rules.policies.version().to_owned(),
            beats: self.beats().await.map_err(|error| error.fault())?,
            senders: counts.iter().map(sender).collect(),
            quarantine: held.rows.iter().filter_map(quarantined).collect(),
            room: self.store.room().map(room),
            confined: confined(sandbox::standing()),
            queue: view::Queue { waiting: wide(waiting), capacity: wide(capacity) },
            upstreams: self.upstreams.load().iter().map(|one| upstream(one, at_ms)).collect(),
            subscriptions: self.subscription_rows(at_ms).await?,
            cache: view::Cache {
                entries: cache.entries,
                hits: cache.hits,
                misses: cache.misses,
                stale: cache.stale,
            },
            backlog: super::review::backlog(backlog),
            expiries: self.watch.tls.expiries().into_iter().map(expiry).collect(),
            ledger: view::Ledger {
                entries,
                checkpoint: last.and_then(|last| {
                    let signed = Checkpoint::open(&last.bytes, self.watch.verifying()).ok()?;
                    let (size, root) = (signed.size, signed.root.to_string());
                    Some(view::Checkpoint { size, root, at_ms: signed_ms? })
                }),
                verified: self.watch.verified(),
                witnesses: self.witnesses.load().iter().map(|one| witness(one)).collect(),
                sinks: self.sink_rows().await.map_err(|error| error.fault())?,
            },
        })
    }

    async fn subscription_rows(&self, at_ms: i64) -> Result<Vec<view::SubscriptionRow>, Fault> {
        let subscribers = self.subscribers.load_full();
        let row = |standing: Standing| {
            let own =
                |one: &&Arc<Subscriber>| one.settings().name.as_str() == standing.subscription;
            let state =
                subscribers.iter().find(own).and_then(|one| Some(state(&one.reading(at_ms)?)));
            view::SubscriptionRow {
                state,
                enrolled: standing.enrolled.cast_unsigned(),
                waiting: standing.waiting.cast_unsigned(),
                oldest_ms: standing.oldest_ms,
                delivered: standing.delivered.cast_unsigned(),
                passed: standing.passed.cast_unsigned(),
                dead: standing.dead.cast_unsigned(),
                name: standing.subscription,
            }
        };
        Ok(self.standings().await?.into_iter().map(row).collect())
    }

    /// Enters what somebody asks of the ledger or journal, before anything is told.
    pub(super) async fn asked(
        &self,
        user: &str,
        subject: &str,
        person: Option<Pseudonym>,
    ) -> Result<(), Fault> {
        let mut entry = self.event(Kind::Query, subject);
        entry.asker = Some(Reference::new(user));
        entry.person = person;
        self.append(&entry).await.map(drop).map_err(|error| error.fault())
    }

    async fn proof_file(&self, asker: &view::Asker, number: u64) -> Result<Option<Vec<u8>>, Fault> {
        self.asked(&asker.user, &format!("proof of entry {number}"), None).await?;
        Ok(self.bundle(number).await?.map(|bundle| bundle.write()))
    }

    /// The proof of an entry; `None` if no checkpoint covers it.
    async fn bundle(&self, number: u64) -> Result<Option<Bundle>, Fault> {
        let found = self.store.look(move |view| proof::bundle(view, number)).await;
        found.map_err(|error| error.fault())?.map_err(|error| error.fault())
    }

    async fn entry_view(
        &self,
        asker: &view::Asker,
        key: &view::EntryKey,
    ) -> Result<Option<view::EntryView>, Fault> {
        let subject = match key {
            view::EntryKey::Number(number) => format!("entry {number}"),
            view::EntryKey::Receipt(_) => "receipt".to_owned(),
        };
        self.asked(&asker.user, &subject, None).await?;
        let found = match key {
            view::EntryKey::Number(number) => {
                let page = self.store.ledger(*number, 1).await.map_err(|error| error.fault())?;
                page.into_iter().find(|entry| entry.number == *number)
            }
            view::EntryKey::Receipt(text) => match Receipt::parse(text) {
                Ok(receipt) => {
                    let found = self.store.look(move |view| by_receipt(view, receipt)).await;
                    found.and_then(|found| found).map_err(|error| error.fault())?
                }
                Err(_) => None,
            },
        };
        let Some(found) = found else { return Ok(None) };
        let rules = self.rules.load_full();
        let entry = Entry::from_bytes(&found.bytes).map_err(|_| Fault::Internal)?;
        let row = line(&rules, found.number, &entry);
        let proof = self.bundle(found.number).await?;
        let proof = proof.map(|bundle| shown(&bundle, self.watch.verifying()));
        let text = String::from_utf8_lossy(&found.bytes).into_owned();
        Ok(Some(full(&rules, row, entry, (text, proof))))
    }
}

/// A proof, checked now by the key of the ledger.
fn shown(bundle: &Bundle, key: &VerifyingKey) -> view::Proof {
    view::Proof {
        leaf: leaf(&bundle.entry).to_string(),
        size: Checkpoint::unproven(&bundle.note).map_or(0, |claimed| claimed.size),
        path: bundle.path.iter().map(ToString::to_string).collect(),
        checkpoint: String::from_utf8_lossy(&bundle.note).into_owned(),
        holds: bundle.prove(key, &[]).is_ok(),
    }
}

fn witness(witness: &Witness) -> view::WitnessRow {
    let state = match witness.stand() {
        Stand::NotYet => view::WitnessState::NotYet,
        Stand::Signed(size, at_ms) => view::WitnessState::Signed { size, at_ms },
        Stand::Ahead(_) | Stand::Forked => view::WitnessState::Contradicts,
        Stand::Silent => view::WitnessState::Silent,
    };
    view::WitnessRow { name: witness.key().name().to_owned(), state }
}

fn full(
    rules: &Rules,
    row: view::LedgerRow,
    entry: Entry,
    (line, proof): (String, Option<view::Proof>),
) -> view::EntryView {
    let named = |id: &ElementId| element(rules, *id);
    let tiers = entry.elements.tiers();
    let released = tiers.iter().filter(|(_, set)| !set.is_empty());
    view::EntryView {
        row,
        asked_by: entry.asked_by.map(|human| human.0),
        legal_basis: entry.legal_basis,
        released: released.map(|(tier, set)| (*tier, set.iter().map(named).collect())).collect(),
        withheld: entry.withheld.iter().map(named).collect(),
        rules: entry.rules.into_iter().collect(),
        sources: entry
            .sources
            .iter()
            .map(|(source, state)| format!("{source}: {state:?}"))
            .collect(),
        policy: entry.policy,
        mappings: entry.mappings,
        answer_sha256: entry.answer_sha256.map(|hash| hash.to_string()),
        line,
        proof,
    }
}

fn element(rules: &Rules, id: ElementId) -> view::Named {
    let known = rules.pack.catalogue().get(id);
    let (zh, en) =
        known.map(|element| (element.zh.clone(), element.en.clone())).unwrap_or_default();
    view::Named { id: id.to_string(), zh, en }
}

fn room(found: Room) -> view::Room {
    let fill = match found.state {
        Fill::Roomy => view::Fill::Roomy,
        Fill::Filling => view::Fill::Filling,
        Fill::Reserve => view::Fill::Reserve,
    };
    view::Room { used: found.used, left: found.left, fill }
}

fn confined(walls: Walls) -> view::Confined {
    view::Confined { files: walls.files, ports: walls.ports, calls: walls.calls }
}

pub(super) fn line(rules: &Rules, number: u64, entry: &Entry) -> view::LedgerRow {
    let department = entry.department.map(|name| {
        let row = rules.policies.departments().department(name);
        let title = row.map(|row| row.title.clone()).unwrap_or_default();
        view::Named { id: name.to_string(), zh: title.zh, en: title.en }
    });
    let purpose = entry.purpose.map(|id| {
        let title = rules.policies.purposes().terms(id).map(|terms| terms.title.clone());
        let title = title.unwrap_or_default();
        view::Named { id: id.to_string(), zh: title.zh, en: title.en }
    });
    let released = entry.elements.tiers().iter().map(|(_, set)| set.len()).sum();
    view::LedgerRow {
        number,
        at_ms: entry.at_ms,
        kind: entry.kind.as_str().to_owned(),
        department,
        role: entry.role.map(|role| role.to_string()),
        asker: entry.asker.as_ref().map(|asker| asker.as_str().to_owned()),
        purpose,
        person: entry.person.clone().map(|person| person.0),
        receipt: Some(entry.receipt.to_string()),
        released,
        withheld: entry.withheld.len(),
        fault: entry.fault,
    }
}

fn sender(count: &crate::store::Count) -> view::SenderRow {
    view::SenderRow {
        name: count.source.to_string(),
        received: count.received,
        kept: count.kept,
        quarantined: count.quarantined,
        refused: count.refused,
    }
}

fn quarantined(held: &Line) -> Option<view::QuarantineRow> {
    Some(view::QuarantineRow {
        number: held.number,
        sender: held.source.clone(),
        at_ms: held.received_at_ms,
        fault: held.fault?,
        at: held.position.clone(),
    })
}

/// Whether the other side of a line answers.
const fn state(reading: &Reading) -> view::UpstreamState {
    let idle = reading.succeeded == 0 && reading.failed == 0;
    match reading.state {
        CircuitState::Closed if idle => view::UpstreamState::Idle,
        CircuitState::Closed => view::UpstreamState::Up,
        CircuitState::HalfOpen => view::UpstreamState::Trying,
        CircuitState::Open => view::UpstreamState::Open,
    }
}

fn upstream(upstream: &Upstream, at_ms: i64) -> view::UpstreamRow {
    let reading = upstream.reading(at_ms);
    view::UpstreamRow {
        name: upstream.name().to_string(),
        state: state(&reading),
        answered: reading.succeeded,
        failed: reading.failed,
        last_ms: reading.last_success_age_ms.map(|age_ms| at_ms - age_ms),
    }
}

fn expiry(expiry: crate::inbound::tls::Expiry) -> view::ExpiryRow {
    let used_for = match expiry.kind {
        ExpiryKind::Authority => "clients.authorities",
        ExpiryKind::Revocations => "clients.revocations",
        ExpiryKind::Server => "tls.certificate",
    };
    let (subject, not_after) = (expiry.subject, expiry.not_after);
    view::ExpiryRow { subject, used_for: used_for.to_owned(), not_after }
}

pub(super) fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
