//! What a source veiled itself: read without a value, refused by its place.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use super::*;
use crate::identity::linkage::{Demographics, Traits, Veil};
use crate::translate::Form;
use crate::translate::form::{Limits, Unread};
use crate::vocabulary::Fault;

fn line() -> Json {
    let veil = Veil::new(&[3; 32]);
    let who = Demographics { names: vec!["李秀兰".to_owned()], ..Demographics::default() };
    let tokens = STANDARD.encode(veil.traits(&who).to_bytes());
    let (by, number) = (veil.fingerprint().to_string(), Veil::new(&[4; 32]).number("A1"));
    serde_json::json!({ "veil": by, "number": number, "tokens": tokens })
}

fn check(line: &Json, expect: Result<usize, (Fault, &str)>) {
    let unit = (Form::Tokens, Source::parse("home-a").unwrap());
    let bytes = line.to_string();
    let read = pack().read(unit, bytes.as_bytes(), &Limits::default());
    let found = read.map(|found| found.iter().map(|one| one.record.fields().count()).sum());
    let expect = expect
        .map_err(|(fault, at)| Unread::malformed(fault, Some(Position::Pointer(at.to_owned()))));
    assert_eq!(found, expect);
}

#[test]
fn a_line_holds_tokens_and_a_number_nobody_can_read() {
    check(&line(), Ok(1));
    let with = |key: &str, value: Json| {
        let mut line = line();
        line[key] = value;
        line
    };
    let many = Traits { phones: vec![1; 5], ..Traits::default() };
    for (line, fault, at) in [
        (with("veil", "x".into()), Fault::DataType, "/veil"),
        (with("number", "A1".into()), Fault::DataType, "/number"),
        (with("number", "11010519491231002X".into()), Fault::DataType, "/number"),
        (with("number", 7.into()), Fault::DataType, "/number"),
        (with("tokens", "李秀兰".into()), Fault::DataType, "/tokens"),
        (with("tokens", "AAAA".into()), Fault::DataType, "/tokens"),
        (with("tokens", "A".repeat(70_000).into()), Fault::Limit, "/tokens"),
        (with("tokens", STANDARD.encode(many.to_bytes()).into()), Fault::Limit, "/tokens"),
        (with("name", "李秀兰".into()), Fault::Malformed, ""),
        (serde_json::json!({ "veil": "00f1e2d3c4b5a697" }), Fault::RequiredMissing, "/number"),
    ] {
        check(&line, Err((fault, at)));
    }
}
