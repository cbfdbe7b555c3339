//! Accounts made by one-time links, over a gateway that is only pretended.

use super::browser::{Browser, House, Page};
use crate::inbound::console::access::{Host, Role, Roles};
use crate::inbound::console::code::Secret;
use crate::inbound::console::invite::InviteError;
use crate::inbound::console::users::Users;
use crate::inbound::console::view::Door;

const PASSWORD: &str = "three unrelated words";

fn machine() -> (Host, String) {
    (Host::Machine, "uid 0".to_owned())
}

async fn link(house: &House, name: &str, role: Role) -> String {
    let invited = house.console.invite((name, role), machine()).await.unwrap();
    let (before, token) = invited.link.split_once("/invitation/").unwrap();
    assert_eq!((before, token.len()), ("https://127.0.0.1:8444", 64));
    format!("/invitation/{token}")
}

/// Fills the form of a page that was looked at; `odd` fields stand for the right ones.
async fn accept(
    house: &House,
    (browser, seen): (&mut Browser, &Page),
    place: &str,
    odd: &[(&str, &str)],
) -> Page {
    let (token, secret) = (seen.form_token(), seen.field("secret"));
    let code = Secret::parse(&secret).unwrap().code(house.now());
    let mut fields = vec![
        ("form_token", token.as_str()),
        ("secret", &secret),
        ("password", PASSWORD),
        ("again", PASSWORD),
        ("code", &code),
    ];
    for (key, value) in odd {
        fields.iter_mut().filter(|(known, _)| known == key).for_each(|field| field.1 = value);
    }
    browser.post(place, &fields).await
}

#[actix_web::test]
async fn whoever_opens_a_link_makes_the_account_and_is_signed_in() {
    let house = House::open().await;
    let place = link(&house, "new", Role::Operator).await;
    let mut browser = house.browser();
    let seen = browser.visit(&place).await;
    assert_eq!(seen.status, 200);
    for text in ["运维员", "<svg class=\"squares\"", "otpauth://totp/Kangqiao:new"] {
        assert!(seen.body.contains(text), "{text}");
    }
    assert!(
        seen.body.contains(&seen.field("secret")) && seen.header("cache-control") == "no-store"
    );
    for (odd, words) in [
        (("code", "000000"), "验证码不正确"),
        (("again", "another three words"), "不一致"),
        (("password", "short"), "密码不合要求"),
    ] {
        let page = accept(&house, (&mut browser, &seen), &place, &[odd]).await;
        assert_eq!(page.status, 422, "{odd:?}");
        assert!(page.body.contains(words) && !page.body.contains(PASSWORD), "{odd:?}");
        assert_eq!(page.field("secret"), seen.field("secret"), "it is in the application already");
    }
    let page = accept(&house, (&mut browser, &seen), &place, &[]).await;
    assert_eq!((page.status, page.header("location").as_str()), (303, "/overview"));
    assert_eq!(browser.visit("/overview").await.status, 200);
    assert_eq!(browser.visit("/ledger").await.status, 403, "an operator and no more");
    assert_eq!(browser.visit(&place).await.status, 410, "once");
    let again = accept(&house, (&mut browser, &seen), &place, &[]).await;
    assert_eq!(again.status, 410);
    let expected = [Door::Invited(Role::Operator), Door::Enrolled(Role::Operator), Door::SignedIn];
    assert_eq!(house.recorded(), expected.map(|what| ("new".to_owned(), what)));

    let code = |seconds| Secret::parse(&seen.field("secret")).unwrap().code(house.now() + seconds);
    let mut later = house.browser();
    assert_eq!(later.sign_in("new", PASSWORD, &code(0)).await.status, 403, "that code is taken");
    assert_eq!(later.sign_in("new", PASSWORD, &code(30)).await.status, 303);
    let file = std::fs::read_to_string(house.users_file()).unwrap();
    let token = place.rsplit('/').next().unwrap();
    assert!(!file.contains(PASSWORD) && !file.contains(token));
}

#[actix_web::test]
async fn a_link_is_tied_to_its_time_the_browser_and_the_secret_it_showed() {
    let house = House::open().await;
    let place = link(&house, "new", Role::Reviewer).await;
    let (mut one, mut other) = (house.browser(), house.browser());
    let (seen, elsewhere) = (one.visit(&place).await, other.visit(&place).await);
    assert_ne!(seen.field("secret"), elsewhere.field("secret"), "each look draws its own");
    let planted = elsewhere.field("secret");
    let code = Secret::parse(&planted).unwrap().code(house.now());
    for odd in
        [&[("secret", planted.as_str()), ("code", code.as_str())][..], &[("form_token", "0")]]
    {
        assert_eq!(accept(&house, (&mut one, &seen), &place, odd).await.status, 403);
    }
    let stolen = accept(&house, (&mut other, &seen), &place, &[]).await;
    assert_eq!(stolen.status, 403, "the form of another browser");
    one.site = Some("cross-site");
    assert_eq!(accept(&house, (&mut one, &seen), &place, &[]).await.status, 403);
    one.site = Some("same-origin");
    house.later(60 * 60);
    assert_eq!(accept(&house, (&mut one, &seen), &place, &[]).await.status, 410, "too late");
    for odd in ["/invitation/0", "/invitation/%00", &format!("/invitation/{}", "f".repeat(64))] {
        assert_eq!(house.browser().visit(odd).await.status, 410, "{odd}");
    }
    assert!(Users::read(&house.users_file()).unwrap().find("new").is_none());
    assert_eq!(house.recorded().len(), 1, "the invitation alone");
}

#[actix_web::test]
async fn two_who_use_one_link_at_once_make_one_account() {
    let house = House::open().await;
    let place = link(&house, "new", Role::Operator).await;
    let (mut one, mut other) = (house.browser(), house.browser());
    let (first, second) = (one.visit(&place).await, other.visit(&place).await);
    let both = futures_util::future::join(
        accept(&house, (&mut one, &first), &place, &[]),
        accept(&house, (&mut other, &second), &place, &[]),
    );
    let (first, second) = both.await;
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 410]);
}

#[actix_web::test]
async fn what_cannot_be_entered_is_not_done_and_the_link_stays_good() {
    let house = House::open().await;
    let full = |full| house.fake.full.store(full, std::sync::atomic::Ordering::Relaxed);
    full(true);
    let refused = house.console.invite(("new", Role::Operator), machine()).await;
    assert!(matches!(refused, Err(InviteError::Fault(_))));
    full(false);
    let place = link(&house, "new", Role::Operator).await;
    let mut browser = house.browser();
    let seen = browser.visit(&place).await;
    full(true);
    assert_eq!(accept(&house, (&mut browser, &seen), &place, &[]).await.status, 503);
    assert!(Users::read(&house.users_file()).unwrap().find("new").is_none());
    full(false);
    assert_eq!(accept(&house, (&mut browser, &seen), &place, &[]).await.status, 303);
}

#[actix_web::test]
async fn an_auditor_is_invited_by_an_auditor_and_nobody_else_invites_at_the_console() {
    let house = House::open().await;
    let refused = house.console.invite(("new", Role::Auditor), machine()).await;
    assert!(matches!(refused, Err(InviteError::Host)), "there is one");
    for (name, status) in [("lin", 200), ("both", 200), ("wen", 403), ("pan", 403), ("rui", 403)] {
        let mut browser = house.signed_in(name).await;
        let token = browser.visit("/overview").await.form_token();
        let invited = format!("by-{name}");
        let fields = [("form_token", token.as_str()), ("name", invited.as_str())];
        let page = browser.post("/ledger/invite", &fields).await;
        assert_eq!(page.status, status, "{name}");
        assert_eq!(page.body.contains("/invitation/"), status == 200, "{name}");
    }
    house.later(30);
    let mut auditor = house.signed_in("lin").await;
    let token = auditor.visit("/ledger").await.form_token();
    for (token, name, status) in
        [("0", "x", 403), (&token, "lin", 409), (&token, "Lin", 409), (&token, "", 409)]
    {
        let fields = [("form_token", token), ("name", name)];
        assert_eq!(auditor.post("/ledger/invite", &fields).await.status, status, "{name}");
    }
    let entered = house.fake.recorded.lock().unwrap();
    let invited: Vec<_> = entered.iter().filter(|one| one.by.is_some()).collect();
    let told: Vec<_> = invited.iter().map(ToString::to_string).collect();
    let words = |name: &str| format!("by-{name} invited as auditor by {name}");
    assert_eq!(told, [words("lin"), words("both")]);
}

#[actix_web::test]
async fn the_first_account_of_an_empty_console_is_made_by_a_link() {
    let house = House::open().await;
    std::fs::remove_file(house.users_file()).unwrap();
    assert!(house.console.is_empty());
    let earlier = link(&house, "another", Role::Auditor).await;
    let place = link(&house, "first", Role::Auditor).await;
    let mut browser = house.browser();
    let seen = browser.visit(&place).await;
    assert_eq!(accept(&house, (&mut browser, &seen), &place, &[]).await.status, 303);
    assert_eq!(browser.visit("/ledger").await.status, 200);
    let users = Users::read(&house.users_file()).unwrap();
    assert_eq!(users.find("first").unwrap().role, Roles::from(Role::Auditor));
    let next = house.console.invite(("second", Role::Auditor), machine()).await;
    assert!(matches!(next, Err(InviteError::Host)), "no more from the machine");
    let stale = house.browser().visit(&earlier).await;
    assert_eq!(stale.status, 410, "nor by a link of before");
}
