//! What the loader refuses, by file, line and column.

use super::*;

/// Loading the pack with one file changed ends with exactly these faults.
fn check(path: &str, text: &str, expect: &[&str]) {
    let mut files = files();
    files.insert(path, text);
    let faults = Pack::load(&files).map(|_| ()).err().unwrap_or_default();
    let shown: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(shown, expect, "{text}");
}

/// The same for one row of a segment table; it stands in line 6 from column 3.
fn check_row(row: &str, expect: &[&str]) {
    let head = "segment = \"PV1\"\ntitle = \"t\"\nsource = \"s\"\ngroup = \"record\"\nrows = [\n";
    check("hl7v2/pv1.toml", &format!("{head}  {row}\n]\n"), expect);
}

#[test]
fn an_element_nobody_knows_is_named_where_it_stands() {
    check_row(
        r#"{ wire = "PV1-3", element = "DE02.01.039.0" },"#,
        &["hl7v2/pv1.toml:6:31: there is no element DE02.01.039.0\n  hint: did you mean \
             DE02.01.039.00?"],
    );
    check_row(
        r#"{ wire = "PV1-3", element = "DE77.77.777.77" },"#,
        &["hl7v2/pv1.toml:6:31: there is no element DE77.77.777.77\n  hint: add it to \
             mappings/elements"],
    );
}

#[test]
fn a_path_is_read_or_refused_where_it_stands() {
    check_row(
        r#"{ wire = "PV1-3-1", element = "MZ.ward" },"#,
        &["hl7v2/pv1.toml:6:12: `PV1-3-1` is no path\n  hint: a path is written \
             SEG-field[.component[.subcomponent]], such as PID-3.4.1"],
    );
    check_row(
        r#"{ wire = "PID-3", element = "MZ.ward" },"#,
        &["hl7v2/pv1.toml:6:12: PID-3 is not in segment PV1"],
    );
}

#[test]
fn a_type_must_be_the_elements_own() {
    check_row(
        r#"{ wire = "PV1-3", element = "MZ.ward", as = "date" },"#,
        &["hl7v2/pv1.toml:6:47: MZ.ward holds a text\n  hint: write as = \"text\", or \
             another element"],
    );
    check_row(
        r#"{ wire = "PV1-3", element = "MZ.ward", kind = "local" },"#,
        &["hl7v2/pv1.toml:6:3: only an identifier has a kind"],
    );
    check_row(
        r#"{ wire = "PV1-3", element = "MZ.ward", unit = "PV1-4" },"#,
        &["hl7v2/pv1.toml:6:49: only a quantity has a unit"],
    );
    check_row(
        r#"{ wire = "PV1-3", element = "MZ.ward", codes = "gb" },"#,
        &["hl7v2/pv1.toml:6:50: only a code has code tables"],
    );
    check_row(
        r#"{ wire = "PV1-3", element = { text = "MZ.ward" }, as = "observation" },"#,
        &["hl7v2/pv1.toml:6:12: only OBX-5 is an observation"],
    );
    check_row(
        r#"{ wire = "PV1-3", element = "MZ.ward", as = "word" },"#,
        &["hl7v2/pv1.toml:6:47: unknown variant `word`, expected one of `address`, \
             `boolean`, `bytes`, `code`, `date`, `identifier`, `name`, `observation`, \
             `organization`, `person`, `place`, `quantity`, `telecom`, `text`"],
    );
}

#[test]
fn code_tables_and_their_crosswalk_must_be_there() {
    let row = |codes: &str| {
        format!(r#"{{ wire = "PV1-3", element = "DE02.01.040.00", codes = "{codes}" }},"#)
    };
    check_row(
        &row("gb | hl77"),
        &["hl7v2/pv1.toml:6:57: there is no code table hl77\n  hint: did you mean hl7?"],
    );
    check_row(
        &row("hl7"),
        &["hl7v2/pv1.toml:6:57: DE02.01.040.00 is coded by gb, not by hl7\n  hint: write \
             codes = \"gb | <table of the wire>\""],
    );
    let mut files = files();
    files.insert("codes/own.csv", "code,zh,en,parent\nx,,,\n");
    let text = PV1.replace(
        "element = \"MZ.class\", as = \"code\"",
        "element = \"DE02.01.040.00\", codes = \"gb | own\"",
    );
    files.insert("hl7v2/pv1.toml", text);
    let faults = Pack::load(&files).map(|_| ()).unwrap_err();
    let shown: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["hl7v2/pv1.toml:6:57: there is no crosswalk codes/gb~own.csv"]);
}

#[test]
fn a_crosswalk_of_one_way_is_no_two_way_row() {
    let walk = |rows: &str, way: &str| {
        let mut files = files();
        files.insert("codes/gb~hl7.csv", format!("left,right,way\n{rows}"));
        let text =
            PID.replace("unknown = \"refuse\"", &format!("unknown = \"refuse\", way = \"{way}\""));
        files.insert("hl7v2/pid.toml", text);
        let faults = Pack::load(&files).map(|_| ()).err().unwrap_or_default();
        faults.iter().map(|fault| fault.to_string()).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(walk("1,M,left\n", "in"), "");
    assert!(walk("1,M,left\n", "both").starts_with(
        "hl7v2/pid.toml:11:70: the crosswalk has no way from the element to the wire"
    ));
    assert!(walk("1,M,right\n", "in").starts_with(
        "hl7v2/pid.toml:11:70: the crosswalk has no way from the wire to the element"
    ));
}

#[test]
fn two_rows_never_take_the_same_leaf() {
    let one = r#"{ wire = "PV1-3.1", element = "MZ.ward" },"#;
    check_row(
        &format!("{one}\n  {{ wire = \"PV1-3\", element = \"MZ.note\" }},"),
        &["hl7v2/pv1.toml:7:3: this row can never apply: PV1-3.1 is taken already\n  hint: \
             give the rows before it a `when`, or remove one"],
    );
    let when =
        r#"{ wire = "PV1-3.1", element = "MZ.ward", when = { wire = "PV1-2", is = ["I"] } },"#;
    check_row(&format!("{when}\n  {{ wire = \"PV1-3\", element = \"MZ.note\" }},"), &[]);
    check_row(
        &format!("{one}\n  {{ wire = \"PV1-3\", element = \"MZ.note\", way = \"out\" }},"),
        &["hl7v2/pv1.toml:7:3: this row can never apply: PV1-3.1 is taken already\n  hint: \
             give the rows before it a `when`, or remove one"],
    );
}

#[test]
fn a_two_way_claim_must_be_invertible() {
    let one = r#"{ wire = "PV1-3", element = "MZ.ward" },"#;
    check_row(
        &format!("{one}\n  {{ wire = \"PV1-6\", element = \"MZ.ward\" }},"),
        &["hl7v2/pv1.toml:7:3: MZ.ward is written from two places: PV1-3 and PV1-6\n  hint: \
             write way = \"in\" on one of them"],
    );
    check_row(
        &format!("{one}\n  {{ wire = \"PV1-6\", element = \"MZ.ward\", way = \"in\" }},"),
        &[],
    );
}

#[test]
fn a_key_nobody_knows_and_a_reason_nobody_gave_are_refused() {
    check_row(
        r#"{ wire = "PV1-3", element = "MZ.ward", colour = "red" },"#,
        &["hl7v2/pv1.toml:6:42: unknown field `colour`, expected one of `wire`, `element`, \
             `as`, `kind`, `codes`, `unknown`, `unit`, `when`, `required`, `strict`, `also`, \
             `way`, `form`, `shape`, `system`, `named`, `note`"],
    );
    let text = MSH.to_owned() + "drops = [{ wire = \"MSH-1\", why = \" \" }]\n";
    check("hl7v2/msh.toml", &text, &["hl7v2/msh.toml:5:10: say why"]);
    check(
        "hl7v2/msh.toml",
        &MSH.replace("\"MSH\"", "\"MSA\""),
        &["hl7v2/msh.toml:1:11: a segment table is named after its segment\n  hint: PID \
             stands in pid.toml"],
    );
}

#[test]
fn an_event_names_segments_that_have_tables_and_stands_once() {
    check(
        "hl7v2/adt_a01.toml",
        &ADMIT.replace("\"[PV1]\"", "\"[PV2]\""),
        &["hl7v2/adt_a01.toml:5:27: segment PV2 has no table\n  hint: did you mean PV1?"],
    );
    check(
        "hl7v2/adt_a01.toml",
        &ADMIT.replace("\"[PV1]\"", "\"[PV1\""),
        &["hl7v2/adt_a01.toml:5:27: a segment is written PID, [PID], {PID} or [{PID}]\n  \
             hint: [ ] may be absent, { } may repeat"],
    );
    check(
        "hl7v2/adt_a04.toml",
        &ADMIT.replace("\"ADT^A01\", ", ""),
        &["hl7v2/adt_a04.toml:1:11: event ADT^A04 stands twice"],
    );
    check(
        "hl7v2/adt_a40.toml",
        &MERGE.replace("MRG-1", "PID-3"),
        &["hl7v2/adt_a40.toml:6:9: a row takes PID-3 already\n  hint: identifiers that are \
             merged away are not the record's own"],
    );
}

#[test]
fn every_fault_of_every_file_is_told_at_once() {
    let mut files = files();
    files.insert("hl7v2/pv1.toml", PV1.replace("MZ.", "XX."));
    files.insert("hl7v2/obr.toml", "segment = ");
    let faults = Pack::load(&files).map(|_| ()).unwrap_err();
    let of = |path: &str| faults.iter().filter(|fault| fault.file == path).count();
    assert_eq!((of("hl7v2/pv1.toml"), of("hl7v2/obr.toml"), of("hl7v2/oru_r01.toml")), (6, 1, 0));
}

#[test]
fn a_row_without_an_example_and_an_example_that_fails_are_told() {
    let mut files = files();
    files.insert(
        "hl7v2/obr.toml",
        OBR.to_owned()
            + r#"
[[example]]
title = "an order"
given = "obr.examples/01.hl7"
expect = "obr.examples/01.json"

[[example]]
title = "an order without a patient"
given = "obr.examples/02.hl7"
expect = { fault = "segment-sequence", at = "PID" }
"#,
    );
    let head = "MSH|^~\\&|A|B|C|D|20261121||ORU^R01|1|P|2.4\n";
    files.insert("hl7v2/obr.examples/01.hl7", format!("{head}PID|1\nOBR|1|||A^B\n"));
    files.insert("hl7v2/obr.examples/02.hl7", format!("{head}OBR|1|||A^B\n"));
    let expected = |value: &str| {
        let field = format!(r#"{{"element":"MZ.item","at":"OBR-4","value":{value}}}"#);
        format!(r#"{{"groups":[{{"name":"order","fields":[{field}]}}]}}"#)
    };
    let told = |files: &Files| {
        let faults = Pack::load(files).unwrap().check_examples(files);
        let in_file = faults.into_iter().filter(|fault| fault.file == "hl7v2/obr.toml");
        in_file.map(|fault| fault.to_string()).collect::<Vec<_>>()
    };
    files.insert("hl7v2/obr.examples/01.json", expected(r#"{"code":"A"}"#));
    assert_eq!(told(&files), Vec::<String>::new());
    files.insert("hl7v2/obr.examples/01.json", expected(r#""B""#));
    assert_eq!(
        told(&files),
        [concat!(
            r#"hl7v2/obr.toml:9:9: example `an order`: group 0: "OBR-4" is "#,
            r#"{"code":"A","display":"B"}, not "B""#,
        )]
    );
    files.insert("hl7v2/obr.toml", OBR);
    assert_eq!(
        told(&files),
        ["hl7v2/obr.toml:5:9: no example exercises this row\n  hint: add an example whose \
             message has it"]
    );
}
