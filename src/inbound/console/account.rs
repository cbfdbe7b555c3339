//! 账号, the auditors' page of who may sign in: the accounts, and who is to have one.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Form;
use askama::Template;
use serde::Deserialize;

use super::access::{Area, Role, Roles, Voice};
use super::guard::{Problem, Visit, see};
use super::invite::{InviteError, Invited, Spoken};
use super::nomination::Nomination;
use super::pages::{Frame, show};
use super::text::invite::InviteText;
use super::users::{Users, UsersError};
use super::view::{Door, Occasion};
use super::{Console, lock};
use crate::vocabulary::Fault;

/// Bytes of the digest of a line of the users file, in the ledger.
const MARK_BYTES: usize = 8;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct AccountForm {
    form_token: String,
    decision: String,
    name: String,
    role: String,
}

#[derive(Template)]
#[template(path = "ledger_accounts.html")]
struct AccountsPage {
    f: Frame,
    v: &'static InviteText,
    /// Name, roles, since when.
    accounts: Vec<(String, Roles, i64)>,
    /// Those that wait, and until when.
    waiting: Vec<(Nomination, i64)>,
    /// Whether a provider says of people what they are.
    provider: bool,
    /// Who looks.
    voice: Voice,
    roles: [Role; 4],
}

/// A link, for the eyes of who invites.
#[derive(Template)]
#[template(path = "ledger_invited.html")]
struct InvitedPage {
    f: Frame,
    v: &'static InviteText,
    name: String,
    ends_ms: i64,
    invited: Invited,
}

/// Who may sign in, and who waits to.
pub(super) async fn list(visit: Visit) -> HttpResponse {
    let page = list_page(&visit);
    visit.answer(page)
}

/// An auditor speaks for an account, or against it.
pub(super) async fn speak(visit: Visit, form: Form<AccountForm>) -> HttpResponse {
    let page = spoken(&visit, &form).await;
    visit.answer(page)
}

fn list_page(visit: &Visit) -> Result<HttpResponse, Problem> {
    let asker = visit.asker(Area::Ledger)?;
    let (console, f) = (&visit.console, visit.frame(Some(Area::Ledger)));
    let users = console.users();
    let since = |added: u64| i64::try_from(added).unwrap_or_default().saturating_mul(1000);
    let accounts = users.iter().map(|user| (user.name.clone(), user.role, since(user.added)));
    let until = |one: &Nomination| (one.clone(), one.ends.saturating_mul(1000));
    let waiting = lock(&console.0.nominations).waiting(console.now()).map(until).collect();
    let page = AccountsPage {
        f,
        v: InviteText::of(visit.t.lang),
        accounts: accounts.collect(),
        waiting,
        provider: console.openid().is_some(),
        voice: Voice::Auditor(asker.user),
        roles: Role::ALL,
    };
    Ok(show(&page, StatusCode::OK))
}

async fn spoken(visit: &Visit, form: &AccountForm) -> Result<HttpResponse, Problem> {
    let asker = visit.asker(Area::Ledger)?;
    visit.own_form(&form.form_token)?;
    let v = InviteText::of(visit.t.lang);
    let role = Role::ALL.into_iter().find(|role| role.as_str() == form.role);
    let (role, voice) = (role.ok_or(Problem::Form)?, Voice::Auditor(asker.user));
    let console = &visit.console;
    match form.decision.as_str() {
        "decline" => match console.decline((&form.name, role), &voice).await? {
            true => Ok(see("/ledger/accounts")),
            false => Err(Problem::NotFound),
        },
        "speak" => match console.invite((&form.name, role), voice).await {
            Ok(Spoken::Waits { .. }) => Ok(see("/ledger/accounts")),
            Ok(Spoken::Invited(invited)) => {
                let (f, name) = (visit.frame(Some(Area::Ledger)), form.name.clone());
                let ends_ms = invited.ends.saturating_mul(1000);
                Ok(show(&InvitedPage { f, v, name, ends_ms, invited }, StatusCode::OK))
            }
            Err(InviteError::Fault(fault)) => Err(fault.into()),
            Err(InviteError::Link(_) | InviteError::Full) => Err(Fault::Unavailable.into()),
            Err(InviteError::Name(UsersError::Exists)) => Err(Problem::Unchanged(v.taken)),
            Err(InviteError::Name(_)) => Err(Problem::Unchanged(v.name_shape)),
        },
        _ => Err(Problem::Form),
    }
}

/// Accounts by their name: their roles, and a digest of their lines in the users file.
pub(super) type Known = BTreeMap<String, (Roles, [u8; 32])>;

/// The accounts of a users file.
pub(super) fn known(users: &Users) -> Known {
    users.iter().map(|user| (user.name.clone(), (user.role, user.stamp()))).collect()
}

impl Console {
    /// Enters every account there is, at a start: who changed the file meanwhile is seen by whoever
    /// compares two starts.
    pub async fn enter_all(&self) {
        self.0.entered.lock().await.clear();
        self.enter_found().await;
    }

    /// Enters every account that is another than when it was looked last: made, given other roles
    /// or another password by whoever writes the users file, or gone. What cannot be entered now is
    /// entered with what is found next.
    pub(super) async fn enter_found(&self) {
        let found = known(&self.users());
        let mut entered = self.0.entered.lock().await;
        if *entered == found {
            return;
        }
        let mut occasions = Vec::new();
        for (name, line) in &found {
            if entered.get(name) != Some(line) {
                let mark = line.1.first_chunk::<MARK_BYTES>().copied().unwrap_or_default();
                let mark = u64::from_be_bytes(mark);
                occasions.extend(line.0.each().map(|role| (name, Door::Found(role, mark))));
            }
        }
        let gone = entered.keys().filter(|name| !found.contains_key(*name));
        occasions.extend(gone.map(|name| (name, Door::Gone)));
        for (name, what) in occasions {
            if let Err(fault) = self.sight().record(&Occasion::of(name, what)).await {
                let fault = fault.row().name;
                tracing::warn!(fault, "a change of the console's users is not in the ledger yet");
                return;
            }
        }
        *entered = found;
    }

    /// An account that was made by a link is entered as that.
    pub(super) async fn found_already(&self, name: &str) {
        let made = self.users().find(name).map(|user| (user.role, user.stamp()));
        if let Some(line) = made {
            self.0.entered.lock().await.insert(name.to_owned(), line);
        }
    }
}
