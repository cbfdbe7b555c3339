//! Requests, replies and the description of the interface; no sockets.

use super::reply::{Registered, Verdict};
use super::*;
use crate::vocabulary::{Fault, IdentifierKind};
use crate::wire::soap::{self, Edition};
use crate::wire::xml;

fn request(dialect: Dialect, text: &str) -> Request {
    Request::read(dialect, text.as_bytes(), &xml::Limits::default()).unwrap()
}

const REGIONAL: &str = r#"<PRPA_IN201305UV02 xmlns="urn:hl7-org:v3" ITSVersion="XML_1.0">
  <id root="2.16.156.10011.0" extension="m-1"/><processingModeCode code="R"/>
  <receiver><device><id root="2.16.156.10011.0.1.1" extension="them"/></device></receiver>
  <sender><device><id root="2.16.156.10011.0.1.2" extension="us"/></device></sender>
  <controlActProcess><queryByParameter><queryId root="1.2" extension="q-1"/><parameterList>
    <livingSubjectId><value root="2.16.156.10011.0.2.2" extension="P1"/></livingSubjectId>
  </parameterList></queryByParameter></controlActProcess></PRPA_IN201305UV02>"#;

const HOSPITAL: &str = r#"<PRPA_IN201305UV02 xmlns="urn:hl7-org:v3">
  <id root="2.16.156.10011.2.5.1.1" extension="m-2"/><processingModeCode/>
  <sender><device><id><item root="2.16.156.10011.2.5.1.3" extension="222"/></id></device></sender>
  <controlActProcess><queryByParameter><parameterList>
    <id root="2.16.156.10011.2.5.1.4" extension="P1"/>
    <livingSubjectId><value>
      <item root="2.16.156.10011.1.3" extension="11010519491231002X"/>
    </value></livingSubjectId>
  </parameterList></queryByParameter></controlActProcess></PRPA_IN201305UV02>"#;

#[test]
fn a_query_is_about_the_strongest_number_it_names() {
    let check = |dialect, text: &str, expect: Result<(IdentifierKind, Option<&str>), Fault>| {
        let subject = request(dialect, text).subject("clinic");
        let found = subject.map(|one| (one.kind, one.authority)).map_err(|(fault, _)| fault);
        assert_eq!(found, expect.map(|(kind, owner)| (kind, owner.map(str::to_owned))), "{text}");
    };
    check(Dialect::Regional, REGIONAL, Ok((IdentifierKind::Local, Some("clinic"))));
    check(Dialect::Hospital, HOSPITAL, Ok((IdentifierKind::CitizenId, None)));
    let wrong = HOSPITAL.replace("11010519491231002X", "110105194912310021");
    check(Dialect::Hospital, &wrong, Err(Fault::IdentifierInvalid));
    let search = "<GetDocumentStroedInfoRequest xmlns='urn:hl7-org:v3'>\
        <HealthCardId>D22724912</HealthCardId><IdentityId>11010519491231002X</IdentityId>\
        <DocumentTitle>门诊摘要</DocumentTitle></GetDocumentStroedInfoRequest>";
    check(Dialect::Regional, search, Ok((IdentifierKind::CitizenId, None)));
    assert_eq!(request(Dialect::Regional, search).title(), Some("门诊摘要"));
    check(Dialect::Regional, "<PRPA_IN201305UV02/>", Err(Fault::RequiredMissing));
}

#[test]
fn documents_are_asked_for_by_their_numbers() {
    let check = |text: &str, expect: &[&str]| {
        assert_eq!(request(Dialect::Hospital, text).documents(), expect, "{text}");
    };
    check(
        "<RetrieveDocumentSetRequest><DocumentRequest><DocumentUniqueId>a</DocumentUniqueId>\
         </DocumentRequest><DocumentRequest><RepositoryUniqueId>r</RepositoryUniqueId>\
         <DocumentUniqueId> b </DocumentUniqueId></DocumentRequest></RetrieveDocumentSetRequest>",
        &["a", "b"],
    );
    check(
        "<RCMR_IN000031UV01><controlActProcess><queryByParameter><clinicalDocument.id>\
         <value root='2.16.156.10011.2.5.1.24' extension='c'/></clinicalDocument.id>\
         <patient.id><value><item root='2.16.156.10011.1.3' extension='x'/></value></patient.id>\
         </queryByParameter></controlActProcess></RCMR_IN000031UV01>",
        &["c"],
    );
}

#[test]
fn a_reply_names_its_message_goes_back_to_its_sender_and_says_why() {
    let told = |failed: Option<&str>| Verdict {
        failed: failed.map(str::to_owned),
        number: "KQ7".to_owned(),
        at: 1_795_000_000,
    };
    let check = |dialect, text: &str, failed: Option<&str>, holds: &[&str]| {
        let document = reply::acknowledge(&request(dialect, text), &told(failed), &[]);
        let written = String::from_utf8(xml::write(&document)).unwrap();
        for part in holds {
            assert!(written.contains(part), "{part} is not in\n{written}");
        }
        let again = xml::read(written.as_bytes(), &xml::Limits::default()).unwrap();
        assert_eq!(again, document, "what is written is read as it was meant");
    };
    let register = REGIONAL.replace("201305", "201311");
    check(
        Dialect::Regional,
        &register,
        None,
        &[
            "<PRPA_IN201312UV02",
            r#"<acknowledgement typeCode="AA">"#,
            r#"<id root="2.16.156.10011.0" extension="m-1"/>"#,
            r#"<processingModeCode code="R"/>"#,
            r#"<id root="2.16.156.10011.0.1.2" extension="us"/>"#,
        ],
    );
    let failed = reply::words(Fault::IdentifierInvalid, None, true);
    check(
        Dialect::Hospital,
        &HOSPITAL.replace("201305", "201314"),
        Some(&failed),
        &[
            "<PRPA_IN201316UV02",
            r#"typeCode="AE""#,
            r#"<item root="2.16.156.10011.2.5.1.3" extension="222"/>"#,
            r#"<text value="identifier-invalid"#,
            "无需重发",
        ],
    );
    check(Dialect::Hospital, "<PRXX_IN000001UV01/>", Some("no"), &["<MCCI_IN000002UV01", "AE"]);
    let search = "<GetDocumentStroedInfoRequest><Id root='1' extension='2'/>\
        </GetDocumentStroedInfoRequest>";
    check(
        Dialect::Regional,
        search,
        Some("no"),
        &[
            r#"<GetDocumentStroedInfoResponse xmlns="urn:hl7-org:v3" status="AE">"#,
            r#"<TargetId root="1" extension="2"/>"#,
            "<Detail>no</Detail>",
        ],
    );
}

#[test]
fn a_registration_is_answered_document_by_document() {
    let text = "<ProvideAndRegisterDocumentSetRequest><ID root='1' extension='2'/>\
        </ProvideAndRegisterDocumentSetRequest>";
    let verdict = |failed: Option<&str>| Verdict {
        failed: failed.map(str::to_owned),
        number: "KQ1".to_owned(),
        at: 0,
    };
    let one = |sent: &str, unique: Option<&str>, failed| Registered {
        sent: sent.to_owned(),
        unique: unique.map(str::to_owned),
        verdict: verdict(failed),
    };
    let documents = [one("D1", Some("1.2.3"), None), one("D2", None, Some("torn"))];
    let worst = verdict(Some("torn"));
    let told = reply::acknowledge(&request(Dialect::Regional, text), &worst, &documents);
    let written = String::from_utf8(xml::write(&told)).unwrap();
    assert!(written.contains(r#"status="AE""#), "{written}");
    let first = r#"<Response id="D1" documentUniqueId="1.2.3" status="AA">"#;
    assert!(written.contains(first), "{written}");
    assert!(written.contains(r#"<Response id="D2" status="AE">"#), "{written}");
}

#[test]
fn an_envelope_of_either_edition_is_read_and_answered_in_its_own() {
    let limits = xml::Limits::default();
    let message = "<?xml version=\"1.0\" encoding=\"gb2312\"?><a 名=\"值\"/>";
    for edition in [Edition::One, Edition::Two] {
        let parameters = [("action", "S0001"), ("message", message)];
        let named = (Some("urn:hl7-org:v3"), "HIPMessageServer");
        let call = soap::read(&soap::write(edition, named, &parameters), &limits).unwrap();
        assert_eq!((call.edition, call.operation.as_str()), (edition, "HIPMessageServer"));
        let bytes = call.parameter("message").unwrap().message();
        assert_eq!(
            String::from_utf8_lossy(&bytes),
            "<a 名=\"值\"/>",
            "its prolog is not true here"
        );
        let answer = soap::read(&soap::answer(&call, "<b/>"), &limits).unwrap();
        assert_eq!(answer.operation, "HIPMessageServerResponse");
        assert_eq!(answer.namespace.as_deref(), Some("urn:hl7-org:v3"));
        assert_eq!(answer.first().unwrap().message(), b"<b/>");
        let (status, fault) = soap::refusal(edition, "malformed");
        assert_eq!(status, if edition == Edition::One { 500 } else { 400 });
        assert!(String::from_utf8(fault).unwrap().contains("malformed"));
    }
    let literal = b"<Envelope xmlns='http://schemas.xmlsoap.org/soap/envelope/'><Body>\
        <op xmlns=''><message><PRPA xmlns='urn:hl7-org:v3'><id root='1'/></PRPA></message></op>\
        </Body></Envelope>";
    let call = soap::read(literal, &limits).unwrap();
    let message = call.parameter("message").unwrap().message();
    assert_eq!(
        request(Dialect::Regional, &String::from_utf8(message).unwrap()).document.root,
        "PRPA"
    );
    for torn in [
        "<Envelope/>",
        "<a/>",
        "x",
        "",
        "<Envelope xmlns='http://schemas.xmlsoap.org/soap/envelope/'><Body/></Envelope>",
    ] {
        assert!(soap::read(torn.as_bytes(), &limits).is_err(), "{torn}");
    }
}

#[test]
fn the_description_is_well_formed_and_names_every_operation() {
    for (dialect, operation) in [
        (Dialect::Hospital, "HIPMessageServer"),
        (Dialect::Regional, "GetDocumentStroedInfoRequest"),
    ] {
        let page = wsdl::wsdl(dialect, "https://localhost:9?a=1&b");
        let read = xml::read(page.as_bytes(), &xml::Limits::default()).unwrap();
        assert_eq!(read.root, "definitions");
        assert!(page.contains(&format!("<wsdl:operation name=\"{operation}\">")));
    }
}
