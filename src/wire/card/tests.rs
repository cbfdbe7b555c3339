//! What a field holds, and that writing is the inverse of reading.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const LAYOUT: &str = "file,field,title,form,bytes,list,times
DDF1/EF06,name,姓名,text,10,,
DDF1/EF06,sex,性别,code,1,,
DDF1/EF06,born,出生日期,date,4,,
DDF1/EF06,nation,民族,digits,1,,
DDF1/EF08,,支付方式,digits,1,payment,2
DF01/EF06,name,姓名,text,6,contacts,2
DF01/EF06,relation,关系,digits,1,contacts,2
DF02/EF05,asthma,哮喘,flag,1,,
DF02/EF05,other,其他,text,0,,
DF02/EF07,substance,物质,text,6,records,*
";

fn layout() -> Layout {
    Layout::parse("layout.csv", LAYOUT).unwrap()
}

fn check(files: Json, expect: Json) {
    let found = layout().read(&json!({ "files": files }));
    assert_eq!(found.unwrap(), expect);
}

/// `name` in GB 18030, padded to ten bytes.
const NAME: &str = "CDF5D0E3D3A200000000";

#[test]
fn a_field_is_what_its_form_says() {
    check(
        json!({ "DDF1/EF06": format!("{NAME}021948031201") }),
        json!({ "DDF1": { "EF06": { "name": "王秀英", "sex": "2", "born": "1948-03-12",
            "nation": "01" } } }),
    );

    // The digit of a number is the number; a month alone; nothing at all.
    let short = format!("{}32194803FFFF", "20".repeat(10));
    check(
        json!({ "DDF1/EF06": short }),
        json!({ "DDF1": { "EF06": { "sex": "2", "born": "1948-03" } } }),
    );
    check(json!({ "DDF1/EF08": "01FF" }), json!({ "DDF1": { "EF08": { "payment": ["01"] } } }));
    check(
        json!({ "DF02/EF05": "01C7E0C3B9CBD8202020" }),
        json!({ "DF02": { "EF05": { "asthma": "true", "other": "青霉素" } } }),
    );
}

#[test]
fn slots_nobody_wrote_to_are_no_records() {
    let empty = "FF".repeat(6);
    check(
        json!({ "DF02/EF07": ["C7E0C3B9CBD8", empty] }),
        json!({ "DF02": { "EF07": [{ "substance": "青霉素" }] } }),
    );
    let contacts = format!("CDF5C0F6000030{}FF", "00".repeat(6));
    check(
        json!({ "DF01/EF06": contacts }),
        json!({ "DF01": { "EF06": { "contacts": [{ "name": "王丽", "relation": "30" }] } } }),
    );
}

#[test]
fn nothing_that_stands_on_the_card_is_lost() {
    let more = format!("{NAME}021948031201AB");
    let found = layout().read(&json!({ "files": { "DDF1/EF06": more, "DF09/EF01": "0A" } }));
    let found = found.unwrap();
    assert_eq!(found["DDF1"]["EF06"]["rest"], "AB");
    assert_eq!(found["files"]["DF09/EF01"], "0A");
}

#[test]
fn what_cannot_be_read_is_refused_by_position() {
    let refuse = |files: Json, fault, at: &str| {
        let error = layout().read(&json!({ "files": files })).unwrap_err();
        assert_eq!((error.fault, error.at.to_string().as_str()), (fault, at));
    };
    refuse(json!({ "DDF1/EF06": "0" }), Fault::Malformed, "/files/DDF1~1EF06");
    refuse(json!({ "DDF1/EF06": 1 }), Fault::DataType, "/files/DDF1~1EF06");
    refuse(json!({ "DDF1/EF06": "CDF5" }), Fault::Malformed, "/files/DDF1~1EF06/name");
    let broken = "8120".repeat(5);
    refuse(json!({ "DDF1/EF06": broken }), Fault::CharacterSet, "/files/DDF1~1EF06/name");
    refuse(json!({ "DF02/EF07": "00" }), Fault::DataType, "/files/DF02~1EF07");
    let error = layout().write(&json!({ "DDF1": { "EF06": { "name": "王秀英王秀英" } } }));
    assert_eq!(error.unwrap_err().fault, Fault::Limit);
}

#[test]
fn a_faulty_layout_is_refused_by_line() {
    for (row, message) in [
        ("DDF1,a,t,text,1,,", "a file is named as DDF1/EF05"),
        ("DDF1/EF06,a,t,flag,2,,", "a code or a flag is one byte"),
        ("DF03/EF05,a,t,text,2,list,", "a list says how many times"),
        ("DDF1/EF06,a,t,text,2,,", "the fields of a file stand together"),
        ("DF02/EF07,a,t,text,2,,", "a file is cyclic as a whole"),
        ("DDF1/EF06,a,t,bits,2,,", "unknown variant"),
    ] {
        let faults = Layout::parse("layout.csv", &format!("{LAYOUT}{row}\n")).unwrap_err();
        let shown = faults.first().unwrap().to_string();
        assert!(shown.contains(message), "{row}: {shown}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        name in "[\u{4e00}-\u{9fa5}]{1,5}",
        sex in 0_u8..3,
        born in (1900_u16..2100, 1_u8..13, 1_u8..29),
        other in "[a-zA-Z0-9][ -~]{0,8}[a-zA-Z0-9]",
        substances in proptest::collection::vec("[a-z]{1,6}", 1..4),
        asthma: bool,
    ) {
        let born = format!("{:04}-{:02}-{:02}", born.0, born.1, born.2);
        let records: Vec<_> = substances.iter().map(|text| json!({ "substance": text })).collect();
        let document = json!({
            "time": "2026-11-21",
            "DDF1": { "EF06": { "name": name, "sex": sex.to_string(), "born": born } },
            "DF02": { "EF05": { "asthma": asthma.to_string(), "other": other }, "EF07": records },
        });
        let written = layout().write(&document).unwrap();
        prop_assert_eq!(layout().read(&written).unwrap(), document);
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        for file in ["DDF1/EF06", "DDF1/EF08", "DF01/EF06", "DF02/EF05"] {
            let _ = layout().read(&json!({ "files": { file: to_hex(&bytes) } }));
        }
    }
}
