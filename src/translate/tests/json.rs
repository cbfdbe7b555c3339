//! JSON dialects: in, out, and what they refuse.

use serde_json::{Value as Json, json};

use super::*;

pub(super) const ELDER: &str = concat!(
    r#"dialect = "civil-json"
title = "t"
source = "s"
record = "elder-registry"
time = "/updated"
groups = { "/contacts/*" = "contact", "/stays/*" = "stay", "/stays/*/notes/*" = "note" }
rows = [
  { wire = "/elder/id", element = "DE02.01.030.00", as = "identifier", kind = "citizen-id" },
  { wire = "/elder/number", element = "MZ.id.local", as = "identifier", kind = "local" },
  { wire = "/elder/name", element = "DE02.01.039.00", as = "name", required = true },
  { wire = "/elder/sex", element = "DE02.01.040.00", as = "code", codes = "gb | hl7" },
  { wire = "/elder/born", element = "DE02.01.005.01", as = "date" },
  { wire = "/elder/twin", element = "MZ.twin", as = "boolean" },
  { wire = "/elder/height", element = "MZ.height", as = "quantity", unit = "/elder/height_unit" },
  { wire = "/elder/phones/*", element = "DE02.01.010.00", as = "telecom" },
  { wire = "/contacts/*/name", element = "DE02.01.039.00", as = "name", required = true },
  { wire = "/contacts/*/value", element = "DE02.01.010.00", as = "telecom", "#,
    r#"when = { wire = "/contacts/*/type", is = ["phone"] } },
  { wire = "/contacts/*/value", element = "MZ.home", as = "address", "#,
    r#"when = { wire = "/contacts/*/type", is = ["address"] } },
  { wire = "/stays/*/ward", element = "MZ.ward", as = "text" },
  { wire = "/stays/*/notes/*/text", element = "MZ.note", as = "text" },
]
carries = [{ wire = "/extra", why = "no element" }]
drops = [{ wire = "/version", why = "of the sender's program" }]
"#
);

/// The invented pack with a dialect of one file.
pub(super) fn with_elder() -> &'static Pack {
    static PACK: LazyLock<Pack> = LazyLock::new(|| {
        let mut files = files();
        files.insert("civil/elder.toml", ELDER);
        Pack::load(&files).unwrap()
    });
    &PACK
}

fn read_one(document: &Json) -> Result<Translation, TranslateError> {
    with_elder().read_json("civil-json", sender(), document).map(|mut found| found.remove(0))
}

fn full() -> Json {
    json!({
        "updated": "2026-11-20T09:00:00+08:00",
        "elder": {
            "id": "11010519491231002X", "number": "7", "name": "王五", "sex": "M",
            "born": "1949-12", "twin": false, "height": 165.5, "height_unit": "cm",
            "phones": ["1", "2"],
        },
        "contacts": [
            { "name": "甲", "type": "phone", "value": "3" },
            { "name": "乙", "type": "address", "value": "杭州市" },
        ],
        "stays": [{ "ward": "W", "notes": [{ "text": "a" }, { "text": "b" }] }, { "ward": "V" }],
    })
}

#[test]
fn a_document_becomes_typed_values_in_groups_and_back() {
    let found = read_one(&full()).unwrap();
    let lines = shown(&found.record);
    let expect = [
        r#"/contacts/0/value DE02.01.010.00 {"parts":[],"text":"3"}"#,
        r#"/contacts/1/value MZ.home {"parts":[],"text":"杭州市"}"#,
        r#"/elder/born DE02.01.005.01 "1949-12""#,
        r#"/elder/height MZ.height {"number":"165.5","unit":"cm"}"#,
        r#"/elder/phones/1 DE02.01.010.00 {"parts":[],"text":"2"}"#,
        r#"/elder/sex DE02.01.040.00 {"code":"1","original":"M","system":"hl7"}"#,
        r#"/elder/number MZ.id.local {"authority":"hospital-a","kind":"local","value":"7"}"#,
        r#"/stays/0/notes/1/text MZ.note "b""#,
    ];
    for line in expect {
        assert!(lines.iter().any(|found| found == line), "{line} is not in {lines:?}");
    }
    let groups: Vec<_> =
        found.record.groups.iter().map(|group| (group.name.as_str(), group.parent)).collect();
    let top = Some(0);
    let expect = [
        ("record", None),
        ("contact", top),
        ("contact", top),
        ("stay", top),
        ("note", Some(3)),
        ("note", Some(3)),
        ("stay", top),
    ];
    assert_eq!(groups, expect);
    assert_eq!(found.bins.mapped, found.bins.leaves());
    assert_eq!(with_elder().write_json("civil-json", &found.record), full());
}

#[test]
fn every_leaf_of_a_document_is_in_one_bin() {
    let document = json!({
        "elder": { "name": "王五", "sex": "Z", "born": "soon", "height": "tall", "phones": [] },
        "extra": { "a": 1, "b": [true, null, ""] }, "version": "3",
        "张三": [{ "x": 1.5 }],
    });
    let found = read_one(&document).unwrap();
    let bins = &found.bins;
    assert_eq!((bins.mapped, bins.carried, bins.dropped, bins.unmapped), (2, 4, 1, 1));
    // A name nobody defined can itself be a value, so the report leaves it out.
    assert_eq!(bins.first_unmapped, [Position::Pointer("/?/0/?".to_owned())]);
    let sex = shown(&found.record).into_iter().find(|line| line.contains("040"));
    assert_eq!(
        sex.as_deref(),
        Some(r#"/elder/sex DE02.01.040.00 {"original":"Z","system":"hl7"}"#)
    );
    let written = with_elder().write_json("civil-json", &found.record);
    assert_eq!(written, json!({ "elder": { "name": "王五", "sex": "Z" } }));
}

#[test]
fn a_number_that_a_number_cannot_say_is_a_string() {
    for (value, number) in [(json!(7), "7"), (json!("7.10"), "7.10"), (json!("<0.5"), "0.5")] {
        let document = json!({ "elder": { "name": "王五", "height": value } });
        let found = read_one(&document).unwrap();
        assert!(shown(&found.record).iter().any(|line| line.contains(number)), "{value}");
        assert_eq!(with_elder().write_json("civil-json", &found.record), document);
    }
    // Said in the other way it would not come back as it was: it is carried.
    let found = read_one(&json!({ "elder": { "name": "王五", "height": "7" } })).unwrap();
    assert_eq!((found.bins.mapped, found.bins.carried), (1, 1));
}

#[test]
fn what_is_required_is_missed_by_its_pointer() {
    let check = |document: Json, at: &str| {
        let error = read_one(&document).unwrap_err();
        assert_eq!(
            (error.fault().row().name, error.at().to_string()),
            ("required-missing", at.to_owned())
        );
    };
    check(json!({ "elder": { "name": "" } }), "/elder/name");
    check(json!({ "elder": { "name": "王五" }, "contacts": [{ "type": "phone" }] }), "/contacts/0");
    check(json!({ "records": [{ "elder": {} }] }), "/records/0/elder/name");
}

#[test]
fn several_files_of_a_dialect_are_told_apart_by_the_dataset() {
    let file = |record: &str, row: &str| {
        format!(
            "dialect = \"platform-json\"\ntitle = \"t\"\nsource = \"s\"\nrecord = \
             \"{record}\"\ntime = \"/time\"\nrows = [{row}]\n"
        )
    };
    let mut files = files();
    files.insert(
        "platform/death.toml",
        file("death", r#"{ wire = "/died", element = "DE02.01.036.00" }"#),
    );
    files.insert("platform/ward.toml", file("ward", r#"{ wire = "/ward", element = "MZ.ward" }"#));
    let pack = Pack::load(&files).unwrap();
    let answer = json!({ "records": [
        { "dataset": "ward", "time": "2026-11-01", "ward": "W" },
        { "dataset": "death", "time": "2026-11-02", "died": "2026-11-01" },
    ] });
    let found = pack.read_json("platform-json", sender(), &answer).unwrap();
    let datasets: Vec<_> = found.iter().map(|found| found.record.dataset.as_str()).collect();
    assert_eq!(datasets, ["ward", "death"]);
    for (index, found) in found.iter().enumerate() {
        assert_eq!(found.bins.mapped, 3);
        assert_eq!(
            Some(&pack.write_json("platform-json", &found.record)),
            answer["records"].get(index)
        );
    }
    for (document, at) in
        [(json!({ "dataset": "x" }), "/dataset"), (json!([1]), "/dataset"), (json!({}), "/dataset")]
    {
        let error = pack.read_json("platform-json", sender(), &document).unwrap_err();
        assert_eq!(
            (error.fault().row().name, error.at().to_string()),
            ("unsupported-message", at.to_owned())
        );
    }
    assert!(pack.read_json("no-such", sender(), &json!({})).is_err());
    assert_eq!(pack.write_json("no-such", &found[0].record), json!({}));
}

#[test]
fn a_hospital_record_is_written_for_civil_affairs() {
    let pack = with_elder();
    let message = message("ADT^A01", "PID|||X1^^^H^NI||李^四||19500101|F|||文三路^^杭州市|||");
    let record = pack.read_hl7(sender(), &message).unwrap().record;
    let expect = json!({
        "updated": "2026-11-21T08:30:00",
        "elder": { "id": "X1", "name": "李四", "sex": "F", "born": "1950-01-01" },
    });
    assert_eq!(pack.write_json("civil-json", &record), expect);
}

#[test]
fn a_dialect_that_cannot_be_inverted_is_refused() {
    let check = |from: &str, to: &str, expect: &str| {
        let mut files = files();
        files.insert("civil/elder.toml", ELDER.replace(from, to));
        let faults = Pack::load(&files).map(|_| ()).unwrap_err();
        let shown: Vec<_> = faults
            .iter()
            .map(|fault| format!("{}:{}: {}", fault.line, fault.column, fault.message))
            .collect();
        assert!(shown.contains(&expect.to_owned()), "{shown:?}");
    };
    check(
        "\"phone\"]",
        "\"phone\", \"mobile\"]",
        "17:3: a two-way condition names exactly one value",
    );
    check(
        "/elder/twin\", element = \"MZ.twin\", as = \"boolean\"",
        "/elder/alias\", element = \"DE02.01.039.00\", as = \"name\"",
        "13:3: DE02.01.039.00 is written from two places",
    );
    check(
        "\"/stays/*/notes/*\" = \"note\"",
        "\"/stays/*/beds/*\" = \"note\"",
        "20:12: `*` in the middle of a path needs a group",
    );
    check(
        "\"/elder/height_unit\"",
        "\"/contacts/*/unit\"",
        "14:76: not in the same item as the value",
    );
    check(
        "/elder/number",
        "/elder/id",
        "9:3: this row can never apply: its place is taken already",
    );
}
