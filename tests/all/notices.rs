//! Notices: whoever subscribed is told of an elder he enrolled, under his own reference, once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use kangqiao_conformance::https::Reply;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::rig::message::{Message, Resident, field};
use crate::rig::receiver::Receiver;
use crate::rig::{AGENT, CLERK, HOME_CLERK, Rig, TLS_SENDER, WORKER, free_port, until};

/// 津贴发放系统, which pays allowances.
pub const PAYMENTS: &str = "payments";

/// A gateway and the receiver of its one subscription, with more lines for that.
pub struct Site {
    /// The gateway.
    pub rig: Rig,
    /// Whoever is told.
    pub receiver: Receiver,
}

impl Site {
    /// A gateway that tells of some events for the living check.
    pub fn start(events: &str) -> Self {
        Self::for_purpose("living-check", events)
    }

    /// A gateway that tells of some events for a purpose.
    pub fn for_purpose(purpose: &str, events: &str) -> Self {
        let site = Self::prepare(purpose, events);
        site.rig.resume();
        site
    }

    /// The same before its gateway runs.
    pub fn prepare(purpose: &str, events: &str) -> Self {
        let port = free_port();
        let rig = Rig::prepare(&subscription(port, purpose, events));
        let receiver = Receiver::start(&rig.path().join("certs"), "platform", port);
        Self { rig, receiver }
    }

    /// Enrols a resident under a reference.
    pub fn enrol(&self, resident: &Resident, reference: &str) {
        let reply = self.ask(CLERK, &enrolment(&resident.citizen, reference));
        assert_eq!(reply.status, 200, "{}", text(&reply));
    }

    /// One request about the subscription.
    pub fn ask(&self, who: &str, body: &Value) -> Reply {
        let body = body.to_string();
        let mut link = self.rig.https(who);
        link.post("/v1/subscriptions", "application/json", body.as_bytes()).unwrap()
    }

    /// The notices that were taken, once there are so many.
    pub fn taken(&self, count: usize) -> Vec<Value> {
        until(&format!("{count} notices are taken"), || {
            let taken = self.receiver.taken();
            (taken.len() >= count).then_some(taken)
        })
    }

    /// Waits until nothing is on its way any more.
    pub fn settled(&self) {
        until("no notice waits", || {
            (self.rig.stored("SELECT count(*) FROM outbox WHERE state = 0") == 0).then_some(())
        });
    }

    fn notices(&self, words: &[&str]) -> (bool, String) {
        self.rig.order(&[&["notices"], words].concat())
    }
}

/// Lines about the one subscription, whose receiver is behind a port.
pub fn subscription(port: u16, purpose: &str, events: &str) -> String {
    format!(
        r#"
[[subscription]]
name = "{PAYMENTS}"
department = "civil-affairs"
role = "clerk"
purpose = "{purpose}"
events = [{events}]
url = "https://127.0.0.1:{port}/notices"
tls = {{ authority = "certs/ca.pem", certificate = "certs/gateway.pem", key = "certs/gateway.key" }}
wait_ms = 20
wait_ms_max = 50
open_ms = 100
"#
    )
}

/// A request that enrols an elder under a reference.
pub fn enrolment(citizen: &str, reference: &str) -> Value {
    let identifier = json!({ "kind": "citizen-id", "value": citizen });
    let elder = json!({ "identifier": identifier, "reference": reference });
    json!({ "subscription": PAYMENTS, "enrol": [elder] })
}

/// A body as text.
pub fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

/// A township hospital says that somebody died, on a day of September.
pub fn dies(rig: &Rig, citizen: &str, day: u32) {
    let death = json!({
        "dataset": "death", "time": format!("2026-09-{day:02}"), "person": { "citizenId": citizen },
        "diedAt": format!("2026-09-{day:02}T04:05:00+08:00"), "source": "1", "place": "测试医院",
        "cause": { "code": "I21.900", "text": "急性心肌梗死" },
    });
    let media = "application/vnd.kangqiao.platform+json";
    let body = death.to_string();
    let reply = rig.https(TLS_SENDER).post("/v1/messages", media, body.as_bytes()).unwrap();
    assert_eq!((reply.status, &reply.json()["state"]), (200, &json!("kept")), "{}", text(&reply));
}

/// The numbers each elder's notices bear, which must have come in order; repeats once.
pub fn in_order(taken: &[Value]) -> BTreeMap<String, Vec<u64>> {
    let mut told: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for one in taken {
        let number = one["id"].as_str().unwrap().rsplit('-').next().unwrap().parse().unwrap();
        let ids = told.entry(one["reference"].as_str().unwrap().to_owned()).or_default();
        if !ids.contains(&number) {
            ids.push(number);
        }
    }
    for (reference, ids) in &told {
        assert!(ids.is_sorted(), "{reference}: {ids:?}");
    }
    told
}

/// The day of death a notice tells.
fn day(notice: &Value) -> Option<String> {
    let rows = notice["elements"].as_array()?;
    let row = rows.iter().find(|row| row["element"] == "DE02.01.036.00")?;
    row["value"].as_str().map(str::to_owned)
}

#[test]
fn a_death_is_told_once_to_whoever_enrolled_the_elder_and_nothing_else_is() {
    let site = Site::start("\"death\"");
    let (paid, stranger) = (Resident::new(), Resident::new());
    // Nobody has spoken of him yet: that is not said.
    site.enrol(&paid, "JT-0001");
    dies(&site.rig, &stranger.citizen, 1);
    dies(&site.rig, &paid.citizen, 2);
    let told = site.taken(1);
    site.settled();
    assert_eq!(site.receiver.count(), 1, "told of somebody nobody enrolled, or twice");
    let notice = &told[0];
    assert_eq!(notice["event"], "death");
    assert_eq!(
        (&notice["reference"], &notice["subscription"]),
        (&json!("JT-0001"), &json!(PAYMENTS))
    );
    assert_eq!(day(notice).as_deref(), Some("2026-09-02"), "{notice}");
    let came = &site.receiver.came()[0];
    let sent = String::from_utf8(came.bytes.clone()).unwrap();
    for hidden in [&*paid.citizen, &*stranger.citizen, "I21", "心肌", "测试医院", "04:05"] {
        assert!(!sent.contains(hidden), "{hidden}: {sent}");
    }
    let id = notice["id"].as_str().unwrap();
    assert!(came.head.contains(&format!("idempotency-key: {id}")), "{}", came.head);

    // The ledger has it, with the hash of exactly what left, and before it left.
    let receipt = notice["receipt"].as_str().unwrap();
    let ledger = site.rig.ledger(&["export"]);
    let found = ledger.lines().find(|line| line.contains(receipt)).unwrap();
    let hash: String =
        Sha256::digest(&came.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(found.contains("delivery") && found.contains(&hash), "{found}");
    assert!(found.contains(&format!("notice {id} death")), "{found}");
    let number = came.head.lines().find_map(|line| line.strip_prefix("kangqiao-ledger-entry: "));
    let number: u64 = number.unwrap().trim().parse().unwrap();
    assert!(site.rig.stored(&format!("SELECT count(*) FROM ledger WHERE number = {number}")) == 1);
    assert!(!site.rig.printed().contains(&paid.citizen));
    assert!(!site.rig.printed().contains("JT-0001"));
}

#[test]
fn whoever_left_the_list_is_told_of_no_more() {
    let site = Site::start("\"death\"");
    let (gone, stays) = (Resident::new(), Resident::new());
    site.enrol(&gone, "A");
    site.enrol(&stays, "B");
    let again = site.ask(CLERK, &enrolment(&gone.citizen, "A")).json();
    assert_eq!((&again["enrolled"], &again["left"]), (&json!(0), &json!(0)), "{again}");
    let left = site.ask(CLERK, &json!({ "subscription": PAYMENTS, "leave": ["A", "nobody"] }));
    assert_eq!(left.json()["left"], 1, "{}", text(&left));
    dies(&site.rig, &gone.citizen, 3);
    dies(&site.rig, &stays.citizen, 4);
    let told = site.taken(1);
    site.settled();
    assert_eq!(told[0]["reference"], "B");
    assert_eq!(site.receiver.count(), 1);
    let ledger = site.rig.ledger(&["export"]);
    assert_eq!(ledger.matches("payments joined").count(), 3, "{ledger}");
    assert_eq!(ledger.matches("payments left").count(), 1, "{ledger}");
}

#[test]
fn a_request_that_is_not_due_is_refused_by_place_and_entered() {
    let site = Site::start("\"death\"");
    let resident = Resident::new();
    let good = enrolment(&resident.citizen, "A");
    let check = |who: &str, body: &Value, status: u16, fault: &str, at: &str| {
        let reply = site.ask(who, body);
        let json = reply.json();
        let found = (reply.status, json["fault"].as_str(), json["at"].as_str().unwrap_or(""));
        assert_eq!(found, (status, Some(fault), at), "{}", text(&reply));
        assert!(!json["receipt"].is_null());
        assert!(!text(&reply).contains(&resident.citizen));
    };
    // Another department's subscription is as good as none.
    for who in [AGENT, WORKER, HOME_CLERK] {
        check(who, &good, 404, "subscription-unknown", "/subscription");
    }
    check("stranger", &good, 403, "certificate-unknown", "");
    let none = json!({ "subscription": "nobodys", "leave": ["A"] });
    check(CLERK, &none, 404, "subscription-unknown", "/subscription");
    let wrong = enrolment("110105194912310021", "A");
    check(CLERK, &wrong, 422, "identifier-invalid", "/enrol/0/identifier/value");
    check(CLERK, &json!({ "subscription": PAYMENTS }), 422, "required-missing", "/enrol");
    assert_eq!(site.rig.stored("SELECT count(*) FROM enrolment"), 0);
}

#[test]
fn a_notice_that_is_refused_holds_up_its_own_elder_alone() {
    let site = Site::start("\"death\"");
    let (poison, other) = (Resident::new(), Resident::new());
    site.enrol(&poison, "POISON");
    site.enrol(&other, "OTHER");
    site.receiver.answers(|notice| if notice["reference"] == "POISON" { 422 } else { 204 });
    dies(&site.rig, &poison.citizen, 1);
    dies(&site.rig, &poison.citizen, 2);
    dies(&site.rig, &other.citizen, 3);
    let told = site.taken(1);
    assert_eq!(told[0]["reference"], "OTHER");
    until("the notice is dead", || {
        (site.rig.stored("SELECT count(*) FROM outbox WHERE state = 2") == 1).then_some(())
    });
    let (listed, lines) = site.notices(&["list", "--json"]);
    assert!(listed, "{lines}");
    assert!(lines.contains("\"dead\":1") && lines.contains("\"waiting\":1"), "{lines}");
    assert!(lines.contains("\"why\":\"refused\""), "{lines}");
    let number = site.rig.stored("SELECT number FROM outbox WHERE state = 2").to_string();
    let came = site.receiver.count();

    // Once more, and it is dead again; given up, and the next of that elder goes.
    assert!(site.notices(&["retry", &number]).0);
    until("it was tried again", || (site.receiver.count() > came).then_some(()));
    until("the notice is dead", || {
        (site.rig.stored("SELECT count(*) FROM outbox WHERE state = 2") == 1).then_some(())
    });
    site.receiver.answers(|_| 200);
    assert!(site.notices(&["skip", &number]).0);
    let told = site.taken(2);
    site.settled();
    let second = format!("{PAYMENTS}-{}", number.parse::<u64>().unwrap() + 1);
    assert_eq!((&told[1]["reference"], &told[1]["id"]), (&json!("POISON"), &json!(second)));
    let (done, said) = site.notices(&["skip", &number]);
    assert!(!done && said.contains("number-unknown"), "{said}");
    let ledger = site.rig.ledger(&["export"]);
    for word in ["tried again", "given up"] {
        assert!(ledger.contains(&format!("notice {number} {word}")), "{word}: {ledger}");
    }
}

#[test]
fn a_notice_that_is_never_answered_holds_up_its_own_elder_alone() {
    let port = free_port();
    let impatient = "failures_max = 1\ntimeout_ms = 500";
    let settings = format!("{}{impatient}\n", subscription(port, "living-check", "\"death\""));
    let rig = Rig::prepare(&settings);
    let receiver = Receiver::start(&rig.path().join("certs"), "platform", port);
    let site = Site { rig, receiver };
    site.rig.resume();
    let residents: Vec<_> = (0..4).map(|_| Resident::new()).collect();
    for (reference, resident) in ["POISON", "TWO", "THREE", "VENOM"].iter().zip(&residents) {
        site.enrol(resident, reference);
    }
    let hangs = |notice: &Value| notice["reference"] == "POISON" || notice["reference"] == "VENOM";
    site.receiver.answers(move |notice| {
        if hangs(notice) {
            std::thread::sleep(std::time::Duration::from_secs(2));
            return 599;
        }
        204
    });
    dies(&site.rig, &residents[0].citizen, 1);
    dies(&site.rig, &residents[3].citizen, 1);
    until("it was tried twice", || (site.receiver.count() > 1).then_some(()));
    residents[1..3].iter().for_each(|resident| dies(&site.rig, &resident.citizen, 1));
    let told = site.taken(2);
    assert!(told.iter().all(|notice| !hangs(notice)));
    site.receiver.answers(|_| 200);
    site.settled();
    assert_eq!(site.receiver.taken().len(), 4);
}

#[test]
fn a_receiver_that_was_down_has_everything_in_order_after_the_gateway_was_killed() {
    let site = Site::start("\"death\"");
    let residents: Vec<_> = (0..6).map(|_| Resident::new()).collect();
    for (index, resident) in residents.iter().enumerate() {
        site.enrol(resident, &format!("E{index}"));
    }
    site.receiver.answers(|_| 503);
    for day in 1..=4 {
        residents.iter().for_each(|resident| dies(&site.rig, &resident.citizen, day));
    }
    until("some were tried", || (!site.receiver.came().is_empty()).then_some(()));
    site.rig.kill();
    // Taken, and the answer lost: every other try.
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    site.receiver.answers(move |_| match counted.fetch_add(1, Ordering::SeqCst) % 2 {
        0 => 500,
        _ => 200,
    });
    site.rig.resume();
    site.settled();
    let taken = site.receiver.taken();
    let told = in_order(&taken);
    assert_eq!(told.len(), 6);
    assert!(told.values().all(|ids| ids.len() == 4), "a notice is missing: {told:?}");
    site.rig.ledger(&["verify"]);
}

#[test]
fn a_kill_while_a_notice_is_on_its_way_repeats_it_under_the_same_id() {
    let site = Site::start("\"death\"");
    let resident = Resident::new();
    site.enrol(&resident, "A");
    let (reached, go) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(())));
    let held = go.lock().unwrap();
    let (seen, wait) = (Arc::clone(&reached), Arc::clone(&go));
    site.receiver.answers(move |_| {
        seen.store(true, Ordering::SeqCst);
        drop(wait.lock());
        200
    });
    dies(&site.rig, &resident.citizen, 7);
    until("the notice is on its way", || reached.load(Ordering::SeqCst).then_some(()));
    site.rig.kill();
    drop(held);
    site.rig.resume();
    let told = site.taken(2);
    site.settled();
    assert_eq!(told[0]["id"], told[1]["id"]);
    assert_ne!(told[0]["receipt"], told[1]["receipt"], "each try is entered for itself");
}

#[test]
fn what_was_told_is_told_again_when_the_subscriber_wishes() {
    let site = Site::start("\"death\"");
    let resident = Resident::new();
    site.enrol(&resident, "A");
    dies(&site.rig, &resident.citizen, 5);
    let first = site.taken(1);
    site.settled();
    site.receiver.forget();
    let body = json!({ "subscription": PAYMENTS, "rewind": "2026-01-01T00:00:00+08:00" });
    let reply = site.ask(CLERK, &body);
    assert_eq!(reply.json()["again"], 1, "{}", text(&reply));
    let told = site.taken(1);
    assert_eq!(told[0]["id"], first[0]["id"]);
    site.settled();
    let (done, said) = site.notices(&["rewind", PAYMENTS, "--since", "2099-01-01"]);
    assert!(done && said.contains("\"notices\":0"), "{said}");
}

#[test]
fn an_event_of_which_nothing_may_leave_is_not_told() {
    let site = Site::for_purpose("subsidy-eligibility", "\"ability-level\"");
    let resident = Resident::new();
    site.enrol(&resident, "A");
    let push = |levels: Value| {
        let body = json!({
            "dataset": "ability-assessment", "person": { "citizenId": resident.citizen },
            "scale": "GB/T 42195", "assessor": "测试乙", "items": { "B1.1": 2 }, "levels": levels,
        });
        let media = "application/vnd.kangqiao.civil+json";
        let body = body.to_string();
        let mut link = site.rig.https(TLS_SENDER);
        let reply = link.post("/v1/messages", media, body.as_bytes()).unwrap();
        assert_eq!(reply.json()["state"], "kept", "{}", text(&reply));
    };
    push(json!({}));
    until("the notice is passed over", || {
        (site.rig.stored("SELECT count(*) FROM outbox WHERE why = 'withheld'") == 1).then_some(())
    });
    push(json!({ "final": "2" }));
    let told = site.taken(1);
    site.settled();
    assert_eq!(site.receiver.count(), 1, "told of an event nothing of which may leave");
    assert!(!told[0].to_string().contains("测试乙"), "{}", told[0]);
}

#[test]
fn an_event_whose_record_may_not_be_known_of_is_not_told() {
    let site = Site::for_purpose("subsidy-eligibility", "\"long-stay\"");
    let resident = Resident::new();
    site.enrol(&resident, "A");
    let mut link = site.rig.mllp();
    let mut comes = |event: &str, protected: bool| {
        let mut message = Message::new(event, &resident);
        message.segments.extend(protected.then(|| format!("PV2{}Y", "|".repeat(22))));
        let reply = link.exchange(&message.bytes()).unwrap();
        assert_eq!(field(&reply, "MSA-1"), "AA");
    };
    comes("A01", false);
    assert_eq!(site.taken(1).len(), 1);
    // What could be told beside it does not follow from it, and that it came is its own.
    comes("A01", true);
    comes("A03", true);
    until("the notices are passed over", || {
        (site.rig.stored("SELECT count(*) FROM outbox WHERE why = 'withheld'") == 2).then_some(())
    });
    comes("A03", false);
    site.taken(2);
    site.settled();
    assert_eq!(site.receiver.count(), 2, "told of a stay its hospital protects");
}

#[test]
fn a_subscription_to_what_its_purpose_does_not_open_stops_the_start() {
    let check = |purpose: &str, events: &str, expect: &str| {
        let rig = Rig::prepare(&subscription(1, purpose, events));
        let config = rig.config().display().to_string();
        let output = rig.run(&["check", "--config", &config]);
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success() && said.contains(expect), "{said}");
    };
    check("living-check", "\"contract\"", "opens nothing of event contract");
    check("living-check", "\"birthday\"", "no event birthday");
    check("living-check", "", "go together");
    check("emergency-card", "\"death\"", "purpose-not-granted");
}

#[test]
fn a_receiver_that_is_down_costs_one_entry_a_pause() {
    let site = Site::start("\"death\"");
    let residents: Vec<_> = (0..8).map(|_| Resident::new()).collect();
    for (index, resident) in residents.iter().enumerate() {
        site.enrol(resident, &format!("E{index}"));
    }
    site.receiver.answers(|_| 503);
    residents.iter().for_each(|resident| dies(&site.rig, &resident.citizen, 1));
    until("it was tried some times", || (site.receiver.count() > 12).then_some(()));
    site.rig.stop();
    // Every notice that is in the ledger came to the receiver, but for those of the first window
    // that were entered while its failures closed the way.
    let ledger = site.rig.entries_on_disk();
    let entered = ledger.lines().filter(|line| line.contains("delivery")).count();
    let came = site.receiver.count();
    assert!(entered < came + residents.len(), "{entered} entries, {came} notices came");
}
