//! Every form by `POST /v1/messages`: one unit, one journal row, one receipt.

use serde_json::{Value as Json, json};

use crate::rig::message::{Resident, unique};
use crate::rig::{Rig, TLS_SENDER};

const CIVIL: &str = "application/vnd.kangqiao.civil+json";

/// What the elderly registry would say of somebody.
fn elder(resident: &Resident) -> Json {
    json!({
        "dataset": "elder-registry",
        "elder": { "citizenId": resident.citizen, "name": "测试甲" },
        "residence": { "institution": "示例养老院", "bed": format!("A-{}", unique()) },
    })
}

fn post(rig: &Rig, media: &str, body: &[u8]) -> (u16, Json) {
    let reply = rig.https(TLS_SENDER).post("/v1/messages", media, body).unwrap();
    (reply.status, reply.json())
}

#[test]
fn a_document_is_kept_with_a_receipt_and_the_same_again_is_the_same() {
    let rig = Rig::shared();
    let body = elder(&Resident::new()).to_string();
    let (status, receipt) = post(&rig, CIVIL, body.as_bytes());
    assert_eq!((status, &receipt["state"]), (200, &json!("kept")), "{receipt}");
    assert!(receipt["bins"]["mapped"].as_u64().unwrap() > 0, "{receipt}");
    assert_eq!(post(&rig, CIVIL, body.as_bytes()), (status, receipt.clone()));
    let number = receipt["number"].as_u64().unwrap();
    let form =
        format!("SELECT count(*) FROM journal WHERE number = {number} AND form = 'civil-json'");
    assert_eq!(rig.stored(&form), 1);
    let labels = [("form", "civil-json"), ("source", TLS_SENDER), ("state", "repeated")];
    assert!(rig.counted("kangqiao_messages_total", &labels) > 0);
}

#[test]
fn a_list_is_one_unit_for_each_record_and_each_has_its_own_end() {
    let rig = Rig::shared();
    let mut wrong = elder(&Resident::new());
    wrong["elder"]["citizenId"] = json!("110105194912310021");
    let body = json!({ "records": [elder(&Resident::new()), wrong] });
    let (status, replies) = post(&rig, CIVIL, body.to_string().as_bytes());
    let states: Vec<_> = replies["receipts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["state"].clone(), one["fault"].clone()))
        .collect();
    assert_eq!(status, 207, "{replies}");
    let expect = [(json!("kept"), Json::Null), (json!("quarantined"), json!("identifier-invalid"))];
    assert_eq!(states, expect);
    assert!(!replies.to_string().contains("1949"), "a receipt holds no value");
}

#[test]
fn what_is_not_taken_is_refused_clearly() {
    let rig = Rig::shared();
    let (status, refusal) = post(&rig, "application/pdf", b"%PDF");
    assert_eq!((status, &refusal["fault"]), (415, &json!("unsupported-media")));
    let (status, receipt) = post(&rig, CIVIL, b"{\"elder\":");
    assert_eq!((status, &receipt["fault"]), (400, &json!("malformed")), "{receipt}");
    assert!(receipt["message"]["zh"].as_str().unwrap().len() > 3);
    let mut stranger = rig.https("stranger");
    let reply = stranger.post("/v1/messages", CIVIL, b"{}").unwrap();
    assert_eq!((reply.status, &reply.json()["fault"]), (403, &json!("certificate-unknown")));
}

#[test]
fn a_document_kept_aside_is_read_again_in_its_own_form() {
    let rig = Rig::shared();
    let mut unknown = elder(&Resident::new());
    unknown["dataset"] = json!("nobody-maps-this");
    let (_, receipt) = post(&rig, CIVIL, unknown.to_string().as_bytes());
    assert_eq!(receipt["state"], json!("quarantined"), "{receipt}");
    let number = receipt["number"].to_string();
    let config = rig.config().display().to_string();
    let output = rig.run(&["replay", &number, "--config", &config]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    // Read as HL7 v2 it would be malformed at its first byte.
    assert!(said.contains("unsupported-message") && said.contains("/dataset"), "{said}");
}
