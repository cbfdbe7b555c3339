//! 检索, entries of the ledger found by their time and by their receipt.

use crate::audit::{Entry, Receipt};
use crate::store::{LedgerEntry, LedgerView, StoreError};

/// How far an entry may stand from where its time says: a question that waited for upstream
/// systems is entered after later ones. Milliseconds.
pub const ABOUT_MS: i64 = 60_000;
/// Entries read at once.
const PAGE_ROWS: usize = 256;

/// The number of the first entry of a time, as far as entries are in the order of theirs.
///
/// # Errors
/// [`StoreError::Sql`].
pub fn first_at(view: LedgerView<'_>, at_ms: i64) -> Result<u64, StoreError> {
    let (mut low, mut high) = (0, view.size()?);
    while low < high {
        let middle = low + (high - low) / 2;
        let page = view.entries(middle, 1)?;
        match page.first().is_some_and(|entry| entry.at_ms < at_ms) {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    Ok(low)
}

/// The entry of a receipt. It tells its own time, so only entries of about that time are read.
///
/// # Errors
/// [`StoreError::Sql`].
pub fn by_receipt(
    view: LedgerView<'_>,
    receipt: Receipt,
) -> Result<Option<LedgerEntry>, StoreError> {
    let mut low = first_at(view, receipt.at_ms().saturating_sub(ABOUT_MS))?;
    // Only one whose bytes have it is read as an entry: in a busy minute there are very many.
    let text = receipt.to_string();
    let within = |bytes: &[u8]| std::str::from_utf8(bytes).is_ok_and(|line| line.contains(&text));
    loop {
        let page = view.entries(low, PAGE_ROWS)?;
        let Some(last) = page.last() else { return Ok(None) };
        let passed = last.at_ms > receipt.at_ms().saturating_add(ABOUT_MS);
        low = last.number + 1;
        let has = |stored: &LedgerEntry| {
            within(&stored.bytes)
                && Entry::from_bytes(&stored.bytes).is_ok_and(|entry| entry.receipt == receipt)
        };
        match page.into_iter().find(has) {
            None if !passed => (),
            found => return Ok(found),
        }
    }
}
