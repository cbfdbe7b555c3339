//! What an entry looks like, and what is none.

use super::*;

/// An entry that uses every field.
fn full() -> Entry {
    let mut elements = Disclosed::default();
    let id = |text: &str| ElementId::parse(text).unwrap();
    elements.insert(Tier::Full, id("MZ.person.deceased"));
    elements.insert(Tier::Generalised, id("DE02.01.005.01"));
    elements.insert(Tier::Pseudonym, id("DE02.01.030.00"));
    elements.insert(Tier::Existence, id("DE05.10.117.00"));
    elements.insert(Tier::Withheld, id("DE05.01.024.00"));
    Entry {
        answer_sha256: Some(Hash::digest(b"an answer")),
        asker: Some(Reference::new("工号 0017")),
        call: Some(Reference::new("call-1")),
        case: Some(Reference::new("case \"1\"\\")),
        department: Some(Department::parse("civil-affairs").unwrap()),
        elements,
        fault: Some(Fault::PurposeNotGranted),
        legal_basis: Some("《老年人权益保障法》".to_owned()),
        mappings: Some("0011223344556677".to_owned()),
        merged: Some(Pseudonym("f".repeat(32))),
        person: Some(Pseudonym("0123456789abcdef0123456789abcdef".to_owned())),
        policy: Some("8899aabbccddeeff".to_owned()),
        purpose: Some(Purpose::parse("subsidy-eligibility").unwrap()),
        reason: Some(Reference::new("fall at home")),
        role: Some(Role::parse("clerk").unwrap()),
        rules: ["b".to_owned(), "a".to_owned()].into(),
        sources: [
            (Source::parse("hospital-a").unwrap(), Freshness::Fresh),
            (Source::parse("elder-registry").unwrap(), Freshness::Cached),
        ]
        .into(),
        subject: Some(Reference::new("journal 7")),
        withheld: [id("DE05.01.024.00")].into(),
        ..Entry::new(Kind::Disclosure, 1_795_000_000_123, [7; 16])
    }
}

#[test]
fn an_entry_is_one_line_with_sorted_keys() {
    let text = String::from_utf8(full().to_bytes()).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let written: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
    let mut sorted = written.clone();
    sorted.sort_unstable();
    assert_eq!(written.len(), 23, "the test entry uses every field");
    assert_eq!(sorted, written);
    // `Value` may sort by itself, so the text is asked too.
    let places: Vec<_> = sorted.iter().map(|key| text.find(&format!("\"{key}\":"))).collect();
    assert!(places.is_sorted() && places.iter().all(Option::is_some));
    assert!(!text.contains('\n'));
    let tiers = text.find("\"existence\"") < text.find("\"full\"");
    assert!(tiers && text.find("\"full\"") < text.find("\"generalised\""));
}

#[test]
fn an_entry_survives_the_way_there_and_back() {
    for entry in [full(), Entry::new(Kind::Start, 0, [0; 16])] {
        assert_eq!(Entry::from_bytes(&entry.to_bytes()), Ok(entry));
    }
}

#[test]
fn a_withheld_element_is_not_among_those_that_left() {
    let entry = full();
    let left = entry.elements.tiers();
    assert!(entry.withheld.iter().all(|id| left.iter().all(|(_, ids)| !ids.contains(id))));
}

#[test]
fn every_other_spelling_is_not_canonical() {
    let text = String::from_utf8(full().to_bytes()).unwrap();
    let check = |change: &dyn Fn(&str) -> String, error: EntryError| {
        let changed = change(&text);
        assert_ne!(changed, text, "the change must change something");
        assert_eq!(Entry::from_bytes(changed.as_bytes()), Err(error), "{changed}");
    };
    check(&|t| format!("{t}\n"), EntryError::NotCanonical);
    check(&|t| t.replacen(':', ": ", 1), EntryError::NotCanonical);
    check(&|t| t.replace("[\"a\",\"b\"]", "[\"b\",\"a\"]"), EntryError::NotCanonical);
    check(&|t| t.replace("[\"a\",\"b\"]", "[\"a\",\"a\",\"b\"]"), EntryError::NotCanonical);
    check(&|t| t.replace("call-1", "call\\u002d1"), EntryError::NotCanonical);
    check(
        &|t| {
            t.replacen("{", "{\"fault\":null,", 1).replace("\"fault\":\"purpose-not-granted\",", "")
        },
        EntryError::NotCanonical,
    );
    check(
        &|t| t.replace("case-", "x").replace("call-1", "11010519491231002X"),
        EntryError::NotCanonical,
    );
    check(&|t| t.replacen('{', "{\"name\":\"x\",", 1), EntryError::Shape);
    check(&|t| t.replacen('{', "{\"v\":1,", 1), EntryError::Shape);
    check(&|t| t.replace("1795000000123", "1795000000123.0"), EntryError::Shape);
    check(&|t| t.replace(&"f".repeat(32), "somebody"), EntryError::Shape);
    check(&|t| t.replace("\"disclosure\"", "\"gossip\""), EntryError::Shape);
    check(&|t| t.replace("\"v\":1", "\"v\":2"), EntryError::Version);
    check(&|t| t.chars().skip(1).collect(), EntryError::Shape);
}

#[test]
fn every_kind_has_its_own_name() {
    for (kind, name, zh) in Kind::ALL {
        assert_eq!(serde_json::to_value(kind).unwrap(), name);
        assert_eq!((Kind::parse(name), kind.as_str(), kind.zh()), (Some(kind), name, zh));
    }
    assert!(Kind::ALL.is_sorted_by_key(|row| row.1));
    assert_eq!(Kind::parse("gossip"), None);
}
