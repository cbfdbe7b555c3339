//! Checkpoints: the reference vectors, our own, and what is refused.

use super::super::key::Signs;
use super::*;

/// Key, text and signature of the reference tests of signed notes (golang.org/x/mod/sumdb/note).
const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const PETER_SEED: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const PETER_TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                          then you don't know what your problem is.\n";
const PETER_SIGNATURE: &str =
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";

/// The fixed beginning of an Ed25519 key in PKCS#8, RFC 8410 section 10.3.
const PKCS8_BEGINNING: [u8; 16] =
    [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

fn peter() -> SigningKey {
    let seed = STANDARD.decode(PETER_SEED).unwrap();
    let der: Vec<u8> = PKCS8_BEGINNING.into_iter().chain(seed[1..].iter().copied()).collect();
    SigningKey::from_pkcs8("PeterNeumann", Signs::Checkpoints, &der).unwrap()
}

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: "PeterNeumann".to_owned(), size: 7, root: Hash::digest(b"root") }
}

#[test]
fn the_reference_note_opens_and_our_signature_is_the_same() {
    let note = format!("{PETER_TEXT}\n\u{2014} PeterNeumann {PETER_SIGNATURE}\n");
    let key = VerifyingKey::parse(PETER).unwrap();
    assert_eq!(open(note.as_bytes(), &key).map(|(text, _)| text), Ok(PETER_TEXT));
    assert_eq!(peter().public(), &key);
    let blob = STANDARD.decode(PETER_SIGNATURE).unwrap();
    assert_eq!(peter().sign(PETER_TEXT.as_bytes()), blob[4..]);
}

#[test]
fn a_checkpoint_is_three_lines_and_a_signature() {
    let note = String::from_utf8(checkpoint().sign(&peter())).unwrap();
    let root = STANDARD.encode(Hash::digest(b"root").as_bytes());
    assert!(note.starts_with(&format!("PeterNeumann\n7\n{root}\n\n\u{2014} PeterNeumann x08go")));
    assert_eq!(Checkpoint::open(note.as_bytes(), peter().public()), Ok(checkpoint()));
}

#[test]
fn every_changed_byte_of_a_checkpoint_is_found() {
    let note = checkpoint().sign(&peter());
    for at in 0..note.len() {
        let mut changed = note.clone();
        changed[at] ^= 1;
        let opened = Checkpoint::open(&changed, peter().public());
        assert!(opened.is_err(), "byte {at}");
        assert!(Checkpoint::open(&note[..at], peter().public()).is_err(), "cut at {at}");
    }
}

#[test]
fn what_another_signed_or_nobody_is_told_apart() {
    let other = SigningKey::generate("PeterNeumann", Signs::Checkpoints).unwrap();
    let text = checkpoint().text();
    let good = checkpoint().sign(&peter());
    let lines = String::from_utf8(good[text.len() + 1..].to_vec()).unwrap();
    let stranger = checkpoint().sign(&other);
    let check = |note: &[u8], expected: Result<Checkpoint, CheckpointError>| {
        assert_eq!(Checkpoint::open(note, peter().public()), expected);
    };
    check(&stranger, Err(CheckpointError::Unsigned));
    // A witness's line beside ours is welcome, before or after it.
    let theirs = String::from_utf8(stranger[text.len() + 1..].to_vec()).unwrap();
    check(format!("{text}\n{theirs}{lines}").as_bytes(), Ok(checkpoint()));
    check(format!("{text}\n{lines}{theirs}").as_bytes(), Ok(checkpoint()));
    check(format!("{text}\n{lines}no signature\n").as_bytes(), Err(CheckpointError::Form));
    check(format!("{text}\n{}", lines.repeat(101)).as_bytes(), Err(CheckpointError::Form));
    // The right signature over another text.
    let moved = format!("{}\n{lines}", text.replace("\n7\n", "\n8\n"));
    check(moved.as_bytes(), Err(CheckpointError::Signature));
    let foreign = Checkpoint { origin: "elsewhere".to_owned(), ..checkpoint() };
    check(&foreign.sign(&peter()), Err(CheckpointError::Origin));
}

#[test]
fn a_signed_text_that_is_no_checkpoint_is_refused() {
    let root = STANDARD.encode(Hash::digest(b"root").as_bytes());
    let key = peter();
    for text in [
        "PeterNeumann\n7\n".to_owned(),
        format!("PeterNeumann\n07\n{root}\n"),
        format!("PeterNeumann\n+7\n{root}\n"),
        format!("PeterNeumann\n-7\n{root}\n"),
        format!("\n7\n{root}\n"),
        format!("PeterNeumann\n7\n{}\n", &root[4..]),
        "PeterNeumann\n7\nroot\n".to_owned(),
    ] {
        let mut blob = key.public().id().to_vec();
        blob.extend(key.sign(text.as_bytes()));
        let note = format!("{text}\n\u{2014} PeterNeumann {}\n", STANDARD.encode(blob));
        let opened = Checkpoint::open(note.as_bytes(), key.public());
        assert_eq!(opened, Err(CheckpointError::Form), "{text}");
    }
}

#[test]
fn collected_checkpoints_are_read_one_by_one() {
    let key = peter();
    let note = |size| {
        let checkpoint = Checkpoint { size, ..checkpoint() };
        String::from_utf8(checkpoint.sign(&key)).unwrap()
    };
    let sizes = |text: &str| {
        let opened = Checkpoint::open_all(text, key.public());
        opened.map(|all| all.into_iter().map(|one| one.size).collect::<Vec<_>>())
    };
    assert_eq!(sizes(""), Ok(vec![]));
    assert_eq!(sizes(&format!("{}{}", note(3), note(5))), Ok(vec![3, 5]));
    assert_eq!(sizes(&format!("\n{}\n\n{}\n", note(3), note(5))), Ok(vec![3, 5]));
    let (three, five) = (one_line(note(3).as_bytes()), one_line(note(5).as_bytes()));
    assert_eq!(sizes(&format!("{three}\n{five}\n")), Ok(vec![3, 5]));
    assert_eq!(sizes(&format!("{three}\n{}{three}", note(5))), Ok(vec![3, 5, 3]));
    assert_eq!(sizes(&three[1..]), Err((1, CheckpointError::Form)));
    let broken = note(5).replace("\n5\n", "\n6\n");
    assert_eq!(sizes(&format!("{}{broken}", note(3))), Err((2, CheckpointError::Signature)));
    assert_eq!(sizes("nonsense"), Err((1, CheckpointError::Form)));
}
