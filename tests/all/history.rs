//! 个人信息查阅记录, what a person is handed who asks who saw his data.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use kangqiao_conformance::https;
use serde_json::json;

use crate::console::enrol;
use crate::rig::message::{Message, Resident};
use crate::rig::{AGENT, CLERK, Rig, WORKER, at, call, skipped};

/// How often the clerk asks: more than one sheet of paper holds.
const QUESTIONS: usize = 12;

/// A resident about whom several have asked, and the receipts they got.
fn asked_about(rig: &Rig) -> (Resident, Vec<String>) {
    let resident = Resident::new();
    rig.mllp().exchange(&Message::new("A28", &resident).bytes()).unwrap();
    let ask = |who, purpose, evidence| {
        let identifier = json!({ "kind": "citizen-id", "value": resident.citizen });
        let body = json!({ "identifier": identifier, "purpose": purpose, "evidence": evidence });
        rig.ask(who, &body).json()["receipt"].as_str().unwrap().to_owned()
    };
    let mut receipts: Vec<_> =
        (0..QUESTIONS).map(|_| ask(CLERK, "living-check", json!({}))).collect();
    receipts.push(ask(AGENT, "emergency-card", json!({ "call": call() })));
    receipts.push(ask(WORKER, "subsidy-eligibility", json!({})));
    (resident, receipts)
}

/// `kangqiao ledger history` with the number typed where no process list shows it.
fn history(rig: &Rig, resident: &Resident, words: &[&str]) -> Output {
    use std::io::Write;
    let mut command = Command::new(env!("CARGO_BIN_EXE_kangqiao"));
    command.args(["ledger", "history", "--config"]).arg(rig.config());
    command.args(["--citizen-id", "-"]).args(words).current_dir(rig.path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // One that is refused before it reads hears nothing.
    let _ = writeln!(stdin, "{}", resident.citizen);
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn made(rig: &Rig, resident: &Resident, (name, words): (&str, &[&str])) -> PathBuf {
    let folder = tempfile::tempdir_in(rig.path()).unwrap().keep();
    let path = folder.join(name);
    let output = ["--output", path.to_str().unwrap()];
    let done = history(rig, resident, &[words, &output].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    path
}

/// The text of each page, as a foreign reader finds it; `None` where there is no reader.
fn pages(pdf: &Path) -> Option<Vec<String>> {
    let output = Command::new("pdftotext").arg("-layout").arg(pdf).arg("-").output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.trim_end_matches('\u{c}').split('\u{c}').map(str::to_owned).collect())
}

/// How often it is in the ledger that a history was made.
fn entered(rig: &Rig, resident: &Resident) -> Vec<String> {
    let page = std::fs::read_to_string(made(rig, resident, ("copy.html", &["--data", "data"])));
    let page = page.unwrap();
    assert!(page.contains("由台账副本制作，其制作未登记"));
    let rows = page.split("或制作了本人的查阅记录").skip(1);
    rows.map(|rest| rest.split_once("回执号 ").unwrap().1[..26].to_owned()).collect()
}

#[test]
fn a_person_is_handed_what_the_ledger_says_of_him() {
    let rig = Rig::shared();
    let (resident, receipts) = asked_about(&rig);
    assert!(entered(&rig, &resident).is_empty());
    let page = std::fs::read_to_string(made(&rig, &resident, ("history.html", &[]))).unwrap();
    for receipt in &receipts {
        assert!(page.contains(receipt), "{receipt}");
    }
    for words in [
        format!("本人的信息被查阅 {} 次", QUESTIONS + 1),
        "另有 1 次查阅要求被拒绝".to_owned(),
        "民政局的经办人为“生存状态核验”查阅了本人的信息".to_owned(),
        "发生过 1 次紧急调阅，其中 1 次尚待事后复核".to_owned(),
        "社区居委会的工作人员".to_owned(),
        "kangqiao.test.example".to_owned(),
    ] {
        assert!(page.contains(&words), "{words}");
    }
    for value in [&resident.citizen, &resident.local, "CALL-"] {
        assert!(!page.contains(value), "a value of the person or a word of a peer");
    }
    // That it was made is an entry, whose receipt stands in its own head.
    let receipt = entered(&rig, &resident);
    assert_eq!(receipt.len(), 1);
    assert!(page.contains(&receipt[0]));
    let until =
        std::fs::read_to_string(made(&rig, &resident, ("early.html", &["--until", "2020-01-01"])));
    assert!(until.unwrap().contains("本人的信息被查阅 0 次"));
}

#[test]
fn it_is_printed_in_chinese_and_breaks_pages_between_what_belongs_together() {
    let rig = Rig::shared();
    let (resident, receipts) = asked_about(&rig);
    let pdf = made(&rig, &resident, ("history.pdf", &[]));
    let bytes = std::fs::metadata(&pdf).unwrap().len();
    assert!(bytes < 400_000, "{bytes} bytes: the font is embedded whole");
    let Some(pages) = pages(&pdf) else { return skipped("no pdftotext (poppler-utils)") };
    assert!(pages.len() > 1, "{}", pages.concat());
    let count = pages.len();
    for (number, page) in (1..).zip(&pages) {
        assert!(page.contains(&format!("第 {number} 页，共 {count} 页")), "{page}");
        let lines: Vec<_> = page.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let last = lines[lines.len() - 2];
        let ends = last.contains("回执号") || last.ends_with('。') || last.contains("台账");
        assert!(ends, "a page ends with {last}");
    }
    let text = pages.concat();
    assert!(pages[0].trim_start().starts_with("个人信息查阅记录"), "{}", pages[0]);
    let flat: String = text.split_whitespace().collect();
    for words in
        ["民政局的经办人为“生存状态核验”查阅了本人的信息。", "怎样核验", "三、其他有关登记"]
    {
        assert!(flat.contains(words), "{words}: {text}");
    }
    for receipt in &receipts {
        assert!(text.contains(receipt), "{receipt}");
    }
    assert!(!flat.contains(&*resident.citizen));
}

#[test]
fn a_number_nobody_has_is_no_clean_page() {
    let rig = Rig::shared();
    let (nobody, resident) = (Resident::new(), Resident::new());
    rig.mllp().exchange(&Message::new("A28", &resident).bytes()).unwrap();
    for (who, warned) in [(&nobody, true), (&resident, false)] {
        let page = std::fs::read_to_string(made(&rig, who, ("history.html", &[]))).unwrap();
        assert_eq!(page.contains("没有登记此人"), warned);
    }
}

#[test]
fn what_cannot_be_made_says_why_and_enters_nothing() {
    let rig = Rig::shared();
    let resident = Resident::new();
    rig.mllp().exchange(&Message::new("A28", &resident).bytes()).unwrap();
    for (words, why) in [
        (&["--output", "history.docx"][..], "ends in .html or .pdf"),
        (&["--output", "no.pdf", "--font", "no-such-font.ttc"], "no-such-font.ttc"),
        (&["--output", "no.pdf", "--font", "kangqiao.toml"], "not a font with Chinese characters"),
        (&["--output", "no.html", "--until", "tomorrow"], "--until"),
    ] {
        let done = history(&rig, &resident, words);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!done.status.success() && said.contains(why), "{words:?}: {said}");
    }
    assert!(entered(&rig, &resident).is_empty());
}

#[test]
fn an_auditor_downloads_it_from_the_page_of_a_person() {
    let rig = Rig::start();
    let (resident, receipts) = asked_about(&rig);
    let (mut link, cookies) = enrol(&rig, "lin", "auditor").signed_in(&rig, "lin");
    let host = at(rig.ports.console);
    let mut post = |place: &str, form: &str| -> https::Reply {
        let head = format!(
            "POST {place} HTTP/1.1\r\nhost: {host}\r\ncookie: {cookies}\r\n\
             sec-fetch-site: same-origin\r\norigin: https://{host}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            form.len()
        );
        link.ask(head.as_bytes()).unwrap()
    };
    let field = |reply: &https::Reply, name: &str| {
        let page = String::from_utf8_lossy(&reply.body).into_owned();
        let mark = format!("name=\"{name}\" value=\"");
        let rest = page.split_once(&mark).unwrap_or_else(|| panic!("no {name}: {page}")).1;
        rest.split('"').next().unwrap().replace(' ', "+")
    };
    // A form without its token leads to a page with one.
    let token = {
        let mut link = https::Link::connect(&host, Some(&rig.tls(""))).unwrap();
        let head = format!("GET /ledger HTTP/1.1\r\nhost: {host}\r\ncookie: {cookies}\r\n\r\n");
        field(&link.ask(head.as_bytes()).unwrap(), "form_token")
    };
    let person = format!("form_token={token}&kind=citizen-id&value={}", resident.citizen);
    let known = field(&post("/ledger/person", &person), "pseudonym");
    for (form, begins) in [("html", &b"<!doctype html>"[..]), ("pdf", b"%PDF-")] {
        let wish = format!("form_token={token}&pseudonym={known}&form={form}");
        let reply = post("/ledger/history", &wish);
        assert_eq!(reply.status, 200);
        assert!(reply.body.starts_with(begins));
        let kept = rig.path().join(format!("downloaded.{form}"));
        std::fs::write(&kept, &reply.body).unwrap();
        let text = match form {
            "html" => String::from_utf8(reply.body).unwrap(),
            _ => match pages(&kept) {
                Some(pages) => pages.concat(),
                None => return skipped("no pdftotext (poppler-utils)"),
            },
        };
        for receipt in &receipts {
            assert!(text.contains(receipt), "{form}: {receipt}");
        }
        assert!(!text.contains(&resident.citizen));
    }
    assert_eq!(entered(&rig, &resident).len(), 2);
}

#[test]
fn an_export_by_command_is_entered_before_it_is_written() {
    let rig = Rig::start();
    let (resident, _) = asked_about(&rig);
    let folder = tempfile::tempdir_in(rig.path()).unwrap();
    let out = |name: &str| folder.path().join(name).display().to_string();
    let exports = || rig.ledger(&["search", "--kind", "export", "--json"]);
    let about = ["export", "--kind", "disclosure", "--citizen-id", &resident.citizen];
    let said = rig.ledger(&[&about[..], &["--output", &out("one.csv")]].concat());
    let receipt = said.trim().rsplit(' ').next().unwrap();
    let entered = exports();
    let entry: serde_json::Value = serde_json::from_str(&entered).unwrap();
    let entry = &entry["entry"];
    assert_eq!(entry["receipt"], receipt, "{entered}");
    assert_eq!(entry["subject"], "csv: about a person, kind disclosure");
    assert!(entry["asker"].as_str().unwrap().starts_with("uid "));
    assert_eq!(entry["person"].as_str().unwrap().len(), 32, "the person is told of it");
    assert!(!entered.contains(&resident.citizen));

    // What is exported ends with the entry that it is; what cannot be exported enters nothing.
    let all = rig.ledger(&["export", "--format", "jsonl"]);
    assert!(all.lines().last().unwrap().contains("jsonl: everything"), "{all}");
    for bad in [["--output", &out("one.csv")], ["--format", "pdf"], ["--kind", "gossip"]] {
        assert!(!rig.order(&[&["ledger", "export"][..], &bad].concat()).0, "{bad:?}");
    }
    assert_eq!(exports().lines().count(), 2);

    // Its own folder is no copy: that would go past the ledger.
    let output = rig.run(&["ledger", "export", "--data", "data"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("a gateway runs here"), "{said}");
    assert_eq!(exports().lines().count(), 2);

    // Without a gateway there is nobody to enter it; a copy is read without.
    rig.stop();
    let (made, said) = rig.order(&["ledger", "export", "--output", &out("two.csv")]);
    assert!(!made && said.contains("an export is entered first"), "{said}");
    assert!(!folder.path().join("two.csv").exists());
    let copy = ["ledger", "export", "--data", "data", "--output", &out("two.csv")];
    assert!(rig.succeed(&copy).contains("not entered"));
    assert_eq!(exports().lines().count(), 2);
}
