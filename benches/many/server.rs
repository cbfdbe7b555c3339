//! A server that says what was done with it, and what it can do at most.

use std::fmt;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::rig::database::Server;

/// Statements that are shown one by one.
const SHOWN: usize = 24;
/// How often what was done, and how much of the log was written, up to now.
const STANDS: &str = "SELECT coalesce(sum(calls), 0), \
    coalesce(sum(calls) FILTER (WHERE query ILIKE 'COMMIT%'), 0), \
    pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint FROM pg_stat_statements";

/// The server.
pub struct Measured(Server);

/// What was done with it up to a moment.
pub struct Stand([f64; 3]);

/// What one message or answer cost.
pub struct Cost {
    statements: f64,
    commits: f64,
    log_bytes: f64,
    widest: Vec<(String, f64)>,
}

impl Measured {
    /// Durable, without full pages of checkpoints in the middle of a run; nothing, loudly, where
    /// there is none.
    pub fn start() -> Option<Self> {
        let server = Server::with(&[
            "fsync=on",
            "max_connections=200",
            "shared_buffers=256MB",
            "max_wal_size=8GB",
            "checkpoint_timeout=1h",
            "shared_preload_libraries=pg_stat_statements",
        ])?;
        server.run("CREATE EXTENSION pg_stat_statements");
        server.run("CREATE TABLE bare (id bigserial PRIMARY KEY, body bytea NOT NULL)");
        Some(Self(server))
    }

    /// Where it listens.
    pub const fn port(&self) -> u16 {
        self.0.port
    }

    /// Inserts a second of so many bytes, one for each commit.
    pub fn pgbench(&self, bytes: usize, connections: usize, span: Duration) -> f64 {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("insert.sql");
        let insert = format!("INSERT INTO bare (body) VALUES ('\\x{}');\n", "5a".repeat(bytes));
        std::fs::write(&script, insert).unwrap();
        let output = Command::new("pgbench")
            .args(["-n", "-h", "127.0.0.1", "-U", "kangqiao", "-p", &self.port().to_string()])
            .args(["-c", &connections.to_string(), "-j", "1", "-T", &span.as_secs().to_string()])
            .arg("-f")
            .arg(&script)
            .arg("postgres")
            .current_dir(folder.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().find_map(|line| line.strip_prefix("tps = "));
        line.and_then(|rest| rest.split(' ').next()?.parse().ok()).expect(&text)
    }

    /// What was done with it so far; the counts of statements begin anew.
    pub fn stands(&self) -> Stand {
        self.0.run("SELECT pg_stat_statements_reset()");
        self.stand()
    }

    fn stand(&self) -> Stand {
        let said = self.0.run(STANDS);
        let mut numbers = said.split('|').map(|number| number.parse().unwrap());
        Stand(std::array::from_fn(|_| numbers.next().unwrap()))
    }

    /// What each of so many cost since.
    pub fn since(&self, before: &Stand, count: usize) -> Cost {
        let (now, count) = (self.stand(), count.max(1) as f64);
        let [statements, commits, log_bytes] =
            std::array::from_fn(|place| (now.0[place] - before.0[place]) / count);
        let said = self.0.run(&format!(
            "SELECT calls, regexp_replace(left(query, 90), '\\s+', ' ', 'g') \
             FROM pg_stat_statements ORDER BY calls DESC LIMIT {SHOWN}"
        ));
        let widest = said.lines().filter_map(|line| {
            let (calls, query) = line.split_once('|')?;
            Some((query.to_owned(), calls.parse::<f64>().ok()? / count))
        });
        Cost { statements, commits, log_bytes, widest: widest.collect() }
    }
}

impl Cost {
    /// As JSON, each.
    pub fn json(&self) -> Value {
        json!({ "statements": self.statements, "commits": self.commits,
                "log_bytes": self.log_bytes.round() })
    }

    /// The statements that were done most often, each by how often for one message.
    pub fn widest(&self) -> Value {
        let rows =
            self.widest.iter().map(|(query, calls)| json!({ "each": calls, "query": query }));
        rows.collect()
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { statements, commits, log_bytes, .. } = self;
        write!(f, "each {statements:.1} statements, {commits:.3} commits, {log_bytes:.0} B of log")
    }
}
