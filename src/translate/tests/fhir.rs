//! FHIR: what the loader refuses, and what a record becomes and comes back from.

use serde_json::{Value as Json, json};

use super::*;
use crate::wire::Tree;

const HEAD: &str = "dialect = \"fhir\"\nresource = \"Patient\"\ntitle = \"t\"\nsource = \"s\"\n";
const SYSTEMS: &str = "name,uri,table\ngb,urn:oid:2.16.156.10011.2.3.3.4,gb\n\
    citizen-id,urn:oid:2.16.156.10011.1.3,\n*,urn:x:system:,\n";
const ROWS: &str = r#"rows = [
  { wire = "/identifier/*", element = "DE02.01.030.00", as = "identifier", kind = "citizen-id" },
  { wire = "/identifier/*", element = "MZ.id.local", as = "identifier", kind = "local" },
  { wire = "/name/*", element = "DE02.01.039.00", as = "name" },
  { wire = "/birthDate", element = "DE02.01.005.01", as = "date" },
  { wire = "/telecom/*", element = "DE02.01.010.00", as = "telecom" },
  { wire = "/address/*", element = "MZ.home", as = "address" },
  { wire = "/generalPractitioner/*", element = "MZ.referrer", as = "person" },
  { wire = "/photo/*", element = "MZ.file", as = "bytes" },
]
drops = [{ wire = "/active", why = "not asked" }]
"#;

fn with(text: &str) -> Files {
    let mut files = files();
    files.insert("fhir/r4.csv", include_str!("../../../mappings/fhir/r4.csv"));
    files.insert("fhir/systems.csv", SYSTEMS);
    files.insert("fhir/patient.toml", format!("{HEAD}{text}"));
    files
}

/// Loading a Patient file with this text ends with exactly these faults.
fn check(text: &str, expect: &[&str]) {
    let faults = Pack::load(&with(text)).map(|_| ()).err().unwrap_or_default();
    let shown: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(shown, expect, "{text}");
}

fn pack() -> Pack {
    Pack::load(&with(ROWS)).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn tree(json: &str) -> Tree {
    Tree::from_json(&serde_json::from_str(json).unwrap())
}

fn read(json: &str) -> Result<Translation, TranslateError> {
    pack().read_fhir(Source::parse("x").unwrap(), &tree(json))
}

#[test]
fn a_path_resource_or_type_that_does_not_fit_is_refused_where_it_stands() {
    check(
        r#"rows = [{ wire = "/nme/*", element = "DE02.01.039.00" }]"#,
        &["fhir/patient.toml:5:18: Patient has no member `nme`\n  hint: did you mean name?"],
    );
    check(
        r#"rows = [{ wire = "/gender", element = "MZ.home" }]"#,
        &["fhir/patient.toml:5:39: MZ.home cannot stand as code"],
    );
    check(
        r#"rows = [{ wire = "/contact", element = "MZ.ward" }]"#,
        &["fhir/patient.toml:5:18: a value cannot be a whole Patient.contact\n  hint: name one \
             of its members"],
    );
    check(
        r#"refs = [{ wire = "/managingOrganization", to = "Patient" }]"#,
        &["fhir/patient.toml:5:48: this reference may not point to Patient\n  hint: Organization"],
    );
    check(
        r#"refs = [{ wire = "/link/other", to = "related" }]"#,
        &["fhir/patient.toml:5:38: no file makes related\n  hint: name a resource type or \
           a file of fhir/"],
    );
    check(
        r#"fixed = [{ wire = "/active", is = "yes" }]"#,
        &["fhir/patient.toml:5:19: a boolean is true or false"],
    );
    check(
        r#"rows = [{ wire = "/contact/*/telecom/*", element = "DE02.01.010.00" }]"#,
        &["fhir/patient.toml:5:18: more than one `*` needs groups\n  hint: groups = \
           { \"/contact/*\" = \"contact\" }"],
    );
}

#[test]
fn what_a_row_writes_otherwise_than_it_reads_only_writes() {
    check(
        r#"rows = [{ wire = "/name/text", element = "DE02.01.039.00", part = 1 }]"#,
        &["fhir/patient.toml:5:18: `join` and `part` only write\n  hint: way = \"out\""],
    );
    check(
        r#"rows = [{ wire = "/name/*", element = "DE02.01.039.00", lacks = "MZ.nothing" }]"#,
        &["fhir/patient.toml:5:65: there is no element MZ.nothing"],
    );
}

/// What a row beside the others makes of a patient with two names, at a place.
fn writes(row: &str, at: &str, expect: serde_json::Value) {
    let rows = ROWS.replacen("rows = [", &format!("rows = [\n{row},"), 1);
    let pack = Pack::load(&with(&rows)).unwrap_or_else(|faults| panic!("{faults:?}"));
    let json = r#"{ "resourceType": "Patient", "telecom": [{ "value": "1" }], "name": [
        { "text": "Ann Lee", "family": "Lee", "given": ["Ann"] }, { "text": "李安" }] }"#;
    let found = pack.read_fhir(Source::parse("x").unwrap(), &tree(json)).unwrap();
    let written = pack.write_fhir(&found.record).to_json();
    let found = written.pointer("/entry/0/resource").unwrap().pointer(at).cloned();
    assert_eq!(found.unwrap_or_default(), expect, "{row}");
}

#[test]
fn a_row_may_ask_join_take_a_part_and_say_what_stands_beside() {
    let text = |more: &str| {
        format!(
            "{{ wire = \"/extension[url='urn:x']/valueString\", element = \"DE02.01.039.00\", \
             as = \"name\", way = \"out\", {more} }}"
        )
    };
    let at = "/extension/0/valueString";
    writes(&text("part = 1"), at, "Lee".into());
    writes(&text("part = 15"), at, serde_json::Value::Null);
    writes(&text("join = \"+\""), at, "Ann Lee+李安".into());
    writes(&text("join = \"+\", with = [\"DE02.01.010.00\"]"), at, "Ann Lee+李安+1".into());
    writes(&text("part = 1, has = \"MZ.home\""), at, serde_json::Value::Null);
    writes(&text("part = 1, lacks = \"MZ.home\""), at, "Lee".into());
    writes(&text("part = 1, lacks = \"DE02.01.010.00\""), at, serde_json::Value::Null);
    let beside = r#"{ wire = "/telecom/*", element = "DE02.01.010.00", as = "telecom",
        from = "record", besides = [{ wire = "use", is = "home" }] }"#;
    writes(&beside.replace('\n', " "), "/telecom/0/use", "home".into());
}

#[test]
fn every_leaf_ends_in_one_bin() {
    let found = read(
        r#"{ "resourceType": "Patient", "id": "1", "active": true, "name": [{ "text": "张三" }],
            "birthDate": "1948-03-15", "gender": "male", "colour": { "of": "hair" } }"#,
    )
    .unwrap();
    let Bins { mapped, carried, dropped, unmapped, first_unmapped, .. } = found.bins;
    assert_eq!([mapped, carried, dropped, unmapped], [3, 0, 1, 3]);
    let shown: Vec<_> = first_unmapped.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["/id", "/gender", "/?/?"]);
}

#[test]
fn a_record_becomes_a_bundle_and_comes_back() {
    let json = r#"{ "resourceType": "Bundle", "type": "collection", "entry": [
        { "fullUrl": "urn:uuid:1", "resource": { "resourceType": "Patient",
          "identifier": [
            { "system": "urn:oid:2.16.156.10011.1.3", "value": "410105194803150216" },
            { "type": { "coding": [{ "code": "MR",
                "system": "http://terminology.hl7.org/CodeSystem/v2-0203" }] },
              "system": "urn:oid:1.2.3", "value": "7", "period": { "start": "2020" } }],
          "name": [{ "text": "Ann B C Lee", "family": "Lee", "given": ["Ann", "B", "C"] }],
          "telecom": [{ "system": "phone", "value": "1" }],
          "address": [{ "text": "x", "line": ["a", "b", "c"], "city": "d" }],
          "photo": [{ "contentType": "text/plain", "data": "YQ==" }],
          "generalPractitioner": [{ "reference": "Practitioner/2" }] } },
        { "resource": { "resourceType": "Practitioner", "id": "2",
          "identifier": [{ "system": "urn:x:system:H", "value": "9" }],
          "name": [{ "text": "李", "prefix": ["Dr"] }] } }] }"#;
    let found = read(json).unwrap();
    // Without a crosswalk the kind of telephone has no code, and nothing drops an id.
    let carried: Vec<_> = found.record.carried.iter().map(|leaf| leaf.at.to_string()).collect();
    assert!(carried.contains(&"/entry/0/resource/telecom/0/system".to_owned()), "{carried:?}");
    assert_eq!(found.bins.carried, 2, "{carried:?}");
    let written = pack().write_fhir(&found.record);
    let resource = |number: usize| {
        let entry = written.get("entry").and_then(|entries| entries.item(number)).unwrap();
        entry.get("resource").unwrap().to_json()
    };
    let before: serde_json::Value = serde_json::from_str(json).unwrap();
    for (number, members) in
        [(0, &["identifier", "name", "address", "photo", "telecom"][..]), (1, &["identifier"])]
    {
        for member in members {
            let before = &before["entry"][number]["resource"][member];
            let after = &resource(number)[member];
            if *member == "telecom" || *member == "identifier" {
                assert_eq!(after[0]["value"], before[0]["value"]);
            } else {
                assert_eq!(after, before);
            }
        }
    }
    let id = resource(1)["id"].as_str().unwrap().to_owned();
    let to = resource(0)["generalPractitioner"][0]["reference"].as_str().unwrap().to_owned();
    assert_eq!(to, format!("urn:uuid:{id}"));
    assert_eq!(written, pack().write_fhir(&found.record), "ids are made of content");
}

#[test]
fn two_patients_and_no_resource_are_refused_by_position() {
    let two = r#"{ "resourceType": "Bundle", "entry": [
        { "resource": { "resourceType": "Patient" } },
        { "resource": { "resourceType": "Patient" } }] }"#;
    for (json, at) in
        [(two, "/entry/1/resource"), ("{}", "/resourceType"), ("[1]", "/resourceType")]
    {
        let error = read(json).map(|_| ()).unwrap_err();
        assert_eq!(error.at().to_string(), at);
    }
}

/// A bundle of these patients, each as `id`, number and links.
fn patients(patients: &[(&str, &str, Json)]) -> String {
    let entry = |(id, number, links): &(&str, &str, Json)| {
        json!({ "resource": {
            "resourceType": "Patient", "id": id, "link": links,
            "identifier": [{ "system": "urn:x:system:A", "value": number }],
            "name": [{ "text": format!("name of {number}") }],
        } })
    };
    let entries: Vec<_> = patients.iter().map(entry).collect();
    json!({ "resourceType": "Bundle", "type": "collection", "entry": entries }).to_string()
}

fn link(kind: &str, to: &str) -> Json {
    json!({ "type": kind, "other": { "reference": format!("Patient/{to}") } })
}

fn named(kind: &str, number: &str) -> Json {
    let identifier = json!({ "system": "urn:x:system:A", "value": number });
    json!({ "type": kind, "other": { "identifier": identifier } })
}

#[test]
fn a_patient_who_is_replaced_is_merged_whichever_side_says_it() {
    let check = |bundle: &str, expect: (&[&str], &[&str])| {
        let found = read(bundle).unwrap();
        let numbers = |identifiers: Vec<&Identifier>| {
            identifiers.into_iter().map(|one| one.value.clone()).collect::<Vec<_>>()
        };
        let stays = numbers(found.record.identifiers().map(|(one, _)| one).collect());
        let merge = found.merge.unwrap_or_default();
        let gone = numbers(merge.from.iter().map(|(one, _)| one).collect());
        let told = (gone.join(" "), stays.join(" "));
        assert_eq!(told, (expect.0.join(" "), expect.1.join(" ")), "{bundle}");
        let names = found.record.fields().filter(|field| matches!(field.value, Value::Name(_)));
        assert!(names.count() <= 1, "what is said of who is gone is not the other's");
    };
    let none = json!([]);
    for links in [
        [json!([link("replaced-by", "new")]), none.clone()],
        [none.clone(), json!([link("replaces", "old")])],
        [json!([link("replaced-by", "new")]), json!([link("replaces", "old")])],
    ] {
        let [old, new] = links;
        check(&patients(&[("old", "1", old), ("new", "2", new)]), (&["1"], &["2"]));
    }
    let replaces = json!([named("replaces", "1"), named("seealso", "9")]);
    check(&patients(&[("new", "2", replaces)]), (&["1"], &["2"]));
    let replaced = json!([named("replaced-by", "2")]);
    check(&patients(&[("old", "1", replaced)]), (&["1"], &["2"]));
    for kind in ["refer", "seealso"] {
        check(&patients(&[("one", "1", json!([named(kind, "2")]))]), (&[], &["1"]));
    }
}

#[test]
fn a_link_that_says_nobody_or_several_is_refused_by_its_place() {
    let check = |bundle: &str, at: &str| {
        let error = read(bundle).map(|found| found.merge).unwrap_err();
        assert_eq!(error.at().to_string(), at, "{bundle}");
    };
    let elsewhere = patients(&[("new", "2", json!([link("replaces", "elsewhere")]))]);
    check(&elsewhere, "/entry/0/resource/link/0/other/identifier");
    let several = json!([named("replaced-by", "2"), named("replaced-by", "3")]);
    check(&patients(&[("old", "1", several)]), "/entry/0/resource/link/1");
    let itself = patients(&[("one", "1", json!([link("replaces", "one")]))]);
    check(&itself, "/entry/0/resource/link/0");
    let chain = [
        ("a", "1", json!([link("replaced-by", "b")])),
        ("b", "2", json!([link("replaced-by", "c")])),
        ("c", "3", json!([])),
    ];
    check(&patients(&chain), "/entry/0/resource/link/0");
    let without = r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient",
        "id":"old"}},{"resource":{"resourceType":"Patient","link":[{"type":"replaces",
        "other":{"reference":"Patient/old"}}]}}]}"#;
    check(without, "/entry/1/resource/link/0");
}
