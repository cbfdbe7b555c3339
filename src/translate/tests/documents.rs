//! XML and flat documents: in, out, and what they refuse.

use super::*;
use crate::translate::document;
use crate::translate::form::Limits;
use crate::wire::xml;

const CDA: &str = include_str!("documents/summary.toml");

const TEXT: &str = include_str!("documents/summary.xml");

fn with(path: &str, text: &str) -> Result<Pack, Vec<Diagnostic>> {
    let mut files = files();
    files.insert(path, text);
    Pack::load(&files)
}

fn cda() -> &'static Pack {
    static PACK: LazyLock<Pack> = LazyLock::new(|| with("papers/summary.toml", CDA).unwrap());
    &PACK
}

fn read_as(pack: &Pack, dialect: &str, text: &str) -> Result<Translation, Unread> {
    let (named, limits) = ((dialect, sender()), Limits::default());
    let found = document::read_bytes(pack, named, (text.as_bytes(), &limits), None);
    found.map(|mut found| found.remove(0))
}

fn written(pack: &Pack, dialect: &str, record: &Record) -> String {
    String::from_utf8(document::write_bytes(pack, dialect, record).unwrap()).unwrap()
}

#[test]
fn a_clinical_document_becomes_typed_values_and_is_written_back_as_it_was() {
    let found = read_as(cda(), "cda", TEXT).unwrap();
    let lines = shown(&found.record);
    let role = "/recordTarget/patientRole";
    let entry = "/component/section/entry";
    for (at, rest) in [
        (role, r#"/id[2] DE02.01.030.00 {"kind":"citizen-id","value":"11010519491231002X"}"#),
        (role, r#"/id[1] DE01.00.021.00 {"kind":"health-card","value":"A1"}"#),
        (role, r#"/addr MZ.home {"parts":["","","杭州市","","","","","文新街道"],"#),
        (role, r#"/telecom[1] DE02.01.010.00 {"parts":["057100000000","","PH"],"#),
        (role, r#"/patient/birthTime DE02.01.005.01 "1949-12-31""#),
        (entry, r#"[1]/observation/value MZ.number {"number":"7.10","unit":"mmol/L"}"#),
        (entry, r#"[2]/observation/value MZ.text "阴性""#),
    ] {
        let line = format!("{at}{rest}");
        assert!(lines.iter().any(|found| found.starts_with(&line)), "{line} is not in {lines:#?}");
    }
    assert_eq!(found.record.time.as_ref().map(|time| time.as_str()), Some("20261121083000"));
    assert_eq!(found.record.groups.len(), 3);
    // typeId, title, templateId, typeCode and two classCodes are rebuilt.
    let bins = &found.bins;
    assert_eq!((bins.dropped, bins.carried, bins.unmapped), (6, 0, 0), "{:?}", bins.first_unmapped);
    let limits = xml::Limits::default();
    let again = xml::read(written(cda(), "cda", &found.record).as_bytes(), &limits).unwrap();
    let given = xml::read(TEXT.as_bytes(), &limits).unwrap();
    assert_eq!((again.root, again.namespace), (given.root, given.namespace));
    let text = |tree: &crate::wire::Tree| serde_json::to_string_pretty(&tree.to_json()).unwrap();
    // Only the order of the two numbers differs: they are written in the order of the rows.
    let [one, other] = [text(&given.tree), text(&again.tree)].map(|text| {
        let mut lines: Vec<_> =
            text.lines().map(|line| line.trim_end_matches(',').to_owned()).collect();
        lines.sort_unstable();
        lines
    });
    assert_eq!(one, other);
}

#[test]
fn members_stand_in_the_order_of_the_file() {
    let record = read_as(cda(), "cda", TEXT).unwrap().record;
    let text = written(cda(), "cda", &record);
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} is not in {text}"));
    let order = [
        "<typeId",
        "<title>",
        "<recordTarget",
        "<patientRole",
        "<id ",
        "<addr",
        "<patient>",
        "<author",
        "<component",
    ];
    assert!(order.windows(2).all(|pair| at(pair[0]) < at(pair[1])), "{text}");
    assert!(at("<name") < at("<birthTime"));
}

#[test]
fn what_no_row_knows_is_counted_and_what_another_file_is_for_is_refused() {
    let check = |from: &str, to: &str, expect: (u32, u32, u32), first: &[&str]| {
        let bins = read_as(cda(), "cda", &TEXT.replace(from, to)).unwrap().bins;
        assert_eq!((bins.dropped, bins.carried, bins.unmapped), expect, "{to}");
        let shown: Vec<_> = bins.first_unmapped.iter().map(ToString::to_string).collect();
        assert_eq!(shown, first, "{to}");
        assert_eq!(bins.leaves(), bins.mapped + expect.0 + expect.1 + expect.2);
    };
    check("<name>王五</name>", "<name nullFlavor=\"UNK\"/>", (6, 1, 0), &[]);
    let unknown = "<name>王五</name><x y='1'/>";
    check("<name>王五</name>", unknown, (6, 0, 1), &["/recordTarget/patientRole/patient/?/?"]);
    check("<title>摘要</title>", "<languageCode code='zh-CN'/>", (6, 0, 0), &[]);
    check("<title>摘要</title>", "<title>别的</title>", (5, 0, 1), &["/title/#text"]);
    check("value=\"19491231\"", "value=\"soon\"", (6, 1, 0), &[]);
    check("root=\"2.1.21\"", "root=\"2.1.22\"", (6, 0, 0), &[]);
    let refused = |from: &str, to: &str, name: &str, at: &str| {
        let error = read_as(cda(), "cda", &TEXT.replace(from, to)).unwrap_err();
        let place = error.at.map(|at| at.to_string()).unwrap_or_default();
        assert_eq!((error.fault.row().name, place.as_str()), (name, at));
    };
    refused("root=\"2.1.21\"", "root=\"2.1.23\"", "unsupported-message", "/");
    refused("<ClinicalDocument ", "<Document ", "xml-unclosed", "48:1");
    refused("typeId ", "typeId x:a='1' ", "xml-undeclared-prefix", "3:11");
}

#[test]
fn a_coding_of_another_system_keeps_its_own() {
    let from = "code=\"M\" codeSystem=\"2.3.3.4\" codeSystemName=\"性别\"";
    let own = "codeSystem=\"2.3.3.4\" codeSystemName=\"性别\"";
    for (to, shown) in [
        ("code=\"1\" codeSystem=\"8.8\"".to_owned(), r#"{"original":"1","system":"8.8"}"#),
        // Listed in the row's table, but of another one.
        ("code=\"M\" codeSystem=\"8.8\"".to_owned(), r#"{"original":"M","system":"8.8"}"#),
        ("displayName=\"男\"".to_owned(), r#"{"display":"男"}"#),
        (format!("code=\"Z\" {own}"), r#"{"original":"Z","system":"2.3.3.4"}"#),
    ] {
        let record = read_as(cda(), "cda", &TEXT.replace(from, &to)).unwrap().record;
        let lines = super::shown(&record);
        assert!(lines.iter().any(|line| line.ends_with(&format!("040.00 {shown}"))), "{lines:#?}");
        let text = written(cda(), "cda", &record);
        assert!(text.contains(&format!("<administrativeGenderCode {to}/>")), "{to} {text}");
    }
}

#[test]
fn a_table_may_be_named_by_any_of_its_systems() {
    let mut files = exchange::shipped("v3-hospital/");
    for (path, bytes) in exchange::shipped("cda/").iter() {
        files.insert(path, bytes);
    }
    let pack = Pack::load(&files).unwrap();
    // GB/T 4761 by its own OID, where the row has that of the suite.
    let rows = pack.documents.iter().flat_map(|plan| &plan.body.rows);
    let mut kin = rows.filter(|row| row.system.as_deref() == Some("2.16.156.10011.2.3.1.34"));
    let row = kin.next().unwrap();
    for (system, foreign) in [
        ("2.16.156.10011.2.3.1.34", false),
        ("2.16.156.10011.2.3.3.8", false),
        ("2.16.156.10011.2.3.3.4", true),
        ("2.16.840.1.113883.5.111", true),
    ] {
        assert_eq!(row.is_foreign(system), foreign, "{system}");
    }
}

#[test]
fn the_hospital_platform_spells_names_and_display_names_as_items() {
    let file = include_str!("documents/person.toml");
    let text = include_str!("documents/person.xml");
    let pack = with("v3-hospital/person.toml", file).unwrap();
    let found = read_as(&pack, "v3-hospital", text).unwrap();
    assert_eq!(found.bins.mapped, found.bins.leaves(), "{:?}", found.bins.first_unmapped);
    assert_eq!(written(&pack, "v3-hospital", &found.record), text);
}

#[test]
fn a_flat_field_has_dates_and_words_of_its_own() {
    let file = r#"dialect = "card"
title = "t"
source = "s"
record = "elder"
rows = [
  { wire = "/name", element = "DE02.01.039.00", as = "name" },
  { wire = "/born", element = "DE02.01.005.01", as = "date", shape = "chinese" },
  { wire = "/died", element = "DE02.01.036.00", as = "date", shape = "slash" },
  { wire = "/on", element = "MZ.date", as = "date", shape = "spaced" },
  { wire = "/twin", element = "MZ.twin", as = "boolean", shape = "chinese" },
  { wire = "/height", element = "MZ.height", as = "quantity" },
  { wire = "/sex", element = "DE02.01.040.00", as = "code", codes = "gb | hl7" },
]
"#;
    let pack = with("papers/elder.toml", file).unwrap();
    let check = |json: serde_json::Value, mapped: u32| {
        let tree = crate::wire::Tree::from_json(&json);
        let found = document::read_json(&pack, ("card", sender()), &tree, None).unwrap().remove(0);
        assert_eq!((found.bins.mapped, found.bins.leaves()), (mapped, mapped), "{json}");
        assert_eq!(document::write_json(&pack, "card", &found.record).to_json(), json);
    };
    let all = serde_json::json!({ "name": "王五", "born": "1949年12月31日", "died": "2026/11/21",
        "on": "2026-11-21 08:30:00", "twin": "是", "height": "165.0", "sex": "M" });
    check(all, 7);
    check(serde_json::json!({ "born": "1950年", "twin": "否", "height": "<7.1" }), 3);
}

#[test]
fn a_file_that_cannot_be_meant_is_refused_by_place() {
    let check = |from: &str, to: &str, expect: &str| {
        assert!(CDA.contains(from), "{from}");
        let faults = with("papers/summary.toml", &CDA.replace(from, to)).map(|_| ()).unwrap_err();
        let shown: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert!(
            shown.iter().any(|fault| fault.starts_with(expect)),
            "{expect} is not in {shown:#?}"
        );
    };
    check(
        "dialect = \"cda\"",
        "dialect = \"cdb\"",
        "papers/summary.toml:1:11: there is no dialect cdb\n  hint: did you mean cda?",
    );
    check(
        "root = \"ClinicalDocument\"\n",
        "",
        "papers/summary.toml:1:11: an XML dialect, and no other, names its root element",
    );
    check(
        "id[@root='1.3']",
        "id[@root=1.3]",
        "papers/summary.toml:21:12: `/recordTarget/patientRole/id[@root=1.3]` is no path",
    );
    check(
        "shape = \"parts\"",
        "shape = \"part\"",
        "papers/summary.toml:23:91: there is no shape part here\n  hint: parts",
    );
    check(
        "as = \"identifier\", kind = \"citizen-id\"",
        "as = \"identifier\"",
        "papers/summary.toml:21:3: an identifier in this dialect needs a kind",
    );
    check(
        "/telecom/*",
        "/telecom/*/x/*",
        "papers/summary.toml:24:12: `*` in the middle of a path needs a group",
    );
    check(
        "wire = \"/typeId/@extension\"",
        "wire = \"/typeId/*\"",
        "papers/summary.toml:12:12: a constant stands in one place",
    );
    check(
        "is = [\"2.1.21\", \"2.1.22\"]",
        "is = []",
        "papers/summary.toml:7:8: a condition names at least one value",
    );
}
