//! What a notice looks like in each form; no sockets.

use std::sync::LazyLock;

use super::*;
use crate::identity::Keys;
use crate::policy::tests::{folder, names, record, shipped};
use crate::policy::{Evidence, Gathered, Release, decide};
use crate::registry::answer::AnswerMeta;
use crate::vocabulary::{Date, Event, Subscription, Value};

static PACK: LazyLock<Pack> = LazyLock::new(|| Pack::load(&folder("mappings")).unwrap());

/// A death as a payment office may be told of it, decided for what the words have a place for.
fn release(places: &[ElementId]) -> Release {
    let set = shipped();
    let asker = names(("civil-affairs", "clerk"));
    let admission = set.admit(asker, "living-check", Evidence::default()).unwrap();
    let day = || Value::Date(Date::parse("20260901040500+0800").unwrap());
    let fields = vec![("MZ.person.deceased", Value::Boolean(true)), ("DE02.01.036.00", day())];
    let death = record(("death", "hospital-b"), "20260902", vec![("record", fields)]);
    let gathered = [Gathered { record: &death, as_of: 1_790_000_000 }];
    let scope = admission.towards(&gathered, 1_790_000_000);
    decide(&scope, Some(places), &gathered, &Keys::derive(&[9; 32]))
}

fn addressed(form: Form) -> Addressed<'static> {
    Addressed {
        form,
        url: "https://receiver.example/pix",
        authority: "1.2.840.99999.7",
        receiver: "1.2.840.99999.8^MZJ",
        sender: "1.2.840.99999.1",
        edition: form.edition(),
        call: (None, None, None),
    }
}

fn written(to: &Addressed<'_>, (event, same_as): (&'static str, Option<&[String]>)) -> String {
    let set = shipped();
    let event = set.events().event(Event::fixed(event)).unwrap().clone();
    let release = release(&to.tells(&PACK, &event));
    let head = Head {
        id: "payments-42",
        subscription: Subscription::parse("payments").unwrap(),
        event: event.id,
        happened_at: 1_790_000_000,
        reference: "JT-<1>",
        same_as,
    };
    let meta =
        AnswerMeta { receipt: "r-1", answered_at: 1_790_000_001, mappings: "m", sources: &[] };
    let told = Told { pack: &PACK, event: &event, release: &release, meta: &meta };
    String::from_utf8(to.write(&head, &told).unwrap()).unwrap()
}

/// Whether parts stand there; quotes and closing brackets are shown as they are meant.
fn check(text: &str, holds: &[&str], never: &[&str]) {
    let text = text.replace("&quot;", "\"").replace("&gt;", ">");
    for part in holds {
        assert!(text.contains(part), "{part}: {text}");
    }
    for part in never {
        assert!(!text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_notice_of_a_death_is_the_update_notification_of_pixv3() {
    let text = written(&addressed(Form::Pix), ("death", None));
    let holds = [
        "<Envelope xmlns=\"http://www.w3.org/2003/05/soap-envelope\">",
        "soap:mustUnderstand=\"1\">urn:hl7-org:v3:PRPA_IN201302UV02</Action>",
        ">https://receiver.example/pix</To>",
        "<PRPA_IN201302UV02 xmlns=\"urn:hl7-org:v3\" ITSVersion=\"XML_1.0\">",
        "<id root=\"1.2.840.99999.1\" extension=\"payments-42\"/>",
        "<id root=\"1.2.840.99999.8\" extension=\"MZJ\"/>",
        "<id root=\"1.2.840.99999.7\" extension=\"JT-&lt;1>\"/>",
        "<deceasedInd value=\"true\"/>",
        "<deceasedTime value=\"20260901",
        "<custodian typeCode=\"CST\">",
    ];
    check(&text, &holds, &["CDATA", "&lt;PRPA"]);
    // The same notice is the same number at every try, another is another.
    let number = |text: &str| {
        let (_, rest) = text.split_once("<MessageID").unwrap();
        rest.split_once("urn:uuid:").unwrap().1.get(..36).unwrap().to_owned()
    };
    assert_eq!(number(&text), number(&written(&addressed(Form::Pix), ("death", None))));
    assert_ne!(super::number("1.2", "payments-4"), super::number("1.2", "payments-42"));
    assert!(number(&text).get(14..15) == Some("8"), "{}", number(&text));
}

#[test]
fn a_platform_is_told_by_the_text_of_an_operation() {
    let text = written(&addressed(Form::Hospital), ("death", None));
    let holds = [
        "<HIPMessageServer xmlns=\"urn:hl7-org:v3\">",
        "<action>PatientInfoUpdate</action>",
        "<message>&lt;?xml",
        "&lt;id root=\"2.16.156.10011.2.5.1.1\" extension=\"payments-42\"/>",
        "&lt;item root=\"1.2.840.99999.7\" extension=\"JT-&amp;lt;1&amp;gt;\"/>",
        "&lt;deceasedInd value=\"true\"/>",
    ];
    check(&text, &holds, &["Header", "MessageID", "custodian"]);
    let text = written(&addressed(Form::Regional), ("death", None));
    let holds = [
        "<Envelope xmlns=\"http://schemas.xmlsoap.org/soap/envelope/\">",
        "<PRPA_IN201314UV02 xmlns=\"urn:hl7-org:v3\">",
        "&lt;id root=\"2.16.156.10011.0\" extension=\"payments-42\"/>",
        "&lt;id root=\"1.2.840.99999.7\" extension=\"JT-&amp;lt;1&amp;gt;\"/>",
    ];
    check(&text, &holds, &["<action>", "<item"]);
    let call = (Some("http://tempuri.org/"), Some("Send"), Some("H0202"));
    let own = Addressed { edition: Edition::Two, call, ..addressed(Form::Hospital) };
    let text = written(&own, ("death", None));
    let holds = ["<Send xmlns=\"http://tempuri.org/\">", "<action>H0202</action>", "2003/05/soap"];
    check(&text, &holds, &[]);
}

#[test]
fn who_is_one_elder_is_told_by_every_reference() {
    let other = ["JT-2".to_owned()];
    for form in [Form::Hospital, Form::Pix, Form::Regional] {
        let text = written(&addressed(form), ("identity", Some(&other)));
        let (first, second) = (text.find("JT-").unwrap(), text.find("JT-2").unwrap());
        assert!(first < second, "{text}");
        check(&text, &[], &["deceased"]);
    }
}

#[test]
fn an_event_without_a_message_or_a_place_is_named() {
    let set = shipped();
    let asker = names(("civil-affairs", "clerk"));
    let admission = set.admit(asker, "living-check", Evidence::default()).unwrap();
    let to = addressed(Form::Pix);
    let death = set.events().event(Event::fixed("death")).unwrap();
    assert_eq!(to.unfit(&PACK, death, admission.terms()), None);
    let check = |event: EventRow, expect: &str| {
        let why = to.unfit(&PACK, &event, admission.terms());
        assert_eq!(why.as_deref(), Some(expect));
    };
    let named = |written: Option<&'static str>| EventRow {
        v3: written.map(crate::vocabulary::Dataset::fixed),
        ..death.clone()
    };
    check(named(None), "event death has no HL7 v3 message (v3 in events.toml)");
    check(named(Some("nothing")), "event death: no mapping has v3-pix nothing");
    let source = vec![crate::policy::tests::element("MZ.death.source")];
    let elsewhere = EventRow { tells: source, ..death.clone() };
    let expect = "event death: v3-pix person-revised has no place for anything its purpose opens";
    check(elsewhere, expect);
}
