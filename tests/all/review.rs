//! Review of identities in a real Chromium: two hospitals, one elder, two reviewers.

use std::time::Duration;

use fantoccini::key::Key;
use fantoccini::{Client, Locator};
use kangqiao_conformance::values::citizen_id;
use serde_json::json;

use crate::console::{Driver, Enrolled, enrol, shows, sign_in, tab_to, type_in};
use crate::rig::message::{Message, Resident, field, unique};
use crate::rig::{AGENT, PLAIN_SENDER, Rig, TLS_SENDER, at, skipped};

/// What no reviewer may see: each stands in a message of the second hospital.
const CLINICAL: [&str; 6] =
    ["KANARIE-ALLERGY", "KANARIE-DIAGNOSIS", "KANARIE-WARD", "KANARIE-DOCTOR", "I10.x02", "V-7"];

/// One elder whom two hospitals write differently, and nothing but name and birthday tells.
struct Elder {
    citizen: String,
    numbers: [String; 2],
    names: [&'static str; 2],
    birth: String,
}

impl Elder {
    fn new(names: [&'static str; 2]) -> Self {
        let number = unique();
        let citizen = citizen_id(number);
        let birth = citizen[6..14].to_owned();
        Self { citizen, numbers: [format!("A{number}"), format!("B{number}")], names, birth }
    }

    /// What the first hospital says: with the citizen id, nothing clinical.
    fn first(&self) -> Message {
        let mut message = Message::new("A28", &Resident::new());
        message.segments[1] = format!(
            "PID|1||{}^^^HOSP-A^MR~{}^^^GA^NI||{}||{}|M|||人民路8号^^测试市^测试省||13800001111",
            self.numbers[0], self.citizen, self.names[0], self.birth
        );
        message
    }

    /// What the second says: without it, with an allergy and a diagnosis.
    fn second(&self) -> Message {
        let mut message = Message::new("A01", &Resident::new());
        message.segments[1] =
            format!("PID|1||{}^^^HOSP-B^MR||{}||{}|M", self.numbers[1], self.names[1], self.birth);
        message.segments[2] =
            "PV1|1|I|KANARIE-WARD^R1^B1||||D1^KANARIE-DOCTOR||||||||||||V-7".to_owned();
        message.segments.push("AL1|1|DA|101^KANARIE-ALLERGY^CV05.01.038|SV".to_owned());
        message.segments.push("DG1|1||I10.x02^KANARIE-DIAGNOSIS^I10".to_owned());
        message
    }

    fn arrives(&self, rig: &Rig) {
        self.arrives_at_first(rig);
        self.arrives_at_second(rig);
    }

    fn arrives_at_first(&self, rig: &Rig) {
        let reply = rig.mllp().exchange(&self.first().bytes()).unwrap();
        assert_eq!(field(&reply, "MSA-1"), "AA");
    }

    fn arrives_at_second(&self, rig: &Rig) {
        let reply = rig.mllps(TLS_SENDER).unwrap().exchange(&self.second().bytes()).unwrap();
        assert_eq!(field(&reply, "MSA-1"), "AA");
    }

    /// How many allergens an agent is told of, who asks by the citizen id.
    fn allergens(&self, rig: &Rig) -> usize {
        let question = json!({
            "identifier": { "kind": "citizen-id", "value": self.citizen },
            "purpose": "emergency-card",
            "elements": ["DE05.01.022.00"],
            "evidence": { "call": crate::rig::call() },
        });
        let reply = rig.ask(AGENT, &question);
        assert_eq!(reply.status, 200);
        reply.json()["elements"].as_array().unwrap().len()
    }
}

/// Opens a page by its address.
pub async fn goes(browser: &Client, rig: &Rig, place: &str) {
    browser.goto(&format!("https://{}{place}", at(rig.ports.console))).await.unwrap();
}

/// A browser somebody has signed in to.
pub async fn enters(driver: &Driver, rig: &Rig, (name, who): (&str, &Enrolled)) -> Client {
    let browser = driver.browser().await;
    sign_in(&browser, rig, name, who).await;
    browser.wait().for_element(Locator::Css(".equation")).await.unwrap();
    browser
}

/// Opens the first pair of the queue by keyboard; where it is.
async fn opens_first(browser: &Client, rig: &Rig) -> String {
    goes(browser, rig, "/review").await;
    shows(browser, "规则").await;
    let link = browser.find(Locator::Css("tbody a.button")).await.unwrap();
    let place = link.attr("href").await.unwrap().unwrap();
    tab_to(browser, &place).await;
    type_in(browser, &Key::Enter.to_string()).await;
    browser.wait().for_element(Locator::Css("table.sides")).await.unwrap();
    place
}

/// Presses a button by keyboard.
pub async fn presses(browser: &Client, button: &str) {
    tab_to(browser, button).await;
    type_in(browser, &Key::Enter.to_string()).await;
}

/// A picture of the page, where somebody wants to look at it.
pub async fn pictured(browser: &Client, name: &str) {
    if let Ok(folder) = std::env::var("KANGQIAO_PICTURES") {
        browser.set_window_size(1280, 1400).await.unwrap();
        let picture = browser.screenshot().await.unwrap();
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), picture).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_reviewers_make_one_person_and_nobody_confirms_their_own() {
    let Some(driver) = Driver::start() else {
        return skipped("no chromium with chromedriver");
    };
    let rig = Rig::start();
    let (rui, rong) = (enrol(&rig, "rui", "reviewer"), enrol(&rig, "rong", "reviewer"));
    let elder = Elder::new(["王^小明", "王^晓明"]);
    elder.arrives(&rig);
    assert_eq!(elder.allergens(&rig), 0, "joined without anybody having looked");

    let first = enters(&driver, &rig, ("rui", &rui)).await;
    shows(&first, "身份审核").await;
    pictured(&first, "overview").await;
    goes(&first, &rig, "/review").await;
    shows(&first, "只有姓名和出生日期相符").await;
    pictured(&first, "queue").await;
    let place = opens_first(&first, &rig).await;
    pictured(&first, "pair").await;
    let page = first.source().await.unwrap();
    for text in ["<mark>小</mark>", "<mark>晓</mark>", &elder.citizen, "13800001111", "同音不同字"]
    {
        assert!(page.contains(text), "{text}: {page}");
    }
    for text in CLINICAL {
        assert!(!page.contains(text), "a reviewer sees {text}: {page}");
    }
    presses(&first, "same").await;
    shows(&first, "等候另一位审核员确认").await;
    pictured(&first, "proposed").await;
    goes(&first, &rig, &place).await;
    shows(&first, "须由另一位审核员确认").await;
    assert!(first.find(Locator::Css("#same")).await.is_err(), "one's own is offered");
    let forged = "const form = document.querySelector('main form'); \
        const same = document.createElement('button'); \
        same.name = 'decision'; same.value = 'same'; form.append(same); same.click();";
    first.execute(forged, Vec::new()).await.unwrap();
    shows(&first, "您不能确认").await;
    assert_eq!(elder.allergens(&rig), 0, "one reviewer was enough");

    let second = enters(&driver, &rig, ("rong", &rong)).await;
    opens_first(&second, &rig).await;
    shows(&second, "rui 已提议为同一人").await;
    pictured(&second, "confirm").await;
    presses(&second, "same").await;
    shows(&second, "已记为同一人").await;
    assert_eq!(elder.allergens(&rig), 1, "they are one person now");
    goes(&second, &rig, &format!("{place}/history")).await;
    shows(&second, "rui, rong").await;
    pictured(&second, "history").await;
    goes(&second, &rig, &place).await;
    shows(&second, "不再等候").await;

    // The ledger has each look and each decision, and whoever asks about the elder finds them.
    let about = ["search", "--citizen-id", &elder.citizen, "--json"];
    let looked = rig.ledger(&[&about[..], &["--kind", "review"]].concat());
    let said = rig.ledger(&[&about[..], &["--kind", "identity"]].concat());
    for name in ["\"rui\"", "\"rong\""] {
        assert!(looked.contains(name) && said.contains(name), "{name}: {looked} {said}");
    }
    assert!(looked.contains("DE02.01.039.00"), "which elements were seen: {looked}");
    assert!(!looked.contains("KANARIE") && !looked.contains(&elder.citizen));
    rig.ledger(&["verify"]);
    first.close().await.unwrap();
    second.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn not_the_same_outlives_what_comes_later_and_takes_one_reviewer() {
    let Some(driver) = Driver::start() else {
        return skipped("no chromium with chromedriver");
    };
    let rig = Rig::start();
    let rui = enrol(&rig, "rui", "reviewer");
    let elder = Elder::new(["李^秀英", "李^秀英"]);
    elder.arrives(&rig);
    let browser = enters(&driver, &rig, ("rui", &rui)).await;
    let place = opens_first(&browser, &rig).await;
    presses(&browser, "apart").await;
    shows(&browser, "已记为不是同一人").await;
    shows(&browser, "没有待审的登记对").await;
    elder.arrives(&rig);
    assert_eq!(elder.allergens(&rig), 0, "a later message joined them");
    goes(&browser, &rig, "/review").await;
    shows(&browser, "没有待审的登记对").await;
    goes(&browser, &rig, &place).await;
    shows(&browser, "主索引现在把它们当作两个人").await;
    // Two who never waited are nobody's to compare.
    rig.mllp().exchange(&Message::new("A28", &Resident::new()).bytes()).unwrap();
    assert_eq!(rig.stored("SELECT max(id) FROM person"), 3);
    for pair in ["/review/1/3", "/review/2/3", "/review/1/3/history", "/review/2/1"] {
        goes(&browser, &rig, pair).await;
        shows(&browser, "没有这一页").await;
    }

    // English, and nothing of the other language but the values.
    goes(&browser, &rig, &format!("{place}?lang=en")).await;
    shows(&browser, "Name and birth date agree").await;
    pictured(&browser, "english").await;
    browser.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_reviewer_sees_nobody_and_a_reviewer_sees_no_ledger() {
    let Some(driver) = Driver::start() else {
        return skipped("no chromium with chromedriver");
    };
    let rig = Rig::start();
    let users = [("lin", "auditor"), ("wei", "operator"), ("rui", "reviewer")];
    let told = users.map(|(name, role)| enrol(&rig, name, role));
    let elder = Elder::new(["张^秀兰", "张^秀兰"]);
    elder.arrives(&rig);
    // Somebody else under a number that is the elder's: held.
    let mut overlay = elder.first();
    overlay.segments[1] = format!("PID|1||{}^^^HOSP-A^MR||赵^大勇||19551231|M", elder.numbers[0]);
    let reply = rig.mllp().exchange(&overlay.bytes()).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AE");
    for ((name, role), who) in users.iter().zip(&told) {
        let browser = enters(&driver, &rig, (name, who)).await;
        shows(&browser, "身份审核").await;
        goes(&browser, &rig, "/review/1/2").await;
        let seen = match *role {
            "reviewer" => "张秀兰",
            _ => "您的角色不能查看此页",
        };
        shows(&browser, seen).await;
        assert_eq!(browser.source().await.unwrap().contains("张秀兰"), *role == "reviewer");
        goes(&browser, &rig, "/ledger").await;
        shows(&browser, if *role == "auditor" { "谁查看过此人" } else { "您的角色不能" }).await;
        if *role == "reviewer" {
            goes(&browser, &rig, "/review/held").await;
            shows(&browser, PLAIN_SENDER).await;
            shows(&browser, "--accept-overlay").await;
            assert!(!browser.source().await.unwrap().contains("大勇"));
            pictured(&browser, "held").await;
        }
        let wait = browser.wait().at_most(Duration::from_secs(5));
        wait.for_element(Locator::Css("main")).await.unwrap();
        browser.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_is_accepted_or_refused_by_two() {
    let Some(driver) = Driver::start() else {
        return skipped("no chromium with chromedriver");
    };
    let rig = Rig::start();
    let (rui, rong) = (enrol(&rig, "rui", "reviewer"), enrol(&rig, "rong", "reviewer"));
    let elder = Elder::new(["张^秀兰", "张^秀兰"]);
    elder.arrives_at_first(&rig);
    // Twice somebody else under the elder's number.
    for who in ["赵^大勇||19551231|M", "周^建国||19391111|M"] {
        let mut overlay = elder.first();
        overlay.segments[1] = format!("PID|1||{}^^^HOSP-A^MR||{who}", elder.numbers[0]);
        overlay.segments.push("AL1|1|DA|101^KANARIE-ALLERGY^CV05.01.038|SV".to_owned());
        let reply = rig.mllp().exchange(&overlay.bytes()).unwrap();
        assert_eq!(field(&reply, "MSA-1"), "AE");
    }
    let first = enters(&driver, &rig, ("rui", &rui)).await;
    for (button, seen) in [("refuse-2", "已提议"), ("accept-3", "已提议")] {
        goes(&first, &rig, "/review/held").await;
        presses(&first, button).await;
        shows(&first, seen).await;
    }
    assert!(first.find(Locator::Css("#accept-3")).await.is_err(), "one's own is offered");
    pictured(&first, "held-proposed").await;
    let second = enters(&driver, &rig, ("rong", &rong)).await;
    for (button, seen) in [("refuse-2", "已拒绝"), ("accept-3", "已接受")] {
        goes(&second, &rig, "/review/held").await;
        presses(&second, button).await;
        shows(&second, seen).await;
    }
    shows(&second, "没有挂起的消息").await;
    let states = "SELECT group_concat(state) = '0,2,0' FROM journal";
    assert_eq!(rig.stored(states), 1, "one is refused, one is applied");
    let said = rig.ledger(&["search", "--kind", "identity", "--json"]);
    for word in ["message 2: overlay refused", "message 3: overlay accepted"] {
        assert_eq!(said.matches(word).count(), 2, "{word}: {said}");
    }
    let about = rig.ledger(&["search", "--citizen-id", &elder.citizen, "--kind", "identity"]);
    assert!(about.lines().count() >= 4, "whoever asks about the elder finds it: {about}");
    rig.ledger(&["verify"]);
    first.close().await.unwrap();
    second.close().await.unwrap();
}
