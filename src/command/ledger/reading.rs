//! The ledger as it stood at one moment, read page by page.

use std::borrow::Borrow;
use std::cell::RefCell;

use crate::command::Failure;
use crate::flow::proof::{self, Numbered, ProofError};
use crate::store::{LedgerFile, LedgerView, Settings, StoreError};

/// How many rows are read at once.
const PAGE_ROWS: usize = 2048;

/// A ledger of which the gateway may go on to write the rest.
pub struct Reading<F = LedgerFile> {
    file: F,
    /// Entries from this number on came later.
    size: u64,
    /// Checkpoints over more than this came later.
    sealed: u64,
    /// What went wrong while reading; iterators end there.
    trouble: RefCell<Option<ProofError>>,
}

impl Reading {
    /// Opens the ledger and marks where it ends.
    ///
    /// # Errors
    /// [`Failure`] if there is no ledger that can be read.
    pub fn open(store: &Settings) -> Result<Self, Failure> {
        let open = LedgerFile::open(store).map_err(failed)?;
        let (size, sealed) = open.look(ends).and_then(|ends| ends).map_err(failed)?;
        Ok(Self { file: open, size, sealed, trouble: RefCell::new(None) })
    }

    /// The file itself.
    #[must_use]
    pub const fn file(&self) -> &LedgerFile {
        &self.file
    }
}

impl<'a> Reading<&'a LedgerFile> {
    /// One that nobody goes on to write.
    ///
    /// # Errors
    /// [`Failure`] if it cannot be read.
    pub fn of(file: &'a LedgerFile) -> Result<Self, Failure> {
        let (size, sealed) = ends(file.now()).map_err(failed)?;
        Ok(Self { file, size, sealed, trouble: RefCell::new(None) })
    }
}

impl<F: Borrow<LedgerFile>> Reading<F> {
    fn now(&self) -> LedgerView<'_> {
        self.file.borrow().now()
    }

    /// How many entries it has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The newest checkpoint, signed text and all.
    ///
    /// # Errors
    /// [`Failure`] if the file cannot be read.
    pub fn checkpoint(&self) -> Result<Option<Vec<u8>>, Failure> {
        let above = self.sealed.saturating_sub(1);
        let last = self.now().checkpoints(above, 1).map_err(failed)?;
        Ok(last.into_iter().next().map(|last| last.bytes))
    }

    /// Every entry with its number, in order.
    pub fn entries(&self) -> impl Iterator<Item = (u64, Vec<u8>)> {
        let page = move |from| {
            let rows = self.note(self.now().entries(from, PAGE_ROWS))?;
            let next = rows.last()?.number.checked_add(1)?;
            Some((next, rows.into_iter().map(|row| (row.number, row.bytes)).collect()))
        };
        Pages { page, from: Some(0), rows: Vec::new().into_iter() }
            .take_while(|(number, _)| *number < self.size)
    }

    /// Every entry with its number, in order, or its hash where its time is over.
    pub fn kept(&self) -> impl Iterator<Item = Numbered> {
        let page = move |from| {
            let rows = proof::kept(self.now(), from, PAGE_ROWS);
            let rows = self.note(rows)?;
            let next = rows.last()?.0.checked_add(1)?;
            Some((next, rows))
        };
        Pages { page, from: Some(0), rows: Vec::new().into_iter() }
            .take_while(|(number, _)| *number < self.size)
    }

    /// Every checkpoint, in order.
    pub fn checkpoints(&self) -> impl Iterator<Item = Vec<u8>> {
        let page = move |above| {
            let rows = self.note(self.now().checkpoints(above, PAGE_ROWS))?;
            let next = rows.last()?.size;
            Some((next, rows.into_iter().map(|row| (row.size, row.bytes)).collect()))
        };
        Pages { page, from: Some(0), rows: Vec::new().into_iter() }
            .take_while(|(size, _)| *size <= self.sealed)
            .map(|(_, bytes)| bytes)
    }

    /// Whether everything could be read: an iterator cannot say why it ended.
    ///
    /// # Errors
    /// [`Failure`] if it could not.
    pub fn finish(&self) -> Result<(), Failure> {
        let trouble = self.trouble.take();
        trouble.map_or(Ok(()), |error| Err(Failure::during("ledger", error)))
    }

    fn note<T>(&self, read: Result<T, impl Into<ProofError>>) -> Option<T> {
        read.map_err(|error| *self.trouble.borrow_mut() = Some(error.into())).ok()
    }
}

/// How many entries there are, and how many the newest checkpoint signed, at one moment.
fn ends(view: LedgerView<'_>) -> Result<(u64, u64), StoreError> {
    Ok((view.size()?, view.checkpoint()?.map_or(0, |last| last.size)))
}

/// Rows that are read a page at a time, each from where the last one ended.
struct Pages<F, T> {
    page: F,
    from: Option<u64>,
    rows: std::vec::IntoIter<(u64, T)>,
}

impl<T, F: FnMut(u64) -> Option<(u64, Vec<(u64, T)>)>> Iterator for Pages<F, T> {
    type Item = (u64, T);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(row) = self.rows.next() {
            return Some(row);
        }
        let (next, rows) = (self.page)(self.from.take()?)?;
        self.from = Some(next);
        self.rows = rows.into_iter();
        self.rows.next()
    }
}

fn failed(error: StoreError) -> Failure {
    Failure::during("ledger", error)
}
