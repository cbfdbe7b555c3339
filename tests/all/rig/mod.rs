//! A gateway of one's own for a test: the real binary, real sockets, real TLS, a folder that goes.

pub mod balancer;
pub mod beside;
pub mod certificates;
pub mod database;
pub mod faults;
pub mod foreign;
pub mod message;
pub mod person;
pub mod receiver;
pub mod upstream;
pub mod wire;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use kangqiao_conformance::stream::{self, Tls};
use kangqiao_conformance::{https, mllp};
use tempfile::TempDir;

use upstream::Upstream;

/// The number of an emergency call: each is about one elder.
pub fn call() -> String {
    format!("CALL-{}", message::unique())
}

/// How long the gateway may take to do what a test waits for.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The sender on the plain port, and those with certificates.
pub const PLAIN_SENDER: &str = "hospital-a";
/// The sender with a certificate.
pub const TLS_SENDER: &str = "hospital-b";

/// 民政局经办人
pub const CLERK: &str = "civil-affairs-clerk";
/// 12349 话务员
pub const AGENT: &str = "hotline-12349-agent";
/// 养老机构医师
pub const DOCTOR: &str = "care-home-doctor";
/// 养老机构经办人
pub const HOME_CLERK: &str = "care-home-clerk";
/// 社区工作者
pub const WORKER: &str = "community-worker";
/// 民政系统中办理入住的养老机构, the care home's own system, which records consents.
pub const HOME: &str = "care-home-system";
/// 社区卫生服务中心医师
pub const CLINIC: &str = "clinic-doctor";
/// 社区卫生服务中心的信息系统, the clinic's own system, which tells of its visits.
const CLINIC_SYSTEM: &str = "clinic-system";
/// 市民服务平台自助查询, which says which human asks.
pub const PORTAL: &str = "citizen-portal-self-service";
/// 审计员, an auditor of the audit office.
pub const AUDITOR: &str = "audit-office-auditor";

/// The repository.
pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The ports of one gateway.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// MLLP without TLS.
    pub mllp: u16,
    /// MLLP with mutual TLS.
    pub mllps: u16,
    /// Inquiries and messages.
    pub https: u16,
    /// The console.
    pub console: u16,
    /// Metrics and health.
    pub operation: u16,
}

/// A running gateway. Dropping it ends the process and removes the folder.
pub struct Rig {
    folder: TempDir,
    /// Where it listens.
    pub ports: Ports,
    /// 区域卫生信息平台, the simulated record platform.
    pub platform: Upstream,
    /// 老年人信息登记, the simulated elderly registry.
    pub registry: Upstream,
    /// More words for `serve`.
    pub words: Vec<&'static str>,
    /// Which log lines it writes, as `KANGQIAO_LOG` says.
    pub log: Option<&'static str>,
    /// The layer of faults beneath it.
    pub faults: Option<faults::Faults>,
    /// What is run, if not what was just built.
    pub binary: Option<PathBuf>,
    child: Mutex<Option<Child>>,
    printed: Arc<Mutex<Vec<u8>>>,
}

/// Waits until something is so; a test never sleeps and hopes.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Rig {
    /// One gateway for all tests that do not mind each other.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Rig>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(rig) = shared.upgrade() {
            return rig;
        }
        let rig = Arc::new(Self::start());
        *shared = Arc::downgrade(&rig);
        rig
    }

    /// A gateway nobody else uses.
    pub fn start() -> Self {
        let rig = Self::prepare("");
        rig.resume();
        rig
    }

    /// Everything but the process: folder, certificates, configuration with more lines.
    pub fn prepare(more: &str) -> Self {
        let folder = TempDir::with_prefix("kangqiao-").unwrap();
        copy(&Path::new(ROOT).join("policies"), &folder.path().join("policies"));
        copy(&Path::new(ROOT).join("mappings"), &folder.path().join("mappings"));
        let certs = folder.path().join("certs");
        certificates::give(&certs);
        let server = |name| upstream::serve(&certs.join("ca.pem"), &certs, name);
        let (platform, registry) = (server("platform"), server("registry"));
        let ports = Ports {
            mllp: free_port(),
            mllps: free_port(),
            https: free_port(),
            console: free_port(),
            operation: free_port(),
        };
        let text = configuration(&ports, platform.port, registry.port, more);
        std::fs::write(folder.path().join("kangqiao.toml"), text).unwrap();
        let (words, log, faults, binary, child, printed) = Default::default();
        Self { folder, ports, platform, registry, words, log, faults, binary, child, printed }
    }

    /// Starts the process, or starts it again, and waits until it is ready.
    pub fn resume(&self) {
        self.spawn();
        until("the gateway is ready", || {
            if let Some(status) = self.ended() {
                panic!("the gateway ended ({status}) before it was ready:\n{}", self.printed());
            }
            (self.operation("/health/ready")?.status == 200).then_some(())
        });
    }

    fn spawn(&self) {
        let built = Path::new(env!("CARGO_BIN_EXE_kangqiao"));
        let mut command = Command::new(self.binary.as_deref().unwrap_or(built));
        command.args(["serve", "--config"]).arg(self.config()).args(&self.words);
        command.current_dir(self.path());
        command.envs(self.log.map(|level| ("KANGQIAO_LOG", level)));
        command.envs(self.faults.iter().flat_map(|faults| faults.beneath(self.path())));
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        self.collect(child.stdout.take().unwrap());
        self.collect(child.stderr.take().unwrap());
        *self.child.lock().unwrap() = Some(child);
    }

    fn collect(&self, mut pipe: impl Read + Send + 'static) {
        let printed = Arc::clone(&self.printed);
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = pipe.read(&mut piece) {
                printed.lock().unwrap().extend_from_slice(&piece[..count]);
            }
        });
    }

    /// How the process ended, once it has.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.child.lock().unwrap().as_mut()?.try_wait().unwrap()
    }

    /// Asks the process to stop and waits until it has.
    pub fn stop(&self) -> ExitStatus {
        self.signal("TERM");
        let status = until("the gateway has stopped", || self.ended());
        *self.child.lock().unwrap() = None;
        status
    }

    /// Ends the process where it stands: `kill -9`.
    pub fn kill(&self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.pid()]).status();
        assert!(status.unwrap().success());
    }

    /// The number of the process.
    pub fn pid(&self) -> String {
        self.child.lock().unwrap().as_ref().unwrap().id().to_string()
    }

    /// Resident memory now and at its highest, in KiB.
    pub fn memory_kib(&self) -> (u64, u64) {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let field = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        (field("VmRSS:"), field("VmHWM:"))
    }

    /// The folder of this gateway.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.path().join("kangqiao.toml")
    }

    /// All it has printed so far.
    pub fn printed(&self) -> String {
        String::from_utf8_lossy(&self.printed.lock().unwrap()).into_owned()
    }

    /// TLS with the certificate of that name; the name `""` has none.
    pub fn tls(&self, name: &str) -> Tls {
        let certs = self.path().join("certs");
        let (chain, key) = (certs.join(format!("{name}.pem")), certs.join(format!("{name}.key")));
        let identity = (!name.is_empty()).then_some((chain.as_path(), key.as_path()));
        stream::tls(&certs.join("ca.pem"), identity).unwrap()
    }

    /// A connection to the plain MLLP port.
    pub fn mllp(&self) -> mllp::Link {
        mllp::Link::connect(&at(self.ports.mllp), None).unwrap()
    }

    /// A connection to the MLLP port with mutual TLS.
    pub fn mllps(&self, name: &str) -> std::io::Result<mllp::Link> {
        mllp::Link::connect(&at(self.ports.mllps), Some(&self.tls(name)))
    }

    /// A connection to the HTTPS port.
    pub fn https(&self, name: &str) -> https::Link {
        https::Link::connect(&at(self.ports.https), Some(&self.tls(name))).unwrap()
    }

    /// One inquiry on a connection of its own.
    pub fn ask(&self, name: &str, body: &serde_json::Value) -> https::Reply {
        self.try_ask(name, body.to_string().as_bytes()).unwrap()
    }

    /// One body posted as an inquiry; fails where the certificate is refused.
    pub fn try_ask(&self, name: &str, body: &[u8]) -> std::io::Result<https::Reply> {
        let mut link = https::Link::connect(&at(self.ports.https), Some(&self.tls(name)))?;
        link.post("/v1/inquiries", "application/json", body)
    }

    /// A page of the operation port.
    pub fn operation(&self, path: &str) -> Option<https::Reply> {
        https::Link::connect(&at(self.ports.operation), None).ok()?.get(path).ok()
    }

    /// The sum of a counter over the rows that have these labels.
    pub fn counted(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let page = self.operation("/metrics").unwrap();
        let text = String::from_utf8(page.body).unwrap();
        let rows = text.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|(key, value)| line.contains(&format!("{key}=\"{value}\"")))
        });
        rows.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
    }

    /// `kangqiao ledger …` on the ledger of this gateway; what it printed.
    pub fn ledger(&self, words: &[&str]) -> String {
        let config = self.config().display().to_string();
        self.succeed(&[&["ledger"], words, &["--config", &config]].concat())
    }

    /// Every entry, read from the folder of a gateway that was stopped.
    pub fn entries_on_disk(&self) -> String {
        let data = self.path().join("data").display().to_string();
        self.succeed(&["ledger", "export", "--data", &data])
    }

    /// A number out of the store, read beside the running gateway.
    pub fn stored(&self, question: &str) -> u64 {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let path = self.path().join("data/kangqiao.db");
        let store = rusqlite::Connection::open_with_flags(path, flags).unwrap();
        store.query_row(question, [], |row| row.get::<_, i64>(0)).unwrap().cast_unsigned()
    }

    /// Runs a command of the binary in the folder of this gateway.
    pub fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kangqiao"));
        command.args(words).current_dir(self.path()).stdin(Stdio::null()).output().unwrap()
    }

    /// A command of this gateway's operator: whether it was done, and all that was printed.
    pub fn order(&self, words: &[&str]) -> (bool, String) {
        let config = self.config().display().to_string();
        let output = self.run(&[words, &["--config", &config]].concat());
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    /// Runs a command that is expected to succeed; what it printed.
    pub fn succeed(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let printed = self.printed();
            let start = printed.len().saturating_sub(8000);
            eprintln!("the gateway printed:\n{}", printed.get(start..).unwrap_or(&printed));
        }
    }
}

/// `127.0.0.1:port`, the name the test certificates bear.
pub fn at(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

/// Where CI is set nothing may be skipped; elsewhere a skip is loud.
pub fn skipped(what: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must not skip: {what}");
    loudly(&format!("SKIPPED: {what}"));
}

/// Says something even where the test passes: what `eprintln` writes is then thrown away.
pub fn loudly(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
}

/// A port nobody listens on.
pub fn free_port() -> u16 {
    // Below the range from which the system takes ports for outgoing connections, and from
    // a start of its own for every test process, so that nobody takes it before we use it.
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % 200) as u16 * 100;
    loop {
        let port = 10_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Copies a folder with all below it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let Ok(entries) = std::fs::read_dir(from) else { return };
    for entry in entries.flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn configuration(ports: &Ports, platform: u16, registry: u16, more: &str) -> String {
    let Ports { mllp, mllps, https, console, operation } = ports;
    format!(
        r#"
{more}

[tls]
certificate = "certs/gateway.pem"
key = "certs/gateway.key"

[clients]
authorities = "certs/ca.pem"
revocations = "certs/crl.pem"

[[mllp]]
address = "127.0.0.1:{mllp}"
sender = "{PLAIN_SENDER}"

[[mllp]]
address = "127.0.0.1:{mllps}"
tls = true

[https]
address = "127.0.0.1:{https}"

[console]
listen = "127.0.0.1:{console}"
users = "users.toml"
tls = {{ certificate = "certs/gateway.pem", key = "certs/gateway.key" }}

[operation]
address = "127.0.0.1:{operation}"

[[sender]]
name = "{PLAIN_SENDER}"

[[sender]]
name = "{TLS_SENDER}"
certificate = "{TLS_SENDER}"

[[sender]]
name = "care-home"
certificate = "{HOME}"

[[sender]]
name = "clinic"
certificate = "{CLINIC_SYSTEM}"

[[upstream]]
name = "record-platform"
department = "record-platform"
url = "https://127.0.0.1:{platform}"
tls = {{ authority = "certs/ca.pem", certificate = "certs/gateway.pem", key = "certs/gateway.key" }}

[[upstream]]
name = "elder-registry"
department = "elder-registry"
dialect = "civil-json"
url = "https://127.0.0.1:{registry}"
tls = {{ authority = "certs/ca.pem", certificate = "certs/gateway.pem", key = "certs/gateway.key" }}

[ledger]
name = "kangqiao.test.example"
key = "keys/ledger.key"

[store]
folder = "data"
"#
    )
}
