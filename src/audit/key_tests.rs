//! Keys: their text, their files, and what they sign.

use super::*;

/// The public key of the reference tests of signed notes.
const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

#[test]
fn a_public_key_keeps_its_text_and_no_other_text_is_one() {
    assert_eq!(VerifyingKey::parse(PETER).unwrap().to_string(), PETER);
    for at in 0..PETER.len() {
        let mut wrong = PETER.as_bytes().to_vec();
        wrong[at] += 1;
        let wrong = String::from_utf8(wrong).unwrap();
        assert!(VerifyingKey::parse(&wrong).is_err(), "{wrong}");
        assert!(VerifyingKey::parse(&PETER[..at]).is_err());
    }
}

#[test]
fn a_key_file_belongs_to_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.key");
    let made = SigningKey::load_or_create(&path, "ledger", Signs::Checkpoints).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let read = SigningKey::load_or_create(&path, "ledger", Signs::Checkpoints).unwrap();
    assert_eq!(made.public(), read.public());
    let beside = fs::read_to_string(folder.path().join("ledger.pub")).unwrap();
    assert_eq!(&VerifyingKey::parse(&beside).unwrap(), made.public());
    assert!(made.public().verifies(b"text", &read.sign(b"text")));
    assert!(!made.public().verifies(b"Text", &read.sign(b"text")));
    assert!(matches!(
        SigningKey::create(&path, "ledger", Signs::Checkpoints),
        Err(KeyError::File(_))
    ));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(SigningKey::load(&path, "ledger", Signs::Checkpoints), Err(KeyError::Open)));
}

#[test]
fn a_cosignature_says_when_and_is_no_signature_of_a_ledger() {
    let witness = SigningKey::generate("witness", Signs::Cosignatures).unwrap();
    let text = b"ledger\n1\nAAAA\n";
    let signature = witness.cosign(text, 1_795_000_000);
    assert_eq!(seen_at(&signature), Some(1_795_000_000));
    assert!(witness.public().verifies(text, &signature));
    let mut later = signature.clone();
    later[7] += 1;
    for wrong in [&later[..], &witness.sign(text), &signature[..40], &[]] {
        assert!(!witness.public().verifies(text, wrong));
    }
    let public = witness.public().to_string();
    assert_eq!(&VerifyingKey::parse(&public).unwrap(), witness.public());
    assert!(VerifyingKey::parse_for(&public, Signs::Cosignatures).is_ok());
    let other = VerifyingKey::parse_for(&public, Signs::Checkpoints);
    assert!(matches!(other, Err(KeyError::Other)));
}

#[test]
fn a_file_that_holds_no_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.key");
    for content in ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(
            SigningKey::load(&path, "ledger", Signs::Checkpoints),
            Err(KeyError::Form)
        ));
    }
    for name in ["", "a b", "a+b", "a\u{3000}b"] {
        assert!(matches!(SigningKey::generate(name, Signs::Checkpoints), Err(KeyError::Name)));
    }
}

#[test]
fn a_key_by_sm2_has_its_own_text_and_file_and_is_no_other_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger-sm2.key");
    let made = SigningKey::create(&path, "ledger", Signs::CheckpointsBySm2).unwrap();
    let pem = fs::read_to_string(&path).unwrap();
    assert!(pem.lines().all(|line| line.len() <= PEM_LINE_BYTES) && pem.lines().count() > 3);
    let read = SigningKey::load(&path, "ledger", Signs::CheckpointsBySm2).unwrap();
    assert_eq!(made.public(), read.public());
    assert!(made.public().verifies(b"text", &read.sign(b"text")));
    assert!(!made.public().verifies(b"Text", &read.sign(b"text")));
    assert!(matches!(SigningKey::load(&path, "ledger", Signs::Checkpoints), Err(KeyError::Form)));
    let text = fs::read_to_string(folder.path().join("ledger-sm2.pub")).unwrap();
    assert_eq!(&VerifyingKey::parse_for(&text, Signs::CheckpointsBySm2).unwrap(), made.public());
    assert!(matches!(VerifyingKey::parse_for(&text, Signs::Checkpoints), Err(KeyError::Other)));
    // As a third party derives it: docs/auditing.md.
    let bytes = STANDARD.decode(text.trim().splitn(3, '+').nth(2).unwrap()).unwrap();
    assert!(bytes.starts_with(b"\xff1.2.156.10197.1.501\x04") && bytes.len() == 20 + 65);
    let hash = Sha256::digest([b"ledger\n", &bytes[..]].concat());
    assert_eq!(made.public().id(), hash[..4]);
}
