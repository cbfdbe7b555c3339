//! The pages for people are compared with what they describe.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use kangqiao::config::Config;
use kangqiao::vocabulary::fault::FAULTS;

use crate::rig::ROOT;

/// Heading of the page, file of the source, struct: one line each.
const SETTINGS: &[(&str, &str, &str)] = &[
    ("[ledger]", "src/audit/mod.rs", "Settings"),
    ("[tls]", "src/inbound/tls.rs", "Settings"),
    ("[clients]", "src/inbound/tls.rs", "ClientSettings"),
    ("[[mllp]]", "src/config/mod.rs", "Mllp"),
    ("[mllp.limits]", "src/inbound/mllp.rs", "Settings"),
    ("[https]", "src/config/mod.rs", "Https"),
    ("[https.limits]", "src/inbound/door.rs", "Limits"),
    ("[console]", "src/inbound/console/mod.rs", "Settings"),
    ("[console.openid]", "src/inbound/console/openid/mod.rs", "Settings"),
    ("[operation]", "src/config/mod.rs", "Operation"),
    ("[[sender]]", "src/config/mod.rs", "Sender"),
    ("[[exchange]]", "src/inbound/exchange.rs", "Settings"),
    ("[[table]]", "src/outbound/table/settings.rs", "TableSettings"),
    ("[[inquiry_table]]", "src/outbound/table/settings.rs", "InquirySettings"),
    ("[table.database]", "src/store/sql/server.rs", "Database"),
    ("[[upstream]]", "src/outbound/upstream.rs", "Settings"),
    ("[upstream.tls]", "src/outbound/tls.rs", "TlsFiles"),
    ("[[subscription]]", "src/outbound/subscriber.rs", "SubscriptionSettings"),
    ("[subscription.mllp]", "src/outbound/way/mllp.rs", "Settings"),
    ("[subscription.soap]", "src/outbound/way/soap.rs", "Settings"),
    ("[subscription.table]", "src/outbound/way/table.rs", "Settings"),
    ("[[witness]]", "src/outbound/witness.rs", "WitnessSettings"),
    ("[[audit_sink]]", "src/outbound/sink.rs", "SinkSettings"),
    ("[batch]", "src/inbound/batch.rs", "Settings"),
    ("[load]", "src/inbound/turnstile.rs", "Settings"),
    ("[store]", "src/store/settings.rs", "Settings"),
    ("[cache]", "src/store/cache.rs", "Settings"),
    ("[hl7v2]", "src/wire/hl7v2/mod.rs", "Limits"),
    ("[json]", "src/wire/json.rs", "Limits"),
    ("[xml]", "src/wire/xml/mod.rs", "Limits"),
];

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|_| panic!("{path}"))
}

/// The public fields of a struct that a file can set.
fn fields(source: &str, name: &str) -> BTreeSet<String> {
    let opening = format!("pub struct {name} {{\n");
    let (_, body) = source.split_once(&opening).unwrap_or_else(|| panic!("no struct {name}"));
    let (body, _) = body.split_once("\n}").unwrap();
    let mut found = BTreeSet::new();
    let mut skipped = false;
    for line in body.lines().map(str::trim) {
        if let Some((field, _)) = line.strip_prefix("pub ").and_then(|rest| rest.split_once(": ")) {
            if !skipped {
                found.insert(field.to_owned());
            }
            skipped = false;
        }
        skipped |= line.contains("serde(skip)");
    }
    found
}

/// The first cells of the table under a heading.
fn rows(page: &str, heading: &str) -> BTreeSet<String> {
    let section = page.split("\n## ").find(|section| {
        section.lines().next().is_some_and(|line| line.replace('`', "") == heading)
    });
    let section = section.unwrap_or_else(|| panic!("docs/configuration.md has no {heading}"));
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    cells.map(|(key, _)| key.to_owned()).collect()
}

#[test]
fn every_setting_stands_in_the_reference_and_nothing_else() {
    let page = read("docs/configuration.md");
    for (heading, file, name) in SETTINGS {
        assert_eq!(rows(&page, heading), fields(&read(file), name), "{heading} is {file} {name}");
    }
    // Of the top level, the keys that are no table; each of the others is a heading.
    let mut top = fields(&read("src/config/mod.rs"), "Config");
    top.retain(|key| !SETTINGS.iter().any(|(heading, ..)| heading.trim_matches(['[', ']']) == key));
    assert_eq!(rows(&page, "Top level"), top);
}

/// `docs/limits.md` names every key that bounds something, with the default of the reference,
/// and tests that are there.
#[test]
fn every_limit_stands_on_the_page_of_limits_with_its_default() {
    let (page, reference) = (read("docs/limits.md"), read("docs/configuration.md"));
    let cell = |line: &str, at: usize| line.split('|').nth(at).map(|cell| cell.trim().to_owned());
    let mut keys = BTreeSet::new();
    for (heading, file, name) in SETTINGS {
        let section = reference.split("\n## ").find(|section| {
            section.lines().next().is_some_and(|line| line.replace('`', "") == *heading)
        });
        for key in fields(&read(file), name).into_iter().filter(|key| key.contains("_max")) {
            let row = section.unwrap().lines().find(|line| line.starts_with(&format!("| `{key}`")));
            keys.insert((format!("`{heading} {key}`"), cell(row.unwrap(), 3).unwrap()));
        }
    }
    let rows = page.lines().filter(|line| line.starts_with("| `["));
    let listed: BTreeSet<_> =
        rows.clone().map(|row| (cell(row, 1).unwrap(), cell(row, 2).unwrap())).collect();
    assert_eq!(listed, keys);
    for row in rows {
        let Some((_, tests)) = row.trim_end_matches(" |").rsplit_once("| ") else { continue };
        for test in tests.split(", ").filter_map(|test| test.strip_prefix('`')) {
            let (file, _) = test.trim_end_matches('`').split_once("::").unwrap();
            let (_, function) = test.trim_end_matches('`').rsplit_once("::").unwrap();
            let places = [format!("tests/all/{file}.rs"), format!("src/{file}.rs")];
            let there = places.iter().any(|place| {
                let source = std::fs::read_to_string(Path::new(ROOT).join(place));
                source.is_ok_and(|source| source.contains(&format!("fn {function}(")))
            });
            assert!(there, "docs/limits.md names {test}, and there is none");
        }
    }
}

#[test]
fn a_key_left_out_of_the_reference_is_noticed() {
    let source =
        "pub struct S {\n    /// A.\n    pub a: u8,\n    #[serde(skip)]\n    pub b: u8,\n}\n";
    assert_eq!(fields(source, "S"), BTreeSet::from(["a".to_owned()]));
    let page = "# x\n\n## `[s]`\n\n| key |\n| --- |\n| `b` | bytes |\n\n## `[t]`\n\n| `c` |\n";
    assert_eq!(rows(page, "[s]"), BTreeSet::from(["b".to_owned()]));
}

/// The pages for people.
const PAGES: [&str; 20] = [
    "README.md",
    "README.zh-CN.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "certs/README.md",
    "docs/auditing.md",
    "docs/configuration.md",
    "docs/durability.md",
    "docs/exchange.md",
    "docs/inquiries.md",
    "docs/limits.md",
    "docs/mappings.md",
    "docs/messages.md",
    "docs/notices.md",
    "docs/operating.md",
    "docs/performance.md",
    "docs/policies.md",
    "docs/statistics.md",
    "docs/tracing.md",
];

#[test]
fn a_fault_named_with_a_status_has_that_status() {
    let mut compared = 0;
    for page in PAGES {
        for line in read(page).lines() {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, name, status, ..] = cells[..] else { continue };
            let name = name.trim_matches('`');
            let row = FAULTS.iter().find(|row| row.name == name);
            if let (Some(row), Ok(status)) = (row, status.parse::<u16>()) {
                assert_eq!(status, row.http_status, "{page}: {line}");
                compared += 1;
            }
        }
    }
    assert!(compared > 10, "the pages list {compared} faults with their status");
}

#[test]
fn every_link_leads_to_a_file() {
    for page in PAGES {
        let folder = Path::new(ROOT).join(page);
        for link in read(page).split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap();
            let away = target.is_empty() || target.contains("://");
            assert!(away || folder.with_file_name(target).exists(), "{page}: {target}");
        }
    }
}

#[test]
fn every_command_in_the_pages_exists() {
    let help = Command::new(env!("CARGO_BIN_EXE_kangqiao")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let known: BTreeSet<&str> = help.lines().filter_map(|l| l.split_whitespace().next()).collect();
    let mut named = 0;
    for page in PAGES {
        for quoted in read(page).split("`kangqiao ").skip(1) {
            let word = quoted.split(|sign: char| !sign.is_ascii_lowercase()).next().unwrap();
            assert!(word.is_empty() || known.contains(word), "{page}: kangqiao {word}");
            named += 1;
        }
    }
    assert!(named > 10);
}

/// The sample says which commands make its files; with them `check` finds nothing wrong.
#[cfg(unix)]
#[test]
fn the_sample_configuration_is_that_of_a_site_that_starts() {
    let site = tempfile::tempdir().unwrap();
    for folder in ["mappings", "policies"] {
        let from = Path::new(ROOT).join(folder);
        std::os::unix::fs::symlink(from, site.path().join(folder)).unwrap();
    }
    let sample = read("kangqiao.toml");
    std::fs::write(site.path().join("kangqiao.toml"), &sample).unwrap();
    assert!(Config::load(&site.path().join("kangqiao.toml")).is_ok());
    let steps = sample.lines().filter_map(|line| line.strip_prefix("#   kangqiao "));
    let mut last = String::new();
    for step in steps {
        let words = step.split('#').next().unwrap().split_whitespace();
        let mut command = Command::new(env!("CARGO_BIN_EXE_kangqiao"));
        let output = command.args(words).current_dir(site.path()).output().unwrap();
        assert!(output.status.success(), "{step}: {}", String::from_utf8_lossy(&output.stderr));
        last = String::from_utf8(output.stdout).unwrap();
    }
    assert!(last.starts_with("配置正确"), "{last}");
}

/// Fences whose first line names a file: path, whether it is added to one, and content.
fn files(page: &str) -> Vec<(String, bool, String)> {
    let mut found = Vec::new();
    for fence in page.split("\n```").skip(1).step_by(2) {
        let (info, content) = fence.split_once('\n').unwrap();
        if let [_, path, rest @ ..] = info.split(' ').collect::<Vec<_>>().as_slice() {
            found.push(((*path).to_owned(), *rest == ["+"], content.to_owned() + "\n"));
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The worked example of the two pages: a segment, an event, a dataset, a department.
#[test]
fn the_worked_example_of_the_pages_compiles() {
    let site = tempfile::tempdir().unwrap();
    for folder in ["mappings", "policies"] {
        copy(&Path::new(ROOT).join(folder), &site.path().join(folder));
    }
    let pages = read("docs/mappings.md") + &read("docs/policies.md");
    let files = files(&pages);
    assert!(files.len() > 10, "{} files", files.len());
    for (path, added, content) in files {
        let path = site.path().join(path);
        let before = if added { std::fs::read_to_string(&path).unwrap() } else { String::new() };
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, before + &content).unwrap();
    }
    std::fs::write(site.path().join("kangqiao.toml"), read("kangqiao.toml")).unwrap();
    let config = Config::load(&site.path().join("kangqiao.toml")).unwrap();
    let faults = kangqiao::command::compile::compile(&config).err().unwrap_or_default();
    let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
