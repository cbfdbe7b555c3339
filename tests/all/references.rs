//! References: what a subscription calls an elder, and what is told when two mean one.

use serde_json::{Value, json};

use crate::notices::{PAYMENTS, Site, dies, text};
use crate::rig::message::{Message, Resident, field, unique};
use crate::rig::{CLERK, Rig, TLS_SENDER, until};

/// An admission at a hospital under a number of its own.
fn admitted(rig: &Rig, resident: &Resident) {
    let reply = rig.mllp().exchange(&Message::new("A01", resident).bytes()).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AA");
}

#[test]
fn two_references_that_become_one_elder_are_told_of_and_so_is_the_undoing() {
    let site = Site::start("\"death\", \"identity\"");
    // Two people of one hospital under cards, for two citizen ids are never one.
    let (mut one, mut other) = (Resident::new(), Resident::new());
    let cards =
        [format!("A{:09}", unique() % 1_000_000_000), format!("B{:09}", unique() % 1_000_000_000)];
    one.name = "欧阳^娜娜".to_owned();
    other.name = "司徒^文静".to_owned();
    for (resident, card) in [(&one, &cards[0]), (&other, &cards[1])] {
        let mut message = Message::new("A01", resident);
        message.segments[1] = message.segments[1]
            .replace(&format!("{}^^^GA^NI", resident.citizen), &format!("{card}^^^CARD^HC"));
        let reply = site.rig.mllp().exchange(&message.bytes()).unwrap();
        assert_eq!(field(&reply, "MSA-1"), "AA");
    }
    for (card, reference) in cards.iter().zip(["ONE", "OTHER"]) {
        let identifier = json!({ "kind": "health-card", "value": card });
        let elder = json!({ "identifier": identifier, "reference": reference });
        let reply = site.ask(CLERK, &json!({ "subscription": PAYMENTS, "enrol": [elder] }));
        assert_eq!(reply.status, 200, "{}", text(&reply));
    }
    let mut merge = Message::new("A40", &one);
    merge.segments[1] = merge.segments[1]
        .replace(&format!("{}^^^GA^NI", one.citizen), &format!("{}^^^CARD^HC", cards[0]));
    merge.segments.push(format!("MRG|{}^^^HOSP-A^MR", other.local));
    let reply = site.rig.mllp().exchange(&merge.bytes()).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AA", "{}", String::from_utf8_lossy(&reply));
    let same = |notice: &Value| {
        (notice["reference"].as_str().unwrap().to_owned(), notice["same_as"].clone())
    };
    let mut told: Vec<_> = site.taken(2).iter().map(same).collect();
    told.sort_by(|a, b| a.0.cmp(&b.0));
    let expect = [("ONE".to_owned(), json!(["OTHER"])), ("OTHER".to_owned(), json!(["ONE"]))];
    assert_eq!(told, expect);
    let local = other.local.clone();
    let words = ["unmerge", "--local", &local, "--authority", "HOSP-A"];
    let (undone, said) = site.rig.order(&words);
    assert!(undone, "{said}");
    let told = site.taken(4);
    let mut told: Vec<_> = told[2..].iter().map(same).collect();
    told.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(told, [("ONE".to_owned(), json!([])), ("OTHER".to_owned(), json!([]))]);
}

#[test]
fn another_hospital_that_speaks_of_an_elder_is_no_news() {
    let site = Site::start("\"death\", \"identity\"");
    let resident = Resident::new();
    site.enrol(&resident, "A");
    admitted(&site.rig, &resident);
    let elsewhere = Message::new("A01", &resident).bytes();
    let reply = site.rig.mllps(TLS_SENDER).unwrap().exchange(&elsewhere).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AA");
    dies(&site.rig, &resident.citizen, 9);
    let told = site.taken(1);
    site.settled();
    assert_eq!(told[0]["event"], "death");
    assert_eq!(site.receiver.count(), 1, "that a hospital knows him was told");
}

#[test]
fn a_reference_that_means_somebody_else_tells_nothing_old_of_him() {
    let site = Site::start("\"death\"");
    let (before, after) = (Resident::new(), Resident::new());
    site.receiver.answers(|_| 503);
    site.enrol(&before, "A");
    dies(&site.rig, &before.citizen, 1);
    until("it was tried", || (site.receiver.count() > 0).then_some(()));
    dies(&site.rig, &after.citizen, 2);
    site.enrol(&after, "A");
    // What was on its way while the reference changed hands is refused yet; were it tried for
    // ever, nothing would settle.
    let tried = site.receiver.came()[0].notice["id"].clone();
    assert!(tried.is_string());
    site.receiver.answers(move |notice| if notice["id"] == tried { 503 } else { 200 });
    site.settled();
    assert!(site.receiver.taken().is_empty(), "a death was told of somebody else");
    let ledger = site.rig.ledger(&["export"]);
    assert_eq!(ledger.matches("payments joined").count(), 2);
    assert_eq!(ledger.matches("payments left").count(), 1, "who was taken off is not entered");
    dies(&site.rig, &after.citizen, 3);
    assert_eq!(site.taken(1).len(), 1);
}

/// An admission whose PID-3 is this.
fn admitted_as(site: &Site, resident: &Resident, numbers: &str) {
    let mut message = Message::new("A01", resident);
    message.segments[1] = message.segments[1].replace(&resident.identifiers(), numbers);
    let reply = site.rig.mllp().exchange(&message.bytes()).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AA", "{}", String::from_utf8_lossy(&reply));
}

#[test]
fn who_is_one_person_is_told_where_two_references_are_concerned_and_nowhere_else() {
    let site = Site::start("\"death\", \"identity\"");
    let resident = Resident::new();
    let card = format!("C{:09}", unique() % 1_000_000_000);
    let local = format!("{}^^^HOSP-A^MR", resident.local);
    let other = format!("X{}^^^HOSP-A^MR", resident.local);
    site.enrol(&resident, "ID");
    admitted_as(&site, &resident, &resident.identifiers());
    admitted_as(&site, &resident, &format!("{other}~{card}^^^CARD^HC"));
    let mut merge = Message::new("A40", &resident);
    merge.segments.push(format!("MRG|{other}"));
    let reply = site.rig.mllp().exchange(&merge.bytes()).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AA");
    site.settled();
    assert_eq!(site.receiver.count(), 0, "that a hospital merged its entries is nobody's");

    // A second reference of another elder, whose number turns out to be the first one's.
    let second = format!("D{:09}", unique() % 1_000_000_000);
    let identifier = json!({ "kind": "health-card", "value": second });
    let elder = json!({ "identifier": identifier, "reference": "CARD" });
    let reply = site.ask(CLERK, &json!({ "subscription": PAYMENTS, "enrol": [elder] }));
    assert_eq!(reply.status, 200, "{}", text(&reply));
    admitted_as(
        &site,
        &resident,
        &format!("{local}~{}^^^GA^NI~{second}^^^CARD^HC", resident.citizen),
    );
    let mut told: Vec<_> = site
        .taken(2)
        .iter()
        .map(|one| (one["reference"].to_string(), one["same_as"].to_string()))
        .collect();
    told.sort();
    let expect = [("\"CARD\"", "[\"ID\"]"), ("\"ID\"", "[\"CARD\"]")];
    assert_eq!(told, expect.map(|(one, other)| (one.to_owned(), other.to_owned())));
}
