//! The demo story plays to its end by itself and checks its own steps.

use std::process::{Command, Stdio};

#[test]
fn the_demo_plays_once_and_ends_well() {
    let _demo = crate::readme::DEMO.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut command = Command::new(env!("CARGO_BIN_EXE_kangqiao"));
    let output = command
        .args(["demo", "--once"])
        .current_dir(crate::rig::ROOT)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}\n{errors}");
    // The steps of the story, as issue 2 tells it.
    for step in [
        ": AA ",
        "emergency-card",
        "withheld",
        "She withdraws it",
        "certificate-unknown",
        "JT-2026-0017",
        "ledger verified",
    ] {
        assert!(said.contains(step), "the story does not show `{step}`:\n{said}");
    }
    // In a pipe there is no progress and no colour.
    assert!(!said.contains('\u{1b}') && !said.contains('\r'), "{said:?}");
}
