//! 个人信息查阅记录, a person's access history, made of the entries themselves.
//!
//! The store's search tables are not signed: a row left out of them would be missing in what a
//! person is handed, so every entry is read.

use std::sync::Arc;

use futures_util::FutureExt;

use super::{Gateway, Sights};
use crate::audit::history::typeface::Typeface;
use crate::audit::history::{About, Account, Form, Titles, html, pdf};
use crate::audit::search::{self, Found};
use crate::audit::{Checkpoint, Kind, Question, Receipt, Reference};
use crate::identity::Pseudonym;
use crate::inbound::console::view::history::{Accounting, History};
use crate::inbound::console::view::{Asker, Seen};
use crate::store::{LedgerView, StoreError};
use crate::vocabulary::Fault;

/// What is exported, as its entry says.
pub(super) const HISTORY: &str = "access history";
/// Entries read at once, so that no look at the ledger lasts long.
const PAGE_ROWS: usize = 2048;
/// Entries of one history; beyond them it is made in parts, by `kangqiao ledger history --since`.
pub const ENTRIES_MAX: usize = 10_000;

impl Accounting for Sights {
    fn access_history<'a>(
        &'a self,
        asker: &'a Asker,
        known: &'a [String],
        form: Form,
    ) -> Seen<'a, History> {
        self.gateway.history(asker, known, form).boxed()
    }
}

impl Gateway {
    /// Enters that entries leave the ledger; the receipt of that.
    pub(super) async fn enter_export(
        &self,
        asker: Reference,
        words: &str,
        person: Option<Pseudonym>,
    ) -> Result<Receipt, Fault> {
        let mut entry = self.event(Kind::Export, words);
        entry.asker = Some(asker);
        entry.person = person;
        self.append(&entry).await.map_err(|error| error.fault())?;
        Ok(entry.receipt)
    }

    async fn history(&self, asker: &Asker, known: &[String], form: Form) -> Result<History, Fault> {
        let persons: Vec<_> = known.iter().cloned().map(Pseudonym).collect();
        let first = persons.first().cloned().ok_or(Fault::EntryUnknown)?;
        // Without a font nothing leaves, and nothing is entered.
        let font = self.font.clone();
        let typeface = match form {
            Form::Html => None,
            Form::Pdf => match self.aside(move || Typeface::find(font.as_deref())).await? {
                Ok(typeface) => Some(typeface),
                Err(error) => {
                    tracing::warn!(error = %error, "an access history is not printed");
                    return Ok(History::NoFont);
                }
            },
        };
        let asker = Reference::new(&asker.user);
        let entered = Some(self.enter_export(asker, HISTORY, Some(first)).await?);
        let (found, retired, checkpoint) = self.entries_about(&persons).await?;
        let (rules, at_ms) = (self.rules.load_full(), (self.clock)());
        let (known, since_ms, until_ms) = (true, None, None);
        let about =
            About { persons, known, since_ms, until_ms, at_ms, retired, entered, checkpoint };
        let written = self.aside(move || {
            let (policies, catalogue) = (&*rules.policies, rules.pack.catalogue());
            let account = Account::new(&found, Titles { policies, catalogue }, &about);
            match typeface {
                None => html::write(&account).map_err(|error| error.to_string()),
                Some(typeface) => {
                    pdf::write(&account, &typeface).map_err(|error| error.to_string())
                }
            }
        });
        written.await?.map(History::Written).map_err(|error| {
            tracing::error!(error, "an access history cannot be written");
            Fault::Internal
        })
    }

    /// Every entry about a person under the newest checkpoint, of how many what they said is
    /// gone, and that checkpoint.
    async fn entries_about(
        &self,
        persons: &[Pseudonym],
    ) -> Result<(Vec<Found>, u64, Option<Checkpoint>), Fault> {
        let last = self.store.checkpoint().await.map_err(|error| error.fault())?;
        let open = |note: &[u8]| Checkpoint::open(note, self.watch.verifying());
        let checkpoint = last.map(|last| open(&last.bytes)).transpose();
        let checkpoint = checkpoint.map_err(|_| Fault::Internal)?;
        let size = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size);
        let question = Question { persons: persons.to_vec(), ..Question::default() };
        let (question, mut found, mut from) = (Arc::new(question), Vec::new(), 0);
        let mut retired = size;
        while from < size {
            let asked = Arc::clone(&question);
            let looked = self.store.look(move |view| page(view, (from, size), &asked)).await;
            let (more, read, next) = looked.and_then(|page| page).map_err(|error| error.fault())?;
            let more = more.into_iter().collect::<Result<Vec<_>, _>>();
            found.extend(more.map_err(|error| {
                tracing::error!(error = %error, "an entry of the ledger cannot be read");
                Fault::Internal
            })?);
            if found.len() > ENTRIES_MAX {
                return Err(Fault::Limit);
            }
            retired = retired.saturating_sub(read);
            from = next;
        }
        Ok((found, retired, checkpoint))
    }

    /// Does what takes a while where no socket waits for it.
    async fn aside<T: Send + 'static>(
        &self,
        what: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        self.background.spawn_blocking(what).await.map_err(|_| Fault::Internal)
    }
}

type Page = (Vec<Result<Found, search::Unreadable>>, u64, u64);

/// What of the entries from one number on answers a question, how many were read, and where to go
/// on.
fn page(
    view: LedgerView<'_>,
    (from, size): (u64, u64),
    question: &Question,
) -> Result<Page, StoreError> {
    let mut rows = view.entries(from, PAGE_ROWS)?;
    rows.retain(|row| row.number < size);
    let next = rows.last().map_or(size, |row| row.number + 1);
    let read = u64::try_from(rows.len()).unwrap_or(0);
    let rows = rows.into_iter().map(|row| (row.number, row.bytes));
    Ok((search::search(rows, question).collect(), read, next))
}
