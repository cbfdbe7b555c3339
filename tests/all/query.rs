//! PDQ and PIX: asked in HL7 v2 by a department, answered from what was released to it.

use crate::rig::message::{Message, Resident, field};
use crate::rig::{Rig, TLS_SENDER};

/// A doctor of a health institution, which is granted the sharing of records.
const DOCTOR: &str = "clinic-doctor";

fn query(trigger: &str, parameters: &str) -> Vec<u8> {
    format!(
        "MSH|^~\\&|CLINIC|C1|KANGQIAO|MZ|20261001083000||QBP^{trigger}^QBP_Q21|Q{}|P|2.5|||||CHN\
         |UNICODE UTF-8\rQPD|IHE {trigger}|T1|{parameters}\rRCP|I\r",
        crate::rig::message::unique()
    )
    .into_bytes()
}

fn admitted(rig: &Rig) -> Resident {
    let resident = Resident::new();
    let reply = rig.mllp().exchange(&Message::new("A01", &resident).bytes()).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AA");
    resident
}

#[test]
fn a_person_is_found_by_an_identifier_over_mllp_and_https() {
    let rig = Rig::shared();
    let resident = admitted(&rig);
    let pdq = query("Q22", &format!("@PID.3.1^{}~@PID.3.5^NI", resident.citizen));
    let over_mllp = rig.mllps(DOCTOR).unwrap().exchange(&pdq).unwrap();
    let over_https = rig.https(DOCTOR).post("/v1/messages", "application/hl7-v2", &pdq).unwrap();
    for reply in [over_mllp, over_https.body] {
        let shown = String::from_utf8_lossy(&reply).into_owned();
        assert_eq!(field(&reply, "MSH-9.2"), "K22", "{shown}");
        assert_eq!(field(&reply, "MSA-1"), "AA", "{shown}");
        assert_eq!((field(&reply, "QAK-1"), field(&reply, "QAK-2")), ("T1".into(), "OK".into()));
        assert_eq!(field(&reply, "QAK-4"), "1");
        assert!(shown.contains(&format!("QPD|IHE Q22|T1|@PID.3.1^{}", resident.citizen)));
        assert_eq!(field(&reply, "PID-3.1"), resident.citizen, "{shown}");
        assert!(!field(&reply, "PID-5").is_empty(), "{shown}");
    }
    let pix = query("Q23", &format!("{}^^^^NI", resident.citizen));
    let reply = rig.mllps(DOCTOR).unwrap().exchange(&pix).unwrap();
    assert_eq!(field(&reply, "MSH-9.2"), "K23");
    assert_eq!(field(&reply, "PID-3.1"), resident.citizen);
    assert_eq!(field(&reply, "PID-5"), "", "who asks for numbers gets no name");
}

#[test]
fn further_parameters_narrow_by_what_is_released() {
    let rig = Rig::shared();
    let resident = admitted(&rig);
    let asked = |more: &str| {
        let parameters = format!("@PID.3.1^{}~@PID.3.5^NI{more}", resident.citizen);
        rig.mllps(DOCTOR).unwrap().exchange(&query("Q22", &parameters)).unwrap()
    };
    let born = field(&asked(""), "PID-7");
    assert!(!born.is_empty());
    assert_eq!(field(&asked(&format!("~@PID.7^{born}")), "QAK-2"), "OK");
    assert_eq!(field(&asked("~@PID.7^19000101"), "QAK-2"), "NF");
}

#[test]
fn an_unknown_person_is_not_found_and_who_may_not_ask_is_refused() {
    let rig = Rig::shared();
    let unknown = Resident::new();
    let pdq = query("Q22", &format!("@PID.3.1^{}~@PID.3.5^NI", unknown.citizen));
    let reply = rig.mllps(DOCTOR).unwrap().exchange(&pdq).unwrap();
    assert_eq!((field(&reply, "MSA-1"), field(&reply, "QAK-2")), ("AA".into(), "NF".into()));
    assert_eq!(field(&reply, "PID-3"), "");
    // A hospital's certificate and no certificate at all belong to no department.
    for reply in
        [rig.mllps(TLS_SENDER).unwrap().exchange(&pdq).unwrap(), rig.mllp().exchange(&pdq).unwrap()]
    {
        assert_eq!((field(&reply, "MSA-1"), field(&reply, "QAK-2")), ("AR".into(), "AR".into()));
        assert!(!field(&reply, "ERR-3").is_empty());
        assert_eq!(field(&reply, "PID-3"), "");
    }
    let nobody = query("Q22", "@PID.5.1^Smith");
    let reply = rig.mllps(DOCTOR).unwrap().exchange(&nobody).unwrap();
    assert_eq!((field(&reply, "MSA-1"), field(&reply, "QAK-2")), ("AE".into(), "AE".into()));
    assert_eq!(field(&reply, "ERR-2"), "QPD^1^3^1");
}

#[test]
fn every_query_stands_in_the_ledger() {
    let rig = Rig::shared();
    let resident = admitted(&rig);
    let entries = || rig.stored("SELECT count(*) FROM ledger");
    let before = entries();
    let pdq = query("Q22", &format!("@PID.3.1^{}~@PID.3.5^NI", resident.citizen));
    rig.mllps(DOCTOR).unwrap().exchange(&pdq).unwrap();
    rig.mllp().exchange(&pdq).unwrap();
    assert!(entries() >= before + 2, "a release and a refusal");
}
