//! The site of the demonstration: its folder, certificates, configuration and users.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use crate::command::certs::{Authority, Request, Usage};
use crate::command::check::complain;
use crate::command::{Failure, say};
use crate::config::Config;
use crate::inbound::console::access::Role;
use crate::inbound::console::users::Users;
use crate::wire::charset::Charset;

/// Says that a folder is a demonstration, and may be replaced by the next one.
const MARK: &str = ".kangqiao-demo";

/// Everybody who holds a certificate, beside the servers.
const CLIENTS: [&str; 9] = [
    "kangqiao",
    "hospital-b",
    "civil-affairs-clerk",
    "hotline-12349-agent",
    "care-home-doctor",
    "care-home-clerk",
    "care-home-system",
    "community-worker",
    "somebody-else",
];

/// The messages the hospitals send, and the character set each is sent in.
const MESSAGES: [(&str, &str, Charset); 5] = [
    ("1-admission.hl7", include_str!("messages/1-admission.hl7"), Charset::Gb18030),
    ("2-laboratory.hl7", include_str!("messages/2-laboratory.hl7"), Charset::Utf8),
    ("3-wrong-check-digit.hl7", include_str!("messages/3-wrong-check-digit.hl7"), Charset::Utf8),
    ("4-discharge.hl7", include_str!("messages/4-discharge.hl7"), Charset::Utf8),
    ("5-unknown-type.hl7", include_str!("messages/5-unknown-type.hl7"), Charset::Utf8),
];

/// Where the doors of the demonstration are, all on the loopback address.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// MLLP of hospital-a, plain.
    pub mllp: u16,
    /// MLLP with mutual TLS.
    pub mllps: u16,
    /// HTTPS for inquiries and messages.
    pub https: u16,
    /// The console.
    pub console: u16,
    /// Metrics and health.
    pub operation: u16,
    /// The simulated record platform.
    pub platform: u16,
    /// The simulated elderly registry.
    pub registry: u16,
    /// The simulated payment system, which is told of events.
    pub payments: u16,
}

impl Ports {
    /// The ports of the documentation.
    #[must_use]
    pub const fn usual() -> Self {
        Self {
            mllp: 2575,
            mllps: 2576,
            https: 8443,
            console: 8444,
            operation: 9464,
            platform: 9443,
            registry: 9444,
            payments: 9445,
        }
    }

    /// Refuses ports that somebody uses: building the site would take the files of a
    /// demonstration that runs from under it.
    ///
    /// # Errors
    /// [`Failure`] naming the first.
    pub fn unused(self) -> Result<Self, Failure> {
        let Self { mllp, mllps, https, console, operation, platform, registry, payments } = self;
        for port in [mllp, mllps, https, console, operation, platform, registry, payments] {
            TcpListener::bind((LOOPBACK, port)).map_err(|error| {
                Failure(format!("port {port}: {error}; does another demonstration run?"))
            })?;
        }
        Ok(self)
    }

    /// Ports nobody uses now.
    ///
    /// # Errors
    /// [`Failure`] if the system has none left.
    pub fn free() -> Result<Self, Failure> {
        // Those the system gives away itself it may give to an outgoing connection next.
        let is_free = |port: &u16| TcpListener::bind((LOOPBACK, *port)).is_ok();
        let start = std::process::id() as usize % FREE.len();
        let mut ports = FREE.cycle().skip(start).take(FREE.len()).filter(is_free);
        let mut next = || ports.next().ok_or_else(|| Failure("no free port".to_owned()));
        Ok(Self {
            mllp: next()?,
            mllps: next()?,
            https: next()?,
            console: next()?,
            operation: next()?,
            platform: next()?,
            registry: next()?,
            payments: next()?,
        })
    }
}

/// Below the range from which systems take ports for outgoing connections.
const FREE: std::ops::Range<u16> = 30_000..32_768;

/// The address of every door.
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A built site.
pub struct Site {
    dir: PathBuf,
    /// Its ports.
    pub ports: Ports,
    console: String,
}

/// A folder of its own for a demonstration that cleans up.
///
/// # Errors
/// [`Failure`] if it cannot be made.
pub fn scratch() -> Result<PathBuf, Failure> {
    let dir = std::env::temp_dir().join(format!("kangqiao-demo-{}", std::process::id()));
    fs::create_dir_all(&dir).map_err(|error| Failure::during("scratch folder", error))?;
    fs::write(dir.join(MARK), "").map_err(|error| Failure::during("scratch folder", error))?;
    Ok(dir)
}

impl Site {
    /// Makes the folder, the authority and its certificates, the messages, the users and
    /// the configuration.
    ///
    /// # Errors
    /// [`Failure`] if the folder is there and no demonstration, or cannot be written.
    pub fn build(
        dir: PathBuf,
        ports: Ports,
        mappings: &Path,
        policies: &Path,
    ) -> Result<Self, Failure> {
        let during = |error: std::io::Error| Failure::during(&dir.display().to_string(), error);
        if dir.exists() && !dir.join(MARK).exists() {
            return Err(Failure(format!("{}: is no demonstration; not replaced", dir.display())));
        }
        if dir.exists() {
            fs::remove_dir_all(&dir).map_err(during)?;
        }
        fs::create_dir_all(dir.join("messages")).map_err(during)?;
        fs::write(dir.join(MARK), "").map_err(during)?;
        for (name, text, charset) in MESSAGES {
            let text = text.replace('\n', "\r");
            let bytes = charset.encode(&text);
            let bytes = bytes.map_err(|error| Failure::during(name, error))?;
            fs::write(dir.join("messages").join(name), &bytes).map_err(during)?;
        }
        certificates(&dir.join("certs"))?;
        let console = user(&dir.join("users.toml"))?;
        let (mappings, policies) = (there(mappings)?, there(policies)?);
        let text = configuration(ports, &mappings, &policies);
        fs::write(dir.join("kangqiao.toml"), text).map_err(during)?;
        Ok(Self { dir, ports, console })
    }

    /// The configuration, read as an operator's would be.
    ///
    /// # Errors
    /// [`Failure`] if it is faulty.
    pub fn config(&self) -> Result<Config, Failure> {
        Config::load(&self.dir.join("kangqiao.toml")).map_err(complain)
    }

    /// A file of the site.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The address of one of its doors.
    #[must_use]
    pub const fn address(port: u16) -> SocketAddr {
        SocketAddr::new(LOOPBACK, port)
    }

    /// Where inquiries go.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.ports.https)
    }

    /// Tells where to look now.
    ///
    /// # Errors
    /// [`Failure`] if it cannot be printed.
    pub fn farewell(&self) -> Result<(), Failure> {
        say(format_args!("\n{}", self.console))?;
        say(format_args!("控制台 console  https://localhost:{}/", self.ports.console))?;
        say(format_args!("指标 metrics    http://localhost:{}/metrics", self.ports.operation))?;
        say("按 Ctrl-C 结束。 Press Ctrl-C to stop.")
    }

    /// Takes the folder away again.
    pub fn remove(&self) {
        // What cannot be removed is in the system's scratch folder and holds invented people.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn certificates(dir: &Path) -> Result<(), Failure> {
    let authority = Authority::at(dir);
    authority.init("Kangqiao demonstration authority", 30)?;
    let servers = ["gateway", "record-platform", "elder-registry", "payments"]
        .map(|name| (name, Usage::Server));
    let clients = CLIENTS.map(|name| (name, Usage::Client));
    for (name, usage) in servers.into_iter().chain(clients) {
        let (name, dns, ip) = (name.to_owned(), vec!["localhost".to_owned()], vec![LOOPBACK]);
        authority.issue(&Request { name, usage, dns, ip, days: 30 })?;
    }
    Ok(())
}

/// One console user; returns what the person at the screen needs to sign in.
fn user(file: &Path) -> Result<String, Failure> {
    let during = |error: &dyn std::fmt::Display| Failure::during("console user", error);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = since.map(|since| since.as_secs()).unwrap_or_default();
    let mut users = Users::default();
    let enrolment = users.add("auditor", Role::Auditor, now).map_err(|error| during(&error))?;
    users.write(file).map_err(|error| during(&error))?;
    Ok(format!(
        "用户 user       auditor\n密码 password   {}\n一次性验证码 code  {}",
        enrolment.password, enrolment.uri
    ))
}

/// The full path of a folder the demonstration is given.
fn there(folder: &Path) -> Result<PathBuf, Failure> {
    let hint = "start it where this folder is, or give --mappings and --policies";
    folder.canonicalize().map_err(|error| Failure(format!("{}: {error}; {hint}", folder.display())))
}

fn configuration(ports: Ports, mappings: &Path, policies: &Path) -> String {
    let Ports { mllp, mllps, https, console, operation, platform, registry, payments } = ports;
    let (mappings, policies) = (mappings.display(), policies.display());
    let upstreams = upstream("record-platform", platform, "platform-json")
        + &upstream("elder-registry", registry, "civil-json");
    let subscription = subscription(payments);
    format!(
        r#"# The demonstration's site. Paths are relative to this file.
mappings   = "{mappings}"
policies   = "{policies}"
master_key = "keys/master.key"

[ledger]
name = "demo.kangqiao/ledger"
key  = "keys/ledger.key"

[store]
folder = "data"

[tls]
certificate = "certs/gateway.pem"
key         = "certs/gateway.key"

[clients]
authorities = "certs/ca.pem"
revocations = "certs/crl.pem"

[[mllp]]
address = "127.0.0.1:{mllp}"
sender  = "hospital-a"

[[mllp]]
address = "127.0.0.1:{mllps}"
tls     = true

[https]
address = "127.0.0.1:{https}"

[console]
listen       = "127.0.0.1:{console}"
tls          = {{ certificate = "certs/gateway.pem", key = "certs/gateway.key" }}
users        = "users.toml"
hsts_seconds = 0 # localhost is no place to be remembered

[operation]
address = "127.0.0.1:{operation}"

[[sender]]
name = "hospital-a"

[[sender]]
name        = "hospital-b"
certificate = "hospital-b"

# The care home's own system, which records what its residents allow.
[[sender]]
name        = "care-home"
certificate = "care-home-system"
{upstreams}{subscription}"#
    )
}

fn upstream(name: &str, port: u16, dialect: &str) -> String {
    format!(
        r#"
[[upstream]]
name       = "{name}"
url        = "https://localhost:{port}"
department = "{name}"
dialect    = "{dialect}"
# Beside a browser and a build a machine may be slow.
timeout_ms = 10000
connect_timeout_ms = 5000
[upstream.tls]
authority   = "certs/ca.pem"
certificate = "certs/kangqiao.pem"
key         = "certs/kangqiao.key"
"#
    )
}

fn subscription(port: u16) -> String {
    format!(
        r#"
# The payment office is told of the deaths of those it pays, and of nobody else.
[[subscription]]
name       = "payments"
department = "civil-affairs"
role       = "clerk"
purpose    = "living-check"
events     = ["death", "identity"]
url        = "https://localhost:{port}/notices"
[subscription.tls]
authority   = "certs/ca.pem"
certificate = "certs/kangqiao.pem"
key         = "certs/kangqiao.key"
"#
    )
}
