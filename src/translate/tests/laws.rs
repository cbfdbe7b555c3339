//! What holds for any input: the bins sum, writing inverts reading, nothing panics.

use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::json::with_elder;
use super::*;

/// Text a sender might write, with separators and escapes among it.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[A-Z0-9]{0,4}",
        2 => prop::sample::select(vec![
            "M", "NI", "VN", "8302-2", "NM", "SN", "CE", "ED", "7.1", "20261121", "张", "\"\"",
            "PRN", "\\T\\", "\\X41\\", "\\", "<", "Y",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,6}".prop_map(|text| text.replace(['\r', '\n'], "")),
    ]
}

fn segment() -> impl Strategy<Value = String> {
    let id = prop::sample::select(vec!["PID", "PV1", "OBR", "OBX", "MRG", "ZZZ"]);
    let separator = prop::sample::select(vec!["|", "|", "|", "^", "~", "&"]);
    let content = prop::collection::vec((separator, piece()), 0..60);
    (id, content).prop_map(|(id, content)| {
        let pieces = content.into_iter().map(|(separator, text)| format!("{separator}{text}"));
        format!("{id}|{}\r", pieces.collect::<String>())
    })
}

proptest! {
    #[test]
    fn the_four_bins_sum_to_the_leaves_of_any_message(
        event in prop::sample::select(vec!["ADT^A01", "ORU^R01", "ADT^A40"]),
        segments in prop::collection::vec(segment(), 0..12),
    ) {
        let text = format!("MSH|^~\\&|A|||D|20261121||{event}|1|P|2.4\r{}", segments.concat());
        let Ok(message) = Message::read(text.as_bytes(), Charset::Utf8, &Limits::default()) else {
            return Ok(());
        };
        if let Ok(found) = pack().read_hl7(sender(), &message) {
            let bins = &found.bins;
            prop_assert_eq!(usize::try_from(bins.leaves()).unwrap(), message.leaves().count());
            let kept = usize::try_from(bins.carried + bins.unmapped).unwrap();
            prop_assert_eq!(found.record.carried.len(), kept);
        }
    }

    #[test]
    fn writing_gives_back_what_two_way_rows_read(document in elder()) {
        let pack = with_elder();
        let found = pack.read_json("civil-json", sender(), &document).unwrap();
        prop_assert_eq!(&pack.write_json("civil-json", &found[0].record), &document);
        prop_assert_eq!(found[0].bins.mapped, found[0].bins.leaves());
    }

    #[test]
    fn any_document_is_counted_or_refused(document in any_json()) {
        let pack = with_elder();
        if let Ok(found) = pack.read_json("civil-json", sender(), &document) {
            let leaves: usize = match document.get("records").and_then(Json::as_array) {
                Some(list) => list.iter().map(leaves).sum(),
                None => leaves(&document),
            };
            let counted: u32 = found.iter().map(|found| found.bins.leaves()).sum();
            prop_assert_eq!(usize::try_from(counted).unwrap(), leaves);
        }
    }
}

/// Documents in which every member has its row.
fn elder() -> impl Strategy<Value = Json> {
    let number = prop_oneof![
        any::<i32>().prop_map(|number| json!(number)),
        (1..9999_i32).prop_map(|number| json!(f64::from(number) / 8.0)),
        Just(json!("7.10")),
        Just(json!("<=0.5")),
    ];
    let text = || "[一-龥a-z0-9]{1,6}";
    let date =
        prop::sample::select(vec!["1949", "1949-12", "1949-12-31", "1949-12-31T08:30:00+08:00"]);
    let elder = (
        text(),
        prop::option::of(prop::sample::select(vec!["M", "F", "A", "?"])),
        prop::option::of(date),
        prop::option::of(any::<bool>()),
        prop::option::of((number, prop::option::of(text()))),
        prop::collection::vec(text(), 0..3),
    );
    let contact = (text(), prop::option::of((any::<bool>(), text())));
    let stay = (text(), prop::collection::vec(text(), 0..3));
    let (contacts, stays) =
        (prop::collection::vec(contact, 0..3), prop::collection::vec(stay, 0..3));
    (elder, contacts, stays).prop_map(
        |((name, sex, born, twin, height, phones), contacts, stays)| {
            let mut elder = Map::new();
            let mut put = |key: &str, value: Option<Json>| {
                value.map(|value| elder.insert(key.to_owned(), value));
            };
            put("name", Some(name.into()));
            put("sex", sex.map(Json::from));
            put("born", born.map(Json::from));
            put("twin", twin.map(Json::from));
            let unit = height.as_ref().and_then(|(_, unit)| unit.clone());
            put("height", height.map(|(number, _)| number));
            put("height_unit", unit.map(Json::from));
            put("phones", (!phones.is_empty()).then(|| phones.into()));
            let mut document = Map::new();
            document.insert("elder".to_owned(), Json::Object(elder));
            let contacts: Vec<_> = contacts
                .into_iter()
                .map(|(name, value)| match value {
                    Some((true, value)) => json!({ "name": name, "type": "phone", "value": value }),
                    Some((false, value)) => {
                        json!({ "name": name, "type": "address", "value": value })
                    }
                    None => json!({ "name": name }),
                })
                .collect();
            let stays: Vec<_> = stays
                .into_iter()
                .map(|(ward, notes)| {
                    let notes: Vec<_> =
                        notes.into_iter().map(|text| json!({ "text": text })).collect();
                    if notes.is_empty() {
                        json!({ "ward": ward })
                    } else {
                        json!({ "ward": ward, "notes": notes })
                    }
                })
                .collect();
            for (key, list) in [("contacts", contacts), ("stays", stays)] {
                if !list.is_empty() {
                    document.insert(key.to_owned(), list.into());
                }
            }
            Json::Object(document)
        },
    )
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        "[a-z0-9]{0,3}".prop_map(Json::from),
    ];
    let name = || {
        let names =
            vec!["elder", "name", "sex", "phones", "contacts", "type", "value", "records", "x"];
        prop::sample::select(names).prop_map(str::to_owned)
    };
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::btree_map(name(), inner, 0..5)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

fn leaves(json: &Json) -> usize {
    match json {
        Json::Null => 0,
        Json::String(text) => usize::from(!text.is_empty()),
        Json::Array(items) => items.iter().map(leaves).sum(),
        Json::Object(members) => members.values().map(leaves).sum(),
        Json::Bool(_) | Json::Number(_) => 1,
    }
}
