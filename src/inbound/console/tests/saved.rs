//! Saved searches, over a gateway that is only pretended.

use super::CITIZEN;
use super::browser::{Browser, House, Page};

async fn post(browser: &mut Browser, place: &str, fields: &[(&str, &str)]) -> Page {
    let token = browser.visit("/overview").await.form_token();
    browser.post(place, &[&[("form_token", token.as_str())], fields].concat()).await
}

const SAVE: (&str, &str) = ("decision", "save");

#[actix_web::test]
async fn a_search_is_saved_from_its_results_run_and_deleted_by_its_owner_alone() {
    let house = House::open().await;
    let (mut own, mut other) = (house.signed_in("wen").await, house.signed_in("wu").await);
    let asked = [("sender", "hospital-a"), ("state", "quarantined"), ("fault", "table-value")];
    let page = post(&mut own, "/trace/search", &asked).await;
    let fields = asked.map(|(name, _)| (name, page.field(name)));
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let kept = [&fields[..], &[("title", "未知代码"), SAVE]].concat();
    let kept = post(&mut own, "/trace/saved", &kept).await;
    assert_eq!((kept.status, kept.header("location").as_str()), (303, "/trace?said=saved"));
    let shown = own.visit("/trace?said=saved").await;
    assert!(shown.body.contains("未知代码") && shown.body.contains("已保存"));
    assert!(!own.visit("/trace").await.body.contains("已保存，"));
    assert!(!other.visit("/trace").await.body.contains("未知代码"), "it is his alone");
    // Its form asks what was asked.
    let (_, form) = shown.body.split_once("<ul class=\"saved\">").unwrap();
    for (name, value) in &fields {
        assert!(form.contains(&format!("name=\"{name}\" value=\"{value}\"")), "{name}");
    }
    let forget = [("title", "未知代码"), ("decision", "forget")];
    assert_eq!(post(&mut other, "/trace/saved", &forget).await.status, 404);
    let gone = post(&mut own, "/trace/saved", &forget).await;
    assert_eq!(gone.header("location"), "/trace?said=forgotten");
    assert!(!own.visit("/trace").await.body.contains("未知代码"));
}

#[actix_web::test]
async fn a_search_of_the_ledger_is_asked_for_by_what_entries_say_and_saved() {
    let house = House::open().await;
    let mut auditor = house.signed_in("lin").await;
    let place = "/ledger/department?name=subsidy&kind=policy&since=2026-11-21T08%3A00&until=\
        &purpose=living-check&element=DE02.01.005.01";
    let page = auditor.visit(place).await;
    assert_eq!(page.status, 200);
    let asked = house.asked().pop().unwrap();
    for word in [
        "Department(\"subsidy\")",
        "Some(Policy)",
        "since_ms: Some(1795219200000)",
        "living-check",
        "DE02.01.005.01",
    ] {
        assert!(asked.contains(word), "{word}: {asked}");
    }
    for word in ["社会救助科", "策略", "生存核验", "DE02.01.005.01"] {
        assert!(page.body.contains(word), "{word}");
    }
    let older = page.links().into_iter().find(|link| link.contains("before=")).unwrap();
    for word in ["name=subsidy", "kind=policy", "purpose=living-check", "element=DE02"] {
        assert!(older.contains(word), "{older}");
    }
    assert_eq!(auditor.visit(&older).await.status, 200);
    assert!(house.asked().pop().unwrap().contains("since_ms: Some(1795219200000)"));
    let fields =
        ["name", "kind", "purpose", "element", "since"].map(|name| (name, page.field(name)));
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let kept = [&fields[..], &[("title", "policies"), SAVE]].concat();
    assert_eq!(post(&mut auditor, "/ledger/saved", &kept).await.status, 303);
    let shown = auditor.visit("/ledger?lang=en").await;
    assert!(shown.body.contains("Run &#34;policies&#34;") || shown.body.contains("policies"));
    for (place, status) in [
        ("/ledger/department", 200),
        ("/ledger/department?kind=nothing", 422),
        ("/ledger/department?purpose=%21", 422),
        ("/ledger/department?element=%21", 422),
        ("/ledger/department?since=yesterday", 422),
        ("/ledger/department?name=nobody", 404),
    ] {
        assert_eq!(auditor.visit(place).await.status, status, "{place}");
    }
}

#[actix_web::test]
async fn nothing_that_names_a_person_is_saved_and_no_page_of_another_role() {
    let house = House::open().await;
    let mut auditor = house.signed_in("both").await;
    let sender = ("sender", "hospital-a");
    for fields in [
        &[sender, ("title", "")][..],
        &[sender, ("title", CITIZEN)],
        &[sender, ("title", "a name that is longer than forty characters are")],
        &[sender, ("title", "x"), ("place", CITIZEN)],
        &[sender, ("title", "x"), ("state", "gone")],
        // What names somebody is no field of it, and nothing is left.
        &[("control_id", "DEMO-7"), ("title", "x")],
        &[("kind", "citizen-id"), ("value", CITIZEN), ("title", "x")],
        &[("entries", "5,8"), ("title", "x")],
    ] {
        let page = post(&mut auditor, "/trace/saved", &[fields, &[SAVE]].concat()).await;
        assert_eq!(page.status, 409, "{fields:?}");
        assert!(page.body.contains("不能保存") && !page.body.contains(CITIZEN));
    }
    assert!(house.asked().is_empty());
    let full = [sender, ("title", "one too many"), SAVE];
    assert!(post(&mut auditor, "/trace/saved", &full).await.body.contains("最多保存 50 个"));
    let by_person = [("kind", "citizen-id"), ("value", CITIZEN)];
    let found = post(&mut auditor, "/trace/search", &by_person).await;
    assert!(!found.body.contains("/trace/saved"), "what names a person is not offered");
    let mut operator = house.signed_in("wen").await;
    let kept = [("kind", "policy"), ("title", "x"), SAVE];
    assert_eq!(post(&mut operator, "/ledger/saved", &kept).await.status, 403);
    let forged = [("form_token", "forged"), sender, ("title", "x"), SAVE];
    assert_eq!(operator.post("/trace/saved", &forged).await.status, 403);
    assert_eq!(post(&mut operator, "/trace/saved", &[("decision", "?")]).await.status, 403);
}
