//! Messages good and bad, and what is answered.

use std::time::Instant;

use proptest::prelude::*;

use super::{Header, Limits, Message, Mode, ReadError};
use crate::vocabulary::position::Hl7Position;
use crate::vocabulary::{Fault, Position};
use crate::wire::charset::Charset;

const MSH: &str = "MSH|^~\\&|HIS|A|KQ|B|20261121083000||ADT^A01^ADT_A01|C1|P|2.4";

fn read(body: &[u8]) -> Result<Message, ReadError> {
    Message::read(body, Charset::Gb18030, &Limits::default())
}

fn with_charset(name: &str, rest: &str) -> String {
    format!("{MSH}||||||{name}\r{rest}")
}

/// What the message says at `PID-5`, whether its character set was another, and which it was.
fn check_charset(bytes: &[u8], expected: Result<(&str, bool, Charset), &str>) {
    let outcome = read(bytes).map_err(|error| error.position().unwrap().to_string());
    let name = outcome.as_ref().map(|message| {
        let header = message.header();
        let name = message.segment(*b"PID").unwrap().field(5).unwrap().text().into_owned();
        (name, header.charset_mismatch, header.charset)
    });
    let expected = expected.map(|(name, mismatch, charset)| (name.to_owned(), mismatch, charset));
    assert_eq!(name.map_err(String::as_str), expected);
}

#[test]
fn the_declared_character_set_decides_and_the_senders_default_stands_in() {
    let gbk = |text: &str| Charset::Gb18030.encode(text).unwrap().into_owned();
    let pid = "PID|||||億東^张";
    let utf8 = Charset::Utf8;
    let gb = Charset::Gb18030;
    check_charset(with_charset("UNICODE UTF-8", pid).as_bytes(), Ok(("億東", false, utf8)));
    check_charset(&gbk(&with_charset("GBK", pid)), Ok(("億東", false, gb)));
    check_charset(&gbk(&with_charset("GB 18030-2000~UNICODE UTF-8", pid)), Ok(("億東", false, gb)));
    check_charset(&gbk(&with_charset("", pid)), Ok(("億東", false, gb)));
    check_charset(&gbk(&with_charset("\"\"", pid)), Ok(("億東", false, gb)));
    check_charset(&gbk(&with_charset("UNICODE UTF-8", pid)), Ok(("億東", true, gb)));
    check_charset(&gbk(&with_charset("ASCII", pid)), Ok(("億東", true, gb)));
    check_charset(
        b"MSH|^~\\&|||||||ADT^A01|1||||||||8859/1\rPID|||||M\xFCller",
        Ok(("Müller", false, Charset::Latin1)),
    );
    check_charset(
        with_charset("ASCII", "PID|||||Li").as_bytes(),
        Ok(("Li", false, Charset::Ascii)),
    );
    check_charset(with_charset("BIG-5", "PID|||||Li").as_bytes(), Ok(("Li", true, gb)));
    check_charset(&gbk(&with_charset("BIG-5", pid)), Err("MSH-18"));
    check_charset(
        b"MSH|^~\\&|||||||ADT^A01|1||||||||UNICODE UTF-8\rPID|||||\xFF\xFF",
        Err("byte 54"),
    );
    let marked = ["\u{FEFF}", &with_charset("UNICODE UTF-8", pid)].concat();
    check_charset(marked.as_bytes(), Ok(("億東", false, utf8)));
    let wide = with_charset("UNICODE UTF-16", "PID|||||上下");
    let low: Vec<u8> = wide.encode_utf16().flat_map(u16::to_le_bytes).collect();
    check_charset(&low, Ok(("上下", false, Charset::Utf16Le)));
    let high: Vec<u8> =
        "\u{FEFF}".encode_utf16().chain(wide.encode_utf16()).flat_map(u16::to_be_bytes).collect();
    check_charset(&high, Ok(("上下", false, Charset::Utf16Be)));
}

#[test]
fn chinese_in_utf8_read_by_a_gb18030_default_is_flagged() {
    let body = |name: &str| format!("{MSH}\rPID|||||{name}");
    let flagged = |bytes: &[u8]| read(bytes).map(|message| message.header().charset_mismatch);
    assert_eq!(flagged(body("欧阳娜娜").as_bytes()), Ok(true));
    assert_eq!(flagged(&Charset::Gb18030.encode(&body("欧阳娜娜")).unwrap()), Ok(false));
}

#[test]
fn chinese_declared_as_latin_1_is_read_by_the_senders_default_and_flagged() {
    let check = |body: &[u8], fallback, expect: Result<(&str, bool, Charset), &str>| {
        let found = Message::read(body, fallback, &Limits::default());
        let found = found.map_err(|error| error.position().unwrap().to_string());
        let found = found.as_ref().map(|message| {
            let header = message.header();
            let name = message.segment(*b"PID").unwrap().field(5).unwrap().text();
            (name.into_owned(), header.charset_mismatch, header.charset)
        });
        let expect = expect.map(|(name, mismatch, set)| (name.to_owned(), mismatch, set));
        assert_eq!(found.map_err(String::as_str), expect);
    };
    let (utf8, gb, latin) = (Charset::Utf8, Charset::Gb18030, Charset::Latin1);
    let body = |name: &str| with_charset("8859/1", &format!("PID|||||{name}"));
    check(body("王建平").as_bytes(), utf8, Ok(("王建平", true, utf8)));
    check(&gb.encode(&body("億東")).unwrap(), gb, Ok(("億東", true, gb)));
    // Two that no other candidate reads: the byte that is no character is named.
    check(body("王建平").as_bytes(), latin, Err("byte 82"));
    check(&latin.encode(&body("M\u{fc}ller \u{93}")).unwrap(), utf8, Err("byte 88"));
    // 欧 has no such byte: it is said alone.
    check(body("欧").as_bytes(), utf8, Ok(("æ¬§", true, latin)));
    for name in ["Müller", "Ð°Ñ", "José ½ ©"] {
        check(&latin.encode(&body(name)).unwrap(), utf8, Ok((name, false, latin)));
    }
}

#[test]
fn a_separator_byte_inside_a_facility_name_does_not_hide_msh_18() {
    let text = "MSH|^~\\&|東億|億|KQ|B|||ADT^A01|1|P|2.4||||||GBK\rPID|||||億";
    let message =
        Message::read(&Charset::Gb18030.encode(text).unwrap(), Charset::Utf8, &Limits::default())
            .unwrap();
    assert_eq!(message.header().sending_application, "東億");
    assert!(!message.header().charset_mismatch);
}

fn check_bad(body: &str, fault: Fault, at: &str) {
    let error = read(body.as_bytes()).map(|_| ()).unwrap_err();
    let place = error.position().map(ToString::to_string);
    assert_eq!((error.fault(), place.as_deref()), (fault, Some(at)), "{body:?}");
}

#[test]
fn what_is_no_message_is_refused_by_position() {
    let after = |rest: &str| format!("{MSH}\r{rest}");
    check_bad("", Fault::Malformed, "byte 0");
    check_bad("PID|1\r", Fault::Malformed, "byte 0");
    check_bad("\rMSH|^~\\&|", Fault::Malformed, "byte 0");
    check_bad(&format!("PID{}张三", "|x".repeat(20)), Fault::Malformed, "byte 0");
    check_bad("MSH", Fault::Malformed, "MSH-1");
    check_bad("MSHA^~\\&A", Fault::Malformed, "MSH-1");
    check_bad("MSH|^~&|A", Fault::Malformed, "MSH-2");
    check_bad("MSH||||||A", Fault::Malformed, "MSH-2");
    check_bad("MSH|^~\\&", Fault::RequiredMissing, "MSH-9");
    check_bad("MSH|^~\\&|A|B|C|D|2026||ADT^A01", Fault::RequiredMissing, "MSH-10");
    check_bad("FHS|^~\\&|A", Fault::UnsupportedMessage, "FHS");
    check_bad("BHS|^~\\&|A", Fault::UnsupportedMessage, "BHS");
    check_bad(&after("\rPID|1"), Fault::Malformed, "byte 61");
    check_bad(&after("pid|1"), Fault::Malformed, "byte 61");
    check_bad(&after("PI|1"), Fault::Malformed, "byte 61");
    check_bad(&after(" PID|1"), Fault::Malformed, "byte 61");
    check_bad(&after("MSH|^~\\&|"), Fault::Malformed, "MSH(2)");
    check_bad(&after("PID|1\rABCD|2"), Fault::Malformed, "byte 67");
    check_bad(
        &after("PID|1\r").replace('\r', "\n").replace("PID", "\nPID"),
        Fault::Malformed,
        "byte 61",
    );
}

#[test]
fn a_place_in_a_gb18030_body_counts_its_own_bytes() {
    let text = format!("{MSH}\rPID|||||億東\rpv1|");
    let bytes = Charset::Gb18030.encode(&text).unwrap().into_owned();
    let error = read(&bytes).unwrap_err();
    let at = bytes.windows(3).position(|three| three == b"pv1").unwrap();
    assert_eq!(error.position(), Some(&Position::Byte(at)));
}

#[test]
fn limits_are_met_by_position_and_quickly() {
    let limits = Limits {
        segments_max: 3,
        fields_max: 20,
        repetitions_max: 3,
        parts_max: 8,
        leaves_max: 30,
        leaf_bytes_max: 20,
        message_bytes_max: 400,
    };
    let check = |rest: &str, at: &str| {
        let body = format!("{MSH}\r{rest}");
        let error = Message::read(body.as_bytes(), Charset::Utf8, &limits).unwrap_err();
        let place = error.position().unwrap().to_string();
        assert_eq!((error.fault(), place.as_str()), (Fault::Limit, at), "{rest}");
    };
    check("PV1|1\rPID|1\rPID|2", "PID(2)");
    check(&format!("PID{}x", "|".repeat(21)), "PID-21");
    check("PID|1~2~3~4", "PID-1");
    check("PID||a^b^c^d&e^f^g^h^i", "PID-2");
    check(&format!("PID|{}", "x".repeat(21)), "PID-1.1.1");
    check(&format!("PID|{}\rPV1|{}", "1|".repeat(16), "1|".repeat(5)), "PV1-2.1.1");
    check(&"x".repeat(400), "byte 400");

    let widest = u16::MAX;
    let open = Limits {
        fields_max: widest,
        repetitions_max: widest,
        parts_max: widest,
        leaves_max: 1_000_000,
        ..Limits::default()
    };
    for (separator, at) in [("|", "PID-65535"), ("~", "PID-1"), ("^", "PID-1"), ("&", "PID-1")] {
        let body = format!("{MSH}\rPID|{}x", separator.repeat(70_000));
        let error = Message::read(body.as_bytes(), Charset::Utf8, &open).unwrap_err();
        let place = error.position().unwrap().to_string();
        assert_eq!((error.fault(), place.as_str()), (Fault::Limit, at), "the widest limits");
    }

    let started = Instant::now();
    let many = format!("{MSH}\r{}", "NTE|1\r".repeat(100_000));
    check_bad(&many, Fault::Limit, "NTE(10000)");
    let bare = format!("{MSH}\rPID|{}", "~^&".repeat(300_000));
    check_bad(&bare, Fault::Limit, "PID-1");
    assert!(started.elapsed().as_secs() < 5, "a limit is met before the work is done");
}

#[test]
fn a_message_is_addressed_by_number_and_empty_parts_are_none() {
    let body = format!(
        "{MSH}\rPID|||7^^^A&1.2&ISO^MR~8^^^^NI||张\\F\\三^^&x||19491231\rOBX|1\rOBX|2\rZZZ"
    );
    let message = Message::read(body.as_bytes(), Charset::Utf8, &Limits::default()).unwrap();
    let pid = message.segment(*b"PID").unwrap();
    let identifiers = pid.field(3).unwrap();
    let second = identifiers.repetition(2).unwrap();
    assert_eq!(identifiers.component(4).unwrap().subcomponent(2).unwrap().text(), "1.2");
    assert_eq!((second.component(5).unwrap().text().as_ref(), second.raw()), ("NI", "8^^^^NI"));
    assert_eq!(identifiers.raw(), "7^^^A&1.2&ISO^MR~8^^^^NI");
    assert_eq!(identifiers.component(4).unwrap().raw(), "A&1.2&ISO");
    let name = pid.field(5).unwrap();
    assert_eq!((name.text().as_ref(), name.raw()), ("张|三", "张\\F\\三^^&x"));
    assert_eq!(name.component(3).unwrap().text(), "");
    assert_eq!(name.component(3).unwrap().raw(), "&x");
    assert!(pid.field(4).is_none() && pid.field(99).is_none() && name.component(2).is_none());
    assert_eq!(message.segments().map(|one| one.occurrence()).collect::<Vec<_>>(), [1, 1, 1, 2, 1]);
    let places: Vec<_> = pid.leaves().map(|(at, _)| at.to_string()).collect();
    let expected = [
        "PID-3.1.1",
        "PID-3.4.1",
        "PID-3.4.2",
        "PID-3.4.3",
        "PID-3.5.1",
        "PID-3(2).1.1",
        "PID-3(2).5.1",
        "PID-5.1.1",
        "PID-5.3.2",
        "PID-7.1.1",
    ];
    assert_eq!(places, expected);
    let msh = message.segment(*b"MSH").unwrap();
    assert_eq!((msh.field(1).unwrap().raw(), msh.field(2).unwrap().raw()), ("|", "^~\\&"));
    assert_eq!(msh.field(9).unwrap().component(2).unwrap().text(), "A01");
    assert_eq!(format!("{message:?}"), "Message(Header(ADT^A01 2.4), 5 segments, <masked>)");
}

#[test]
fn a_fifth_encoding_character_shifts_nothing() {
    let body = "MSH|^~\\&#|HIS|A|KQ|B|20261121||ADT^A01^ADT_A01|C1|P|2.7|||AL|NE\r";
    let header = read(body.as_bytes()).unwrap().header().clone();
    assert_eq!((header.sending_application.as_str(), header.control_id.as_str()), ("HIS", "C1"));
    assert_eq!(
        (header.accept_ack, header.application_ack),
        (Some(Mode::Always), Some(Mode::Never))
    );
}

#[test]
fn line_feeds_end_segments_and_are_reported_or_stay_in_the_text() {
    let check = |body: &str, ids: &str, repaired: bool| {
        let message = read(body.as_bytes()).unwrap();
        let found: Vec<_> = message.segments().map(|one| one.position().to_string()).collect();
        assert_eq!(
            (found.join(" ").as_str(), message.line_ends_repaired()),
            (ids, repaired),
            "{body:?}"
        );
    };
    check(&format!("{MSH}\rPID|1\rPV1|1\r"), "MSH PID PV1", false);
    check(&format!("{MSH}\rPID|1\rPV1|1"), "MSH PID PV1", false);
    check(&format!("{MSH}\nPID|1\nPV1|1\n\n"), "MSH PID PV1", true);
    check(&format!("{MSH}\r\nPID|1\r\nPV1|1\r\n"), "MSH PID PV1", true);
    check(&format!("{MSH}\rPID|1\nPV1|1\r"), "MSH PID PV1", true);
    check(&format!("{MSH}\rNTE|1||two\nlines\rPV1|1\r"), "MSH NTE PV1", false);
    let message = read(format!("{MSH}\rNTE|1||two\nlines\rPV1|1\r").as_bytes()).unwrap();
    assert_eq!(message.segment(*b"NTE").unwrap().field(3).unwrap().text(), "two\nlines");
}

#[test]
fn a_broken_body_still_gives_the_header_its_refusal_needs() {
    let salvage = |bytes: &[u8]| Header::salvage(bytes, Charset::Gb18030);
    let header = salvage(format!("{MSH}\rPID|\u{0}").as_bytes()).unwrap();
    assert_eq!((header.control_id.as_str(), header.trigger.as_str()), ("C1", "A01"));
    let header = salvage(b"MSH|^~&|\xFF\xFFA|B|C|D|2026||ADT^A01|77|P|2.3").unwrap();
    assert_eq!((header.control_id.as_str(), header.sending_application.as_str()), ("77", ""));
    assert_eq!(salvage(b"MSH|^~\\&|A|B").unwrap().control_id, "");
    assert!(salvage(b"MSHA^~").is_none() && salvage(b"").is_none() && salvage(b"GET /").is_none());
}

#[test]
fn reading_a_laboratory_report_is_cheap() {
    let mut body =
        format!("{MSH}\rPID|1||110105194912310021^^^^NI~900123^^^H^MR||张^三||19491231|M\r");
    for row in 1..=8 {
        body.push_str(&format!(
            "OBX|{row}|NM|W{row}^白细胞^L^6690-2^WBC^LN||7.1{row}|10*9/L|3.5-9.5|N|||F\r"
        ));
    }
    let started = Instant::now();
    for _ in 0..200 {
        read(body.as_bytes()).unwrap();
    }
    println!("{} bytes: {:?} a message, unoptimised", body.len(), started.elapsed() / 200);
}

/// The structure again, by splitting and nothing else.
fn split_naively(segment: &str, first: u16) -> Vec<(Hl7Position, &str)> {
    let id = *segment.as_bytes().first_chunk().unwrap();
    let mut leaves = Vec::new();
    for (field, text) in (first..).zip(segment.split('|').skip(usize::from(first))) {
        for (repetition, text) in (1..).zip(text.split('~')) {
            for (component, text) in (1..).zip(text.split('^')) {
                for (subcomponent, text) in (1..).zip(text.split('&')) {
                    let at = Hl7Position {
                        repetition,
                        component,
                        subcomponent,
                        ..Hl7Position::field(id, field)
                    };
                    leaves.push((at, text));
                }
            }
        }
    }
    leaves.retain(|(_, text)| !text.is_empty());
    leaves
}

fn sign() -> impl Strategy<Value = u8> {
    prop_oneof![Just(b'|'), Just(b'\r'), Just(b'~'), any::<u8>()]
}

proptest! {
    #[test]
    fn what_hl7_parser_reads_is_what_splitting_gives(rest in r"[|~^&\\a张F. ]{0,60}") {
        let segment = format!("PID|{rest}");
        let message = read(format!("{MSH}||||||UNICODE UTF-8\r{segment}\r").as_bytes()).unwrap();
        let leaves: Vec<_> = message.segment(*b"PID").unwrap().leaves().collect();
        prop_assert_eq!(leaves, split_naively(&segment, 1));
    }

    #[test]
    fn raw_is_what_stands_between_separators(rest in r"[|~^&a张]{0,40}") {
        let segment = format!("PID|{rest}");
        let message = read(format!("{MSH}||||||UNICODE UTF-8\r{segment}\r").as_bytes()).unwrap();
        let fields: Vec<_> = segment.split('|').collect();
        for field in message.segment(*b"PID").unwrap().fields() {
            let expected = fields[usize::from(field.number())];
            prop_assert_eq!(field.raw(), expected);
            let repetitions: Vec<_> = expected.split('~').collect();
            for repetition in field.repetitions() {
                let expected = repetitions[usize::from(repetition.number()) - 1];
                prop_assert_eq!(repetition.raw(), expected);
                let components: Vec<_> = expected.split('^').collect();
                for component in repetition.components() {
                    let expected = components[usize::from(component.number()) - 1];
                    prop_assert_eq!(component.raw(), expected);
                }
            }
        }
    }

    #[test]
    fn no_bytes_make_reading_panic(
        head in prop_oneof![Just(&b"MSH|^~\\&|"[..]), Just(&b"M\0S\0H\0"[..]), Just(&b""[..])],
        bytes in proptest::collection::vec(sign(), 0..120),
    ) {
        let body = [head, &bytes].concat();
        for fallback in [Charset::Gb18030, Charset::Utf8, Charset::Latin1, Charset::Utf16Be] {
            let _ = Header::salvage(&body, fallback);
            if let Err(error) = Message::read(&body, fallback, &Limits::default()) {
                prop_assert!(error.position().is_some());
            }
        }
    }

    #[test]
    fn any_truncation_of_a_message_is_read_or_refused(cut in 0_usize..200) {
        let whole = with_charset("UNICODE UTF-8", "PID|1||7^^^H^MR||张\\T\\三^億||1949\rPV1|1|I\r");
        let cut = cut.min(whole.len());
        let _ = read(&whole.as_bytes()[..cut]);
        let _ = Header::salvage(&whole.as_bytes()[..cut], Charset::Utf8);
    }
}
