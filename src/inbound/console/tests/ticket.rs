//! The auditor's page of tickets, over a gateway that is only pretended.

use super::browser::House;

#[actix_web::test]
async fn only_an_auditor_looks_at_tickets_and_says_whether_one_was_due() {
    let house = House::open().await;
    for (name, sees) in [("lin", true), ("wen", false), ("rui", false), ("both", true)] {
        let mut browser = house.signed_in(name).await;
        let page = browser.visit("/ledger/tickets").await;
        assert_eq!(page.status, if sees { 200 } else { 403 }, "{name}");
        if !sees {
            let token = browser.visit("/overview").await.form_token();
            let fields = [("form_token", token.as_str()), ("verdict", "justified")];
            assert_eq!(browser.post("/ledger/tickets/7", &fields).await.status, 403, "{name}");
            continue;
        }
        for text in ["ZS-2026-7", "走失，家属报案", "officer-1", "officer-2", "9f86d081"] {
            assert!(page.body.contains(text), "{name}: {text}");
        }
        let token = page.form_token();
        let say = |number: &str, verdict: &str, token: &str| {
            let fields = [("form_token", token.to_owned()), ("verdict", verdict.to_owned())];
            (format!("/ledger/tickets/{number}"), fields)
        };
        for (number, verdict, token, status) in [
            ("7", "justified", token.as_str(), 303),
            ("7", "unjustified", token.as_str(), 303),
            ("8", "justified", token.as_str(), 409),
            ("7", "perhaps", token.as_str(), 403),
            ("7", "justified", "forged", 403),
        ] {
            let (place, fields) = say(number, verdict, token);
            let fields: Vec<_> = fields.iter().map(|(key, word)| (*key, word.as_str())).collect();
            let found = browser.post(&place, &fields).await.status;
            assert_eq!(found, status, "{number} {verdict}");
        }
        assert!(browser.visit("/ledger/tickets?after=7").await.body.contains("没有待复核"));
    }
    assert!(house.asked().iter().all(|line| !line.starts_with("wen") && !line.starts_with("rui")));
}
