//! Two homes that veil their entries themselves: the gateway never sees a clear value.

use serde_json::{Value, json};

use crate::rig::Rig;
use crate::rig::message::{Message, Resident, field};

const TOKENS: &str = "application/vnd.kangqiao.tokens+ndjson";
/// Where the numbers of a home stand in FHIR.
const SYSTEM: &str = "urn:kangqiao:system:";
const HEADER: &str = "rec_id,name,sex,birth_date,phone,address";
const LI: &str = "李秀兰,2,19480315,13900000001,中山路12号院3号楼501室";
const LI_HERE: &str = "李秀蘭,2,19480315,13900000001,中山路12号院3号楼501室";
/// Her twin, at the same place.
const TWIN: &str = "李秀云,2,19480315,13900000001,中山路12号院3号楼501室";

/// What a home pushes: the key they share is `key`, the one of their own `own`.
fn feed(rig: &Rig, (key, own): (&str, &str), rows: &[(&str, &str)]) -> Vec<Value> {
    let rows: String = rows.iter().map(|(id, who)| format!("{id},{who}\n")).collect();
    std::fs::write(rig.path().join("records.csv"), format!("{HEADER}\n{rows}")).unwrap();
    let words = ["identity", "veil", "records.csv", "--key-file", key, "--own-key-file", own];
    let lines = rig.succeed(&words);
    assert!(!lines.contains("19480315") && !lines.contains("秀"), "{lines}");
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn push(rig: &Rig, home: &str, lines: &[Value]) -> (u16, Value) {
    let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let reply = rig.https(home).post("/v1/messages", TOKENS, body.as_bytes()).unwrap();
    (reply.status, reply.json())
}

/// Under which other numbers an entry is known, by home, as a registrar is told who asks by
/// its number.
fn known(rig: &Rig, home: &str, line: &Value) -> Vec<(String, String)> {
    let (system, number) = (format!("{SYSTEM}{home}"), line["number"].as_str().unwrap());
    let request = format!(
        "GET /fhir/Patient/$ihe-pix?sourceIdentifier={system}%7C{number} HTTP/1.1\r\nhost: g\r\n\
         kangqiao-purpose: record-sharing\r\n\r\n"
    );
    let reply = rig.https("clinic-registrar").ask(request.as_bytes()).unwrap();
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    let told = reply.json();
    let numbers = told["parameter"].as_array().into_iter().flatten();
    let numbers = numbers.filter(|one| one["name"] == "targetIdentifier").map(|one| {
        let text = |key: &str| one["valueIdentifier"][key].as_str().unwrap().to_owned();
        (text("system").strip_prefix(SYSTEM).unwrap().to_owned(), text("value"))
    });
    numbers.collect()
}

fn number(home: &str, line: &Value) -> (String, String) {
    (home.to_owned(), line["number"].as_str().unwrap().to_owned())
}

/// The homes of a configuration, with the keys they were told of.
fn homes(keys: &[&str]) -> String {
    let home = |name| {
        format!("[[sender]]\nname = \"{name}\"\ncertificate = \"{name}\"\nveils = {keys:?}\n")
    };
    format!("{}{}", home("home-a"), home("home-b"))
}

/// A gateway that was told of the first key.
fn rig() -> (Rig, String) {
    let rig = Rig::prepare("");
    for name in ["home-a", "home-b"] {
        rig.succeed(&["certs", "--dir", "certs", "issue", "--name", name]);
    }
    let told = feed(&rig, ("first.key", "a.key"), &[("A0", LI)])[0]["veil"].clone();
    let told = told.as_str().unwrap().to_owned();
    configure(&rig, "", &homes(&[&told]));
    rig.resume();
    (rig, told)
}

fn configure(rig: &Rig, before: &str, now: &str) {
    let text = std::fs::read_to_string(rig.config()).unwrap();
    std::fs::write(rig.config(), format!("{now}{}", text.strip_prefix(before).unwrap())).unwrap();
}

#[test]
fn entries_that_were_never_in_clear_are_one_person_reviewed_and_parted() {
    let (rig, _) = rig();
    let a = feed(&rig, ("first.key", "a.key"), &[("A1", LI), ("A2", TWIN)]);
    let b = feed(&rig, ("first.key", "b.key"), &[("B1", LI_HERE)]);
    let (status, told) = push(&rig, "home-a", &a);
    assert_eq!((status, told["receipts"].as_array().unwrap().len()), (200, 2), "{told}");
    let (status, told) = push(&rig, "home-b", &b);
    assert_eq!((status, &told["state"]), (200, &json!("kept")), "{told}");
    let (one, nobody) = ([number("home-b", &b[0])], []);
    assert_eq!(known(&rig, "home-b", &b[0]), [number("home-a", &a[0])]);
    assert_eq!(known(&rig, "home-a", &a[0]), one);
    assert_eq!(known(&rig, "home-a", &a[1]), nobody, "a twin is two");
    // The answer is a disclosure like any other.
    let about = ["search", "--kind", "disclosure", "--department", "clinic", "--json"];
    let entries = rig.ledger(&about);
    assert!(entries.contains("record-sharing") && entries.contains("MZ.id.local"), "{entries}");
    assert!(entries.contains("home-a") && entries.contains("home-b"), "{entries}");

    let (done, waiting) = rig.order(&["identity", "review"]);
    assert!(done && waiting.contains("like-twins"), "{waiting}");
    let entry = |sql: &str| rig.stored(&format!("SELECT {sql} FROM person")).to_string();
    let (first, last) = (entry("min(id)"), entry("max(id)"));
    assert!(rig.order(&["identity", "unlink", &first, &last]).0);
    assert_eq!(known(&rig, "home-a", &a[0]), nobody);
    assert!(rig.order(&["identity", "undo", "1"]).0);
    assert_eq!(known(&rig, "home-a", &a[0]), one, "as if it had not been said");

    // Another name and another sex under a number that is somebody's.
    let other = "赵大勇,1,19390101,,";
    let overlay = feed(&rig, ("first.key", "b.key"), &[("B1", other)]);
    let (status, told) = push(&rig, "home-b", &overlay);
    assert_eq!((status, &told["fault"]), (409, &json!("identity-overlay")), "{told}");
    assert_eq!(known(&rig, "home-a", &a[0]), one, "the old state stays");
    assert!(rig.order(&["identity", "rotate"]).0);
    assert_eq!(known(&rig, "home-a", &a[0]), one, "whatever key the tokens stand under");
}

#[test]
fn a_line_that_is_wrong_is_refused_by_its_place_and_clear_values_are_not_taken() {
    let (rig, told) = rig();
    let mut lines = feed(&rig, ("first.key", "a.key"), &[("A1", LI), ("A2", LI), ("A3", LI)]);
    lines[1]["number"] = json!("A2");
    lines[2]["name"] = json!("李秀兰");
    let (status, receipts) = push(&rig, "home-a", &lines);
    let ends = receipts["receipts"].as_array().unwrap().iter();
    let ends: Vec<_> = ends.map(|one| (one["fault"].clone(), one["at"].clone())).collect();
    let wrong = [
        (Value::Null, Value::Null),
        (json!("data-type"), json!("/number")),
        (json!("malformed"), json!("/")),
    ];
    assert_eq!((status, &ends[..]), (207, &wrong[..]), "{receipts}");
    let unknown = feed(&rig, ("second.key", "a.key"), &[("A4", LI)]);
    let (status, receipt) = push(&rig, "home-a", &unknown);
    assert_eq!(
        (status, &receipt["fault"], &receipt["at"]),
        (422, &json!("veil-unknown"), &json!("/veil"))
    );
    // Who veils sends nothing else, and nobody else sends tokens.
    let clear = Message::new("A28", &Resident::new()).bytes();
    let reply = rig.mllps("home-a").unwrap().exchange(&clear).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AR");
    let (status, receipt) = push(&rig, crate::rig::TLS_SENDER, &lines[..1]);
    assert_eq!((status, &receipt["fault"]), (415, &json!("unsupported-media")));
    assert_eq!(rig.stored("SELECT count(*) FROM person"), 1);

    // The homes change their key: both are told of, and kept apart until both have sent.
    let second = unknown[0]["veil"].as_str().unwrap();
    configure(&rig, &homes(&[&told]), &homes(&[&told, second]));
    assert!(rig.order(&["reload"]).0);
    let b = |key| feed(&rig, (key, "b.key"), &[("B1", LI_HERE)]);
    let a = |key| feed(&rig, (key, "a.key"), &[("A1", LI)]);
    assert_eq!(push(&rig, "home-b", &b("first.key")).0, 200);
    assert_eq!(known(&rig, "home-a", &lines[0]).len(), 1);
    assert_eq!(push(&rig, "home-a", &a("second.key")).0, 200);
    assert_eq!(known(&rig, "home-a", &lines[0]).len(), 0, "what cannot be compared is apart");
    let (_, stats) = rig.order(&["identity", "stats"]);
    assert!(stats.contains(&format!("[\"home-b\",\"{told}\",1]")), "who is behind: {stats}");
    assert_eq!(push(&rig, "home-b", &b("second.key")).0, 200);
    assert_eq!(known(&rig, "home-a", &lines[0]).len(), 1, "the number is the same under any key");
}
