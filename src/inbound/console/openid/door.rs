//! Two pages: away to the provider, and back.

use actix_web::HttpResponse;
use actix_web::cookie::SameSite;
use actix_web::http::{StatusCode, header};
use actix_web::web::Query;
use askama::Template;
use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::{OpenId, Refused, Returned};
use crate::inbound::console::guard::{PROVIDER, Problem, Visit, cookie, forgotten};
use crate::inbound::console::pages::{Frame, MessagePage, show};
use crate::inbound::console::sign::open;
use crate::inbound::console::text::openid::OpenIdText;
use crate::inbound::console::view::{Door, Occasion};
use crate::vocabulary::Fault;

/// How the ledger says that somebody signed in.
const BY: &str = "openid";

#[derive(Template)]
#[template(path = "signed_in.html")]
struct SignedInPage {
    f: Frame,
    o: &'static OpenIdText,
}

/// Away to the provider.
pub(in crate::inbound::console) async fn leave(visit: Visit) -> HttpResponse {
    let Some(openid) = visit.console.openid() else {
        return visit.answer(Err(Problem::NotFound));
    };
    let left = match openid.leave(&back_to(&visit), visit.console.now()).await {
        Ok((url, state)) => away(&url, &state),
        Err(refused) => told(&visit, &refused),
    };
    visit.answer(left)
}

/// Back from it.
pub(in crate::inbound::console) async fn back(
    visit: Visit,
    returned: Query<Returned>,
) -> HttpResponse {
    let Some(openid) = visit.console.openid() else {
        return visit.answer(Err(Problem::NotFound));
    };
    let arrived = arrived(&visit, openid, &returned).await;
    let mut response = visit.answer(arrived);
    let _ = response.add_cookie(&forgotten(PROVIDER));
    response
}

async fn arrived(
    visit: &Visit,
    openid: &OpenId,
    returned: &Returned,
) -> Result<HttpResponse, Problem> {
    let console = &visit.console;
    // Who began it is who comes back: a link with somebody else's code signs nobody in.
    let kept = visit.provider_cookie.as_deref().unwrap_or_default();
    let same = verify_slices_are_equal(kept.as_bytes(), returned.state.as_bytes());
    if kept.is_empty() || same.is_err() {
        return told(visit, &Refused::Away);
    }
    match openid.arrive(returned, &back_to(visit), console.now()).await {
        Ok(proven) => {
            let page = SignedInPage { f: visit.frame(None), o: OpenIdText::of(visit.t.lang) };
            let mut page = show(&page, StatusCode::OK);
            // A browser that comes from elsewhere does not show the new cookie to a page it is
            // sent on to; one that goes there by itself does.
            let onward = header::HeaderValue::from_static("0; url=/overview");
            page.headers_mut().insert(header::REFRESH, onward);
            open(visit, &proven, (Some(BY), page)).await
        }
        Err(refused) => {
            if let Refused::Roles(name) = &refused {
                let by = Some(BY.to_owned());
                let occasion = Occasion { user: name.clone(), what: Door::Refused, by };
                console.sight().record(&occasion).await?;
            }
            told(visit, &refused)
        }
    }
}

fn back_to(visit: &Visit) -> String {
    format!("{}/sign-in/provider/back", visit.console.url())
}

fn away(url: &str, state: &str) -> Result<HttpResponse, Problem> {
    let mut response = HttpResponse::SeeOther().insert_header((header::LOCATION, url)).finish();
    let mut kept = cookie(PROVIDER, state);
    // The way back begins elsewhere, where a strict one would be left out.
    kept.set_same_site(SameSite::Lax);
    response.add_cookie(&kept).map_err(|_| Fault::Internal)?;
    Ok(response)
}

fn told(visit: &Visit, refused: &Refused) -> Result<HttpResponse, Problem> {
    tracing::warn!(reason = %refused, "a sign-in by the provider was refused");
    let o = OpenIdText::of(visit.t.lang);
    let (status, message) = match refused {
        Refused::Away => (StatusCode::FORBIDDEN, o.again),
        Refused::Provider(_) => (StatusCode::BAD_GATEWAY, o.provider),
        Refused::Roles(_) => (StatusCode::FORBIDDEN, o.no_role),
        Refused::Token(_) => (StatusCode::FORBIDDEN, o.not_believed),
    };
    Ok(show(&MessagePage { f: visit.frame(None), message }, status))
}
