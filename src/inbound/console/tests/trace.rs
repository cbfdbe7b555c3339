//! The trace of messages, over a gateway that is only pretended.

use super::CITIZEN;
use super::browser::{House, Page};

#[actix_web::test]
async fn operators_and_auditors_trace_and_nobody_else() {
    let house = House::open().await;
    for (name, sees) in [("lin", true), ("wen", true), ("rui", false), ("pan", false)] {
        let mut browser = house.signed_in(name).await;
        let token = browser.visit("/overview").await.form_token();
        for place in ["/trace", "/trace/message/4", "/trace/quarantine"] {
            let page = browser.visit(place).await;
            assert_eq!(page.status, if sees { 200 } else { 403 }, "{name} {place}");
        }
        let found = browser.post("/trace/search", &[("form_token", token.as_str())]).await;
        assert_eq!(found.status, if sees { 200 } else { 403 }, "{name}");
        let forged = browser.post("/trace/search", &[("form_token", "forged")]).await;
        assert_eq!(forged.status, 403, "{name}");
        let again = browser.visit("/trace/search").await;
        assert_eq!(again.header("location"), "/trace");
    }
    let asked = house.asked();
    assert_eq!(asked.iter().filter(|line| line.starts_with("lin")).count(), 3, "{asked:?}");
    assert_eq!(asked.len(), 6, "a look that is refused asks for nothing: {asked:?}");
}

#[actix_web::test]
async fn what_cannot_be_entered_is_not_shown() {
    let house = House::open().await;
    let mut browser = house.signed_in("wen").await;
    house.fake.full.store(true, std::sync::atomic::Ordering::Relaxed);
    for place in ["/trace/message/4", "/trace/quarantine"] {
        let page = browser.visit(place).await;
        assert_eq!(page.status, 503, "{place}");
        assert!(!page.body.contains("DEMO-0004") && !page.body.contains("PID-8"));
    }
}

/// The fields of a search with a token.
async fn search(
    browser: &mut super::browser::Browser,
    token: &str,
    fields: &[(&str, &str)],
) -> Page {
    let token = [("form_token", token)];
    browser.post("/trace/search", &[&token[..], fields].concat()).await
}

#[actix_web::test]
async fn a_search_is_read_from_its_form_and_an_odd_one_is_told() {
    let house = House::open().await;
    let mut browser = house.signed_in("wen").await;
    let token = browser.visit("/trace").await.form_token();
    let fields = [
        ("control_id", " DEMO-7 "),
        ("sender", "hospital-a"),
        ("state", "quarantined"),
        ("form", "hl7v2"),
        ("since", "2026-11-21T08:00"),
        ("until", "2026-11-22T08:00:30"),
    ];
    let page = search(&mut browser, &token, &fields).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("已查看两万条"), "who is tired says so");
    let asked = house.asked().pop().unwrap();
    for word in [
        "Some(\"DEMO-7\")",
        "hospital-a",
        "Quarantined",
        "Hl7v2",
        // 2026-11-21 00:00 UTC, for the console stands in China.
        "since_ms: Some(1795219200000)",
        "until_ms: Some(1795305630000)",
    ] {
        assert!(asked.contains(word), "{word}: {asked}");
    }
    for (field, value, told) in [
        ("state", "gone", "发送方、状态或格式不存在"),
        ("form", "morse", "发送方、状态或格式不存在"),
        ("sender", "no such sender", "发送方、状态或格式不存在"),
        ("since", "yesterday", "时间无法读取"),
        ("entries", "5,x", "标识符未通过校验"),
    ] {
        let page = search(&mut browser, &token, &[(field, value)]).await;
        assert_eq!(page.status, 422, "{field}");
        assert!(page.body.contains(told), "{field}");
    }
    let moved = search(&mut browser, &token, &[("number", "12")]).await;
    assert_eq!((moved.status, moved.header("location").as_str()), (303, "/trace/message/12"));
}

#[actix_web::test]
async fn an_identifier_is_typed_once_and_comes_back_on_no_page() {
    let house = House::open().await;
    let mut browser = house.signed_in("wen").await;
    let token = browser.visit("/trace").await.form_token();
    let typed = [("kind", "citizen-id"), ("value", CITIZEN), ("sender", "hospital-a")];
    let first = search(&mut browser, &token, &typed).await;
    assert!(first.body.contains("9f86d081884c7d659a2feaa0c55ad015"));
    let next = [
        ("entries", first.field("entries")),
        ("sender", first.field("sender")),
        ("before", first.field("before")),
    ];
    assert_eq!(next[0].1, "5,8");
    let next: Vec<_> = next.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let second = search(&mut browser, &token, &next).await;
    assert!(second.body.contains("DEMO-0040") && !second.body.contains("DEMO-0041"));
    for page in [&first, &second] {
        assert!(!page.body.contains(CITIZEN), "the page names the person");
        assert!(page.links().iter().all(|link| !link.contains("9f86d081")));
    }
    let wrong = [("kind", "citizen-id"), ("value", "110105194912310021")];
    let wrong = search(&mut browser, &token, &wrong).await;
    assert_eq!(wrong.status, 422);
    assert!(!wrong.body.contains("110105194912310021"));
}

#[actix_web::test]
async fn pages_lead_to_each_other_until_the_end() {
    let house = House::open().await;
    let mut browser = house.signed_in("lin").await;
    let token = browser.visit("/trace").await.form_token();
    let first = search(&mut browser, &token, &[]).await;
    assert!(first.body.contains("DEMO-0090") && first.body.contains("DEMO-0041"));
    assert!(!first.body.contains("DEMO-0040"));
    let before = first.field("before");
    let last = search(&mut browser, &token, &[("before", &before)]).await;
    assert!(last.body.contains("DEMO-0040") && last.body.contains("DEMO-0001"));
    assert!(!last.body.contains("name=\"before\""), "there is nothing older");
}

#[actix_web::test]
async fn a_journey_tells_every_step_and_who_read_it_to_auditors_alone() {
    let house = House::open().await;
    for (name, audits) in [("lin", true), ("wen", false)] {
        let mut browser = house.signed_in(name).await;
        let page = browser.visit("/trace/message/4").await;
        for text in [
            "DEMO-0004",
            "MLLP",
            "512",
            "2c26b46b",
            "0123456789abcdef",
            "ZPI-3",
            "MSA-1: CA AE",
            "9f86d081",
            "civil-discharge",
            "r-52",
            "已入库",
            "不显示报文内容",
        ] {
            assert!(page.body.contains(text), "{name}: {text}");
        }
        assert_eq!(page.body.contains("披露只对审计员显示"), !audits);
        let links = page.links();
        assert_eq!(links.contains(&"/ledger/entry/51".to_owned()), audits, "what left");
        assert_eq!(links.contains(&"/ledger/entry/52".to_owned()), audits, "the notice");
        assert!(links.contains(&"/trace/message/2".to_owned()), "the same control id");
        let held = browser.visit("/trace/message/3").await;
        for text in
            ["table-value", "PID-8", "kangqiao replay 3", "已隔离", "补上此代码", "不属于任何人员"]
        {
            assert!(held.body.contains(text), "{name}: {text}");
        }
        assert_eq!(browser.visit("/trace/message/91").await.status, 404);
        assert_eq!(browser.visit("/trace/message/x").await.status, 404);
    }
}

#[actix_web::test]
async fn the_quarantine_says_how_many_what_helps_and_leads_to_them() {
    let house = House::open().await;
    let mut browser = house.signed_in("wen").await;
    let page = browser.visit("/trace/quarantine").await;
    for text in ["1,234", "hospital-a", "PID-8", "table-value", "补上此代码"] {
        assert!(page.body.contains(text), "{text}");
    }
    assert!(page.links().contains(&"/trace/message/90".to_owned()));
    let fields = ["form_token", "state", "sender", "fault", "place"].map(|name| {
        // The form that signs out stands first and has a token of its own, the same.
        (name, page.field(name))
    });
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(browser.post("/trace/search", &fields).await.status, 200);
    let asked = house.asked().pop().unwrap();
    for word in ["TableValue", "Quarantined", "Some(\"PID-8\")", "hospital-a"] {
        assert!(asked.contains(word), "{word}: {asked}");
    }
    let english = browser.visit("/trace/quarantine?lang=en").await;
    assert!(english.body.contains("Add the code to its table"));
}
