//! HL7 software written by others: from the Python index `hl7` with its `mllp_send`, and the
//! SOAP client `zeep`.

use std::path::Path;
use std::process::Command;

use crate::rig::foreign::environment;
use crate::rig::message::{Message, Resident, field, unique};
use crate::rig::{ROOT, Rig, skipped};

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

/// `zeep`, which reads the description we serve and calls what it finds there.
#[test]
fn a_foreign_soap_client_registers_merges_queries_stores_and_retrieves() {
    let Some(clients) = environment().filter(|folder| folder.join("packages").exists()) else {
        return skipped("no foreign SOAP client (scripts/clients makes the environment)");
    };
    let rig = Rig::shared();
    let resident = Resident::new();
    rig.treats(&resident.citizen);
    let output = Command::new(clients.join("bin/python"))
        .arg(Path::new(ROOT).join("tests/all/rig/soap.py"))
        .arg(format!("https://127.0.0.1:{}", rig.ports.https))
        .arg(rig.path().join("certs"))
        .args([&resident.citizen, &resident.local, &unique().to_string()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    assert_eq!(said.lines().count(), 8, "{said}{errors}");
}

/// `fhirpy`, which knows FHIR and nothing of us.
#[test]
fn a_foreign_fhir_client_brings_searches_and_reads() {
    let Some(clients) = environment().filter(|folder| folder.join("packages").exists()) else {
        return skipped("no foreign FHIR client (scripts/clients makes the environment)");
    };
    let rig = Rig::shared();
    let resident = Resident::new();
    let output = Command::new(clients.join("bin/python"))
        .arg(Path::new(ROOT).join("tests/all/rig/fhir.py"))
        .arg(format!("https://127.0.0.1:{}", rig.ports.https))
        .arg(rig.path().join("certs"))
        .args([&resident.citizen, &unique().to_string()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    let expected = [
        "brought OperationOutcome kept",
        "found 1 青霉素",
        "read True",
        "address of another department: not found",
        "refused True",
        "capability 4.0.1",
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected, "{errors}");
}

/// `curl` with a client certificate, as docs/fhir.md and docs/inquiries.md show it.
#[test]
fn curl_asks_with_a_client_certificate_and_gets_nothing_without() {
    let Ok(found) = Command::new("curl").arg("--version").output() else {
        return skipped("there is no curl");
    };
    assert!(found.status.success());
    let rig = Rig::shared();
    let certs = rig.path().join("certs");
    let url = format!("https://127.0.0.1:{}/fhir/metadata", rig.ports.https);
    let curl = |identity: &[&str]| {
        let mut command = Command::new("curl");
        command.current_dir(&certs).args(["--silent", "--show-error", "--cacert", "ca.pem"]);
        command.args(identity).arg(&url).output().unwrap()
    };
    let with = curl(&["--cert", "civil-affairs-clerk.pem", "--key", "civil-affairs-clerk.key"]);
    let said = String::from_utf8_lossy(&with.stdout).into_owned();
    assert!(with.status.success() && said.contains("CapabilityStatement"), "{said}");
    let without = curl(&[]);
    assert!(!without.status.success(), "{}", String::from_utf8_lossy(&without.stdout));
}
