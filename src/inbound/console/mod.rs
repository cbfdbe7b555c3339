//! 控制台, the console: pages for operators and auditors, written on the server.
//!
//! Every page works without script; two that show how things stand bring themselves anew with
//! htmx and draw their tables with uPlot. Nothing is loaded from elsewhere. It sees the gateway
//! only through [`Sight`]; it knows no store and no flow. An identifier typed by an auditor travels
//! in the body of a form and nowhere else.

pub mod access;
mod account;
mod assets;
pub mod code;
mod doubt;
mod guard;
mod hold;
mod invitation;
pub mod invite;
mod ledger;
mod nomination;
pub mod openid;
mod overview;
mod pages;
mod policies;
mod rerun;
mod review;
mod saved;
mod serve;
mod session;
mod sign;
#[cfg(test)]
mod tests;
mod text;
mod throttle;
mod ticket;
mod trace;
pub mod users;
pub mod view;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::middleware::from_fn;
use actix_web::{HttpResponse, web};
use arc_swap::ArcSwap;
use aws_lc_rs::hmac;
use chrono::FixedOffset;
use serde::Deserialize;
use tokio::sync::Semaphore;

use guard::{Problem, Visit};
use invitation::Invitations;
use nomination::Nominations;
use openid::{Fetch, OpenId};
pub use serve::serve;
use session::{Came, Session, Sessions};
use throttle::{Admission, Key, Throttle};
use users::{Attempt, Proven, Users, UsersError};
use view::{Door, Occasion, Sight};

use super::{door, tls};

const FORM_BYTES_MAX: usize = 4096;
/// Each costs 19 MiB for a moment.
const HASHES_AT_ONCE: usize = 2;

/// The console's knobs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where the console listens; on a port of its own. Default `127.0.0.1:8444`.
    pub listen: SocketAddr,
    /// The certificate it shows.
    pub tls: tls::Settings,
    /// `https://` and the host and port by which browsers reach it, for links. Default `listen`.
    pub url: Option<String>,
    /// Sign-in by a provider of the house besides, OpenID Connect. Default none.
    pub openid: Option<openid::Settings>,
    /// File written by `kangqiao user` and by opened invitations. Default `users.toml`.
    pub users: PathBuf,
    /// Connections at once; a console has few readers. Default 256.
    pub connections_max: usize,
    /// Limits of its connections.
    pub limits: door::Limits,
    /// Minutes for which the link of an invitation is good. Default 60.
    pub invitation_minutes: u32,
    /// Minutes without a request after which a session ends. Default 15.
    pub idle_minutes: u32,
    /// Hours after sign-in when a session ends. Default 8.
    pub absolute_hours: u32,
    /// Sessions at once; the longest unused goes first. Default 256.
    pub sessions_max: usize,
    /// Failures of one name before it must wait. Default 5; an address has four times as many.
    pub failures_max: u32,
    /// First wait, seconds; doubled by every further failure. Default 30.
    pub wait_seconds_min: u32,
    /// Longest wait, seconds. Default 900.
    pub wait_seconds_max: u32,
    /// Names and addresses whose failures are remembered. Default 8192.
    pub failures_remembered_max: usize,
    /// `Strict-Transport-Security`, seconds; 0 sends none. Default one year.
    pub hsts_seconds: u32,
    /// Minutes east of Greenwich of the times shown. Default 480, China.
    pub utc_offset_minutes: i32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8444)),
            tls: tls::Settings::default(),
            url: None,
            openid: None,
            users: "users.toml".into(),
            connections_max: 256,
            limits: door::Limits::default(),
            invitation_minutes: 60,
            idle_minutes: 15,
            absolute_hours: 8,
            sessions_max: 256,
            failures_max: 5,
            wait_seconds_min: 30,
            wait_seconds_max: 900,
            failures_remembered_max: 8192,
            hsts_seconds: 31_536_000,
            utc_offset_minutes: 480,
        }
    }
}

/// The console, shared by all workers of its listener.
#[derive(Clone)]
pub struct Console(Arc<Inner>);

struct Inner {
    settings: Settings,
    sight: Arc<dyn Sight>,
    clock: Clock,
    users: ArcSwap<Users>,
    users_seen: Mutex<Option<FileMark>>,
    openid: Option<OpenId>,
    sessions: Mutex<Sessions>,
    invitations: Mutex<Invitations>,
    nominations: Mutex<Nominations>,
    /// Held by whoever speaks for an account.
    speaking: tokio::sync::Mutex<()>,
    /// The accounts as the ledger knows them.
    entered: tokio::sync::Mutex<account::Known>,
    throttle: Mutex<Throttle>,
    /// Last code taken of each user, by step; names come from the users file alone.
    steps: Mutex<HashMap<String, u64>>,
    door_key: hmac::Key,
    hashing: Semaphore,
}

/// The time, unix seconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// By which a changed file is noticed.
type FileMark = (SystemTime, u64);

impl Console {
    /// A console over a gateway, with the way to its provider if it has one.
    ///
    /// # Errors
    /// [`UsersError`] if the users file is there and cannot be used, or the provider's secret.
    pub fn new(
        settings: Settings,
        sight: Arc<dyn Sight>,
        fetch: Option<Fetch>,
    ) -> Result<Self, UsersError> {
        Self::with_clock(settings, (sight, fetch), Arc::new(unix_seconds))
    }

    /// A console with its own clock, unix seconds.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_clock(
        settings: Settings,
        (sight, fetch): (Arc<dyn Sight>, Option<Fetch>),
        clock: Clock,
    ) -> Result<Self, UsersError> {
        let users_seen = Mutex::new(mark(&settings.users));
        let users = Users::read(&settings.users)?;
        users::prepare();
        let entered = tokio::sync::Mutex::new(account::known(&users));
        let openid = settings.openid.as_ref().zip(fetch);
        let openid = openid.map(|(openid, fetch)| OpenId::new(openid, fetch)).transpose()?;
        let mut key = [0; 32];
        aws_lc_rs::rand::fill(&mut key).map_err(|_| UsersError::Random)?;
        let sessions = session::Limits {
            idle_s: i64::from(settings.idle_minutes) * 60,
            absolute_s: i64::from(settings.absolute_hours) * 3600,
            sessions_max: settings.sessions_max,
        };
        let throttle = throttle::Limits {
            failures_max: settings.failures_max,
            wait_s_min: i64::from(settings.wait_seconds_min),
            wait_s_max: i64::from(settings.wait_seconds_max).max(1),
            entries_max: settings.failures_remembered_max,
        };
        Ok(Self(Arc::new(Inner {
            sight,
            clock,
            users: ArcSwap::from_pointee(users),
            users_seen,
            openid,
            sessions: Mutex::new(Sessions::new(sessions)),
            invitations: Mutex::default(),
            nominations: Mutex::default(),
            speaking: tokio::sync::Mutex::default(),
            entered,
            throttle: Mutex::new(Throttle::new(throttle)),
            steps: Mutex::new(HashMap::new()),
            door_key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            hashing: Semaphore::new(HASHES_AT_ONCE),
            settings,
        })))
    }

    fn sight(&self) -> &dyn Sight {
        &*self.0.sight
    }

    fn offset(&self) -> FixedOffset {
        let seconds = self.0.settings.utc_offset_minutes.saturating_mul(60);
        let utc = FixedOffset::east_opt(0);
        // Zero is a valid offset, so the last resort is never reached with a wrong time.
        FixedOffset::east_opt(seconds).or(utc).unwrap_or_else(|| chrono::Offset::fix(&chrono::Utc))
    }

    fn now(&self) -> i64 {
        (self.0.clock)()
    }

    /// Where browsers reach it, without a slash at the end.
    fn url(&self) -> String {
        let Settings { url, listen, .. } = &self.0.settings;
        url.clone().unwrap_or_else(|| format!("https://{listen}"))
    }

    fn hsts_seconds(&self) -> u32 {
        self.0.settings.hsts_seconds
    }

    /// The users as the file has them now; a broken file leaves the ones before.
    fn users(&self) -> Arc<Users> {
        let file = &self.0.settings.users;
        let mark = mark(file);
        let mut seen = lock(&self.0.users_seen);
        if *seen != mark {
            *seen = mark;
            match Users::read(file) {
                Ok(users) => self.0.users.store(Arc::new(users)),
                Err(error) => tracing::warn!(error = %error, "the old console users stay"),
            }
        }
        self.0.users.load_full()
    }

    fn openid(&self) -> Option<&OpenId> {
        self.0.openid.as_ref()
    }

    /// The session of a cookie, while the user's line in the file is what it was at sign-in; of
    /// somebody the provider vouched for, while the same provider is believed.
    fn session(&self, cookie: &str, came: Came) -> Option<Session> {
        let session = lock(&self.0.sessions).find(cookie, came, self.now())?;
        let stamp = match users::is_name(&session.user) {
            true => self.users().find(&session.user).map(users::User::stamp),
            false => self.openid().map(OpenId::stamp),
        };
        let unchanged = stamp == Some(session.stamp);
        if !unchanged {
            self.close(cookie);
        }
        unchanged.then_some(session)
    }

    fn open(&self, proven: &Proven) -> Option<String> {
        let who = (proven.roles, proven.stamp);
        lock(&self.0.sessions).open(&proven.name, who, self.now()).ok()
    }

    fn close(&self, cookie: &str) {
        lock(&self.0.sessions).close(cookie);
    }

    fn admit(&self, keys: &[Key]) -> Admission {
        lock(&self.0.throttle).admit(keys, self.now())
    }

    fn forgive(&self, keys: &[Key]) {
        lock(&self.0.throttle).succeed(keys);
    }

    /// Checks password and code off the worker's thread, and takes the code.
    async fn verify(&self, attempt: Attempt) -> Option<Proven> {
        let _turn = self.0.hashing.acquire().await.ok()?;
        let (users, now) = (self.users(), self.now().unsigned_abs());
        let proven = web::block(move || users.verify(&attempt, now)).await.ok()??;
        self.take_code(&proven).then_some(proven)
    }

    /// A code that was taken, or an older one, is never good again (RFC 6238 section 5.2).
    fn take_code(&self, proven: &Proven) -> bool {
        let mut steps = lock(&self.0.steps);
        let fresh = steps.get(&proven.name).is_none_or(|last| proven.step > *last);
        if fresh {
            steps.insert(proven.name.clone(), proven.step);
        }
        fresh
    }

    /// Writes a refusal of a known user down, beside the answer, so that the time the
    /// answer takes does not tell whether the name is known.
    fn note_refusal(&self, name: &str, admission: Admission) {
        if self.users().find(name).is_none() {
            return;
        }
        let what = if admission == Admission::Last { Door::Locked } else { Door::Refused };
        let (console, occasion) = (self.clone(), Occasion::of(name, what));
        actix_web::rt::spawn(async move {
            if let Err(fault) = console.sight().record(&occasion).await {
                tracing::warn!(fault = fault.row().name, "a refused sign-in is not in the ledger");
            }
        });
    }

    /// What the sign-in form must carry for a door cookie.
    fn door_token(&self, door: &str) -> String {
        let tag = hmac::sign(&self.0.door_key, door.as_bytes());
        tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn door_fits(&self, door: &str, token: &str) -> bool {
        let expected = self.door_token(door);
        aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_bytes(), token.as_bytes())
            .is_ok()
    }
}

/// Mounts the console at the root of a listener of its own.
pub fn configure(config: &mut web::ServiceConfig, console: Console) {
    let forms = web::FormConfig::default().limit(FORM_BYTES_MAX).error_handler(|error, request| {
        let page = guard::odd_form(request);
        actix_web::error::InternalError::from_response(error, page).into()
    });
    let queries = web::QueryConfig::default().error_handler(|error, request| {
        let page = guard::odd_form(request);
        actix_web::error::InternalError::from_response(error, page).into()
    });
    config.service(
        web::scope("")
            .app_data(console)
            .app_data(forms)
            .app_data(queries)
            .wrap(from_fn(guard::pass))
            .route("/", web::get().to(sign::start))
            .route("/sign-in", web::get().to(sign::door))
            .route("/sign-in", web::post().to(sign::enter))
            .route("/sign-in/provider", web::get().to(openid::leave))
            .route("/sign-in/provider/back", web::get().to(openid::back))
            .route("/sign-out", web::post().to(sign::leave))
            .route("/invitation/{token}", web::get().to(invite::open))
            .route("/invitation/{token}", web::post().to(invite::accept))
            .route("/overview", web::get().to(overview::overview))
            .route("/ledger", web::get().to(ledger::begin))
            .route("/ledger/latest", web::get().to(ledger::latest))
            .route("/ledger/department", web::get().to(ledger::department))
            .route("/ledger/person", web::get().to(ledger::again))
            .route("/ledger/person", web::post().to(ledger::person))
            .route("/ledger/history", web::get().to(ledger::again))
            .route("/ledger/history", web::post().to(ledger::history))
            .route("/ledger/entry", web::get().to(ledger::again))
            .route("/ledger/entry", web::post().to(ledger::find))
            .route("/ledger/entry/{number}", web::get().to(ledger::entry))
            .route("/ledger/entry/{number}/proof", web::get().to(ledger::proof))
            .route("/ledger/accounts", web::get().to(account::list))
            .route("/ledger/accounts", web::post().to(account::speak))
            .route("/ledger/doubts", web::get().to(doubt::list))
            .route("/ledger/holds", web::get().to(hold::list))
            .route("/ledger/holds", web::post().to(hold::place))
            .route("/ledger/holds/{number}", web::post().to(hold::judge))
            .route("/ledger/saved", web::get().to(ledger::again))
            .route("/ledger/saved", web::post().to(saved::of_ledger))
            .route("/ledger/tickets", web::get().to(ticket::list))
            .route("/ledger/tickets/{number}", web::post().to(ticket::inspect))
            .configure(work)
            .route("/policies", web::get().to(policies::matrix))
            .route("/policies/cells", web::get().to(policies::sheet))
            .route("/policies/why", web::get().to(policies::why))
            .route("/policies/proposal", web::get().to(policies::proposal))
            .route("/policies/proposal", web::post().to(policies::judge))
            .route("/assets/{name}", web::get().to(assets::asset))
            .default_service(web::to(missing)),
    );
}

/// What waits for somebody: persons to be reviewed, messages to be traced and tried again.
fn work(config: &mut web::ServiceConfig) {
    config
        .route("/review", web::get().to(review::queue))
        .route("/review/held", web::get().to(review::held))
        .route("/review/held/{number}", web::post().to(review::judge))
        .route("/review/{one}/{other}", web::get().to(review::pair))
        .route("/review/{one}/{other}", web::post().to(review::decide))
        .route("/review/{one}/{other}/history", web::get().to(review::history))
        .route("/trace", web::get().to(trace::begin))
        .route("/trace/search", web::get().to(trace::again))
        .route("/trace/search", web::post().to(trace::search))
        .route("/trace/message/{number}", web::get().to(trace::message))
        .route("/trace/quarantine", web::get().to(trace::quarantine))
        .route("/trace/saved", web::get().to(trace::again))
        .route("/trace/saved", web::post().to(saved::of_trace))
        .route("/trace/replays", web::get().to(rerun::list))
        .route("/trace/replays", web::post().to(rerun::propose))
        .route("/trace/replays/preview", web::get().to(trace::again))
        .route("/trace/replays/preview", web::post().to(rerun::preview))
        .route("/trace/replays/{number}", web::get().to(rerun::one))
        .route("/trace/replays/{number}", web::post().to(rerun::judge));
}

async fn missing(visit: Visit) -> HttpResponse {
    visit.answer(Err(Problem::NotFound))
}

fn mark(file: &Path) -> Option<FileMark> {
    let found = std::fs::metadata(file).ok()?;
    Some((found.modified().ok()?, found.len()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while holding one of these; a poisoned table is still whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unix_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
