//! The commands people type, as they type them: words in, printed text and exit code out.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::rig::message::{Message, Resident};
use crate::rig::{AGENT, ROOT, Rig, TLS_SENDER, at};

/// Runs a command whose failure is expected; what it said.
fn fails(rig: &Rig, words: &[&str]) -> String {
    let output = rig.run(words);
    assert!(!output.status.success(), "{words:?} succeeded");
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// Edits a file of the rig, looks, and puts it back.
fn with(rig: &Rig, path: &str, edit: impl Fn(&str) -> String, look: impl Fn()) {
    let path = rig.path().join(path);
    let text = std::fs::read_to_string(&path).unwrap();
    let edited = edit(&text);
    assert_ne!(text, edited, "the edit changed nothing");
    std::fs::write(&path, edited).unwrap();
    look();
    std::fs::write(&path, text).unwrap();
}

#[test]
fn check_names_file_line_and_column_of_what_is_wrong() {
    let rig = Rig::prepare("");
    rig.succeed(&["check"]);
    let line_of = |path: &str, part: &str| {
        let text = std::fs::read_to_string(rig.path().join(path)).unwrap();
        text.lines().position(|line| line.contains(part)).unwrap() + 1
    };
    for (path, from, to) in [
        ("kangqiao.toml", "[https]\n", "[https]\nadress = 1\n"),
        ("kangqiao.toml", "[console]\n", "[console]\ninvitation_minutes = 0\n"),
        ("kangqiao.toml", "listen = \"127.0.0.1", "listen = \"0.0.0.0"),
        ("mappings/hl7v2/pid.toml", "DE02.01.039.00", "DE99.01.039.00"),
        ("policies/departments.toml", "purpose = \"living-check\"", "purpose = \"curiosity\""),
        ("policies/hotline.cedar", "permit (", "permitt ("),
    ] {
        let line = line_of(path, from.lines().next().unwrap());
        let edit = |text: &str| text.replacen(from, to, 1);
        with(&rig, path, edit, || {
            let said = fails(&rig, &["check"]);
            let file = path.rsplit('/').next().unwrap();
            // A key that was added stands one line below the one it was found by.
            let named =
                [line, line + 1].iter().any(|line| said.contains(&format!("{file}:{line}:")));
            assert!(named, "{path}:{line}: {said}");
        });
    }
    rig.succeed(&["check"]);
}

#[test]
fn two_of_a_kind_have_two_names() {
    let rig = Rig::prepare("");
    let (platform, registry) = ("name = \"record-platform\"", "name = \"elder-registry\"");
    let named = |name: &str| format!("[[upstream]]\n{name}\n");
    let edit = |text: &str| text.replacen(&named(registry), &named(platform), 1);
    with(&rig, "kangqiao.toml", edit, || {
        let said = fails(&rig, &["check"]);
        let text = std::fs::read_to_string(rig.path().join("kangqiao.toml")).unwrap();
        let second = text.rfind(&named(platform)).unwrap();
        let line = text[..second].lines().count() + 2;
        assert!(said.contains(&format!("kangqiao.toml:{line}:")), "{line}: {said}");
        assert!(said.contains("two upstreams cannot have one name"), "{said}");
    });
}

#[test]
fn nothing_starts_on_a_key_nobody_knows() {
    let rig = Rig::prepare("nobody_knows = 1");
    let said = fails(&rig, &["serve", "--config", "kangqiao.toml"]);
    assert!(said.contains("nobody_knows") && said.contains("kangqiao.toml:"), "{said}");
}

#[test]
fn the_four_bins_of_a_report_sum_to_the_leaves() {
    let rig = Rig::prepare("");
    let mut message = Message::new("A01", &Resident::new());
    message.segments.push("ZZZ|1|two^three".to_owned());
    std::fs::write(rig.path().join("one.hl7"), message.bytes()).unwrap();
    let words = ["translate", "--from", "hl7v2", "--to", "elements", "--report", "one.hl7"];
    let report: Value = serde_json::from_str(&rig.succeed(&words)).unwrap();
    let bins = &report["bins"];
    let count = |bin: &str| bins[bin].as_u64().unwrap();
    let sum: u64 = ["mapped", "carried", "dropped", "unmapped"].map(count).iter().sum();
    // Counted here by hand: every non-empty leaf, the two fields of separators included.
    let leaves =
        message.text().split(['\r', '|', '^', '~', '&']).filter(|leaf| !leaf.is_empty()).count();
    // Segment ids are no leaves; MSH-1 and MSH-2 are, and `^~\\&` was split into pieces.
    let (segments, pieces) = (message.segments.len() + 1, 1);
    assert_eq!(sum as usize, leaves - segments - pieces + 2, "{report:#}");
    assert!(count("unmapped") >= 3 && count("mapped") > 5, "{report:#}");
}

#[test]
fn a_reader_who_has_seen_enough_is_no_failure() {
    let rig = Rig::prepare("");
    std::fs::write(rig.path().join("one.hl7"), Message::new("A01", &Resident::new()).bytes())
        .unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_kangqiao"));
    command.args(["translate", "--from", "hl7v2", "--to", "elements", "one.hl7"]);
    let output = command.current_dir(rig.path()).stdout(writer).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn send_and_ask_speak_to_a_gateway_and_print_no_progress_into_a_pipe() {
    let rig = Rig::shared();
    let resident = Resident::new();
    let mut message = Message::new("A01", &resident);
    message.segments.push("AL1|1|DA|101^青霉素^CV05.01.038|SV|皮疹".to_owned());
    let name = format!("{}.hl7", message.control);
    std::fs::write(rig.path().join(&name), message.bytes()).unwrap();
    let plain = rig.succeed(&["send", "--mllp", &at(rig.ports.mllp), &name]);
    assert!(plain.contains("AA") && plain.contains(&message.control), "{plain}");
    let (cert, key) = (format!("certs/{TLS_SENDER}.pem"), format!("certs/{TLS_SENDER}.key"));
    let mllps = at(rig.ports.mllps);
    let tls = ["--tls", "--ca", "certs/ca.pem", "--cert", &cert, "--key", &key];
    let over_tls = rig.succeed(&[&["send", "--mllp", &mllps, &name][..], &tls].concat());
    assert!(over_tls.contains("AA"), "{over_tls}");
    let url = format!("https://{}", at(rig.ports.https));
    let ask = ["ask", "--url", &url, "--certs", "certs", "--as", AGENT];
    let about = ["--purpose", "emergency-card", "--citizen-id", &resident.citizen];
    let card = rig.succeed(&[&ask[..], &about, &["--call", "CALL-3"]].concat());
    assert!(card.contains("青霉素") && card.contains("receipt"), "{card}");
    let refused = fails(&rig, &[&ask[..], &about].concat());
    assert!(refused.contains("/evidence/call"), "{refused}");
    for printed in [plain, over_tls, card] {
        assert!(!printed.contains('\u{1b}') && !printed.contains('\r'), "{printed:?}");
    }
}

#[test]
fn every_command_explains_itself() {
    let help = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kangqiao"));
        let output = command.args(words).arg("--help").stdin(Stdio::null()).current_dir(ROOT);
        let output = output.output().unwrap();
        assert!(output.status.success(), "{words:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let names =
        "serve demo check send ask translate explain identity ledger mappings policy certs user";
    let all = help(&[]);
    for name in names.split(' ') {
        assert!(all.contains(name), "{name} is not listed");
        assert!(help(&[name]).contains("Usage:"));
    }
    for (name, step) in [
        ("ledger", "verify"),
        ("ledger", "search"),
        ("ledger", "export"),
        ("certs", "init"),
        ("certs", "issue"),
        ("certs", "revoke"),
        ("certs", "list"),
        ("identity", "match"),
        ("identity", "veil"),
        ("mappings", "check"),
        ("mappings", "coverage"),
        ("mappings", "diff"),
        ("mappings", "schema"),
        ("mappings", "show"),
        ("policy", "check"),
        ("policy", "diff"),
        ("policy", "explain"),
        ("policy", "test"),
        ("user", "add"),
        ("user", "list"),
    ] {
        help(&[name, step]);
    }
}
