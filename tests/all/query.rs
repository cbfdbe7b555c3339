//! PDQ and PIX: asked in HL7 v2 by a department, answered from what was released to it.

use crate::rig::message::{Message, Resident, field};
use crate::rig::{Rig, TLS_SENDER};
use crate::whom::Known;

/// A doctor of a health institution, which is granted the sharing of records.
const DOCTOR: &str = "clinic-doctor";

/// A query of PDQ or PIX.
pub fn query(trigger: &str, parameters: &str) -> Vec<u8> {
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
    // Each hospital's number is its own; here there is one.
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

/// Every PID of a response, in order, as its raw line.
fn persons(reply: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(reply).into_owned();
    text.split('\r').filter(|line| line.starts_with("PID|")).map(str::to_owned).collect()
}

#[test]
fn persons_are_found_by_demographics_each_with_an_entry() {
    let rig = Rig::shared();
    let born = "19350226";
    let known: Vec<_> = (0..3).map(|_| Known::admitted(&rig, "尉迟^敬德", Some(born))).collect();
    let by_name = "@PID.5.1^尉迟~@PID.5.2^敬德~@PID.7^19350226~@PID.8^M";
    let ask = |parameters: &str, more: &str| {
        let text = String::from_utf8(query("Q22", parameters)).unwrap();
        let text = text.replace("RCP|I\r", &format!("RCP|I{more}"));
        rig.mllps(DOCTOR).unwrap().exchange(text.as_bytes()).unwrap()
    };
    let entries = || rig.stored("SELECT count(*) FROM ledger");
    let before = entries();
    let reply = ask(by_name, "\r");
    let shown = String::from_utf8_lossy(&reply).replace('\r', "\n");
    let found = persons(&reply);
    assert_eq!((found.len(), field(&reply, "QAK-2").as_str()), (3, "OK"), "{shown}");
    assert!(entries() >= before + 3, "each has an entry");
    assert!(found[2].starts_with("PID|3|") && !shown.contains("DSC"), "{shown}");
    assert!(!field(&reply, "QRI-1").is_empty(), "{shown}");
    for one in &known {
        assert!(shown.contains(&one.resident.citizen), "{shown}");
    }
    // Two at a time, and the rest by the pointer.
    let first = ask(by_name, "|2^RD\r");
    assert_eq!((persons(&first).len(), field(&first, "QAK-4").as_str()), (2, "3"));
    assert_eq!((field(&first, "QAK-6").as_str(), field(&first, "DSC-1").as_str()), ("1", "2"));
    let rest = ask(by_name, "|2^RD\rDSC|2|I\r");
    assert_eq!((persons(&rest).len(), field(&rest, "QAK-6").as_str()), (1, "0"));
    assert!(persons(&first).iter().all(|one| !persons(&rest)[0].contains(&one[8..30])));
    // A telephone tells them apart; in other characters he is heard alike.
    let phone = &known[1].phone;
    let sure = ask(&format!("@PID.5.1^尉遲~@PID.5.2^敬德~@PID.7^{born}~@PID.13.1^{phone}"), "\r");
    assert!(persons(&sure)[0].contains(&known[1].resident.citizen), "{shown}");
    let nobody = ask("@PID.5.1^尉迟~@PID.5.2^恭~@PID.7^18990101", "\r");
    assert_eq!((field(&nobody, "MSA-1"), field(&nobody, "QAK-2")), ("AA".into(), "NF".into()));
    let other = ask(&format!("{by_name}~@PID.18^1"), "\r");
    assert_eq!((field(&other, "MSA-1"), field(&other, "ERR-2")), ("AR".into(), "QPD^1^3^1".into()));
}

#[test]
fn a_number_of_one_hospital_leads_to_those_of_the_others() {
    let rig = Rig::shared();
    let known = Known::admitted(&rig, "宇文^成都", Some("19370604"));
    let elsewhere = known.known_elsewhere(&rig);
    let ask =
        |parameters: &str| rig.mllps(DOCTOR).unwrap().exchange(&query("Q23", parameters)).unwrap();
    let own = format!("{}^^^HOSP-A^MR", known.resident.local);
    let reply = ask(&own);
    let all = persons(&reply);
    assert_eq!(all.len(), 1, "{}", String::from_utf8_lossy(&reply));
    for number in [&known.resident.citizen, &known.resident.local, &elsewhere] {
        assert!(all[0].contains(number.as_str()), "{number}: {}", all[0]);
    }
    let narrowed = persons(&ask(&format!("{own}|^^^HOSP-B")));
    assert!(narrowed[0].contains(&elsewhere), "{narrowed:?}");
    assert!(!narrowed[0].contains(&known.resident.local), "{narrowed:?}");
    let back = persons(&ask(&format!("{elsewhere}^^^HOSP-B^MR|^^^HOSP-A")));
    assert!(back[0].contains(&known.resident.local), "{back:?}");
}
