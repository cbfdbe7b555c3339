//! Entries of real releases, decided by the shipped policies.

use std::path::Path;
use std::sync::OnceLock;

use super::*;
use crate::identity::Keys;
use crate::policy::{Gathered, PolicySet, decide};
use crate::vocabulary::{
    Catalogue, CodeTables, Dataset, Date, ElementId, Field, Files, Group, GroupName, Identifier,
    IdentifierKind, Record, Tier, Value,
};

/// A folder of the tree, as the product reads it.
fn folder(name: &str) -> Files {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let mut files = Files::default();
    let mut open = vec![root.clone()];
    while let Some(at) = open.pop() {
        for entry in std::fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let key = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                files.insert(key, std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// What the values below hold, and an entry never may.
const SECRETS: [&str; 3] = ["11010519491231002X", "安康评估中心", "20261001"];

/// A record of one group.
fn record(dataset: &str, source: &str, fields: &[(&str, Value)]) -> Record {
    let field = |(id, value): &(&str, Value)| Field {
        element: ElementId::parse(id).unwrap(),
        value: value.clone(),
        at: None,
    };
    let name = GroupName::parse("record").unwrap();
    let group = Group { name, parent: None, fields: fields.iter().map(field).collect() };
    Record {
        dataset: Dataset::parse(dataset).unwrap(),
        source: Source::parse(source).unwrap(),
        time: None,
        groups: vec![group],
        carried: vec![],
        wire: None,
        mappings: String::new(),
    }
}

/// The policies of the tree, compiled once for all tests.
fn policies() -> &'static PolicySet {
    static POLICIES: OnceLock<PolicySet> = OnceLock::new();
    POLICIES.get_or_init(|| {
        let files = folder("mappings");
        let tables = CodeTables::load(&files).unwrap();
        let catalogue = Catalogue::load(&files, &tables).unwrap();
        PolicySet::load(&folder("policies"), &catalogue, &tables).unwrap()
    })
}

/// What a department gets, in a role and for a purpose, of an invented person.
pub(crate) fn release(department: &str, role: &str, purpose: &str) -> Release {
    let who = (Department::parse(department).unwrap(), Role::parse(role).unwrap());
    let evidence = Evidence {
        asked_by: None,
        call: Some("call-7".to_owned()),
        case: Some(format!("case of {}", SECRETS[0])),
        reason: None,
        asker: Some("0017".to_owned()),
        holder: None,
    };
    let admission = policies().admit(who, purpose, evidence).unwrap();
    let citizen = Identifier::new(IdentifierKind::CitizenId, SECRETS[0]);
    let assessed = [
        ("DE02.01.030.00", Value::Identifier(citizen)),
        ("MZ.ability.institution", Value::Text(SECRETS[1].to_owned())),
        ("MZ.ability.assessed-on", Value::Date(Date::parse(SECRETS[2]).unwrap())),
    ];
    let record = record("ability-assessment", "elder-registry", &assessed);
    let gathered = [Gathered { record: &record, as_of: 1_795_000_000 }];
    let scope = admission.towards(&gathered, 1_795_000_000);
    decide(&scope, None, &gathered, &Keys::derive(&[1; 32]))
}

fn circumstances() -> Circumstances<'static> {
    Circumstances {
        at_ms: 1_795_000_000_123,
        random: [4; 16],
        person: Some(Pseudonym("ab".repeat(16))),
        mappings: "0011223344556677",
        sources: [(Source::parse("record-platform").unwrap(), Freshness::Unavailable)].into(),
    }
}

#[test]
fn an_entry_says_what_left_and_never_what_it_said() {
    let release = release("civil-affairs", "clerk", "subsidy-eligibility");
    let entry = Entry::disclosure(&release, circumstances()).with_answer(b"the answer");
    let full: Vec<_> = entry.elements.full.iter().map(ElementId::as_str).collect();
    assert_eq!(full, ["MZ.ability.assessed-on", "MZ.ability.institution"]);
    assert_eq!(entry.answer_sha256, Some(Hash::digest(b"the answer")));
    assert_eq!(entry.policy.as_deref(), Some(release.version()));
    assert_eq!(entry.purpose.map(|name| name.to_string()).as_deref(), Some("subsidy-eligibility"));
    assert!(!entry.rules.is_empty() && entry.legal_basis.is_some());
    let states: Vec<_> =
        entry.sources.iter().map(|(name, state)| (name.as_str(), *state)).collect();
    let expected =
        [("elder-registry", Freshness::Fresh), ("record-platform", Freshness::Unavailable)];
    assert_eq!(states, expected);
    let text = String::from_utf8(entry.to_bytes()).unwrap();
    for secret in SECRETS {
        assert!(!text.contains(secret), "{text}");
    }
    assert_eq!(Entry::from_bytes(text.as_bytes()), Ok(entry));
}

#[test]
fn every_element_of_a_release_is_in_its_entry_once() {
    let release = release("civil-affairs", "clerk", "subsidy-eligibility");
    let entry = Entry::disclosure(&release, circumstances());
    for released in release.released() {
        let id = released.element().id;
        let tiers = entry.elements.tiers().into_iter().filter(|(_, set)| set.contains(&id));
        let tiers: Vec<Tier> = tiers.map(|(tier, _)| tier).collect();
        assert_eq!(tiers, [released.tier()], "{id}");
    }
    let withheld: std::collections::BTreeSet<_> =
        release.withheld().map(|withheld| withheld.element).collect();
    assert_eq!(entry.withheld, withheld);
}

#[test]
fn what_is_sent_to_an_upstream_is_an_entry_of_its_own_kind() {
    let release = release("record-platform", "system", "record-location");
    let entry = Entry::location(&release, circumstances());
    let full: Vec<_> = entry.elements.full.iter().map(ElementId::as_str).collect();
    assert_eq!((entry.kind, full), (Kind::Location, vec!["DE02.01.030.00"]));
    assert!(!String::from_utf8(entry.to_bytes()).unwrap().contains(SECRETS[0]));
}

#[test]
fn a_refusal_says_who_was_refused_and_why() {
    let evidence = Evidence { case: Some(SECRETS[0].to_owned()), ..Evidence::default() };
    let who = (Department::parse("community").unwrap(), Role::parse("worker").unwrap());
    let entry = Entry::refusal(Fault::PurposeNotGranted, Some(who), &evidence, circumstances());
    assert_eq!((entry.kind, entry.fault), (Kind::Refusal, Some(Fault::PurposeNotGranted)));
    assert_eq!((entry.department, entry.role), (Some(who.0), Some(who.1)));
    let nobody = Entry::refusal(Fault::CertificateUnknown, None, &evidence, circumstances());
    assert_eq!((nobody.department, nobody.role), (None, None));
    assert!(entry.elements.is_empty() && entry.answer_sha256.is_none());
    assert_eq!(entry.case.as_ref().map(Reference::as_str), Some("<citizen-id>"));
}

#[test]
fn a_merge_names_both_persons_and_who_said_so() {
    let from = Pseudonym("cd".repeat(16));
    let entry = Entry::change(
        Kind::Merge,
        Some(from.clone()),
        Source::parse("hospital-a").unwrap(),
        circumstances(),
    );
    assert_eq!((entry.merged, entry.kind), (Some(from), Kind::Merge));
    assert!(entry.person.is_some());
    assert_eq!(entry.sources.len(), 2);
}
