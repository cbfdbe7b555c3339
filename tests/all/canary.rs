//! 金丝雀: people with a unique word in every element, and a search of every exit for those words.
//!
//! Who may read which is worked out by `kangqiao explain`, for every grant that
//! `policies/departments.toml` has: nothing here lists them.

use std::collections::BTreeMap;

use kangqiao_conformance::https::Link;
use serde_json::{Value, json};

use crate::answer::files;
use crate::console::enrol;
use crate::rig::message::{Resident, field};
use crate::rig::receiver::Receiver;
use crate::rig::{CLERK, PLAIN_SENDER, Rig, TLS_SENDER, at, free_port, until};
use crate::ways::{Desk, Doors, May, Told, desks, lists};
use crate::words::{Unit, Words};

/// What somebody said of who may see what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    Allowed,
    None,
    Refused,
}

/// One person: what he said, whether the clinic treats him, whether his words name an illness.
pub const PEOPLE: [(Word, bool, bool); 5] = [
    (Word::Allowed, true, false),
    (Word::Allowed, false, false),
    (Word::Refused, true, false),
    (Word::None, true, false),
    (Word::Allowed, true, true),
];

/// Two subscribers: one takes what he is told, the other refuses it.
const SUBSCRIBERS: [&str; 4] = ["taken-checks", "taken-subsidies", "dead-checks", "dead-subsidies"];

fn subscriptions(port: u16) -> String {
    let one = |name: &&str| {
        let (purpose, events) = match name.ends_with("checks") {
            true => ("contract-status", "\"annual-check\", \"contract\""),
            false => ("subsidy-eligibility", "\"death\", \"ability-level\", \"long-stay\""),
        };
        format!(
            "\n[[subscription]]\nname = \"{name}\"\ndepartment = \"civil-affairs\"\n\
             role = \"clerk\"\npurpose = \"{purpose}\"\nevents = [{events}]\n\
             url = \"https://127.0.0.1:{port}/notices\"\ntls = {{ authority = \"certs/ca.pem\", \
             certificate = \"certs/gateway.pem\", key = \"certs/gateway.key\" }}\n\
             wait_ms = 20\nwait_ms_max = 50\nopen_ms = 100\n"
        )
    };
    SUBSCRIBERS.iter().map(one).collect()
}

/// A gateway that logs all it can, treats people by the plain port, and hears everybody's word.
pub fn site(more: &str) -> (Rig, Receiver) {
    let port = free_port();
    let recorder = "\n[[sender]]\nname = \"hotline-12349\"\ncertificate = \"stranger\"\n";
    let mut rig = Rig::prepare(&(subscriptions(port) + &lists() + recorder + more));
    let receiver = Receiver::start(&rig.path().join("certs"), "platform", port);
    receiver.answers(|notice| {
        let dead = notice["subscription"].as_str().unwrap().starts_with("dead");
        if dead { 400 } else { 200 }
    });
    let path = rig.path().join("policies/departments.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let own = "sources      = [\"clinic\"]";
    assert!(text.contains(own));
    let treats = format!("sources      = [\"{PLAIN_SENDER}\"]");
    std::fs::write(&path, text.replace(own, &treats)).unwrap();
    rig.log = Some("trace");
    rig.resume();
    (rig, receiver)
}

/// Everything anybody could say of somebody, and what he says himself.
pub fn arrives(rig: &Rig, words: &mut Words, number: usize) -> Resident {
    let (word, treated, special) = PEOPLE[number];
    words.person(special);
    let mut resident = Resident::new();
    for name in SUBSCRIBERS {
        let elder = json!({ "reference": format!("{name}-{number}"),
            "identifier": { "kind": "citizen-id", "value": resident.citizen } });
        let body = json!({ "subscription": name, "enrol": [elder] }).to_string();
        let mut link = rig.https(CLERK);
        let reply = link.post("/v1/subscriptions", "application/json", body.as_bytes()).unwrap();
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    }
    let messages = words.messages(&mut resident);
    let documents = words.documents(&resident.citizen);
    if number == 0 {
        messages.iter().chain(&documents).for_each(|unit| words.learn(rig, unit));
    }
    let mut kept = 0;
    for unit in &messages {
        let mut link = if treated { rig.mllp() } else { rig.mllps(TLS_SENDER).unwrap() };
        let reply = link.exchange(&unit.bytes).unwrap();
        kept += usize::from(field(&reply, "MSA-1") == "AA");
        tells_nothing(words, "an acknowledgement", &reply);
    }
    assert_eq!(kept, 3);
    let mut known = (Vec::new(), Vec::new());
    let mut aside = Vec::new();
    for (index, unit) in documents.iter().enumerate() {
        let Unit { form, media, bytes } = unit;
        // Half of it is the upstream systems' to tell.
        let document: Value = serde_json::from_slice(bytes).unwrap();
        match (index % 2, *form) {
            (0, "platform-json") => known.0.push(document),
            (0, _) if document["dataset"] == "elder-registry" => known.1.push(document),
            _ => {
                let reply = rig.https(TLS_SENDER).post("/v1/messages", media, bytes).unwrap();
                // A few need more than any word can be, and are kept aside.
                match reply.json()["state"].as_str().unwrap() {
                    "kept" => kept += 1,
                    _ => aside.push(document["dataset"].clone()),
                }
                tells_nothing(words, "a receipt", &reply.body);
            }
        }
    }
    assert!(kept > 12 && aside.len() < 3, "{kept} are kept, and aside {aside:?}");
    rig.platform.knows(&resident.citizen, known.0);
    rig.registry.knows(&resident.citizen, known.1);
    match word {
        Word::Allowed => {
            rig.consents(&resident.citizen);
            let matching = json!({ "purposes": ["service-matching"], "consent": "TY-2" });
            let said = rig.says_by("stranger", &resident.citizen, matching);
            assert_eq!(said["state"], "kept", "{said}");
        }
        Word::None => (),
        Word::Refused => {
            let all = json!({ "decision": "deny", "purposes": null, "notice": null });
            assert_eq!(rig.says(&resident.citizen, all)["state"], "kept");
        }
    }
    resident
}

fn tells_nothing(words: &Words, place: &str, bytes: &[u8]) {
    let forms = words.forms(bytes);
    if !forms.is_empty() {
        let told: Vec<_> = words.plain(bytes).into_iter().map(|word| words.tell(word)).collect();
        let at = bytes.len().min(2_000);
        let shown = String::from_utf8_lossy(&bytes[..at]).into_owned();
        panic!("{place} holds {forms:?}: {told:?}\n{shown}");
    }
}

/// Whether a scope may have a value of an element.
pub fn opens(desk: &Desk, may: &May, word: Word) -> impl Fn(&str, bool) -> bool {
    let heard = match desk.consent.as_str() {
        "needed" => word == Word::Allowed,
        "may-refuse" => word != Word::Refused,
        _ => true,
    };
    let heard = heard && !desk.counts;
    move |element, special| {
        may.get(element).is_some_and(|(tier, less)| {
            let tier = less.get("protected-infection").filter(|_| special).unwrap_or(tier);
            heard && tier == "full"
        })
    }
}

/// How many words the reply holds; each must be one the scope may have, as it is and in no other
/// form. In JSON it stands in the value of an element alone.
pub fn check(
    words: &Words,
    told: &Told,
    (asked, open): (&str, &impl Fn(&str, bool) -> bool),
) -> usize {
    let Told { way, body: bytes, headers } = told;
    for (name, value) in headers {
        tells_nothing(words, name, &Words::opened(value.as_bytes()));
    }
    let opened = Words::opened(bytes);
    let found = words.plain(&opened);
    for word in &found {
        let shown = String::from_utf8_lossy(bytes).into_owned();
        let may = words.may(*word, open);
        assert!(may, "{asked} by {way} reads {}: {shown}", words.tell(*word));
    }
    let other: Vec<_> = words.forms(&opened).into_iter().filter(|form| *form != "plain").collect();
    assert!(other.is_empty(), "{asked} by {way}: {other:?}");
    if let Ok(mut body) = serde_json::from_slice::<Value>(bytes)
        && !way.starts_with("fhir")
    {
        for row in body["elements"].as_array_mut().into_iter().flatten() {
            assert_ne!(row["tier"], "withheld", "{asked}");
            if row["tier"] == "full" {
                row["value"] = Value::Null;
            }
        }
        tells_nothing(words, &format!("{asked}, beside the values"), body.to_string().as_bytes());
    }
    found.len()
}

#[test]
fn no_word_leaves_that_the_scope_may_not_have_by_any_way_to_ask() {
    let (rig, receiver) = site("");
    let mut words = Words::new();
    let people: Vec<_> =
        (0..PEOPLE.len()).map(|number| arrives(&rig, &mut words, number)).collect();
    assert!(words.elements() > 200, "{} elements are filled", words.elements());
    let all = desks();
    let mut doors = Doors::new(&rig);
    let mut read: BTreeMap<String, usize> = BTreeMap::new();
    for desk in &all {
        let asked = format!("{} {} {}", desk.department, desk.role, desk.purpose);
        let may = [&[][..], &["treating"]].map(|relations| desk.may(&rig, relations));
        for (number, (word, treated, _)) in PEOPLE.into_iter().enumerate() {
            // Every resource about the first; the others share them out.
            let part = if number == 0 { (0, 1) } else { (number - 1, 4) };
            let treats = treated && desk.sources.iter().any(|one| one == PLAIN_SENDER);
            let open = opens(desk, &may[usize::from(treats)], word);
            for told in doors.all(desk, &people[number].citizen, part) {
                let kind = told.way.split(' ').next().unwrap().to_owned();
                *read.entry(kind).or_default() += check(&words, &told, (&asked, &open));
            }
        }
    }
    // Had nothing at all been shown, the search would have proven nothing.
    for way in ["json", "fhir", "soap", "pdq", "ndjson", "csv"] {
        assert!(
            read.get(way).is_some_and(|count| *count > 0),
            "nothing was read by {way}: {read:?}"
        );
    }
    notices(&rig, &receiver, (&words, &all));
    for heard in rig.platform.heard().iter().chain(&rig.registry.heard()) {
        tells_nothing(&words, "a question to an upstream system", heard);
    }
    console(&rig, &words);
    tells_nothing(&words, "/metrics", &rig.operation("/metrics").unwrap().body);
    for order in ["export", "search", "verify"] {
        tells_nothing(&words, order, rig.ledger(&[order]).as_bytes());
    }
    tells_nothing(&words, "notices list", rig.order(&["notices", "list"]).1.as_bytes());
    let newest = rig.stored("SELECT max(number) FROM journal");
    for number in (1..=newest).step_by(3) {
        let (done, told) = rig.order(&["trace", "--number", &number.to_string(), "--json"]);
        assert!(done, "{told}");
        tells_nothing(&words, "a trace", told.as_bytes());
    }
    let disk = |when: &str| {
        let found = files(rig.path().to_owned());
        assert!(found.iter().any(|(path, _)| path.ends_with("kangqiao.db")), "no store to search");
        for (path, bytes) in found {
            tells_nothing(&words, &format!("{} {when}", path.display()), &bytes);
            let named = people
                .iter()
                .find(|one| bytes.windows(18).any(|window| window == one.citizen.as_bytes()));
            assert!(named.is_none(), "{} names somebody", path.display());
        }
    };
    disk("while it runs");
    rig.stop();
    disk("after it stopped");
    let log = rig.printed();
    assert!(log.contains("TRACE") || log.contains("\"trace\""), "nothing is traced");
    tells_nothing(&words, "the log", log.as_bytes());
    assert!(people.iter().all(|one| !log.contains(&one.citizen)), "the log names somebody");
}

/// What was told unasked, and what is dead.
fn notices(rig: &Rig, receiver: &Receiver, (words, all): (&Words, &[Desk])) {
    // Whatever waits behind a dead one waits on.
    until("whoever takes notices has been told all", || {
        let waits = "SELECT count(*) FROM outbox WHERE state = 0 AND subscription LIKE 'taken%'";
        (rig.stored(waits) == 0).then_some(())
    });
    let came = receiver.came();
    let dead = came.iter().filter(|one| one.status == 400).count();
    assert!(dead > 0 && came.len() > dead, "{dead} of {} notices are dead", came.len());
    let asked = all.iter().filter(|desk| desk.subject == CLERK);
    let may: BTreeMap<_, _> =
        asked.map(|desk| (desk.purpose.as_str(), desk.may(rig, &[]))).collect();
    for one in came {
        let purpose = one.notice["purpose"].as_str().unwrap();
        let desk = all.iter().find(|desk| desk.subject == CLERK && desk.purpose == purpose);
        let may = &may[purpose];
        let open = opens(desk.unwrap(), may, Word::None);
        let told = Told { way: "notice".to_owned(), body: one.bytes, headers: Vec::new() };
        check(words, &told, (purpose, &open));
        tells_nothing(words, "the head of a notice", one.head.as_bytes());
    }
}

/// Every page of the console but the reviewer's, who compares who two people are.
fn console(rig: &Rig, words: &Words) {
    let users = [
        (
            "an",
            "auditor",
            &[
                "/overview",
                "/ledger/latest",
                "/ledger/entry/1",
                "/ledger/tickets",
                "/trace/message/1",
                "/ledger/doubts",
            ][..],
        ),
        ("po", "policy-administrator", &["/policies", "/policies/cells", "/policies/proposal"]),
        (
            "op",
            "operator",
            &["/overview", "/review", "/ledger/latest", "/trace/message/2", "/trace/quarantine"],
        ),
    ];
    let host = at(rig.ports.console);
    for (name, role, pages) in users {
        let (mut link, cookies) = enrol(rig, name, role).signed_in(rig, name);
        let shown: usize =
            pages.iter().map(|page| look(words, (&mut link, &host), page, &cookies)).sum();
        assert!(shown > 0, "{role} was shown no page");
    }
}

fn look(words: &Words, (link, host): (&mut Link, &str), page: &str, cookies: &str) -> usize {
    let head = format!("GET {page} HTTP/1.1\r\nhost: {host}\r\ncookie: {cookies}\r\n\r\n");
    let reply = link.ask(head.as_bytes()).unwrap();
    tells_nothing(words, page, &reply.body);
    usize::from(reply.status == 200)
}

#[test]
fn a_word_where_it_may_not_stand_is_noticed() {
    let mut words = Words::new();
    let word = words.text();
    let told = |body: Value| Told {
        way: "json".to_owned(),
        body: body.to_string().into_bytes(),
        headers: Vec::new(),
    };
    let fails = |body: Value, may: bool| {
        let told = told(body);
        let open = |_: &str, _: bool| may;
        std::panic::catch_unwind(|| check(&words, &told, ("a test", &open))).is_err()
    };
    let held = json!({ "elements": [{ "tier": "full", "value": word }], "withheld": [] });
    assert!(fails(held, true), "a word that was never read as anything is nobody's to read");
    assert!(fails(json!({ "elements": [], "withheld": [{ "rule": word }] }), true));
}
