//! What nobody here wrote: the environment of foreign packages, and receivers of messages: of
//! HL7 v2 `mllp.py` with the package `hl7`, of HL7 v3 `soap_receiver.py` with `lxml`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::{ROOT, skipped, until};

/// The environment `scripts/clients` makes.
pub fn environment() -> Option<PathBuf> {
    let folder = match std::env::var_os("KANGQIAO_CLIENTS") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_BIN_EXE_kangqiao")).parent()?.parent()?.join("clients"),
    };
    folder.join("bin/mllp_send").exists().then_some(folder)
}

/// The receiver as its neighbours see it.
pub struct Foreign {
    child: Child,
    folder: tempfile::TempDir,
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Foreign {
    /// Whether there is one on this machine; says loudly if not.
    pub fn is_here() -> bool {
        if environment().is_none() {
            skipped("no foreign HL7 receiver (scripts/clients makes the environment)");
        }
        environment().is_some()
    }

    /// Starts a receiver of HL7 v2 with the certificate of that name, answering those references
    /// so.
    pub fn start(certs: &Path, name: &str, how: (u16, &[(&str, &str)])) -> Self {
        Self::run("mllp.py", (certs, name), how, &[])
    }

    /// The same of HL7 v3.
    pub fn start_soap(certs: &Path, name: &str, how: (u16, &[(&str, &str)])) -> Self {
        Self::run("soap_receiver.py", (certs, name), how, &["tests/all/rig/pix-update.rng"])
    }

    fn run(
        script: &str,
        (certs, name): (&Path, &str),
        (port, answers): (u16, &[(&str, &str)]),
        more: &[&str],
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (reference, answer) in answers {
            std::fs::write(folder.path().join(format!("answer-{reference}")), answer).unwrap();
        }
        let child = Command::new(environment().unwrap().join("bin/python"))
            .arg(Path::new(ROOT).join("tests/all/rig").join(script))
            .arg(port.to_string())
            .arg(folder.path())
            .args([certs.join(format!("{name}.pem")), certs.join(format!("{name}.key"))])
            .arg(certs.join("ca.pem"))
            .args(more.iter().map(|file| Path::new(ROOT).join(file)))
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        until("the receiver listens", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        Self { child, folder }
    }

    /// From now on a reference is answered so.
    pub fn answers(&self, reference: &str, answer: &str) {
        // By a rename, so that no half of it is read.
        let own = self.folder.path().join(format!("answer-{reference}"));
        std::fs::write(own.with_extension("new"), answer).unwrap();
        std::fs::rename(own.with_extension("new"), own).unwrap();
    }

    /// Everything that came, in order.
    pub fn came(&self) -> Vec<Value> {
        let lines = std::fs::read_to_string(self.folder.path().join("came")).unwrap_or_default();
        // The last line may be half written.
        let whole = lines.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What came about whoever has this reference.
    pub fn came_about(&self, reference: &str) -> Vec<Value> {
        let mut came = self.came();
        came.retain(|one| one["reference"] == reference);
        came
    }

    /// What came and was taken.
    pub fn taken(&self) -> Vec<Value> {
        let mut came = self.came();
        came.retain(|one| one["answer"] == "AA");
        came
    }
}
