//! Trace: what became of a message, by command and by page, and never what it said.

use std::collections::BTreeSet;

use fantoccini::{Client, Locator};
use kangqiao_conformance::https::{Link, Reply};
use kangqiao_conformance::stream::Tls;
use serde_json::Value;

use crate::console::{Driver, Enrolled, enrol, shows, sign_in};
use crate::notices::{Site, dies};
use crate::rig::message::{Message, Resident, field};
use crate::rig::{AGENT, HOME, PLAIN_SENDER, Rig, TLS_SENDER, at, skipped};

/// Sends a message over MLLP; the code of its acknowledgement.
fn send(rig: &Rig, bytes: &[u8]) -> String {
    field(&rig.mllp().exchange(bytes).unwrap(), "MSA-1")
}

/// What `kangqiao trace … --json` tells.
fn asked(rig: &Rig, words: &[&str]) -> Value {
    let (done, text) = rig.order(&[&["trace", "--json"], words].concat());
    assert!(done, "{words:?}: {text}");
    serde_json::from_str(&text).unwrap()
}

/// Journal numbers of what is found, newest first.
fn found(rig: &Rig, words: &[&str]) -> Vec<u64> {
    let told = asked(rig, words);
    let rows = told["rows"].as_array().unwrap().iter();
    rows.map(|row| row["number"].as_u64().unwrap()).collect()
}

/// Pages of the console as one user sees them.
pub struct Pages {
    tls: Tls,
    cookies: String,
    host: String,
}

impl Pages {
    /// Those of somebody who has signed in.
    pub fn of(rig: &Rig, name: &str, enrolled: &Enrolled) -> Self {
        let (_, cookies) = enrolled.signed_in(rig, name);
        Self { tls: rig.tls(""), cookies, host: at(rig.ports.console) }
    }

    /// Over a connection of its own: an idle one is closed while a test does something else.
    fn ask(&self, request: &str) -> Reply {
        let mut link = Link::connect(&self.host, Some(&self.tls)).unwrap();
        link.ask(request.as_bytes()).unwrap()
    }

    /// A page.
    pub fn see(&mut self, path: &str) -> String {
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\n\r\n",
            self.host, self.cookies
        );
        let reply = self.ask(&head);
        assert_eq!(reply.status, 200, "{path}");
        String::from_utf8(reply.body).unwrap()
    }

    /// What is found by a search, or the next page of it.
    fn search(&mut self, fields: &str) -> String {
        let reply = self.post("/trace/search", fields);
        assert_eq!(reply.status, 200, "{fields}");
        String::from_utf8(reply.body).unwrap()
    }

    /// What a form is answered with; its token is added.
    pub fn post(&mut self, path: &str, fields: &str) -> Reply {
        let begin = self.see("/overview");
        let token = begin.split_once("name=\"form_token\" value=\"").unwrap().1;
        let form = format!("form_token={}&{fields}", token.split('"').next().unwrap());
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\n\
             sec-fetch-site: same-origin\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            self.host,
            self.cookies,
            form.len()
        );
        self.ask(&head)
    }
}

/// Six messages: 1 kept, 2 held, 3 refused, 4 kept, 5 a merge that is held, 6 a death that is told.
struct Story {
    site: Site,
    /// Whose are 1, 5 and 6; and 2 to 5.
    elders: [Resident; 2],
    /// The first two.
    sent: [Message; 2],
}

impl Story {
    fn play() -> Self {
        let site = Site::start(r#""death""#);
        let rig = &site.rig;
        let (elder, other) = (Resident::new(), Resident::new());
        site.enrol(&elder, "E-1");
        let kept = Message::new("A01", &elder);
        assert_eq!(send(rig, &kept.bytes()), "AA");
        let mut held = Message::new("A01", &other);
        held.segments[1] = held.segments[1].replace("|M", "|male");
        held.modes = ("AL".to_owned(), "AL".to_owned());
        assert_eq!(send(rig, &held.bytes()), "CA");
        let mut broken = Message::new("A28", &other).bytes();
        broken.extend(b"NTE|1||\xFF\r");
        assert_eq!(send(rig, &broken), "AR");
        assert_eq!(send(rig, &Message::new("A28", &other).bytes()), "AA");
        let mut merge = Message::new("A40", &elder);
        merge.segments.push(format!("MRG|{}^^^HOSP-A^MR", other.local));
        // Two citizen ids are two people, whatever a message says.
        assert_eq!(send(rig, &merge.bytes()), "AE");
        dies(rig, &elder.citizen, 3);
        site.taken(1);
        site.settled();
        Self { site, elders: [elder, other], sent: [kept, held] }
    }
}

#[test]
fn a_message_is_found_by_what_is_known_and_nothing_it_says_is_told() {
    let Story { site, elders, sent: [kept, held] } = Story::play();
    let rig = &site.rig;
    assert_eq!(found(rig, &["--control-id", &kept.control]), [1]);
    assert_eq!(found(rig, &["--control-id", &held.control, "--sender", PLAIN_SENDER]), [2]);
    assert_eq!(found(rig, &["--sender", TLS_SENDER]), [6]);
    assert_eq!(found(rig, &["--state", "quarantined", "--fault", "table-value"]), [2]);
    assert_eq!(found(rig, &["--state", "refused"]), [3]);
    assert_eq!(found(rig, &["--form", "platform-json", "--since", "2026-01-01"]), [6]);
    assert_eq!(found(rig, &["--until", "2020-01-01"]), Vec::<u64>::new());

    let operator = enrol(rig, "wen", "operator");
    let mut pages = Pages::of(rig, "wen", &operator);
    let mut told = pages.search(&format!("kind=citizen-id&value={}", elders[0].citizen));
    told += &pages.see("/trace/quarantine");
    told += &rig.order(&["trace", "--citizen-id", &elders[0].citizen]).1;
    told += &rig.order(&["trace", "--quarantine"]).1;
    let pile = |line: &str| line.contains("table-value") && line.contains("PID-8");
    assert!(told.lines().any(pile), "a pile on a line: {told}");
    for number in 1..=6 {
        told += &pages.see(&format!("/trace/message/{number}"));
        let (done, text) = rig.order(&["trace", "--number", &number.to_string()]);
        assert!(done, "{text}");
        told += &text;
        told += &asked(rig, &["--number", &number.to_string()]).to_string();
    }
    for resident in &elders {
        for value in [&resident.citizen, &resident.local, &resident.citizen[6..14]] {
            assert!(!told.contains(value), "a trace tells {value}: {told}");
        }
    }
    for value in ["测试", "W1", "V1|", "急性心肌梗死", "I21.900", "male"] {
        assert!(!told.contains(value), "a trace tells {value}");
    }
    assert!(!rig.printed().contains(&elders[0].citizen));
}

#[test]
fn a_page_tells_the_way_from_arrival_to_notice_and_the_ledger_who_looked() {
    let Story { site, elders: [elder, _], sent: [kept, held] } = Story::play();
    let rig = &site.rig;
    let operator = enrol(rig, "wen", "operator");
    let mut pages = Pages::of(rig, "wen", &operator);
    for (number, words) in [
        (1, &["MLLP", &kept.control, "MSA-1: AA", "admission", "已映射"][..]),
        (2, &["MLLP", &held.control, "MSA-1: CA AE", "table-value", "PID-8", "replay 2"]),
        (3, &["MLLP", "MSA-1: AR", "character-set", "未作读取"]),
        (4, &["MSA-1: AA", "registration-update"]),
        (5, &["MSA-1: AE", "identity-conflict", "A40", "不属于任何人员"]),
        (6, &["HTTPS", TLS_SENDER, "death", "payments", "已送达", "披露只对审计员显示"]),
    ] {
        let page = pages.see(&format!("/trace/message/{number}"));
        for word in words {
            assert!(page.contains(word), "{number} does not tell {word}: {page}");
        }
    }
    assert_eq!(found(rig, &["--control-id", &kept.control]), [1]);
    assert_eq!(found(rig, &["--citizen-id", &elder.citizen]), [6, 1]);

    // The notice and the ledger know each other; an auditor is told who read what.
    let notice = &asked(rig, &["--number", "6"])["notices"][0];
    assert_eq!((&notice["state"], &notice["event"]), (&"delivered".into(), &"death".into()));
    let entry = notice["entries"][0][0].as_u64().unwrap();
    let auditor = enrol(rig, "lin", "auditor");
    let page = Pages::of(rig, "lin", &auditor).see("/trace/message/1");
    assert!(page.contains(&format!("/ledger/entry/{entry}")), "what left since: {page}");
    let ledger = rig.ledger(&["search", "--kind", "query", "--json"]);
    for word in ["\"message 2\"", "uid ", "\"wen\"", "\"lin\"", "about a person", &kept.control] {
        assert!(ledger.contains(word), "the ledger does not say {word}: {ledger}");
    }
    assert!(!ledger.contains(&elder.citizen));
}

#[test]
fn a_sender_hears_of_its_own_messages_and_of_nobody_elses() {
    let rig = Rig::shared();
    let resident = Resident::new();
    let mut message = Message::new("A01", &resident);
    message.control = format!("{}/a b", message.control);
    message.segments[1] = message.segments[1].replace("|M", "|male");
    let own = |message: &Message| {
        rig.https(TLS_SENDER).post("/v1/messages", "application/hl7-v2", &message.bytes()).unwrap()
    };
    assert_eq!(field(&own(&message).body, "MSA-1"), "AE");
    let path = format!("/v1/messages/{}", message.control.replace('/', "%2F").replace(' ', "%20"));
    let ask = |who: &str, path: &str| rig.https(who).get(path).unwrap();
    let told = ask(TLS_SENDER, &path);
    assert_eq!(told.status, 200, "{}", String::from_utf8_lossy(&told.body));
    let receipts = told.json()["receipts"].clone();
    assert_eq!(receipts.as_array().unwrap().len(), 1);
    assert_eq!(receipts[0]["state"], "quarantined");
    assert_eq!(
        (&receipts[0]["fault"], &receipts[0]["at"]),
        (&"table-value".into(), &"PID-8".into())
    );
    // The same number with other bytes is another message of it, the newer one first.
    message.segments[1] = resident.pid();
    assert_eq!(field(&own(&message).body, "MSA-1"), "AA");
    let receipts = ask(TLS_SENDER, &path).json()["receipts"].clone();
    let states: Vec<_> = receipts.as_array().unwrap().iter().map(|one| &one["state"]).collect();
    assert_eq!(states, ["kept", "quarantined"]);
    for (who, path, status, fault) in [
        (HOME, path.as_str(), 404, "number-unknown"),
        (TLS_SENDER, "/v1/messages/nobody-sent-this", 404, "number-unknown"),
        (AGENT, path.as_str(), 403, "certificate-unknown"),
    ] {
        let refused = ask(who, path);
        let said = String::from_utf8_lossy(&refused.body).into_owned();
        assert!(refused.status == status && said.contains(fault), "{who}: {said}");
    }
    let body = String::from_utf8_lossy(&told.body).into_owned();
    assert!(!body.contains(&resident.citizen) && !body.contains(&resident.local));
}

#[test]
fn a_person_is_found_by_either_number_once_two_are_one() {
    let rig = Rig::start();
    let (old, new) = (Resident::new(), Resident::new());
    // One hospital had a number of its own for somebody whose citizen id it did not know.
    let mut first = Message::new("A01", &old);
    first.segments[1] = format!("PID|1||{}^^^A^MR||某^某", old.local);
    let mut second = Message::new("A01", &new);
    second.segments[1] = format!("PID|1||{}||某^某", new.identifiers());
    assert_eq!(send(&rig, &first.bytes()), "AA");
    assert_eq!(send(&rig, &second.bytes()), "AA");
    let by_old = ["--local", &old.local, "--authority", "A"];
    let by_new = ["--citizen-id", &new.citizen];
    assert_eq!((found(&rig, &by_old), found(&rig, &by_new)), (vec![1], vec![2]));
    let mut merge = Message::new("A40", &new);
    merge.segments[1] = format!("PID|1||{}||某^某", new.identifiers());
    merge.segments.push(format!("MRG|{}^^^A^MR", old.local));
    assert_eq!(send(&rig, &merge.bytes()), "AA");
    assert_eq!((found(&rig, &by_old), found(&rig, &by_new)), (vec![3, 2, 1], vec![3, 2, 1]));
    let told = asked(&rig, &["--number", "3"]);
    assert_eq!(told["person"]["entries"].as_array().unwrap().len(), 2);
    assert_eq!(told["said"][0]["what"], "same");
    let before = asked(&rig, &["--number", "1"]);
    assert_eq!(before["person"]["pseudonym"], told["person"]["pseudonym"]);
    assert_eq!(before["said"], Value::Array(Vec::new()));

    let (done, text) = rig.order(&["erase", "--yes", "--citizen-id", &new.citizen]);
    assert!(done, "{text}");
    let erased = asked(&rig, &["--number", "1"]);
    assert_eq!((&erased["bytes"], &erased["reading"]), (&Value::Null, &Value::Null));
    assert_eq!(erased["told"], "erased", "whether it asked for an answer stood in it");
    assert_eq!(found(&rig, &by_new), Vec::<u64>::new());
}

#[test]
fn every_outcome_is_told_and_a_message_is_read_by_the_mappings_of_its_day() {
    let rig = Rig::start();
    let resident = Resident::new();
    assert_eq!(send(&rig, &Message::new("A28", &Resident::new()).bytes()), "AA");
    let mut message = Message::new("A01", &resident);
    message.segments[1] = message.segments[1].replace("|M", "|male");
    message.segments.push("ZZZ|1|x".to_owned());
    assert_eq!(send(&rig, &message.bytes()), "AE");
    let before = asked(&rig, &["--number", "2"]);
    assert_eq!(
        (&before["reading"]["then"], &before["reading"]["bins"]),
        (&true.into(), &Value::Null)
    );
    let piles = asked(&rig, &["--quarantine"]);
    assert_eq!((&piles["place"], &piles["count"]), (&"PID-8".into(), &1.into()));

    let overlay = rig.path().join(format!("mappings/senders/{PLAIN_SENDER}.toml"));
    let spelled = "title = \"spells the sex out\"\ncodes = { \"PID-8\" = { \"male\" = \"M\" } }\n";
    std::fs::write(&overlay, spelled).unwrap();
    assert!(rig.order(&["reload"]).0);
    assert!(rig.order(&["replay", "2"]).0);
    let told = asked(&rig, &["--number", "2"]);
    let outcomes = told["outcomes"].as_array().unwrap();
    assert_eq!(outcomes.len(), 2);
    assert_eq!(
        (&outcomes[0]["state"], &outcomes[0]["at"]),
        (&"quarantined".into(), &"PID-8".into())
    );
    assert_eq!(outcomes[0]["mappings"], before["reading"]["mappings"]);
    assert_eq!((&outcomes[1]["state"], &outcomes[1]["entry"]), (&"kept".into(), &Value::Null));
    let entry = outcomes[0]["entry"].as_u64().unwrap();
    assert!(rig.ledger(&["search", "--kind", "replay", "--json"]).contains(&entry.to_string()));
    // What it was told when it came, not what it would be told now.
    assert_eq!(told["told"]["acknowledged"][0], "AE");
    let bins = &told["reading"]["bins"];
    assert!(bins["mapped"].as_u64().unwrap() > 5 && bins["unmapped"].as_u64().unwrap() > 0);
    assert!(bins["first_unmapped"].to_string().contains("ZZZ"), "{bins}");

    // The first came under mappings that serve no more; they are kept, and read it.
    let first = asked(&rig, &["--number", "1"]);
    assert_eq!(first["reading"]["mappings"], before["reading"]["mappings"]);
    assert_ne!(first["reading"]["mappings"], told["reading"]["mappings"]);
    assert_eq!(first["reading"]["then"], true);
    let packs = rig.path().join("data/packs");
    let gone = packs.join(format!("{}.json", first["reading"]["mappings"].as_str().unwrap()));
    std::fs::remove_file(gone).unwrap();
    let first = asked(&rig, &["--number", "1"]);
    assert_eq!(first["reading"]["then"], false, "today's mappings say that they are today's");
    assert_eq!(first["reading"]["mappings"], told["reading"]["mappings"]);
}

#[test]
fn the_overview_shows_the_newest_that_wait_and_leads_to_each() {
    let rig = Rig::start();
    let mut link = rig.mllp();
    for _ in 0..52 {
        let mut held = Message::new("A01", &Resident::new());
        held.segments[1] = held.segments[1].replace("|M", "|male");
        assert_eq!(field(&link.exchange(&held.bytes()).unwrap(), "MSA-1"), "AE");
    }
    let operator = enrol(&rig, "wen", "operator");
    let page = Pages::of(&rig, "wen", &operator).see("/overview");
    for (number, shown) in [(52, true), (3, true), (2, false), (1, false)] {
        let link = format!("href=\"/trace/message/{number}\"");
        assert_eq!(page.contains(&link), shown, "{number}");
    }
}

#[test]
fn a_command_that_asks_for_nothing_there_is_says_so() {
    let rig = Rig::shared();
    for (words, told) in [
        (&["--number", "999999999"][..], "number-unknown"),
        (&["--state", "gone"], "kept, quarantined, refused"),
        (&["--form", "morse"], "hl7v2"),
        (&["--fault", "gone"], "there is no fault gone"),
        (&["--since", "soon"], "--since"),
        (&["--citizen-id", "110105194912310021"], "identifier-invalid"),
        (&["--number", "1", "--state", "kept"], "cannot be used with"),
    ] {
        let (done, text) = rig.order(&[&["trace"], words].concat());
        assert!(!done && text.contains(told), "{words:?}: {text}");
    }
    let (done, text) = rig.order(&["trace", "--control-id", "NOBODY-SENT-THIS"]);
    assert!(done && text.contains("no such message"), "{text}");
}

/// The numbers of the list on a page.
async fn listed(browser: &Client) -> Vec<u64> {
    let script = "return [...document.querySelectorAll('tbody th a')].map(a => +a.textContent)";
    let told = browser.execute(script, Vec::new()).await.unwrap();
    told.as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_pages_through_a_thousand_messages_in_a_browser() {
    const MESSAGES: usize = 1_000;
    let Some(driver) = Driver::start() else {
        return skipped("no chromium with chromedriver");
    };
    let rig = Rig::start();
    let wanted = Message::new("A28", &Resident::new());
    assert_eq!(send(&rig, &wanted.bytes()), "AA");
    std::thread::scope(|scope| {
        for lane in 0..8_usize {
            let rig = &rig;
            scope.spawn(move || {
                let mut link = rig.mllp();
                for _ in (2..MESSAGES).skip(lane).step_by(8) {
                    let message = Message::new("A28", &Resident::new());
                    let reply = link.exchange(&message.bytes()).unwrap();
                    assert_eq!(field(&reply, "MSA-1"), "AA");
                }
            });
        }
    });
    let mut held = Message::new("A01", &Resident::new());
    held.segments[1] = held.segments[1].replace("|M", "|male");
    assert_eq!(send(&rig, &held.bytes()), "AE");
    let operator = enrol(&rig, "wen", "operator");
    let browser = driver.browser().await;
    sign_in(&browser, &rig, "wen", &operator).await;
    shows(&browser, PLAIN_SENDER).await;
    browser.find(Locator::LinkText("报文追踪")).await.unwrap().click().await.unwrap();
    let find = browser.wait().for_element(Locator::Css("#find")).await.unwrap();
    find.click().await.unwrap();
    let mut seen = BTreeSet::new();
    let mut last = u64::MAX;
    loop {
        let first = format!("//tbody//th[. < {last}]");
        browser.wait().for_element(Locator::XPath(&first)).await.unwrap();
        let numbers = listed(&browser).await;
        assert!(numbers.len() <= 50 && numbers.is_sorted_by(|newer, older| newer > older));
        assert!(numbers.iter().all(|number| *number < last && seen.insert(*number)), "a repeat");
        last = *numbers.last().unwrap();
        let Ok(older) = browser.find(Locator::Css("#older")).await else { break };
        older.click().await.unwrap();
    }
    assert_eq!(seen.len(), MESSAGES, "a message is on no page");

    browser.find(Locator::LinkText("重新查询")).await.unwrap().click().await.unwrap();
    let typed = browser.wait().for_element(Locator::Css("#control_id")).await.unwrap();
    typed.send_keys(&wanted.control).await.unwrap();
    browser.find(Locator::Css("#find")).await.unwrap().click().await.unwrap();
    browser.wait().for_element(Locator::LinkText("1")).await.unwrap().click().await.unwrap();
    shows(&browser, "MSA-1: AA").await;
    shows(&browser, "registration-update").await;
    browser.find(Locator::LinkText("返回追踪")).await.unwrap().click().await.unwrap();
    let piles = browser.wait().for_element(Locator::LinkText("按原因查看隔离区")).await.unwrap();
    piles.click().await.unwrap();
    shows(&browser, "PID-8").await;
    browser.close().await.unwrap();
}
