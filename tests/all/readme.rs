//! The quick start of the README is run as a reader would run it.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::rig::ROOT;

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

#[test]
fn the_quick_start_works_as_written() {
    let readme = std::fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    let commands = commands(&readme);
    assert!((1..=5).contains(&commands.len()), "a quick start has one to five commands");
    // The binary stands where `cargo build` would put it for a reader; make is for people,
    // and the story it plays until Ctrl-C is played once here.
    let folder = Path::new(env!("CARGO_BIN_EXE_kangqiao")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let script: String = commands
        .iter()
        .filter(|line| !line.starts_with("git clone") && !line.starts_with("cd "))
        .map(|line| line.replace("target/debug/kangqiao", "kangqiao"))
        .map(|line| if line == "make demo" { "kangqiao demo --once".to_owned() } else { line })
        .map(|line| line + "\n")
        .collect();
    let output = Command::new("sh")
        .args(["-euc", &script])
        .current_dir(ROOT)
        .env("PATH", path)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{script}\n{said}\n{errors}");
    assert!(said.contains("receipt") || said.contains("ledger"), "no audit line:\n{said}");
}

#[test]
fn the_marked_fence_is_found_and_no_other() {
    let readme = "```sh\nrm x\n```\n```sh quickstart\n$ make demo\n# a note\n\nb\n```\nc";
    assert_eq!(commands(readme), ["make demo", "b"]);
}
