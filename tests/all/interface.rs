//! The published interface is judged by tools nobody here wrote.

use std::path::Path;
use std::process::Command;

use kangqiao::command::compile;
use kangqiao::translate::form::Limits;
use kangqiao::translate::{Form, Pack, civil};
use kangqiao::vocabulary::Source;
use serde_json::Value;

use crate::rig::{ROOT, skipped};

fn interface(words: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kangqiao"));
    let output = command.arg("interface").args(words).current_dir(ROOT).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn shipped() -> Pack {
    compile::pack(&Path::new(ROOT).join("mappings")).unwrap()
}

/// Every example of a dataset that is read, as its JSON says it.
fn examples() -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(Path::new(ROOT).join("mappings/civil")).unwrap().flatten() {
        let first = entry.path().join("01.json");
        if let Ok(bytes) = std::fs::read(&first) {
            let document: Value = serde_json::from_slice(&bytes).unwrap();
            found.push((document["dataset"].as_str().unwrap().to_owned(), bytes));
        }
    }
    assert!(found.len() >= 10, "{}", found.len());
    found
}

/// Judges with a program of the foreign clients; `false` if it is not there.
fn python(script: &str, arguments: &[&Path]) -> Option<String> {
    let folder = std::env::var_os("KANGQIAO_CLIENTS")
        .map_or_else(|| Path::new(ROOT).join("target/clients"), Into::into);
    let program = folder.join("bin/python");
    let there = Command::new(&program).args(["-c", "import openapi_spec_validator"]).output();
    if !there.is_ok_and(|output| output.status.success()) {
        return None;
    }
    let output = Command::new(program).args(["-c", script]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_openapi_description_is_valid_and_describes_every_example() {
    let folder = tempfile::tempdir().unwrap();
    let (described, documents) = (folder.path().join("a.json"), folder.path().join("b.json"));
    std::fs::write(&described, interface(&["openapi"])).unwrap();
    let listed: Vec<Value> =
        examples().iter().map(|(_, bytes)| serde_json::from_slice(bytes).unwrap()).collect();
    std::fs::write(&documents, Value::from(listed).to_string()).unwrap();
    let script = "
import json, sys
from openapi_spec_validator import validate
from jsonschema import Draft202012Validator
spec = json.load(open(sys.argv[1]))
validate(spec)
seen = 0
for document in json.load(open(sys.argv[2])):
    schema = spec['components']['schemas'][document['dataset']]
    Draft202012Validator(schema).validate(document)
    broken = dict(document, dataset='x')
    assert not Draft202012Validator(schema).is_valid(broken)
    seen += 1
print(seen)
";
    match python(script, &[&described, &documents]) {
        Some(seen) => assert_eq!(seen.trim(), examples().len().to_string()),
        None => skipped("no openapi-spec-validator to judge the description"),
    }
}

#[test]
fn the_xml_schema_holds_for_every_example_and_not_for_a_wrong_one() {
    if Command::new("xmllint").arg("--version").output().is_err() {
        return skipped("no xmllint to judge the XML Schema");
    }
    let folder = tempfile::tempdir().unwrap();
    let schema = folder.path().join("civil.xsd");
    std::fs::write(&schema, interface(&["xsd"])).unwrap();
    let pack = shipped();
    let judge = |name: &str, bytes: &[u8]| {
        let document = folder.path().join(name);
        std::fs::write(&document, bytes).unwrap();
        let output = Command::new("xmllint")
            .args(["--noout", "--schema"])
            .arg(&schema)
            .arg(&document)
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (dataset, bytes) in examples() {
        let sender = Source::parse("example").unwrap();
        let read = pack.read((Form::CivilJson, sender), &bytes, &Limits::default()).unwrap();
        let xml = civil::write(&pack, (Form::CivilXml, None), &read[0].record);
        let (holds, said) = judge(&format!("{dataset}.xml"), &xml);
        assert!(holds, "{said}");
        let text = String::from_utf8(xml).unwrap();
        let wrong = text.replacen("<citizenId>", "<citizenNumber/><citizenId>", 1);
        assert_ne!(wrong, text);
        assert!(!judge("wrong.xml", wrong.as_bytes()).0, "{dataset}: anything would do");
    }
}

#[test]
fn a_table_with_the_columns_of_the_template_is_read() {
    let pack = shipped();
    for (dataset, bytes) in examples() {
        let header = interface(&["csv-template", "--dataset", &dataset]);
        let columns: Vec<_> = header.trim().split(',').collect();
        let sender = Source::parse("example").unwrap();
        let read = pack.read((Form::CivilJson, sender), &bytes, &Limits::default()).unwrap();
        let table = civil::write(&pack, (Form::CivilCsv, None), &read[0].record);
        let text = String::from_utf8(table).unwrap();
        for column in text.lines().next().unwrap().split(',') {
            // A second item is a column more than the template has.
            let first: Vec<_> = column
                .split('.')
                .map(|step| if step.bytes().all(|byte| byte.is_ascii_digit()) { "1" } else { step })
                .collect();
            let plain =
                column.starts_with("items.B") || columns.contains(&first.join(".").as_str());
            assert!(plain || columns.contains(&column), "{dataset}: {column}");
        }
    }
}
