//! The quick start of the README is run as a reader would run it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::rig::{ROOT, skipped, until};

/// The demo has ports of its own, which two tests cannot have at once.
pub static DEMO: Mutex<()> = Mutex::new(());

/// The lines of the fence marked `sh quickstart`.
fn commands(readme: &str) -> Vec<String> {
    let mut lines = readme.lines().skip_while(|line| line.trim() != "```sh quickstart");
    lines.next();
    lines
        .take_while(|line| line.trim() != "```")
        .map(|line| line.trim().trim_start_matches("$ ").to_owned())
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

/// The demo that a reader leaves running in the first terminal.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts it and waits until it has told its story and prints where the console is.
fn first_terminal(folder: &Path) -> Running {
    let mut command = Command::new("target/debug/kangqiao");
    command.arg("demo").current_dir(folder).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let said = Arc::new(Mutex::new(String::new()));
    let (lines, kept) = (BufReader::new(child.stdout.take().unwrap()), Arc::clone(&said));
    std::thread::spawn(move || {
        for line in lines.lines().map_while(Result::ok) {
            *kept.lock().unwrap() += &(line + "\n");
        }
    });
    let mut running = Running(child);
    until("the demo has told its story", || {
        if let Some(status) = running.0.try_wait().unwrap() {
            panic!("the demo ended ({status}):\n{}", said.lock().unwrap());
        }
        said.lock().unwrap().contains("Ctrl-C").then_some(())
    });
    running
}

#[test]
fn the_quick_start_works_as_written() {
    let _demo = DEMO.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let readme = std::fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    let commands = commands(&readme);
    assert!((1..=5).contains(&commands.len()), "a quick start has one to five commands");
    assert_eq!(commands[0], "make demo");
    if TcpListener::bind("127.0.0.1:2575").is_err() {
        return skipped("somebody else has the ports of the demo");
    }
    // A folder as it is for a reader after `make demo` has built; make itself would build again.
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("target/debug")).unwrap();
    let binary = folder.path().join("target/debug/kangqiao");
    symlink(env!("CARGO_BIN_EXE_kangqiao"), binary).unwrap();
    for name in ["mappings", "policies"] {
        symlink(Path::new(ROOT).join(name), folder.path().join(name)).unwrap();
    }
    let _running = first_terminal(folder.path());
    let mut last = String::new();
    for line in &commands[1..] {
        let mut shell = Command::new("sh");
        let output = shell.args(["-euc", line]).current_dir(folder.path()).output().unwrap();
        last = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}\n{last}\n{errors}");
        assert!(!last.trim().is_empty(), "{line} shows nothing");
    }
    assert!(last.contains("ledger") || last.contains("账本"), "no audit line at the end:\n{last}");
}

#[test]
fn the_marked_fence_is_found_and_no_other() {
    let readme = "```sh\nrm x\n```\n```sh quickstart\n$ make demo\n# a note\n\nb\n```\nc";
    assert_eq!(commands(readme), ["make demo", "b"]);
}
