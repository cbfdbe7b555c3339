//! Every bundle we write is judged by software nobody here wrote: `scripts/fhir/gate.mjs`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kangqiao::audit::{Entry, Kind, Reference, audit_event};
use kangqiao::config::files::read_folder;
use kangqiao::identity::Pseudonym;
use kangqiao::translate::form::Limits;
use kangqiao::translate::{Form, Pack};
use kangqiao::vocabulary::{Department, ElementId, Fault, Purpose, Role, Source, Tier};
use serde_json::{Value as Json, json};

use crate::laws::message::{Grammar, Random};
use crate::rig::{ROOT, loudly, skipped};

/// How many generated messages are judged.
const GENERATED: u64 = 300;

/// The packages `scripts/clients` puts beside the build.
fn packages() -> Option<PathBuf> {
    let clients = match std::env::var_os("KANGQIAO_CLIENTS") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_BIN_EXE_kangqiao")).parent()?.parent()?.join("clients"),
    };
    let folder = clients.join("fhir");
    let node = Command::new("node").arg("--version").output().is_ok();
    (node && folder.join("node_modules/@medplum/core").exists()).then_some(folder)
}

/// What the gate says of bundles, and whether it lets all of them pass.
fn judged(packages: &Path, bundles: &[(String, Json)], mode: &[&str]) -> (bool, String) {
    let mut child = Command::new("node")
        .arg(Path::new(ROOT).join("scripts/fhir/gate.mjs"))
        .arg(packages)
        .args(mode)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let lines: Vec<_> =
        bundles.iter().map(|(name, bundle)| json!({ "name": name, "bundle": bundle })).collect();
    let writer = std::thread::spawn(move || {
        for line in lines {
            writeln!(stdin, "{line}").unwrap();
        }
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn pack() -> Pack {
    let mut files = read_folder(&Path::new(ROOT).join("mappings")).unwrap();
    files.insert("senders/corpus.toml", crate::corpus::OVERLAY);
    Pack::load(&files).unwrap_or_else(|faults| panic!("{} faults", faults.len()))
}

/// The form of a file by its folder and extension.
fn form(path: &str) -> Option<Form> {
    let folder = path.split('/').next()?;
    let expected = path.contains(".expected.") || path.ends_with(".toml") || path.ends_with(".csv");
    match (folder, path.rsplit('.').next()?) {
        _ if expected => None,
        ("hl7v2" | "corpus", "hl7") => Some(Form::Hl7v2),
        ("cda", "xml") => Some(Form::Cda),
        ("fhir", "json") => Some(Form::Fhir),
        ("platform", "json") => Some(Form::PlatformJson),
        ("civil", "json") => Some(Form::CivilJson),
        _ => None,
    }
}

/// A bundle of each record a unit becomes; one that is refused becomes none.
fn bundles(pack: &Pack, (form, name): (Form, &str), bytes: &[u8]) -> Vec<(String, Json)> {
    let source = Source::parse("corpus").unwrap();
    let read = pack.read((form, source), bytes, &Limits::default()).unwrap_or_default();
    let written = read.iter().map(|read| pack.write_fhir(&read.record).to_json());
    // A record without a resource makes a bundle of none, which FHIR has no use for.
    let filled = written.filter(|bundle| bundle.get("entry").is_some());
    filled.map(|bundle| (name.to_owned(), bundle)).collect()
}

/// Every example of the pack and, where it is there, the public corpus.
fn examples(pack: &Pack) -> Vec<(String, Json)> {
    let root = Path::new(ROOT);
    let files = read_folder(&root.join("mappings")).unwrap();
    let mut found = Vec::new();
    for extension in ["hl7", "json", "xml"] {
        for path in files.under("", extension) {
            let Some(form) = form(path) else { continue };
            found.extend(bundles(pack, (form, path), files.bytes(path).unwrap()));
        }
    }
    for beside in ["../shared", "../../shared"] {
        let Ok(corpus) = read_folder(&root.join(beside).join("corpus/hl7v2")) else { continue };
        for path in corpus.under("", "hl7") {
            found.extend(bundles(pack, (Form::Hl7v2, path), corpus.bytes(path).unwrap()));
        }
    }
    found
}

#[test]
fn every_bundle_passes_the_schema_the_invariants_and_a_foreign_validator() {
    let Some(packages) = packages() else {
        return skipped("no FHIR gate (scripts/clients installs it)");
    };
    let pack = pack();
    let mut written = examples(&pack);
    let (examples, grammar) =
        (written.len(), Grammar::read(&Path::new(ROOT).join("mappings/hl7v2")));
    for seed in 0..GENERATED {
        let message = grammar.message(&mut Random::new(seed));
        let name = format!("generated {seed}");
        written.extend(bundles(&pack, (Form::Hl7v2, &name), &message));
    }
    let (sound, said) = judged(&packages, &written, &[]);
    let last = said.lines().last().unwrap_or_default().to_owned();
    loudly(&format!("FHIR gate: {last} ({examples} of examples and corpus)"));
    let first: Vec<_> = said.lines().take(200).collect();
    if !sound {
        let lines: Vec<_> =
            written.iter().map(|(name, bundle)| format!("{name} {bundle}")).collect();
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fhir-gate.txt");
        std::fs::write(kept, lines.join("\n")).unwrap();
    }
    assert!(sound, "{}\n{last}", first.join("\n"));
}

/// An entry of every kind, with everything an entry may have and with nothing.
fn audit_events() -> Vec<(String, Json)> {
    let known = |digit: &str| Some(Pseudonym(digit.repeat(32)));
    let full = |kind, department: Option<Department>| {
        let mut entry = Entry::new(kind, 1_796_000_400_007, [7; 16]);
        entry.department = department;
        entry.role = Role::parse("clerk").ok();
        entry.purpose = Purpose::parse("living-check").ok();
        entry.asker = Some(Reference::new("desk 3"));
        (entry.asked_by, entry.person, entry.merged) = (known("1"), known("2"), known("3"));
        let element = ElementId::parse("DE02.01.039.00").unwrap();
        Tier::ALL.into_iter().for_each(|tier| entry.elements.insert(tier, element));
        entry.withheld.insert(element);
        entry.rules.insert("rule-1".to_owned());
        entry.fault = Some(Fault::PurposeNotGranted);
        entry
    };
    let department = Department::parse("civil-affairs").ok();
    let told = |kind| Entry { merged: None, fault: None, ..full(kind, department) };
    let alone = |kind| Entry { asked_by: None, asker: None, ..told(kind) };
    let bare = |kind| Entry::new(kind, 0, [0; 16]);
    let of = |kind| [full(kind, department), full(kind, None), told(kind), alone(kind), bare(kind)];
    let entries = Kind::ALL.iter().flat_map(|(kind, ..)| of(*kind));
    let bundle = |(number, entry): (u64, Entry)| {
        let event = audit_event(number, &entry);
        let entries = [json!({ "resource": event })];
        let bundle = json!({ "resourceType": "Bundle", "type": "collection", "entry": entries });
        (format!("{} {number}", entry.kind.as_str()), bundle)
    };
    (0..).zip(entries).map(bundle).collect()
}

#[test]
fn an_entry_of_every_kind_passes_the_gate_as_an_audit_event() {
    let Some(packages) = packages() else {
        return skipped("no FHIR gate (scripts/clients installs it)");
    };
    let events = audit_events();
    let (sound, said) = judged(&packages, &events, &[]);
    assert!(sound, "{said}");
    // Those that claim a pattern of IHE BALP follow it, and a defect of each of its rules is
    // noticed by that rule.
    let claim = |event: &(String, Json)| event.1["entry"][0]["resource"].get("meta").is_some();
    let claims: Vec<_> = events.iter().filter(|event| claim(event)).cloned().collect();
    assert_eq!(claims.len(), 4, "disclosures and deliveries, with and without a human");
    let (_, said) = judged(&packages, &claims, &["--seeds"]);
    let noticed = said.lines().filter(|line| line.starts_with("noticed ")).count();
    assert!(noticed >= 4 * 30, "{said}");
    assert!(said.ends_with(&format!("{noticed} defects, 0 missed\n")), "{said}");
    // The gate looks at them: one without who took part is noticed.
    let (name, mut bundle) = events.into_iter().next().unwrap();
    bundle["entry"][0]["resource"]["agent"] = json!([]);
    assert!(!judged(&packages, &[(name, bundle)], &[]).0);
}

#[test]
fn the_gate_notices_every_seeded_defect() {
    let Some(packages) = packages() else {
        return skipped("no FHIR gate (scripts/clients installs it)");
    };
    let pack = pack();
    let files = read_folder(&Path::new(ROOT).join("mappings")).unwrap();
    let path = "hl7v2/oru_r01.examples/01.hl7";
    let sound = bundles(&pack, (Form::Hl7v2, path), files.bytes(path).unwrap());
    assert_eq!(sound.len(), 1);
    let (_, said) = judged(&packages, &sound, &["--seeds"]);
    let noticed = said.lines().filter(|line| line.starts_with("noticed ")).count();
    let others: Vec<_> = said.lines().filter(|line| !line.starts_with("noticed ")).collect();
    assert!(noticed >= 26, "{noticed} defects noticed");
    assert_eq!(others, [format!("{noticed} defects, 0 missed")], "{said}");
}
