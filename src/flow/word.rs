//! 词, the ledger's entries as they can be searched: follows the ledger, and finds by it.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::Gateway;
use super::rotation::pause;
use super::seek::{ABOUT_MS, first_at};
use crate::audit::word::Gist;
use crate::audit::{Entry, Question, tile, word};
use crate::store::{LedgerEntry, LedgerView, StoreError, Worded};

/// Entries whose words are kept in one step, so that no message waits long for its own.
const ENTRIES_AT_ONCE: usize = 2048;
/// Entries one look goes through.
const LOOKED_MAX: usize = 20_000;
/// Rows of entries that are asked for at once.
const ROWS_AT_ONCE: usize = 64;
/// Entries of a row; of one whose time is over none is left, and it was looked at.
const ROW: usize = 256;
/// How often the ledger is followed. A search reads what is not yet.
const FOLLOWED_EVERY: Duration = Duration::from_secs(1);

impl Gateway {
    /// Keeps by which words entries are found, until it is told to stop.
    pub async fn keep_words(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let begun = Instant::now();
            let more = self.follow().await.unwrap_or_else(|error| {
                let fault = error.fault().row().name;
                tracing::warn!(fault, "the words of entries are not kept now");
                false
            });
            if !pause(&stop, (begun, more), FOLLOWED_EVERY).await {
                return;
            }
        }
    }

    /// One step; whether there may be another at once.
    async fn follow(&self) -> Result<bool, StoreError> {
        let (worded, read) = self.store.look(unworded).await??;
        let more = read == ENTRIES_AT_ONCE;
        if read > 0 {
            self.store.keep_words(worded).await?;
        }
        Ok(more)
    }
}

/// The words of the next entries whose words are not kept, and how many entries these are.
fn unworded(view: LedgerView<'_>) -> Result<(Worded, usize), StoreError> {
    let read = view.entries(view.worded()?, ENTRIES_AT_ONCE)?;
    let mut said = HashSet::new();
    for stored in &read {
        // One that cannot be read is found by nothing, and told by whoever verifies.
        let Some(gist) = Gist::read(&stored.bytes) else { continue };
        let place = word::place(stored.number);
        said.extend(gist.words().map(|word| (word, place)));
    }
    // In the order of their keys.
    let words: BTreeSet<_> = said.iter().map(|(word, place)| (word.number(), *place)).collect();
    let until = read.last().map_or(0, |last| last.number + 1);
    Ok((Worded { words: words.into_iter().collect(), until }, read.len()))
}

/// What a look found, newest first, and where it ended.
#[derive(Debug, Default)]
pub struct Picked {
    /// Entries that answer.
    pub found: Vec<(u64, Entry)>,
    /// Older ones are below this number.
    pub older: Option<u64>,
    /// Whether it ended because enough was looked at.
    pub tired: bool,
}

/// Entries that answer a question, newest first and below a number: of the rows that can have one,
/// as many as one look goes through.
///
/// # Errors
/// [`StoreError::Sql`].
pub fn pick(
    view: LedgerView<'_>,
    asked: &Question,
    page: (Option<u64>, usize),
) -> Result<Picked, StoreError> {
    pick_of(view, asked, page, LOOKED_MAX)
}

fn pick_of(
    view: LedgerView<'_>,
    asked: &Question,
    (before, limit): (Option<u64>, usize),
    looked_max: usize,
) -> Result<Picked, StoreError> {
    let late = asked.until_ms.map(|at_ms| first_at(view, at_ms.saturating_add(ABOUT_MS)));
    let early = asked.since_ms.map(|at_ms| first_at(view, at_ms.saturating_sub(ABOUT_MS)));
    let (late, low) = (late.transpose()?, early.transpose()?.unwrap_or(0));
    let bounds = [before, late].into_iter().flatten();
    let mut rows = Rows::new(view, asked, (low, bounds.fold(view.size()?, u64::min)))?;
    let (mut picked, mut looked, marks) = (Picked::default(), 0, asked.marks());
    let may = |bytes: &[u8]| {
        let line = std::str::from_utf8(bytes);
        line.is_ok_and(|line| marks.iter().all(|mark| line.contains(mark.as_str())))
    };
    while let Some((row, end)) = rows.next()? {
        if looked >= looked_max {
            (picked.older, picked.tired) = (Some(end), true);
            return Ok(picked);
        }
        looked += ROW;
        for stored in row.into_iter().rev().filter(|stored| may(&stored.bytes)) {
            let entry = Entry::from_bytes(&stored.bytes).ok();
            let Some(entry) = entry.filter(|entry| asked.matches(entry)) else { continue };
            picked.found.push((stored.number, entry));
            if picked.found.len() == limit {
                picked.older = Some(stored.number);
                return Ok(picked);
            }
        }
    }
    Ok(picked)
}

/// Rows of entries that can have one that answers, newest first.
struct Rows<'a> {
    view: LedgerView<'a>,
    words: Vec<i64>,
    /// Below which entry the words are known.
    worded: u64,
    /// From which entry on, and below which, is looked.
    low: u64,
    end: u64,
    /// The next ones, the last of them first.
    next: Vec<u64>,
}

impl<'a> Rows<'a> {
    fn new(
        view: LedgerView<'a>,
        asked: &Question,
        (low, end): (u64, u64),
    ) -> Result<Self, StoreError> {
        let words = word::asked(asked);
        Ok(Self { view, words, worded: view.worded()?, low, end, next: Vec::new() })
    }

    /// The entries of the next row, and the number below which they are.
    fn next(&mut self) -> Result<Option<(Vec<LedgerEntry>, u64)>, StoreError> {
        if self.end <= self.low {
            return Ok(None);
        }
        let newest = word::place(self.end - 1);
        let known = !self.words.is_empty() && self.end <= self.worded;
        let place = match known {
            false => Some(newest),
            true => self.sought(newest + 1)?,
        };
        let Some(place) = place else { return Ok(None) };
        let first = (place * tile::WIDTH).max(self.low);
        let end = self.end.min((place + 1) * tile::WIDTH);
        self.end = first;
        if end <= first {
            return Ok(None);
        }
        let room = usize::try_from(end - first).unwrap_or(0);
        let mut row = self.view.entries(first, room)?;
        // Of a row that is gone there are later ones in its place.
        row.retain(|stored| stored.number < end);
        Ok(Some((row, end)))
    }

    /// The next row below one that has the words.
    fn sought(&mut self, before: u64) -> Result<Option<u64>, StoreError> {
        if self.next.is_empty() {
            self.next = self.view.rows_with(&self.words, (before, ROWS_AT_ONCE))?;
            self.next.reverse();
        }
        Ok(self.next.pop())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;
    use crate::audit::Kind;
    use crate::flow::ledger::row;
    use crate::store::{Sealed, Sealing, Settings, Store};
    use crate::vocabulary::Department;

    /// Entries that are appended at once, of a kind and a department; their numbers.
    async fn append(store: &Store, entries: &[(Kind, &str)]) -> Vec<u64> {
        let entries = entries.iter().enumerate().map(|(at, (kind, department))| {
            let mut entry = Entry::new(*kind, 1_000 + i64::try_from(at).unwrap(), [1; 16]);
            entry.department = Department::parse(department).ok();
            store.append(row(&entry))
        });
        join_all(entries).await.into_iter().map(|appended| appended.unwrap().number).collect()
    }

    /// Of what a look finds that goes through two rows: the numbers, where it goes on, whether it
    /// gave up.
    async fn found(
        store: &Store,
        (kind, department): (Kind, &str),
        page: (Option<u64>, usize),
    ) -> (Vec<u64>, Option<u64>, bool) {
        let department = Department::parse(department).ok();
        let asked = Question { department, kinds: vec![kind], ..Question::default() };
        let picked = store.look(move |view| pick_of(view, &asked, page, 2 * ROW)).await;
        let picked = picked.unwrap().unwrap();
        let numbers = picked.found.into_iter().map(|(number, _)| number);
        (numbers.collect(), picked.older, picked.tired)
    }

    async fn keep_words(store: &Store) {
        loop {
            let (worded, read) = store.look(unworded).await.unwrap().unwrap();
            if read == 0 {
                return;
            }
            store.keep_words(worded).await.unwrap();
        }
    }

    /// Signs whatever comes.
    struct Alone;

    impl Sealing for Alone {
        fn seal(&mut self, _: u64, entries: &[&[u8]]) -> Option<Sealed> {
            Some(Sealed { checkpoint: entries.concat(), tiles: Vec::new() })
        }

        fn follow(&mut self, _: LedgerView<'_>, _: u64) -> bool {
            false
        }
    }

    #[tokio::test]
    async fn what_happened_once_is_found_by_its_words_and_a_page_goes_on_where_it_ended() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { folder: folder.path().to_owned(), ..Settings::default() };
        let store = Store::open(settings, &[7; 32], Box::new(Alone)).unwrap();
        let mut entries = vec![(Kind::Disclosure, "clinic"); 1100];
        entries[300] = (Kind::Refusal, "clinic");
        entries[700] = (Kind::Refusal, "community");
        entries[900] = (Kind::Refusal, "clinic");
        let once = append(&store, &[(Kind::Erase, "")]).await[0];
        // Many at once come in any order.
        let numbers = append(&store, &entries).await;
        let other = numbers[700];
        let (first, last) = (numbers[300].min(numbers[900]), numbers[300].max(numbers[900]));

        let all = (None, 50);
        let (none, older, tired) = found(&store, (Kind::Erase, ""), all).await;
        assert!(none.is_empty() && tired && older.is_some(), "two rows were read and no more");
        keep_words(&store).await;
        assert_eq!(found(&store, (Kind::Erase, ""), all).await, (vec![once], None, false));
        assert_eq!(found(&store, (Kind::Witness, ""), all).await, (vec![], None, false));
        assert_eq!(found(&store, (Kind::Erase, "clinic"), all).await, (vec![], None, false));
        for (department, page, expected) in [
            ("community", (None, 1), (vec![other], Some(other), false)),
            ("clinic", (None, 1), (vec![last], Some(last), false)),
            ("clinic", (Some(last), 1), (vec![first], Some(first), false)),
            ("clinic", (Some(first), 1), (vec![], None, false)),
        ] {
            let found = found(&store, (Kind::Refusal, department), page).await;
            assert_eq!(found, expected, "{department} {page:?}");
        }

        // What has come since is read, and what was kept is found below it.
        let newest = append(&store, &[(Kind::Erase, "")]).await[0];
        let (both, ..) = found(&store, (Kind::Erase, ""), (None, 1)).await;
        assert_eq!(both, [newest]);
        let page = (Some(newest), 1);
        assert_eq!(found(&store, (Kind::Erase, ""), page).await.0, [once]);
    }
}
