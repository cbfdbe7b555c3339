//! Which values are special, as a table.

use super::tests::shipped;
use crate::vocabulary::record::{Field, Group};
use crate::vocabulary::{
    Coding, Dataset, ElementId, GroupName, Identifier, IdentifierKind, Record, Source, Value,
};

/// The special classes of a value, by name.
fn classes(marks: super::special::Marks, set: &super::PolicySet) -> Vec<&'static str> {
    let names = [
        "protected-infection",
        "mental",
        "reproductive",
        "source-restricted",
        "tumour",
        "hepatitis",
        "tuberculosis",
        "diabetes",
    ];
    let special = set.shared.special.classes();
    assert_eq!(special.iter().map(ToString::to_string).collect::<Vec<_>>(), names);
    let bits = names.into_iter().enumerate().filter(|(index, _)| marks.0 & (1 << index) != 0);
    bits.map(|(_, name)| name).collect()
}

fn code(code: &str) -> Value {
    Value::Code(Coding { code: Some(code.to_owned()), display: None, original: None })
}

#[test]
fn a_value_is_special_by_its_code_or_its_words() {
    let set = shipped();
    let check = |value: Value, expect: &[&str]| {
        assert_eq!(classes(set.shared.special.mark_value(&value), set), expect);
    };
    let text = |text: &str| Value::Text(text.to_owned());
    check(code("B20.100"), &["protected-infection"]);
    check(code("b24"), &["protected-infection"]);
    check(code("A53.9"), &["protected-infection"]);
    check(code("F20.9"), &["mental"]);
    check(code("F03"), &["mental"]);
    check(code("O80"), &["reproductive"]);
    check(code("I10.x05"), &[]);
    check(code("B19.9"), &["hepatitis"]);
    // Drugs and tests by their codes: olanzapine, a combination against HIV, an HIV test.
    check(code("N05AH03"), &["mental"]);
    check(code("j05ar20"), &["protected-infection"]);
    check(code("7918-6"), &["protected-infection"]);
    check(code("17918-6"), &[]);
    check(code("4548-4"), &["diabetes"]);
    check(code("C09AA02"), &[]);
    check(code("F"), &[]);
    check(text("梅毒螺旋体抗体（TPPA）"), &["protected-infection"]);
    check(text("hiv-1 抗体初筛"), &["protected-infection"]);
    check(text("SHIVER"), &[]);
    check(text("精神分裂症"), &["mental"]);
    check(text("富马酸喹硫平片"), &["mental"]);
    check(text("人工流产后"), &["reproductive"]);
    check(text("高血压病2级"), &[]);
    check(Value::Boolean(true), &[]);
    // A clerk writes what he knows where there is room.
    let line = crate::vocabulary::value::Composite::line;
    check(Value::Name(line("测试甲（精神病）")), &["mental"]);
    check(Value::Address(line("郑州市精神卫生中心3号楼")), &["mental"]);
    check(Value::Telecom(line("13900000000 HIV")), &["protected-infection"]);
    check(Value::Address(line("郑州市金水区测试路17号")), &[]);
}

/// A number may say by its letters who gave it, but no word is read out of a token.
#[test]
fn a_number_is_special_by_a_word_and_not_by_chance() {
    let set = shipped();
    for (number, expect) in [
        ("HIV2026017", &["protected-infection"][..]),
        ("HIV-3f2a9c0e", &["protected-infection"]),
        ("HIV1A0017", &["protected-infection"]),
        ("3f2a9c0e/TP-AB001", &["protected-infection"]),
        ("CD4-0017", &["protected-infection"]),
        ("性病a1b2", &["protected-infection"]),
        ("4dad886a6a877e050488ef430521803bd30cd43d6c958c694688d107526eba86", &[]),
        ("bed7521d539fe9c2-b0c3cb7e2c1765cb-e9f364cd4", &[]),
        ("0017", &[]),
    ] {
        let value = Value::Identifier(Identifier::new(IdentifierKind::Local, number));
        let marks = set.shared.special.mark_value(&value);
        assert_eq!(classes(marks, set), expect, "{number}");
    }
}

/// What stands in one repeating group is told together, so it is hidden together; the
/// top group is not, for its conclusion must not vanish with a note.
#[test]
fn a_special_value_marks_its_group_and_what_stands_below_it() {
    let set = shipped();
    let field = |value| Field { element: ElementId::parse("MZ.x").unwrap(), value, at: None };
    let group =
        |name, parent, fields| Group { name: GroupName::parse(name).unwrap(), parent, fields };
    let record = Record {
        dataset: Dataset::parse("laboratory-report").unwrap(),
        source: Source::parse("hospital-a").unwrap(),
        time: None,
        groups: vec![
            group("record", None, vec![field(Value::Text("既往梅毒".to_owned()))]),
            group("order", Some(0), vec![field(Value::Text("HIV 抗体".to_owned()))]),
            group("result", Some(1), vec![field(Value::Boolean(false))]),
            group("order", Some(0), vec![field(Value::Text("血常规".to_owned()))]),
        ],
        carried: Vec::new(),
        wire: None,
        mappings: String::new(),
    };
    let marks = set.shared.special.mark(&record);
    let found: Vec<_> = marks.into_iter().map(|marks| classes(marks, set).len()).collect();
    assert_eq!(found, [0, 1, 1, 0]);
}

/// What its source marks as confidential is so as far as the mark reaches.
#[test]
fn a_mark_of_the_source_reaches_its_group_or_the_whole_record() {
    let set = shipped();
    let reached = |groups: Vec<(&str, Vec<(&str, Value)>)>| {
        let record = super::tests::record(("admission", "hospital-a"), "20260101", groups);
        let marks = set.shared.special.mark(&record);
        let restricted = |marks| classes(marks, set).contains(&"source-restricted");
        marks.into_iter().map(restricted).collect::<Vec<_>>()
    };
    let yes = || Value::Boolean(true);
    let plain = || ("diagnosis", vec![("DE05.01.024.00", code("I10"))]);
    let marked = || ("diagnosis", vec![("MZ.diagnosis.confidential", yes())]);
    assert_eq!(reached(vec![("record", vec![]), plain(), marked()]), [false, false, true]);
    let protected = vec![("MZ.encounter.protected", yes())];
    assert_eq!(reached(vec![("record", protected), plain()]), [true, true]);
    let open = vec![("MZ.encounter.protected", Value::Boolean(false))];
    assert_eq!(reached(vec![("record", open), plain()]), [false, false]);
    let document = vec![("MZ.document.confidentiality", code("R"))];
    assert_eq!(reached(vec![("record", vec![]), ("document", document), plain()]), [true; 3]);
    let usual = vec![("MZ.document.confidentiality", code("N"))];
    assert_eq!(reached(vec![("record", usual), plain()]), [false, false]);
}
