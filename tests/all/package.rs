//! The Debian package: built of the binary at hand, installed, started as its unit starts it,
//! upgraded, removed and purged, in a copy of this machine that is gone afterwards.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};

use kangqiao_conformance::{https, stream};
use serde_json::json;

use crate::rig::message::Resident;
use crate::rig::{AGENT, PATIENCE, ROOT, at, call, free_port, loudly, skipped};

fn there(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
    found.is_ok_and(|output| output.status.success())
}

/// Whether it can be tried here; a kernel or a user that does not let it is no fault of the tree.
fn possible() -> bool {
    if ["dpkg-deb", "dpkg-shlibdeps", "strip", "unshare"].iter().any(|one| !there(one)) {
        skipped("the Debian package: no dpkg-dev");
        return false;
    }
    let overlay = "mount -t tmpfs t \"$1\" && cd \"$1\" && mkdir u w r && \
                   mount -t overlay o -o lowerdir=/,upperdir=u,workdir=w r";
    let (folder, mut command) = (tempfile::tempdir().unwrap(), Command::new("unshare"));
    let command = command.args(["-m", "sh", "-c", overlay, "sh"]).arg(folder.path());
    let mounted = command.output();
    let possible = mounted.is_ok_and(|output| output.status.success());
    if !possible {
        loudly("SKIPPED: the Debian package: not root, or no overlay file system");
    }
    possible
}

/// Builds the package; where it is.
fn build(folder: &Path) -> String {
    let mut command = Command::new(Path::new(ROOT).join("packaging/deb"));
    let output = command.arg(env!("CARGO_BIN_EXE_kangqiao")).arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// An answer of the gateway, by its certificates.
fn asks(certs: &Path, port: u16) -> u16 {
    let own = [".pem", ".key"].map(|end| certs.join(format!("{AGENT}{end}")));
    let tls = stream::tls(&certs.join("ca.pem"), Some((&own[0], &own[1]))).unwrap();
    let mut link = https::Link::connect(&at(port), Some(&tls)).unwrap();
    let question = json!({
        "identifier": { "kind": "citizen-id", "value": Resident::new().citizen },
        "purpose": "emergency-card",
        "evidence": { "call": call() },
    });
    let body = question.to_string();
    link.post("/v1/inquiries", "application/json", body.as_bytes()).unwrap().status
}

#[test]
fn the_package_installs_starts_answers_and_leaves_the_ledger_when_purged() {
    if !possible() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let package = build(folder.path());
    let room = folder.path().join("room");
    std::fs::create_dir(&room).unwrap();
    let notify = folder.path().join("notify");
    let socket = UnixDatagram::bind(&notify).unwrap();
    std::fs::set_permissions(&notify, std::fs::Permissions::from_mode(0o666)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let ports = [free_port(), free_port(), free_port(), free_port()];
    let mut command = Command::new("unshare");
    command.args(["-m", "sh"]).arg(Path::new(ROOT).join("tests/all/rig/package.sh"));
    command.arg(&package).arg(&room).arg(&notify).args(ports.map(|port| port.to_string()));
    let errors = std::fs::File::create(folder.path().join("errors")).unwrap();
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
    let mut child = piped.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut said = String::new();
    let mut until = |step: &str| {
        let wanted = format!("STEP {step}");
        for line in lines.by_ref() {
            let found = line.starts_with(&wanted);
            said += &line;
            said += "\n";
            if found {
                return said.clone();
            }
        }
        let errors = std::fs::read_to_string(folder.path().join("errors")).unwrap();
        panic!("never {step}:\n{said}\n{errors}");
    };

    let text = until("verified");
    for line in [
        "/var/lib/kangqiao kangqiao kangqiao 700",
        "/etc/kangqiao/keys kangqiao kangqiao 700",
        "/etc/kangqiao/certs root kangqiao 750",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let text = until("started");
    let pid = text.lines().last().unwrap().rsplit(' ').next().unwrap().to_owned();
    let mut told = [0; 64];
    let length = socket.recv(&mut told).expect("the gateway says that it is ready");
    assert_eq!(&told[..length], b"READY=1\n".as_slice());
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    for line in ["Seccomp:\t2", "NoNewPrivs:\t1", "CapEff:\t0000000000000000"] {
        assert!(status.contains(line), "{line}: {status}");
    }
    assert!(!status.contains("Uid:\t0"), "not root");
    // Certificates lie where only the namespace sees them.
    let certs = Path::new("/proc").join(&pid).join("root").join("etc/kangqiao/certs");
    assert_eq!(asks(&certs, ports[1]), 200);

    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    let text = until("stopped");
    assert!(text.contains("/invitation/"), "{text}");
    let text = until("purged");
    assert!(text.contains("# ours"), "an upgrade leaves what the site changed: {text}");
    let left = text.rsplit("Purging").next().unwrap();
    for kept in ["/etc/kangqiao/keys/master.key", "/var/lib/kangqiao/data/kangqiao.db"] {
        assert!(left.contains(kept), "{kept}: {left}");
    }
    assert!(!left.contains("kangqiao.toml") && !left.contains("/etc/kangqiao/policies"), "{left}");
    until("gone");
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_unit_says_what_systemd_understands() {
    if !there("systemd-analyze") {
        return skipped("no systemd-analyze");
    }
    let unit = Path::new(ROOT).join("packaging/kangqiao.service");
    let text = std::fs::read_to_string(&unit).unwrap();
    // The program is not installed here, and verify would say that and nothing else.
    let folder = tempfile::tempdir().unwrap();
    let tried = |text: &str| {
        let file = folder.path().join("kangqiao.service");
        let text = text.replace("/usr/bin/kangqiao", env!("CARGO_BIN_EXE_kangqiao"));
        std::fs::write(&file, text).unwrap();
        let output = Command::new("systemd-analyze").arg("verify").arg(&file).output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    assert_eq!(tried(&text), "");
    assert!(!tried(&text.replace("ProtectSystem=strict", "ProtectSystem=stricter")).is_empty());
}
