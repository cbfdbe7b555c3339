//! Escape sequences, both ways.
//!
//! Standard: HL7 v2.4 section 2.9. `\F\ \S\ \T\ \R\ \E\ \P\` stand for separators and
//! `\Xdd…\` for bytes in the message's character set. What says how text looks or
//! switches character sets (`\H\ \N\ \.br\ \Cxxyy\ \Mxxyyzz\ \Zdd\`) and what nobody
//! knows is kept as it came: nothing is lost, nothing is guessed.

use std::borrow::Cow;

use super::separators::Separators;
use crate::wire::charset::Charset;

/// Reads the escape sequences of one leaf.
#[must_use]
pub fn unescape<'a>(raw: &'a str, separators: &Separators, charset: Charset) -> Cow<'a, str> {
    let escape = char::from(separators.escape);
    let Some((before, mut rest)) = raw.split_once(escape) else { return Cow::Borrowed(raw) };
    let mut text = String::with_capacity(raw.len());
    text.push_str(before);
    // Each turn stands right after an opening escape character.
    loop {
        let Some((name, after)) = rest.split_once(escape) else {
            text.push(escape);
            text.push_str(rest);
            return Cow::Owned(text);
        };
        let Some(next) = sequence(name, separators, charset, &mut text) else {
            // No sequence begins here, so the character stands for itself and
            // the next one may open a sequence of its own.
            text.push(escape);
            text.push_str(name);
            rest = after;
            continue;
        };
        let after = if next == Read::Verbatim {
            text.push(escape);
            text.push_str(name);
            text.push(escape);
            after
        } else {
            after
        };
        let Some((before, remaining)) = after.split_once(escape) else {
            text.push_str(after);
            return Cow::Owned(text);
        };
        text.push_str(before);
        rest = remaining;
    }
}

#[derive(PartialEq, Eq)]
enum Read {
    Decoded,
    Verbatim,
}

/// Reads one sequence into `text`, or says that its name is none.
fn sequence(
    name: &str,
    separators: &Separators,
    charset: Charset,
    text: &mut String,
) -> Option<Read> {
    let sign = match name {
        "F" => separators.field,
        "S" => separators.component,
        "T" => separators.subcomponent,
        "R" => separators.repetition,
        "E" => separators.escape,
        "P" => match separators.truncation {
            Some(sign) => sign,
            None => return Some(Read::Verbatim),
        },
        "H" | "N" => return Some(Read::Verbatim),
        _ => return longer(name, charset, text),
    };
    text.push(char::from(sign));
    Some(Read::Decoded)
}

fn longer(name: &str, charset: Charset, text: &mut String) -> Option<Read> {
    let kind = name.chars().next()?;
    let parameter = name.get(kind.len_utf8()..)?;
    let digits = !parameter.is_empty() && parameter.bytes().all(|b| b.is_ascii_hexdigit());
    match kind {
        'X' if digits => {
            if let Some(bytes) = bytes_of(parameter)
                && let Ok(decoded) = charset.decode(&bytes)
            {
                text.push_str(&decoded);
                return Some(Read::Decoded);
            }
            Some(Read::Verbatim)
        }
        'C' | 'M' | 'Z' if digits => Some(Read::Verbatim),
        '.' => Some(Read::Verbatim),
        _ => None,
    }
}

fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    let (pairs, odd) = digits.as_bytes().as_chunks::<2>();
    let pair = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    if odd.is_empty() { pairs.iter().map(pair).collect() } else { None }
}

/// Writes a text so that reading it gives the same text: separators, CR and LF are escaped.
#[must_use]
pub fn escape<'a>(text: &'a str, separators: &Separators, charset: Charset) -> Cow<'a, str> {
    if !text.bytes().any(|byte| name_of(byte, separators).is_some()) {
        return Cow::Borrowed(text);
    }
    let mark = char::from(separators.escape);
    let mut raw = String::with_capacity(text.len() + 8);
    for sign in text.chars() {
        let name = u8::try_from(u32::from(sign)).ok().and_then(|byte| name_of(byte, separators));
        match name {
            None => raw.push(sign),
            Some('X') => {
                let mut buffer = [0; 4];
                let bytes = charset.encode_lossy(sign.encode_utf8(&mut buffer)).into_owned();
                raw.push(mark);
                raw.push('X');
                raw.extend(bytes.iter().map(|byte| format!("{byte:02X}")));
                raw.push(mark);
            }
            Some(name) => raw.extend([mark, name, mark]),
        }
    }
    Cow::Owned(raw)
}

fn name_of(byte: u8, separators: &Separators) -> Option<char> {
    Some(match byte {
        // Nearly every byte: all separators are ASCII punctuation.
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | 0x80.. => return None,
        b'\r' | b'\n' => 'X',
        _ if byte == separators.field => 'F',
        _ if byte == separators.component => 'S',
        _ if byte == separators.subcomponent => 'T',
        _ if byte == separators.repetition => 'R',
        _ if byte == separators.escape => 'E',
        _ if Some(byte) == separators.truncation => 'P',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(raw: &str, text: &str) {
        assert_eq!(unescape(raw, &Separators::default(), Charset::Utf8), text);
    }

    #[test]
    fn sequences_stand_for_separators_and_bytes() {
        check(r"plain", "plain");
        check(r"张\F\三", "张|三");
        check(r"浙江省\T\杭州", "浙江省&杭州");
        check(r"体温39\S\2\R\\E\", r"体温39^2~\");
        check(r"\X41\\X0D\\XE5BCA0\", "A\r张");
        check(r"\F\\F\", "||");
    }

    #[test]
    fn what_is_not_understood_is_kept_as_it_came() {
        for raw in [
            r"\H\bold\N\",
            r"a\.br\b",
            r"\.sp3\",
            r"\Zff\",
            r"\C2842\",
            r"\M2442\",
            r"open\F",
            r"\",
            r"\\",
            r"\X4\",
            r"\XFF\",
            r"\X\",
            r"a\b",
            r"\张\",
            r"\Zfoo\",
            r"\P\",
            r"C:\dir\x",
        ] {
            check(raw, raw);
        }
        check(r"\H\F\N\", r"\H\F\N\");
        check(r"C:\dir\F\", r"C:\dir|");
    }

    #[test]
    fn bytes_are_read_in_the_character_set_of_the_message() {
        let read = |raw, charset| unescape(raw, &Separators::default(), charset).into_owned();
        assert_eq!(read(r"\X837C\", Charset::Gb18030), "億");
        assert_eq!(read(r"\X837C\", Charset::Utf8), r"\X837C\");
        assert_eq!(read(r"\X000D\", Charset::Utf16Be), "\r");
    }

    #[test]
    fn the_truncation_character_has_a_name_only_where_it_is_declared() {
        let separators = Separators { truncation: Some(b'#'), ..Separators::default() };
        assert_eq!(unescape(r"1\P\2", &separators, Charset::Utf8), "1#2");
        assert_eq!(escape("1#2", &separators, Charset::Utf8), r"1\P\2");
    }

    proptest! {
        #[test]
        fn what_is_escaped_comes_back(text in r"[|^~\\&#\r\n张億FSTREXHN0-9a-f.]{0,30}") {
            let plain = Separators::default();
            for separators in [plain, Separators { truncation: Some(b'#'), ..plain }] {
                for charset in [Charset::Utf8, Charset::Gb18030, Charset::Utf16Le] {
                    let raw = escape(&text, &separators, charset);
                    prop_assert!(!raw.contains(['|', '^', '~', '&', '\r', '\n']));
                    prop_assert_eq!(unescape(&raw, &separators, charset), text.as_str());
                }
            }
        }

        #[test]
        fn no_text_makes_unescaping_panic_or_grow(raw in r"[\\XFSC.0-9张a-f]{0,40}") {
            let text = unescape(&raw, &Separators::default(), Charset::Utf8);
            prop_assert!(text.len() <= raw.len());
        }
    }
}
