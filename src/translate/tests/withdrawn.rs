//! What a source takes back or denies is kept, and never read as if it stood.

use super::*;

/// A result, whose status withdraws it.
fn result() -> String {
    let status = concat!(
        r#"withdrawn = [{ wire = "OBX-11", is = ["D", "W"] }]"#,
        "\nrows = [\n",
        r#"  { wire = "OBX-11", element = "MZ.class", as = "code" },"#,
        "\n",
    );
    OBX.replacen("rows = [\n", status, 1)
}

const NOTE: &str = r#"segment = "NTE"
title = "t"
source = "s"
group = "note"
parent = ["OBX", "OBR"]
rows = [{ wire = "NTE-3", element = "MZ.note", as = "text" }]
"#;

fn with_notes() -> Files {
    let mut files = files();
    files.insert("hl7v2/obx.toml", result());
    files.insert("hl7v2/nte.toml", NOTE);
    let report = REPORT.replace("\"[{OBX}]\"", "\"[{OBX}]\", \"[{NTE}]\"");
    files.insert("hl7v2/oru_r01.toml", report);
    files
}

#[test]
fn a_withdrawn_segment_is_carried_with_all_below_it() {
    let pack = Pack::load(&with_notes()).unwrap();
    let lines = [
        "PID|1",
        "OBR|1|||A",
        "NTE|1||of the order",
        "OBX|1|NM|8302-2||165|cm|||||F",
        "NTE|1||of the height",
        "OBX|2|CE|883-9^ABO||A^A\\T\\||||||W",
        "NTE|1||of another patient",
        "OBX|3|ST|x||gone||||||D",
        "OBX|4|NM|y||2||||||F",
        "NTE|1||of the number",
        "OBR|2|||B",
        "NTE|1||of the next order",
    ];
    let message = message("ORU^R01", &(lines.join("\r") + "\r"));
    let found = pack.read_hl7(sender(), &message).unwrap();
    let record = &found.record;
    assert_eq!(
        shown(record),
        [
            r#"OBR-4 MZ.item {"code":"A"}"#,
            r#"NTE-3 MZ.note "of the order""#,
            r#"OBX-3 MZ.item {"code":"8302-2"}"#,
            r#"OBX-5 MZ.height {"number":"165","unit":"cm"}"#,
            r#"OBX-11 MZ.class {"code":"F"}"#,
            r#"NTE(2)-3 MZ.note "of the height""#,
            r#"OBX(4)-3 MZ.item {"code":"y"}"#,
            r#"OBX(4)-5 MZ.number {"number":"2"}"#,
            r#"OBX(4)-11 MZ.class {"code":"F"}"#,
            r#"NTE(4)-3 MZ.note "of the number""#,
            r#"OBR(2)-4 MZ.item {"code":"B"}"#,
            r#"NTE(5)-3 MZ.note "of the next order""#,
        ]
    );
    let parents: Vec<_> = record.groups.iter().map(|group| group.parent).collect();
    let expect = [None, Some(0), Some(1), Some(1), Some(3), Some(1), Some(5), Some(0), Some(7)];
    assert_eq!(parents, expect);
    let of = |place: &str| {
        let own = record.carried.iter().filter(|leaf| leaf.at.to_string().starts_with(place));
        own.map(|leaf| leaf.text.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(of("OBX(2)-"), ["2", "CE", "883-9", "ABO", "A", "A&", "W"]);
    assert_eq!(of("NTE(3)-"), ["1", "of another patient"]);
    assert_eq!(of("OBX(3)-"), ["3", "ST", "x", "gone", "D"]);
    let bins = &found.bins;
    assert_eq!(usize::try_from(bins.leaves()).unwrap(), message.leaves().count());
    assert_eq!(bins.carried, 14);
    assert_eq!(pack.write_back(record).as_deref(), Some(message.text().as_bytes()));
}

#[test]
fn a_withdrawn_segment_still_counts_as_there() {
    let mut files = with_notes();
    let required = REPORT.replace("\"[{OBX}]\"", "\"{OBX}\"");
    files.insert("hl7v2/oru_r01.toml", required);
    let pack = Pack::load(&files).unwrap();
    let read = |segments: &str| pack.read_hl7(sender(), &message("ORU^R01", segments));
    assert!(read("PID|1\rOBR|1|||A\rOBX|1|ST|x||gone||||||D").is_ok());
    assert!(read("PID|1\rOBR|1|||A").is_err());
}

#[test]
fn a_condition_that_can_never_hold_is_refused_where_it_stands() {
    let check = |key: &str, expect: &str| {
        let mut files = files();
        files.insert("hl7v2/obr.toml", format!("{OBR}withdrawn = [{key}]\n"));
        let faults = Pack::load(&files).map(|_| ()).err().unwrap_or_default();
        let shown: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(shown, [expect], "{key}");
    };
    check(
        r#"{ wire = "OBR-4", is = [] }"#,
        "hl7v2/obr.toml:6:14: a condition names at least one value",
    );
    check(
        r#"{ wire = "OBX-11", is = ["D"] }"#,
        "hl7v2/obr.toml:6:14: OBX-11 is not in segment OBR",
    );
    check(
        r#"{ wire = "OBR-25", is = ["X"] }"#,
        "hl7v2/obr.toml:6:14: no row, `carries` or `drops` names OBR-25",
    );
    check(
        r#"{ wire = "OBR-4", is = [""] }"#,
        "hl7v2/obr.toml:6:14: an empty place withdraws nothing",
    );
}

#[test]
fn a_condition_no_example_exercises_is_told() {
    let mut files = files();
    let rest = r#"withdrawn = [{ wire = "OBR-4", is = ["X"] }]
example = [{ title = "t", given = "obr.examples/1.hl7", expect = "obr.examples/1.json" }]
"#;
    files.insert("hl7v2/obr.toml", OBR.to_owned() + rest);
    files.insert("hl7v2/obr.examples/1.json", r#"{"groups":[]}"#);
    let told = |item: &str| {
        let mut files = files.clone();
        let head = "MSH|^~\\&|A|B|C|D|20261121||ORU^R01|1|P|2.4\n";
        files.insert("hl7v2/obr.examples/1.hl7", format!("{head}PID|1\nOBR|1|||{item}\n"));
        let faults = Pack::load(&files).unwrap().check_examples(&files);
        let quiet = faults.into_iter().filter(|fault| fault.message.contains("this condition"));
        quiet
            .map(|fault| format!("{}:{}:{}", fault.file, fault.line, fault.column))
            .collect::<Vec<_>>()
    };
    assert_eq!(told("X"), Vec::<String>::new());
    assert_eq!(told("Y"), ["hl7v2/obr.toml:6:14"]);
}
