//! Reload: a good change serves at once and without a restart, a broken one never.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::json;

use crate::rig::message::{Message, Resident, field};
use crate::rig::{AGENT, Rig, TLS_SENDER, until};

fn change(rig: &Rig, path: &str, edit: impl Fn(String) -> String) {
    let path = rig.path().join(path);
    let text = std::fs::read_to_string(&path).unwrap();
    let edited = edit(text.clone());
    assert_ne!(text, edited, "the edit changed nothing");
    std::fs::write(path, edited).unwrap();
}

/// Sends SIGHUP and waits until the gateway says how it went.
fn reload(rig: &Rig, outcome: &str) {
    let count = |rig: &Rig| rig.counted("kangqiao_reloads_total", &[("outcome", outcome)]);
    let before = count(rig);
    rig.signal("HUP");
    until(&format!("the reload is {outcome}"), || (count(rig) > before).then_some(()));
}

fn card(rig: &Rig, resident: &Resident) -> kangqiao_conformance::https::Reply {
    let question = json!({
        "identifier": { "kind": "citizen-id", "value": resident.citizen },
        "purpose": "emergency-card",
        "evidence": { "call": crate::rig::call() },
    });
    rig.ask(AGENT, &question)
}

#[test]
fn a_broken_mapping_never_serves_and_a_good_one_does() {
    let rig = Rig::start();
    let pushed = |sex: &str| {
        let mut message = Message::new("A01", &Resident::new());
        message.segments[1] = message.segments[1].replace("|M", &format!("|{sex}"));
        field(&rig.mllp().exchange(&message.bytes()).unwrap(), "MSA-1")
    };
    let before = card(&rig, &Resident::new()).json()["mappings"].clone();
    assert_eq!((pushed("M").as_str(), pushed("male").as_str()), ("AA", "AE"));
    let overlay = rig.path().join("mappings/senders/hospital-a.toml");
    std::fs::create_dir_all(overlay.parent().unwrap()).unwrap();
    let kept = std::fs::read_to_string(&overlay).unwrap_or_default();
    std::fs::write(&overlay, "title = \"broken\"\ncodez = {}\n").unwrap();
    reload(&rig, "refused");
    assert_eq!(pushed("M"), "AA");
    assert_eq!(card(&rig, &Resident::new()).json()["mappings"], before);
    let resident = Resident::new();
    let profile = json!({ "dataset": "allergy", "person": { "citizenId": resident.citizen },
                          "hasAllergies": true, "text": "青霉素" });
    rig.platform.knows(&resident.citizen, vec![profile]);
    card(&rig, &resident);
    let asked = rig.platform.asked();
    card(&rig, &resident);
    assert_eq!(rig.platform.asked(), asked, "the copy was not used");
    let good = "title = \"spells the sex out\"\ncodes = { \"PID-8\" = { \"male\" = \"M\" } }\n";
    std::fs::write(&overlay, good).unwrap();
    reload(&rig, "applied");
    assert_eq!((pushed("M").as_str(), pushed("male").as_str()), ("AA", "AA"));
    card(&rig, &resident);
    assert_eq!(rig.platform.asked(), asked + 1, "what the old mappings read is still given");
    assert_ne!(card(&rig, &Resident::new()).json()["mappings"], before);
    drop(kept);
}

#[test]
fn a_broken_policy_never_serves_and_a_withdrawn_grant_works_at_once() {
    let rig = Rig::start();
    let resident = Resident::new();
    rig.mllp().exchange(&Message::new("A01", &resident).bytes()).unwrap();
    assert_eq!(card(&rig, &resident).status, 200);
    let policy = "policies/hotline.cedar";
    change(&rig, policy, |text| text + "\npermit (principal, action");
    reload(&rig, "refused");
    assert_eq!(card(&rig, &resident).status, 200);
    change(&rig, policy, |text| text.replace("\npermit (principal, action", ""));
    change(&rig, "policies/departments.toml", |text| {
        let grants = "  { purpose = \"emergency-card\", roles = [\"agent\"] },\n  \
                      { purpose = \"service-matching\", roles = [\"dispatcher\"] },\n";
        assert!(text.contains(grants));
        text.replace(grants, "")
    });
    // The examples beside the policies say what the agent sees; without the grant they go too.
    std::fs::write(
        rig.path().join("policies/hotline.examples.toml"),
        "title = \"nothing is granted\"\nexample = []\n",
    )
    .unwrap();
    reload(&rig, "applied");
    assert_eq!(card(&rig, &resident).status, 403);
}

#[test]
fn a_revoked_certificate_is_refused_after_a_reload_even_on_an_open_connection() {
    let rig = Rig::start();
    let mut open = rig.mllps(TLS_SENDER).unwrap();
    let push = |link: &mut kangqiao_conformance::mllp::Link| {
        let message = Message::new("A01", &Resident::new());
        link.exchange(&message.bytes()).map(|reply| field(&reply, "MSA-1"))
    };
    assert_eq!(push(&mut open).unwrap(), "AA");
    let key = rig.path().join("certs/gateway.key");
    let good = std::fs::read(&key).unwrap();
    std::fs::write(&key, "not a key").unwrap();
    reload(&rig, "refused");
    assert_eq!(push(&mut rig.mllps(TLS_SENDER).unwrap()).unwrap(), "AA");
    std::fs::write(&key, good).unwrap();
    rig.succeed(&["certs", "--dir", "certs", "revoke", "--name", TLS_SENDER]);
    // A fault that shows last, in who is whose, leaves the certificates alone too.
    let config = std::fs::read_to_string(rig.config()).unwrap();
    let twice = format!("{config}\n[[sender]]\nname = \"x\"\ncertificate = \"{TLS_SENDER}\"\n");
    std::fs::write(rig.config(), twice).unwrap();
    reload(&rig, "refused");
    assert_eq!(push(&mut rig.mllps(TLS_SENDER).unwrap()).unwrap(), "AA", "half a reload");
    std::fs::write(rig.config(), config).unwrap();
    reload(&rig, "applied");
    assert!(push(&mut open).map_or(true, |code| code != "AA"), "still open to the revoked");
    let fresh = rig.mllps(TLS_SENDER).and_then(|mut link| push(&mut link));
    assert!(fresh.map_or(true, |code| code != "AA"), "open anew to the revoked");
}

#[test]
fn a_stop_answers_what_is_in_hand_and_ends_well() {
    let rig = Rig::start();
    let mut link = rig.mllp();
    let message = Message::new("A01", &Resident::new());
    link.send(&message.bytes()).unwrap();
    // The message is in hand once it is counted or answered; the reply is read afterwards.
    until("it is kept", || {
        (rig.counted("kangqiao_messages_total", &[("state", "kept")]) == 1).then_some(())
    });
    assert!(rig.stop().success());
    assert_eq!(field(&link.receive().unwrap(), "MSA-1"), "AA");
}

/// Two packs take turns while messages come in; each of them is a pack that served.
#[test]
fn no_message_fails_during_a_thousand_reloads() {
    let rig = Rig::start();
    let overlay = rig.path().join("mappings/senders/reload-test.toml");
    let turn = |number: u32| {
        let text =
            format!("title = \"{}\"\n", if number.is_multiple_of(2) { "even" } else { "odd" });
        std::fs::write(&overlay, text).unwrap();
        reload(&rig, "applied");
    };
    turn(0);
    turn(1);
    let (sent, done) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut link = rig.mllp();
            while !done.load(Ordering::SeqCst) {
                let message = Message::new("A01", &Resident::new());
                let reply = link.exchange(&message.bytes()).expect("the connection stays open");
                assert_eq!(field(&reply, "MSA-1"), "AA", "{}", String::from_utf8_lossy(&reply));
                sent.fetch_add(1, Ordering::SeqCst);
            }
        });
        for number in 0..1000 {
            turn(number);
        }
        done.store(true, Ordering::SeqCst);
    });
    let sent = sent.load(Ordering::SeqCst);
    assert!(sent > 100, "only {sent} messages came while the mappings changed");
    let kept = rig.counted("kangqiao_messages_total", &[("state", "kept")]);
    assert_eq!(kept, sent, "every message that was acknowledged is kept");
    assert_eq!(rig.counted("kangqiao_reloads_total", &[("outcome", "refused")]), 0);
    // The record of the first message names a pack; both can read it again.
    let packs: Vec<_> = std::fs::read_dir(rig.path().join("data/packs")).unwrap().collect();
    assert_eq!(packs.len(), 3, "the one of the start, the even and the odd");
    for pack in packs {
        let name = pack.unwrap().file_name().into_string().unwrap();
        let version = name.strip_suffix(".json").unwrap();
        let shown = rig.succeed(&["translate", "--message", "1", "--mappings", version]);
        assert!(shown.contains(version) && shown.contains("DE02.01.030.00"), "{shown}");
    }
    let printed = rig.run(&["translate", "--message", "1", "--mappings", "0123456789abcdef"]);
    assert!(!printed.status.success());
}
