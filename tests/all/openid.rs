//! Sign-in to the console by a provider of OpenID Connect that others wrote, in a real browser.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::key::Key;
use fantoccini::{Client, Locator};

use crate::console::{Driver, shows, type_in};
use crate::rig::{ROOT, Rig, at, free_port, skipped};

/// The provider, ended with the test.
struct Provider(Child);

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where its modules lie, if they are there.
fn modules() -> Option<PathBuf> {
    let clients = std::env::var_os("KANGQIAO_CLIENTS").map(PathBuf::from)?;
    let modules = clients.join("openid");
    modules.join("node_modules/oidc-provider").is_dir().then_some(modules)
}

fn provider(rig: &Rig, port: u16, modules: &Path) -> Provider {
    let certs = rig.path().join("certs");
    let mut command = Command::new("node");
    command.arg(Path::new(ROOT).join("scripts/openid/provider.mjs")).arg(port.to_string());
    command.args([certs.join("platform.pem"), certs.join("platform.key")]);
    command.arg(format!("https://{}/sign-in/provider/back", at(rig.ports.console))).arg(modules);
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = piped.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let provider = Provider(child);
    assert!(lines.any(|line| line.unwrap() == "ready"), "the provider ended");
    // What it says later goes nowhere, and hinders nobody.
    std::thread::spawn(move || lines.count());
    provider
}

async fn press(browser: &Client, place: &str) {
    let wait = browser.wait().at_most(Duration::from_secs(30));
    wait.for_element(Locator::Css(place)).await.unwrap().click().await.unwrap();
}

/// Goes through the provider's own pages as somebody.
async fn signs_in(browser: &Client, rig: &Rig, name: &str) {
    browser.goto(&format!("https://{}/sign-in", at(rig.ports.console))).await.unwrap();
    press(browser, "a[href='/sign-in/provider']").await;
    press(browser, "input[name=login]").await;
    type_in(browser, &format!("{name}{}whatever{}", Key::Tab, Key::Enter)).await;
    // Its second page asks whether the console may know.
    let wait = browser.wait().at_most(Duration::from_secs(30));
    wait.for_element(Locator::Css("input[name=prompt][value=consent]")).await.unwrap();
    press(browser, "button[type=submit]").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_the_provider_knows_as_an_auditor_is_one_and_another_is_refused() {
    let Some(driver) = Driver::start() else {
        return skipped("no chromium with chromedriver");
    };
    let Some(modules) = modules() else { return skipped("no provider of OpenID Connect") };
    let port = free_port();
    let rig = Rig::prepare("sandbox = \"best\"");
    let config = std::fs::read_to_string(rig.config()).unwrap();
    let openid = format!(
        "[console.openid]\nissuer = \"https://localhost:{port}\"\nname = \"house\"\n\
         client_id = \"kangqiao\"\nclient_secret = \"keys/openid.secret\"\n\
         authority = \"certs/ca.pem\"\nroles = {{ kq-auditors = \"auditor\" }}\n\n[operation]"
    );
    std::fs::write(rig.config(), config.replacen("[operation]", &openid, 1)).unwrap();
    std::fs::create_dir_all(rig.path().join("keys")).unwrap();
    let secret = rig.path().join("keys/openid.secret");
    std::fs::write(&secret, "a secret of the client\n").unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&secret, private).unwrap();
    rig.resume();
    let _provider = provider(&rig, port, &modules);

    let browser = driver.browser().await;
    signs_in(&browser, &rig, "lin").await;
    let wait = browser.wait().at_most(Duration::from_secs(30));
    wait.for_element(Locator::Css(".equation")).await.unwrap();
    browser.goto(&format!("https://{}/ledger/latest", at(rig.ports.console))).await.unwrap();
    shows(&browser, "登录").await;
    browser.close().await.unwrap();

    let browser = driver.browser().await;
    signs_in(&browser, &rig, "wen").await;
    shows(&browser, "您的账号没有控制台身份").await;
    browser.close().await.unwrap();
    let entries = rig.ledger(&["search", "--kind", "sign-in", "--json"]);
    for words in ["house#lin signed-in by openid", "house#wen refused by openid"] {
        assert!(entries.contains(words), "{words}: {entries}");
    }
}
