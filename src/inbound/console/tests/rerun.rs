//! Messages tried again many at a time, over a gateway that is only pretended.

use super::CITIZEN;
use super::browser::{Browser, House, Page};

/// A pile of the quarantine, as its form names it.
const PILE: &[(&str, &str)] = &[
    ("state", "quarantined"),
    ("sender", "hospital-a"),
    ("fault", "table-value"),
    ("place", "PID-8"),
];

async fn post(browser: &mut Browser, place: &str, fields: &[(&str, &str)]) -> Page {
    let token = browser.visit("/overview").await.form_token();
    browser.post(place, &[&[("form_token", token.as_str())], fields].concat()).await
}

#[actix_web::test]
async fn operators_order_auditors_watch_and_nobody_else_sees_it() {
    let house = House::open().await;
    let mut proposer = house.signed_in("wen").await;
    assert!(proposer.visit("/trace/replays").await.body.contains("没有批量重放"));
    let made = post(&mut proposer, "/trace/replays", PILE).await;
    assert_eq!(
        (made.status, made.header("location")),
        (303, "/trace/replays/471?said=noted".into())
    );
    for (name, watches, orders) in [
        ("wu", true, true),
        ("lin", true, false),
        ("rui", false, false),
        ("pan", false, false),
        ("both", true, false),
    ] {
        let mut browser = house.signed_in(name).await;
        for place in ["/trace/replays", "/trace/replays/471"] {
            let page = browser.visit(place).await;
            assert_eq!(page.status, if watches { 200 } else { 403 }, "{name} {place}");
            assert_eq!(page.body.contains("table-value"), watches, "{name} {place}");
            assert!(!page.body.contains("id=\"approve\"") || orders, "{name} {place}");
        }
        let quarantine = browser.visit("/trace/quarantine").await;
        assert_eq!(quarantine.body.contains("试算重放"), orders, "{name}");
        let tried = post(&mut browser, "/trace/replays/preview", PILE).await;
        assert_eq!(tried.status, if orders { 200 } else { 403 }, "{name}");
        if !orders {
            for (place, fields) in
                [("/trace/replays", PILE), ("/trace/replays/471", &[("decision", "decline")])]
            {
                assert_eq!(post(&mut browser, place, fields).await.status, 403, "{name} {place}");
            }
        }
    }
    let asked = house.asked();
    for name in ["lin", "rui", "pan", "both"] {
        let own = asked.iter().filter(|line| line.starts_with(name));
        assert!(own.clone().all(|line| line.contains("piles")), "{name}: {asked:?}");
    }
}

#[actix_web::test]
async fn a_preview_counts_by_reason_and_says_what_is_not_tried() {
    let house = House::open().await;
    let mut browser = house.signed_in("wen").await;
    let page = post(&mut browser, "/trace/replays/preview", PILE).await;
    for text in [
        "1,234",
        "480",
        "PID-8",
        "table-value",
        "malformed",
        "civil-discharge",
        "61",
        "0b7ac31e55d28c90",
        "只试算最早的 500 条",
        "另有已入库 3 条",
        "另有已拒绝 7 条",
    ] {
        assert!(page.body.contains(text), "{text}");
    }
    let asked = house.asked().pop().unwrap();
    for word in ["rehearse", "TableValue", "Some(\"PID-8\")", "hospital-a"] {
        assert!(asked.contains(word), "{word}: {asked}");
    }
    // What is proposed is what was previewed.
    let fields = ["sender", "state", "fault", "place"].map(|name| (name, page.field(name)));
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(post(&mut browser, "/trace/replays", &fields).await.status, 303);
    let proposed = house.asked().pop().unwrap();
    assert_eq!(proposed, asked.replace("rehearse", "propose"));
    let english = browser.visit("/trace/replays/471?lang=en").await;
    assert!(english.body.contains("As it was previewed") && english.body.contains("44 / 1,234"));
}

#[actix_web::test]
async fn a_second_operator_approves_and_any_of_them_stops_it() {
    let house = House::open().await;
    let (mut one, mut other) = (house.signed_in("wen").await, house.signed_in("wu").await);
    assert_eq!(post(&mut one, "/trace/replays", PILE).await.status, 303);
    let page = one.visit("/trace/replays/471").await;
    assert!(page.body.contains("id=\"decline\"") && !page.body.contains("id=\"approve\""));
    let say = [("decision", "approve")];
    let own = post(&mut one, "/trace/replays/471", &say).await;
    assert_eq!(own.status, 409);
    assert!(own.body.contains("提议人不能批准自己的提议"));
    assert!(other.visit("/trace/replays/471").await.body.contains("id=\"approve\""));
    assert_eq!(post(&mut other, "/trace/replays/471", &say).await.status, 303);
    assert!(one.visit("/trace/replays/471").await.body.contains("进行中"));
    let again = post(&mut other, "/trace/replays/471", &say).await;
    assert_eq!(again.status, 409, "it is under way");
    assert_eq!(post(&mut one, "/trace/replays/471", &[("decision", "stop")]).await.status, 303);
    let stopped = one.visit("/trace/replays/471").await;
    assert!(stopped.body.contains("已停止") && !stopped.body.contains("name=\"decision\""));
    assert_eq!(one.visit("/trace/replays/472").await.status, 404);
}

#[actix_web::test]
async fn nothing_is_proposed_by_a_person_a_forged_form_or_for_nothing() {
    let house = House::open().await;
    let mut browser = house.signed_in("wen").await;
    let by_person = [("kind", "citizen-id"), ("value", CITIZEN)];
    for (fields, status) in [
        (&by_person[..], 403),
        (&[("control_id", "DEMO-7")], 403),
        (&[("entries", "5,8")], 403),
        (&[("sender", "no such sender")], 409),
        (&[("form", "hl7v2")], 409),
    ] {
        let page = post(&mut browser, "/trace/replays", fields).await;
        assert_eq!(page.status, status, "{fields:?}");
        assert!(!page.body.contains(CITIZEN));
    }
    for place in ["/trace/replays", "/trace/replays/preview", "/trace/replays/471"] {
        let forged = [("form_token", "forged"), ("decision", "stop")];
        assert_eq!(browser.post(place, &forged).await.status, 403, "{place}");
    }
    let asked = house.asked();
    assert_eq!(asked.len(), 1, "only what could be read was asked: {asked:?}");
    house.fake.full.store(true, std::sync::atomic::Ordering::Relaxed);
    let page = post(&mut browser, "/trace/replays/preview", PILE).await;
    assert_eq!(page.status, 503);
    assert!(!page.body.contains("civil-discharge"), "what cannot be entered is not shown");
}
