//! What a body is, what it holds, what its units are known by; no sockets.

use super::*;
use crate::translate::form::Limits;

#[test]
fn a_body_is_what_its_media_type_says() {
    let check = |media: Option<&str>, body: &str, expect| {
        assert_eq!(media::form(media, body.as_bytes()), expect, "{media:?}");
    };
    check(None, "MSH|", Ok(Form::Hl7v2));
    check(Some("application/hl7-v2; charset=utf-8"), "MSH|", Ok(Form::Hl7v2));
    check(Some("Application/FHIR+JSON"), "{}", Ok(Form::Fhir));
    check(Some("application/vnd.kangqiao.civil+json"), "{}", Ok(Form::CivilJson));
    check(Some("application/vnd.kangqiao.civil+xml"), "<a/>", Ok(Form::CivilXml));
    check(Some("text/csv; header=present"), "a\n1\n", Ok(Form::CivilCsv));
    let prolog = "<?xml version='1.0'?><!-- x -->";
    let document = format!("{prolog}<ClinicalDocument xmlns='urn:hl7-org:v3'/>");
    check(Some("text/xml"), &document, Ok(Form::Cda));
    check(Some("application/xml"), "no element", Ok(Form::Cda));
    let message = "<x:PRPA_IN201311UV02 xmlns:x='urn:hl7-org:v3'/>";
    check(Some("application/xml"), message, Ok(Form::V3Regional));
    let hospital = "<PRPA_IN201311UV02><id root='2.16.156.10011.2.5.1.1'/></PRPA_IN201311UV02>";
    check(Some("application/xml"), hospital, Ok(Form::V3Hospital));
    check(Some("application/json"), "{}", Err(Fault::UnsupportedMedia));
    check(Some("application/pdf"), "%PDF", Err(Fault::UnsupportedMedia));
}

#[test]
fn a_body_of_many_units_is_split_and_nothing_of_them_is_changed() {
    let check = |form, body: &str, expect: Option<&[&str]>| {
        let found = units(form, &Bytes::copy_from_slice(body.as_bytes()), 3);
        let found = found.map(|units| {
            units.iter().map(|unit| String::from_utf8_lossy(unit).into_owned()).collect::<Vec<_>>()
        });
        let expect = expect.map(|units| units.iter().map(ToString::to_string).collect());
        assert_eq!(found, expect, "{body}");
    };
    check(Form::Fhir, "{}", Some(&["{}"]));
    check(Form::CivilJson, r#"{"a": 1.0}"#, Some(&[r#"{"a": 1.0}"#]));
    check(Form::CivilJson, r#"{"records": [{"a": 1.0}, {}]}"#, Some(&[r#"{"a": 1.0}"#, "{}"]));
    check(Form::CivilJson, r#"{"records": []}"#, None);
    check(Form::CivilJson, "{nonsense", Some(&["{nonsense"]));
    check(
        Form::CivilCsv,
        "a,b\r\n1,2\r\n\r\n3,\"x\ny\"",
        Some(&["a,b\r\n1,2\r\n", "a,b\r\n3,\"x\ny\""]),
    );
    check(Form::CivilCsv, "a,b\n", None);
    check(Form::CivilCsv, "a\n1\n2\n3\n4\n", None);
}

#[test]
fn a_unit_is_known_by_the_number_it_bears() {
    let check = |form, body: &str, expect: Option<&str>| {
        let found = number::own(form, body.as_bytes(), &Limits::default());
        assert_eq!(found.as_deref(), expect, "{body}");
    };
    check(Form::Fhir, r#"{"id":"b-1"}"#, Some("b-1"));
    let named = r#"{"id":"b-1","identifier":{"system":"urn:x","value":"7"}}"#;
    check(Form::Fhir, named, Some("urn:x|7"));
    check(Form::Fhir, r#"{"id":"p","identifier":[{"value":"7"}]}"#, Some("p"));
    check(Form::Fhir, r#"{"id":""}"#, None);
    check(Form::CivilJson, r#"{"id":"b-1"}"#, None);
    check(Form::Cda, "<a><id root='1.2' extension='7'/></a>", Some("1.2^7"));
    check(Form::V3Regional, "<a><ID root='1.2'/></a>", Some("1.2"));
    check(Form::V3Regional, "<a><id/></a>", None);
}

#[test]
fn a_number_made_of_a_residents_number_is_not_kept_in_clear() {
    let keys = Keys::derive(&[7; 32]);
    let digest = Hash::digest(b"x");
    let check = |id: &str| control_id(&keys, Some(id), &digest);
    assert_eq!(check("MSG00001"), "MSG00001");
    let kept = check("11010519491231002X-1");
    assert!(!kept.contains("1949") && kept.len() == 32, "{kept}");
    assert_ne!(kept, check("11010519491231002X-2"), "two messages would look like one");
    assert_eq!(control_id(&keys, None, &digest), digest.to_string());
    assert_eq!(control_id(&keys, Some(""), &digest), digest.to_string());
}
