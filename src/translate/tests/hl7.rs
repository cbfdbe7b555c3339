//! HL7 v2 in: what each kind of row makes of its leaves.

use super::*;
use crate::translate::leaf::{Leaf, Leaves};
use crate::translate::path::Hl7Path;
use crate::translate::plan::{FieldPlan, When};
use crate::vocabulary::position::Hl7Position;
use crate::vocabulary::record::Carried;

/// A patient segment of an admission becomes these values, and refuses at this place.
fn check(segments: &str, expect: Result<&[&str], (&str, &str)>) {
    let found = read("ADT^A01", segments);
    let found = found
        .map(|found| shown(&found.record))
        .map_err(|error| (error.fault().row().name, error.at().to_string()));
    let expect = expect
        .map(|lines| lines.iter().map(ToString::to_string).collect::<Vec<_>>())
        .map_err(|(fault, at)| (fault, at.to_owned()));
    assert_eq!(found, expect, "{segments}");
}

#[test]
fn identifiers_go_to_the_row_of_their_kind_and_are_never_guessed() {
    check(
        "PID|||11010519491231002X^^^&1.2^NI~A1^^^H^MR~C1^^^^HC",
        Ok(&[
            concat!(
                r#"PID-3 DE02.01.030.00 {"authority":"1.2","kind":"citizen-id","#,
                r#""parts":["11010519491231002X","","","&1.2","NI"],"type":"NI","#,
                r#""value":"11010519491231002X"}"#,
            ),
            r#"PID-3(2) MZ.id.local {"authority":"H","kind":"local","type":"MR","value":"A1"}"#,
            r#"PID-3(3) DE01.00.021.00 {"kind":"health-card","type":"HC","value":"C1"}"#,
        ]),
    );
    // No type, an unknown type: local, under the sender's own name, whatever it looks like.
    check(
        "PID|||11010519491231002X~Z9^^^^ZZ",
        Ok(&[
            concat!(
                r#"PID-3 MZ.id.local {"authority":"hospital-a","kind":"local","#,
                r#""value":"11010519491231002X"}"#,
            ),
            concat!(
                r#"PID-3(2) MZ.id.local {"authority":"hospital-a","kind":"local","#,
                r#""type":"ZZ","value":"Z9"}"#,
            ),
        ]),
    );
    // A visit number has no row of its own here: it keeps its kind and identifies nobody.
    check(
        "PID|||V1^^^H^VN",
        Ok(&[r#"PID-3 MZ.id.local {"authority":"H","kind":"other","type":"VN","value":"V1"}"#]),
    );
    check(
        "PID|||\rPV1||I|||||||||||||||||V7",
        Ok(&[
            r#"PV1-2 MZ.class {"code":"I"}"#,
            r#"PV1-19 MZ.visit {"authority":"hospital-a","kind":"other","value":"V7"}"#,
        ]),
    );
}

#[test]
fn names_addresses_and_numbers_keep_their_components() {
    check(
        "PID|||||张^三~ZHANG^SAN^^^DR",
        Ok(&[
            r#"PID-5 DE02.01.039.00 {"parts":["张","三"],"text":"张三"}"#,
            r#"PID-5(2) DE02.01.039.00 {"parts":["ZHANG","SAN","","","DR"],"text":"SAN ZHANG"}"#,
        ]),
    );
    check("PID|||||欧阳娜娜", Ok(&[r#"PID-5 DE02.01.039.00 {"parts":[],"text":"欧阳娜娜"}"#]));
    // Subcomponents and the signs that would be mistaken for them.
    check(
        r"PID|||||Smith&van&A\T\B^Jo",
        Ok(&[r#"PID-5 DE02.01.039.00 {"parts":["Smith&van&A\\T\\B","Jo"],"text":"Jo Smith"}"#]),
    );
    check(
        "PID|||||||||||文三路1号^^杭州市^浙江省",
        Ok(&[
            r#"PID-11 MZ.home {"parts":["文三路1号","","杭州市","浙江省"],"text":"浙江省杭州市文三路1号"}"#,
        ]),
    );
    check(
        "PID|||||||||||||^PRN^PH^^86^571^88",
        Ok(&[concat!(
            r#"PID-13 DE02.01.010.00 {"parts":["","PRN","PH","","86","571","88"],"#,
            r#""text":"86-571-88"}"#,
        )]),
    );
    check(
        "PID|||\rPV1||I|||||007^李^四",
        Ok(&[
            r#"PV1-2 MZ.class {"code":"I"}"#,
            r#"PV1-7 MZ.doctor {"parts":["007","李","四"],"text":"李四"}"#,
        ]),
    );
}

#[test]
fn a_code_is_translated_and_its_original_kept() {
    check("PID||||||||M", Ok(&[r#"PID-8 DE02.01.040.00 {"code":"1","original":"M"}"#]));
    check("PID||||||||X", Err(("table-value", "PID-8")));
    // In the wire's table, without counterpart in the element's.
    check("PID||||||||A", Err(("table-value", "PID-8")));
    check(
        "PID|||\rPV1||E^Emergency^L^E1^Alt",
        Ok(&[concat!(
            r#"PV1-2 MZ.class {"code":"E","display":"Emergency","original":"E","#,
            r#""parts":["E","Emergency","L","E1","Alt"],"system":"L"}"#,
        )]),
    );
}

#[test]
fn a_code_of_the_senders_own_system_is_no_code_of_the_table() {
    let mut files = files();
    files.insert("hl7v2/pid.toml", PID.replace(r#"unknown = "refuse""#, r#"unknown = "keep""#));
    let kept = Pack::load(&files).unwrap();
    // HL7 table 0396. What is no local system may be spelled as anybody likes; 99KQ is ours.
    for (system, code) in [("L", None), ("99HOSP", None), ("99", None)]
        .into_iter()
        .chain(["HL70001", "HL7001", "GB", "LN", "99KQ"].map(|system| (system, Some("1"))))
    {
        let message = message("ADT^A01", &format!("PID||||||||M^男^{system}"));
        let record = kept.read_hl7(sender(), &message).unwrap().record;
        let code = code.map_or(String::new(), |code| format!(r#""code":"{code}","#));
        let value = format!(r#"{{{code}"display":"男","original":"M","system":"{system}"}}"#);
        assert_eq!(shown(&record), [format!("PID-8 DE02.01.040.00 {value}")]);
        let own = |leaf: &Carried| leaf.at.to_string().starts_with("PID");
        assert!(!record.carried.iter().any(own), "{system}");
    }
    check("PID||||||||M^男^99HOSP", Err(("table-value", "PID-8")));
}

#[test]
fn where_the_first_coding_is_empty_the_alternate_one_speaks() {
    let check_class = |field: &str, expect: &str| {
        check(&format!("PID|||\rPV1||{field}"), Ok(&[&format!("PV1-2 MZ.class {expect}")]));
    };
    check_class(
        "^^^E1^Alt^99A",
        concat!(
            r#"{"code":"E1","display":"Alt","original":"E1","#,
            r#""parts":["","","","E1","Alt","99A"],"system":"99A"}"#,
        ),
    );
    check_class(
        "^^^^^^^^free text",
        r#"{"display":"free text","original":"","parts":["","","","","","","","","free text"]}"#,
    );
    check_class(
        "^Emergency^L",
        r#"{"display":"Emergency","original":"","parts":["","Emergency","L"],"system":"L"}"#,
    );
}

#[test]
fn people_places_and_organizations_keep_all_their_components() {
    let head = r#"PV1-2 MZ.class {"code":"I"}"#;
    let check_field = |field: &str, expect: &str| {
        check(&format!("PID|||\rPV1||I||||{field}"), Ok(&[head, expect]));
    };
    check_field(
        "2W^201^01^H&1.2&ISO^^^A^2",
        concat!(
            r#"PV1-6 MZ.bed {"parts":["2W","201","01","H&1.2&ISO","","","A","2"],"#,
            r#""text":"H A 2 2W 201 01"}"#,
        ),
    );
    check_field("ICU", r#"PV1-6 MZ.bed {"parts":["ICU"],"text":"ICU"}"#);
    check_field(
        "||D7^李^四^^^^^^H^L",
        concat!(
            r#"PV1-8 MZ.referrer {"parts":["D7","李","四","","","","","","H","L"],"#,
            r#""text":"李四"}"#,
        ),
    );
    check_field("||D7", r#"PV1-8 MZ.referrer {"parts":["D7"],"text":"D7"}"#);
    // In one component of a field its subcomponents are the parts (CNN).
    check(
        "PID|1\rOBX|1|NM|1-1|||||||||||||D7&李&四|||||||检验科^L^3",
        Ok(&[
            r#"OBX-3 MZ.item {"code":"1-1"}"#,
            r#"OBX-16.1 MZ.referrer {"parts":["D7","李","四"],"text":"李四"}"#,
            r#"OBX-23 MZ.laboratory {"parts":["检验科","L","3"],"text":"检验科"}"#,
        ]),
    );
}

#[test]
fn encapsulated_data_become_bytes() {
    let item = r#"OBX-3 MZ.item {"code":"1-1"}"#;
    for (value, expect) in [
        ("^TEXT^PDF^Base64^JVBERg==", Some("JVBERg==")),
        ("^TEXT^PDF^Hex^255044 46", None),
        ("^TEXT^PDF^Hex^25504446", Some("JVBERg==")),
        ("^TEXT^XML^A^<a/>", Some("PGEvPg==")),
        ("^TEXT^PDF^Base64^not base64", None),
    ] {
        let line = expect.map(|bytes| format!(r#"OBX-5 MZ.file {{"bytes":"{bytes}"}}"#));
        let lines: Vec<_> = [item].into_iter().chain(line.as_deref()).collect();
        check(&format!("PID|1\rOBX|1|ED|1-1||{value}"), Ok(&lines));
    }
}

#[test]
fn a_date_keeps_its_precision_and_a_bad_one_is_carried() {
    check("PID|||||||1949", Ok(&[r#"PID-7 DE02.01.005.01 "1949""#]));
    check("PID|||||||19491231", Ok(&[r#"PID-7 DE02.01.005.01 "1949-12-31""#]));
    check("PID|||||||unknown", Ok(&[]));
    let found = read("ADT^A01", "PID|||||||unknown").unwrap();
    assert_eq!(found.record.carried.last().map(|leaf| leaf.text.as_str()), Some("unknown"));
    // A strict row refuses instead.
    check(&format!("PID{}unknown", "|".repeat(29)), Err(("data-type", "PID-29")));
}

#[test]
fn a_required_field_is_missed_by_its_position() {
    check("PID|||1\rPV1||\"\"", Err(("required-missing", "PV1-2")));
    check("PID|||1\rPV1|1||W1", Err(("required-missing", "PV1-2")));
}

#[test]
fn the_explicit_null_is_no_value() {
    check("PID|||||\"\"|||\"\"", Ok(&[]));
}

#[test]
fn yes_and_no_are_read_and_other_words_carried() {
    let field = |text: &str| format!("PID{}{text}", "|".repeat(24));
    check(&field("Y"), Ok(&["PID-24 MZ.twin true"]));
    check(&field("N"), Ok(&["PID-24 MZ.twin false"]));
    check(&field("maybe"), Ok(&[]));
}

#[test]
fn an_observation_is_typed_by_its_own_segment() {
    let item = r#"OBX-3 MZ.item {"code":"1-1"}"#;
    let cases = [
        ("NM", "7.10", r#"OBX-5 MZ.number {"number":"7.10","unit":"mmol/L"}"#),
        ("NM", "<0.5", r#"OBX-5 MZ.number {"comparator":"<","number":"0.5","unit":"mmol/L"}"#),
        ("SN", ">^100", r#"OBX-5 MZ.number {"comparator":">","number":"100","unit":"mmol/L"}"#),
        ("SN", "^1^:^128", r#"OBX-5 MZ.text "1^:^128""#),
        ("NM", "haemolytic", r#"OBX-5 MZ.text "haemolytic""#),
        (
            "CE",
            "A^甲^L",
            r#"OBX-5 MZ.code {"code":"A","display":"甲","original":"A","system":"L"}"#,
        ),
        ("DT", "20261121", r#"OBX-5 MZ.date "2026-11-21""#),
        ("ST", "negative", r#"OBX-5 MZ.text "negative""#),
        ("", "negative", r#"OBX-5 MZ.text "negative""#),
    ];
    for (kind, value, expect) in cases {
        check(&format!("PID|1\rOBX|1|{kind}|1-1||{value}|mmol/L"), Ok(&[item, expect]));
    }
    // Bytes are no text: they are kept without a name.
    check("PID|1\rOBX|1|ED|1-1||^AP^^Base64^AA", Ok(&[item]));
}

#[test]
fn a_row_with_a_condition_comes_before_the_general_one() {
    let item = r#"OBX-3 MZ.item {"code":"8302-2"}"#;
    check(
        "PID|1\rOBX|1|NM|8302-2||165|cm",
        Ok(&[item, r#"OBX-5 MZ.height {"number":"165","unit":"cm"}"#]),
    );
    // What the particular row cannot read falls to the general one.
    check("PID|1\rOBX|1|ST|8302-2||tall", Ok(&[item, r#"OBX-5 MZ.text "tall""#]));
    // A condition on the row's own field means the repetition it stands in.
    check(
        "PID|||||||||||||1^PRN~2^WPN~3",
        Ok(&[
            r#"PID-13 DE02.01.010.00 {"parts":["1","PRN"],"text":"1"}"#,
            r#"PID-13(3) DE02.01.010.00 {"parts":[],"text":"3"}"#,
        ]),
    );
}

#[test]
fn results_stand_under_their_order() {
    let segments = "PID|1\rOBR|1|||A\rOBX|1|NM|x||1\rOBX|2|NM|y||2\rOBR|2|||B\rOBX|1|NM|z||3";
    let record = read("ORU^R01", segments).unwrap().record;
    let groups: Vec<_> =
        record.groups.iter().map(|group| (group.name.to_string(), group.parent)).collect();
    let expect = [
        ("record", None),
        ("order", Some(0)),
        ("result", Some(1)),
        ("result", Some(1)),
        ("order", Some(0)),
        ("result", Some(4)),
    ];
    assert_eq!(groups, expect.map(|(name, parent)| (name.to_owned(), parent)));
    let last = shown(&record).pop();
    assert_eq!(last.as_deref(), Some(r#"OBX(3)-5 MZ.number {"number":"3"}"#));
    // Without an order before it, a result stands under the record itself.
    let record = read("ADT^A01", "PID|1\rOBX|1|NM|x||1").unwrap().record;
    assert_eq!(record.groups.last().and_then(|group| group.parent), Some(0));
}

#[test]
fn every_leaf_is_in_one_bin_and_what_has_no_name_is_kept() {
    let segments = "PID|1||A1^7^M11^H&1.2&ISO^MR|||||||2106-3|||||||||||||||||x\rZZZ|a|b&c";
    let message = message("ADT^A01", segments);
    let found = pack().read_hl7(sender(), &message).unwrap();
    assert_eq!(usize::try_from(found.bins.leaves()).unwrap(), message.leaves().count());
    // All of PID-3; PID-10; PID-1; MSH (8), PID-27, ZZZ.
    let bins = (found.bins.mapped, found.bins.carried, found.bins.dropped);
    assert_eq!(bins, (7, 1, 1));
    let unmapped: Vec<_> = found.bins.first_unmapped.iter().map(ToString::to_string).collect();
    assert!(unmapped.contains(&"ZZZ-2.1.2".to_owned()), "{unmapped:?}");
    let kept = found.record.carried.iter().map(|leaf| leaf.text.as_str());
    assert!(["2106-3", "a", "b", "c"].iter().all(|text| kept.clone().any(|kept| kept == *text)));
}

#[test]
fn a_message_no_file_speaks_of_is_refused_by_its_header() {
    let check = |head: &str, fault: &str, at: &str| {
        let text = format!("MSH|^~\\&|A|B|C|D|20261121||{head}\rPID|1");
        let message = Message::read(text.as_bytes(), Charset::Utf8, &Limits::default()).unwrap();
        let error = pack().read_hl7(sender(), &message).unwrap_err();
        assert_eq!((error.fault().row().name, error.at().to_string()), (fault, at.to_owned()));
    };
    check("ADT^A99|1|P|2.4", "unsupported-event", "MSH-9.2");
    check("ADT|1|P|2.4", "unsupported-event", "MSH-9.2");
    check("MDM^T02|1|P|2.4", "unsupported-message", "MSH-9.1");
    check("ADT^A01|1|X|2.4", "unsupported-processing", "MSH-11.1");
    check("ADT^A01|1|T|2.4", "unsupported-processing", "MSH-11.1");
    check("ADT^A01|1|D^T|2.4", "unsupported-processing", "MSH-11.1");
    check("ADT^A01|1||2.4", "unsupported-processing", "MSH-11.1");
    check("ADT^A01|1|P|3.0", "unsupported-version", "MSH-12.1");
    check("ADT^A01|1|P|2.45", "unsupported-version", "MSH-12.1");
    for version in ["2.1", "2.3.1", "2.5.1", "2.9"] {
        let text = format!("MSH|^~\\&|A|B|C|D|20261121||ADT^A01|1|P^T|{version}\rPID|1");
        let message = Message::read(text.as_bytes(), Charset::Utf8, &Limits::default()).unwrap();
        assert!(pack().read_hl7(sender(), &message).is_ok(), "{version}");
    }
}

#[test]
fn two_patients_in_one_message_are_never_one_person() {
    check("PID|||1\rPID|||2", Err(("segment-sequence", "PID(2)")));
    check("PV1||I", Err(("segment-sequence", "PID")));
}

#[test]
fn the_record_has_the_first_time_that_is_there() {
    let time = |segments| {
        let found = read("ADT^A01", segments).unwrap();
        found.record.time.map(|time| time.to_iso())
    };
    assert_eq!(time("PID|1").as_deref(), Some("2026-11-21T08:30:00"));
    let died = format!("PID{}20261120", "|".repeat(29));
    assert_eq!(time(&died).as_deref(), Some("2026-11-20"));
}

#[test]
fn a_merge_names_whom_it_merges_apart_from_the_record() {
    let found = read("ADT^A40", "PID|||A1^^^H^MR\rMRG|A2^^^H^MR~A3").unwrap();
    let merge = found.merge.unwrap();
    let from: Vec<_> = merge
        .from
        .iter()
        .map(|(identifier, at)| (identifier.value.as_str(), at.to_string()))
        .collect();
    assert_eq!(from, [("A2", "MRG-1".to_owned()), ("A3", "MRG-1(2)".to_owned())]);
    let own = found.record.identifiers().map(|(identifier, _)| identifier.value.as_str());
    assert_eq!(own.collect::<Vec<_>>(), ["A1"]);
    let error = read("ADT^A40", "PID|||A1\rMRG||x").unwrap_err();
    assert_eq!(error.to_string(), "required field MRG-1 is empty");
}

#[test]
fn nothing_a_message_says_is_in_an_error() {
    let error = read("ADT^A01", "PID||||||||SECRET").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("SECRET"));
}

#[test]
fn values_are_typed_as_the_catalogue_says() {
    let segments = "PID|||1||张^三||1949|M|||a^b||^PRN";
    let record = read("ADT^A01", segments).unwrap().record;
    let pack = pack();
    let fits = |field: &Field| {
        let id: ElementId = field.element;
        pack.catalogue().get(id).map(|element| element.value)
            == Some(Value::value_type(&field.value))
    };
    assert!(record.fields().count() >= 6 && record.fields().all(fits));
}

#[test]
fn a_condition_may_ask_how_a_text_begins() {
    let mut files = files();
    let begins = OBX.replace("is = [\"8302-2\"]", "is = [\"8302-2\"], begins = [\"DE04.10.\"]");
    files.insert("hl7v2/obx.toml", begins);
    let pack = Pack::load(&files).unwrap();
    let element = |code: &str| {
        let message = message("ADT^A01", &format!("PID|1\rOBX|1|NM|{code}||165|cm"));
        let record = pack.read_hl7(sender(), &message).unwrap().record;
        shown(&record).last().unwrap().split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(element("8302-2"), "MZ.height");
    assert_eq!(element("DE04.10.167.00"), "MZ.height");
    assert_eq!(element("DE04.30.015.00"), "MZ.number");
    files.insert("hl7v2/obx.toml", OBX.replace("is = [\"8302-2\"]", "begins = [\"\"]"));
    let faults = Pack::load(&files).map(|_| ()).unwrap_err();
    assert!(faults[0].to_string().contains("everything begins with nothing"), "{faults:?}");
}

/// One leaf at a path, all that a condition is asked of.
fn said<'a>(path: &Hl7Path, text: &'a str) -> Leaves<'a> {
    let (component, subcomponent) = (path.component.max(1), path.subcomponent.max(1));
    let at = Hl7Position { component, subcomponent, ..path.position(1, 1) };
    Leaves(vec![Leaf { at, text: text.into(), bin: None, span: 0..0, exact: false }])
}

#[test]
fn a_row_of_the_shipped_tables_holds_just_where_its_own_condition_does() {
    let pack = Pack::load(&exchange::shipped("hl7v2/")).unwrap();
    let mut asked = 0;
    for field in pack.hl7.segments.values().flat_map(|segment| &segment.fields) {
        let whens = || field.rows.iter().filter_map(|row| row.when.as_ref());
        let texts = || whens().flat_map(|when| when.is.iter().chain(&when.begins));
        for path in whens().map(|when| when.path) {
            for text in texts().map(String::as_str).chain(["", "none of them"]) {
                let leaves = said(&path, text);
                let holding = field.holding(&leaves, &leaves.field(field.number));
                for (index, row) in field.rows.iter().enumerate() {
                    let own = |when: &When| {
                        let at = leaves.at(&leaves.field(when.path.field), &when.path);
                        when.holds(at.map_or("", |at| leaves.text(at)))
                    };
                    let expect = row.when.as_ref().is_none_or(own);
                    assert_eq!(holding & FieldPlan::bit(index) != 0, expect, "{path} {text}");
                    asked += 1;
                }
            }
        }
    }
    assert!(asked > 1_000, "{asked}");
}
