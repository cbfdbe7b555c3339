//! A browser small enough to see through, and the house it knocks at.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::fake::Fake;
use crate::command::certs::{Authority, Request, Usage};
use crate::inbound::console::access::{Role, Roles};
use crate::inbound::console::openid::{self, Fetch};
use crate::inbound::console::users::{Enrolment, Users};
use crate::inbound::console::view::Door;
use crate::inbound::console::{Console, Settings, serve};
use crate::inbound::tls::{self, ReloadableTls};

/// A console on a port of its own, with the auditor `lin`, the operators `wen` and `wu`, the
/// policy administrators `pan` and `ping`, the reviewers `rui` and `rong`, and `both`, who
/// is auditor and reviewer.
pub struct House {
    pub fake: Arc<Fake>,
    pub console: Console,
    dir: tempfile::TempDir,
    clock: Arc<AtomicI64>,
    told: BTreeMap<&'static str, Enrolment>,
    address: String,
}

impl House {
    pub async fn open() -> Self {
        Self::open_by(None).await
    }

    /// The same, with a provider that is reached by this way.
    pub async fn open_by(fetch: Option<Fetch>) -> Self {
        tls::install_provider();
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::at(dir.path());
        authority.init("Test authority", 30).unwrap();
        let (dns, ip) = (vec!["localhost".to_owned()], vec![]);
        let name = "gateway".to_owned();
        authority.issue(&Request { name, usage: Usage::Server, dns, ip, days: 30 }).unwrap();
        let mut users = Users::default();
        let mut told = BTreeMap::new();
        for (name, roles) in [
            ("lin", &[Role::Auditor][..]),
            ("wen", &[Role::Operator]),
            ("wu", &[Role::Operator]),
            ("pan", &[Role::PolicyAdministrator]),
            ("ping", &[Role::PolicyAdministrator]),
            ("rui", &[Role::Reviewer]),
            ("rong", &[Role::Reviewer]),
            ("both", &[Role::Auditor, Role::Reviewer]),
        ] {
            told.insert(name, users.add(name, Roles::of(roles).unwrap(), 0).unwrap());
        }
        users.write(&dir.path().join("users.toml")).unwrap();
        let (fake, clock) = (Arc::new(Fake::default()), Arc::new(AtomicI64::new(1_795_248_000)));
        let openid = fetch.as_ref().map(|_| believed(dir.path()));
        let users = dir.path().join("users.toml");
        let settings = Settings { users, openid, ..Settings::default() };
        let hand = clock.clone();
        let time = Arc::new(move || hand.load(Ordering::Relaxed));
        let console = Console::with_clock(settings, (fake.clone(), fetch), time).unwrap();
        let served = console.clone();
        let tls = ReloadableTls::without_clients(tls::Settings {
            certificate: dir.path().join("gateway.pem"),
            key: dir.path().join("gateway.key"),
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let tls = tls.unwrap().server_config().unwrap();
        actix_web::rt::spawn(serve(listener, tls, served).unwrap());
        Self { fake, console, dir, clock, told, address }
    }

    pub fn browser(&self) -> Browser {
        let root = std::fs::read(self.dir.path().join("ca.pem")).unwrap();
        let client = reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(&root).unwrap()])
            .redirect(reqwest::redirect::Policy::none())
            // On a loaded machine an idle connection may be closed while a request is on its way.
            .pool_max_idle_per_host(0)
            .build()
            .unwrap();
        let site = Some("same-origin");
        Browser { client, address: self.address.clone(), cookies: BTreeMap::new(), site }
    }

    pub async fn signed_in(&self, name: &str) -> Browser {
        let mut browser = self.browser();
        let page = browser.sign_in(name, &self.told(name), &self.code(name)).await;
        assert_eq!(page.status, 303);
        browser
    }

    pub fn told(&self, name: &str) -> String {
        self.told[name].password.clone()
    }

    pub fn code(&self, name: &str) -> String {
        self.told[name].secret.code(self.now())
    }

    pub fn now(&self) -> u64 {
        self.clock.load(Ordering::Relaxed).unsigned_abs()
    }

    pub fn later(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }

    pub fn users_file(&self) -> PathBuf {
        self.dir.path().join("users.toml")
    }

    pub fn asked(&self) -> Vec<String> {
        self.fake.asked.lock().unwrap().clone()
    }

    pub fn recorded(&self) -> Vec<(String, Door)> {
        let recorded = self.fake.recorded.lock().unwrap();
        recorded.iter().map(|occasion| (occasion.user.clone(), occasion.what)).collect()
    }

    /// Refusals are written beside the answer; waits for what must come.
    pub async fn wait_for_records(&self, count: usize) {
        for _ in 0..1000 {
            if self.recorded().len() >= count {
                return;
            }
            tokio::task::yield_now().await;
            let _ = self.browser().visit("/assets/icon.svg").await;
        }
        panic!("{} of {count} records", self.recorded().len());
    }
}

/// A provider that is believed.
fn believed(folder: &Path) -> openid::Settings {
    let client_secret = folder.join("client.secret");
    std::fs::write(&client_secret, "a secret: of + the client\n").unwrap();
    std::fs::set_permissions(&client_secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    openid::Settings {
        issuer: "https://idp.example/realm".to_owned(),
        name: None,
        client_id: "kangqiao".to_owned(),
        client_secret,
        authority: folder.join("ca.pem"),
        claim: "groups".to_owned(),
        roles: [("kq-auditors", Role::Auditor), ("kq-operators", Role::Operator)]
            .map(|(word, role)| (word.to_owned(), role))
            .into(),
        scopes: vec!["groups".to_owned()],
    }
}

/// Keeps cookies, follows nothing.
pub struct Browser {
    client: reqwest::Client,
    address: String,
    pub cookies: BTreeMap<String, String>,
    /// What it says about where a form was made.
    pub site: Option<&'static str>,
}

/// What came back.
pub struct Page {
    pub status: u16,
    pub body: String,
    pub cookies: Vec<String>,
    headers: reqwest::header::HeaderMap,
}

impl Browser {
    pub async fn visit(&mut self, place: &str) -> Page {
        let request = self.client.get(format!("{}{place}", self.address));
        self.send(request).await
    }

    /// A page as htmx asks for it.
    pub async fn poll(&mut self, place: &str) -> Page {
        let request = self.client.get(format!("{}{place}", self.address));
        self.send(request.header("hx-request", "true")).await
    }

    pub async fn post(&mut self, place: &str, fields: &[(&str, &str)]) -> Page {
        let pairs = fields.iter().map(|(name, value)| format!("{name}={}", escaped(value)));
        let body = pairs.collect::<Vec<_>>().join("&");
        let request = self.client.post(format!("{}{place}", self.address));
        let request = match self.site {
            Some(site) => request.header("sec-fetch-site", site),
            None => request,
        };
        let kind = "application/x-www-form-urlencoded";
        self.send(request.header("content-type", kind).body(body)).await
    }

    pub async fn sign_in(&mut self, name: &str, password: &str, code: &str) -> Page {
        let token = self.visit("/sign-in").await.form_token();
        let fields = [
            ("form_token", token.as_str()),
            ("name", name),
            ("password", password),
            ("code", code),
        ];
        self.post("/sign-in", &fields).await
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Page {
        let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        let cookies = cookies.collect::<Vec<_>>().join("; ");
        let response = request.header("cookie", cookies).send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let set = headers.get_all("set-cookie").iter();
        let cookies: Vec<_> = set.map(|cookie| cookie.to_str().unwrap().to_owned()).collect();
        for cookie in &cookies {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let body = response.text().await.unwrap();
        Page { status, body, cookies, headers }
    }
}

impl Page {
    pub fn header(&self, name: &str) -> String {
        let value = self.headers.get(name).map(|value| value.to_str().unwrap());
        value.unwrap_or_default().to_owned()
    }

    pub fn cookie(&self, name: &str) -> &str {
        self.cookies.iter().find(|cookie| cookie.starts_with(name)).map_or("", String::as_str)
    }

    pub fn form_token(&self) -> String {
        self.field("form_token")
    }

    /// The value of the first hidden field of a name.
    pub fn field(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let (_, rest) = self.body.split_once(&start).expect(name);
        rest.split('"').next().unwrap().to_owned()
    }

    /// Where its links and forms lead.
    pub fn links(&self) -> Vec<String> {
        let after = |mark: &str| {
            let parts: Vec<_> = self.body.split(mark).skip(1).collect();
            parts.into_iter().map(|part| part.split('"').next().unwrap().to_owned())
        };
        let links = after("href=\"").chain(after("action=\""));
        links.map(|link| link.replace("&amp;", "&").replace("&#38;", "&")).collect()
    }
}

fn escaped(value: &str) -> String {
    value.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
