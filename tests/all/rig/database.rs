//! 前置库, a PostgreSQL server that a department exchanges tables with.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{free_port, skipped, until};

/// What the gateway says of each row.
pub const STATUS: &str = "kq_state text, kq_fault text, kq_at text, kq_remedy text";

/// A PostgreSQL server of one's own.
pub struct Server {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
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

impl Server {
    /// Starts it; says loudly if there is none.
    pub fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            skipped("no PostgreSQL server");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let owned = Command::new("chown").arg("postgres").arg(folder.path()).status();
        let _ = owned;
        let made = as_server(&programs.join("initdb"))
            .args(["--auth=trust", "--username=kangqiao", "--encoding=UTF8", "--no-sync", "-D"])
            .arg(&data)
            .current_dir("/")
            .stdout(Stdio::null())
            .status();
        if !made.is_ok_and(|status| status.success()) {
            return None;
        }
        let port = free_port();
        let child = as_server(&programs.join("postgres"))
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-p", &port.to_string()])
            .arg("-c")
            .arg(format!("unix_socket_directories={}", folder.path().display()))
            .arg("-D")
            .arg(&data)
            .current_dir("/")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { child, folder, port };
        until("the database is ready", || server.sql("SELECT 1"));
        Some(server)
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
        format!(
            "[store.postgres]\nhost = \"127.0.0.1\"\nport = {}\nname = \"postgres\"\n\
             user = \"kangqiao\"\n",
            self.port
        )
    }

    /// Waits until all inquiries of a table are answered or refused.
    pub fn answered(&self, asked: &str) {
        until("the inquiries are answered", || {
            let open = self.run(&format!("SELECT count(*) FROM {asked} WHERE kq_state IS NULL"));
            (open == "0").then_some(())
        });
    }
}
