//! The policy administrator's pages, over the shipped policies.

use std::sync::atomic::Ordering;

use super::browser::{Browser, House, Page};
use super::fake_policies::PROPOSAL;

const PLACES: &[&str] = &[
    "/policies",
    "/policies/cells?department=community&role=worker&purpose=contract-status",
    "/policies/why",
    "/policies/why?department=care-home&role=doctor&purpose=institution-admission&element=x",
    "/policies/proposal",
    "/policies/proposal?said=waits",
];

async fn judge(browser: &mut Browser, proposal: &str, decision: &str) -> Page {
    let token = browser.visit("/policies/proposal").await.form_token();
    let fields = [("form_token", token.as_str()), ("proposal", proposal), ("decision", decision)];
    browser.post("/policies/proposal", &fields).await
}

#[actix_web::test]
async fn only_a_policy_administrator_sees_the_policies_and_sees_nothing_else() {
    let house = House::open().await;
    for (name, sees) in [("lin", false), ("wen", false), ("rui", false), ("pan", true)] {
        let mut browser = house.signed_in(name).await;
        let overview = browser.visit("/overview").await;
        assert_eq!(overview.body.contains("href=\"/policies\""), sees, "{name}");
        for place in PLACES {
            let page = browser.visit(place).await;
            assert_eq!(page.status, if sees { 200 } else { 403 }, "{name} {place}");
            for word in ["<script", " style=", " onclick", "javascript:"] {
                assert!(!page.body.contains(word), "{place}: {word}");
            }
        }
        if !sees {
            let token = overview.form_token();
            let fields =
                [("form_token", token.as_str()), ("proposal", PROPOSAL), ("decision", "accept")];
            assert_eq!(browser.post("/policies/proposal", &fields).await.status, 403);
            continue;
        }
        for place in ["/ledger", "/ledger/latest", "/review", "/review/3/17"] {
            assert_eq!(browser.visit(place).await.status, 403, "{place}");
        }
    }
    let mut stranger = house.browser();
    for place in PLACES {
        assert_eq!(stranger.visit(place).await.header("location"), "/sign-in", "{place}");
    }
    assert!(house.asked().is_empty(), "{:?}", house.asked());
}

#[actix_web::test]
async fn the_matrix_leads_to_every_element_with_tier_treatment_and_rule() {
    let house = House::open().await;
    let mut administrator = house.signed_in("pan").await;
    let page = administrator.visit("/policies").await;
    for text in ["社区居委会", "紧急救助卡", "4 / 4", "有策略变更等候批准"] {
        assert!(page.body.contains(text), "{text}");
    }
    let link = "/policies/cells?department=civil-affairs&role=clerk&purpose=living-check";
    let page = administrator.visit(link).await;
    for text in ["死亡日期时间", "DE02.01.036.00", "精确到日", "civil-affairs-death-day", "mental"]
    {
        assert!(page.body.contains(text), "{text}");
    }
    let hotline = "/policies/cells?department=hotline-12349&role=agent&purpose=emergency-card";
    assert!(administrator.visit(hotline).await.body.contains("需附：通话编号"));
    for odd in ["?department=community&role=clerk&purpose=living-check", "?department=x", ""] {
        let place = format!("/policies/cells{odd}");
        assert_eq!(administrator.visit(&place).await.status, 404, "{odd}");
    }
    let english = administrator.visit(&format!("{link}&lang=en")).await;
    assert!(english.body.contains("died at") && english.body.contains("the day"));
}

#[actix_web::test]
async fn why_is_told_for_one_inquiry_with_its_rule_and_what_can_be_done() {
    let house = House::open().await;
    let mut administrator = house.signed_in("pan").await;
    let card = "department=hotline-12349&role=agent&purpose=emergency-card&element=DE05.01.022.00";
    for (asked, told) in [
        (
            "department=care-home&role=doctor&purpose=institution-admission&element=DE05.01.024.00",
            &["care-institution-doctor-problems", "never-mental", "protected-infection"][..],
        ),
        (
            "department=care-home&role=clerk&purpose=institution-admission&element=DE05.01.024.00",
            &["never-level-5", "经办人只见结论"],
        ),
        (
            "department=hotline-12349&role=agent&purpose=emergency-card&element=DE05.01.022.00",
            &["规则：requires-call", "evidence.call"],
        ),
        (&format!("{card}&call=on"), &["hotline-emergency-card", "checked"]),
        ("department=community&role=worker&purpose=contract-status&element=x", &["没有这个部门"]),
        ("department=community&role=%20&purpose=contract-status&element=x", &["没有这个部门"]),
    ] {
        let page = administrator.visit(&format!("/policies/why?{asked}")).await;
        assert_eq!(page.status, 200, "{asked}");
        for text in told {
            assert!(page.body.contains(text), "{asked}: {text}");
        }
    }
}

#[actix_web::test]
async fn what_widens_takes_two_administrators_and_one_who_refuses_ends_it() {
    let house = House::open().await;
    let (mut first, mut second) = (house.signed_in("pan").await, house.signed_in("ping").await);
    let page = first.visit("/policies/proposal").await;
    for text in [
        "＋ 放宽",
        "－ 收紧",
        "community worker contract-status",
        "原值",
        "仅知存在",
        "HALLUCINATION",
    ] {
        assert!(page.body.contains(text), "{text}");
    }
    let to = |page: &Page| page.header("location");
    let page = judge(&mut first, PROPOSAL, "accept").await;
    assert_eq!((page.status, to(&page).as_str()), (303, "/policies/proposal?said=waits"));
    let page = first.visit("/policies/proposal").await;
    assert!(!page.body.contains("value=\"accept\"") && page.body.contains("value=\"refuse\""));
    assert_eq!(judge(&mut first, PROPOSAL, "accept").await.status, 409);
    assert_eq!(judge(&mut second, "0000000000000000", "accept").await.status, 409);
    let page = judge(&mut second, PROPOSAL, "accept").await;
    assert_eq!(to(&page), "/policies/proposal?said=in-force");
    let page = judge(&mut second, PROPOSAL, "refuse").await;
    assert_eq!(to(&page), "/policies/proposal?said=refused");
    assert!(house.asked().iter().all(|line| line.contains("policies")));
}

#[actix_web::test]
async fn a_decision_needs_the_token_of_its_session_and_a_ledger() {
    let house = House::open().await;
    let (mut first, mut second) = (house.signed_in("pan").await, house.signed_in("ping").await);
    let other = second.visit("/policies/proposal").await.form_token();
    for token in ["", "x", &other] {
        let fields = [("form_token", token), ("proposal", PROPOSAL), ("decision", "accept")];
        assert_eq!(first.post("/policies/proposal", &fields).await.status, 403, "{token}");
    }
    assert_eq!(judge(&mut first, PROPOSAL, "perhaps").await.status, 403);
    assert!(house.asked().is_empty());
    house.fake.full.store(true, Ordering::Relaxed);
    assert_eq!(judge(&mut first, PROPOSAL, "accept").await.status, 503);
}
