//! The authority in a folder of its own.

use super::*;

fn client(name: &str) -> Request {
    Request { name: name.to_owned(), usage: Usage::Client, dns: vec![], ip: vec![], days: 30 }
}

fn authority() -> (tempfile::TempDir, Authority) {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::at(dir.path().join("site"));
    authority.init("Test authority", 30).unwrap();
    (dir, authority)
}

#[test]
fn nothing_that_exists_is_overwritten() {
    let (_dir, authority) = authority();
    let before = std::fs::read(authority.dir().join("ca.key")).unwrap();
    assert!(authority.init("Another", 30).is_err());
    assert_eq!(std::fs::read(authority.dir().join("ca.key")).unwrap(), before);
    let issued = authority.issue(&client("hospital-a")).unwrap();
    let key = std::fs::read(&issued.key).unwrap();
    assert!(authority.issue(&client("hospital-a")).is_err());
    assert_eq!(std::fs::read(&issued.key).unwrap(), key);
    assert_eq!(authority.list().unwrap().len(), 1);
}

#[test]
fn a_refused_issue_leaves_nothing_behind() {
    let (_dir, authority) = authority();
    std::fs::write(authority.dir().join("hospital-a.pem"), "kept").unwrap();
    assert!(authority.issue(&client("hospital-a")).is_err());
    assert!(!authority.dir().join("hospital-a.key").exists());
    assert!(authority.list().unwrap().is_empty());
}

#[test]
fn the_command_line_says_what_is_issued() {
    use clap::Parser;
    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }
    let dir = tempfile::tempdir().unwrap();
    let play = |words: &str| {
        let folder = ["--dir", dir.path().to_str().unwrap()];
        let words = ["certs"].into_iter().chain(words.split(' ')).chain(folder);
        Line::try_parse_from(words).map(|line| run(line.args))
    };
    for (words, good) in [
        ("init --days 30", true),
        ("issue --name gateway --server --dns localhost --ip 127.0.0.1", true),
        ("issue --name peer --server --client --days 9", true),
        ("issue --name hospital-a", true),
        ("issue --name hospital-a", false),
        ("revoke --name hospital-a", true),
        ("revoke --serial 00", false),
        ("crl", true),
        ("list", true),
    ] {
        assert_eq!(play(words).unwrap().is_ok(), good, "{words}");
    }
    for words in ["revoke", "issue --name x --client", "revoke --name a --serial 00"] {
        assert!(play(words).is_err(), "{words}");
    }
    let rows = Authority::at(dir.path()).list().unwrap();
    let usages: Vec<_> = rows.iter().map(|row| row.usage).collect();
    assert_eq!(usages, [Usage::Server, Usage::Both, Usage::Client]);
}

#[cfg(unix)]
#[test]
fn a_key_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (_dir, authority) = authority();
    let issued = authority.issue(&client("hospital-a")).unwrap();
    for file in [issued.key, authority.dir().join("ca.key")] {
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_name_that_leaves_the_folder_is_refused() {
    let (_dir, authority) = authority();
    for name in ["", "../x", "a/b", ".hidden", "ca", "CRL", "index", "姓名", "-x"] {
        assert!(authority.issue(&client(name)).is_err(), "{name}");
    }
}

#[test]
fn every_signed_list_has_a_higher_number_and_keeps_what_was_revoked() {
    let (_dir, authority) = authority();
    let serials: Vec<_> =
        ["a", "b", "c"].map(|name| authority.issue(&client(name)).unwrap().serial).into();
    assert!(serials.iter().all(|serial| serial.len() == 32));
    assert_eq!(numbers(&authority), (1, 0));
    assert_eq!(authority.revoke(&Which::Name("a".to_owned())).unwrap(), 1);
    assert_eq!(numbers(&authority), (2, 1));
    assert!(authority.revoke(&Which::Name("a".to_owned())).is_err());
    assert!(authority.revoke(&Which::Serial("00".to_owned())).is_err());
    assert_eq!(authority.revoke(&Which::Serial(serials[1].to_uppercase())).unwrap(), 1);
    authority.sign_list().unwrap();
    assert_eq!(numbers(&authority), (4, 2));
    let states: Vec<_> = authority.list().unwrap().into_iter().map(|row| row.state).collect();
    assert!(matches!(states[..], [State::Revoked(_), State::Revoked(_), State::Valid]));
}

#[test]
fn the_table_says_what_expires_and_what_is_revoked() {
    let (_dir, authority) = authority();
    authority.issue(&client("hospital-a")).unwrap();
    authority.revoke(&Which::Name("hospital-a".to_owned())).unwrap();
    let text = table(&authority.list().unwrap());
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("NAME        USE     EXPIRES"));
    assert!(lines[1].starts_with("hospital-a  client  2") && lines[1].contains("revoked 2"));
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(40 * 86_400);
    authority.issue(&client("hospital-b")).unwrap();
    let rows = Authority::on(authority.dir(), later).list().unwrap();
    assert_eq!(rows[1].state, State::Expired);
}

fn numbers(authority: &Authority) -> (u64, usize) {
    use rustls::pki_types::{CertificateRevocationListDer, pem::PemObject};
    use x509_parser::prelude::{CertificateRevocationList, FromDer};
    let der = CertificateRevocationListDer::from_pem_file(authority.dir().join("crl.pem")).unwrap();
    let (_, list) = CertificateRevocationList::from_der(&der).unwrap();
    let number = list.crl_number().unwrap().try_into().unwrap();
    (number, list.iter_revoked_certificates().count())
}
