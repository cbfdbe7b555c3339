//! Accounts made by one-time links, over a gateway that is only pretended.

use super::browser::{Browser, House, Page};
use crate::inbound::console::access::{Role, Roles, Voice};
use crate::inbound::console::code::Secret;
use crate::inbound::console::invite::{InviteError, Spoken};
use crate::inbound::console::users::Users;
use crate::inbound::console::view::Door;

const PASSWORD: &str = "three unrelated words";

/// The link of an account for which the machine speaks, and an auditor if need be.
async fn link(house: &House, name: &str, role: Role) -> String {
    let mut spoken = house.console.invite((name, role), Voice::Machine).await.unwrap();
    if matches!(spoken, Spoken::Waits { .. }) {
        let voice = Voice::Auditor("lin".to_owned());
        spoken = house.console.invite((name, role), voice).await.unwrap();
    }
    let Spoken::Invited(invited) = spoken else { panic!("two have spoken") };
    let (before, token) = invited.link.split_once("/invitation/").unwrap();
    assert_eq!((before, token.len()), ("https://127.0.0.1:8444", 64));
    format!("/invitation/{token}")
}

/// What an auditor says on the page of accounts.
async fn speak(browser: &mut Browser, said: [&str; 3]) -> Page {
    let token = browser.visit("/overview").await.form_token();
    let [decision, name, role] = said;
    let fields =
        [("form_token", token.as_str()), ("decision", decision), ("name", name), ("role", role)];
    browser.post("/ledger/accounts", &fields).await
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
    let expected = [
        Door::Nominated(Role::Operator),
        Door::Invited(Role::Operator),
        Door::Enrolled(Role::Operator),
        Door::SignedIn,
    ];
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
    assert_eq!(house.recorded().len(), 2, "the nomination and the invitation alone");
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
    let refused = house.console.invite(("new", Role::Operator), Voice::Machine).await;
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
async fn a_further_account_takes_two_and_nobody_but_auditors_speaks_at_the_console() {
    let house = House::open().await;
    for name in ["wen", "pan", "rui"] {
        let mut browser = house.signed_in(name).await;
        assert_eq!(speak(&mut browser, ["speak", "new", "auditor"]).await.status, 403, "{name}");
        assert_eq!(browser.visit("/ledger/accounts").await.status, 403, "{name}");
    }
    let (mut lin, mut both) = (house.signed_in("lin").await, house.signed_in("both").await);
    for role in Role::ALL.map(Role::as_str) {
        // One alone, however often he says it.
        for _ in 0..2 {
            let page = speak(&mut lin, ["speak", role, role]).await;
            assert_eq!((page.status, page.header("location").as_str()), (303, "/ledger/accounts"));
        }
        let page = lin.visit("/ledger/accounts").await;
        let (own, other) = (format!("id=\"speak-{role}\""), format!("id=\"decline-{role}\""));
        assert!(!page.body.contains(&own) && page.body.contains(&other), "{role}");
        assert!(both.visit("/ledger/accounts").await.body.contains(&own), "{role}");
        let page = speak(&mut both, ["speak", role, role]).await;
        assert!(page.status == 200 && page.body.contains("/invitation/"), "{role}");
    }
    // The machine is one voice and no more, and what is declined waits no more.
    let who = ("new", Role::Auditor);
    for _ in 0..2 {
        let spoken = house.console.invite(who, Voice::Machine).await.unwrap();
        assert!(matches!(spoken, Spoken::Waits { .. }));
    }
    let page = speak(&mut both, ["decline", "new", "auditor"]).await;
    assert_eq!(page.status, 303);
    assert_eq!(speak(&mut lin, ["decline", "new", "auditor"]).await.status, 404);
    assert_eq!(speak(&mut lin, ["speak", "new", "auditor"]).await.status, 303, "it begins anew");
    // For another role it is another account.
    let spoken = house.console.invite(("new", Role::Operator), Voice::Machine).await.unwrap();
    assert!(matches!(spoken, Spoken::Waits { .. }));
    for (said, status) in [
        (["speak", "lin", "auditor"], 409),
        (["speak", "Lin", "auditor"], 409),
        (["speak", "", "auditor"], 409),
        (["speak", "x", "root"], 403),
        (["", "x", "auditor"], 403),
    ] {
        assert_eq!(speak(&mut lin, said).await.status, status, "{said:?}");
    }
    let entered = house.fake.recorded.lock().unwrap();
    let told: Vec<_> = entered.iter().map(ToString::to_string).collect();
    for words in [
        "auditor nominated as auditor by lin",
        "auditor invited as auditor by both",
        "new nominated as auditor by the machine",
        "new declined as auditor by both",
    ] {
        assert!(told.iter().any(|one| one == words), "{words}: {told:?}");
    }
}

#[actix_web::test]
async fn an_account_that_came_by_no_link_is_entered_and_so_is_one_that_went() {
    let house = House::open().await;
    let change = |change: &dyn Fn(&mut Users)| {
        Users::change(&house.users_file(), |users| {
            change(users);
            Ok(())
        })
        .unwrap();
    };
    let told = || {
        let entered = house.fake.recorded.lock().unwrap();
        let told = entered.iter().map(ToString::to_string);
        told.filter(|one| one.contains(" found as ") || one.contains(" gone ")).collect::<Vec<_>>()
    };
    house.signed_in("lin").await;
    assert_eq!(told(), [""; 0], "nothing has changed");
    change(&|users| {
        users.add("zhao", Role::Auditor, 7).unwrap();
        users.reset("wen", 7).unwrap();
        users.remove("rui").unwrap();
    });
    house.later(30);
    house.signed_in("lin").await;
    let (first, starts) = (told(), ["wen found as operator, ", "zhao found as auditor, "]);
    assert!(starts.iter().zip(&first).all(|(start, one)| one.starts_with(start)), "{first:?}");
    assert_eq!(first.get(2).map(String::as_str), Some("rui gone from the users file"));
    house.later(30);
    house.signed_in("lin").await;
    assert_eq!(told().len(), 3, "once");
    house.console.enter_all().await;
    assert_eq!(told().len(), 3 + 9, "at a start each role of each account");
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
    let next = house.console.invite(("second", Role::Auditor), Voice::Machine).await;
    assert!(matches!(next, Ok(Spoken::Waits { .. })), "no more from the machine alone");
    let stale = house.browser().visit(&earlier).await;
    assert_eq!(stale.status, 410, "nor by a link of before");
}
