//! What a file holds, and what goes back of it; no sockets.

use bytes::Bytes;

use super::*;
use crate::wire::{Charset, json::Limits};

fn pieces(name: &str, text: &str) -> Result<Pieces, Fault> {
    split::split(name, &Bytes::copy_from_slice(text.as_bytes()), (5, &Limits::default()))
}

fn shown_units(pieces: &Pieces) -> Vec<String> {
    pieces.units.iter().map(|unit| String::from_utf8_lossy(unit).into_owned()).collect()
}

#[test]
fn a_file_is_what_the_ending_of_its_name_says() {
    let check = |name, text, form, expect: &[&str]| {
        let found = pieces(name, text).unwrap();
        assert_eq!(
            (found.form, shown_units(&found)),
            (form, expect.iter().map(ToString::to_string).collect())
        );
    };
    check("a.csv", "h\n1\n2\n", Form::CivilCsv, &["h\n1\n", "h\n2\n"]);
    check("a.JSON", "{\"records\":[{},{\"a\":1}]}", Form::CivilJson, &["{}", "{\"a\":1}"]);
    check("a.jsonl", "{\"a\":1}\r\n\n{}", Form::CivilJson, &["{\"a\":1}", "{}"]);
    check("a.card", "{}\n", Form::Card, &["{}"]);
    check("a.xml", "<ClinicalDocument/>", Form::Cda, &["<ClinicalDocument/>"]);
    check("a.xml", "<subsidy-payment/>", Form::CivilXml, &["<subsidy-payment/>"]);
    let list = "<records xmlns=\"urn:x\"><!-- c --><a><b>1</b></a><a/></records>";
    let found = pieces("a.xml", list).unwrap();
    assert_eq!(found.units.len(), 2);
    assert!(shown_units(&found)[0].contains("<a xmlns=\"urn:x\">"), "{:?}", shown_units(&found));
    for (name, text, fault) in [
        ("a.pdf", "%PDF", Fault::UnsupportedMedia),
        ("a", "x", Fault::UnsupportedMedia),
        ("a.csv", "h\n", Fault::Malformed),
        ("a.jsonl", "\n\n", Fault::Malformed),
        ("a.jsonl", "1\n1\n1\n1\n1\n1\n", Fault::Limit),
    ] {
        assert_eq!(pieces(name, text).unwrap_err(), fault, "{name}");
    }
    assert!(pieces("a.xml", "<records>").is_err());
}

#[test]
fn a_batch_is_its_messages_whatever_ends_the_lines() {
    let batch = "FHS|^~\\&\rBHS|^~\\&\rMSH|1\rPID|1\rMSH|2\rBTS|2\rFTS|1\r";
    for ends in ["\r", "\n", "\r\n"] {
        let found = pieces("a.hl7", &batch.replace('\r', ends)).unwrap();
        assert_eq!(shown_units(&found), ["MSH|1\rPID|1", "MSH|2"]);
        assert_eq!(found.announced, Some(2));
    }
    let bare = pieces("a.hl7", "PID|lost\rMSH|1\r").unwrap();
    assert_eq!(shown_units(&bare), ["PID|lost", "MSH|1"], "nothing is passed over");
    assert_eq!(bare.announced, None);
}

fn reject(unit: usize, fault: Fault, at: &str) -> Reject {
    let at = Some(Position::Pointer(at.to_owned()));
    Reject { unit, state: State::Quarantined, fault, at, diagnostic: None }
}

#[test]
fn a_table_comes_back_with_its_own_columns_and_what_is_wrong() {
    let text = "姓名,级别,_fault\n甲,\"a,b\",old\n乙,c,old\n";
    let bytes = Bytes::from(encoding_rs::GB18030.encode(text).0.into_owned());
    let found = split::split("a.csv", &bytes, (5, &Limits::default())).unwrap();
    let rejects = [reject(0, Fault::TableValue, "/级别"), reject(1, Fault::DataType, "/a/0/b")];
    let (written, ending) = rejects::write(&found, &rejects, None).unwrap();
    let text = encoding_rs::GB18030.decode(&written).0.into_owned();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!((ending, lines.len()), ("csv", 3));
    assert_eq!(lines[0], "姓名,级别,_row,_state,_fault,_at,_remedy_zh,_remedy_en");
    assert!(lines[1].starts_with("甲,\"a,b\",1,quarantined,table-value,级别,"), "{}", lines[1]);
    assert!(lines[2].starts_with("乙,c,2,quarantined,data-type,a.1.b,"), "{}", lines[2]);
    // Mended and sent again, it is a table of the same columns.
    assert_eq!(
        split::split("b.csv", &written.into(), (5, &Limits::default())).unwrap().units.len(),
        2
    );
    assert!(rejects::write(&found, &[], Some(Charset::Utf8)).is_none());
}

#[test]
fn documents_come_back_as_documents() {
    let found = pieces("a.jsonl", "{\"a\":1}\nnonsense\n").unwrap();
    let rejects = [reject(0, Fault::TableValue, "/a"), reject(1, Fault::Malformed, "")];
    let (written, ending) = rejects::write(&found, &rejects, None).unwrap();
    let lines = String::from_utf8(written).unwrap();
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((ending, &lines[0]["a"]), ("jsonl", &json!(1)));
    assert_eq!(lines[0]["_rejected"]["fault"], "table-value");
    assert_eq!(lines[1]["_text"], "nonsense");
    let list = "<records><a><b>1</b></a><a><b>2</b></a></records>";
    let found = pieces("a.xml", list).unwrap();
    let (written, _) = rejects::write(&found, &[reject(1, Fault::TableValue, "/b")], None).unwrap();
    let text = String::from_utf8(written).unwrap();
    assert!(text.contains("<!-- 2: quarantined, table-value /b; "), "{text}");
    assert_eq!(pieces("b.xml", &text).unwrap().units.len(), 1);
    let batch = pieces("a.hl7", "MSH|1\rPID|1\rMSH|2\r").unwrap();
    let (written, _) = rejects::write(&batch, &[reject(0, Fault::Malformed, "")], None).unwrap();
    assert_eq!(written, b"MSH|1\rPID|1\r");
}
