//! The engine from outside: files in, records, bins and refusals out.
//!
//! A small pack of invented tables; the shipped one is tested where files may be read.

mod diagnostics;
mod documents;
mod exchange;
mod facts;
mod fhir;
mod hl7;
mod json;
mod laws;
mod overlays;
mod tokens;
mod withdrawn;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::*;
use crate::vocabulary::{ElementId, Field, Value};
use crate::wire::Charset;
use crate::wire::hl7v2::Limits;

const ELEMENTS: &str = r#"title = "t"
source = "s"
rows = [
  { id = "DE02.01.030.00", zh = "身份证件号码", en = "citizen id", value = "identifier" },
  { id = "DE01.00.021.00", zh = "居民健康卡号", en = "card", value = "identifier" },
  { id = "MZ.id.local", zh = "标识", en = "local id", value = "identifier" },
  { id = "MZ.visit", zh = "就诊号", en = "visit", value = "identifier" },
  { id = "DE02.01.039.00", zh = "姓名", en = "name", value = "name" },
  { id = "MZ.doctor", zh = "医师", en = "doctor", value = "name" },
  { id = "DE02.01.005.01", zh = "出生日期", en = "birth date", value = "date" },
  { id = "DE02.01.036.00", zh = "死亡日期", en = "date of death", value = "date" },
  { id = "DE02.01.040.00", zh = "性别", en = "sex", value = "code", domain = "gb" },
  { id = "MZ.home", zh = "地址", en = "address", value = "address" },
  { id = "DE02.01.010.00", zh = "电话", en = "phone", value = "telecom" },
  { id = "MZ.twin", zh = "多胞胎", en = "multiple birth", value = "boolean" },
  { id = "MZ.deceased", zh = "已死亡", en = "deceased", value = "boolean" },
  { id = "MZ.ward", zh = "病区", en = "ward", value = "text" },
  { id = "MZ.class", zh = "类别", en = "patient class", value = "code" },
  { id = "MZ.item", zh = "项目", en = "item", value = "code" },
  { id = "MZ.height", zh = "身高", en = "height", value = "quantity" },
  { id = "MZ.number", zh = "结果数值", en = "number", value = "quantity" },
  { id = "MZ.code", zh = "结果代码", en = "coded result", value = "code" },
  { id = "MZ.text", zh = "结果文本", en = "text result", value = "text" },
  { id = "MZ.date", zh = "结果日期", en = "date result", value = "date" },
  { id = "MZ.note", zh = "备注", en = "note", value = "text" },
  { id = "MZ.age", zh = "年龄", en = "age", value = "quantity" },
  { id = "MZ.born", zh = "出生年", en = "year of birth", value = "date" },
  { id = "MZ.bed", zh = "床位", en = "bed", value = "place" },
  { id = "MZ.referrer", zh = "转诊医师", en = "referring doctor", value = "person" },
  { id = "MZ.laboratory", zh = "实验室", en = "laboratory", value = "organization" },
  { id = "MZ.file", zh = "文件", en = "file", value = "bytes" },
]
"#;

const PID: &str = concat!(
    r#"segment = "PID"
title = "t"
source = "s"
group = "record"
rows = [
  { wire = "PID-3", element = "DE02.01.030.00", as = "identifier", kind = "citizen-id" },
  { wire = "PID-3", element = "DE01.00.021.00", as = "identifier", kind = "health-card" },
  { wire = "PID-3", element = "MZ.id.local", as = "identifier", kind = "local" },
  { wire = "PID-5", element = "DE02.01.039.00", as = "name" },
  { wire = "PID-7", element = "DE02.01.005.01", as = "date" },
  { wire = "PID-8", element = "DE02.01.040.00", as = "code", codes = "gb | hl7", "#,
    r#"unknown = "refuse" },
  { wire = "PID-11", element = "MZ.home", as = "address" },
  { wire = "PID-13", element = "DE02.01.010.00", as = "telecom", "#,
    r#"when = { wire = "PID-13.2", is = ["PRN", ""] } },
  { wire = "PID-24", element = "MZ.twin", as = "boolean" },
  { wire = "PID-29", element = "DE02.01.036.00", as = "date", strict = true },
]
carries = [{ wire = "PID-10", why = "no element" }]
drops = [{ wire = "PID-1", why = "rebuilt" }]
"#
);

const PV1: &str = r#"segment = "PV1"
title = "t"
source = "s"
group = "record"
rows = [
  { wire = "PV1-2", element = "MZ.class", as = "code", required = true },
  { wire = "PV1-3.1", element = "MZ.ward", as = "text" },
  { wire = "PV1-7", element = "MZ.doctor", as = "name", form = "XCN" },
  { wire = "PV1-19", element = "MZ.visit", as = "identifier", kind = "other" },
  { wire = "PV1-6", element = "MZ.bed", as = "place" },
  { wire = "PV1-8", element = "MZ.referrer", as = "person" },
]
"#;

const OBR: &str = r#"segment = "OBR"
title = "t"
source = "s"
group = "order"
rows = [{ wire = "OBR-4", element = "MZ.item", as = "code" }]
"#;

const OBX: &str = concat!(
    r#"segment = "OBX"
title = "t"
source = "s"
group = "result"
parent = "OBR"
rows = [
  { wire = "OBX-3", element = "MZ.item", as = "code" },
  { wire = "OBX-5", element = "MZ.height", as = "quantity", unit = "OBX-6", "#,
    r#"when = { wire = "OBX-3.1", is = ["8302-2"] } },
  { wire = "OBX-5", element = { quantity = "MZ.number", code = "MZ.code", "#,
    r#"text = "MZ.text", date = "MZ.date", bytes = "MZ.file" }, "#,
    r#"as = "observation", unit = "OBX-6" },
  { wire = "OBX-16.1", element = "MZ.referrer", as = "person" },
  { wire = "OBX-23", element = "MZ.laboratory", as = "organization" },
]
drops = [{ wire = "OBX-1", why = "rebuilt" }, { wire = "OBX-2", why = "from the value" }]
"#
);

const MSH: &str = r#"segment = "MSH"
title = "t"
source = "s"
group = "record"
"#;

const MRG: &str = r#"segment = "MRG"
title = "t"
source = "s"
group = "record"
"#;

const ADMIT: &str = r#"events = ["ADT^A01", "ADT^A04"]
title = "t"
source = "s"
record = "admission"
segments = ["MSH", "PID", "[PV1]", "[{OBX}]"]
time = ["PID-29", "MSH-7"]
"#;

const REPORT: &str = r#"event = "ORU^R01"
title = "t"
source = "s"
record = "laboratory-report"
segments = ["MSH", "PID", "{OBR}", "[{OBX}]"]
time = ["MSH-7"]
"#;

const MERGE: &str = r#"event = "ADT^A40"
title = "t"
source = "s"
record = "merge"
segments = ["MSH", "PID", "MRG"]
merge = { from = "MRG-1", into = "PID-3" }
"#;

/// The invented pack, before it is compiled.
fn files() -> Files {
    let mut files = Files::default();
    files.insert("elements/all.toml", ELEMENTS);
    files.insert("codes/gb.csv", "code,zh,en,parent\n1,男,male,\n2,女,female,\n");
    files.insert("codes/hl7.csv", "code,zh,en,parent\nM,男,,\nF,女,,\nA,,,\n");
    files.insert("codes/gb~hl7.csv", "left,right,way\n1,M,both\n2,F,both\n");
    files.insert(
        "hl7v2/identifiers.toml",
        "kinds = { NI = \"citizen-id\", HC = \"health-card\", MR = \"local\", VN = \"other\" }\n",
    );
    let tables = [
        ("msh", MSH),
        ("pid", PID),
        ("pv1", PV1),
        ("obr", OBR),
        ("obx", OBX),
        ("mrg", MRG),
        ("adt_a01", ADMIT),
        ("oru_r01", REPORT),
        ("adt_a40", MERGE),
    ];
    for (stem, text) in tables {
        files.insert(format!("hl7v2/{stem}.toml"), text);
    }
    files
}

fn pack() -> &'static Pack {
    static PACK: LazyLock<Pack> = LazyLock::new(|| Pack::load(&files()).unwrap());
    &PACK
}

fn sender() -> Source {
    Source::parse("hospital-a").unwrap()
}

/// A message of an event; the header stands before the segments given.
fn message(event: &str, segments: &str) -> Message {
    let head = format!("MSH|^~\\&|A|B|C|D|20261121083000||{event}|1|P|2.4\r");
    Message::read((head + segments).as_bytes(), Charset::Utf8, &Limits::default()).unwrap()
}

fn read(event: &str, segments: &str) -> Result<Translation, TranslateError> {
    pack().read_hl7(sender(), &message(event, segments))
}

/// Every value as `position element value`, in the order of the record.
fn shown(record: &Record) -> Vec<String> {
    let line = |field: &Field| {
        let at = field.at.as_ref().map(ToString::to_string).unwrap_or_default();
        let value = match plain::value_to_json(&field.value) {
            // Members by name, whatever order the library keeps.
            serde_json::Value::Object(members) => {
                serde_json::to_string(&members.into_iter().collect::<BTreeMap<_, _>>()).unwrap()
            }
            value => value.to_string(),
        };
        format!("{at} {} {value}", field.element)
    };
    record.fields().map(line).collect()
}
