//! Syslog, one message and its frame.
//!
//! Standards: RFC 5424 (the message), RFC 5425 section 4.3 (over TLS its length is before it).

/// What stands before the text of a message.
#[derive(Debug, Clone, Copy)]
pub struct Header<'a> {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Who says it: a host's name, or what stands for one.
    pub host: &'a str,
    /// Which program.
    pub program: &'a str,
    /// Of which kind it is.
    pub kind: &'a str,
}

/// Facility 10 (security) and severity 5 (notice), RFC 5424 section 6.2.1: what IHE ITI-20 wants.
const PRIORITY: u8 = 10 * 8 + 5;

/// A text in UTF-8 says so by this, RFC 5424 section 6.4.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Puts a message with its length behind what is there already.
pub fn frame(header: Header<'_>, text: &str, out: &mut Vec<u8>) {
    let Header { at_ms, host, program, kind } = header;
    let at = chrono::DateTime::from_timestamp_millis(at_ms).unwrap_or_default();
    let at = at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let [host, program, kind] =
        [(host, 255), (program, 48), (kind, 32)].map(|(word, most)| plain(word, most));
    let message = format!("<{PRIORITY}>1 {at} {host} {program} - {kind} - {BYTE_ORDER_MARK}{text}");
    out.extend_from_slice(message.len().to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(message.as_bytes());
}

/// A word of a header: printable ASCII without a space, of a length; `-` for none.
fn plain(word: &str, most: usize) -> String {
    let sign = |sign: char| if sign.is_ascii_graphic() { sign } else { '_' };
    let word: String = word.chars().take(most).map(sign).collect();
    if word.is_empty() { "-".to_owned() } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_counts_octets_and_a_header_keeps_its_shape() {
        for (host, text, expected) in [
            ("h", "x", "<85>1 2026-11-30T01:00:00.007Z h kangqiao - K - \u{feff}x"),
            ("", "康", "<85>1 2026-11-30T01:00:00.007Z - kangqiao - K - \u{feff}康"),
            ("a b\n康", "", "<85>1 2026-11-30T01:00:00.007Z a_b__ kangqiao - K - \u{feff}"),
        ] {
            let header = Header { at_ms: 1_796_000_400_007, host, program: "kangqiao", kind: "K" };
            let mut out = b"before".to_vec();
            frame(header, text, &mut out);
            let expected = format!("before{} {expected}", expected.len());
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
