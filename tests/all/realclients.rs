//! HL7 software written by others: `hl7` from the Python index, its `mllp_send`.

use std::path::PathBuf;
use std::process::Command;

use crate::rig::message::{Message, Resident, field};
use crate::rig::{Rig, skipped};

/// The environment `scripts/clients` makes.
fn environment() -> Option<PathBuf> {
    let folder = match std::env::var_os("KANGQIAO_CLIENTS") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_BIN_EXE_kangqiao")).parent()?.parent()?.join("clients"),
    };
    folder.join("bin/mllp_send").exists().then_some(folder)
}

#[test]
fn a_foreign_client_sends_and_reads_our_acknowledgement() {
    let Some(clients) = environment() else {
        return skipped("no foreign HL7 client (scripts/clients makes the environment)");
    };
    let rig = Rig::shared();
    let message = Message::new("A01", &Resident::new());
    let file = rig.path().join("foreign.hl7");
    std::fs::write(&file, message.bytes()).unwrap();
    let output = Command::new(clients.join("bin/mllp_send"))
        .args(["--loose", "--port", &rig.ports.mllp.to_string(), "--file"])
        .arg(&file)
        .arg("127.0.0.1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    assert!(said.contains(&format!("MSA|AA|{}", message.control)), "{said}{errors}");
}

/// Its parser, not ours, reads what we wrote.
const READS: &str = "
import sys, hl7
reply = hl7.parse(sys.stdin.buffer.read().decode('utf-8'))
print(reply.segment('MSA')[1], reply.segment('MSA')[2], reply.segment('ERR')[3][0][0])
";

#[test]
fn a_foreign_parser_reads_our_refusal() {
    let Some(clients) = environment() else {
        return skipped("no foreign HL7 client (scripts/clients makes the environment)");
    };
    let rig = Rig::shared();
    let mut message = Message::new("A01", &Resident::new());
    message.segments[1] = message.segments[1].replace("|M", "|?");
    let reply = rig.mllp().exchange(&message.bytes()).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AE");
    let path = rig.path().join("refusal.hl7");
    std::fs::write(&path, &reply).unwrap();
    let output = Command::new(clients.join("bin/python"))
        .args(["-c", READS])
        .stdin(std::fs::File::open(&path).unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.trim(), format!("AE {} 103", message.control), "{errors}");
}
