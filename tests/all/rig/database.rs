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

/// Gives a folder to the user who runs the server, where that is another.
fn own(folder: &Path) {
    let _ = Command::new("chown").args(["-R", "postgres"]).arg(folder).status();
}

/// Runs it on what lies in a folder.
fn serve(programs: &Path, folder: &Path, (port, settings): (u16, &[&str])) -> Child {
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

    /// One that keeps its log beside it, as whoever wants to go back does.
    pub fn archiving() -> Option<Self> {
        Self::with(&["fsync=off", "archive_mode=on", "archive_command=cp %p ../archive/%f"])
    }

    /// Starts one with further settings.
    pub fn with(settings: &'static [&'static str]) -> Option<Self> {
        let Some(programs) = programs() else {
            skipped("no PostgreSQL server");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("archive")).unwrap();
        own(folder.path());
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
        let child = Mutex::new(serve(&programs, folder.path(), (port, settings)));
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
        self.serve(self.settings);
        until("the database is ready again", || self.sql("SELECT 1"));
    }

    fn serve(&self, settings: &[&str]) {
        let child = serve(&self.programs, self.folder.path(), (self.port, settings));
        *self.child.lock().unwrap() = child;
    }

    /// Takes a base backup.
    pub fn base(&self) {
        let made = as_server(&self.programs.join("pg_basebackup"))
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "kangqiao"])
            .args(["--no-sync", "--checkpoint=fast", "-X", "none", "-D"])
            .arg(self.folder.path().join("base"))
            .current_dir("/")
            .stderr(Stdio::null())
            .status();
        assert!(made.unwrap().success());
    }

    /// Goes back to a moment, by its base backup and the log it kept.
    pub fn put_back(&self, moment: &str) {
        self.run("SELECT pg_switch_wal()");
        until("the log is kept", || {
            let sql = "SELECT last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - 1) \
                FROM pg_stat_archiver";
            (self.run(sql) == "t").then_some(())
        });
        self.end("-INT");
        let folder = self.folder.path();
        std::fs::rename(folder.join("data"), folder.join("lost")).unwrap();
        std::fs::rename(folder.join("base"), folder.join("data")).unwrap();
        let recovers = format!(
            "restore_command = 'cp ../archive/%f %p'\nrecovery_target_time = '{moment}'\n\
             recovery_target_action = 'promote'\n"
        );
        std::fs::write(folder.join("data/postgresql.auto.conf"), recovers).unwrap();
        std::fs::write(folder.join("data/recovery.signal"), "").unwrap();
        own(folder);
        self.serve(&["fsync=off"]);
        until("the database is where it is to be", || {
            (self.sql("SELECT pg_is_in_recovery()")? == "f").then_some(())
        });
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

    /// Somebody who holds a table until he is ended.
    pub fn holds(&self, table: &str) -> Child {
        let words = format!("BEGIN; LOCK TABLE {table}; SELECT pg_sleep(600)");
        Command::new("psql")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "kangqiao"])
            .args(["-d", "postgres", "-c", &words])
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
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
