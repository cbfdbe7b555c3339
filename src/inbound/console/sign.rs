//! Sign-in and sign-out.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use actix_web::web::Form;
use serde::Deserialize;

use super::guard::{DOOR, Problem, SESSION, Visit, cookie, forgotten, see};
use super::pages::{SignInPage, show};
use super::text::openid::OpenIdText;
use super::throttle::{Admission, Key};
use super::users::{Attempt, Proven};
use super::view::{Door, Occasion};
use crate::vocabulary::Fault;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct SignInForm {
    name: String,
    password: String,
    code: String,
    form_token: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct SignOutForm {
    form_token: String,
}

/// The start: wherever one belongs.
pub(super) async fn start(visit: Visit) -> HttpResponse {
    match visit.session() {
        Some(_) => see("/overview"),
        None => see("/sign-in"),
    }
}

/// The door.
pub(super) async fn door(visit: Visit) -> HttpResponse {
    match visit.session() {
        Some(_) => see("/overview"),
        None => visit.answer(door_page(&visit, None, StatusCode::OK)),
    }
}

/// Somebody wants in.
pub(super) async fn enter(visit: Visit, form: Form<SignInForm>) -> HttpResponse {
    let entered = try_enter(&visit, form.into_inner()).await;
    visit.answer(entered)
}

/// Somebody leaves.
pub(super) async fn leave(visit: Visit, form: Form<SignOutForm>) -> HttpResponse {
    if let Err(problem) = visit.own_form(&form.form_token) {
        return visit.answer(Err(problem));
    }
    if let Some(session) = visit.session() {
        // Leaving works even while the ledger does not.
        let left = Occasion::of(&session.user, Door::SignedOut);
        if let Err(fault) = visit.console.sight().record(&left).await {
            tracing::warn!(fault = fault.row().name, "a sign-out is not in the ledger");
        }
    }
    visit.console.close(visit.session_cookie.as_deref().unwrap_or_default());
    let mut response = see("/sign-in");
    let _ = response.add_cookie(&forgotten(SESSION));
    response
}

async fn try_enter(visit: &Visit, form: SignInForm) -> Result<HttpResponse, Problem> {
    let console = &visit.console;
    let door = visit.door_cookie.as_deref().ok_or(Problem::Form)?;
    if !console.door_fits(door, &form.form_token) {
        return Err(Problem::Form);
    }
    let keys = [Key::address(visit.address), Key::name(&form.name)];
    let admission = console.admit(&keys);
    if let Admission::Wait(seconds) = admission {
        let text = visit.t.fill(visit.t.wait_sign_in, seconds);
        let mut page = door_page(visit, Some(text), StatusCode::TOO_MANY_REQUESTS)?;
        page.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        return Ok(page);
    }
    let attempt = Attempt { name: form.name, password: form.password, code: form.code };
    let name = attempt.name.clone();
    match console.verify(attempt).await {
        Some(proven) => {
            console.forgive(&keys);
            welcome(visit, &proven).await
        }
        None => {
            console.note_refusal(&name, admission);
            let text = visit.t.refused_sign_in.to_owned();
            door_page(visit, Some(text), StatusCode::FORBIDDEN)
        }
    }
}

/// A session for whoever was right, and on to the start.
pub(super) async fn welcome(visit: &Visit, proven: &Proven) -> Result<HttpResponse, Problem> {
    open(visit, proven, (None, see("/overview"))).await
}

/// In the ledger first, then in the table: a sign-in nobody can find later is none. The session
/// leaves with the response.
pub(super) async fn open(
    visit: &Visit,
    proven: &Proven,
    (by, mut response): (Option<&str>, HttpResponse),
) -> Result<HttpResponse, Problem> {
    let console = &visit.console;
    console.enter_found().await;
    let (user, by) = (proven.name.clone(), by.map(str::to_owned));
    console.sight().record(&Occasion { user, what: Door::SignedIn, by }).await?;
    if let Some(old) = &visit.session_cookie {
        console.close(old);
    }
    let value = console.open(proven).ok_or(Fault::Unavailable)?;
    response.add_cookie(&cookie(SESSION, &value)).map_err(|_| Fault::Internal)?;
    response.add_cookie(&forgotten(DOOR)).map_err(|_| Fault::Internal)?;
    Ok(response)
}

/// The form, tied to a cookie of this browser, so that no other site can fill it in.
fn door_page(
    visit: &Visit,
    wrong: Option<String>,
    status: StatusCode,
) -> Result<HttpResponse, Problem> {
    let door = visit.door()?;
    let form_token = visit.console.door_token(&door);
    let o = visit.console.openid().map(|_| OpenIdText::of(visit.t.lang));
    let page = SignInPage { f: visit.frame(None), o, form_token, wrong };
    let mut response = show(&page, status);
    response.add_cookie(&cookie(DOOR, &door)).map_err(|_| Fault::Internal)?;
    Ok(response)
}
