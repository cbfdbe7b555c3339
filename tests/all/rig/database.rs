//! 前置库, a PostgreSQL server that a department exchanges tables with.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use super::{free_port, skipped, until};

/// What the gateway says of each row.
pub const STATUS: &str = "kq_state text, kq_fault text, kq_at text, kq_remedy text";

/// A PostgreSQL server of one's own.
pub struct Server {
    child: Mutex<Child>,
    folder: tempfile::TempDir,
    programs: PathBuf,
    /// Settings beside those every server here has, as `name=value`.
    settings: &'static [&'static str],
    /// Where it listens.
    pub port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end("-INT");
    }
}

/// Where Debian puts the programs of the newest server.
fn programs() -> Option<PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found.pop().map(|path| path.join("bin")).filter(|path| path.join("initdb").exists())
}

/// Root may not run the server; another user may.
fn as_server(program: &Path) -> Command {
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    if !root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command
}

fn spawn(programs: &Path, folder: &Path, (port, settings): (u16, &[&str])) -> Child {
    as_server(&programs.join("postgres"))
        .args(["-c", "listen_addresses=127.0.0.1", "-p", &port.to_string()])
        .args(settings.iter().flat_map(|setting| ["-c", setting]))
        .arg("-c")
        .arg(format!("unix_socket_directories={}", folder.display()))
        .arg("-D")
        .arg(folder.join("data"))
        .current_dir("/")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

impl Server {
    /// Starts it; says loudly if there is none. What it holds need not outlive the machine.
    pub fn start() -> Option<Self> {
        Self::with(&["fsync=off"])
    }

    /// Starts one with further settings.
    pub fn with(settings: &'static [&'static str]) -> Option<Self> {
        let Some(programs) = programs() else {
            skipped("no PostgreSQL server");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let owned = Command::new("chown").arg("postgres").arg(folder.path()).status();
        let _ = owned;
        let made = as_server(&programs.join("initdb"))
            .args(["--auth=trust", "--username=kangqiao", "--encoding=UTF8", "--no-sync", "-D"])
            .arg(folder.path().join("data"))
            .current_dir("/")
            .stdout(Stdio::null())
            .status();
        if !made.is_ok_and(|status| status.success()) {
            return None;
        }
        let port = free_port();
        let child = Mutex::new(spawn(&programs, folder.path(), (port, settings)));
        let server = Self { child, folder, programs, settings, port };
        until("the database is ready", || server.sql("SELECT 1"));
        Some(server)
    }

    fn end(&self, signal: &str) {
        let mut child = self.child.lock().unwrap();
        let _ = Command::new("kill").args([signal, &child.id().to_string()]).status();
        let _ = child.wait();
    }

    /// Ends it where it stands, as `pg_ctl restart -m immediate` does; it recovers from its log.
    pub fn restart_at_once(&self) {
        self.end("-QUIT");
        let listens = (self.port, self.settings);
        *self.child.lock().unwrap() = spawn(&self.programs, self.folder.path(), listens);
        until("the database is ready again", || self.sql("SELECT 1"));
    }

    /// What a statement says, a line a row; `None` if it fails.
    pub fn sql(&self, statement: &str) -> Option<String> {
        let output = Command::new("psql")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "kangqiao"])
            .args(["-d", "postgres", "-At", "-v", "ON_ERROR_STOP=1", "-c", statement])
            .current_dir(self.folder.path())
            .output()
            .ok()?;
        let said = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
        output.status.success().then_some(said)
    }

    /// The same of one that must not fail.
    pub fn run(&self, statement: &str) -> String {
        self.sql(statement).unwrap_or_else(|| panic!("{statement}"))
    }

    /// A table of inquiries and one of their answers.
    pub fn inquiries(&self, asked: &str, answers: &str) {
        self.run(&format!(
            "CREATE TABLE {asked} (id bigserial PRIMARY KEY, identifier_kind text, \
             identifier text, purpose text, \"call\" text, \"case\" text, reason text, {STATUS}); \
             CREATE TABLE {answers} (inquiry bigint, receipt text, purpose text, \
             answered_at text, element text, tier text, value text, source text, dataset text, \
             as_of text, rule text, name_zh text, remedy_zh text, group_number text)"
        ));
    }

    /// The same in the configuration, for a department in a role.
    pub fn asked(
        &self,
        name: &str,
        (department, role): (&str, &str),
        (asked, answers): (&str, &str),
    ) -> String {
        let database = self.database();
        format!(
            "[[inquiry_table]]\nname = \"{name}\"\ndepartment = \"{department}\"\n\
             role = \"{role}\"\ntable = \"{asked}\"\nanswers = \"{answers}\"\npoll_ms = 20\n\
             {database}\n"
        )
    }

    /// Where it is, in the configuration.
    pub fn database(&self) -> String {
        format!(
            "database = {{ host = \"127.0.0.1\", port = {}, name = \"postgres\", \
             user = \"kangqiao\" }}",
            self.port
        )
    }

    /// In the configuration, that the rows of the store lie here.
    pub fn holds_the_store(&self) -> String {
        holds_the_store(self.port)
    }

    /// Waits until all inquiries of a table are answered or refused.
    pub fn answered(&self, asked: &str) {
        until("the inquiries are answered", || {
            let open = self.run(&format!("SELECT count(*) FROM {asked} WHERE kq_state IS NULL"));
            (open == "0").then_some(())
        });
    }
}

/// In the configuration, that the rows of the store lie with a server behind a port.
pub fn holds_the_store(port: u16) -> String {
    format!(
        "[store.postgres]\nhost = \"127.0.0.1\"\nport = {port}\nname = \"postgres\"\n\
         user = \"kangqiao\"\n"
    )
}
