//! `kangqiao policy`: what an edit would open is seen before it serves.

use std::path::Path;
use std::process::{Command, Output};

use fantoccini::Locator;

use crate::console::{Driver, Enrolled, enrol, shows};
use crate::review::{enters, goes, pictured, presses};
use crate::rig::message::{Message, Resident};
use crate::rig::{AGENT, Rig, skipped};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A copy of the shipped policies, beside a configuration that names it.
struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        let text = std::fs::read_to_string(Path::new(ROOT).join("kangqiao.toml")).unwrap();
        std::fs::write(site.0.path().join("kangqiao.toml"), text).unwrap();
        let mappings = Path::new(ROOT).join("mappings");
        std::os::unix::fs::symlink(mappings, site.0.path().join("mappings")).unwrap();
        let to = site.0.path().join("policies");
        std::fs::create_dir(&to).unwrap();
        for entry in std::fs::read_dir(Path::new(ROOT).join("policies")).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
        site
    }

    fn change(&self, file: &str, from: &str, to: &str) {
        let path = self.0.path().join("policies").join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file}: {from}");
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    fn run(&self, args: &[&str], code: i32) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kangqiao"));
        command.arg("policy").args(args).current_dir(self.0.path());
        let Output { status, stdout, stderr } = command.output().unwrap();
        let said = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(code), "{args:?}: {said}");
        said
    }
}

#[test]
fn the_shipped_policies_are_sound_and_every_rule_is_exercised() {
    let site = Site::new();
    let said = site.run(&["check"], 0);
    assert!(said.contains("策略正确") && said.contains("红线 laws     13"), "{said}");
    let said = site.run(&["test"], 0);
    assert!(said.contains("  never-protected-infection\n"), "{said}");
    // `policy explain` is `explain`.
    let desk = ["explain", "--department", "community", "--purpose", "contract-status"];
    let said = site.run(&desk, 0);
    assert!(said.contains("← community-contract"), "{said}");
}

#[test]
fn a_broken_law_and_a_bare_rule_are_told_where_they_stand() {
    let site = Site::new();
    site.change("community.examples.toml", "\"MZ.check.last-date\" = \"full\", ", "");
    site.run(&["check"], 0);
    let said = site.run(&["test"], 1);
    let bare = "policies/community.cedar:11:1: no example exercises rule community-check-date";
    assert!(said.contains(bare), "{said}");
    site.change("audit.cedar", "forbid (", "permit (");
    let said = site.run(&["check"], 1);
    let broken = "policies/audit.cedar:3:1: rule audit-sees-no-values breaks law \
                  auditor-sees-no-values: audit-office auditor audit ";
    assert!(said.contains(broken), "{said}");
}

#[test]
fn a_comparison_tells_by_its_number_what_an_edit_would_open() {
    let (old, new) = (Site::new(), Site::new());
    let diff = |from: &Site, to: &Site, code: i32| {
        let folder = |site: &Site| site.0.path().join("policies").display().to_string();
        from.run(&["diff", &folder(from), &folder(to)], code)
    };
    assert_eq!(diff(&old, &new, 0), "变化 changes 0, 放宽 wider 0\n");
    let existence = "action == Action::\"existence\"";
    new.change("community.cedar", existence, "action == Action::\"generalised\"");
    let seen = "\"MZ.check.notice-date\" = \"existence\"";
    new.change("community.examples.toml", seen, "\"MZ.check.notice-date\" = \"generalised\"");
    let cell = "community worker contract-status MZ.check.notice-date 体检通知日期: ";
    let there = format!("+ {cell}existence → generalised year (community-check-notice)\n");
    assert_eq!(diff(&old, &new, 2), there + "变化 changes 1, 放宽 wider 1\n");
    let back = format!("- {cell}generalised year → existence (community-check-notice)\n");
    assert_eq!(diff(&new, &old, 1), back + "变化 changes 1, 放宽 wider 0\n");
    new.change("community.cedar", "permit (", "permitt (");
    assert!(diff(&old, &new, 3).contains("policies/community.cedar:4:"));
}

/// An edit of the policies in a gateway's folder.
fn edit(rig: &Rig, file: &str, from: &str, to: &str) {
    let path = rig.path().join("policies").join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file}: {from}");
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

/// The community office gets the year of a notice, or that there was one.
fn widen(rig: &Rig, wider: bool) {
    for (file, key) in [
        ("community.cedar", "action == Action::"),
        ("community.examples.toml", "\"MZ.check.notice-date\" = "),
    ] {
        let (narrow, wide) = (format!("{key}\"existence\""), format!("{key}\"generalised\""));
        let (from, to) = if wider { (&narrow, &wide) } else { (&wide, &narrow) };
        edit(rig, file, from, to);
    }
}

/// What the ledger says of policies, oldest first, without versions.
fn entries(rig: &Rig) -> Vec<String> {
    let lines =
        rig.succeed(&["ledger", "export", "--config", "kangqiao.toml", "--format", "jsonl"]);
    let found = lines.lines().filter(|line| line.contains("\"kind\":\"policy\""));
    let words = found.map(|line| {
        let subject = line.split("\"subject\":\"").nth(1).unwrap().split('"').next().unwrap();
        subject.split_once(", ").unwrap().1.to_owned()
    });
    words.collect()
}

#[test]
fn what_widens_waits_and_neither_a_reload_nor_a_start_is_a_way_around() {
    let rig = Rig::start();
    let apply = |more: &[&str]| rig.succeed(&[&["policy", "apply"], more].concat());
    let first = version(&rig);
    assert!(apply(&[]).contains(&format!("policies {first} serve already")));
    widen(&rig, true);
    let refused = rig.run(&["reload"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success());
    let line = "+ community worker contract-status MZ.check.notice-date 体检通知日期: \
                existence → generalised year (community-check-notice)";
    assert!(said.contains("kangqiao policy apply") && said.contains(line), "{said}");
    let compared = rig.run(&["policy", "diff", "--config", "kangqiao.toml"]);
    assert_eq!(compared.status.code(), Some(2));
    let said = apply(&[]);
    assert!(said.contains(line) && said.contains("待批准"), "{said}");
    let versions = rig.succeed(&["policy", "versions"]);
    assert!(versions.contains(&first) && versions.contains("\"wider\":1"), "{versions}");
    // What waits serves nobody.
    assert_eq!(version(&rig), first);
    rig.stop();
    let said = String::from_utf8(rig.run(&["serve"]).stderr).unwrap();
    assert!(said.contains(line) && said.contains(&first), "{said}");
    widen(&rig, false);
    rig.resume();
    assert_eq!(version(&rig), first);
    assert_eq!(entries(&rig), ["0 wider: in force", "1 wider: proposed"]);
}

#[test]
fn what_cannot_be_compared_does_not_serve() {
    let rig = Rig::start();
    let first = version(&rig);
    rig.stop();
    widen(&rig, true);
    std::fs::remove_file(rig.path().join(format!("data/policies/{first}.json"))).unwrap();
    let said = String::from_utf8(rig.run(&["serve"]).stderr).unwrap();
    assert!(said.contains(&format!("version {first} of the policies was in force")), "{said}");
    let config = std::fs::read_to_string(rig.config()).unwrap();
    std::fs::write(rig.config(), format!("policy_widening = \"one-person\"\n{config}")).unwrap();
    rig.resume();
    assert_ne!(version(&rig), first);
}

#[test]
fn what_narrows_serves_at_once_and_the_way_back_waits() {
    let rig = Rig::start();
    let apply = |more: &[&str]| rig.succeed(&[&["policy", "apply"], more].concat());
    let first = version(&rig);
    edit(
        &rig,
        "community.cedar",
        "resource == Element::\"MZ.check.last-date\"",
        "resource == Element::\"MZ.check.notice-date\"",
    );
    edit(&rig, "community.examples.toml", "\"MZ.check.last-date\" = \"full\", ", "");
    edit(
        &rig,
        "community.cedar",
        "action == Action::\"full\",\n  resource == Element::\"MZ.check.notice-date\"",
        "action == Action::\"existence\",\n  resource == Element::\"MZ.check.notice-date\"",
    );
    let said = apply(&[]);
    assert!(said.contains("- community worker contract-status MZ.check.last-date"), "{said}");
    assert!(said.contains("已生效"), "{said}");
    let second = version(&rig);
    assert_ne!(first, second);
    let said = apply(&["--back", &first]);
    assert!(said.contains("待批准") && said.contains("full ("), "{said}");
    assert_eq!(version(&rig), second);
    let odd = rig.run(&["policy", "apply", "--back", "0123456789abcdef"]);
    assert!(String::from_utf8(odd.stderr).unwrap().contains("is not kept"));
    assert_eq!(entries(&rig), ["0 wider: in force", "0 wider: in force", "1 wider: proposed"]);
}

#[test]
fn where_one_person_may_widen_a_reload_does() {
    let rig = Rig::prepare("policy_widening = \"one-person\"");
    rig.resume();
    let first = version(&rig);
    widen(&rig, true);
    rig.succeed(&["reload"]);
    let second = version(&rig);
    assert_ne!(first, second);
    let said = rig.succeed(&["policy", "apply", "--back", &first]);
    assert!(said.contains("已生效"), "{said}");
    assert_eq!(version(&rig), first);
    let said = rig.succeed(&["policy", "apply"]);
    assert!(said.contains("已生效") && version(&rig) == second, "{said}");
    assert_eq!(
        entries(&rig),
        ["0 wider: in force", "1 wider: in force", "0 wider: in force", "1 wider: in force"]
    );
}

#[test]
fn an_edit_is_weighed_against_what_was_disclosed() {
    let rig = Rig::start();
    let card = |resident: &Resident| {
        let question = serde_json::json!({
            "identifier": { "kind": "citizen-id", "value": resident.citizen },
            "purpose": "emergency-card",
            "evidence": { "call": crate::rig::call() },
        });
        assert_eq!(rig.ask(AGENT, &question).status, 200);
    };
    let (allergic, other) = (Resident::new(), Resident::new());
    let mut message = Message::new("A01", &allergic);
    message.segments.push("AL1|1|DA|101^青霉素^CV05.01.038|SV".to_owned());
    rig.mllp().exchange(&message.bytes()).unwrap();
    rig.mllp().exchange(&Message::new("A01", &other).bytes()).unwrap();
    [&allergic, &allergic, &other].into_iter().for_each(card);
    let compare = |code: i32, differ: u64| {
        let compared = rig.run(&["policy", "diff", "--config", "kangqiao.toml"]);
        assert_eq!(compared.status.code(), Some(code));
        let said = String::from_utf8(compared.stdout).unwrap();
        let line = format!("disclosures of 30 days 3, 会不同 would differ {differ}\n");
        assert!(said.contains(&line), "{said}");
    };
    compare(0, 0);
    // Nobody had a key: the edit changes a cell, and nothing that was told.
    edit(&rig, "purposes.toml", "  \"MZ.emergency.key-location\",  # 钥匙存放位置\n", "");
    edit(&rig, "hotline.examples.toml", ", \"MZ.emergency.key-location\" = \"full\"", "");
    compare(1, 0);
    edit(&rig, "purposes.toml", "  \"DE05.01.022.00\",             # 过敏源\n", "");
    edit(&rig, "hotline.examples.toml", "\"DE05.01.022.00\" = \"full\", ", "");
    compare(1, 2);
}

/// The version in force, as the gateway says.
fn version(rig: &Rig) -> String {
    let versions = rig.succeed(&["policy", "versions"]);
    let last: serde_json::Value = serde_json::from_str(versions.lines().next().unwrap()).unwrap();
    last["policies"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_widens_serves_once_two_administrators_have_accepted_it() {
    let Some(driver) = Driver::start() else {
        return skipped("no chromium with chromedriver");
    };
    let rig = Rig::start();
    let [pan, ping] = ["pan", "ping"].map(|name| enrol(&rig, name, "policy-administrator"));
    let first = version(&rig);
    widen(&rig, true);
    rig.succeed(&["policy", "apply"]);
    let one = enters(&driver, &rig, ("pan", &pan)).await;
    goes(&one, &rig, "/policies").await;
    shows(&one, "社区居委会").await;
    pictured(&one, "policies").await;
    goes(
        &one,
        &rig,
        "/policies/cells?department=care-home&role=doctor&purpose=institution-admission",
    )
    .await;
    shows(&one, "care-institution-doctor-problems").await;
    pictured(&one, "policy-cells").await;
    goes(&one, &rig, "/policies/why").await;
    presses(&one, "element").await;
    pictured(&one, "policy-why").await;
    goes(&one, &rig, "/policies/proposal").await;
    shows(&one, "＋ 放宽").await;
    pictured(&one, "policy-proposal").await;
    presses(&one, "accept").await;
    shows(&one, "等候另一位策略管理员").await;
    assert_eq!(version(&rig), first);
    let styles = one.execute("return document.styleSheets.length", Vec::new()).await.unwrap();
    assert_eq!(styles, 1, "the style sheet was refused by the content security policy");
    // One person is not two, nor is what was proposed anew what was accepted.
    assert!(one.find(Locator::Css("#accept")).await.is_err(), "one's own is offered");
    let two = enters(&driver, &rig, ("ping", &ping)).await;
    goes(&two, &rig, "/policies/proposal").await;
    presses(&two, "accept").await;
    shows(&two, "已生效").await;
    shows(&two, "没有等候批准的策略变更").await;
    assert_ne!(version(&rig), first);
    // The folder is what serves, so a reload and a start change nothing.
    rig.succeed(&["reload"]);
    rig.stop();
    rig.resume();
    assert_ne!(version(&rig), first);

    one.close().await.unwrap();
    two.close().await.unwrap();
    goes_back_and_is_refused(&driver, &rig, (&first, &ping)).await;
}

/// The way back narrows; forth again, one refuses.
async fn goes_back_and_is_refused(driver: &Driver, rig: &Rig, (first, ping): (&str, &Enrolled)) {
    rig.succeed(&["policy", "apply", "--back", first]);
    assert_eq!(version(rig), first);
    rig.succeed(&["policy", "apply"]);
    // It was started anew, so nobody is signed in any more.
    let two = enters(driver, rig, ("ping", ping)).await;
    goes(&two, rig, "/policies/proposal").await;
    presses(&two, "refuse").await;
    shows(&two, "已拒绝").await;
    assert_eq!(version(rig), first);
    assert_eq!(
        entries(rig),
        [
            "0 wider: in force",
            "1 wider: proposed",
            "1 wider: accepted",
            "1 wider: accepted",
            "1 wider: in force",
            "0 wider: in force",
            "1 wider: proposed",
            "1 wider: refused",
        ]
    );
    let said = rig.ledger(&["search", "--kind", "policy", "--json"]);
    assert!(said.contains("\"asker\":\"pan\"") && said.contains("\"asker\":\"ping\""), "{said}");
    rig.ledger(&["verify"]);
    two.close().await.unwrap();
}
