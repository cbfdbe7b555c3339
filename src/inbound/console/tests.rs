//! The console as a browser meets it: through TLS, over a gateway that is only pretended.

mod browser;
mod doubt;
mod fake;
mod fake_doubt;
mod fake_hold;
mod fake_policies;
mod fake_rerun;
mod fake_review;
mod fake_saved;
mod fake_ticket;
mod fake_trace;
mod hold;
mod invite;
mod openid;
mod policies;
mod rerun;
mod review;
mod saved;
mod ticket;
mod trace;

use std::sync::atomic::Ordering;

use browser::House;
use fake::{FORMER, PERSON};

use super::access::Role;
use super::users::Users;
use super::view::Door;

const CITIZEN: &str = "11010519491231002X";

/// Pages anybody or an auditor may reach by address alone.
const PLACES: &[&str] = &[
    "/",
    "/sign-in",
    "/overview",
    "/ledger",
    "/ledger/latest",
    "/ledger/latest?before=40",
    "/ledger/latest?before=x",
    "/ledger/department?name=subsidy",
    "/ledger/department?name=nobody",
    "/ledger/tickets",
    "/ledger/holds",
    "/ledger/doubts",
    "/ledger/doubts?of=bulk&skip=50",
    "/invitation/0",
    "/trace",
    "/trace/message/4",
    "/trace/message/999",
    "/trace/quarantine",
    "/trace/replays",
    "/trace/replays/471",
    "/trace/replays/preview",
    "/ledger/entry/1",
    "/ledger/entry/2",
    "/ledger/entry/999",
    "/ledger/entry/x",
    "/nowhere",
];

#[actix_web::test]
async fn every_answer_carries_the_security_headers_and_no_page_a_script_of_its_own() {
    let house = House::open().await;
    let mut auditor = house.signed_in("lin").await;
    for browser in [&mut house.browser(), &mut auditor] {
        for place in PLACES.iter().chain(&["/assets/style.css", "/assets/icon.svg"]) {
            let page = browser.visit(place).await;
            for (name, part) in [
                ("content-security-policy", "default-src 'none'; style-src 'self'; img-src"),
                ("content-security-policy", "frame-ancestors 'none'"),
                ("x-content-type-options", "nosniff"),
                ("x-frame-options", "DENY"),
                ("referrer-policy", "no-referrer"),
                ("strict-transport-security", "max-age=31536000"),
                ("cross-origin-opener-policy", "same-origin"),
                ("cache-control", if place.contains("assets") { "immutable" } else { "no-store" }),
            ] {
                assert!(page.header(name).contains(part), "{place}: {name}");
            }
            assert!(!page.header("content-security-policy").contains("unsafe"));
            let runs = page.header("content-security-policy").contains("script-src 'self'");
            assert!(runs || !page.body.contains("<script"), "{place}");
            assert!(!runs || ["/overview", "/trace/replays/"].iter().any(|p| place.contains(p)));
            let body = page.body.replace("<script src=\"/assets/", "");
            for word in ["<script", " style=", " onclick", "javascript:", "http-equiv", "//cdn"] {
                assert!(!body.contains(word), "{place}: {word}");
            }
        }
    }
}

#[actix_web::test]
async fn the_overview_brings_itself_anew_unless_it_is_told_to_stay_and_keeps_nobody_signed_in() {
    let house = House::open().await;
    let mut browser = house.signed_in("wen").await;
    let page = browser.visit("/overview").await;
    for text in ["hx-get=\"/overview\"", "allowEval\":false", "data-count=\"1204\"", "1,204"] {
        assert!(page.body.contains(text), "{text}");
    }
    for script in ["htmx.js", "uplot.js", "live.js", "uplot.css"] {
        let place = page.body.split('"').find(|part| part.contains(script)).unwrap();
        let asset = browser.visit(place).await;
        assert_eq!(asset.status, 200, "{place}");
        assert!(asset.header("cache-control").contains("immutable"));
    }
    assert_eq!(browser.visit("/assets/other.js").await.status, 404);
    let still = browser.visit("/overview?still=1").await;
    assert!(!still.body.contains("<script") && !still.body.contains("hx-get"));
    assert!(still.body.contains("data-count=\"1204\""), "the numbers stand without a script");
    // Fourteen minutes, and again: nobody has done anything meanwhile.
    house.later(840);
    assert_eq!(browser.poll("/overview").await.status, 200);
    house.later(840);
    let ended = browser.poll("/overview").await;
    assert_eq!((ended.status, ended.header("hx-redirect").as_str()), (401, "/sign-in"));
}

#[actix_web::test]
async fn only_password_and_code_together_open_and_both_are_recorded() {
    let house = House::open().await;
    let told = house.told("lin");
    let code = house.code("lin");
    for (name, password, typed) in [
        ("lin", told.as_str(), "000000"),
        ("lin", "wrong", code.as_str()),
        ("nobody-here", &told, &code),
        ("wen", &told, &code),
    ] {
        let mut browser = house.browser();
        let page = browser.sign_in(name, password, typed).await;
        assert_eq!(page.status, 403);
        assert!(page.body.contains("用户名、密码或验证码不正确"), "all look alike");
        assert!(!page.body.contains(password) && !page.body.contains("nobody-here"));
        assert_eq!(browser.visit("/overview").await.header("location"), "/sign-in");
    }
    let mut browser = house.browser();
    let page = browser.sign_in("lin", &told, &code).await;
    assert_eq!((page.status, page.header("location").as_str()), (303, "/overview"));
    let cookie = page.cookie("__Host-kangqiao-session");
    for part in ["Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{part}");
    }
    assert!(!cookie.contains("Domain") && !cookie.contains("Max-Age"));
    assert_eq!(browser.visit("/overview").await.status, 200);

    let again = house.browser().sign_in("lin", &told, &code).await;
    assert_eq!(again.status, 403, "a code is taken once");
    house.wait_for_records(5).await;
    let recorded = house.recorded();
    assert_eq!(recorded.iter().filter(|(_, what)| *what == Door::SignedIn).count(), 1);
    assert_eq!(recorded.iter().filter(|(_, what)| *what == Door::Refused).count(), 4);
    assert!(recorded.iter().all(|(user, _)| user == "lin" || user == "wen"), "no typed name");
}

#[actix_web::test]
async fn too_many_failures_wait_and_the_right_password_waits_too() {
    let house = House::open().await;
    let told = house.told("lin");
    for attempt in 1..=5 {
        let page = house.browser().sign_in("lin", "wrong", "123456").await;
        assert_eq!(page.status, 403, "{attempt}");
    }
    let code = house.code("lin");
    let page = house.browser().sign_in("lin", &told, &code).await;
    assert_eq!((page.status, page.header("retry-after").as_str()), (429, "30"));
    assert!(page.body.contains("请在 30 秒后重试"));
    let unknown = house.told("wen");
    assert_eq!(house.browser().sign_in("wen", &unknown, &house.code("wen")).await.status, 303);
    house.later(31);
    let code = house.code("lin");
    assert_eq!(house.browser().sign_in("lin", &told, &code).await.status, 303);
    house.wait_for_records(7).await;
    assert!(house.recorded().contains(&("lin".to_owned(), Door::Locked)));
}

#[actix_web::test]
async fn an_unknown_name_waits_like_a_known_one() {
    let house = House::open().await;
    for expected in [403, 403, 403, 403, 403, 429, 429] {
        let page = house.browser().sign_in("nobody-here", "wrong", "123456").await;
        assert_eq!(page.status, expected);
    }
    assert!(house.recorded().is_empty());
}

#[actix_web::test]
async fn a_form_from_elsewhere_does_nothing() {
    let house = House::open().await;
    let mut auditor = house.signed_in("lin").await;
    let foreign = house.signed_in("wen").await.visit("/overview").await.form_token();
    let own = auditor.visit("/ledger").await.form_token();
    for token in ["", "0", &foreign, &own[1..]] {
        for (place, field, value) in [
            ("/ledger/person", "pseudonym", "9f86d081884c7d659a2feaa0c55ad015"),
            ("/ledger/entry", "receipt", "1"),
            ("/sign-out", "x", "x"),
        ] {
            let page = auditor.post(place, &[("form_token", token), (field, value)]).await;
            assert_eq!(page.status, 403, "{place}");
        }
    }
    auditor.site = Some("cross-site");
    let page = auditor.post("/sign-out", &[("form_token", own.as_str())]).await;
    assert_eq!(page.status, 403, "the browser says another site made it");
    auditor.site = Some("same-origin");
    assert!(house.asked().is_empty(), "nothing reached the ledger");
    assert_eq!(auditor.visit("/overview").await.status, 200, "still signed in");

    let mut stranger = house.browser();
    let token = stranger.visit("/sign-in").await.form_token();
    stranger.cookies.clear();
    let told = house.told("wen");
    let fields = [("form_token", token.as_str()), ("name", "wen"), ("password", told.as_str())];
    assert_eq!(stranger.post("/sign-in", &fields).await.status, 403, "no cookie of this browser");
    let long = "x".repeat(5000);
    let page = auditor.post("/ledger/entry", &[("receipt", long.as_str())]).await;
    assert_eq!(page.status, 400);
    assert!(!page.body.contains("xxx"));
}

#[actix_web::test]
async fn an_operator_sees_the_overview_and_nothing_of_the_ledger() {
    let house = House::open().await;
    let mut operator = house.signed_in("wen").await;
    let page = operator.visit("/overview").await;
    assert_eq!(page.status, 200);
    assert!(!page.body.contains("href=\"/ledger\""));
    let token = page.form_token();
    for place in PLACES.iter().filter(|place| place.starts_with("/ledger")) {
        let status = operator.visit(place).await.status;
        assert!([403, 404, 400].contains(&status), "{place}: {status}");
    }
    for place in ["/ledger/person", "/ledger/entry"] {
        let fields = [("form_token", token.as_str()), ("kind", "citizen-id"), ("value", CITIZEN)];
        assert_eq!(
            operator.post(place, &[&fields[..], &[("receipt", "1")]].concat()).await.status,
            403
        );
    }
    assert!(house.asked().is_empty());
}

#[actix_web::test]
async fn every_sum_and_every_fact_of_the_overview_is_shown() {
    let house = House::open().await;
    let page = house.signed_in("wen").await.visit("/overview").await;
    for text in [
        "218,310",
        "207,642",
        "8,502",
        "2,166",
        "收支相符",
        "hospital-b",
        "PID-3.1",
        "标识符校验失败",
        "identifier-invalid",
        "record-platform",
        "中断",
        "90.6 %",
        "已到期",
        "还有 12 天",
        "完好",
        "2026-11-21 16:00:00",
        "audit.example/witness",
        "已见证 128,001 条",
        "见证方签署过另一份台账",
        "无应答",
        "启动后尚未联系",
        "regional-arr",
        "未送达",
        "待送 1,204 条",
        "部分隔离",
    ] {
        assert!(page.body.contains(text), "{text}");
    }
}

#[actix_web::test]
async fn an_identifier_is_in_no_address_and_no_page() {
    let house = House::open().await;
    let mut auditor = house.signed_in("lin").await;
    let token = auditor.visit("/ledger").await.form_token();
    let person = |value| [("form_token", token.as_str()), ("kind", "citizen-id"), ("value", value)];
    let page = auditor.post("/ledger/person", &person(CITIZEN)).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("9f86d081884c7d659a2feaa0c55ad015"));
    let older = page.field("before");
    let known = page.field("pseudonym");
    let next =
        [("form_token", token.as_str()), ("pseudonym", known.as_str()), ("before", older.as_str())];
    let second = auditor.post("/ledger/person", &next).await;
    assert_eq!(second.status, 200);
    let wrong = auditor.post("/ledger/person", &person("110105194912310021")).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.body.contains("标识符未通过校验"));
    for page in [&page, &second, &wrong] {
        assert!(!page.body.contains("1101051949"), "not even shown back");
        assert!(page.links().iter().all(|link| !link.contains("9f86d081")), "no pseudonym either");
    }
    for odd in [("pseudonym", "../x"), ("kind", "passport"), ("value", "")] {
        let page = auditor.post("/ledger/person", &[("form_token", &token), odd]).await;
        assert_eq!(page.status, 422);
    }
    let asked = house.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[0].starts_with("lin: ") && asked[0].contains("Person"));
    assert!(
        asked[1].contains("Known")
            && asked[1].contains(FORMER)
            && asked[1].contains("before: Some(78)")
    );
    assert!(asked.iter().all(|line| !line.contains("1101051949")));
}

#[actix_web::test]
async fn a_history_is_made_for_an_auditor_of_all_pseudonyms_of_a_page() {
    let house = House::open().await;
    let mut auditor = house.signed_in("lin").await;
    let token = auditor.visit("/ledger").await.form_token();
    let person = [("form_token", token.as_str()), ("kind", "citizen-id"), ("value", CITIZEN)];
    let page = auditor.post("/ledger/person", &person).await;
    let known = page.field("pseudonym");
    assert_eq!(known, format!("{PERSON} {FORMER}"));
    let upper = PERSON.to_uppercase();
    for (form, known, token, status, words) in [
        ("html", known.as_str(), token.as_str(), 200, "<!doctype html>"),
        ("pdf", &known, &token, 409, "fonts-noto-cjk"),
        ("docx", &known, &token, 404, ""),
        ("html", "", &token, 404, ""),
        ("html", &upper, &token, 404, ""),
        ("html", &known, "forged", 403, ""),
    ] {
        let fields = [("form_token", token), ("pseudonym", known), ("form", form)];
        let page = auditor.post("/ledger/history", &fields).await;
        assert_eq!(page.status, status, "{form} {known}");
        assert!(page.body.contains(words), "{form}: {}", page.body);
        let attached = page.header("content-disposition");
        assert_eq!(attached == "attachment; filename=\"history.html\"", status == 200);
    }
    let asked: Vec<_> = house.asked().into_iter().skip(1).collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(asked[0].starts_with("lin: (Html, ") && asked[0].contains(FORMER));
    let mut operator = house.signed_in("wen").await;
    let token = operator.visit("/overview").await.form_token();
    let fields = [("form_token", token.as_str()), ("pseudonym", &known), ("form", "html")];
    assert_eq!(operator.post("/ledger/history", &fields).await.status, 403);
}

#[actix_web::test]
async fn every_query_names_the_user_who_asked() {
    let house = House::open().await;
    let mut auditor = house.signed_in("lin").await;
    let token = auditor.visit("/ledger").await.form_token();
    for (place, status) in [
        ("/ledger/latest", 200),
        ("/ledger/department?name=subsidy&before=40", 200),
        ("/ledger/department?name=nobody", 404),
        ("/ledger/entry/1", 200),
        ("/ledger/entry/999", 404),
    ] {
        assert_eq!(auditor.visit(place).await.status, status, "{place}");
    }
    for (typed, status) in [(" r-1 ", 200), ("7", 200), ("no-such", 404), ("a b", 404)] {
        let fields = [("form_token", token.as_str()), ("receipt", typed)];
        assert_eq!(auditor.post("/ledger/entry", &fields).await.status, status, "{typed}");
    }
    for place in ["/ledger/person", "/ledger/entry"] {
        assert_eq!(auditor.visit(place).await.header("location"), "/ledger");
    }
    let asked = house.asked();
    assert_eq!(asked.len(), 7);
    assert!(asked.iter().all(|line| line.starts_with("lin: ")));
    assert!(asked[1].contains("Department(\"subsidy\")") && asked[1].contains("Some(40)"));
}

#[actix_web::test]
async fn an_entry_shows_what_left_by_tier_and_whether_its_proof_holds() {
    let house = House::open().await;
    let mut auditor = house.signed_in("lin").await;
    let page = auditor.visit("/ledger/entry/1").await;
    for text in [
        "社会救助科",
        "困难补贴资格审核",
        "民发〔2022〕58号",
        "概化",
        "仅知存在",
        "DE02.01.039.00",
        "本人姓名",
        "乙肝表面抗原",
        "subsidy.stay-flag",
        "61c2e8a04be9d1f7",
        "此条目确在台账之中",
        "kangqiao.example/ledger",
        "&#34;kind&#34;",
    ] {
        assert!(page.body.contains(text), "{text}");
    }
    assert!(auditor.visit("/ledger/entry/6").await.body.contains("核对不符"));
    assert!(auditor.visit("/ledger/entry/2").await.body.contains("尚无检查点覆盖"));
    assert!(page.links().contains(&"/ledger/entry/1/proof".to_owned()));
    let file = auditor.visit("/ledger/entry/1/proof").await;
    assert!(file.status == 200 && file.body.starts_with("c2sp.org/tlog-proof@v1"));
    assert_eq!(auditor.visit("/ledger/entry/90/proof").await.status, 404);
    let operator = house.signed_in("wen").await.visit("/ledger/entry/1/proof").await;
    assert_eq!(operator.status, 403);
}

#[actix_web::test]
async fn the_language_is_chosen_once_and_kept() {
    let house = House::open().await;
    let mut auditor = house.signed_in("lin").await;
    let page = auditor.visit("/ledger/department?name=subsidy&before=40").await;
    assert!(page.body.contains("lang=\"zh-CN\"") && page.body.contains("符合条件的条目"));
    let switch = page.links().into_iter().find(|link| link.contains("lang=en")).unwrap();
    assert_eq!(switch, "/ledger/department?name=subsidy&before=40&lang=en");
    let page = auditor.visit(&switch).await;
    assert!(page.body.contains("<html lang=\"en\">") && page.body.contains("Subsidy office"));
    assert!(page.cookie("__Host-kangqiao-language").contains("Secure"));
    let page = auditor.visit("/overview").await;
    assert!(page.body.contains("Where the messages went"));
    let chinese = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
    let left = page.body.replace("康桥", "").replace("中文", "").replace("客户端证书", "");
    assert!(!left.contains(chinese), "no text is left in the other language");
    assert!(auditor.visit("/overview?lang=xx").await.body.contains("Overview"));
    assert!(auditor.visit("/overview?lang=zh").await.body.contains("消息去向"));
}

#[actix_web::test]
async fn no_address_makes_a_link_that_leads_elsewhere() {
    let house = House::open().await;
    for place in ["//evil.example/", "/\\evil.example/", "/x?a=\"><b>&lang=en"] {
        let page = house.browser().visit(place).await;
        assert_eq!(page.status, 404, "{place}");
        assert!(page.links().iter().all(|link| !link.starts_with("//")), "{place}");
        assert!(page.links().iter().all(|link| !link.contains('\\')), "{place}");
        assert!(!page.body.contains("<b>"), "{place}");
    }
}

#[actix_web::test]
async fn a_session_ends_when_idle_left_or_its_user_changed() {
    let house = House::open().await;
    let mut idle = house.signed_in("lin").await;
    house.later(14 * 60);
    assert_eq!(idle.visit("/overview").await.status, 200);
    house.later(15 * 60);
    assert_eq!(idle.visit("/overview").await.header("location"), "/sign-in");

    let mut leaving = house.signed_in("lin").await;
    let cookies = leaving.cookies.clone();
    let token = leaving.visit("/overview").await.form_token();
    let page = leaving.post("/sign-out", &[("form_token", token.as_str())]).await;
    assert_eq!(page.header("location"), "/sign-in");
    assert!(page.cookie("__Host-kangqiao-session").contains("Max-Age=0"));
    leaving.cookies = cookies;
    assert_eq!(leaving.visit("/overview").await.status, 303, "the old cookie opens nothing");
    assert!(house.recorded().contains(&("lin".to_owned(), Door::SignedOut)));

    house.later(60);
    let mut reset = house.signed_in("lin").await;
    let mut users = Users::read(&house.users_file()).unwrap();
    users.add("added", Role::Operator, 0).unwrap();
    users.write(&house.users_file()).unwrap();
    assert_eq!(reset.visit("/overview").await.status, 200, "another user's line is no matter");
    users.reset("lin", 1).unwrap();
    users.remove("added").unwrap();
    users.write(&house.users_file()).unwrap();
    assert_eq!(reset.visit("/overview").await.status, 303);
}

#[actix_web::test]
async fn without_the_ledger_nobody_signs_in_and_nothing_is_shown() {
    let house = House::open().await;
    let mut auditor = house.signed_in("lin").await;
    house.fake.full.store(true, Ordering::Relaxed);
    let page = auditor.visit("/ledger/latest").await;
    assert_eq!(page.status, 503);
    assert!(!page.body.contains("subsidy"));
    house.later(60);
    let page = house.browser().sign_in("lin", &house.told("lin"), &house.code("lin")).await;
    assert_eq!(page.status, 503);
    assert!(page.cookies.iter().all(|cookie| !cookie.starts_with("__Host-kangqiao-session")));
    let token = auditor.visit("/overview").await.form_token();
    let page = auditor.post("/sign-out", &[("form_token", token.as_str())]).await;
    assert_eq!(page.header("location"), "/sign-in", "leaving works all the same");
}
