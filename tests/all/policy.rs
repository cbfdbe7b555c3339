//! `kangqiao policy`: what an edit would open is seen before it serves.

use std::path::Path;
use std::process::{Command, Output};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A copy of the shipped policies, beside a configuration that names it.
struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        let text = std::fs::read_to_string(Path::new(ROOT).join("kangqiao.toml")).unwrap();
        std::fs::write(site.0.path().join("kangqiao.toml"), text).unwrap();
        let mappings = Path::new(ROOT).join("mappings");
        std::os::unix::fs::symlink(mappings, site.0.path().join("mappings")).unwrap();
        let to = site.0.path().join("policies");
        std::fs::create_dir(&to).unwrap();
        for entry in std::fs::read_dir(Path::new(ROOT).join("policies")).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
        site
    }

    fn change(&self, file: &str, from: &str, to: &str) {
        let path = self.0.path().join("policies").join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file}: {from}");
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    fn run(&self, args: &[&str], code: i32) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kangqiao"));
        command.arg("policy").args(args).current_dir(self.0.path());
        let Output { status, stdout, stderr } = command.output().unwrap();
        let said = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(code), "{args:?}: {said}");
        said
    }
}

#[test]
fn the_shipped_policies_are_sound_and_every_rule_is_exercised() {
    let site = Site::new();
    let said = site.run(&["check"], 0);
    assert!(said.contains("策略正确") && said.contains("红线 laws     10"), "{said}");
    let said = site.run(&["test"], 0);
    assert!(said.contains("  never-protected-infection\n"), "{said}");
    // `policy explain` is `explain`.
    let desk = ["explain", "--department", "community", "--purpose", "contract-status"];
    let said = site.run(&desk, 0);
    assert!(said.contains("← community-contract"), "{said}");
}

#[test]
fn a_broken_law_and_a_bare_rule_are_told_where_they_stand() {
    let site = Site::new();
    site.change("community.examples.toml", "\"MZ.check.last-date\" = \"full\", ", "");
    site.run(&["check"], 0);
    let said = site.run(&["test"], 1);
    let bare = "policies/community.cedar:11:1: no example exercises rule community-check-date";
    assert!(said.contains(bare), "{said}");
    site.change("audit.cedar", "forbid (", "permit (");
    let said = site.run(&["check"], 1);
    let broken = "policies/audit.cedar:3:1: rule audit-sees-no-values breaks law \
                  auditor-sees-no-values: audit-office auditor audit ";
    assert!(said.contains(broken), "{said}");
}

#[test]
fn a_comparison_tells_by_its_number_what_an_edit_would_open() {
    let (old, new) = (Site::new(), Site::new());
    let diff = |from: &Site, to: &Site, code: i32| {
        let folder = |site: &Site| site.0.path().join("policies").display().to_string();
        from.run(&["diff", &folder(from), &folder(to)], code)
    };
    assert_eq!(diff(&old, &new, 0), "变化 changes 0, 放宽 wider 0\n");
    let existence = "action == Action::\"existence\"";
    new.change("community.cedar", existence, "action == Action::\"generalised\"");
    let seen = "\"MZ.check.notice-date\" = \"existence\"";
    new.change("community.examples.toml", seen, "\"MZ.check.notice-date\" = \"generalised\"");
    let cell = "community worker contract-status MZ.check.notice-date 体检通知日期: ";
    let there = format!("+ {cell}existence → generalised year (community-check-notice)\n");
    assert_eq!(diff(&old, &new, 2), there + "变化 changes 1, 放宽 wider 1\n");
    let back = format!("- {cell}generalised year → existence (community-check-notice)\n");
    assert_eq!(diff(&new, &old, 1), back + "变化 changes 1, 放宽 wider 0\n");
    new.change("community.cedar", "permit (", "permitt (");
    assert!(diff(&old, &new, 3).contains("policies/community.cedar:4:"));
}
