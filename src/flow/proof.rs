//! 证明, proofs read from what the store keeps of the tree: tiles, and entries where none is full.

use crate::audit::proof;
use crate::audit::tile::{self, Tiles, Torn};
use crate::audit::tree::leaf;
use crate::audit::{self, Bundle, Edge, Hash, Kept, SealError, Sealer, Signers};
use crate::store::{Checkpoint, Cosigned, LedgerView, Seal, Sealed, Sealing, StoreError, Tile};
use crate::vocabulary::Fault;

/// Entries read at once where tiles are made anew: whole tiles.
const PAGE_ROWS: usize = 2048;

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// The ledger does not go on from its last checkpoint.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the store keeps of the tree is no tree.
    #[error(transparent)]
    Torn(#[from] Torn),
}

impl ProofError {
    /// What is told of it.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Store(error) => error.fault(),
            Self::Seal(_) | Self::Torn(_) => Fault::Internal,
        }
    }
}

/// The audit path of an entry among the first `size`; `None` if it is none of them.
///
/// # Errors
/// [`ProofError`] if the store cannot be read or holds no tree.
pub fn inclusion(
    view: LedgerView<'_>,
    (index, size): (u64, u64),
) -> Result<Option<Vec<Hash>>, ProofError> {
    proof::inclusion(&mut tiles(view, size), (index, size))
}

/// The proof that the first `size` entries begin with the first `old`.
///
/// # Errors
/// [`ProofError`] if the store cannot be read or holds no tree.
pub fn consistency(
    view: LedgerView<'_>,
    (old, size): (u64, u64),
) -> Result<Option<Vec<Hash>>, ProofError> {
    proof::consistency(&mut tiles(view, size), (old, size))
}

fn tiles(
    view: LedgerView<'_>,
    size: u64,
) -> Tiles<impl FnMut(u8, u64) -> Result<Vec<Hash>, ProofError>> {
    Tiles::new(move |level, number| row(view, (level, number), tile::filled(size, level, number)))
}

/// So many hashes of a row: as they are kept, or of the entries they are the leaves of.
fn row(
    view: LedgerView<'_>,
    (level, number): (u8, u64),
    width: usize,
) -> Result<Vec<Hash>, ProofError> {
    let mut row = match view.tile(level, number)? {
        Some(kept) => tile::hashes(&kept)?,
        None if level == 0 => {
            let first = number.saturating_mul(tile::WIDTH);
            let entries = view.entries(first, width)?;
            let own = (first..).zip(&entries).take_while(|(due, entry)| entry.number == *due);
            own.map(|(_, entry)| leaf(&entry.bytes)).collect()
        }
        None => Vec::new(),
    };
    row.truncate(width);
    if row.len() == width { Ok(row) } else { Err(Torn.into()) }
}

/// The number of an entry and what is kept of it.
pub type Numbered = (u64, Kept<Vec<u8>>);

/// What is kept from a number on, in order, at least `limit` if there are so many: entries, and
/// hashes where their time is over. Where neither is there the next number is not the next one.
///
/// # Errors
/// [`ProofError`] if the store cannot be read or holds no tree.
pub fn kept(view: LedgerView<'_>, from: u64, limit: usize) -> Result<Vec<Numbered>, ProofError> {
    let (mut kept, mut due) = (Vec::new(), from);
    for entry in view.entries(from, limit)? {
        // Whole rows alone come to their end: where less is missing, it was taken.
        while due.is_multiple_of(tile::WIDTH)
            && due + tile::WIDTH <= entry.number
            && kept.len() < limit
        {
            let Some(row) = view.tile(0, due / tile::WIDTH)? else { break };
            let hashes = (due..).zip(tile::hashes(&row)?);
            kept.extend(hashes.map(|(number, hash)| (number, Kept::Hash(hash))));
            due += tile::WIDTH;
        }
        if kept.len() >= limit {
            break;
        }
        due = entry.number + 1;
        kept.push((entry.number, Kept::Bytes(entry.bytes)));
    }
    Ok(kept)
}

/// The proof of an entry, by the newest checkpoint that witnesses signed, else by the newest there
/// is; `None` while none covers it.
///
/// # Errors
/// [`ProofError`] if the store cannot be read or holds no tree.
pub fn bundle(view: LedgerView<'_>, index: u64) -> Result<Option<Bundle>, ProofError> {
    let cosigned = view.cosigned()?;
    let seen = cosigned.iter().map(|one| one.size).filter(|size| index < *size).max();
    let seen = seen.map(|size| view.checkpoint_of(size)).transpose()?.flatten();
    let Some(last) = seen.map_or_else(|| view.checkpoint(), |seen| Ok(Some(seen)))? else {
        return Ok(None);
    };
    let entry = view.entries(index, 1)?.into_iter().find(|entry| entry.number == index);
    let path = inclusion(view, (index, last.size))?;
    let note = with_witnesses(last, &cosigned);
    Ok(entry.zip(path).map(|(entry, path)| Bundle { entry: entry.bytes, index, path, note }))
}

/// The newest checkpoint with what witnesses of just that one added; `None` while there is none.
///
/// # Errors
/// [`ProofError`] if the store cannot be read.
pub fn note(view: LedgerView<'_>) -> Result<Option<Vec<u8>>, ProofError> {
    let cosigned = view.cosigned()?;
    Ok(view.checkpoint()?.map(|last| with_witnesses(last, &cosigned)))
}

fn with_witnesses(checkpoint: Checkpoint, cosigned: &[Cosigned]) -> Vec<u8> {
    let lines = cosigned.iter().filter(|one| one.size == checkpoint.size);
    lines.fold(checkpoint.bytes, |mut note, one| {
        note.extend_from_slice(one.lines.as_bytes());
        note
    })
}

/// The bytes of a row as it is published: of this level, number and width; `None` if no checkpoint
/// covers it.
///
/// # Errors
/// [`ProofError`] if the store cannot be read or holds no tree.
pub fn published(
    view: LedgerView<'_>,
    (level, number, width): (u8, u64, usize),
) -> Result<Option<Vec<u8>>, ProofError> {
    let size = view.checkpoint()?.map_or(0, |last| last.size);
    if tile::filled(size, level, number) < width {
        return Ok(None);
    }
    let row = row(view, (level, number), width)?;
    Ok(Some(row.iter().flat_map(|hash| *hash.as_bytes()).collect()))
}

/// Continues a ledger where its last checkpoint left it. Where what is kept of the tree does not
/// lead there every entry is read, and the tiles to be kept are handed out besides.
///
/// # Errors
/// [`ProofError`] if the entries are not those that were signed.
pub fn sealer(
    view: LedgerView<'_>,
    signers: impl Into<Signers>,
) -> Result<(Sealer, Vec<Tile>), ProofError> {
    let signers = signers.into();
    let size = view.size()?;
    let last = view.checkpoint()?.map(|last| last.bytes);
    let own = signers.own.public();
    let signed = last.as_deref().and_then(|note| audit::Checkpoint::open(note, own).ok());
    match Edge::read(size, |level, number, width| row(view, (level, number), width)) {
        Ok(edge) if signed.is_some_and(|signed| signed.root == edge.frontier().root()) => {
            return Ok((Sealer::restore(signers, edge, last.as_deref())?, Vec::new()));
        }
        Ok(_) | Err(ProofError::Torn(_)) => (),
        Err(error) => return Err(error),
    }
    let (mut edge, mut missing) = (Edge::default(), Vec::new());
    let mut from = 0;
    loop {
        let page = kept(view, from, PAGE_ROWS)?;
        let Some((end, _)) = page.last() else { break };
        from = end + 1;
        page.iter().for_each(|(_, kept)| edge.append(kept.leaf(), &mut missing));
    }
    let sealer = Sealer::restore(signers, edge, last.as_deref())?;
    Ok((sealer, missing.into_iter().map(kept_as).collect()))
}

/// What the store calls for each batch, from a sealer of the ledger.
#[must_use]
pub fn sealing(sealer: Sealer) -> Seal {
    Box::new(Signing(sealer))
}

/// A sealer, as the store calls it.
struct Signing(Sealer);

impl Sealing for Signing {
    fn seal(&mut self, first: u64, entries: &[&[u8]]) -> Option<Sealed> {
        match self.0.seal(first, entries) {
            Ok(audit::Sealed { checkpoint, tiles }) => {
                Some(Sealed { checkpoint, tiles: tiles.into_iter().map(kept_as).collect() })
            }
            Err(error) => {
                tracing::error!(error = %error, "the ledger cannot be sealed");
                None
            }
        }
    }

    fn follow(&mut self, ledger: LedgerView<'_>, size: u64) -> bool {
        let followed = follow(&mut self.0, ledger, size);
        if let Err(error) = &followed {
            tracing::error!(
                error = %error,
                "what another gateway signed is not this ledger: all need the same ledger keys"
            );
        }
        followed.is_ok()
    }
}

/// Goes on where another gateway left the ledger: by the entries since, if they are few, else by
/// the rows at its edge.
fn follow(sealer: &mut Sealer, view: LedgerView<'_>, size: u64) -> Result<(), ProofError> {
    let last = view.checkpoint()?.map(|last| last.bytes);
    let known = sealer.size();
    let since = usize::try_from(size.saturating_sub(known)).unwrap_or(usize::MAX);
    if known <= size && size - known <= tile::WIDTH {
        let mut edge = sealer.edge().clone();
        for entry in view.entries(known, since)? {
            // The rows it fills are kept already.
            edge.append(leaf(&entry.bytes), &mut Vec::new());
        }
        // What was sealed here may never have been kept: then the rows know better.
        if sealer.follow(edge, last.as_deref()).is_ok() {
            return Ok(());
        }
    }
    let edge = Edge::read(size, |level, number, width| row(view, (level, number), width))?;
    Ok(sealer.follow(edge, last.as_deref())?)
}

/// A tile as the store keeps it.
fn kept_as(tile: audit::Tile) -> Tile {
    let audit::Tile { level, number, hashes } = tile;
    Tile { level, number, hashes }
}
