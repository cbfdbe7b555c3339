//! Two gateways: one asks the other as its upstream platform, in both dialects.

use serde_json::json;

use crate::rig::message::{Message, Resident};
use crate::rig::{Rig, until};

/// 诊疗医师
const DOCTOR: &str = "clinic-doctor";

/// A gateway whose record platform is another gateway.
fn before(platform: &Rig, dialect: &str) -> Rig {
    let rig = Rig::prepare("");
    let text = std::fs::read_to_string(rig.config()).unwrap();
    let (head, rest) = text.split_once("name = \"record-platform\"").unwrap();
    let (_, tail) = rest.split_once("[[upstream]]").unwrap();
    let certs = platform.path().join("certs");
    let (certs, port) = (certs.display(), platform.ports.https);
    let path = dialect.strip_prefix("v3-").unwrap();
    let asked = format!(
        "name = \"record-platform\"\ndepartment = \"record-platform\"\ndialect = \"{dialect}\"\n\
         url = \"https://127.0.0.1:{port}/soap/{path}\"\ntls = {{ authority = \"{certs}/ca.pem\", \
         certificate = \"{certs}/{DOCTOR}.pem\", key = \"{certs}/{DOCTOR}.key\" }}\n\n[[upstream]]"
    );
    std::fs::write(rig.config(), format!("{head}{asked}{tail}")).unwrap();
    let purposes = rig.path().join("policies/purposes.toml");
    let text = std::fs::read_to_string(&purposes).unwrap();
    let (head, tail) = text.split_once("id          = \"record-sharing\"").unwrap();
    let tail = tail.replacen("upstreams   = []", "upstreams   = [\"record-platform\"]", 1);
    std::fs::write(&purposes, format!("{head}id          = \"record-sharing\"{tail}")).unwrap();
    rig.resume();
    rig
}

#[test]
fn what_a_platform_knows_of_a_person_is_gathered_in_either_dialect() {
    let platform = Rig::shared();
    for dialect in ["v3-regional", "v3-hospital"] {
        let mut resident = Resident::new();
        resident.name = "上游^登记".to_owned();
        let told = platform.mllp().exchange(&Message::new("A28", &resident).bytes()).unwrap();
        assert_eq!(crate::rig::message::field(&told, "MSA-1"), "AA");
        let rig = before(&platform, dialect);
        let question = json!({
            "identifier": { "kind": "citizen-id", "value": resident.citizen },
            "purpose": "record-sharing",
        });
        let answer = rig.ask(DOCTOR, &question);
        let body = answer.json();
        let names: Vec<_> = body["elements"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["element"] == "DE02.01.039.00" && one["source"] == "record-platform")
            .collect();
        assert_eq!(names.len(), 1, "{dialect}: {body}");
        assert!(names[0]["value"].to_string().contains("登记"), "{dialect}: {body}");
        assert_eq!(body["sources"][1]["state"], "current", "{dialect}: {body}");
        // Telling the platform whom we look for is a release with its own entry, on both sides.
        assert!(rig.ledger(&["search"]).contains("record-location"));
        until("the platform has entered what it gave", || {
            platform.ledger(&["search"]).contains("record-sharing").then_some(())
        });
    }
}
