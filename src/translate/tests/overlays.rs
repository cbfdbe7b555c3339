//! One sender's habits, and nobody else's.

use super::*;
use crate::vocabulary::Fault;

const HABITS: &str = r#"title = "t"
charset = "GB18030"
authority = "Hospital A"
kinds = { "01" = "citizen-id" }
codes = { "PID-8" = { "男" = "M" }, "PID-24" = { "是" = "Y" } }
repairs = ["iso-dates", "trim"]
"#;

#[test]
fn an_overlay_changes_its_senders_messages_alone() {
    let mut files = files();
    files.insert("senders/hospital-a.toml", HABITS);
    let pack = Pack::load(&files).unwrap();
    let segments = format!("PID|||X^^^^01~9||||1949-12-31|男{}是", "|".repeat(16));
    let message = message("ADT^A01", &segments);
    let record = pack.read_hl7(sender(), &message).unwrap().record;
    assert_eq!(
        shown(&record),
        [
            r#"PID-3 DE02.01.030.00 {"kind":"citizen-id","type":"01","value":"X"}"#,
            r#"PID-3(2) MZ.id.local {"authority":"Hospital A","kind":"local","value":"9"}"#,
            r#"PID-7 DE02.01.005.01 "1949-12-31""#,
            r#"PID-8 DE02.01.040.00 {"code":"1","original":"男"}"#,
            "PID-24 MZ.twin true",
        ]
    );
    assert_eq!(pack.overlay(sender()).charset, Some(Charset::Gb18030));
    let other = Source::parse("hospital-b").unwrap();
    let error = pack.read_hl7(other, &message).unwrap_err();
    assert_eq!(error.to_string(), "PID-8 holds a code its table does not list");
    assert_eq!(pack.overlay(other).charset, None);
}

#[test]
fn a_date_without_its_zeros_is_read_where_the_overlay_mends_dates() {
    let mut files = files();
    files.insert("senders/hospital-a.toml", HABITS);
    let pack = Pack::load(&files).unwrap();
    let read = |date: &str| {
        let message = message("ADT^A01", &format!("PID|||X^^^^01||||{date}"));
        let record = pack.read_hl7(sender(), &message).unwrap().record;
        let born = record.groups[0].fields.iter().find_map(|field| match &field.value {
            Value::Date(date) => Some(date.to_iso()),
            _ => None,
        });
        born.unwrap_or_default()
    };
    for (date, expect) in [
        ("1948-1-1", "1948-01-01"),
        ("1948-11-1", "1948-11-01"),
        ("1948-1", "1948-01"),
        ("2026-10-1 8:05:10", "2026-10-01T08:05:10"),
        ("2026-1-8T8:5:1.5+08:00", "2026-01-08T08:05:01.5+08:00"),
        ("1948-1-32", ""),
        ("194-81-1", ""),
        ("1948--1", ""),
    ] {
        assert_eq!(read(date), expect, "{date}");
    }
}

#[test]
fn a_training_systems_messages_are_applied_where_the_overlay_says_so() {
    let check = |habits: &str, expect: [bool; 5]| {
        let mut files = files();
        files.insert("senders/hospital-a.toml", format!("title = \"t\"\n{habits}"));
        let pack = Pack::load(&files).unwrap();
        let applied = ["P^T", "T", "T^A", "D", ""].map(|processing| {
            let text = format!("MSH|^~\\&|A|B|C|D|20261121||ADT^A01|1|{processing}|2.4\rPID|1");
            let limits = Limits::default();
            let message = Message::read(text.as_bytes(), Charset::Utf8, &limits).unwrap();
            let fault = pack.read_hl7(sender(), &message).map_err(|error| error.fault());
            assert!(matches!(fault, Ok(_) | Err(Fault::UnsupportedProcessing)), "{fault:?}");
            fault.is_ok()
        });
        assert_eq!(applied, expect, "{habits}");
    };
    check("", [true, false, false, false, false]);
    check("processing = [\"T\"]", [true, true, true, false, false]);
    check("processing = [\"D\", \"T\"]", [true, true, true, true, false]);
    let mut files = files();
    files.insert("senders/hospital-a.toml", "title = \"t\"\nprocessing = [\"X\"]");
    let faults = Pack::load(&files).map(|_| ()).unwrap_err();
    let said = faults.first().map(ToString::to_string).unwrap_or_default();
    assert!(said.starts_with("senders/hospital-a.toml:2:15: unknown variant `X`"), "{said}");
}

#[test]
fn an_overlay_speaks_of_what_there_is() {
    let check = |from: &str, to: &str, expect: &str| {
        let mut files = files();
        files.insert("senders/hospital-a.toml", HABITS.replace(from, to));
        let faults = Pack::load(&files).map(|_| ()).unwrap_err();
        assert_eq!(faults.first().map(ToString::to_string).as_deref(), Some(expect));
    };
    check(
        "\"PID-8\"",
        "\"PID-88\"",
        "senders/hospital-a.toml:5:11: no coded row has the path PID-88\n  hint: did you mean \
         PID-8?",
    );
    check(
        "\"GB18030\"",
        "\"EBCDIC\"",
        "senders/hospital-a.toml:2:11: not a character set the gateway reads\n  hint: names \
         of HL7 table 0211, such as UNICODE UTF-8, GB 18030-2000 or 8859/1",
    );
}

const OWN_ROWS: &str = r#"title = "t"
rows = [
  { wire = "PID-19", element = "DE02.01.030.00", as = "identifier", kind = "citizen-id" },
  { wire = "PID-24", element = "MZ.ward", as = "text" },
]
"#;

#[test]
fn a_senders_own_rows_stand_before_those_of_the_table() {
    let mut files = files();
    files.insert("senders/hospital-a.toml", OWN_ROWS);
    let pack = Pack::load(&files).unwrap();
    let segments = format!("PID|||A1{}11010519491231002X|||||Y", "|".repeat(16));
    let message = message("ADT^A01", &segments);
    let read =
        |name: &str| shown(&pack.read_hl7(Source::parse(name).unwrap(), &message).unwrap().record);
    let local = |name: &str| {
        format!(r#"PID-3 MZ.id.local {{"authority":"{name}","kind":"local","value":"A1"}}"#)
    };
    let citizen = r#"PID-19 DE02.01.030.00 {"kind":"citizen-id","value":"11010519491231002X"}"#;
    assert_eq!(
        read("hospital-a"),
        [local("hospital-a"), citizen.to_owned(), "PID-24 MZ.ward \"Y\"".to_owned()]
    );
    assert_eq!(read("hospital-b"), [local("hospital-b"), "PID-24 MZ.twin true".to_owned()]);
    // What no example shows is told, as of any other row.
    let faults = pack.check_examples(&files);
    let quiet = faults.iter().filter(|fault| fault.file == "senders/hospital-a.toml").count();
    assert_eq!(quiet, 2);
}

#[test]
fn a_senders_row_that_cannot_be_is_told_by_its_line() {
    let check = |from: &str, to: &str, expect: &str| {
        let mut files = files();
        files.insert("senders/hospital-a.toml", OWN_ROWS.replace(from, to));
        let faults = Pack::load(&files).map(|_| ()).unwrap_err();
        assert_eq!(faults.first().map(ToString::to_string).as_deref(), Some(expect));
    };
    check(
        "\"PID-19\"",
        "\"ZZZ-19\"",
        "senders/hospital-a.toml:3:12: segment ZZZ has no table\n  hint: write hl7v2/zzz.toml",
    );
    check(
        r#""PID-19", element = "DE02.01.030.00", as = "identifier", kind = "citizen-id""#,
        r#""PID-24", element = "MZ.class", as = "code""#,
        "senders/hospital-a.toml:4:3: this row can never apply: PID-24 is taken already\n  \
         hint: give the rows before it a `when`, or remove one",
    );
}

#[test]
fn a_condition_hears_what_its_sender_writes_for_the_code_it_names() {
    let mut files = files();
    let withdrawn = "withdrawn = [{ wire = \"OBX-3.1\", is = [\"gone\"] }]\nrows = [";
    files.insert("hl7v2/obx.toml", OBX.replacen("rows = [", withdrawn, 1));
    let codes = "codes = { \"OBX-3\" = { \"身高\" = \"8302-2\", \"作废\" = \"gone\" } }\n";
    files
        .insert("senders/hospital-a.toml", format!("title = \"t\"\nrepairs = [\"trim\"]\n{codes}"));
    let pack = Pack::load(&files).unwrap();
    let read = |name: &str, item: &str| {
        let message = message("ADT^A01", &format!("PID|1\rOBX|1|NM|{item}||165|cm"));
        let record = pack.read_hl7(Source::parse(name).unwrap(), &message).unwrap().record;
        shown(&record).last().map(|line| line.split(' ').nth(1).unwrap().to_owned())
    };
    assert_eq!(read("hospital-a", "身高").as_deref(), Some("MZ.height"));
    assert_eq!(read("hospital-a", "8302-2").as_deref(), Some("MZ.height"));
    assert_eq!(read("hospital-b", "身高").as_deref(), Some("MZ.number"));
    for withdrawn in ["作废", "gone", " gone "] {
        assert_eq!(read("hospital-a", withdrawn), None, "{withdrawn}");
    }
    assert_eq!(read("hospital-b", "作废").as_deref(), Some("MZ.number"));
}

#[test]
fn a_local_code_is_read_where_its_senders_overlay_spells_it() {
    let mut files = files();
    let codes = "codes = { \"PID-8\" = { \"9\" = \"M\" } }\n";
    files.insert("senders/hospital-a.toml", format!("title = \"t\"\n{codes}"));
    let pack = Pack::load(&files).unwrap();
    let found = pack.read_hl7(sender(), &message("ADT^A01", "PID||||||||9^男^99HIS")).unwrap();
    let line =
        r#"PID-8 DE02.01.040.00 {"code":"1","display":"男","original":"9","system":"99HIS"}"#;
    assert_eq!(shown(&found.record), [line]);
    // Another receiver reads no overlay: it is told the code of the table.
    let mut record = found.record;
    record.wire = None;
    let fresh = pack.write_hl7(&record, &Envelope::default()).unwrap();
    assert!(String::from_utf8(fresh).unwrap().contains("\rPID|1|||||||M^男|"));
}
