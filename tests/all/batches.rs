//! Batches: a list of elders is asked about at once, each as by an inquiry of its own.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use kangqiao_conformance::https::Reply;
use kangqiao_conformance::stream::Stream;
use kangqiao_conformance::values::citizen_id;
use serde_json::{Value, json};

use crate::notices::dies;
use crate::rig::message::{Message, Resident, unique};
use crate::rig::{AGENT, CLERK, DOCTOR, Rig, WORKER, at, until};

/// 发放名单, a list of payees that nothing is told of.
const LIST: &str = r#"
[[subscription]]
name = "payees"
department = "civil-affairs"
role = "clerk"
purpose = "living-check"
"#;
/// Rows as objects, and as a table.
const NDJSON: &str = "application/x-ndjson";
const CSV: &str = "text/csv";

/// A gateway with a list and nobody on it, with more lines of configuration.
fn listed(more: &str) -> Rig {
    let rig = Rig::prepare(&format!("{LIST}{more}"));
    rig.resume();
    rig
}

fn enrol(rig: &Rig, residents: &[Resident]) {
    for (part, some) in residents.chunks(1_000).enumerate() {
        let elders = some.iter().enumerate().map(|(index, resident)| {
            json!({ "identifier": { "kind": "citizen-id", "value": resident.citizen },
                    "reference": format!("E-{part}-{index}") })
        });
        let body = json!({ "subscription": "payees", "enrol": elders.collect::<Vec<_>>() });
        let body = body.to_string();
        let mut link = rig.https(CLERK);
        let reply = link.post("/v1/subscriptions", "application/json", body.as_bytes()).unwrap();
        assert_eq!(reply.status, 200, "{}", text(&reply));
    }
}

fn admit(rig: &Rig, residents: &[Resident]) {
    let mut link = rig.mllp();
    for resident in residents {
        link.exchange(&Message::new("A01", resident).bytes()).unwrap();
    }
}

fn people(count: usize) -> Vec<Resident> {
    (0..count).map(|_| Resident::new()).collect()
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

/// A request with headers.
fn request(rig: &Rig, who: &str, line: &str, (headers, body): (&str, &[u8])) -> Reply {
    rig.https(who).ask(&raw(rig, line, (headers, body))).unwrap()
}

fn raw(rig: &Rig, line: &str, (headers, body): (&str, &[u8])) -> Vec<u8> {
    let host = at(rig.ports.https);
    let length = body.len();
    let head =
        format!("{line} HTTP/1.1\r\nhost: {host}\r\n{headers}content-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn bring(rig: &Rig, who: &str, purpose: &str, (media, body): (&str, &str)) -> Reply {
    let headers = format!("kangqiao-purpose: {purpose}\r\ncontent-type: {media}\r\n");
    request(rig, who, "POST /v1/batches", (&headers, body.as_bytes()))
}

fn look(rig: &Rig, id: &str) -> Value {
    let reply = request(rig, CLERK, &format!("GET /v1/batches/{id}"), ("", b""));
    assert_eq!(reply.status, 200, "{}", text(&reply));
    reply.json()
}

/// Brings rows, and waits until all are checked.
fn ready(rig: &Rig, purpose: &str, rows: (&str, &str)) -> (String, Value) {
    let reply = bring(rig, CLERK, purpose, rows);
    assert_eq!(reply.status, 202, "{}", text(&reply));
    let id = reply.json()["batch"].as_str().unwrap().to_owned();
    (id.clone(), checked(rig, &id))
}

/// Waits until all rows of a batch are checked; how it stands then.
pub fn checked(rig: &Rig, id: &str) -> Value {
    until("the rows are checked", || {
        let standing = look(rig, id);
        (standing["state"] == "ready").then_some(standing)
    })
}

/// The answers of a batch from a row on.
pub fn answers(rig: &Rig, id: &str, from: u64) -> Reply {
    request(rig, CLERK, &format!("GET /v1/batches/{id}/answers?from={from}"), ("", b""))
}

/// A body of lines, each read.
pub fn lines(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{}", text(reply));
    text(reply).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// One row as an object.
fn object(reference: &str, citizen: &str) -> String {
    let identifier = json!({ "kind": "citizen-id", "value": citizen });
    json!({ "reference": reference, "identifier": identifier }).to_string() + "\n"
}

fn objects(residents: &[Resident]) -> String {
    let rows = residents.iter().enumerate();
    rows.map(|(index, one)| object(&format!("R-{}", index + 1), &one.citizen)).collect()
}

/// What an answer tells, without what differs each time it is given.
fn facts(answer: &Value) -> String {
    let mut elements = answer["elements"].clone();
    for element in elements.as_array_mut().unwrap() {
        let members = element.as_object_mut().unwrap();
        assert!(members.remove("age_seconds").is_some());
        if members["dataset"] == "derived" {
            members.remove("as_of");
        }
    }
    let rest = ["purpose", "legal_basis", "policy", "mappings", "withheld", "sources"];
    let rest: Vec<_> = rest.into_iter().map(|key| answer[key].clone()).collect();
    json!([elements, rest]).to_string()
}

fn single(rig: &Rig, citizen: &str, purpose: &str) -> Value {
    let question = json!({
        "identifier": { "kind": "citizen-id", "value": citizen }, "purpose": purpose,
    });
    let reply = rig.ask(CLERK, &question);
    assert_eq!(reply.status, 200, "{}", text(&reply));
    reply.json()
}

/// Entries of the ledger that name a row of a batch, by the row.
fn entered(rig: &Rig, id: &str) -> BTreeMap<u64, Vec<String>> {
    let mut found: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let start = format!("batch {id} ");
    for line in rig.ledger(&["export"]).lines() {
        let Some((_, rest)) = line.split_once(&start) else { continue };
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        if let Ok(row) = digits.parse() {
            found.entry(row).or_default().push(line.to_owned());
        }
    }
    found
}

#[test]
fn two_thousand_rows_are_answered_as_two_thousand_inquiries_would_be() {
    let rig = listed("");
    let (known, unknown, stray) = (people(700), people(700), people(300));
    admit(&rig, &known);
    admit(&rig, &stray[..150]);
    for resident in &known[..20] {
        dies(&rig, &resident.citizen, 3);
    }
    let enrolled: Vec<_> = known.iter().chain(&unknown).cloned().collect();
    enrol(&rig, &enrolled);
    let mut rows = String::new();
    let mut citizens = Vec::new();
    let mut push = |citizen: &str| {
        citizens.push(citizen.to_owned());
        rows.push_str(&object(&format!("R-{}", citizens.len()), citizen));
    };
    for index in 0..700 {
        push(&known[index].citizen);
        push(&unknown[index].citizen);
        match index {
            0..300 => push(&stray[index].citizen),
            300..500 => push(&known[index - 300].citizen),
            500..600 => push("410105194803120421"),
            _ => (),
        }
    }
    assert_eq!(citizens.len(), 2_000);
    let (id, standing) = ready(&rig, "living-check", (NDJSON, &rows));
    let counts = ["rows", "checked", "accepted", "refused"].map(|key| standing[key].as_u64());
    assert_eq!(counts, [2_000, 2_000, 1_400, 600].map(Some), "{standing}");
    let mut faults: BTreeMap<&str, usize> = BTreeMap::new();
    for one in standing["refusals"].as_array().unwrap() {
        *faults.entry(one["fault"].as_str().unwrap()).or_default() += 1;
    }
    let expect = [("identifier-invalid", 100), ("not-on-list", 300), ("row-duplicate", 200)];
    assert_eq!(faults, BTreeMap::from(expect));

    let told = lines(&answers(&rig, &id, 1));
    assert_eq!(told.len(), 1_400);
    for (index, answer) in told.iter().enumerate() {
        let row = answer["row"].as_u64().unwrap();
        assert_eq!(answer["reference"], format!("R-{row}"));
        // Everybody whom something is known of, and of the others some.
        if index % 7 == 0 || answer["elements"] != json!([]) && index < 60 {
            let citizen = &citizens[row as usize - 1];
            assert_eq!(facts(answer), facts(&single(&rig, citizen, "living-check")), "row {row}");
        }
    }
    let dead = told.iter().filter(|answer| {
        let elements = answer["elements"].as_array().unwrap();
        elements.iter().any(|one| one["element"] == "DE02.01.036.00")
    });
    assert_eq!(dead.count(), 20);
    // Each has its entry, and whoever is on no list has one of the refusal.
    let entered = entered(&rig, &id);
    let of = |row: u64| entered.get(&row).map_or(&[][..], Vec::as_slice);
    for answer in &told {
        let row = answer["row"].as_u64().unwrap();
        assert_eq!(of(row).len(), 1, "row {row}: {:?}", of(row));
        assert!(of(row)[0].contains(answer["receipt"].as_str().unwrap()));
    }
    assert_eq!(entered.len(), 1_400 + 300);
    assert_eq!(entered.values().flatten().filter(|line| line.contains("not-on-list")).count(), 300);
    let verified = rig.ledger(&["verify"]);
    assert!(verified.contains("ledger verified"), "{verified}");
    assert_eq!(rig.counted("kangqiao_batch_rows_total", &[("outcome", "answered")]), 1_400);
}

#[test]
fn a_row_on_no_list_tells_nothing_of_whether_somebody_is_known() {
    let rig = listed("");
    let (known, nobody) = (Resident::new(), Resident::new());
    admit(&rig, std::slice::from_ref(&known));
    dies(&rig, &known.citizen, 4);
    let asked = rig.platform.asked();
    let refusal = |resident: &Resident| {
        let (id, standing) = ready(&rig, "living-check", (NDJSON, &object("X", &resident.citizen)));
        assert!(lines(&answers(&rig, &id, 1)).is_empty());
        let mut standing = standing.as_object().unwrap().clone();
        for key in ["batch", "received_at", "ends_at"] {
            standing.remove(key).unwrap();
        }
        standing
    };
    assert_eq!(refusal(&known), refusal(&nobody));
    assert_eq!(rig.platform.asked(), asked, "the platform heard of somebody on no list");
    // Whoever leaves the list after the check is not answered about.
    enrol(&rig, std::slice::from_ref(&known));
    let (id, _) = ready(&rig, "living-check", (NDJSON, &object("X", &known.citizen)));
    assert_eq!(lines(&answers(&rig, &id, 1))[0]["elements"].as_array().unwrap().len(), 3);
    let body = json!({ "subscription": "payees", "leave": ["E-0-0"] }).to_string();
    rig.https(CLERK).post("/v1/subscriptions", "application/json", body.as_bytes()).unwrap();
    let told = lines(&answers(&rig, &id, 1));
    assert_eq!((&told[0]["fault"], &told[0]["reference"]), (&json!("not-on-list"), &json!("X")));
}

#[test]
fn a_batch_belongs_to_one_department_and_ends_when_it_says_so() {
    let rig = listed("[batch]\nbatches_max = 2\n");
    let resident = Resident::new();
    enrol(&rig, std::slice::from_ref(&resident));
    let rows = objects(std::slice::from_ref(&resident));
    let (id, _) = ready(&rig, "living-check", (NDJSON, &rows));
    let nobody = request(&rig, CLERK, "GET /v1/batches/01M8003PK6ZYBMXPBWBP4B5300", ("", b""));
    let page = |reply: &Reply| {
        let mut body = reply.json();
        body.as_object_mut().unwrap().remove("receipt");
        (reply.status, body)
    };
    assert_eq!(nobody.json()["fault"], "batch-unknown");
    for path in [format!("/v1/batches/{id}"), format!("/v1/batches/{id}/answers")] {
        for who in [WORKER, AGENT] {
            let reply = request(&rig, who, &format!("GET {path}"), ("", b""));
            assert_eq!(page(&reply), page(&nobody), "{who} {path}");
        }
    }
    let foreign = request(&rig, WORKER, &format!("DELETE /v1/batches/{id}"), ("", b""));
    assert_eq!(page(&foreign), page(&nobody));
    let stranger = request(&rig, "stranger", "GET /v1/batches", ("", b""));
    assert_eq!(stranger.json()["fault"], "certificate-unknown");
    // As many at once as may be.
    let (second, _) = ready(&rig, "contract-status", (NDJSON, &rows));
    let third = bring(&rig, CLERK, "living-check", (NDJSON, &rows));
    assert_eq!((third.status, &third.json()["fault"]), (429, &json!("batch-limit")));
    let list = request(&rig, CLERK, "GET /v1/batches", ("", b"")).json();
    let ids: Vec<_> = list["batches"].as_array().unwrap().iter().map(|b| &b["batch"]).collect();
    assert_eq!(ids, [&json!(id), &json!(second)]);
    let ended = request(&rig, CLERK, &format!("DELETE /v1/batches/{id}"), ("", b""));
    assert_eq!(ended.status, 204);
    let gone = request(&rig, CLERK, &format!("GET /v1/batches/{id}"), ("", b""));
    assert_eq!(page(&gone), page(&nobody));
    assert_eq!(rig.stored("SELECT count(*) FROM batch"), 1);
    assert_eq!(rig.stored("SELECT count(*) FROM batch_part"), 1);
}

#[test]
fn what_may_not_be_asked_at_once_is_refused_and_nothing_is_kept() {
    let rig = listed("[batch]\nrows_max = 3\nbody_bytes_max = 4096\n");
    let row = object("a", &Resident::new().citizen);
    let check = |who: &str, purpose: &str, (media, body): (&str, &str), expect: (u16, &str)| {
        let reply = bring(&rig, who, purpose, (media, body));
        let fault = reply.json()["fault"].as_str().unwrap_or_default().to_owned();
        assert_eq!((reply.status, fault.as_str()), expect, "{purpose} {media}");
    };
    let rows = (NDJSON, row.as_str());
    check("stranger", "living-check", rows, (403, "certificate-unknown"));
    check(AGENT, "emergency-card", rows, (422, "required-missing"));
    check(DOCTOR, "institution-admission", rows, (403, "purpose-not-granted"));
    check(CLERK, "institution-admission", rows, (403, "purpose-not-granted"));
    check(CLERK, "birthday", rows, (400, "unknown-purpose"));
    check(CLERK, "", rows, (422, "required-missing"));
    check(CLERK, "living-check", ("application/json", &row), (415, "unsupported-media"));
    check(CLERK, "living-check", (NDJSON, ""), (422, "required-missing"));
    check(CLERK, "living-check", (CSV, "a,b\n"), (400, "malformed"));
    check(CLERK, "living-check", (NDJSON, &row.repeat(4)), (413, "limit"));
    check(CLERK, "living-check", (NDJSON, &"\n".repeat(5_000)), (413, "limit"));
    for path in ["?from=0", "?from=x", "?to=1"] {
        let id = "01M8003PK6ZYBMXPBWBP4B5300";
        let reply = request(&rig, CLERK, &format!("GET /v1/batches/{id}/answers{path}"), ("", b""));
        assert_eq!(reply.status, 404);
    }
    assert_eq!(rig.stored("SELECT count(*) FROM batch"), 0);
    assert_eq!(rig.stored("SELECT count(*) FROM batch_part"), 0);
}

#[test]
fn a_kill_in_the_middle_loses_nothing_and_the_reader_goes_on() {
    let rig = listed("");
    let residents = people(1_500);
    enrol(&rig, &residents);
    let rows = objects(&residents);
    let reply = bring(&rig, CLERK, "contract-status", (NDJSON, &rows));
    assert_eq!(reply.status, 202, "{}", text(&reply));
    let id = reply.json()["batch"].as_str().unwrap().to_owned();
    rig.kill();
    // Neither an identifier nor a reference of the list is in the file in clear.
    let folder = std::fs::read_dir(rig.path().join("data")).unwrap().flatten();
    let files: Vec<_> = folder.filter(|one| one.path().is_file()).collect();
    for file in files {
        let Ok(bytes) = std::fs::read(file.path()) else { continue };
        for needle in [residents[700].citizen.as_bytes(), b"R-1499"] {
            assert!(!bytes.windows(needle.len()).any(|part| part == needle), "{file:?}");
        }
    }
    rig.resume();
    let standing = checked(&rig, &id);
    assert_eq!((&standing["rows"], &standing["accepted"]), (&json!(1_500), &json!(1_500)));
    // Some of the answers, and then the process is gone.
    let mut stream = Stream::connect(&at(rig.ports.https), Some(&rig.tls(CLERK))).unwrap();
    let line = format!("GET /v1/batches/{id}/answers");
    stream.write_all(&raw(&rig, &line, ("", b""))).unwrap();
    stream.flush().unwrap();
    let mut read = Vec::new();
    let mut piece = [0; 8192];
    while read.len() < 400_000 {
        let count = stream.read(&mut piece).unwrap();
        read.extend_from_slice(&piece[..count]);
    }
    rig.kill();
    rig.resume();
    let told: Vec<Value> = String::from_utf8_lossy(&read)
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|line: &Value| line.is_object())
        .collect();
    let last = told.iter().filter_map(|answer| answer["row"].as_u64()).max().unwrap();
    assert!(last > 100 && last < 1_500, "{last}");
    let before = entered(&rig, &id);
    for answer in &told {
        let lines = &before[&answer["row"].as_u64().unwrap()];
        let receipt = answer["receipt"].as_str().unwrap();
        assert!(lines.iter().any(|line| line.contains(receipt)), "left without an entry");
    }
    let rest = lines(&answers(&rig, &id, last + 1));
    let rows: Vec<_> = rest.iter().map(|answer| answer["row"].as_u64().unwrap()).collect();
    assert_eq!(rows, (last + 1..=1_500).collect::<Vec<_>>());
}

#[test]
fn a_budget_holds_for_a_batch_and_whoever_was_paid_for_is_free() {
    let rig = Rig::prepare(LIST);
    let path = rig.path().join("policies/departments.toml");
    let policies = std::fs::read_to_string(&path).unwrap();
    let grant = "{ purpose = \"living-check\",        roles = [\"clerk\"]";
    assert!(policies.contains(grant));
    let limited = format!("{grant}, persons_per_day = 200");
    std::fs::write(&path, policies.replace(grant, &limited)).unwrap();
    rig.resume();
    let residents = people(500);
    enrol(&rig, &residents);
    let (id, _) = ready(&rig, "living-check", (NDJSON, &objects(&residents)));
    let told = lines(&answers(&rig, &id, 1));
    let answered = told.iter().filter(|line| line["elements"].is_array()).count();
    assert_eq!(answered, 200);
    let refused: Vec<_> = told.iter().filter(|line| !line["fault"].is_null()).collect();
    assert!(!refused.is_empty() && told.len() < 500, "the answers go on without a budget");
    for line in &refused {
        let told = ["fault", "retry"].map(|key| &line[key]);
        assert_eq!(told, [&json!("budget-exhausted"), &json!(true)], "{line}");
    }
    // What was answered is free for the day; nobody else is.
    let again = lines(&answers(&rig, &id, 1));
    assert_eq!(again.iter().filter(|line| line["elements"].is_array()).count(), 200);
    let question = json!({
        "identifier": { "kind": "citizen-id", "value": Resident::new().citizen },
        "purpose": "living-check",
    });
    assert_eq!(rig.ask(CLERK, &question).status, 429);
}

#[test]
fn a_table_of_answers_has_a_column_for_each_element_and_no_formula() {
    let rig = listed("");
    let (dead, nobody) = (Resident::new(), Resident::new());
    enrol(&rig, &[dead.clone(), nobody.clone()]);
    dies(&rig, &dead.citizen, 5);
    let rows = format!(
        "reference,kind,value\r\n=1+1,citizen-id,{}\r\n\"B,2\",citizen-id,{}\r\n\
         C,citizen-id,{}\r\n",
        dead.citizen,
        nobody.citizen,
        citizen_id(unique())
    );
    let (id, standing) = ready(&rig, "living-check", (CSV, &rows));
    assert_eq!(standing["refusals"][0]["reference"], "C");
    let reply = request(
        &rig,
        CLERK,
        &format!("GET /v1/batches/{id}/answers"),
        ("accept: text/csv\r\n", b""),
    );
    assert_eq!(reply.header("content-type"), Some("text/csv; charset=utf-8"));
    let page = text(&reply);
    let page: Vec<_> = page.strip_prefix('\u{feff}').unwrap().lines().collect();
    assert_eq!(
        page[0],
        "row,reference,receipt,answered_at,fault,MZ.person.deceased,DE02.01.036.00,\
         MZ.death.source,withheld,not_current"
    );
    assert!(page[1].starts_with("1,'=1+1,"), "{}", page[1]);
    assert!(page[1].contains(",,true,2026-09-05,"), "{}", page[1]);
    assert!(page[2].starts_with("2,\"B,2\",") && page[2].ends_with(",,,,,"), "{}", page[2]);
    assert_eq!(page.len(), 3);
}

#[test]
fn the_command_line_brings_a_file_and_prints_its_answers() {
    let rig = listed("");
    let residents = people(3);
    enrol(&rig, &residents[..2]);
    dies(&rig, &residents[0].citizen, 6);
    let rows = residents.iter().zip(["a", "b", "c"]);
    let rows: String =
        rows.map(|(one, name)| format!("{name},citizen-id,{}\n", one.citizen)).collect();
    std::fs::write(rig.path().join("rows.csv"), format!("reference,kind,value\n{rows}")).unwrap();
    std::fs::write(rig.path().join("rows.ndjson"), objects(&residents)).unwrap();
    let url = format!("https://{}", at(rig.ports.https));
    let ask = |file: &str| {
        let words = ["ask", "--url", &url, "--certs", "certs", "--as", CLERK, "--purpose"];
        rig.run(&[&words[..], &["living-check", "--batch", file]].concat())
    };
    let table = ask("rows.csv");
    let said = String::from_utf8(table.stderr).unwrap();
    assert!(table.status.success() && said.contains("accepted 2"), "{said}");
    assert!(said.contains("  3 c  not-on-list /identifier"), "{said}");
    let page = String::from_utf8(table.stdout).unwrap();
    assert_eq!(page.lines().count(), 3);
    assert!(page.contains(",true,2026-09-06,"), "{page}");
    let lines = String::from_utf8(ask("rows.ndjson").stdout).unwrap();
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((rows.len(), &rows[0]["reference"]), (2, &json!("R-1")));
    assert_eq!(rig.stored("SELECT count(*) FROM batch"), 0);
}
