//! The console's pages as axe judges them (WCAG 2 A and AA, and its own best practices), in light
//! and dark, in both languages: nothing serious. A defect put in by hand is found.

use std::path::PathBuf;

use fantoccini::Client;
use serde_json::{Value, json};

use crate::console::{Driver, Enrolled, enrol, shows, sign_in};
use crate::invite::link;
use crate::rig::message::{Message, Resident};
use crate::rig::{AGENT, CLERK, Rig, at, skipped};

/// Who sees which pages.
const PAGES: [(&str, &[&str]); 4] = [
    (
        "auditor",
        &[
            "/overview",
            "/ledger",
            "/ledger/latest",
            "/ledger/entry/1",
            "/ledger/entry/999999",
            "/ledger/department?name=hotline-12349&kind=disclosure",
            "/ledger/tickets",
            "/ledger/accounts",
            "/ledger/holds",
            "/ledger/doubts",
            "/trace",
            "/trace/message/1",
            "/trace/quarantine",
            "/trace/replays",
        ],
    ),
    (
        "operator",
        &[
            "/overview",
            "/trace/message/2",
            "/trace/quarantine",
            "/trace/replays/preview",
            "/ledger",
        ],
    ),
    (
        "policy-administrator",
        &["/policies", "/policies/cells", "/policies/why", "/policies/proposal"],
    ),
    ("reviewer", &["/review", "/review/history", "/nowhere"]),
];

/// axe, if it is there.
fn axe() -> Option<String> {
    let clients = std::env::var_os("KANGQIAO_CLIENTS").map(PathBuf::from)?;
    std::fs::read_to_string(clients.join("axe/node_modules/axe-core/axe.min.js")).ok()
}

/// A gateway with something on every page.
fn inhabited() -> Rig {
    let rig = Rig::start();
    let resident = Resident::new();
    rig.mllp().exchange(&Message::new("A01", &resident).bytes()).unwrap();
    let mut odd = Message::new("A01", &Resident::new());
    odd.segments[1] = odd.segments[1].replace("|M", "|male");
    rig.mllp().exchange(&odd.bytes()).unwrap();
    let question = json!({
        "identifier": { "kind": "citizen-id", "value": resident.citizen },
        "purpose": "emergency-card",
        "evidence": { "call": crate::rig::call() },
    });
    assert_eq!(rig.ask(AGENT, &question).status, 200);
    assert_eq!(rig.ask(CLERK, &question).status, 403);
    rig
}

/// What axe finds that is serious: rule, impact and where.
async fn judged(browser: &Client, axe: &str) -> Vec<String> {
    browser.execute(axe, Vec::new()).await.unwrap();
    let script = "const done = arguments[arguments.length - 1]; axe.run().then(done);";
    let found = browser.execute_async(script, Vec::new()).await.unwrap();
    let violations = found["violations"].as_array().expect("axe ran").iter();
    let serious = |one: &&Value| ["serious", "critical"].contains(&one["impact"].as_str().unwrap());
    let told = |one: &Value| format!("{} {}: {}", one["id"], one["impact"], one["nodes"]);
    violations.filter(serious).map(told).collect()
}

/// Nothing serious on the page a browser shows, where there is axe.
pub async fn sound(browser: &Client) {
    let Some(axe) = axe() else { return skipped("no axe") };
    let found = judged(browser, &axe).await;
    assert!(found.is_empty(), "{found:#?}");
}

async fn walk(rig: &Rig, browser: &Client, (axe, pages): (&str, &[&str])) {
    for page in pages {
        for language in ["zh", "en"] {
            let mark = if page.contains('?') { '&' } else { '?' };
            let place = format!("https://{}{page}{mark}lang={language}", at(rig.ports.console));
            browser.goto(&place).await.unwrap();
            let found = judged(browser, axe).await;
            assert!(found.is_empty(), "{page} {language}: {found:#?}");
        }
    }
}

/// What a browser is started with to be dark or light.
fn scheme(dark: bool) -> String {
    format!("--blink-settings=preferredColorScheme={}", u8::from(!dark))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_has_anything_serious_in_light_or_dark_or_either_language() {
    let Some(driver) = Driver::start() else {
        return skipped("no chromium with chromedriver");
    };
    let Some(axe) = axe() else { return skipped("no axe") };
    let rig = inhabited();
    // While nobody has the role the machine's word is enough.
    let invitation = link(&rig, "new", "operator");
    for dark in [false, true] {
        let browser = driver.browser_with(&[&scheme(dark)]).await;
        browser.goto(&invitation).await.unwrap();
        shows(&browser, "").await;
        let found = judged(&browser, &axe).await;
        assert!(found.is_empty(), "/invitation: {found:#?}");
        browser.close().await.unwrap();
    }
    for (role, pages) in PAGES {
        for dark in [false, true] {
            let name = format!("{}{}", &role[..3], if dark { "-dark" } else { "" });
            let user: Enrolled = enrol(&rig, &name, role);
            let browser = driver.browser_with(&[&scheme(dark)]).await;
            let asked = "return matchMedia('(prefers-color-scheme: dark)').matches";
            browser.goto(&format!("https://{}/sign-in", at(rig.ports.console))).await.unwrap();
            assert_eq!(browser.execute(asked, Vec::new()).await.unwrap(), dark);
            let found = judged(&browser, &axe).await;
            assert!(found.is_empty(), "/sign-in: {found:#?}");
            sign_in(&browser, &rig, &name, &user).await;
            shows(&browser, "").await;
            walk(&rig, &browser, (&axe, pages)).await;
            if role == "auditor" {
                let defect = "const h1 = document.querySelector('h1'); h1.style.color = '#bbb';
                    h1.style.background = '#ccc';
                    h1.insertAdjacentHTML('afterend', '<input type=text>');";
                browser.execute(defect, Vec::new()).await.unwrap();
                let found = judged(&browser, &axe).await.concat();
                assert!(found.contains("\"label\"") && found.contains("contrast"), "{found}");
            }
            browser.close().await.unwrap();
        }
    }
}
