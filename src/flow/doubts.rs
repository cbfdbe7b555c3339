//! 疑点, the ledger read for what an auditor is to look at: each entry once, a bounded number a look.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::Mutex;

use super::seek::first_at;
use super::{Gateway, Rules, Sights, past};
use crate::audit::Entry;
use crate::audit::doubt::{Arrived, Doubt, Doubting, Inquiry, PEOPLE_BYTES_MAX, People, Served};
use crate::audit::search::Unreadable;
use crate::identity::{Keys, PersonId, Pseudonym};
use crate::inbound::console::view::doubt::{DoubtPage, DoubtQuery, ListState, Noticing};
use crate::inbound::console::view::{Asker, Named, Seen};
use crate::policy::Doubts;
use crate::store::policies::InForce;
use crate::store::{LedgerView, StoreError};
use crate::vocabulary::Fault;

/// Entries read at once.
const PAGE_ROWS: usize = 2_048;
/// Entries read before a page is answered, in less than a second. The next look goes on from there.
const LOOK_MAX: u64 = 25_000;
/// Doubts on one page at most.
const ROWS_MAX: usize = 200;
const DAY_MS: i64 = 86_400_000;

/// How far the ledger was read, and what was found.
pub struct Look {
    /// What is asked and was found.
    pub doubting: Doubting,
    next: Option<u64>,
    /// Who of the index somebody is, of whom records are looked for.
    known: HashMap<Pseudonym, Option<PersonId>>,
}

/// Why the ledger cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The file cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An entry is not what it should be.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

impl Look {
    /// Begins.
    #[must_use]
    pub fn new(doubting: Doubting) -> Self {
        Self { doubting, next: None, known: HashMap::new() }
    }

    /// Reads on, at most `most` entries and none from `until_ms` on; how many are left.
    ///
    /// # Errors
    /// [`LookError`]; then nothing of this look is to be used.
    pub fn read(
        &mut self,
        view: LedgerView<'_>,
        until_ms: i64,
        most: u64,
    ) -> Result<u64, LookError> {
        let start = match self.next {
            Some(next) => next,
            None => first_at(view, self.doubting.reads_from_ms())?,
        };
        let size = view.size()?;
        let end = size.min(start.saturating_add(most));
        let mut next = start;
        while next < end {
            let room = usize::try_from(end - next).unwrap_or(PAGE_ROWS);
            let page = view.entries(next, room.min(PAGE_ROWS))?;
            let Some(last) = page.last() else { break };
            next = last.number + 1;
            for stored in &page {
                let number = stored.number;
                let entry = Entry::from_bytes(&stored.bytes);
                let entry = entry.map_err(|error| Unreadable { number, error })?;
                if entry.at_ms < until_ms {
                    self.doubting.see(number, &entry);
                }
            }
        }
        self.next = Some(next);
        Ok(size.saturating_sub(next))
    }

    /// What arrived about those of whom records should have come by now. The pseudonyms of the
    /// whole index are gone through once for whoever is new.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn arrived(
        &mut self,
        view: LedgerView<'_>,
        keys: &Keys,
        now_ms: i64,
    ) -> Result<Arrived, StoreError> {
        let due = self.doubting.due(now_ms);
        let unknown: HashSet<_> =
            due.map(|due| &due.person).filter(|person| !self.known.contains_key(person)).collect();
        if !unknown.is_empty() {
            let named = |person| Some(keys.pseudonym(person)).filter(|name| unknown.contains(name));
            let found: HashMap<_, _> = view.persons(named)?.into_iter().collect();
            let found: Vec<_> =
                unknown.into_iter().map(|name| (name.clone(), found.get(name).copied())).collect();
            self.known.extend(found);
        }
        let mut arrived = Arrived::new();
        for due in self.doubting.due(now_ms) {
            let Some(Some(person)) = self.known.get(&due.person) else { continue };
            if !arrived.contains_key(&due.person) {
                let from_ms = self.doubting.reads_from_ms();
                arrived.insert(due.person.clone(), view.arrivals(*person, from_ms)?);
            }
        }
        Ok(arrived)
    }
}

/// Policies and mappings that served, as a store's folder keeps them.
#[must_use]
pub fn served(store: PathBuf) -> Served {
    Box::new(move |version, mappings| {
        let (version, mappings) = (version.to_owned(), mappings.to_owned());
        past(&store, &InForce { version, mappings }).map(Arc::new)
    })
}

/// Reads a list that is kept.
///
/// # Errors
/// Why it cannot be used; never what stands in it.
pub fn list(path: &Path) -> Result<People, String> {
    let bytes = list_bytes(path)?;
    People::read(&bytes, None).map_err(|error| error.to_string())
}

/// The bytes of a list, if they are not too many.
///
/// # Errors
/// Why it cannot be read.
pub fn list_bytes(path: &Path) -> Result<Vec<u8>, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > PEOPLE_BYTES_MAX {
        return Err(format!("more than {PEOPLE_BYTES_MAX} bytes"));
    }
    std::fs::read(path).map_err(|error| error.to_string())
}

/// What the gateway looks at its ledger for, between two looks of an auditor.
pub struct Watching {
    store: PathBuf,
    people: Option<PathBuf>,
    kept: Mutex<Option<(Asked, Look)>>,
}

/// What a look depends on: anything else is another look.
type Asked = (Doubts, Option<String>);

impl Watching {
    /// Watches by the list of that file.
    ///
    /// # Errors
    /// Why the list cannot be used.
    pub fn new(store: PathBuf, people: Option<PathBuf>) -> Result<Self, String> {
        people.as_deref().map(list).transpose()?;
        Ok(Self { store, people, kept: Mutex::default() })
    }

    async fn list(&self) -> (Option<People>, ListState) {
        let Some(path) = self.people.clone() else { return (None, ListState::None) };
        let read = tokio::task::spawn_blocking(move || list(&path)).await;
        match read.map_err(|error| error.to_string()).and_then(|read| read) {
            Ok(people) => {
                let (digest, rows) = (people.digest(), people.rows());
                (Some(people), ListState::Read { digest, rows })
            }
            Err(reason) => {
                tracing::error!(reason, "the auditor's list cannot be read");
                (None, ListState::Unreadable)
            }
        }
    }
}

impl Noticing for Sights {
    fn doubts<'a>(&'a self, asker: &'a Asker, asked: DoubtQuery) -> Seen<'a, DoubtPage> {
        self.gateway.doubts(asker, asked).boxed()
    }
}

impl Gateway {
    async fn doubts(&self, asker: &Asker, asked: DoubtQuery) -> Result<DoubtPage, Fault> {
        let (people, list) = self.doubts.list().await;
        let digest = people.as_ref().map(People::digest);
        // Whoever changes the list is seen by it.
        let subject = match (asked.of.map_or("all", Inquiry::as_str), &digest) {
            (of, Some(digest)) => format!("doubts {of}, list {digest}"),
            (of, None) => format!("doubts {of}"),
        };
        self.asked(&asker.user, &subject, None).await?;
        let rules = self.rules.load_full();
        let terms = rules.policies.doubts().clone();
        let now_ms = (self.clock)();
        let since_ms = now_ms - i64::from(terms.days) * DAY_MS;
        // Two who look at once read the ledger once.
        let mut kept = self.doubts.kept.lock().await;
        let by: Asked = (terms, digest);
        let mut look = match kept.take() {
            Some((before, look)) if before == by => look,
            _ => {
                let served = served(self.doubts.store.clone());
                Look::new(Doubting::new(&by.0, people, served, since_ms))
            }
        };
        look.doubting.slide(since_ms);
        let (found, unread, look) = self.look(look, now_ms).await?;
        let asks = Inquiry::ALL.iter().filter(|row| look.doubting.asks(row.0));
        let of = |inquiry| found.iter().filter(move |doubt| doubt.reason.inquiry() == inquiry);
        let counts = asks.map(|row| (row.0, of(row.0).count())).collect();
        let let_go = look.doubting.let_go();
        *kept = Some((by, look));
        drop(kept);
        let limit = asked.limit.clamp(1, ROWS_MAX);
        let wanted = |doubt: &Doubt| asked.of.is_none_or(|of| of == doubt.reason.inquiry());
        let mut rest = found.into_iter().filter(wanted).skip(asked.skip);
        let titled = |doubt: Doubt| (department(&rules, &doubt), doubt);
        let rows = rest.by_ref().take(limit).map(titled).collect();
        let next = rest.next().map(|_| asked.skip.saturating_add(limit));
        Ok(DoubtPage { since_ms, rows, counts, unread, let_go, list, next })
    }

    /// Reads on: what is found by then, and how many entries are left.
    async fn look(&self, mut look: Look, now_ms: i64) -> Result<(Vec<Doubt>, u64, Look), Fault> {
        let keys = self.keys.clone();
        let read = self.store.look(move |view| {
            let unread = look.read(view, i64::MAX, LOOK_MAX)?;
            let arrived = look.arrived(view, &keys, now_ms)?;
            Ok((look.doubting.found(now_ms, &arrived), unread, look))
        });
        let read = read.await.map_err(|error| error.fault())?;
        read.map_err(|error| match error {
            LookError::Store(error) => error.fault(),
            LookError::Unreadable(error) => {
                tracing::error!(error = %error, "an entry of the ledger cannot be read");
                Fault::Internal
            }
        })
    }
}

/// The department of whoever asked, with its titles.
fn department(rules: &Rules, doubt: &Doubt) -> Option<Named> {
    let name = doubt.who.as_ref()?.department;
    let row = rules.policies.departments().department(name);
    let title = row.map(|row| row.title.clone()).unwrap_or_default();
    Some(Named { id: name.to_string(), zh: title.zh, en: title.en })
}
