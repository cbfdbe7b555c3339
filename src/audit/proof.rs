//! Proofs that an entry is in the tree, and that a tree only grew.
//!
//! Standard: RFC 9162 sections 2.1.3.1 and 2.1.4.1. They let a department check
//! its receipt, or a witness the next checkpoint, without being shown the ledger.

use super::tree::{Frontier, Hash, node};

/// The audit path of the leaf at `index`, counted from 0; `None` if there is no such leaf.
#[must_use]
pub fn inclusion(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    let mut path = Vec::new();
    (index < leaves.len()).then(|| descend(leaves, index, &mut path))?;
    path.reverse();
    Some(path)
}

/// The same path, of a tree whose leaves are not all at hand: `own` are the leaves of the
/// tile the leaf is in, at `index` among them, and `tiles` the roots of all tiles, this one
/// being the `tile`th. All but the last tile must have the same power of two of leaves.
///
/// RFC 9162 splits a tree at the largest power of two below its size, so a full tile is a
/// subtree of its own, and the tiles are the leaves of the tree above it.
#[must_use]
pub fn inclusion_by_tiles(
    (own, index): (&[Hash], usize),
    (tiles, tile): (&[Hash], usize),
) -> Option<Vec<Hash>> {
    let mut path = inclusion(own, index)?;
    path.extend(inclusion(tiles, tile)?);
    Some(path)
}

/// The root an audit path leads to from the leaf at `index` of `size`: RFC 9162 section
/// 2.1.3.2. `None` if the path is not as long as such a tree is high.
#[must_use]
pub fn root_of(leaf: &Hash, (index, size): (u64, u64), path: &[Hash]) -> Option<Hash> {
    let (mut place, mut last) = (index, size.checked_sub(1)?);
    let mut root = *leaf;
    for sibling in path {
        if last == 0 {
            return None;
        }
        if place & 1 == 1 || place == last {
            root = node(sibling, &root);
            while place & 1 == 0 && place != 0 {
                (place, last) = (place >> 1, last >> 1);
            }
        } else {
            root = node(&root, sibling);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    (last == 0 && index < size).then_some(root)
}

/// The proof that the first `size` leaves are the beginning of all of them.
///
/// `None` if `size` is 0 or more than there are.
#[must_use]
pub fn consistency(leaves: &[Hash], size: usize) -> Option<Vec<Hash>> {
    if size == 0 || size > leaves.len() {
        return None;
    }
    let mut proof = Vec::new();
    grow(leaves, size, &mut proof);
    proof.reverse();
    Some(proof)
}

/// PATH(m, D_n): siblings from the top down.
fn descend(mut leaves: &[Hash], mut index: usize, path: &mut Vec<Hash>) {
    while leaves.len() > 1 {
        let (left, right) = leaves.split_at(split(leaves.len()));
        if index < left.len() {
            path.push(root(right));
            leaves = left;
        } else {
            path.push(root(left));
            index -= left.len();
            leaves = right;
        }
    }
}

/// SUBPROOF(m, D_n, b), from the top down.
fn grow(mut leaves: &[Hash], mut size: usize, proof: &mut Vec<Hash>) {
    // `known`: the subtree is the whole old tree, whose root the verifier has.
    let mut known = true;
    while size < leaves.len() {
        let (left, right) = leaves.split_at(split(leaves.len()));
        if size <= left.len() {
            proof.push(root(right));
            leaves = left;
        } else {
            proof.push(root(left));
            size -= left.len();
            leaves = right;
            known = false;
        }
    }
    if !known {
        proof.push(root(leaves));
    }
}

/// The largest power of two smaller than `count`, which is at least 2.
const fn split(count: usize) -> usize {
    1 << (count - 1).ilog2()
}

fn root(leaves: &[Hash]) -> Hash {
    Frontier::default().with(leaves).root()
}

#[cfg(test)]
mod tests {
    use super::super::tree::{leaf, tests::LEAVES};
    use super::*;
    use ct_merkle::{
        ConsistencyProof, InclusionProof, RootHash, mem_backed_tree::MemoryBackedTree,
    };
    use sha2::Sha256;

    type Theirs = MemoryBackedTree<Sha256, Vec<u8>>;

    fn foreign(hash: Hash, size: usize) -> RootHash<Sha256> {
        RootHash::new((*hash.as_bytes()).into(), size as u64)
    }

    fn bytes(hashes: &[Hash]) -> Vec<u8> {
        hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
    }

    /// Entries, their leaves, and the same tree in another implementation.
    fn tree(size: usize) -> (Vec<Vec<u8>>, Vec<Hash>, Theirs) {
        let entries: Vec<_> = (0..size).map(|n| format!("entry {n}").into_bytes()).collect();
        let leaves = entries.iter().map(|entry| leaf(entry)).collect();
        let mut theirs = MemoryBackedTree::new();
        entries.iter().for_each(|entry| theirs.push(entry.clone()));
        (entries, leaves, theirs)
    }

    #[test]
    fn a_proof_by_tiles_is_the_proof_by_leaves() {
        for size in 1..=70 {
            let (_, leaves, _) = tree(size);
            let tiles: Vec<_> = leaves.chunks(8).map(root).collect();
            for index in 0..size {
                let (tile, place) = (index / 8, index % 8);
                let own = leaves.chunks(8).nth(tile).unwrap();
                let path = inclusion_by_tiles((own, place), (&tiles, tile));
                assert_eq!(path, inclusion(&leaves, index), "{index} of {size}");
            }
            assert_eq!(inclusion_by_tiles((&leaves[..1], 1), (&tiles, 0)), None);
            assert_eq!(inclusion_by_tiles((&leaves[..1], 0), (&tiles, tiles.len())), None);
        }
    }

    #[test]
    fn another_implementation_accepts_every_inclusion_proof() {
        for size in (1..=40).chain([63, 64, 65, 127, 128, 129]) {
            let (entries, leaves, theirs) = tree(size);
            for (index, entry) in entries.iter().enumerate() {
                let path = inclusion(&leaves, index).unwrap();
                assert_eq!(
                    bytes(&path),
                    theirs.prove_inclusion(index).as_bytes(),
                    "{index}/{size}"
                );
                let proof = InclusionProof::from_bytes(bytes(&path));
                let known = foreign(root(&leaves), size);
                assert!(known.verify_inclusion(entry, index as u64, &proof).is_ok());
                let other = b"another entry".to_vec();
                assert!(known.verify_inclusion(&other, index as u64, &proof).is_err());
            }
            assert_eq!(inclusion(&leaves, size), None);
        }
    }

    #[test]
    fn another_implementation_accepts_every_consistency_proof() {
        for size in (1..=40).chain([63, 64, 65]) {
            let (_, leaves, theirs) = tree(size);
            for old in 1..=size {
                let proof = consistency(&leaves, old).unwrap();
                let expected = theirs.prove_consistency(size - old);
                assert_eq!(bytes(&proof), expected.as_bytes(), "{old} to {size}");
                let proof = ConsistencyProof::try_from_bytes(bytes(&proof)).unwrap();
                let (new_root, old_root) = (root(&leaves), root(&leaves[..old]));
                let known = foreign(new_root, size);
                assert!(known.verify_consistency(&foreign(old_root, old), &proof).is_ok());
                let wrong = foreign(leaf(b"wrong"), old);
                assert!(known.verify_consistency(&wrong, &proof).is_err());
            }
            assert_eq!(consistency(&leaves, size + 1), None);
            assert_eq!(consistency(&leaves, 0), None);
        }
    }

    #[test]
    fn the_consistency_proof_is_that_of_the_reference_tests() {
        let leaves: Vec<_> = LEAVES.iter().map(|bytes| leaf(bytes)).collect();
        let proof: Vec<_> =
            consistency(&leaves, 6).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(
            proof,
            [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ]
        );
    }
}
