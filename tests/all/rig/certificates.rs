//! The certificates of an invented city. They are made once for all rigs of a process, each of
//! which has a copy to issue and revoke with.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{CLINIC_SYSTEM, HOME, ROOT, TLS_SENDER, copy};

/// Where they are made, with the number of the process behind it.
const MADE: &str = "certificates-";

/// Puts an authority and everybody's certificates into a folder.
pub fn give(folder: &Path) {
    static CITY: OnceLock<PathBuf> = OnceLock::new();
    copy(CITY.get_or_init(made), folder);
}

fn made() -> PathBuf {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let own = std::process::id().to_string();
    for entry in std::fs::read_dir(all).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        // One that had our number has ended too.
        let ended = |process| process == own || !Path::new("/proc").join(process).exists();
        if name.strip_prefix(MADE).is_some_and(ended) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    let folder = all.join(format!("{MADE}{own}"));
    let certs = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kangqiao"));
        let output = command.args(["certs", "--dir"]).arg(&folder).args(words).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    certs(&["init"]);
    for name in ["gateway", "platform", "registry"] {
        let place = ["--dns", "localhost", "--ip", "127.0.0.1"];
        certs(&[&["issue", "--name", name, "--server", "--client"][..], &place].concat());
    }
    let others = [TLS_SENDER, HOME, CLINIC_SYSTEM, "stranger", "revoked"].map(str::to_owned);
    for name in subjects().into_iter().chain(others) {
        certs(&["issue", "--name", &name]);
    }
    certs(&["revoke", "--name", "revoked"]);
    folder
}

/// Common names of the shipped departments' certificates.
fn subjects() -> Vec<String> {
    let path = Path::new(ROOT).join("policies/departments.toml");
    let file: toml::Table = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let departments = file["department"].as_array().unwrap().iter();
    departments
        .flat_map(|department| department["certificates"].as_array().unwrap())
        .map(|certificate| certificate["subject"].as_str().unwrap().to_owned())
        .collect()
}
