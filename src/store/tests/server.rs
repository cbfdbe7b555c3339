//! A PostgreSQL server for the tests of this process, a database for each store.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::Settings;
use super::sql::postgres::{self, Role};
use super::sql::{Connection, Database};

/// The server, and the databases that were made. It ends with its input, however this process
/// does.
struct Server {
    port: u16,
    made: Mutex<BTreeSet<String>>,
    _ends_with: ChildStdin,
    _child: Mutex<Child>,
}

/// Runs the server until its input ends, then removes what it kept.
const KEEP: &str = r#"
    "$@" >/dev/null 2>&1 &
    server=$!
    read -r _
    kill -INT "$server"
    wait "$server"
    rm -rf "$KEPT"
"#;

/// Where Debian puts the programs of the newest server.
fn programs() -> Option<PathBuf> {
    let found = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let newest = found.map(|entry| entry.path().join("bin")).max()?;
    newest.join("initdb").exists().then_some(newest)
}

/// Root may not run the server; another user may.
fn as_server(words: &[&str]) -> Vec<String> {
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let other = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"];
    let other = other.iter().filter(|_| root);
    other.chain(words).map(|&word| word.to_owned()).collect()
}

fn start() -> Option<Server> {
    let programs = programs()?;
    let kept = tempfile::tempdir().unwrap().keep();
    let _ = Command::new("chown").arg("postgres").arg(&kept).status();
    let data = kept.join("data");
    let (initdb, postgres) = (programs.join("initdb"), programs.join("postgres"));
    let [initdb, postgres, data] = [&initdb, &postgres, &data].map(|path| path.to_str().unwrap());
    let words = ["--auth=trust", "--username=kangqiao", "--encoding=UTF8", "--no-sync", "-D", data];
    let made = as_server(&[&[initdb], &words[..]].concat());
    let mut initdb = Command::new(&made[0]);
    initdb.args(&made[1..]).current_dir("/").stdout(Stdio::null());
    assert!(initdb.status().unwrap().success(), "initdb");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (number, sockets) = (port.to_string(), format!("unix_socket_directories={data}"));
    let serves = as_server(&[
        postgres,
        "-D",
        data,
        "-p",
        &number,
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        "fsync=off",
        "-c",
        "max_connections=400",
        "-c",
        &sockets,
    ]);
    let mut child = Command::new("sh")
        .args(["-c", KEEP, "server"])
        .args(&serves)
        .env("KEPT", &kept)
        .current_dir("/")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let ends_with = child.stdin.take().unwrap();
    let (child, made) = (Mutex::new(child), Mutex::default());
    let server = Server { port, made, _ends_with: ends_with, _child: child };
    let begun = Instant::now();
    while postgres::open(&Arc::new(server.database("postgres")), Role::Reads).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the server does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    Some(server)
}

impl Server {
    fn database(&self, name: &str) -> Database {
        Database {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            name: name.to_owned(),
            user: "kangqiao".to_owned(),
            password: None,
            authority: None,
        }
    }
}

fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let server = SERVER.get_or_init(start).as_ref();
    if server.is_none() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must not skip: PostgreSQL");
        // What `println` writes is thrown away where a test passes.
        let _ = writeln!(std::io::stderr(), "SKIPPED: no PostgreSQL server");
    }
    server
}

/// Whether there is a server to test with; says loudly if there is none.
pub fn is_there() -> bool {
    server().is_some()
}

/// A connection to a database by its name.
pub fn connect(name: &str) -> Connection {
    postgres::open(&Arc::new(server().unwrap().database(name)), Role::Reads).unwrap()
}

/// The database that belongs to a folder, made if it is asked for the first time.
pub fn settings(folder: &Path) -> Settings {
    let server = server().unwrap();
    let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
    let mut made = server.made.lock().unwrap_or_else(PoisonError::into_inner);
    if made.insert(name.clone()) {
        connect("postgres").execute_batch(&format!("CREATE DATABASE \"{name}\"")).unwrap();
    }
    let postgres = Some(server.database(&name));
    // A machine that does many things at once is no reason to be silent.
    Settings { postgres, silence_ms_max: 60_000, ..Settings::of(folder) }
}
