//! One record in three syntaxes, and in the words of two cities.

use super::*;
use crate::vocabulary::Files;

fn shipped() -> (Pack, Files) {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    let mut files = Files::default();
    let mut open = vec![root.clone()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, std::fs::read(path).unwrap());
        }
    }
    (Pack::load(&files).unwrap_or_else(|faults| panic!("{faults:?}")), files)
}

fn source(name: &str) -> Source {
    Source::parse(name).unwrap()
}

fn one(pack: &Pack, unit: (Form, Source), bytes: &[u8]) -> Translation {
    let read = read(pack, unit, (bytes, &Limits::default()), None);
    let mut read = read.unwrap_or_else(|error| panic!("{:?} {error:?}", unit.0));
    assert_eq!(read.len(), 1);
    read.pop().unwrap()
}

/// Every example that is read: the same record whatever it is written in.
#[test]
fn each_dataset_is_the_same_record_in_all_three_syntaxes() {
    let (pack, files) = shipped();
    let sender = source("example");
    let mut seen = 0;
    let examples = files.under("civil", "json").filter(|path| path.contains(".examples/"));
    for path in examples.filter(|path| !path.contains("expected")) {
        let bytes = files.bytes(path).unwrap();
        let unit = (Form::CivilJson, sender);
        let Ok(found) = read(&pack, unit, (bytes, &Limits::default()), None) else { continue };
        for form in [Form::CivilJson, Form::CivilXml, Form::CivilCsv] {
            let written = write(&pack, (form, None), &found[0].record);
            let again = one(&pack, (form, sender), &written);
            assert!(again.record == found[0].record, "{path} as {}", form.name());
            assert_eq!(again.bins, found[0].bins, "{path} as {}", form.name());
        }
        seen += 1;
    }
    assert!(seen >= 10, "{seen}");
}

#[test]
fn what_a_table_has_beyond_the_published_columns_is_counted_and_kept() {
    let (pack, _) = shipped();
    let table = "dataset,person.citizenId,class,month,colour\n\
                 subsidy-payment,410105194803120420,1,2026-10,red\n";
    let found = one(&pack, (Form::CivilCsv, source("example")), table.as_bytes());
    assert_eq!((found.bins.leaves(), found.bins.unmapped), (5, 1));
    assert_eq!(found.record.carried[0].text, "red");
    assert_eq!(found.bins.first_unmapped[0].to_string(), "/?", "a name can be a value");
    let xml = "<subsidy-payment><person><citizenId>410105194803120420</citizenId></person>\
               <class kind='x'>1</class><class>3</class></subsidy-payment>";
    let error = read(
        &pack,
        (Form::CivilXml, source("example")),
        (xml.as_bytes(), &Limits::default()),
        None,
    );
    assert_eq!(error.unwrap_err().fault, Fault::RequiredMissing, "a class stands twice");
}

#[test]
fn tables_are_read_in_their_character_set_and_refused_by_line() {
    let (pack, _) = shipped();
    let table = "dataset,person.citizenId,person.name,class\n\
                 subsidy-payment,410105194803120420,王秀英,1\n";
    let mut written: Vec<Vec<u8>> = vec![table.into(), ["\u{feff}", table].concat().into()];
    written.push(encoding_rs::GB18030.encode(table).0.into_owned());
    let records =
        written.iter().map(|bytes| one(&pack, (Form::CivilCsv, source("example")), bytes).record);
    let records: Vec<_> = records.collect();
    assert!(records[0] == records[1] && records[1] == records[2]);
    for (table, fault) in [
        ("a,b\n1\n", Fault::Malformed),
        ("a,a\n1,2\n", Fault::Malformed),
        ("a\n", Fault::Malformed),
        ("a\n1\n2\n", Fault::Limit),
    ] {
        let unit = (Form::CivilCsv, source("example"));
        let error = read(&pack, unit, (table.as_bytes(), &Limits::default()), None);
        assert_eq!(error.unwrap_err().fault, fault, "{table:?}");
    }
}

#[test]
fn columns_about_rejects_are_passed_over() {
    let (pack, _) = shipped();
    let table = "dataset,person.citizenId,class,_fault,_at\n\
                 subsidy-payment,410105194803120420,1,table-value,class\n";
    let found = one(&pack, (Form::CivilCsv, source("example")), table.as_bytes());
    assert_eq!((found.bins.leaves(), found.bins.mapped), (3, 3));
}

#[test]
fn a_city_is_written_in_its_own_words() {
    let (pack, files) = shipped();
    let (jia, yi) = (source("jia-city"), source("yi-city"));
    let table = files.bytes("cities/yi-city.examples/01.csv").unwrap();
    let found = one(&pack, (Form::CivilCsv, yi), table);
    let other = write(&pack, (Form::CivilJson, Some(jia)), &found.record);
    let other: Json = serde_json::from_slice(&other).unwrap();
    assert_eq!(other["snjb"], "中度", "the other city's word for the same level");
    assert_eq!(other["pgrq"], "2026/03/05");
    // What no row of the city names goes nowhere else.
    assert_eq!(other.get("levels"), None);
    let xml = write(&pack, (Form::CivilXml, Some(jia)), &found.record);
    let again = one(&pack, (Form::CivilXml, jia), &xml);
    let own = convert::publish(&pack.cities[&jia], &other);
    assert_eq!(again.bins.leaves(), own.leaves);
}

#[test]
fn a_faulty_city_file_is_refused_by_line_and_column() {
    let (_, files) = shipped();
    let check = |from: &str, to: &str, message: &str| {
        let text = files.text("cities/yi-city.toml").unwrap();
        assert!(text.contains(from), "{from}");
        let mut broken = files.clone();
        broken.insert("cities/yi-city.toml", text.replacen(from, to, 1));
        let faults = Pack::load(&broken).unwrap_err();
        let shown: Vec<_> = faults.iter().map(ToString::to_string).collect();
        let named = shown
            .iter()
            .any(|fault| fault.starts_with("cities/yi-city.toml:") && fault.contains(message));
        assert!(named, "{shown:?}");
    };
    check("/person/citizenId", "/person/citizenIdd", "did you mean /person/citizenId?");
    check("yyyy年M月d日", "yyyy年d日", "no form of dates");
    check("\"1\", \"中度失能\" = \"2\"", "\"2\", \"中度失能\" = \"2\"", "has two spellings");
    check("record = \"ability-assessment\"", "record = \"ability\"", "no published dataset");
    check("/riskEvents/0", "/riskEvents/*", "`*` stands as often on both sides");
    check("/scores/total", "/scale", "this place is taken by a row before");
    let mut quiet = files.clone();
    let text = files.text("cities/yi-city.toml").unwrap();
    let more = text.replacen("rows = [", "rows = [\n  { wire = \"x\", to = \"/edition\" },", 1);
    quiet.insert("cities/yi-city.toml", more);
    let faults = Pack::load(&quiet).unwrap().check_examples(&quiet);
    assert!(faults.iter().any(|fault| fault.to_string().contains("no example exercises")));
}
