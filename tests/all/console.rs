//! The console in a real Chromium, by keyboard alone.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use kangqiao_conformance::https;
use serde_json::json;

use crate::rig::message::{Message, Resident};
use crate::rig::{AGENT, PLAIN_SENDER, Rig, at, free_port, skipped, until};

/// A browser driver of our own, ended with the test.
pub struct Driver {
    child: Child,
    port: u16,
}

impl Driver {
    /// Starts it; `None` where there is no browser.
    pub fn start() -> Option<Self> {
        let exists = |name: &str| {
            let found = Command::new("sh").args(["-c", &format!("command -v {name}")]).output();
            found.is_ok_and(|output| output.status.success())
        };
        if !exists("chromium") || !exists("chromedriver") {
            return None;
        }
        let port = free_port();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}")).stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let driver = Self { child, port };
        until("chromedriver is ready", || {
            let mut link = https::Link::connect(&at(port), None).ok()?;
            link.get("/status").ok().filter(|reply| reply.status == 200)
        });
        Some(driver)
    }

    /// A browser with nothing in it.
    pub async fn browser(&self) -> Client {
        self.browser_with(&[]).await
    }

    /// The same with more options.
    pub async fn browser_with(&self, more: &[&str]) -> Client {
        let options =
            ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
        let options = [&options, more].concat();
        let wanted = json!({
            "acceptInsecureCerts": true,
            "goog:chromeOptions": { "args": options },
        });
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(wanted.as_object().unwrap().clone());
        builder.connect(&format!("http://{}", at(self.port))).await.unwrap()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// RFC 6238 with SHA-1, six digits, thirty seconds: written here a second time, so that
/// the console's own is compared with something.
pub fn one_time_code(secret: &str, seconds: u64) -> String {
    let mut bits = String::new();
    for letter in secret.bytes() {
        let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|known| *known == letter);
        bits += &format!("{:05b}", value.unwrap());
    }
    let bytes: Vec<u8> = bits
        .as_bytes()
        .chunks_exact(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &bytes);
    let tag = hmac::sign(&key, &(seconds / 30).to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[19] & 15);
    let number = u32::from_be_bytes(tag[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

#[test]
fn the_code_of_the_standard_is_ours() {
    // RFC 6238 appendix B, last six digits.
    assert_eq!(one_time_code("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", 59), "287082");
}

/// What a new user was told.
pub struct Enrolled {
    password: String,
    secret: String,
}

impl Enrolled {
    /// A connection to the console that has signed in, and its cookies.
    pub fn signed_in(&self, rig: &Rig, name: &str) -> (https::Link, String) {
        let (link, entered) = self.enter(rig, name);
        assert_eq!(entered.status, 303, "{}", String::from_utf8_lossy(&entered.body));
        let cookies = cookies(&entered);
        (link, cookies)
    }

    /// What the console says to whoever wants in, and the connection.
    pub fn enter(&self, rig: &Rig, name: &str) -> (https::Link, https::Reply) {
        let mut link = https::Link::connect(&at(rig.ports.console), Some(&rig.tls(""))).unwrap();
        let door = link.get("/sign-in").unwrap();
        let page = String::from_utf8_lossy(&door.body).into_owned();
        let token = page.split_once("name=\"form_token\" value=\"").unwrap().1;
        let token = token.split('"').next().unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let code = one_time_code(&self.secret, now);
        let (password, host) = (&self.password, at(rig.ports.console));
        let form = format!("form_token={token}&name={name}&password={password}&code={code}");
        let head = format!(
            "POST /sign-in HTTP/1.1\r\nhost: {host}\r\ncookie: {}\r\n\
             sec-fetch-site: same-origin\r\norigin: https://{host}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            cookies(&door),
            form.len()
        );
        let entered = link.ask(head.as_bytes()).unwrap();
        (link, entered)
    }
}

fn cookies(reply: &https::Reply) -> String {
    let set = reply.headers.iter().filter(|(name, _)| name == "set-cookie");
    let pairs: Vec<_> = set.filter_map(|(_, value)| value.split(';').next()).collect();
    pairs.join("; ")
}

/// Makes a user of the console.
pub fn enrol(rig: &Rig, name: &str, role: &str) -> Enrolled {
    let printed =
        rig.succeed(&["user", "--users", "users.toml", "add", "--name", name, "--role", role]);
    let word = |key: &str| {
        let line = printed.lines().find(|line| line.starts_with(key)).unwrap();
        line[key.len()..].trim().to_owned()
    };
    let secret = word("code").split_once("secret=").unwrap().1.to_owned();
    let secret = secret.split('&').next().unwrap().to_owned();
    Enrolled { password: word("password"), secret }
}

/// Types where the focus is.
pub async fn type_in(browser: &Client, text: &str) {
    browser.active_element().await.unwrap().send_keys(text).await.unwrap();
}

/// Goes on by the tabulator until a link or an id has the focus.
pub async fn tab_to(browser: &Client, wanted: &str) {
    for _ in 0..60 {
        type_in(browser, &Key::Tab.to_string()).await;
        let script = "const e = document.activeElement; return (e.getAttribute('href') || e.id)";
        let here = browser.execute(script, Vec::new()).await.unwrap();
        if here == wanted {
            return;
        }
    }
    panic!("the keyboard does not reach {wanted}");
}

/// Waits until the page shows a text.
pub async fn shows(browser: &Client, text: &str) {
    let found = browser.wait().at_most(Duration::from_secs(30));
    let path = format!("//main[contains(., '{text}')]");
    if found.for_element(Locator::XPath(&path)).await.is_err() {
        panic!("the page does not show {text}: {}", browser.source().await.unwrap());
    }
}

/// Signs in by keyboard.
pub async fn sign_in(browser: &Client, rig: &Rig, name: &str, enrolled: &Enrolled) {
    browser.goto(&format!("https://{}/sign-in", at(rig.ports.console))).await.unwrap();
    let tab = Key::Tab.to_string();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    type_in(browser, &format!("{name}{tab}")).await;
    type_in(browser, &format!("{}{tab}", enrolled.password)).await;
    let code = one_time_code(&enrolled.secret, now);
    type_in(browser, &format!("{code}{}", Key::Enter)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_finds_who_saw_a_person_by_keyboard_alone() {
    let Some(driver) = Driver::start() else {
        return skipped("no chromium with chromedriver");
    };
    let rig = Rig::start();
    let auditor = enrol(&rig, "lin", "auditor");
    let resident = Resident::new();
    rig.mllp().exchange(&Message::new("A01", &resident).bytes()).unwrap();
    let answer = rig.ask(
        AGENT,
        &json!({
            "identifier": { "kind": "citizen-id", "value": resident.citizen },
            "purpose": "emergency-card",
            "evidence": { "call": crate::rig::call() },
        }),
    );
    let receipt = answer.json()["receipt"].as_str().unwrap().to_owned();

    let browser = driver.browser().await;
    sign_in(&browser, &rig, "lin", &auditor).await;
    // Overview: received = kept + quarantined + refused, by sender.
    shows(&browser, PLAIN_SENDER).await;
    let figure = browser.find(Locator::Css(".equation .kept strong")).await.unwrap();
    assert_eq!(figure.text().await.unwrap(), "1");

    tab_to(&browser, "/ledger").await;
    type_in(&browser, &Key::Enter.to_string()).await;
    browser.wait().for_element(Locator::Css("#value")).await.unwrap();
    tab_to(&browser, "value").await;
    type_in(&browser, &format!("{}{}", resident.citizen, Key::Enter)).await;
    shows(&browser, "紧急救助卡").await;
    let row = "//tr[contains(., '紧急救助卡')]//a";
    let entry = browser.find(Locator::XPath(row)).await.unwrap().attr("href").await.unwrap();
    let page = browser.source().await.unwrap();
    assert!(!page.contains(&resident.citizen), "the page names the person");
    tab_to(&browser, &entry.unwrap()).await;
    type_in(&browser, &Key::Enter.to_string()).await;
    shows(&browser, &receipt).await;

    // The language switch, still by keyboard.
    assert_eq!(language(&browser).await, "zh-CN");
    browser.goto(&format!("https://{}/ledger", at(rig.ports.console))).await.unwrap();
    tab_to(&browser, "/ledger?lang=en").await;
    type_in(&browser, &Key::Enter.to_string()).await;
    browser.wait().for_element(Locator::Css("html[lang=en]")).await.unwrap();
    let log = browser.execute("return document.styleSheets.length", Vec::new()).await.unwrap();
    assert_eq!(log, 1, "the style sheet was refused by the content security policy");
    browser.close().await.unwrap();
}

async fn language(browser: &Client) -> String {
    let found = browser.execute("return document.documentElement.lang", Vec::new()).await;
    found.unwrap().as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_no_ledger_and_a_wrong_code_opens_nothing() {
    let Some(driver) = Driver::start() else {
        return skipped("no chromium with chromedriver");
    };
    let rig = Rig::start();
    let operator = enrol(&rig, "wei", "operator");
    let browser = driver.browser().await;
    let stolen = Enrolled { secret: "A".repeat(32), password: operator.password.clone() };
    sign_in(&browser, &rig, "wei", &stolen).await;
    browser.wait().for_element(Locator::Css("[role=alert]")).await.unwrap();
    sign_in(&browser, &rig, "wei", &operator).await;
    browser.wait().for_element(Locator::Css(".equation")).await.unwrap();
    browser.goto(&format!("https://{}/ledger", at(rig.ports.console))).await.unwrap();
    assert!(browser.find(Locator::Css("#value")).await.is_err(), "an operator sees the ledger");
    browser.close().await.unwrap();
}

/// What a script of the test finds.
async fn told(browser: &Client, script: &str) -> serde_json::Value {
    browser.execute(&format!("return {script}"), Vec::new()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_shows_what_came_without_being_loaded_again() {
    let Some(driver) = Driver::start() else {
        return skipped("no chromium with chromedriver");
    };
    let rig = Rig::start();
    let operator = enrol(&rig, "wei", "operator");
    let browser = driver.browser().await;
    sign_in(&browser, &rig, "wei", &operator).await;
    browser.wait().for_element(Locator::Css(".equation")).await.unwrap();
    browser.execute("window.mark = 'the same page'", Vec::new()).await.unwrap();
    assert_eq!(told(&browser, "htmx.config.allowEval").await, false);
    let received = |count: usize| {
        let path = format!("//*[@class='received'][contains(., '{count}')]");
        async {
            let path = path;
            let found = browser.wait().at_most(Duration::from_secs(60));
            found.for_element(Locator::XPath(&path)).await.unwrap();
        }
    };
    rig.mllp().exchange(&Message::new("A01", &Resident::new()).bytes()).unwrap();
    received(1).await;
    let drawn = "document.querySelectorAll('#chart-flow .uplot canvas').length";
    assert_eq!(told(&browser, drawn).await, 1);
    let count = "document.querySelector('#table-flow td').dataset.count";
    assert_eq!(told(&browser, count).await, "1");
    browser.execute("document.getElementById('table-flow').open = true", Vec::new()).await.unwrap();
    rig.mllp().exchange(&Message::new("A01", &Resident::new()).bytes()).unwrap();
    received(2).await;
    assert_eq!(told(&browser, "document.getElementById('table-flow').open").await, true);
    assert_eq!(told(&browser, drawn).await, 1, "it is drawn once");
    assert_eq!(told(&browser, "window.mark").await, "the same page");
    crate::review::pictured(&browser, "live").await;
    crate::accessible::sound(&browser).await;
    browser.close().await.unwrap();
}

#[test]
fn the_console_is_strict_about_what_a_browser_may_do() {
    let rig = Rig::shared();
    let mut link = https::Link::connect(&at(rig.ports.console), Some(&rig.tls(""))).unwrap();
    let reply = link.get("/sign-in").unwrap();
    assert_eq!(reply.status, 200);
    let policy = reply.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    for path in ["/overview", "/ledger", "/ledger/latest", "/ledger/entry/1"] {
        let reply = link.get(path).unwrap();
        assert!(reply.status != 200, "{path} is open to everybody");
    }
}
