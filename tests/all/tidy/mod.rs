//! Reminds of STYLE: order of the modules, sizes, names, one cryptographic provider.
//!
//! Every checker takes what it checks as an argument, and has a test with something
//! wrong in it: a check that cannot fail is none.

mod layers;
mod numbers;
mod source;

use std::fmt::Write;
use std::process::Command;

use kangqiao::vocabulary::fault::{FAULTS, FaultRow};

/// The page a peer's programmer reads, as `docs/faults.md` must be.
fn faults_page(rows: &[FaultRow]) -> String {
    let mut page = String::from(
        "# Faults\n\nWhat a peer can be told, in `ERR` segments and in HTTP answers. Rows are \
         added, never renumbered.\n`KANGQIAO_WRITE_DOCS=1 cargo test --test all every_fault` \
         writes this page from `src/vocabulary/fault.rs`.\n\n\
         | name | HL7 table 0357 | acknowledgement | HTTP | again later | meaning | 含义 |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for row in rows {
        let kind = match row.nack {
            kangqiao::vocabulary::fault::Nack::Error => "AE, CE",
            kangqiao::vocabulary::fault::Nack::Reject => "AR, CR",
        };
        let again = if row.retry { "yes" } else { "no" };
        let (name, code, status) = (row.name, row.hl7_code, row.http_status);
        let (en, zh) = (row.en, row.zh);
        let _ = writeln!(page, "| `{name}` | {code} | {kind} | {status} | {again} | {en} | {zh} |");
    }
    page
}

#[test]
fn every_fault_stands_in_the_documentation() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/faults.md");
    let expect = faults_page(FAULTS);
    if std::env::var_os("KANGQIAO_WRITE_DOCS").is_some() {
        std::fs::write(path, &expect).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(found == expect, "docs/faults.md differs from FAULTS; it says how to write it");
    assert_ne!(faults_page(&FAULTS[1..]), expect);
}

/// Whether `cargo tree -i` printed a tree.
fn is_a_tree(printed: &str) -> bool {
    printed.lines().any(|line| line.contains(" v") && !line.starts_with("warning"))
}

/// The last line of defence against two providers, of which rustls could choose neither.
#[test]
fn only_one_cryptographic_provider_is_linked() {
    let tree = |name: &str| {
        let output = Command::new(env!("CARGO"))
            .args(["tree", "--offline", "--locked", "-i", name, "-e", "normal,build"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(is_a_tree(&tree("aws-lc-rs")), "the check itself sees nothing");
    assert!(!is_a_tree(&tree("ring")), "ring is linked");
    assert!(!is_a_tree(&tree("openssl-sys")), "OpenSSL is linked");
}
