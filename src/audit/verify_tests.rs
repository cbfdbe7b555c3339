//! Every kind of tampering, made with real bytes, is found and named.

use super::super::entry::Kind;
use super::super::key::{SigningKey, Signs};
use super::super::sealer::Sealer;
use super::super::tile::Edge;
use super::super::tree::leaf;
use super::*;
use crate::identity::Pseudonym;

/// A ledger as a file holds it: numbered entries and checkpoints.
#[derive(Clone)]
struct Ledger {
    entries: Vec<(u64, Vec<u8>)>,
    /// Those of which the hash alone is kept.
    retired: Vec<(u64, Hash)>,
    checkpoints: Vec<Vec<u8>>,
}

fn entry(number: u64) -> Vec<u8> {
    let person = Pseudonym(format!("{number:032x}"));
    let at_ms = 1_795_000_000_000 + i64::try_from(number).unwrap();
    Entry { person: Some(person), ..Entry::new(Kind::Disclosure, at_ms, [3; 16]) }.to_bytes()
}

/// A ledger of batches of the given lengths.
fn ledger(batches: &[u64]) -> Ledger {
    let mut ledger = Ledger { entries: Vec::new(), retired: Vec::new(), checkpoints: Vec::new() };
    let mut sealer = sealer();
    let mut number = 0;
    for length in batches {
        let batch: Vec<_> = (number..number + length).map(|n| (n, entry(n))).collect();
        let bytes: Vec<&[u8]> = batch.iter().map(|(_, bytes)| bytes.as_slice()).collect();
        ledger.checkpoints.push(sealer.seal(number, &bytes).unwrap().checkpoint);
        ledger.entries.extend(batch);
        number += length;
    }
    ledger
}

fn key() -> SigningKey {
    let beginning = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let der: Vec<u8> = beginning.into_iter().chain([5; 32]).collect();
    SigningKey::from_pkcs8("ledger", Signs::Checkpoints, &der).unwrap()
}

fn sealer() -> Sealer {
    Sealer::restore(key(), Edge::default(), None).unwrap()
}

fn run(ledger: &Ledger, held: &[Checkpoint]) -> Result<Report, Tampering> {
    let retired = ledger.retired.iter().map(|(number, hash)| (*number, Kept::Hash(*hash)));
    let entries = ledger.entries.iter().map(|(number, bytes)| (*number, Kept::Bytes(bytes)));
    // Those that are retired here are the first ones.
    let entries: Vec<_> = retired.chain(entries).collect();
    verify(key().public(), entries, &ledger.checkpoints, held)
}

const BATCHES: [u64; 5] = [3, 1, 5, 4, 2];

/// Changes a ledger of 15 entries and says what is found, and from which entry on.
fn check(change: impl FnOnce(&mut Ledger), found: Tampering, first: Option<u64>) {
    let mut ledger = ledger(&BATCHES);
    change(&mut ledger);
    assert_eq!(run(&ledger, &[]), Err(found));
    assert_eq!(found.first(), first);
    assert!(!found.to_string().is_empty());
}

/// Numbers the entries anew, as somebody would who wants no gap to be seen.
fn renumber(ledger: &mut Ledger) {
    for (number, entry) in (0..).zip(&mut ledger.entries) {
        entry.0 = number;
    }
}

/// The middle of a pseudonym becomes another: the entry stays canonical.
fn forge(bytes: &mut [u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let at = text.find("\"person\":\"").unwrap() + 12;
    bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
    assert!(Entry::from_bytes(bytes).is_ok());
}

#[test]
fn an_untouched_ledger_is_proven() {
    for batches in [&[][..], &[1], &BATCHES, &[512, 1, 100]] {
        let ledger = ledger(batches);
        let report = run(&ledger, &[]).unwrap();
        assert_eq!(report.entries, batches.iter().sum::<u64>());
        assert_eq!(report.checkpoints, batches.len() as u64);
    }
}

#[test]
fn a_changed_entry_is_found() {
    check(|l| forge(&mut l.entries[3].1), Tampering::Changed { first: 3, last: 3 }, Some(3));
    check(|l| forge(&mut l.entries[5].1), Tampering::Changed { first: 4, last: 8 }, None);
    let error = EntryError::Shape;
    let broken = Tampering::NotCanonical { number: 5, error };
    check(|l| l.entries[5].1[0] = b'[', broken, Some(5));
    let error = EntryError::NotCanonical;
    let spaced = Tampering::NotCanonical { number: 5, error };
    check(|l| l.entries[5].1.push(b' '), spaced, Some(5));
}

#[test]
fn any_changed_byte_anywhere_is_found() {
    let good = ledger(&[2, 3]);
    for (index, (_, bytes)) in good.entries.iter().enumerate() {
        for at in 0..bytes.len() {
            let mut ledger = good.clone();
            ledger.entries[index].1[at] ^= 1;
            assert!(run(&ledger, &[]).is_err(), "entry {index} byte {at}");
        }
    }
}

#[test]
fn a_removed_entry_is_found() {
    let gap = Tampering::Removed { first: 5, last: 5 };
    check(|l| drop(l.entries.remove(5)), gap, Some(5));
    let gap = Tampering::Removed { first: 0, last: 3 };
    check(|l| drop(l.entries.drain(..4)), gap, Some(0));
    let hidden = |l: &mut Ledger| {
        l.entries.remove(5);
        renumber(l);
    };
    check(hidden, Tampering::Changed { first: 4, last: 8 }, None);
}

#[test]
fn swapped_entries_are_found_and_named() {
    let swap = |a: usize, b: usize| {
        move |l: &mut Ledger| {
            l.entries.swap(a, b);
            renumber(l);
        }
    };
    check(swap(5, 7), Tampering::Swapped { first: 5, second: 7 }, Some(5));
    check(swap(0, 14), Tampering::Swapped { first: 0, second: 14 }, Some(0));
    check(swap(3, 4), Tampering::Swapped { first: 3, second: 4 }, Some(3));
    let unnumbered = |l: &mut Ledger| l.entries.swap(5, 6);
    check(unnumbered, Tampering::Removed { first: 5, last: 5 }, Some(5));
}

#[test]
fn an_inserted_entry_is_found_and_named() {
    let insert = |l: &mut Ledger| {
        l.entries.insert(6, (0, entry(99)));
        renumber(l);
    };
    check(insert, Tampering::Inserted { number: 6 }, Some(6));
    let alone = |l: &mut Ledger| {
        l.entries.insert(3, (0, entry(99)));
        renumber(l);
    };
    check(alone, Tampering::Inserted { number: 3 }, Some(3));
    let twice = |l: &mut Ledger| l.entries.insert(6, (5, entry(99)));
    check(twice, Tampering::Inserted { number: 5 }, Some(5));
    let end = |l: &mut Ledger| l.entries.push((15, entry(15)));
    check(end, Tampering::Unsealed { first: 15, last: 15 }, Some(15));
}

#[test]
fn a_cut_tail_is_found() {
    check(|l| l.entries.truncate(14), Tampering::Cut { sealed: 15, found: 14 }, Some(14));
    check(|l| l.entries.clear(), Tampering::Cut { sealed: 3, found: 0 }, Some(0));
    let unsigned = |l: &mut Ledger| l.checkpoints.truncate(4);
    check(unsigned, Tampering::Unsealed { first: 13, last: 14 }, Some(13));
    check(|l| l.checkpoints.clear(), Tampering::Unsealed { first: 0, last: 14 }, Some(0));
}

#[test]
fn a_checkpoint_that_is_not_the_ledgers_is_found() {
    let bad = |number, error| Tampering::Checkpoint { number, error };
    check(|l| l.checkpoints[2][7] ^= 1, bad(3, CheckpointError::Signature), None);
    check(|l| l.checkpoints[2].clear(), bad(3, CheckpointError::Form), None);
    check(|l| l.checkpoints.swap(1, 2), Tampering::Order { number: 3 }, None);
    let resign = |l: &mut Ledger| {
        let stranger = SigningKey::generate("ledger", Signs::Checkpoints).unwrap();
        let own = Checkpoint::open(&l.checkpoints[4], key().public()).unwrap();
        l.checkpoints[4] = own.sign(&stranger);
    };
    check(resign, bad(5, CheckpointError::Unsigned), None);
}

#[test]
fn a_database_put_back_to_an_earlier_day_is_found_by_who_holds_a_checkpoint() {
    let whole = ledger(&BATCHES);
    let held = |index: usize| Checkpoint::open(&whole.checkpoints[index], key().public()).unwrap();
    let mut old = whole.clone();
    old.entries.truncate(9);
    old.checkpoints.truncate(3);
    assert!(run(&old, &[]).is_ok(), "alone, it is a good ledger of an earlier day");
    assert!(run(&old, &[held(0), held(2)]).is_ok());
    let found = Err(Tampering::RolledBack { held: 15, found: 9 });
    assert_eq!(run(&old, &[held(4), held(1)]), found);
    // Put back, then used again with the same key: another history.
    let mut edge = Edge::default();
    old.entries.iter().for_each(|(_, bytes)| edge.append(leaf(bytes), &mut Vec::new()));
    let last = old.checkpoints.last().map(Vec::as_slice);
    let mut sealer = Sealer::restore(key(), edge, last).unwrap();
    for number in 9..20 {
        let other = entry(number + 1000);
        old.checkpoints.push(sealer.seal(number, &[&other]).unwrap().checkpoint);
        old.entries.push((number, other));
    }
    assert!(run(&old, &[]).is_ok());
    assert_eq!(run(&old, &[held(2), held(3)]), Err(Tampering::Forked { size: 13 }));
}

#[test]
fn two_held_checkpoints_that_contradict_each_other_prove_a_fork() {
    let ledger = ledger(&BATCHES);
    let one = Checkpoint::open(&ledger.checkpoints[4], key().public()).unwrap();
    let other = Checkpoint { root: Hash::digest(b"other"), ..one.clone() };
    assert_eq!(run(&ledger, &[one, other]), Err(Tampering::Forked { size: 15 }));
}

#[test]
fn a_long_batch_is_named_by_its_ends() {
    let mut ledger = ledger(&[10, 200]);
    forge(&mut ledger.entries[50].1);
    assert_eq!(run(&ledger, &[]), Err(Tampering::Changed { first: 10, last: 209 }));
}

/// Of these entries the hash alone is kept, and their checkpoints are not.
fn retire(ledger: &mut Ledger, first: u64, last: u64) {
    let (gone, kept) = std::mem::take(&mut ledger.entries)
        .into_iter()
        .partition(|(number, _)| (first..=last).contains(number));
    ledger.entries = kept;
    let hashed = |(number, bytes): (u64, Vec<u8>)| (number, leaf(&bytes));
    ledger.retired.extend(Vec::into_iter(gone).map(hashed));
}

#[test]
fn entries_whose_time_is_over_are_proven_by_their_hashes_if_an_entry_says_so() {
    let mut sealer = sealer();
    let mut ledger = Ledger { entries: Vec::new(), retired: Vec::new(), checkpoints: Vec::new() };
    let says = Entry {
        retired: Some(Span { first: 0, last: 6 }),
        ..Entry::new(Kind::Retention, 1_795_000_000_100, [4; 16])
    };
    let entries: Vec<_> = (0..9).map(entry).chain([says.to_bytes()]).collect();
    for (number, bytes) in (0..).zip(entries) {
        ledger.checkpoints.push(sealer.seal(number, &[&bytes]).unwrap().checkpoint);
        ledger.entries.push((number, bytes));
    }
    let whole = run(&ledger, &[]).unwrap();
    let held = Checkpoint::open(&ledger.checkpoints[2], key().public()).unwrap();
    retire(&mut ledger, 0, 6);
    ledger.checkpoints.drain(..6);
    let proven = run(&ledger, std::slice::from_ref(&held)).unwrap();
    assert_eq!(proven, Report { retired: 7, checkpoints: 4, held: 1, ..whole });

    let mut forged = ledger.clone();
    forged.retired[3].1 = forged.retired[2].1;
    assert!(run(&forged, &[]).is_err(), "another hash passed");
    let other = Checkpoint { root: whole.root, ..held };
    assert_eq!(run(&ledger, &[other]), Err(Tampering::Forked { size: 3 }));
    retire(&mut ledger, 7, 7);
    assert_eq!(run(&ledger, &[]), Err(Tampering::Untold { first: 0, last: 7 }));
}

/// The same ledger by its own key.
fn alone(ledger: &Ledger) -> Result<Report, Tampering> {
    run(ledger, &[])
}

/// A ledger whose checkpoints the key by SM2 signs from the third on.
fn doubly(sm2: &SigningKey) -> Ledger {
    let mut ledger = ledger(&BATCHES);
    for note in &mut ledger.checkpoints[2..] {
        let signed = Checkpoint::open(note, key().public()).unwrap();
        note.extend(signed.line(sm2).into_bytes());
    }
    ledger
}

/// How many entries a checkpoint of the ledger signs.
fn signed(ledger: &Ledger, at: usize) -> u64 {
    Checkpoint::open(&ledger.checkpoints[at], key().public()).unwrap().size
}

#[test]
fn a_line_by_sm2_that_is_wrong_or_missing_is_named() {
    let sm2 = SigningKey::generate("ledger", Signs::CheckpointsBySm2).unwrap();
    let own = key();
    let keys = VerifyingKeys { own: own.public(), sm2: Some(sm2.public()) };
    let run = |ledger: &Ledger| {
        let entries = ledger.entries.iter().map(|(number, bytes)| (*number, Kept::Bytes(bytes)));
        verify(keys, entries, &ledger.checkpoints, &[])
    };
    let good = doubly(&sm2);
    assert_eq!(run(&good).map(|report| (report.checkpoints, report.by_sm2)), Ok((5, 3)));
    // Whoever has not the key passes its lines over.
    assert_eq!(alone(&good).map(|report| report.by_sm2), Ok(0));
    let named = |change: &dyn Fn(&mut Ledger), number, error: &dyn Fn(u64) -> Tampering| {
        let mut ledger = doubly(&sm2);
        change(&mut ledger);
        assert_eq!(run(&ledger), Err(error(number)));
        assert!(alone(&ledger).is_ok(), "by Ed25519 alone nothing is wrong");
    };
    let line = |ledger: &Ledger, at: usize| {
        let note = String::from_utf8(ledger.checkpoints[at].clone()).unwrap();
        let (head, last) = note.trim_end().rsplit_once('\n').unwrap();
        (format!("{head}\n"), format!("{last}\n"))
    };
    let put = |ledger: &mut Ledger, at: usize, last: &str| {
        let (head, _) = line(ledger, at);
        ledger.checkpoints[at] = (head + last).into_bytes();
    };
    let unsigned = |number| Tampering::Sm2 { number, error: CheckpointError::Unsigned };
    let wrong = |number| Tampering::Sm2 { number, error: CheckpointError::Signature };
    let first = signed(&good, 2);
    // Taken away, in the middle and everywhere; another checkpoint's; another key's.
    named(&|all| put(all, 3, ""), 4, &|number| Tampering::Sm2Missing { number, first });
    named(&|all| (2..5).for_each(|at| put(all, at, "")), 5, &|checkpoints| Tampering::Sm2Nowhere {
        checkpoints,
    });
    // At the end it is a ledger that has the key no more: it says since when.
    for (at, lines) in [(4, 2), (3, 1)] {
        let mut ended = doubly(&sm2);
        (at..5).for_each(|at| put(&mut ended, at, ""));
        let report = run(&ended).unwrap();
        assert_eq!((report.by_sm2, report.sm2_ends), (lines, Some(signed(&good, at - 1))));
    }
    assert_eq!(run(&good).unwrap().sm2_ends, None);
    let other = |all: &mut Ledger| {
        let (_, of_fifth) = line(all, 4);
        put(all, 3, &of_fifth);
    };
    named(&other, 4, &wrong);
    let stranger = SigningKey::generate("ledger", Signs::CheckpointsBySm2).unwrap();
    let foreign = |at: usize| {
        let signed = Checkpoint::open(&good.checkpoints[at], own.public()).unwrap();
        signed.line(&stranger)
    };
    named(&|all| put(all, 4, &foreign(4)), 5, &unsigned);
    named(&|all| put(all, 3, &foreign(3)), 4, &unsigned);
    named(&|all| put(all, 2, &foreign(2)), 3, &unsigned);
    // One sign of it.
    let spoilt = |all: &mut Ledger| {
        let (_, mut last) = line(all, 2);
        let at = last.len() - 12;
        let sign = if last.as_bytes()[at] == b'A' { "B" } else { "A" };
        last.replace_range(at..=at, sign);
        put(all, 2, &last);
    };
    named(&spoilt, 3, &wrong);
}
