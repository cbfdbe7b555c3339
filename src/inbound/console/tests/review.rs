//! The reviewer's pages, over a gateway that is only pretended.

use std::sync::atomic::Ordering;

use super::browser::{Browser, House, Page};
use super::fake_review::WAITING;

const PAIR: &str = "/review/3/17";

/// Pages a reviewer may reach by address alone.
const PLACES: &[&str] = &[
    "/review",
    "/review?after=1795247400000.20.90",
    "/review?said=same",
    "/review/held",
    "/review/held?after=7",
    PAIR,
    "/review/3/17/history",
    "/review/17/3",
    "/review/5/6",
    "/review/x/y",
    "/review?after=x",
];

async fn decide(browser: &mut Browser, decision: &str) -> Page {
    let token = browser.visit("/review").await.form_token();
    let fields = [("form_token", token.as_str()), ("decision", decision)];
    browser.post(PAIR, &fields).await
}

#[actix_web::test]
async fn only_a_reviewer_sees_who_waits_and_a_reviewer_sees_no_ledger() {
    let house = House::open().await;
    for (name, sees) in [("lin", false), ("wen", false), ("rui", true), ("both", true)] {
        let mut browser = house.signed_in(name).await;
        let overview = browser.visit("/overview").await;
        assert_eq!(overview.body.contains("href=\"/review\""), sees, "{name}");
        assert!(overview.body.contains("3 天 4 小时"), "the age of the oldest is on the overview");
        for place in PLACES {
            let status = browser.visit(place).await.status;
            let found = [PAIR, "/review", "/review/held", "/review/3/17/history"].contains(place);
            assert_eq!(status == 403, !sees && status != 404, "{name} {place}: {status}");
            assert!(!found || sees == (status == 200), "{name} {place}: {status}");
        }
        assert_eq!(decide(&mut browser, "apart").await.status, if sees { 303 } else { 403 });
    }
    let mut reviewer = house.signed_in("rong").await;
    for place in ["/ledger", "/ledger/latest", "/ledger/entry/1"] {
        assert_eq!(reviewer.visit(place).await.status, 403, "{place}");
    }
    let mut stranger = house.browser();
    for place in PLACES.iter().filter(|place| !place.contains('x')) {
        assert_eq!(stranger.visit(place).await.header("location"), "/sign-in", "{place}");
    }
    assert!(house.asked().iter().all(|line| !line.starts_with("lin") && !line.starts_with("wen")));
}

#[actix_web::test]
async fn the_queue_shows_rules_in_words_and_nobody_and_is_read_by_cursor() {
    let house = House::open().await;
    let mut reviewer = house.signed_in("rui").await;
    let page = reviewer.visit("/review").await;
    for text in ["像双胞胎", "hospital-a · civil-affairs", "4.3", "3 天 4 小时", "1 小时", "62"]
    {
        assert!(page.body.contains(text), "{text}");
    }
    assert!(!page.body.contains("测试甲") && !page.body.contains("13800001111"));
    let next = page.links().into_iter().find(|link| link.contains("after=")).unwrap();
    let second = reviewer.visit(&next).await;
    assert_eq!(second.status, 200);
    let pairs = |page: &Page| -> Vec<String> {
        let links = page.links().into_iter();
        links.filter(|link| link.matches('/').count() == 3 && !link.contains("assets")).collect()
    };
    assert_eq!((pairs(&page).len(), pairs(&second).len()), (50, 12));
    assert!(pairs(&page).iter().all(|pair| !pairs(&second).contains(pair)));
    assert!(house.asked().is_empty(), "the queue names nobody, so it is not recorded");
}

#[actix_web::test]
async fn a_pair_shows_what_differs_and_what_each_field_says_in_words() {
    let house = House::open().await;
    let mut reviewer = house.signed_in("rui").await;
    let page = reviewer.visit(PAIR).await;
    for text in [
        "测试<mark>甲</mark>",
        "测试<mark>乙</mark>",
        "1380000111<mark>2</mark>",
        "1948-03-15",
        "11010519480315002X",
        "女",
        "测试省测试市人民路8号",
        "HOSP-A L-",
        "差一个字，读音不同",
        "支持 9.6",
        "反对 1.5",
        "见于较早的记录",
        "约 71 比 1 是同一人",
    ] {
        assert!(page.body.contains(text), "{text}");
    }
    assert_eq!(house.asked(), [format!("rui: (\"pair\", {WAITING:?})")]);
    let english = reviewer.visit(&format!("{PAIR}?lang=en")).await;
    let chinese = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
    let values = ["测试", "省", "市", "人民路", "号", "甲", "乙", "康桥", "中文"];
    let left = values.iter().fold(english.body.clone(), |body, value| body.replace(value, ""));
    assert!(!left.contains(chinese), "no text is left in the other language");
    assert!(english.body.contains("Like twins") && english.body.contains("female"));
}

#[actix_web::test]
async fn one_person_takes_two_reviewers_and_nobody_confirms_their_own() {
    let house = House::open().await;
    let (mut first, mut second) = (house.signed_in("rui").await, house.signed_in("rong").await);
    let page = decide(&mut first, "same").await;
    assert_eq!((page.status, page.header("location").as_str()), (303, "/review?said=waits"));
    assert!(first.visit("/review?said=waits").await.body.contains("等候另一位审核员确认"));
    let page = first.visit(PAIR).await;
    assert!(!page.body.contains("value=\"same\"") && page.body.contains("value=\"apart\""));
    assert!(page.body.contains("须由另一位审核员确认"));
    let page = decide(&mut first, "same").await;
    assert_eq!(page.status, 409);
    assert!(page.body.contains("您不能确认"));
    assert!(second.visit(PAIR).await.body.contains("rui 已提议为同一人"));
    let page = decide(&mut second, "same").await;
    assert_eq!(page.header("location"), "/review?said=same");
    let page = decide(&mut second, "apart").await;
    assert_eq!(page.header("location"), "/review?said=apart");
}

#[actix_web::test]
async fn a_decision_from_elsewhere_or_about_nobody_does_nothing() {
    let house = House::open().await;
    let mut reviewer = house.signed_in("rui").await;
    let foreign = house.signed_in("rong").await.visit("/review").await.form_token();
    let own = reviewer.visit("/review").await.form_token();
    for (token, decision) in [("", "same"), (&foreign, "same"), (&own[1..], "apart"), (&own, "x")] {
        let fields = [("form_token", token), ("decision", decision)];
        assert_eq!(reviewer.post(PAIR, &fields).await.status, 403, "{decision}");
    }
    reviewer.site = Some("cross-site");
    let fields = [("form_token", own.as_str()), ("decision", "same")];
    assert_eq!(reviewer.post(PAIR, &fields).await.status, 403);
    reviewer.site = Some("same-origin");
    assert!(house.asked().is_empty(), "nothing reached the index");
    for place in ["/review/17/3", "/review/3/3", "/review/5/6"] {
        assert_eq!(reviewer.post(place, &fields).await.status, 404, "{place}");
    }
    house.fake.full.store(true, Ordering::Relaxed);
    let page = reviewer.visit(PAIR).await;
    assert!(
        page.status == 503 && !page.body.contains("测试"),
        "without the ledger nobody is shown"
    );
    assert_eq!(reviewer.post(PAIR, &fields).await.status, 503);
}

#[actix_web::test]
async fn what_was_said_and_what_is_held_is_shown_with_what_to_do() {
    let house = House::open().await;
    let mut reviewer = house.signed_in("rui").await;
    let page = reviewer.visit("/review/3/17/history").await;
    for text in ["17 · 40", "hospital-a 的消息", "编号 214001", "不是同一人", "仍有效"]
    {
        assert!(page.body.contains(text), "{text}");
    }
    let page = reviewer.visit("/review/held").await;
    for text in ["214005", "hospital-b", "--accept-overlay", "拿不准"] {
        assert!(page.body.contains(text), "{text}");
    }
}

#[actix_web::test]
async fn a_held_message_takes_two_reviewers_who_say_the_same() {
    const HELD: &str = "/review/held/214005";
    let house = House::open().await;
    let mut rui = house.signed_in("rui").await;
    let mut rong = house.signed_in("rong").await;
    let say = async |browser: &mut Browser, place: &str, decision: &str| {
        let token = browser.visit("/review/held").await.form_token();
        let page = browser.post(place, &[("form_token", &token), ("decision", decision)]).await;
        (page.status, page.header("location").to_owned())
    };
    let told = |word: &str| (303, format!("/review/held?said={word}"));
    assert_eq!(say(&mut rui, HELD, "refuse").await, told("waits"));
    let page = rui.visit("/review/held?said=waits").await;
    assert!(page.body.contains("rui 已提议拒绝") && page.body.contains("value=\"accept\""));
    assert!(!page.body.contains("value=\"refuse\""), "one's own is offered");
    assert_eq!(say(&mut rui, HELD, "refuse").await.0, 409);
    assert_eq!(say(&mut rong, HELD, "accept").await, told("waits"), "the other opinion");
    assert_eq!(say(&mut rui, HELD, "accept").await, told("accepted"));
    assert_eq!(say(&mut rong, "/review/held/7", "accept").await.0, 409, "it is not held");
    assert_eq!(say(&mut rong, HELD, "perhaps").await.0, 403);
    let mut auditor = house.signed_in("lin").await;
    assert_eq!(auditor.post(HELD, &[("decision", "accept")]).await.status, 403);
}

#[actix_web::test]
async fn no_page_of_a_reviewer_has_a_script_or_a_style_of_its_own() {
    let house = House::open().await;
    let mut reviewer = house.signed_in("rui").await;
    for place in PLACES {
        let page = reviewer.visit(place).await;
        assert!(page.header("content-security-policy").contains("default-src 'none'"), "{place}");
        assert_eq!(page.header("cache-control"), "no-store", "{place}");
        for word in ["<script", " style=", " onclick", "javascript:", "http-equiv"] {
            assert!(!page.body.contains(word), "{place}: {word}");
        }
    }
}
