//! The auditors' page of holds, over a gateway that is only pretended.

use super::CITIZEN;
use super::browser::{Browser, House, Page};

async fn post(browser: &mut Browser, place: &str, fields: &[(&str, &str)]) -> Page {
    let token = browser.visit("/overview").await.form_token();
    browser.post(place, &[&[("form_token", token.as_str())], fields].concat()).await
}

#[actix_web::test]
async fn only_auditors_see_holds_and_place_them() {
    let house = House::open().await;
    let wish = [("whose", "department"), ("department", "subsidy"), ("reason", "JC-1")];
    for (name, sees) in
        [("lin", true), ("both", true), ("wen", false), ("rui", false), ("pan", false)]
    {
        let mut browser = house.signed_in(name).await;
        let page = browser.visit("/ledger/holds").await;
        assert_eq!(page.status, if sees { 200 } else { 403 }, "{name}");
        for text in ["JC-2026-7", "9f86d081", "全部条目"] {
            assert_eq!(page.body.contains(text), sees, "{name}: {text}");
        }
        let placed = post(&mut browser, "/ledger/holds", &wish).await;
        assert_eq!(placed.status, if sees { 303 } else { 403 }, "{name}");
        let lift = [("decision", "lift"), ("reason", "结案")];
        let status = post(&mut browser, "/ledger/holds/8", &lift).await.status;
        assert_eq!(status, if sees { 409 } else { 403 }, "{name}");
        assert_eq!(browser.post("/ledger/holds", &wish).await.status, 403, "{name}: no token");
    }
    let asked = house.asked();
    assert!(asked.iter().all(|line| line.starts_with("lin") || line.starts_with("both")));
}

#[actix_web::test]
async fn a_wish_is_read_from_its_form_and_an_odd_one_is_told() {
    let house = House::open().await;
    let mut browser = house.signed_in("lin").await;
    let person = [("whose", "person"), ("kind", "citizen-id"), ("value", CITIZEN)];
    let reason = [("reason", "JC-2")];
    let placed = post(&mut browser, "/ledger/holds", &[&person[..], &reason].concat()).await;
    assert_eq!(placed.header("location"), "/ledger/holds?said=placed");
    assert!(browser.visit("/ledger/holds?said=placed").await.body.contains("已记入台账"));
    let asked = house.asked();
    assert!(asked.contains(&"lin: (\"hold person\", \"JC-2\")".to_owned()), "{asked:?}");
    let department = |name: &'static str| [("whose", "department"), ("department", name)];
    for (fields, status, told) in [
        (&person[..], 409, "请写明理由"),
        (&[("whose", "everything"), reason[0]], 303, ""),
        (&[&department("nobody")[..], &reason].concat(), 404, ""),
        (&[&department("desk-12349")[..], &reason].concat(), 409, "没有人有此标识符"),
        (&[("whose", "person"), ("value", "1"), reason[0]], 409, "标识符未通过校验"),
        (&[("whose", "half"), reason[0]], 403, ""),
    ] {
        let page = post(&mut browser, "/ledger/holds", fields).await;
        assert_eq!(page.status, status, "{fields:?}");
        assert!(page.body.contains(told) && !page.body.contains(CITIZEN), "{fields:?}");
    }
    assert!(browser.visit("/ledger/holds?said=stands").await.body.contains("没有新增"));
}

#[actix_web::test]
async fn two_auditors_lift_a_hold_and_either_may_keep_it() {
    let house = House::open().await;
    let (mut one, mut other) = (house.signed_in("lin").await, house.signed_in("both").await);
    let lift = [("decision", "lift")];
    assert_eq!(post(&mut one, "/ledger/holds/7", &lift).await.status, 409, "no reason");
    let why = [("decision", "lift"), ("reason", "结案")];
    let waits = post(&mut one, "/ledger/holds/7", &why).await;
    assert_eq!(waits.header("location"), "/ledger/holds?said=waits");
    let own = one.visit("/ledger/holds").await.body;
    assert!(own.contains("keep-7") && !own.contains("agree-7") && !own.contains("lift-7"));
    assert_eq!(post(&mut one, "/ledger/holds/7", &lift).await.status, 409, "his own");
    assert!(other.visit("/ledger/holds").await.body.contains("agree-7"));
    let kept = post(&mut other, "/ledger/holds/7", &[("decision", "keep")]).await;
    assert_eq!(kept.header("location"), "/ledger/holds?said=kept");
    assert_eq!(post(&mut one, "/ledger/holds/7", &why).await.status, 303);
    let lifted = post(&mut other, "/ledger/holds/7", &lift).await;
    assert_eq!(lifted.header("location"), "/ledger/holds?said=lifted");
    assert_eq!(post(&mut other, "/ledger/holds/7", &[("decision", "?")]).await.status, 403);
    let english = one.visit("/ledger/holds?lang=en").await;
    assert!(english.body.contains("Agree, and lift it") || english.body.contains("Keep it"));
}
