//! The ledger checked by software nobody here wrote: a reader of transparency logs from the Python
//! index, and OpenSSL for what the key by SM2 signs.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::rig::foreign::environment;
use crate::rig::{AUDITOR, CLERK, ROOT, Rig, WORKER, skipped};
use crate::witness::{Witness, answered, configure, get, independent, seen};

/// Names the key by SM2 in a gateway's configuration.
fn with_sm2(rig: &Rig) {
    let text = std::fs::read_to_string(rig.config()).unwrap();
    let key = "key = \"keys/ledger.key\"";
    assert!(text.contains(key));
    let both = text.replace(key, &format!("{key}\nsm2_key = \"keys/ledger-sm2.key\""));
    std::fs::write(rig.config(), both).unwrap();
}

/// A gateway with both keys and a witness.
fn witnessed() -> (Rig, Witness) {
    let rig = Rig::prepare("");
    with_sm2(&rig);
    let mut witness = Witness::prepare(&rig);
    configure(&rig, &witness.configured(""));
    rig.resume();
    witness.start(&rig);
    seen(&rig);
    (rig, witness)
}

/// The foreign packages, if the reader is among them.
fn reader() -> Option<PathBuf> {
    let packages = |folder: &PathBuf| std::fs::read_to_string(folder.join("packages"));
    let has = |folder: &PathBuf| packages(folder).is_ok_and(|all| all.contains("tlog-scales"));
    environment().filter(has)
}

#[test]
fn a_foreign_reader_of_logs_verifies_the_ledger_and_refuses_every_forgery() {
    let Some(clients) = reader() else {
        return skipped("no foreign reader of logs (scripts/clients makes the environment)");
    };
    let (rig, witness) = witnessed();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let earlier = write("earlier", &get(&rig, CLERK, "/v1/ledger/checkpoint").1);
    let (_, receipt) = answered(&rig);
    // More than one row of hashes: whoever asks for what is not there is entered.
    let mut link = rig.https(WORKER);
    while rig.stored("SELECT max(number) + 1 FROM ledger") < 300 {
        assert_eq!(link.get("/v1/ledger/proof/x").unwrap().status, 404);
    }
    seen(&rig);
    let (status, proof) = get(&rig, AUDITOR, &format!("/v1/ledger/proof/{receipt}"));
    assert_eq!(status, 200);
    let proof = write("proof", &proof);
    // The proof is an entry too.
    seen(&rig);
    let output = Command::new(clients.join("bin/python"))
        .arg(Path::new(ROOT).join("tests/all/rig/tlog.py"))
        .arg(format!("https://127.0.0.1:{}", rig.ports.https))
        .args([rig.path().join("certs"), rig.path().join("keys/ledger.pub")])
        .args([witness.public_key(), earlier, proof])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    for step in ["3 signatures", "cosignature", "tiles", "consistency from", "inclusion of"] {
        assert!(said.contains(step), "{said}");
    }
    let refused = said.lines().filter(|line| line.starts_with("refused ")).count();
    assert!(refused >= 20, "{said}");
}

/// Whether OpenSSL holds the second line of a note for the key's, by the commands that
/// docs/auditing.md tells a third party.
fn openssl(folder: &Path, note: &str) -> bool {
    let page = std::fs::read_to_string(Path::new(ROOT).join("docs/auditing.md")).unwrap();
    let (_, rest) = page.split_once("With OpenSSL 3, where").unwrap();
    let (_, rest) = rest.split_once("```sh\n").unwrap();
    let (commands, _) = rest.split_once("```").unwrap();
    std::fs::write(folder.join("note.txt"), note).unwrap();
    let output = Command::new("sh").args(["-euc", commands]).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let holds = said.contains("Verified Successfully");
    assert!(holds || said.contains("Verification Failure"), "{output:?}");
    holds
}

#[test]
fn openssl_and_a_page_of_python_hold_the_signature_by_sm2_for_good() {
    if Command::new("openssl").arg("version").output().is_err() {
        return skipped("there is no openssl");
    }
    let (rig, witness) = witnessed();
    let (_, receipt) = answered(&rig);
    seen(&rig);
    let folder = tempfile::tempdir().unwrap();
    let key = rig.path().join("keys/ledger-sm2.pub");
    std::fs::copy(key, folder.path().join("ledger-sm2.pub")).unwrap();
    let note = String::from_utf8(get(&rig, CLERK, "/v1/ledger/checkpoint").1).unwrap();
    assert!(openssl(folder.path(), &note), "{note}");
    let size: u64 = note.lines().nth(1).unwrap().parse().unwrap();
    let other = note.replacen(&format!("\n{size}\n"), &format!("\n{}\n", size + 1), 1);
    assert!(!openssl(folder.path(), &other));

    let (status, proof) = get(&rig, AUDITOR, &format!("/v1/ledger/proof/{receipt}"));
    assert_eq!(status, 200);
    let text = String::from_utf8(proof).unwrap();
    let names: Vec<_> =
        text.lines().filter_map(|line| line.strip_prefix("\u{2014} ")?.split(' ').next()).collect();
    let ledger = "kangqiao.test.example";
    assert_eq!(names, [ledger, ledger, "audit.test.example/witness"], "{text}");
    let second = text.lines().filter(|line| line.starts_with("\u{2014} ")).nth(1).unwrap();
    let at = second.len() - 20;
    let sign = if second.as_bytes()[at] == b'A' { "B" } else { "A" };
    let spoilt = format!("{}{sign}{}", &second[..at], &second[at + 1..]);
    let keys = ["keys/ledger.pub", "keys/ledger-sm2.pub"].map(|name| rig.path().join(name));
    let own = |proof: &Path, words: &[&Path]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kangqiao"));
        command.args(["ledger", "check-proof"]).arg(proof).args(words).output().unwrap()
    };
    let seal = witness.public_key();
    // A wrong line by SM2 is nobody's business who does not ask for it.
    for (name, text, [asked, unasked]) in [
        ("good", text.clone(), [true, true]),
        ("spoilt", text.replace(second, &spoilt), [false, true]),
        ("gone", text.replace(&format!("{second}\n"), ""), [false, true]),
    ] {
        let proof = folder.path().join(name);
        std::fs::write(&proof, text).unwrap();
        let words = |flags: [&'static str; 3]| {
            let [own, sm2, witness] = flags.map(Path::new);
            [own, keys[0].as_path(), witness, &seal, sm2, &keys[1]]
        };
        let ours = words(["--public-key", "--sm2-public-key", "--witness"]);
        for (words, holds) in [(&ours[..], asked), (&ours[..4], unasked)] {
            let said = self::said(&own(&proof, words));
            assert_eq!(said.0, holds, "{name}: {}", said.1);
        }
        let theirs = words(["--key", "--sm2-key", "--witness"]);
        for (words, holds) in [(&theirs[..], asked), (&theirs[..4], unasked)] {
            let Some(output) = independent(&[&[proof.as_path()], words].concat()) else { return };
            let said = self::said(&output);
            assert_eq!(said.0, holds, "{name}: {}", said.1);
        }
    }
}

fn said(output: &std::process::Output) -> (bool, String) {
    let text = [&output.stdout[..], &output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// Changes a checkpoint in the file.
fn rewritten(rig: &Rig, size: u64, change: impl FnOnce(String) -> String) {
    let store = rusqlite::Connection::open(rig.path().join("data/kangqiao.db")).unwrap();
    let sql = "SELECT bytes FROM checkpoint WHERE size = ?1";
    let size = i64::try_from(size).unwrap();
    let note: Vec<u8> = store.query_row(sql, [size], |row| row.get(0)).unwrap();
    let note = change(String::from_utf8(note).unwrap()).into_bytes();
    store.execute("UPDATE checkpoint SET bytes = ?1 WHERE size = ?2", (note, size)).unwrap();
}

#[test]
fn a_second_key_is_added_to_a_ledger_and_a_lost_one_stops_the_start() {
    let rig = Rig::start();
    answered(&rig);
    rig.stop();
    let before = rig.stored("SELECT count(*) FROM checkpoint");
    with_sm2(&rig);
    rig.resume();
    answered(&rig);
    answered(&rig);
    let (sound, said) = rig.order(&["doctor"]);
    assert!(sound && said.contains("ledger SM2 key"), "{said}");
    let (sound, said) = rig.order(&["check"]);
    assert!(sound, "{said}");
    rig.stop();
    let all = rig.stored("SELECT count(*) FROM checkpoint");
    let by_sm2 = |said: &str| said.contains(&format!("其中国密签名 by SM2   {}\n", all - before));
    let (sound, said) = rig.order(&["ledger", "verify"]);
    assert!(sound && by_sm2(&said), "{said}");

    // The line of one checkpoint is taken away: it is named, and by Ed25519 alone nothing is wrong.
    let size = rig.stored("SELECT size FROM checkpoint ORDER BY size DESC LIMIT 1 OFFSET 1");
    let mut kept = String::new();
    rewritten(&rig, size, |note| {
        kept.clone_from(&note);
        let (head, _) = note.trim_end().rsplit_once('\n').unwrap();
        format!("{head}\n")
    });
    let (sound, said) = rig.order(&["ledger", "verify"]);
    let named = format!("checkpoint {} has no line by SM2", all - 1);
    assert!(!sound && said.contains(&named), "{said}");
    let (data, own) = (rig.path().join("data"), rig.path().join("keys/ledger.pub"));
    let [data, own] = [&data, &own].map(|path| path.to_str().unwrap());
    rig.succeed(&["ledger", "verify", "--data", data, "--public-key", own]);
    rewritten(&rig, size, |_| kept);
    assert!(rig.order(&["ledger", "verify"]).0);

    // Neither without the key nor with another one does it go on.
    let (key, away) = (rig.path().join("keys/ledger-sm2.key"), rig.path().join("away"));
    std::fs::rename(&key, &away).unwrap();
    let (started, said) = rig.order(&["serve"]);
    assert!(!started && said.contains("put back the one it is signed by"), "{said}");
    assert!(!key.exists(), "a lost key is not made anew");
    let (sound, said) = rig.order(&["doctor"]);
    assert!(!sound && said.contains("ledger-sm2.key"), "{said}");
    let mut openssl = Command::new("openssl");
    openssl.args(["genpkey", "-algorithm", "SM2", "-out"]).arg(&key);
    if openssl.output().is_ok_and(|made| made.status.success()) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        let (started, said) = rig.order(&["serve"]);
        assert!(!started && said.contains("by SM2: not signed by this key"), "{said}");
    }
    std::fs::rename(&away, &key).unwrap();
    rig.resume();
    answered(&rig);
    rig.stop();
    assert!(rig.order(&["ledger", "verify"]).0);
}
