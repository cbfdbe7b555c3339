//! Making an account: who invites makes a link, who opens it chooses a password, and shows by a
//! code that an authenticator application has the secret.
//!
//! The secret is drawn anew whenever a link is looked at, and tied to the browser that looked: who
//! merely sees a link pass by knows nothing of the account that comes of it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Form, Path};
use askama::Template;
use chrono::{DateTime, SecondsFormat};
use fast_qr::QRBuilder;
use serde::Deserialize;

use super::access::{Role, Roles, Voice};
use super::code::Secret;
use super::guard::{DOOR, Problem, Visit, cookie};
use super::invitation::{Invitation, NoLink};
use super::nomination::Nomination;
use super::pages::{Frame, MessagePage, show};
use super::sign::welcome;
use super::text::invite::InviteText;
use super::users::{self, Proven, Users, UsersError};
use super::view::{Door, Occasion};
use super::{Console, lock};
use crate::vocabulary::Fault;

/// Light around the squares of a QR code, in squares (ISO/IEC 18004, 5.3.8).
const QUIET: usize = 4;

/// A link, for the eyes of who invites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invited {
    /// The whole address.
    pub link: String,
    /// When it is over, unix seconds.
    pub ends: i64,
}

impl Invited {
    /// When it is over, as machines read it.
    #[must_use]
    pub fn until(&self) -> String {
        moment(self.ends)
    }
}

/// Why nobody is invited.
#[derive(Debug, thiserror::Error)]
pub enum InviteError {
    /// The gateway cannot write it down now.
    #[error("{}: {}", .0.row().name, .0.row().en)]
    Fault(Fault),
    /// As many accounts wait for a second voice as may.
    #[error("too many accounts wait for a second to speak for them")]
    Full,
    /// No link can be made.
    #[error("too many invitations wait to be opened, or the system has no random numbers")]
    Link(NoLink),
    /// The name is not one, or somebody's.
    #[error(transparent)]
    Name(#[from] UsersError),
}

/// What comes of it if somebody speaks for an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spoken {
    /// A link: enough have spoken.
    Invited(Invited),
    /// It waits for a second.
    Waits {
        /// Until when, unix seconds.
        ends: i64,
    },
}

/// A moment in unix seconds as machines read it.
#[must_use]
pub fn moment(at: i64) -> String {
    let at = DateTime::from_timestamp(at, 0).unwrap_or_default();
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl Console {
    /// Whether nobody can sign in yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users().iter().next().is_none()
    }

    /// Somebody speaks for an account: a link for it once enough have, in the ledger first.
    ///
    /// # Errors
    /// [`InviteError`].
    pub async fn invite(&self, who: (&str, Role), voice: Voice) -> Result<Spoken, InviteError> {
        self.invite_by(who, voice, "the machine").await
    }

    /// The same, where the ledger is told who the machine's voice was.
    ///
    /// # Errors
    /// [`InviteError`].
    pub async fn invite_by(
        &self,
        (name, role): (&str, Role),
        voice: Voice,
        machine: &str,
    ) -> Result<Spoken, InviteError> {
        // One after the other: of two who speak at once the second hears the first.
        let _turn = self.0.speaking.lock().await;
        self.users().free(name)?;
        let now = self.now();
        let by = match &voice {
            Voice::Machine => machine.to_owned(),
            Voice::Auditor(auditor) => auditor.clone(),
        };
        let nomination = lock(&self.0.nominations).with((name, role), voice, now);
        let enough = role.is_spoken_for(&nomination.voices, self.is_held(role));
        let what = if enough { Door::Invited(role) } else { Door::Nominated(role) };
        let occasion = Occasion { user: name.to_owned(), what, by: Some(by) };
        self.sight().record(&occasion).await.map_err(InviteError::Fault)?;
        if !enough {
            let ends = nomination.ends;
            let kept = lock(&self.0.nominations).keep(nomination, now);
            return if kept { Ok(Spoken::Waits { ends }) } else { Err(InviteError::Full) };
        }
        let ends = now.saturating_add(i64::from(self.0.settings.invitation_minutes) * 60);
        let voices = nomination.voices;
        let invitation = Invitation { name: name.to_owned(), role, voices, ends };
        let drawn = lock(&self.0.invitations).draw(invitation, now).map_err(InviteError::Link)?;
        lock(&self.0.nominations).end(name);
        let link = format!("{}/invitation/{drawn}", self.url());
        Ok(Spoken::Invited(Invited { link, ends }))
    }

    /// An auditor speaks against an account that waits; whether one did.
    pub(super) async fn decline(
        &self,
        (name, role): (&str, Role),
        voice: &Voice,
    ) -> Result<bool, Fault> {
        let _turn = self.0.speaking.lock().await;
        let waits = |one: &Nomination| one.name == name && one.role == role;
        if !lock(&self.0.nominations).waiting(self.now()).any(waits) {
            return Ok(false);
        }
        let by = match voice {
            Voice::Machine => None,
            Voice::Auditor(auditor) => Some(auditor.clone()),
        };
        let occasion = Occasion { user: name.to_owned(), what: Door::Declined(role), by };
        self.sight().record(&occasion).await?;
        lock(&self.0.nominations).end(name);
        Ok(true)
    }

    /// Whether anybody is that, by the users file or perhaps by the provider.
    fn is_held(&self, role: Role) -> bool {
        self.users().hold(role) || self.openid().is_some_and(|provider| provider.gives(role))
    }

    /// What a link is for. One of the machine alone is over once there is somebody of its role.
    fn invitation(&self, token: &str) -> Option<Invitation> {
        let found = lock(&self.0.invitations).find(token, self.now()).cloned();
        found.filter(|one| one.role.is_spoken_for(&one.voices, self.is_held(one.role)))
    }

    /// Makes the account of a link, in the ledger first. A link of which nothing comes is good
    /// still; `Ok(None)` where it was used meanwhile.
    async fn enrol(&self, token: &str, own: Own) -> Result<Option<Proven>, Fault> {
        let taken = lock(&self.0.invitations).take(token, self.now());
        let Some(invitation) = taken else { return Ok(None) };
        let enrolled = self.enter_and_add(&invitation, own).await;
        if enrolled.is_err() {
            lock(&self.0.invitations).put_back(token, invitation);
        }
        enrolled.map(Some)
    }

    async fn enter_and_add(&self, invitation: &Invitation, own: Own) -> Result<Proven, Fault> {
        let _turn = self.0.hashing.acquire().await.map_err(|_| Fault::Unavailable)?;
        let users = self.users();
        users.free(&invitation.name).map_err(|_| Fault::Unavailable)?;
        if !invitation.role.is_spoken_for(&invitation.voices, self.is_held(invitation.role)) {
            return Err(Fault::Unavailable);
        }
        let occasion = Occasion::of(&invitation.name, Door::Enrolled(invitation.role));
        self.sight().record(&occasion).await?;
        let (file, now) = (self.0.settings.users.clone(), self.now().unsigned_abs());
        let (name, role, step) = (invitation.name.clone(), invitation.role, own.step);
        let add = move || {
            Users::change(&file, |users| {
                users.add_with((&name, role), (&own.password, &own.secret), now)?;
                let user = users.find(&name).ok_or(UsersError::Unknown)?;
                Ok(Proven { name: name.clone(), roles: user.role, stamp: user.stamp(), step })
            })
        };
        let added = web::block(add).await.map_err(|_| Fault::Internal)?;
        let proven = added.map_err(|error| {
            tracing::error!(error = %error, "an account cannot be made");
            Fault::Unavailable
        })?;
        self.found_already(&proven.name).await;
        self.take_code(&proven);
        Ok(proven)
    }
}

/// What somebody chose, and the step of the code that shows that he has the secret.
struct Own {
    password: String,
    secret: Secret,
    step: u64,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct OwnForm {
    form_token: String,
    secret: String,
    password: String,
    again: String,
    code: String,
}

/// Where somebody who was invited makes the account.
#[derive(Template)]
#[template(path = "invitation.html")]
struct InvitationPage {
    f: Frame,
    v: &'static InviteText,
    form_token: String,
    place: String,
    name: String,
    roles: Roles,
    ends_ms: i64,
    squares: (usize, String),
    secret: String,
    uri: String,
    wrong: Option<&'static str>,
}

/// Somebody opens a link.
pub(super) async fn open(visit: Visit, token: Path<String>) -> HttpResponse {
    let opened = match visit.console.invitation(&token) {
        Some(invitation) => match Secret::draw() {
            Ok(secret) => page(&visit, &token, (&invitation, &secret), None),
            Err(_) => Err(Fault::Unavailable.into()),
        },
        None => Ok(gone(&visit)),
    };
    visit.answer(opened)
}

/// Somebody makes the account of a link.
pub(super) async fn accept(visit: Visit, token: Path<String>, form: Form<OwnForm>) -> HttpResponse {
    let accepted = accepted(&visit, &token, form.into_inner()).await;
    visit.answer(accepted)
}

async fn accepted(visit: &Visit, token: &str, form: OwnForm) -> Result<HttpResponse, Problem> {
    let console = &visit.console;
    let Some(invitation) = console.invitation(token) else { return Ok(gone(visit)) };
    let secret = Secret::parse(&form.secret).ok_or(Problem::Form)?;
    let door = visit.door_cookie.as_deref().ok_or(Problem::Form)?;
    if !console.door_fits(&tie(door, token, &secret), &form.form_token) {
        return Err(Problem::Form);
    }
    let v = InviteText::of(visit.t.lang);
    let again = |wrong| page(visit, token, (&invitation, &secret), Some(wrong));
    if !users::is_password(&form.password, &invitation.name) {
        return again(v.weak);
    }
    if form.password != form.again {
        return again(v.differ);
    }
    let Some(step) = secret.step(&form.code, console.now().unsigned_abs()) else {
        return again(v.wrong_code);
    };
    match console.enrol(token, Own { password: form.password, secret, step }).await? {
        Some(proven) => welcome(visit, &proven).await,
        None => Ok(gone(visit)),
    }
}

/// The form of a link; `wrong` says what was not right the last time.
fn page(
    visit: &Visit,
    token: &str,
    (invitation, secret): (&Invitation, &Secret),
    wrong: Option<&'static str>,
) -> Result<HttpResponse, Problem> {
    let door = visit.door()?;
    let uri = users::link(&invitation.name, secret);
    let page = InvitationPage {
        f: visit.frame(None),
        v: InviteText::of(visit.t.lang),
        form_token: visit.console.door_token(&tie(&door, token, secret)),
        place: format!("/invitation/{token}"),
        name: invitation.name.clone(),
        roles: invitation.role.into(),
        ends_ms: invitation.ends.saturating_mul(1000),
        squares: squares(&uri).ok_or(Fault::Internal)?,
        secret: secret.disclose(),
        uri,
        wrong,
    };
    let status = wrong.map_or(StatusCode::OK, |_| StatusCode::UNPROCESSABLE_ENTITY);
    let mut response = show(&page, status);
    response.add_cookie(&cookie(DOOR, &door)).map_err(|_| Fault::Internal)?;
    Ok(response)
}

/// What a form of a link is tied to: this browser, this link, the secret it was shown.
fn tie(door: &str, token: &str, secret: &Secret) -> String {
    [door, token, &secret.disclose()].join("\n")
}

fn gone(visit: &Visit) -> HttpResponse {
    let v = InviteText::of(visit.t.lang);
    show(&MessagePage { f: visit.frame(None), message: v.gone }, StatusCode::GONE)
}

/// A QR code: its side in squares, and the dark ones as one path of SVG.
fn squares(text: &str) -> Option<(usize, String)> {
    let code = QRBuilder::new(text).build().ok()?;
    let rows = (0..code.size).flat_map(|row| (0..code.size).map(move |column| (row, column)));
    let dark = rows.filter(|(row, column)| {
        let line = code.data.get(row * code.size..(row + 1) * code.size);
        line.and_then(|line| line.get(*column)).is_some_and(|square| square.value())
    });
    let path = dark.map(|(row, column)| format!("M{} {}h1v1h-1z", column + QUIET, row + QUIET));
    Some((code.size + 2 * QUIET, path.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_the_three_corners_a_camera_looks_for() {
        let (side, path) = squares("otpauth://totp/Kangqiao:lin?secret=GEZDGNBV").unwrap();
        let size = side - 2 * QUIET;
        // A frame of seven dark squares, a light ring, a core of three by three.
        let dark = |row: usize, column: usize| {
            path.contains(&format!("M{} {}h", column + QUIET, row + QUIET))
        };
        for (top, left) in [(0, 0), (0, size - 7), (size - 7, 0)] {
            for row in 0..7 {
                for column in 0..7 {
                    let ring = row.min(6 - row).min(column).min(6 - column);
                    assert_eq!(dark(top + row, left + column), ring != 1, "{top}+{row} {column}");
                }
            }
        }
        assert!(!path.contains("M0 ") && size % 4 == 1);
    }
}
