//! The auditor's page of doubts, over a gateway that is only pretended.

use super::browser::House;

#[actix_web::test]
async fn an_auditor_sees_why_to_look_and_where_and_nobody_else_sees_anything() {
    let house = House::open().await;
    for (name, sees) in [("lin", true), ("wen", false), ("rui", false), ("pan", false)] {
        let mut browser = house.signed_in(name).await;
        let page = browser.visit("/ledger/doubts").await;
        assert_eq!(page.status, if sees { 200 } else { 403 }, "{name}");
        assert_eq!(page.body.contains(" 412 "), sees, "{name}");
    }
    let mut browser = house.signed_in("both").await;
    let page = browser.visit("/ledger/doubts").await.body;
    for text in [
        "核查的理由，不是结论",
        "当日查看 412 人，超过界限 105 人",
        "名单 E17 查看了同户人员：名单 E18",
        "href=\"/ledger/entry/40\"",
        "等 430 条",
        "9f86d081",
        "0b7ac31e55d28c90",
        "还有 12 条",
        "href=\"/ledger/doubts?skip=2\"",
        "&#60;li&#62;",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let page = browser.visit("/ledger/doubts?of=bulk").await.body;
    assert!(page.contains(" 412 ") && !page.contains("E17"), "{page}");
    assert!(page.contains("href=\"/ledger/doubts?of=bulk&amp;skip=2\""), "{page}");
    let page = browser.visit("/ledger/doubts?skip=2&lang=en").await.body;
    assert!(page.contains("Nothing stands out") && !page.contains(" 412 "), "{page}");
    assert_eq!(browser.visit("/ledger/doubts?of=guilty").await.status, 404);
    let asked = house.asked();
    assert!(asked.contains(&"both: (\"doubts\", Some(Bulk), 0)".to_owned()), "{asked:?}");
    let others = ["wen", "rui", "pan"];
    assert!(asked.iter().all(|line| !others.iter().any(|name| line.starts_with(name))));
}
