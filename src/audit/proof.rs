//! Proofs that an entry is in the tree, and that a tree only grew.
//!
//! Standard: RFC 9162 sections 2.1.3.1 and 2.1.4.1. They let a department check
//! its receipt, or a witness the next checkpoint, without being shown the ledger.

use super::tree::{Frontier, Hash, node};

/// Where the roots of full subtrees are known: from leaves, or from tiles.
pub trait Subtrees {
    /// Why one is not.
    type Error;

    /// The root of the subtree of `1 << height` leaves that is the `number`th of them.
    ///
    /// # Errors
    /// Whatever its source says.
    fn subtree(&mut self, height: u32, number: u64) -> Result<Hash, Self::Error>;
}

/// The audit path of the leaf at `index` of `size`; `None` if there is no such leaf.
///
/// # Errors
/// Those of the subtrees.
pub fn inclusion<S: Subtrees>(
    tree: &mut S,
    (index, size): (u64, u64),
) -> Result<Option<Vec<Hash>>, S::Error> {
    if index >= size {
        return Ok(None);
    }
    let (mut from, mut to, mut path) = (0, size, Vec::new());
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            path.push(root(tree, (middle, to))?);
            to = middle;
        } else {
            path.push(root(tree, (from, middle))?);
            from = middle;
        }
    }
    path.reverse();
    Ok(Some(path))
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

/// The proof that a tree of `old` leaves is the beginning of one of `size`.
///
/// `None` if `old` is 0 or more than `size`.
///
/// # Errors
/// Those of the subtrees.
pub fn consistency<S: Subtrees>(
    tree: &mut S,
    (old, size): (u64, u64),
) -> Result<Option<Vec<Hash>>, S::Error> {
    if old == 0 || old > size {
        return Ok(None);
    }
    let (mut from, mut to, mut proof) = (0, size, Vec::new());
    while old < to {
        let middle = from + split(to - from);
        if old <= middle {
            proof.push(root(tree, (middle, to))?);
            to = middle;
        } else {
            proof.push(root(tree, (from, middle))?);
            from = middle;
        }
    }
    // A subtree that is the whole old tree is known to whoever checks.
    if from > 0 {
        proof.push(root(tree, (from, to))?);
    }
    proof.reverse();
    Ok(Some(proof))
}

/// Whether a proof shows that the new tree begins with the old one: RFC 9162 section 2.1.4.2.
#[must_use]
pub fn grew((old, old_size): (Hash, u64), (new, size): (Hash, u64), proof: &[Hash]) -> bool {
    if old_size == size {
        return proof.is_empty() && old == new;
    }
    if old_size == 0 || old_size > size {
        return false;
    }
    let known = old_size.is_power_of_two().then_some(&old);
    let mut proof = known.into_iter().chain(proof);
    let (mut place, mut last) = (old_size - 1, size - 1);
    while place & 1 == 1 {
        (place, last) = (place >> 1, last >> 1);
    }
    let Some(first) = proof.next() else { return false };
    let (mut before, mut after) = (*first, *first);
    for hash in proof {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            (before, after) = (node(hash, &before), node(hash, &after));
            while place & 1 == 0 && place != 0 {
                (place, last) = (place >> 1, last >> 1);
            }
        } else {
            after = node(&after, hash);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    last == 0 && before == old && after == new
}

/// The largest power of two smaller than `count`, which is at least 2.
const fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// The root over the leaves from one number up to another, one of the ranges a tree is split
/// into: full subtrees, each smaller than the one before.
fn root<S: Subtrees>(tree: &mut S, (from, to): (u64, u64)) -> Result<Hash, S::Error> {
    let (mut from, mut peaks) = (from, Vec::new());
    while from < to {
        let height = (to - from).ilog2();
        peaks.push((1 << height, tree.subtree(height, from >> height)?));
        from += 1 << height;
    }
    Ok(Frontier::of(peaks).root())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::super::tree::{leaf, tests::LEAVES};
    use super::*;
    use ct_merkle::{
        ConsistencyProof, InclusionProof, RootHash, mem_backed_tree::MemoryBackedTree,
    };
    use sha2::Sha256;

    type Theirs = MemoryBackedTree<Sha256, Vec<u8>>;

    /// A tree whose leaves are all at hand.
    struct Whole<'a>(&'a [Hash]);

    impl Subtrees for Whole<'_> {
        type Error = Infallible;

        fn subtree(&mut self, height: u32, number: u64) -> Result<Hash, Infallible> {
            let width = 1 << height;
            let at = usize::try_from(number).unwrap() * width;
            Ok(over(&self.0[at..at + width]))
        }
    }

    fn over(leaves: &[Hash]) -> Hash {
        Frontier::default().with(leaves).root()
    }

    fn inclusion(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
        super::inclusion(&mut Whole(leaves), (index as u64, leaves.len() as u64)).unwrap()
    }

    fn consistency(leaves: &[Hash], old: usize) -> Option<Vec<Hash>> {
        super::consistency(&mut Whole(leaves), (old as u64, leaves.len() as u64)).unwrap()
    }

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
                let known = foreign(over(&leaves), size);
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
                let (new_root, old_root) = (over(&leaves), over(&leaves[..old]));
                let known = foreign(new_root, size);
                assert!(known.verify_consistency(&foreign(old_root, old), &proof).is_ok());
                let ours = consistency(&leaves, old).unwrap();
                assert!(grew((old_root, old as u64), (new_root, size as u64), &ours));
                let other = (leaf(b"wrong"), old as u64);
                assert!(!grew(other, (new_root, size as u64), &ours));
                let longer: Vec<_> = ours.iter().chain([&old_root]).copied().collect();
                assert!(!grew((old_root, old as u64), (new_root, size as u64), &longer));
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
