//! Rows are read line by line; what is wrong with one is no other's fault.

use super::*;

const GOOD: &str = "11010519491231002X";

fn read(form: RowForm, pieces: &[&[u8]]) -> Result<Vec<BroughtRow>, InquiryError> {
    let (mut reader, mut rows) = (RowReader::new(form), Vec::new());
    for piece in pieces {
        reader.take(piece, &mut rows)?;
    }
    reader.end(&mut rows)?;
    Ok(rows)
}

/// References, and faults with their places.
fn check(form: RowForm, text: &[u8], expect: &[(&str, Option<(Fault, &str)>)]) {
    // However the bytes arrive, the rows are the same.
    for size in [1, 7, text.len().max(1)] {
        let pieces: Vec<_> = text.chunks(size).collect();
        let rows = read(form, &pieces).unwrap();
        let found: Vec<_> = rows
            .iter()
            .map(|row| {
                let wrong = row.identifier.as_ref().err();
                (row.reference.as_str(), wrong.map(|error| (error.fault, error.at.to_string())))
            })
            .collect();
        let expect: Vec<_> = expect
            .iter()
            .map(|(name, wrong)| (*name, wrong.map(|(fault, at)| (fault, at.to_owned()))))
            .collect();
        assert_eq!(found, expect);
    }
}

#[test]
fn a_table_is_read_row_by_row() {
    let utf8 = RowForm::Csv(Charset::Utf8);
    let wrong = Some((Fault::IdentifierInvalid, "/identifier/value"));
    let text = format!(
        "\u{feff}reference,kind,value\r\nJT-1,citizen-id,{GOOD}\r\n\r\nJT-2,citizen-id,1\r\n\
         \"JT,3\",citizen-id,{GOOD}\n,citizen-id,{GOOD}\nJT-5,local,{GOOD}\nJT-6,x\n\
         \"JT-7,citizen-id,{GOOD}\nJT-8,citizen-id,{GOOD}"
    );
    let expect: &[(&str, Option<(Fault, &str)>)] = &[
        ("JT-1", None),
        ("JT-2", wrong),
        ("JT,3", None),
        ("", Some((Fault::RequiredMissing, "/reference"))),
        ("JT-5", Some((Fault::TableValue, "/identifier/kind"))),
        ("", Some((Fault::Malformed, "/"))),
        ("", Some((Fault::Malformed, "/"))),
        ("JT-8", None),
    ];
    check(utf8, text.as_bytes(), expect);
    let turned = format!("value,reference,kind\n{GOOD},a,citizen-id\n");
    check(utf8, turned.as_bytes(), &[("a", None)]);
    for header in ["reference,kind\n", "reference,kind,value,x\n", "a,b,c\n", "{}\n"] {
        let error = read(utf8, &[header.as_bytes()]).map(|_| ()).unwrap_err();
        assert_eq!((error.fault, error.at.to_string()), (Fault::Malformed, "/header".to_owned()));
    }
}

#[test]
fn a_table_may_be_in_gb18030_if_it_says_so() {
    let form = RowForm::of_media("text/csv; charset=GBK").unwrap();
    let text = format!("reference,kind,value\n老人一,citizen-id,{GOOD}\n");
    let bytes = Charset::Gb18030.encode(&text).unwrap();
    check(form, &bytes, &[("老人一", None)]);
    let utf8 = RowForm::of_media("text/csv").unwrap();
    check(utf8, &bytes, &[("", Some((Fault::CharacterSet, "/")))]);
    for media in ["text/csv; charset=UTF-16", "text/csv; charset=x", "application/json", ""] {
        assert_eq!(RowForm::of_media(media), None, "{media}");
    }
    assert_eq!(RowForm::of_media("Application/X-NDJSON"), Some(RowForm::Ndjson));
}

#[test]
fn objects_are_read_line_by_line() {
    let good = format!(r#"{{"kind":"citizen-id","value":"{GOOD}"}}"#);
    let long = format!(r#"{{"reference":"{}"}}"#, "x".repeat(LINE_BYTES_MAX));
    let text = format!(
        "\u{feff}{{\"reference\":\"a\",\"identifier\":{good}}}\n\n{{\"reference\":\"b\"}}\n[]\n{{\n\
         {long}\n{{\"reference\":\"c\",\"identifier\":{good},\"x\":1}}\n\
         {{\"reference\":\"d\",\"identifier\":{good}}}"
    );
    let expect: &[(&str, Option<(Fault, &str)>)] = &[
        ("a", None),
        ("b", Some((Fault::RequiredMissing, "/identifier"))),
        ("", Some((Fault::DataType, "/"))),
        ("", Some((Fault::Malformed, "byte 0"))),
        ("", Some((Fault::Limit, "/"))),
        ("", Some((Fault::Malformed, "/"))),
        ("d", None),
    ];
    check(RowForm::Ndjson, text.as_bytes(), expect);
}

#[test]
fn no_cell_of_an_answer_is_a_formula() {
    let cells = ["=1+1", "@x", "-1", "plain, \"quoted\""].map(str::to_owned);
    let line = String::from_utf8(record(cells.into())).unwrap();
    assert_eq!(line, "'=1+1,'@x,'-1,\"plain, \"\"quoted\"\"\"\r\n");
}

#[test]
fn a_value_is_one_cell() {
    use serde_json::json;
    for (value, cell) in [
        (json!(true), "true"),
        (json!("2026-11"), "2026-11"),
        (json!({"code": "3", "display": "中度"}), "3"),
        (json!({"code": null, "display": "青霉素"}), "青霉素"),
        (json!({"number": "70", "comparator": ">=", "unit": null}), ">=70"),
        (json!({"present": true}), "present"),
        (json!({"kind": "citizen-id", "value": "x"}), "x"),
    ] {
        assert_eq!(plain(&value), cell);
    }
}
