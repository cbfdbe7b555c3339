//! `make bench-beside`: the doors beside nginx with the same certificates, and questions that are
//! answered from the store beside a bare read and a bare append.
//!
//! nginx serves a file as long as our answer and decides nothing; what it does is the least a
//! server with mutual TLS can do here. It is Debian's (`nginx-light`).
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark that cannot measure stops"
)]

#[allow(dead_code, reason = "a benchmark needs less of it than the others do")]
mod load;
#[allow(dead_code, reason = "a benchmark needs less of it than the tests do")]
#[path = "../tests/all/rig/mod.rs"]
mod rig;

use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use load::inquiry::{self, Door, question};
use load::{Load, mllp};
use rig::{Rig, free_port, until};
use serde_json::{Value, json};

/// Residents who are asked about: again and again, and once each.
const KNOWN: usize = 1_000;
const STRANGERS: usize = 12_000;
/// What nginx is asked for.
const FILE: &str = "GET /answer HTTP/1.1\r\nhost: a\r\n\r\n";

/// A ratio that should be reached.
struct Row {
    what: &'static str,
    ours: Load,
    beside: Load,
    wanted: f64,
}

fn main() {
    let seconds = std::env::var("KANGQIAO_BENCH_SECONDS").ok().and_then(|text| text.parse().ok());
    let span = Duration::from_secs(seconds.unwrap_or(6));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut rig = Rig::prepare("");
    rig.words = vec!["--echo"];
    alone(&rig);
    rig.resume();
    let (known, strangers) = (mllp::messages(KNOWN), mllp::messages(STRANGERS));
    let address = rig::at(rig.ports.mllp);
    for messages in [&known, &strangers] {
        runtime.block_on(mllp::once(&address, messages, 64));
    }
    let citizens = |messages: &[mllp::Template]| -> Vec<String> {
        messages.iter().map(|message| message.citizen.clone()).collect()
    };
    let (asked, fresh) = (citizens(&known), citizens(&strangers));
    let door = || Door::new(&rig);
    runtime.block_on(inquiry::once(&door(), &asked));
    let one = question("/v1/inquiries", &asked[0]);
    let length = runtime.block_on(inquiry::length(&door(), &one));
    let nginx = Nginx::start(rig.path(), length);

    let static_file =
        runtime.block_on(inquiry::repeat(&Door::at(&rig, nginx.port), vec![FILE.into()], span));
    let cached = runtime.block_on(inquiry::run(&door(), "/v1/inquiries", &asked, span));
    let met_nginx = runtime.block_on(inquiry::handshakes(Door::at(&rig, nginx.port), FILE, span));
    let echo = question("/v1/echo", &asked[0]);
    let met = runtime.block_on(inquiry::handshakes(door(), &echo, span));
    let cold = runtime.block_on(inquiry::once(&door(), &fresh));
    let floor = runtime.block_on(floor(rig.path(), &strangers, span));
    let rows = [
        Row {
            what: "cached inquiry / nginx, static file",
            ours: cached,
            beside: static_file,
            wanted: 0.5,
        },
        Row { what: "handshakes / nginx", ours: met, beside: met_nginx, wanted: 0.8 },
        Row {
            what: "inquiry from the store / read and append",
            ours: cold,
            beside: floor,
            wanted: 0.5,
        },
    ];
    println!(
        "\nanswers of {length} bytes, {} connections; handshakes {} at once",
        inquiry::CONNECTIONS,
        inquiry::NEWCOMERS
    );
    rows.iter().for_each(Row::print);
    let report =
        json!({ "answer_bytes": length, "rows": rows.iter().map(Row::json).collect::<Vec<_>>() });
    let path = Path::new(rig::ROOT).join("target/beside.json");
    std::fs::write(&path, format!("{report:#}\n")).unwrap();
    println!("written to {}", path.display());
}

/// Takes the upstream systems away: what is asked is in the store, or nowhere.
fn alone(rig: &Rig) {
    let text = std::fs::read_to_string(rig.config()).unwrap();
    let mut table: toml::Table = toml::from_str(&text).unwrap();
    table.remove("upstream");
    std::fs::write(rig.config(), toml::to_string(&table).unwrap()).unwrap();
}

/// One read by an index of a file with as many rows as there are messages, and one append.
async fn floor(folder: &Path, messages: &[mllp::Template], span: Duration) -> Load {
    let file = rusqlite::Connection::open(folder.join("bare.db")).unwrap();
    file.execute_batch(
        "PRAGMA journal_mode = WAL; CREATE TABLE kept (token TEXT PRIMARY KEY, bytes BLOB) STRICT;
         BEGIN",
    )
    .unwrap();
    for message in messages {
        let row = (&message.citizen, &message.bytes);
        file.execute("INSERT INTO kept VALUES (?1, ?2)", row).unwrap();
    }
    file.execute_batch("COMMIT").unwrap();
    let citizens: Arc<[String]> = messages.iter().map(|one| one.citizen.clone()).collect();
    let file = Arc::new(Mutex::new(file));
    let read = move |next: usize| {
        let file = file.lock().unwrap();
        let mut found = file.prepare_cached("SELECT bytes FROM kept WHERE token = ?1").unwrap();
        let token = &citizens[next % citizens.len()];
        let bytes: Vec<u8> = found.query_row([token], |row| row.get(0)).unwrap();
        assert!(!bytes.is_empty());
    };
    load::bare_after(folder, messages, (inquiry::CONNECTIONS, span), read).await
}

/// nginx with our certificates and the authority of our clients.
struct Nginx {
    port: u16,
    child: Child,
}

impl Nginx {
    fn start(folder: &Path, length: usize) -> Self {
        let (port, at) = (free_port(), folder.display());
        std::fs::write(folder.join("answer"), vec![b'x'; length]).unwrap();
        let config = format!(
            "daemon off; worker_processes auto; user root;
             pid {at}/nginx.pid; error_log {at}/nginx.log;
             events {{ worker_connections 1024; }}
             http {{ access_log off; keepalive_requests 1000000000; sendfile on; tcp_nopush on;
             client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;
             fastcgi_temp_path {at}/fastcgi; uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;
             server {{ listen 127.0.0.1:{port} ssl; root {at};
             ssl_certificate {at}/certs/gateway.pem; ssl_certificate_key {at}/certs/gateway.key;
             ssl_client_certificate {at}/certs/ca.pem; ssl_crl {at}/certs/crl.pem;
             ssl_verify_client on; ssl_protocols TLSv1.3; ssl_session_cache off;
             ssl_session_tickets off; }} }}"
        );
        let path = folder.join("nginx.conf");
        std::fs::write(&path, config).unwrap();
        let mut command = Command::new("nginx");
        let child = command.arg("-c").arg(&path).spawn();
        let child = child.expect("nginx: apt-get install nginx-light");
        until("nginx listens", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        Self { port, child }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

impl Row {
    fn ratio(&self) -> f64 {
        self.ours.rate() / self.beside.rate()
    }

    fn print(&self) {
        let verdict = if self.ratio() >= self.wanted { "met" } else { "MISSED" };
        println!(
            "{:<42} {:>8.0} {:>8.0}/s   p99 ms {:>6.2} {:>6.2}   ratio {:.3}   aim {} {verdict}",
            self.what,
            self.ours.rate(),
            self.beside.rate(),
            self.ours.percentile(99),
            self.beside.percentile(99),
            self.ratio(),
            self.wanted,
        );
    }

    fn json(&self) -> Value {
        json!({
            "what": self.what, "ours": self.ours.json(), "beside": self.beside.json(),
            "ratio": self.ratio(), "at_least": self.wanted, "met": self.ratio() >= self.wanted,
        })
    }
}
