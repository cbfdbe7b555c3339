//! The exchange services over SOAP: both dialects, from the register to the document.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kangqiao_conformance::https::Reply;
use serde_json::json;

use crate::rig::message::{Message, Resident, unique};
use crate::rig::{AGENT, Rig, TLS_SENDER};
use crate::whom::Known;

/// 诊疗医师
const DOCTOR: &str = "clinic-doctor";
/// 挂号员
const REGISTRAR: &str = "clinic-registrar";

/// A message in an envelope of SOAP 1.1.
pub fn envelope((dialect, headers): (&str, &str), message: &str) -> String {
    let operation = if dialect == "hospital" { "HIPMessageServer" } else { "Any" };
    format!(
        "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Header>{headers}\
         </s:Header><s:Body><{operation} xmlns='urn:hl7-org:v3'><action/><message><![CDATA[\
         {message}]]></message></{operation}></s:Body></s:Envelope>"
    )
}

/// One message of a dialect, in an envelope of SOAP 1.1.
fn call(rig: &Rig, name: &str, (dialect, headers): (&str, &str), message: &str) -> String {
    let envelope = envelope((dialect, headers), message);
    let reply = post(rig, name, dialect, envelope.as_bytes());
    let text = String::from_utf8(reply.body).unwrap();
    assert_eq!(reply.status, 200, "{text}");
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

fn post(rig: &Rig, name: &str, dialect: &str, body: &[u8]) -> Reply {
    let path = format!("/soap/{dialect}");
    rig.https(name).post(&path, "text/xml; charset=utf-8", body).unwrap()
}

/// A v3 message of that name around what it acts on.
fn message(dialect: &str, name: &str, act: &str) -> String {
    let (root, item) = match dialect {
        "hospital" => ("2.16.156.10011.2.5.1.1", true),
        _ => ("2.16.156.10011.0", false),
    };
    let device = |id: &str| match item {
        true => format!("<id><item root='2.16.156.10011.2.5.1.3' extension='{id}'/></id>"),
        false => format!("<id root='2.16.156.10011.0.1.1' extension='{id}'/>"),
    };
    format!(
        "<{name} xmlns='urn:hl7-org:v3' ITSVersion='XML_1.0'><id root='{root}' \
         extension='m-{}'/><creationTime value='20261001083000'/>\
         <interactionId extension='{name}'/><processingCode code='P'/>\
         <processingModeCode/><acceptAckCode code='AL'/>\
         <receiver typeCode='RCV'><device>{}</device></receiver>\
         <sender typeCode='SND'><device>{}</device></sender>\
         <controlActProcess classCode='CACT' moodCode='EVN'>{act}</controlActProcess></{name}>",
        unique(),
        device("us"),
        device("them")
    )
}

/// Identifiers in the way of the dialect.
fn id(dialect: &str, root: &str, number: &str) -> String {
    match dialect {
        "hospital" => format!("<id><item root='{root}' extension='{number}'/></id>"),
        _ => format!("<id root='{root}' extension='{number}'/>"),
    }
}

const LOCAL: [(&str, &str); 2] =
    [("hospital", "2.16.156.10011.2.5.1.4"), ("regional", "2.16.156.10011.0.2.2")];

fn local(dialect: &str, number: &str) -> String {
    let (_, root) = LOCAL.iter().find(|(name, _)| *name == dialect).unwrap();
    id(dialect, root, number)
}

fn name(dialect: &str, text: &str) -> String {
    match dialect {
        "hospital" => {
            format!(
                "<name xsi:type='LIST_EN' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'>\
                     <item><part value='{text}'/></item></name>"
            )
        }
        _ => format!("<name use='L'>{text}</name>"),
    }
}

fn register(dialect: &str, interaction: &str, resident: &Resident, called: &str) -> String {
    let act = format!(
        "<subject typeCode='SUBJ'><registrationRequest classCode='REG' moodCode='RQO'>\
         <statusCode code='active'/><subject1 typeCode='SBJ'><patient classCode='PAT'>{}\
         <statusCode code='active'/><patientPerson>{}{}\
         <administrativeGenderCode code='1' codeSystem='2.16.156.10011.2.3.3.4'/>\
         <birthTime value='{}'/></patientPerson></patient></subject1></registrationRequest>\
         </subject>",
        local(dialect, &resident.local),
        id(dialect, "2.16.156.10011.1.3", &resident.citizen),
        name(dialect, called),
        &resident.citizen[6..14],
    );
    message(dialect, interaction, &act)
}

/// The question about a person, by the citizen id.
pub fn query(dialect: &str, citizen: &str) -> String {
    let value = match dialect {
        "hospital" => {
            format!("<value><item root='2.16.156.10011.1.3' extension='{citizen}'/></value>")
        }
        _ => format!("<value root='2.16.156.10011.1.3' extension='{citizen}'/>"),
    };
    let act = format!(
        "<queryByParameter><queryId root='1.2' extension='q-{}'/><parameterList>\
         <livingSubjectId>{value}</livingSubjectId></parameterList></queryByParameter>",
        unique()
    );
    message(dialect, "PRPA_IN201305UV02", &act)
}

#[test]
fn a_person_is_registered_updated_and_found_in_both_dialects() {
    let rig = Rig::shared();
    for dialect in ["regional", "hospital"] {
        let resident = Resident::new();
        let first = register(dialect, "PRPA_IN201311UV02", &resident, "测试甲");
        let said = call(&rig, TLS_SENDER, (dialect, ""), &first);
        assert!(said.contains("<PRPA_IN201312UV02") && said.contains("typeCode=\"AA\""), "{said}");
        assert_eq!(call(&rig, TLS_SENDER, (dialect, ""), &first), said, "sent again");
        let second = register(dialect, "PRPA_IN201314UV02", &resident, "测试乙");
        let said = call(&rig, TLS_SENDER, (dialect, ""), &second);
        assert!(said.contains("<PRPA_IN201315UV02") && said.contains("typeCode=\"AA\""), "{said}");
        let found = call(&rig, REGISTRAR, (dialect, ""), &query(dialect, &resident.citizen));
        assert!(found.contains("queryResponseCode code=\"OK\""), "{found}");
        assert!(found.contains("测试乙") && found.contains(&resident.citizen), "{found}");
        let nobody = Resident::new();
        let none = call(&rig, REGISTRAR, (dialect, ""), &query(dialect, &nobody.citizen));
        assert!(none.contains("queryResponseCode code=\"NF\""), "{none}");
    }
    assert!(rig.ledger(&["search"]).contains("record-sharing"));
}

#[test]
fn a_person_is_found_by_name_birth_date_and_sex_in_both_dialects() {
    let rig = Rig::shared();
    let known: Vec<_> =
        (0..2).map(|_| Known::admitted(&rig, "长孙^无忌", Some("19331120"))).collect();
    let ask = |dialect: &str, called: &str, more: &str| {
        let value = match dialect {
            "hospital" => format!("<item><part value='{called}'/></item>"),
            _ => called.to_owned(),
        };
        let act = format!(
            "<queryByParameter><queryId root='1.2' extension='q-{}'/>{more}<parameterList>\
             <livingSubjectAdministrativeGender><value code='1'/><semanticsText>性别</semanticsText>\
             </livingSubjectAdministrativeGender><livingSubjectBirthTime><value value='19331120'/>\
             </livingSubjectBirthTime><livingSubjectName><value>{value}</value>\
             <semanticsText value='患者姓名'/></livingSubjectName></parameterList>\
             </queryByParameter>",
            unique()
        );
        let told = message(dialect, "PRPA_IN201305UV02", &act);
        call(&rig, REGISTRAR, (dialect, ""), &told)
    };
    for dialect in ["regional", "hospital"] {
        let found = ask(dialect, "长孙无忌", "");
        assert!(found.contains("resultTotalQuantity value=\"2\""), "{found}");
        assert!(known.iter().all(|one| found.contains(&one.resident.citizen)), "{found}");
        let one = ask(dialect, "長孫無忌", "<initialQuantity value='1'/>");
        assert!(one.contains("resultRemainingQuantity value=\"1\""), "{one}");
        let told = known.iter().filter(|known| one.contains(&known.resident.citizen));
        assert_eq!(told.count(), 1, "{one}");
        let none = ask(dialect, "孙悟空", "");
        assert!(none.contains("queryResponseCode code=\"NF\""), "{none}");
    }
    for one in &known {
        let own = rig.ledger(&["search", "--citizen-id", &one.resident.citizen]);
        assert!(own.matches("disclosure").count() >= 2, "{own}");
    }
}

#[test]
fn a_merge_is_one_person_in_the_index_and_an_entry_in_the_ledger() {
    let rig = Rig::shared();
    for dialect in ["regional", "hospital"] {
        let (stays, goes) = (Resident::new(), Resident::new());
        for resident in [&stays, &goes] {
            let mut told = register(dialect, "PRPA_IN201311UV02", resident, "测试甲");
            if resident.local == goes.local {
                // One citizen id is one person: the double registration has none.
                told = told.replace(&id(dialect, "2.16.156.10011.1.3", &resident.citizen), "");
            }
            let said = call(&rig, TLS_SENDER, (dialect, ""), &told);
            assert!(said.contains("typeCode=\"AA\""), "{said}");
        }
        let act = format!(
            "<subject typeCode='SUBJ'><registrationEvent><subject1><patient>{}<patientPerson>{}\
             </patientPerson></patient></subject1><replacementOf><priorRegistration><subject1>\
             <priorRegisteredRole>{}</priorRegisteredRole></subject1></priorRegistration>\
             </replacementOf></registrationEvent></subject>",
            local(dialect, &stays.local),
            id(dialect, "2.16.156.10011.1.3", &stays.citizen),
            local(dialect, &goes.local),
        );
        let told = message(dialect, "PRPA_IN201304UV02", &act);
        let said = call(&rig, TLS_SENDER, (dialect, ""), &told);
        assert!(said.contains("<MCCI_IN000002UV01") && said.contains("typeCode=\"AA\""), "{said}");
        // The message's own: others merge in the same gateway meanwhile.
        let number = told.split("extension='m-").nth(1).unwrap().split('\'').next().unwrap();
        let merged = format!(
            "SELECT count(*) FROM merge JOIN journal ON journal.number = merge.journal \
             WHERE control_id LIKE '%^m-{number}'"
        );
        assert_eq!(rig.stored(&merged), 1, "{said}");
    }
}

/// A registration that brings a summary of a visit under a number.
fn summary(resident: &Resident, number: &str, content: &str) -> String {
    format!(
        "<ProvideAndRegisterDocumentSetRequest xmlns='urn:hl7-org:v3'>\
         <ID root='2.16.156.10011.0' extension='m-{}'/>\
         <SourcePatientID>{}</SourcePatientID><SourcePatientName>测试甲</SourcePatientName>\
         <IdentityId>{}</IdentityId><RegistryPackage><SubmissionSet>\
         <Title>门诊摘要</Title><CreateTime>2026-09-30T03:27:29Z</CreateTime></SubmissionSet>\
         </RegistryPackage><Document id='{number}' mimeType='text/xml'><Content>{}</Content>\
         </Document></ProvideAndRegisterDocumentSetRequest>",
        unique(),
        resident.local,
        resident.citizen,
        STANDARD.encode(content)
    )
}

#[test]
fn a_document_is_stored_searched_for_and_read_by_the_doctor_alone() {
    let rig = Rig::shared();
    let resident = Resident::new();
    let (number, content) = (format!("D{}", unique()), format!("<root>摘要{}</root>", unique()));
    let said = call(&rig, TLS_SENDER, ("regional", ""), &summary(&resident, &number, &content));
    assert!(said.contains("<RegistryResponse") && said.contains("status=\"AA\""), "{said}");
    assert!(said.contains(&format!("documentUniqueId=\"{number}\"")), "{said}");
    let search = format!(
        "<GetDocumentStroedInfoRequest xmlns='urn:hl7-org:v3'><Id extension='s-{}'/>\
         <IdentityId>{}</IdentityId><DocumentTitle>门诊摘要</DocumentTitle>\
         </GetDocumentStroedInfoRequest>",
        unique(),
        resident.citizen
    );
    let listed = call(&rig, DOCTOR, ("regional", ""), &search);
    assert!(listed.contains(&format!("<DocumentUniqueId>{number}</DocumentUniqueId>")), "{listed}");
    assert!(!listed.contains(&STANDARD.encode(&content)), "a list holds no document");
    let fetch = |number: &str| {
        format!(
            "<RetrieveDocumentSetRequest xmlns='urn:hl7-org:v3'><ID extension='f-{}'/>\
             <DocumentRequest><DocumentUniqueId>{number}</DocumentUniqueId></DocumentRequest>\
             </RetrieveDocumentSetRequest>",
            unique()
        )
    };
    // Whoever does not treat the elder is told of no document; who does, reads it.
    let stranger = call(&rig, DOCTOR, ("regional", ""), &fetch(&number));
    assert!(!stranger.contains(&STANDARD.encode(&content)), "{stranger}");
    rig.treats(&resident.citizen);
    let read = call(&rig, DOCTOR, ("regional", ""), &fetch(&number));
    assert!(read.contains(&STANDARD.encode(&content)), "{read}");
    // The registration desk sees neither, and cannot tell whether there is one.
    let without = |text: &str| {
        let id = text.split("<Id ").nth(1).unwrap().split("/>").next().unwrap();
        let target = text.split("<TargetId ").nth(1).unwrap().split("/>").next().unwrap();
        text.replace(id, "").replace(target, "")
    };
    let withheld = call(&rig, REGISTRAR, ("regional", ""), &fetch(&number));
    let absent = call(&rig, REGISTRAR, ("regional", ""), &fetch("nowhere"));
    assert_eq!(without(&withheld), without(&absent));
    assert!(withheld.contains("status=\"AE\""), "{withheld}");
    assert!(!call(&rig, REGISTRAR, ("regional", ""), &search).contains(&number));
}

#[test]
fn staff_are_entered_and_found_and_are_no_persons_of_care() {
    // It counts persons: nobody else may bring any.
    let rig = Rig::start();
    for dialect in ["regional", "hospital"] {
        let (staff, persons) = (format!("S{}", unique()), "SELECT count(*) FROM person");
        let before = rig.stored(persons);
        let act = format!(
            "<subject><registrationRequest><subject1><healthCareProvider>{}\
             <healthCarePrincipalPerson>{}{}</healthCarePrincipalPerson></healthCareProvider>\
             </subject1></registrationRequest></subject>",
            id(dialect, "2.16.156.10011.1.4", &staff),
            id(dialect, "2.16.156.10011.1.3", &Resident::new().citizen),
            name(dialect, "李测试"),
        );
        let told = message(dialect, "PRPM_IN301010UV01", &act);
        let said = call(&rig, TLS_SENDER, (dialect, ""), &told);
        assert!(said.contains("<PRPM_IN301011UV01") && said.contains("typeCode=\"AA\""), "{said}");
        let entered = rig.stored("SELECT count(*) FROM directory");
        let second = told.replace("李测试", "李改名").replace("m-", "n-");
        let said = call(&rig, TLS_SENDER, (dialect, ""), &second);
        assert!(said.contains("typeCode=\"AA\""), "{said}");
        assert!(rig.stored("SELECT count(*) FROM directory") > entered, "versions are kept");
        assert_eq!(rig.stored(persons), before);
        let act = format!(
            "<queryByParameterPayload><providerID><value root='2.16.156.10011.1.4' \
             extension='{staff}'/></providerID></queryByParameterPayload>"
        );
        let asked = message(dialect, "PRPM_IN306010UV01", &act);
        let header = "<Purpose xmlns='urn:hl7-org:v3'>directory-lookup</Purpose>";
        let found = call(&rig, REGISTRAR, (dialect, header), &asked);
        assert!(found.contains("<PRPM_IN306011UV01") && found.contains("李改名"), "{found}");
        assert!(!found.contains("2.16.156.10011.1.3"), "no citizen id of staff: {found}");
    }
}

#[test]
fn a_question_is_refused_by_name_and_with_an_entry() {
    let rig = Rig::shared();
    let check = |name: &str, headers: &str, fault: &str| {
        let said =
            call(&rig, name, ("regional", headers), &query("regional", &Resident::new().citizen));
        assert!(said.contains("typeCode=\"AE\"") && said.contains(fault), "{fault}: {said}");
        assert!(said.contains("queryResponseCode code=\"AE\""), "{said}");
    };
    // A hotline agent was granted no such purpose; a sender asks nothing.
    check(AGENT, "<Purpose xmlns='urn:hl7-org:v3'>record-sharing</Purpose>", "purpose-not-granted");
    check(TLS_SENDER, "", "certificate-unknown");
    check(DOCTOR, "<Purpose xmlns='urn:hl7-org:v3'>curiosity</Purpose>", "unknown-purpose");
    let refused =
        "<QUMT_IN020030UV01 xmlns='urn:hl7-org:v3'><id extension='1'/></QUMT_IN020030UV01>";
    let said = call(&rig, DOCTOR, ("hospital", ""), refused);
    assert!(said.contains("AE") && said.contains("unsupported-message"), "{said}");
}

#[test]
fn what_is_brought_and_cannot_be_taken_is_counted_and_said_to_be() {
    let rig = Rig::shared();
    let mut wrong = Resident::new();
    let last = if wrong.citizen.ends_with('0') { "1" } else { "0" };
    wrong.citizen.replace_range(17.., last);
    let told = register("regional", "PRPA_IN201311UV02", &wrong, "测试甲");
    let said = call(&rig, TLS_SENDER, ("regional", ""), &told);
    assert!(said.contains("<PRPA_IN201313UV02") && said.contains("identifier-invalid"), "{said}");
    assert!(!said.contains(&wrong.citizen[..17]), "an answer holds no value");
    let torn =
        call(&rig, TLS_SENDER, ("hospital", ""), "<PRPA_IN201311UV02><id></PRPA_IN201311UV02>");
    assert!(torn.contains("AE") && torn.contains("xml-"), "{torn}");
    let reply = post(&rig, TLS_SENDER, "regional", b"<Envelope/>");
    assert_eq!(reply.status, 500);
    assert!(String::from_utf8(reply.body).unwrap().contains("malformed"));
    // A message of HL7 v3 by the other door is the same to the journal.
    let resident = Resident::new();
    let told = register("hospital", "PRPA_IN201311UV02", &resident, "测试甲");
    let mut link = rig.https(TLS_SENDER);
    let kept = link.post("/v1/messages", "application/xml", told.as_bytes()).unwrap().json();
    assert_eq!(kept["state"], "kept", "{kept}");
    let reply = rig.mllp().exchange(&Message::new("A31", &resident).bytes()).unwrap();
    assert_eq!(crate::rig::message::field(&reply, "MSA-1"), "AA", "the same person");
}

#[test]
fn the_description_of_each_interface_is_served() {
    let rig = Rig::shared();
    for (dialect, operation) in
        [("hospital", "HIPMessageServer"), ("regional", "PRPA_IN201311UV02")]
    {
        let reply = rig.https(DOCTOR).get(&format!("/soap/{dialect}?wsdl")).unwrap();
        let page = String::from_utf8(reply.body).unwrap();
        assert_eq!(reply.status, 200);
        assert!(page.contains(&format!("<wsdl:operation name=\"{operation}\">")), "{page}");
        assert!(page.contains(&format!("https://127.0.0.1:{}/soap/{dialect}", rig.ports.https)));
    }
}

/// A registration that brings a clinical document of the mapping's own examples.
fn registration(example: &str, number: &str) -> (String, String, Vec<u8>) {
    let path = format!("{}/mappings/cda/documents.examples/{example}", crate::rig::ROOT);
    let resident = Resident::new();
    let text = std::fs::read_to_string(path).unwrap();
    let own = text.split("root=\"2.16.156.10011.1.3\" extension=\"").nth(1).unwrap();
    let own = own.split('"').next().unwrap().to_owned();
    // Somebody of this run's own: the example's person belongs to other tests too.
    let born = text.split("<birthTime value=\"").nth(1).unwrap().split('"').next().unwrap();
    let birth = |day: &str| format!("<birthTime value=\"{day}\"");
    let text = text.replace(&birth(born), &birth(&resident.citizen[6..14]));
    let text = text.replace(&own, &resident.citizen);
    let told = format!(
        "<ProvideAndRegisterDocumentSetRequest xmlns='urn:hl7-org:v3'>\
         <ID root='2.16.156.10011.0' extension='m-{}'/><IdentityId>{}</IdentityId>\
         <Document id='{number}' mimeType='text/xml'><Content>{}</Content></Document>\
         </ProvideAndRegisterDocumentSetRequest>",
        unique(),
        resident.citizen,
        STANDARD.encode(&text)
    );
    (told, resident.citizen, text.into_bytes())
}

#[test]
fn a_clinical_document_is_read_into_elements_and_a_protected_one_is_given_to_nobody() {
    let rig = Rig::shared();
    let asks = |numbers: &[&String]| {
        let wanted = numbers.iter().map(|number| {
            format!(
                "<DocumentRequest><DocumentUniqueId>{number}</DocumentUniqueId></DocumentRequest>"
            )
        });
        let fetch = format!(
            "<RetrieveDocumentSetRequest xmlns='urn:hl7-org:v3'><ID extension='f-{}'/>{}\
             </RetrieveDocumentSetRequest>",
            unique(),
            wanted.collect::<String>()
        );
        call(&rig, DOCTOR, ("regional", ""), &fetch)
    };
    let mut kept = Vec::new();
    for (example, given) in [("01.xml", true), ("02.xml", false)] {
        let number = format!("C{}", unique());
        let (told, citizen, content) = registration(example, &number);
        let said = call(&rig, TLS_SENDER, ("regional", ""), &told);
        assert!(said.contains("status=\"AA\""), "{example}: {said}");
        let records =
            rig.stored("SELECT count(*) FROM record WHERE dataset <> 'document-registration'");
        assert!(records > 0, "the document's own dataset");
        rig.treats(&citizen);
        let read = asks(&[&number]);
        assert_eq!(read.contains(&STANDARD.encode(&content)), given, "{example}: {read}");
        assert!(!read.contains(&citizen), "{read}");
        kept.push((number, STANDARD.encode(&content)));
    }
    // Before one that may be read, one of somebody who refused is like one that is not there.
    let (refused, all) = (
        Resident::new(),
        json!({ "consent": "JJ-1", "decision": "deny", "purposes": null, "notice": null }),
    );
    assert_eq!(rig.says(&refused.citizen, all)["state"], "kept");
    let (other, nowhere) = (format!("C{}", unique()), format!("N{}", unique()));
    let told = summary(&refused, &other, "hidden");
    assert!(call(&rig, TLS_SENDER, ("regional", ""), &told).contains("status=\"AA\""));
    for before in [&other, &nowhere] {
        let read = asks(&[before, &kept[0].0]);
        assert!(read.contains(&kept[0].1) && !read.contains(&STANDARD.encode("hidden")), "{read}");
    }
}
