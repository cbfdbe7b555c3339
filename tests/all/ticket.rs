//! Break-glass: a call or a case opens one elder for a while, and somebody looks at it afterwards.

use kangqiao_conformance::https::Reply;
use serde_json::{Value, json};

use crate::rig::message::{Message, Resident, field};
use crate::rig::{AGENT, CLINIC, Rig};

/// Two officers of the bureau.
const OFFICERS: [&str; 2] = ["civil-affairs-officer-1", "civil-affairs-officer-2"];

fn admitted(rig: &Rig) -> Resident {
    let resident = Resident::new();
    let mut message = Message::new("A01", &resident);
    message.segments.push("AL1|1|DA|101^青霉素^CV05.01.038|SV|皮疹".to_owned());
    let reply = rig.mllp().exchange(&message.bytes()).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AA");
    resident
}

fn ask(rig: &Rig, who: &str, (citizen, purpose): (&str, &str), evidence: &Value) -> Reply {
    let question = json!({
        "identifier": { "kind": "citizen-id", "value": citizen },
        "purpose": purpose, "evidence": evidence,
    });
    rig.ask(who, &question)
}

/// A refusal without what differs for each.
fn refusal(reply: &Reply) -> Value {
    let mut body = reply.json();
    body.as_object_mut().unwrap().remove("receipt").unwrap();
    body
}

/// How many tickets nobody has looked at.
fn unseen(rig: &Rig) -> u64 {
    rig.stored("SELECT count(*) FROM ticket WHERE reviewed_ms IS NULL")
}

#[test]
fn a_call_opens_one_elder_and_is_there_to_be_looked_at() {
    let rig = Rig::start();
    let (one, other, nobody) = (admitted(&rig), admitted(&rig), Resident::new());
    let call = json!({ "call": "CALL-7" });
    let card = |citizen: &str| ask(&rig, AGENT, (citizen, "emergency-card"), &call);
    let first = card(&one.citizen);
    assert_eq!(first.status, 200);
    assert_eq!(unseen(&rig), 1, "nobody will look at it");
    // Again about the same elder: the agent may have lost the answer.
    assert_eq!(card(&one.citizen).status, 200);
    // About somebody else it is refused, and alike whether anybody knows him.
    let asked = rig.platform.asked();
    let (known, unknown) = (card(&other.citizen), card(&nobody.citizen));
    assert_eq!((known.status, unknown.status), (409, 409));
    assert_eq!(known.json()["fault"], "ticket-spent");
    assert_eq!(refusal(&known), refusal(&unknown));
    assert_eq!(rig.platform.asked(), asked, "the platform heard of somebody who was refused");
    assert_eq!(unseen(&rig), 1);
    // A quarter of an hour later the call opens nobody, also after a restart.
    rig.stop();
    let path = rig.path().join("data/kangqiao.db");
    let store = rusqlite::Connection::open(path).unwrap();
    store.execute("UPDATE ticket SET until_ms = until_ms - 900000", []).unwrap();
    drop(store);
    rig.resume();
    let late = card(&one.citizen);
    assert_eq!((late.status, late.json()["fault"].as_str().unwrap()), (409, "ticket-spent"));
    // The ledger has the opening before the answer, once.
    let ledger = rig.ledger(&["search", "--kind", "break-glass", "--json"]);
    assert_eq!(ledger.matches("CALL-7").count(), 1, "{ledger}");
}

#[test]
fn in_an_emergency_a_doctor_says_why_and_the_refusal_of_the_elder_gives_way() {
    let rig = Rig::shared();
    let elder = admitted(&rig);
    let refused = json!({ "decision": "deny", "purposes": null, "notice": null });
    assert_eq!(rig.says(&elder.citizen, refused)["state"], "kept");
    let ask = |evidence: Value| ask(&rig, CLINIC, (&elder.citizen, "emergency-record"), &evidence);
    for (evidence, at) in [
        (json!({ "case": "ER-1" }), "/evidence/reason"),
        (json!({ "reason": "昏迷" }), "/evidence/case"),
    ] {
        let reply = ask(evidence);
        assert_eq!((reply.status, reply.json()["at"].as_str().unwrap()), (422, at));
    }
    let case = crate::rig::call();
    let reply = ask(json!({ "case": case, "reason": "昏迷，无法询问" }));
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    assert!(reply.json()["elements"].to_string().contains("青霉素"));
    let ledger = rig.ledger(&["search", "--kind", "break-glass", "--json"]);
    assert!(ledger.contains(&case) && ledger.contains("昏迷"), "{ledger}");
}

#[test]
fn two_officers_look_for_somebody_and_one_alone_for_nobody() {
    let rig = Rig::start();
    let mut elder = Resident::new();
    elder.more = "||测试^乙||19480315|M|||^^中山路1号||13900000001".to_owned();
    let mut message = Message::new("A01", &elder);
    let pid = elder.identifiers().replace(&elder.more, "");
    message.segments[1] =
        format!("PID|1||{pid}||测试^乙||19480315|M|||^^中山路1号^郑州^河南||13900000001");
    assert_eq!(field(&rig.mllp().exchange(&message.bytes()).unwrap(), "MSA-1"), "AA");
    let evidence = json!({ "case": "ZS-2026-7", "reason": "走失，家属报案" });
    let ask = |who: &str, citizen: &str| ask(&rig, who, (citizen, "safeguarding"), &evidence);
    let asked = rig.registry.asked();
    for _ in 0..2 {
        let alone = ask(OFFICERS[0], &elder.citizen);
        assert_eq!(alone.status, 409, "{}", String::from_utf8_lossy(&alone.body));
        assert_eq!(alone.json()["fault"], "second-person-needed");
    }
    assert_eq!(rig.registry.asked(), asked, "one officer had the registry asked");
    assert_eq!(ask(OFFICERS[1], &Resident::new().citizen).json()["fault"], "ticket-spent");
    for who in [OFFICERS[1], OFFICERS[0]] {
        let reply = ask(who, &elder.citizen);
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        assert!(reply.json()["elements"].to_string().contains("13900000001"));
    }
    let ledger = rig.ledger(&["search", "--kind", "break-glass", "--json"]);
    for who in OFFICERS {
        assert_eq!(ledger.matches(who).count(), 1, "{who}: {ledger}");
    }
}

/// By whatever door: who asks by the exchange services is known by his certificate too.
#[test]
fn the_first_officer_is_not_the_second_by_another_door() {
    let rig = Rig::start();
    let elder = admitted(&rig);
    let number = format!("D{}", crate::rig::message::unique());
    let stored = format!(
        "<ProvideAndRegisterDocumentSetRequest xmlns='urn:hl7-org:v3'>\
         <ID root='2.16.156.10011.0' extension='m-1'/><IdentityId>{}</IdentityId>\
         <RegistryPackage><SubmissionSet><Title>x</Title></SubmissionSet></RegistryPackage>\
         <Document id='{number}' mimeType='text/xml'><Content>PHgvPg==</Content></Document>\
         </ProvideAndRegisterDocumentSetRequest>",
        elder.citizen
    );
    let soap = |who: &str, head: &str, message: &str| {
        let body = format!(
            "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Header>{head}\
             </s:Header><s:Body><HIPMessageServer xmlns='urn:hl7-org:v3'><action/><message>\
             <![CDATA[{message}]]></message></HIPMessageServer></s:Body></s:Envelope>"
        );
        let media = "text/xml; charset=utf-8";
        rig.https(who).post("/soap/regional", media, body.as_bytes()).unwrap()
    };
    let kept = soap(crate::rig::TLS_SENDER, "", &stored);
    assert!(String::from_utf8_lossy(&kept.body).contains("AA"), "{:?}", kept.status);
    let evidence = json!({ "case": "ZS-2026-9", "reason": "走失" });
    let first = || ask(&rig, OFFICERS[0], (&elder.citizen, "safeguarding"), &evidence);
    assert_eq!(first().json()["fault"], "second-person-needed");
    let head = |name: &str, text: &str| format!("<{name} xmlns='urn:hl7-org:v3'>{text}</{name}>");
    let heads =
        head("Purpose", "safeguarding") + &head("Case", "ZS-2026-9") + &head("Reason", "走失");
    let fetch = format!(
        "<RetrieveDocumentSetRequest xmlns='urn:hl7-org:v3'><ID extension='f-1'/>\
         <DocumentRequest><DocumentUniqueId>{number}</DocumentUniqueId></DocumentRequest>\
         </RetrieveDocumentSetRequest>"
    );
    soap(OFFICERS[0], &heads, &fetch);
    assert_eq!(rig.stored("SELECT count(*) FROM ticket WHERE seconded_by IS NOT NULL"), 0);
    assert_eq!(first().json()["fault"], "second-person-needed");
    // Another spelling of the number is no other ticket.
    let spaced = json!({ "case": " ZS-2026-9 ", "reason": "走失" });
    let other = ask(&rig, OFFICERS[1], (&Resident::new().citizen, "safeguarding"), &spaced);
    assert_eq!(other.json()["fault"], "ticket-spent");
}
