//! The ledger is believed without its operator: witnesses sign it, proofs are checked elsewhere.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use kangqiao_conformance::https::Link;
use serde_json::json;

use crate::rig::message::{Message, Resident};
use crate::rig::{AUDITOR, CLERK, Rig, WORKER, at, free_port, skipped, until};

/// 见证方, `kangqiao witness` in a folder of its own.
pub struct Witness {
    folder: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Witness {
    /// Makes its key and its configuration beside the certificates of a gateway; the ledger's
    /// key is not known yet.
    pub fn prepare(rig: &Rig) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let certs = rig.path().join("certs");
        let (certs, ledger) = (certs.display(), rig.path().join("keys/ledger.pub"));
        let text = format!(
            "name = \"audit.test.example/witness\"\naddress = \"127.0.0.1:{port}\"\n\
             ledgers = [\"{}\"]\n\
             [tls]\ncertificate = \"{certs}/platform.pem\"\nkey = \"{certs}/platform.key\"\n\
             [clients]\nauthorities = \"{certs}/ca.pem\"\nrevocations = \"{certs}/crl.pem\"\n",
            ledger.display()
        );
        std::fs::write(folder.path().join("witness.toml"), text).unwrap();
        let witness = Self { folder, port, child: None };
        let said = witness.command(&["--public-key"]).output().unwrap();
        assert!(said.status.success(), "{said:?}");
        assert_eq!(said.stdout, std::fs::read(witness.public_key()).unwrap());
        witness
    }

    /// The lines of the gateway's configuration about it.
    pub fn configured(&self, more: &str) -> String {
        format!(
            "[[witness]]\npublic_key = \"{}\"\nurl = \"https://127.0.0.1:{}\"\n\
             every_seconds = 1\n{more}\n[witness.tls]\nauthority = \"certs/ca.pem\"\n\
             certificate = \"certs/gateway.pem\"\nkey = \"certs/gateway.key\"\n",
            self.public_key().display(),
            self.port
        )
    }

    pub fn public_key(&self) -> PathBuf {
        self.folder.path().join("witness.pub")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kangqiao"));
        command.args(["witness", "--config"]).arg(self.folder.path().join("witness.toml"));
        command.args(words).stdin(Stdio::null());
        command
    }

    pub fn start(&mut self, rig: &Rig) {
        let silent = self.command(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.child = Some(silent.unwrap());
        until("the witness listens", || self.link(rig, "gateway"));
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
            let _ = child.wait();
        }
    }

    fn link(&self, rig: &Rig, name: &str) -> Option<Link> {
        Link::connect(&at(self.port), Some(&rig.tls(name))).ok()
    }

    /// What it says to a submission.
    fn add(&self, rig: &Rig, body: &str) -> (u16, String) {
        let mut link = self.link(rig, "gateway").unwrap();
        let reply = link.post("/add-checkpoint", "text/plain", body.as_bytes()).unwrap();
        (reply.status, String::from_utf8(reply.body).unwrap())
    }
}

/// Adds lines to a gateway's configuration.
pub fn configure(rig: &Rig, more: &str) {
    let mut file = std::fs::OpenOptions::new().append(true).open(rig.config()).unwrap();
    file.write_all(format!("\n{more}\n").as_bytes()).unwrap();
}

/// A gateway whose ledger has one witness, both running.
fn witnessed() -> (Rig, Witness) {
    let rig = Rig::prepare("");
    let mut witness = Witness::prepare(&rig);
    configure(&rig, &witness.configured(""));
    rig.resume();
    witness.start(&rig);
    seen(&rig);
    (rig, witness)
}

/// Waits until the witness has signed all that is in the ledger.
pub fn seen(rig: &Rig) {
    until("the witness has signed", || {
        let size = rig.stored("SELECT max(number) + 1 FROM ledger");
        (rig.stored("SELECT coalesce(max(size), 0) FROM cosignature") == size).then_some(())
    });
}

/// One answered question: the answer's bytes and its receipt.
pub fn answered(rig: &Rig) -> (Vec<u8>, String) {
    let resident = Resident::new();
    rig.mllp().exchange(&Message::new("A28", &resident).bytes()).unwrap();
    let question = json!({
        "identifier": { "kind": "citizen-id", "value": resident.citizen },
        "purpose": "living-check",
    });
    let reply = rig.ask(CLERK, &question);
    let receipt = reply.json()["receipt"].as_str().unwrap().to_owned();
    (reply.body, receipt)
}

pub fn get(rig: &Rig, who: &str, path: &str) -> (u16, Vec<u8>) {
    let reply = rig.https(who).get(path).unwrap();
    (reply.status, reply.body)
}

/// The checker that is no part of the gateway, if there is a Python to run it.
pub fn independent(words: &[&Path]) -> Option<Output> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/check-proof");
    match Command::new("python3").arg(script).args(words).output() {
        Ok(output) => Some(output),
        Err(_) => {
            skipped("there is no python3");
            None
        }
    }
}

/// Both checkers say the same of a proof; neither needs the gateway.
fn check((proof, answer): (&Path, &Path), [ledger, witness]: [&Path; 2], holds: bool) {
    let words = |key: &'static str| {
        let flags = [key, "--witness", "--answer"].map(Path::new);
        [proof, flags[0], ledger, flags[1], witness, flags[2], answer]
    };
    let mut own = Command::new(env!("CARGO_BIN_EXE_kangqiao"));
    let own = own.args(["ledger", "check-proof"]).args(words("--public-key")).output().unwrap();
    assert_eq!(own.status.success(), holds, "{own:?}");
    if let Some(theirs) = independent(&words("--key")) {
        assert_eq!(theirs.status.success(), holds, "{theirs:?}");
    }
}

/// The same text with one sign changed in the middle of one line.
fn spoilt(text: &str, number: usize) -> String {
    let lines = text.lines().enumerate().map(|(count, line)| {
        let (head, tail) = line.split_at(line.len() - if count == number { 20 } else { 0 });
        let other = if tail.starts_with('A') { "B" } else { "A" };
        match tail.get(1..) {
            Some(rest) => format!("{head}{other}{rest}\n"),
            None => format!("{line}\n"),
        }
    });
    lines.collect()
}

#[test]
fn whoever_holds_a_receipt_proves_its_entry_without_the_gateway() {
    let (rig, witness) = witnessed();
    let (answer, receipt) = answered(&rig);
    seen(&rig);
    let path = format!("/v1/ledger/proof/{receipt}");
    let (status, proof) = get(&rig, AUDITOR, &path);
    assert_eq!(status, 200);
    // What an entry says is more than the answer did: its own department may not see it.
    for (who, at, expect) in [
        (CLERK, path.as_str(), 403),
        (WORKER, &path, 403),
        (WORKER, "/v1/ledger/proof/01ARZ3NDEKTSV4RRFFQ69G5FAV", 403),
        (AUDITOR, "/v1/ledger/proof/01ARZ3NDEKTSV4RRFFQ69G5FAV", 404),
        (AUDITOR, "/v1/ledger/proof/x", 404),
        (CLERK, "/v1/ledger/entries", 404),
        ("stranger", &path, 403),
    ] {
        assert_eq!(get(&rig, who, at).0, expect, "{who} {at}");
    }
    let (_, said) = rig.order(&["doctor"]);
    assert!(said.contains("audit.test.example/witness: signs"), "{said}");
    rig.stop();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let (good, told) = (write("good.tlog-proof", &proof), write("answer", &answer));
    let (ledger, seal) = (rig.path().join("keys/ledger.pub"), witness.public_key());
    let keys = [ledger.as_path(), &seal];
    check((&good, &told), keys, true);
    check((&good, &write("other", b"another answer")), keys, false);
    let text = String::from_utf8(proof).unwrap();
    let index = text.lines().position(|line| line.starts_with("index ")).unwrap();
    let last = text.lines().count() - 1;
    // The entry, the first hash of its path, the ledger's signature, the witness's.
    for number in [index - 1, index + 1, last - 1, last] {
        let bad = write(&format!("bad {number}"), spoilt(&text, number).as_bytes());
        check((&bad, &told), keys, false);
    }
}

#[test]
fn a_ledger_that_was_put_back_is_told_by_its_witness() {
    let (rig, mut witness) = witnessed();
    rig.stop();
    let earlier = tempfile::tempdir().unwrap();
    // The database and its log; the gateway's socket is no file.
    let database = |from: &Path, to: &Path| {
        for entry in std::fs::read_dir(from).unwrap().flatten() {
            if entry.file_name().to_string_lossy().starts_with("kangqiao.db") {
                std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
    };
    let data = rig.path().join("data");
    database(&data, earlier.path());
    rig.resume();
    answered(&rig);
    seen(&rig);
    let kept = rig.stored("SELECT max(size) FROM cosignature");
    rig.stop();
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::create_dir(&data).unwrap();
    database(earlier.path(), &data);
    rig.resume();
    until("the witness contradicts", || {
        let line = "kangqiao_witness_agrees{witness=\"audit.test.example/witness\"} 0";
        let page = rig.operation("/metrics")?;
        String::from_utf8(page.body).ok()?.contains(line).then_some(())
    });
    assert!(rig.printed().contains("a witness has signed another ledger than this one"));
    assert!(rig.ledger(&["search", "--kind", "witness"]).contains("another ledger"));
    // Whoever asks the witness proves it himself.
    let held = witness.link(&rig, "gateway").unwrap().get("/held").unwrap();
    let notes = rig.path().join("held");
    std::fs::write(&notes, held.body).unwrap();
    let (found, said) = rig.order(&["ledger", "verify", "--held", notes.to_str().unwrap()]);
    assert!(!found && said.contains(&kept.to_string()), "{said}");
    // It grows past what the witness saw: another history, which is never signed again.
    while rig.stored("SELECT max(number) + 1 FROM ledger") <= kept + 1 {
        answered(&rig);
    }
    let agrees = rig.counted("kangqiao_witness_agrees", &[]);
    std::thread::sleep(std::time::Duration::from_millis(2_500));
    assert_eq!((agrees, rig.counted("kangqiao_witness_agrees", &[])), (0, 0));
    // Its silence takes nothing back.
    witness.stop();
    std::thread::sleep(std::time::Duration::from_millis(2_500));
    assert_eq!(rig.counted("kangqiao_witness_agrees", &[]), 0);
    let (found, said) = rig.order(&["ledger", "verify", "--held", notes.to_str().unwrap()]);
    assert!(!found, "{said}");
}

#[test]
fn a_witness_follows_its_protocol_and_remembers_through_a_restart() {
    let (rig, mut witness) = witnessed();
    rig.stop();
    let note = |rig: &Rig| {
        let store = rusqlite::Connection::open(rig.path().join("data/kangqiao.db")).unwrap();
        let sql = "SELECT bytes FROM checkpoint ORDER BY size DESC LIMIT 1";
        let note: Vec<u8> = store.query_row(sql, [], |row| row.get(0)).unwrap();
        String::from_utf8(note).unwrap()
    };
    let note = note(&rig);
    let size: u64 = note.lines().nth(1).unwrap().parse().unwrap();
    let held = rig.stored("SELECT max(size) FROM cosignature");
    for restarted in [false, true] {
        if restarted {
            witness.stop();
            witness.start(&rig);
        }
        let unknown = note.replacen("kangqiao.test.example\n", "another.example\n", 1);
        let forged = note.replacen(&format!("\n{size}\n"), &format!("\n{}\n", size + 1), 1);
        for (body, expect) in [
            (format!("old 0\n\n{note}"), (409, format!("{held}\n"))),
            (format!("old {}\n\n{note}", size + 1), (400, String::new())),
            ("old 1\n".to_owned(), (400, String::new())),
            (format!("old {held}\n\n{unknown}"), (404, String::new())),
            (format!("old {held}\n\n{forged}"), (403, String::new())),
        ] {
            let (status, said) = witness.add(&rig, &body);
            assert_eq!(status, expect.0, "{said}");
            assert!(expect.1.is_empty() || said == expect.1, "{said}");
        }
    }
    // No other process takes the folder, and nobody without a certificate is heard.
    let second = witness.command(&[]).output().unwrap();
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("folder"), "{second:?}");
    assert!(witness.link(&rig, "").is_none_or(|mut link| link.get("/held").is_err()));
}

#[test]
fn tiles_and_checkpoint_are_read_by_any_department() {
    let rig = Rig::start();
    answered(&rig);
    let (status, note) = get(&rig, CLERK, "/v1/ledger/checkpoint");
    assert_eq!(status, 200);
    let note = String::from_utf8(note).unwrap();
    let size: usize = note.lines().nth(1).unwrap().parse().unwrap();
    assert!(note.starts_with("kangqiao.test.example\n"));
    let tile = |path: &str| get(&rig, CLERK, &format!("/v1/ledger/tile/{path}"));
    let (status, leaves) = tile(&format!("0/000.p/{size}"));
    assert_eq!((status, leaves.len()), (200, size * 32));
    for path in ["0/000", "1/000", "0/001.p/1", "64/000", "0/000.p/255", "0/0", ""] {
        assert_eq!(tile(path).0, 404, "{path}");
    }
    assert_eq!(get(&rig, "stranger", "/v1/ledger/checkpoint").0, 403);
}
