//! 瓦片, tiles: the hashes of the tree in rows of 256, so that a proof reads a few rows and no
//! entry.
//!
//! Standard: C2SP tlog-tiles. Row `number` of `level` holds the roots of full subtrees of
//! 256 to the power of `level` leaves each.

use super::checkpoint::number;
use super::proof::Subtrees;
use super::tree::{Frontier, Hash};

/// How many hashes a full tile holds.
pub const WIDTH: u64 = 1 << HEIGHT;
/// How many rows of the tree are between two levels.
const HEIGHT: u32 = 8;

/// A row of hashes to be kept, in place of the one that was kept under its name before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// How high in the tree.
    pub level: u8,
    /// Which of its level, from 0.
    pub number: u64,
    /// 32 bytes each, 256 of them where it is full.
    pub hashes: Vec<u8>,
}

/// The right edge of a tree: of each level the hashes that fill no tile yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    rows: Vec<Vec<Hash>>,
}

/// Why rows are no edge of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a row of the tree's hashes is missing or too short")]
pub struct Torn;

impl Edge {
    /// The edge of a tree of this size, whose rows are handed in: by level and number, as many
    /// hashes as asked for.
    ///
    /// # Errors
    /// What the rows say, or [`Torn`] if one is shorter.
    pub fn read<E: From<Torn>>(
        size: u64,
        mut row: impl FnMut(u8, u64, usize) -> Result<Vec<Hash>, E>,
    ) -> Result<Self, E> {
        let mut rows = Vec::new();
        for level in 0_u8.. {
            let Some(whole) = size.checked_shr(u32::from(level) * HEIGHT).filter(|n| *n > 0) else {
                break;
            };
            let width = usize::try_from(whole % WIDTH).map_err(|_| Torn)?;
            let hashes = match width {
                0 => Vec::new(),
                _ => row(level, whole / WIDTH, width)?,
            };
            if hashes.len() != width {
                return Err(Torn.into());
            }
            rows.push(hashes);
        }
        Ok(Self { size, rows })
    }

    /// Appends a leaf. What is to be kept now is added to `kept`: a tile that is full, and the
    /// one above it that grew by it. Leaves of a tile that is not full follow from the entries.
    pub fn append(&mut self, leaf: Hash, kept: &mut Vec<Tile>) {
        let (mut hash, mut number) = (leaf, self.size);
        self.size += 1;
        for level in 0_u8.. {
            let at = usize::from(level);
            if self.rows.len() <= at {
                self.rows.resize_with(at + 1, Vec::new);
            }
            let Some(row) = self.rows.get_mut(at) else { break };
            row.push(hash);
            let full = (number + 1).is_multiple_of(WIDTH);
            if full || level > 0 {
                let hashes = row.iter().flat_map(|hash| *hash.as_bytes()).collect();
                kept.push(Tile { level, number: number / WIDTH, hashes });
            }
            if !full {
                break;
            }
            hash = root(row);
            row.clear();
            number /= WIDTH;
        }
    }

    /// The tree it is the edge of.
    #[must_use]
    pub fn frontier(&self) -> Frontier {
        // The widest subtrees stand highest.
        let mut peaks = Vec::new();
        for (row, level) in self.rows.iter().zip(0_u32..) {
            let row: Vec<_> = Frontier::default().with(row).peaks().collect();
            let widths = row.into_iter().rev();
            peaks.extend(widths.map(|(size, peak)| (size << (level * HEIGHT), peak)));
        }
        Frontier::of(peaks.into_iter().rev())
    }
}

/// The hashes of a tile as they are kept.
///
/// # Errors
/// [`Torn`] if they are not 32 bytes each.
pub fn hashes(bytes: &[u8]) -> Result<Vec<Hash>, Torn> {
    let (whole, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(Torn);
    }
    Ok(whole.iter().map(|hash| Hash::from_bytes(*hash)).collect())
}

fn root(hashes: &[Hash]) -> Hash {
    Frontier::default().with(hashes).root()
}

/// A tree of which tiles are read as they are needed.
pub struct Tiles<R> {
    row: R,
    /// The row that was read last: siblings stand in it.
    last: Option<(u8, u64, Vec<Hash>)>,
}

impl<E: From<Torn>, R: FnMut(u8, u64) -> Result<Vec<Hash>, E>> Tiles<R> {
    /// Rows are handed out by `row`, by level and number, as far as they are filled.
    pub const fn new(row: R) -> Self {
        Self { row, last: None }
    }
}

impl<E: From<Torn>, R: FnMut(u8, u64) -> Result<Vec<Hash>, E>> Subtrees for Tiles<R> {
    type Error = E;

    fn subtree(&mut self, height: u32, number: u64) -> Result<Hash, E> {
        let level = u8::try_from(height / HEIGHT).map_err(|_| Torn)?;
        // So many hashes of the row stand below this one.
        let width = 1_u64 << (height % HEIGHT);
        let first = number.checked_mul(width).ok_or(Torn)?;
        let tile = first / WIDTH;
        if self.last.as_ref().is_none_or(|(at, held, _)| (*at, *held) != (level, tile)) {
            self.last = Some((level, tile, (self.row)(level, tile)?));
        }
        let held = self.last.as_ref().map_or(&[][..], |(_, _, row)| row);
        let from = usize::try_from(first % WIDTH).map_err(|_| Torn)?;
        let width = usize::try_from(width).map_err(|_| Torn)?;
        let part = from.checked_add(width).and_then(|to| held.get(from..to)).ok_or(Torn)?;
        Ok(root(part))
    }
}

/// Which rows a tree of this size has, as far as they are filled: how many hashes of one.
#[must_use]
pub fn filled(size: u64, level: u8, number: u64) -> usize {
    let whole = size.checked_shr(u32::from(level) * HEIGHT).unwrap_or(0);
    let before = number.saturating_mul(WIDTH);
    usize::try_from(whole.saturating_sub(before).min(WIDTH)).unwrap_or(0)
}

/// Which row a path `<L>/<N>[.p/<W>]` names: level, number, and how many hashes of it. A number is
/// written in groups of three digits, all but the last behind an `x`.
#[must_use]
pub fn place(path: &str) -> Option<(u8, u64, usize)> {
    let (level, rest) = path.split_once('/')?;
    let level = number(level).and_then(|level| u8::try_from(level).ok()).filter(|n| *n < 64)?;
    let (rest, width) = match rest.split_once(".p/") {
        Some((rest, width)) => (rest, number(width).filter(|n| (1..WIDTH).contains(n))?),
        None => (rest, WIDTH),
    };
    let mut groups = rest.split('/').rev();
    let mut digits = groups.next()?.to_owned();
    let mut all = digits.len() == 3;
    for group in groups {
        let group = group.strip_prefix('x')?;
        all &= group.len() == 3;
        digits.insert_str(0, group);
    }
    let plain = all && digits.bytes().all(|byte| byte.is_ascii_digit());
    // A group of zeros in front would be a second name.
    let short = digits.len() == 3 || !digits.starts_with("000");
    let tile = digits.parse().ok().filter(|_| plain && short)?;
    Some((level, tile, usize::try_from(width).ok()?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::proof;
    use super::super::tree::leaf;
    use super::*;

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|n| leaf(format!("entry {n}").as_bytes())).collect()
    }

    /// All tiles kept while a tree grew, and its edge.
    fn grown(leaves: &[Hash]) -> (BTreeMap<(u8, u64), Vec<u8>>, Edge) {
        let (mut edge, mut kept) = (Edge::default(), BTreeMap::new());
        for hash in leaves {
            let mut tiles = Vec::new();
            edge.append(*hash, &mut tiles);
            kept.extend(tiles.into_iter().map(|tile| ((tile.level, tile.number), tile.hashes)));
        }
        (kept, edge)
    }

    const SIZES: [u64; 12] = [0, 1, 2, 255, 256, 257, 511, 512, 700, 65_535, 65_536, 66_000];

    #[test]
    fn an_edge_is_read_back_from_the_rows_that_were_kept() {
        let all = leaves(66_000);
        for size in SIZES {
            let leaves = &all[..usize::try_from(size).unwrap()];
            let (kept, edge) = grown(leaves);
            assert_eq!(edge.frontier(), Frontier::default().with(leaves), "{size}");
            let read = Edge::read::<Torn>(size, |level, number, width| {
                let mut row = match level {
                    0 => leaves[usize::try_from(number * WIDTH).unwrap()..].to_vec(),
                    _ => hashes(&kept[&(level, number)]).unwrap(),
                };
                row.truncate(width);
                Ok(row)
            });
            assert_eq!(read.unwrap().frontier(), edge.frontier(), "{size}");
        }
        assert_eq!(Edge::read::<Torn>(300, |_, _, _| Ok(Vec::new())), Err(Torn));
    }

    #[test]
    fn a_row_is_named_by_its_path() {
        for (path, expect) in [
            ("0/000", Some((0, 0, 256))),
            ("1/x001/x234/067", Some((1, 1_234_067, 256))),
            ("2/017.p/1", Some((2, 17, 1))),
            ("0/x001/000.p/255", Some((0, 1000, 255))),
            ("0/000.p/256", None),
            ("0/000.p/0", None),
            ("0/x000/001", None),
            ("0/1", None),
            ("0/x01/000", None),
            ("00/000", None),
            ("64/000", None),
            ("0/+01", None),
            ("0/001/002", None),
            ("0", None),
            ("entries/000", None),
        ] {
            assert_eq!(place(path), expect, "{path}");
        }
    }

    #[test]
    fn proofs_by_tiles_are_the_proofs_by_leaves() {
        let all = leaves(66_000);
        for size in SIZES.into_iter().filter(|size| *size > 0) {
            let leaves = &all[..usize::try_from(size).unwrap()];
            let (kept, _) = grown(leaves);
            let mut read = 0;
            let mut tiles = Tiles::new(|level, number| {
                read += 1;
                let row = match (kept.get(&(level, number)), level) {
                    (Some(row), _) => hashes(row)?,
                    (None, 0) => leaves[usize::try_from(number * WIDTH).unwrap()..].to_vec(),
                    (None, _) => return Err(Torn),
                };
                assert_eq!(row.len(), filled(size, level, number), "{level}/{number} of {size}");
                Ok(row)
            });
            for index in [0, 1, size / 3, size / 2, size - 1].into_iter().filter(|n| *n < size) {
                let path = proof::inclusion(&mut tiles, (index, size)).unwrap();
                let known = &leaves[usize::try_from(index).unwrap()];
                let root = root(leaves);
                assert_eq!(proof::root_of(known, (index, size), &path.unwrap()), Some(root));
            }
            for old in [1, size / 3, size / 2, size - 1, size].into_iter().filter(|n| *n > 0) {
                let proof = proof::consistency(&mut tiles, (old, size)).unwrap().unwrap();
                let before = self::root(&leaves[..usize::try_from(old).unwrap()]);
                assert!(proof::grew((before, old), (root(leaves), size), &proof), "{old} {size}");
            }
            assert!(read < 120, "{read} rows for ten proofs of {size}");
        }
    }
}
