//! Messages of every kind of entry; the published schema judges them in the black-box tests.

use super::*;
use crate::audit::Reference;
use crate::identity::Pseudonym;
use crate::vocabulary::{Department, ElementId, Fault, Role, Tier};

fn disclosure() -> Entry {
    let mut entry = Entry::new(Kind::Disclosure, 1_796_000_400_007, [2; 16]);
    entry.department = Department::parse("hotline-12349").ok();
    entry.role = Role::parse("agent").ok();
    entry.person = Some(Pseudonym("0".repeat(32)));
    entry.elements.insert(Tier::Full, ElementId::parse("DE04.50.001.00").unwrap());
    entry
}

#[test]
fn a_disclosure_names_source_destination_person_and_elements() {
    let entry = Entry { asked_by: Some(Pseudonym("1".repeat(32))), ..disclosure() };
    let message = message(7, &entry).unwrap();
    for part in [
        r#"<EventID csd-code="110106" codeSystemName="DCM" originalText="Export"/>"#,
        r#"EventActionCode="R" EventDateTime="2026-11-30T01:00:00.007Z" EventOutcomeIndicator="0""#,
        r#"UserID="kangqiao" UserIsRequestor="false"><RoleIDCode csd-code="110153""#,
        r#"UserID="hotline-12349" UserIsRequestor="true"><RoleIDCode csd-code="110152""#,
        r#"UserID="11111111111111111111111111111111" UserIsRequestor="true""#,
        r#"ParticipantObjectID="00000000000000000000000000000000" ParticipantObjectTypeCode="1""#,
        // base64 of the entry's number and of the element's id
        r#"type="entry" value="Nw==""#,
        r#"type="full" value="REUwNC41MC4wMDEuMDA=""#,
    ] {
        assert!(message.contains(part), "{part}\n{message}");
    }
}

#[test]
fn a_refusal_says_who_asked_and_why_not() {
    let fault = Some(Fault::PurposeNotGranted);
    let entry = Entry { kind: Kind::Refusal, fault, ..disclosure() };
    let message = message(0, &entry).unwrap();
    for part in [
        r#"EventOutcomeIndicator="4""#,
        r#"<EventID csd-code="110112""#,
        "<EventOutcomeDescription>purpose-not-granted</EventOutcomeDescription>",
        r#"UserID="hotline-12349" UserIsRequestor="true"><RoleIDCode csd-code="110153""#,
    ] {
        assert!(message.contains(part), "{part}\n{message}");
    }
}

#[test]
fn what_a_peer_wrote_is_text_and_signs_xml_forbids_are_replaced() {
    let asker = Some(Reference::new("a\"<b>&'\u{ffff}"));
    let message = message(0, &Entry { asker, ..disclosure() }).unwrap();
    assert!(!message.contains("<b>") && !message.contains('\u{ffff}'), "{message}");
    assert!(message.contains("&lt;b&gt;&amp;"), "{message}");
}

#[test]
fn sign_ins_emergencies_and_keys_have_their_own_codes() {
    let of = |kind, subject: &str| {
        let subject = Some(Reference::new(subject));
        message(0, &Entry { subject, ..Entry::new(kind, 0, [0; 16]) }).unwrap()
    };
    for (message, code, outcome) in [
        (of(Kind::SignIn, "lin signed-in"), "110122", "0"),
        (of(Kind::SignIn, "lin refused"), "110122", "4"),
        (of(Kind::SignIn, "lin locked"), "110122", "4"),
        (of(Kind::SignIn, "lin signed-out"), "110123", "0"),
        (of(Kind::Keys, "x"), "110129", "0"),
        (of(Kind::Account, "lin invited as auditor by uid 0"), "110137", "0"),
        (of(Kind::Start, "0.1.0"), "110120", "0"),
        (message(0, &Entry { kind: Kind::BreakGlass, ..disclosure() }).unwrap(), "110127", "0"),
    ] {
        assert!(message.contains(&format!("<EventTypeCode csd-code=\"{code}\"")), "{message}");
        assert!(message.contains(&format!("EventOutcomeIndicator=\"{outcome}\"")), "{message}");
    }
}
