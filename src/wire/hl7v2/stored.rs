//! Messages as files hold them: one or several, with any line ends, in a batch or framed.

use std::borrow::Cow;

use bytes::BytesMut;
use tokio_util::codec::Decoder;

use super::decoded::sniff_utf16;
use crate::wire::mllp::Codec;

/// The messages of a file, ready to be framed: CR behind every segment.
///
/// A new message begins at every MSH. Batch envelopes (FHS, BHS, BTS, FTS) are left
/// out; whatever else stands before the first MSH is a message of its own, so that
/// nothing is passed over in silence.
#[must_use]
pub fn messages(file: &[u8]) -> Vec<Cow<'_, [u8]>> {
    if file.first() == Some(&0x0B) {
        return frames(file);
    }
    if sniff_utf16(file).is_some() {
        return vec![Cow::Borrowed(file)];
    }
    let terminator = if file.contains(&b'\r') { b'\r' } else { b'\n' };
    let mut messages: Vec<Vec<u8>> = Vec::new();
    for line in file.split(|byte| *byte == terminator) {
        let line = line.strip_prefix(b"\n").unwrap_or(line);
        let plain = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        if plain.is_empty() || is_envelope(plain) {
            continue;
        }
        match messages.last_mut() {
            Some(message) if !plain.starts_with(b"MSH") => message.extend_from_slice(line),
            _ => messages.push(line.to_vec()),
        }
        if let Some(message) = messages.last_mut() {
            message.push(b'\r');
        }
    }
    messages.into_iter().map(Cow::Owned).collect()
}

fn is_envelope(line: &[u8]) -> bool {
    [b"FHS", b"BHS", b"BTS", b"FTS"].iter().any(|id| line.starts_with(*id))
}

/// Frames as they were captured from a connection; what is no frame comes last, as it is.
fn frames(file: &[u8]) -> Vec<Cow<'_, [u8]>> {
    let (mut codec, mut buffer) = (Codec::new(file.len()), BytesMut::from(file));
    let mut bodies = Vec::new();
    while let Ok(Some(body)) = codec.decode(&mut buffer) {
        bodies.push(Cow::Owned(body.to_vec()));
    }
    if !buffer.is_empty() {
        bodies.push(Cow::Owned(buffer.to_vec()));
    }
    bodies
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &[u8], expected: &[&[u8]]) {
        assert_eq!(messages(file), expected, "{:?}", String::from_utf8_lossy(file));
    }

    #[test]
    fn a_file_gives_its_messages_with_cr_behind_every_segment() {
        check(b"MSH|1\rPID|1\r", &[b"MSH|1\rPID|1\r"]);
        check(b"MSH|1\nPID|1", &[b"MSH|1\rPID|1\r"]);
        check(b"MSH|1\r\nPID|1\r\n\r\nMSH|2\r\n", &[b"MSH|1\rPID|1\r", b"MSH|2\r"]);
        check(b"MSH|1\rNTE|a\nb\r", &[b"MSH|1\rNTE|a\nb\r"]);
        check(b"FHS|1\nBHS|1\nMSH|1\nMSH|2\nBTS|2\nFTS|1\n", &[b"MSH|1\r", b"MSH|2\r"]);
        check(b"odd\nMSH|1\n", &[b"odd\r", b"MSH|1\r"]);
        check(b"\xEF\xBB\xBFMSH|1\n", &[b"\xEF\xBB\xBFMSH|1\r"]);
        check(b"\x0BMSH|1\r\x1C\r\x0BMSH|2\r\x1C\r\n", &[b"MSH|1\r", b"MSH|2\r"]);
        check(b"\x0BMSH|1\r\x1C\r\x0BMSH|2", &[b"MSH|1\r", b"\x0BMSH|2"]);
        check(b"M\0S\0H\0", &[b"M\0S\0H\0"]);
        check(b"", &[]);
    }
}
