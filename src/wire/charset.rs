//! 字符集, strict decoding and encoding of the character sets a message may be in.
//!
//! Strict means: a malformed sequence is an error with its offset, never U+FFFD.
//! GBK and GB2312 are read and written as GB18030, whose four-byte forms they lack:
//! a rare character of a name is never lost on the way back.

use std::borrow::Cow;

use encoding_rs::{DecoderResult, EncoderResult};
use serde::{Deserialize, Deserializer, Serialize};

/// A character set the gateway reads and writes.
///
/// In files an operator writes, any spelling [`Charset::from_hl7`] knows will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Charset {
    /// Seven bits.
    #[serde(rename = "ASCII")]
    Ascii,
    /// GB 18030-2005 with the 2022 changes, and with it GBK and GB 2312.
    #[serde(rename = "GB18030")]
    Gb18030,
    /// ISO/IEC 8859-1; 0x80 to 0x9F are control characters, not those of windows-1252.
    #[serde(rename = "8859/1")]
    Latin1,
    /// UTF-16, high byte first.
    #[serde(rename = "UTF-16BE")]
    Utf16Be,
    /// UTF-16, low byte first.
    #[serde(rename = "UTF-16LE")]
    Utf16Le,
    /// UTF-8, with or without a byte order mark.
    #[serde(rename = "UTF-8")]
    Utf8,
}

impl<'de> Deserialize<'de> for Charset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<str>::deserialize(deserializer)?;
        Self::from_hl7(&name).ok_or_else(|| {
            serde::de::Error::custom(
                "not a supported character set: UTF-8, GB18030, GBK, GB2312, 8859/1, ASCII, UTF-16",
            )
        })
    }
}

/// Why bytes are not text, or text cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CharsetError {
    /// The bytes from this offset on are not in the character set.
    #[error("byte {0} is not in the character set")]
    Malformed(usize),
    /// The character at this byte of the UTF-8 text has no form in the character set.
    #[error("the character at byte {0} cannot be written in the character set")]
    Unmappable(usize),
}

/// Names of HL7 table 0211 and those real senders use, their letters and digits alone.
const SPELLINGS: &[(&[&str], Charset)] = &[
    // Table 0211 deprecates the bare name; whoever still sends it sends UTF-8.
    (&["UNICODEUTF8", "UTF8", "UNICODE"], Charset::Utf8),
    (
        &[
            "GB18030",
            "GB180302000",
            "GB180302005",
            "GB180302022",
            "GBK",
            "CP936",
            "GB2312",
            "GB23121980",
            "EUCCN",
        ],
        Charset::Gb18030,
    ),
    (&["ASCII", "USASCII", "ISOIR6"], Charset::Ascii),
    (&["88591", "ISO88591", "LATIN1", "ISOIR100"], Charset::Latin1),
    (&["UNICODEUTF16", "UTF16", "UTF16BE"], Charset::Utf16Be),
    (&["UTF16LE"], Charset::Utf16Le),
];

impl Charset {
    /// The character set of one name in MSH-18, or of a configured default.
    ///
    /// Standard: HL7 table 0211, with the spellings real senders use.
    #[must_use]
    pub fn from_hl7(name: &str) -> Option<Self> {
        let signs = || name.bytes().filter(u8::is_ascii_alphanumeric);
        let spelled = |known: &str| signs().map(|sign| sign.to_ascii_uppercase()).eq(known.bytes());
        let known = SPELLINGS.iter().find(|(names, _)| names.iter().any(|known| spelled(known)));
        known.map(|(_, charset)| *charset)
    }

    /// Its name in HL7 table 0211.
    #[must_use]
    pub const fn hl7_name(self) -> &'static str {
        match self {
            Self::Ascii => "ASCII",
            Self::Gb18030 => "GB 18030-2000",
            Self::Latin1 => "8859/1",
            Self::Utf16Be | Self::Utf16Le => "UNICODE UTF-16",
            Self::Utf8 => "UNICODE UTF-8",
        }
    }

    /// Whether a byte below 0x80 at the start of a character always is that ASCII character.
    #[must_use]
    pub const fn extends_ascii(self) -> bool {
        !matches!(self, Self::Utf16Be | Self::Utf16Le)
    }

    /// Decodes strictly; one leading byte order mark of its own is left out.
    ///
    /// # Errors
    /// [`CharsetError::Malformed`] with the offset of the first byte that does not fit.
    pub fn decode(self, bytes: &[u8]) -> Result<Cow<'_, str>, CharsetError> {
        match self {
            Self::Ascii => match bytes.iter().position(|byte| !byte.is_ascii()) {
                Some(at) => Err(CharsetError::Malformed(at)),
                None => utf8(bytes, 0),
            },
            Self::Gb18030 => gb18030(bytes),
            Self::Latin1 => Ok(encoding_rs::mem::decode_latin1(bytes)),
            Self::Utf16Be => utf16(bytes, u16::from_be_bytes).map(Cow::Owned),
            Self::Utf16Le => utf16(bytes, u16::from_le_bytes).map(Cow::Owned),
            Self::Utf8 => match bytes.strip_prefix(b"\xEF\xBB\xBF") {
                Some(rest) => utf8(rest, 3),
                None => utf8(bytes, 0),
            },
        }
    }

    /// Encodes strictly, without a byte order mark.
    ///
    /// # Errors
    /// [`CharsetError::Unmappable`] with the offset of the first character it lacks.
    pub fn encode(self, text: &str) -> Result<Cow<'_, [u8]>, CharsetError> {
        if text.is_ascii() && self.extends_ascii() {
            return Ok(Cow::Borrowed(text.as_bytes()));
        }
        match self {
            Self::Ascii => narrow(text, 0x7F).map(Cow::Owned),
            Self::Gb18030 => gb18030_bytes(text).map(Cow::Owned),
            Self::Latin1 => narrow(text, 0xFF).map(Cow::Owned),
            Self::Utf16Be => Ok(text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
            Self::Utf16Le => Ok(text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
            Self::Utf8 => Ok(Cow::Borrowed(text.as_bytes())),
        }
    }

    /// Encodes what can be encoded and writes `?` for the rest.
    #[must_use]
    pub fn encode_lossy(self, text: &str) -> Cow<'_, [u8]> {
        self.encode(text).unwrap_or_else(|_| {
            let mut bytes = Vec::with_capacity(text.len());
            for sign in text.chars() {
                let mut buffer = [0; 4];
                match self.encode(sign.encode_utf8(&mut buffer)) {
                    Ok(encoded) => bytes.extend_from_slice(&encoded),
                    Err(_) => bytes.push(b'?'),
                }
            }
            Cow::Owned(bytes)
        })
    }
}

fn utf8(bytes: &[u8], skipped: usize) -> Result<Cow<'_, str>, CharsetError> {
    std::str::from_utf8(bytes)
        .map(Cow::Borrowed)
        .map_err(|error| CharsetError::Malformed(skipped + error.valid_up_to()))
}

fn gb18030(bytes: &[u8]) -> Result<Cow<'_, str>, CharsetError> {
    if bytes.is_ascii() {
        return utf8(bytes, 0);
    }
    let mut decoder = encoding_rs::GB18030.new_decoder_without_bom_handling();
    let room = decoder.max_utf8_buffer_length_without_replacement(bytes.len()).unwrap_or(0);
    let mut text = String::with_capacity(room);
    match decoder.decode_to_string_without_replacement(bytes, &mut text, true) {
        (DecoderResult::InputEmpty, _) => Ok(Cow::Owned(text)),
        (DecoderResult::Malformed(length, extra), read) => {
            let after = usize::from(length) + usize::from(extra);
            Err(CharsetError::Malformed(read.saturating_sub(after)))
        }
        // The string has room for the longest possible outcome, so this does not happen.
        (DecoderResult::OutputFull, read) => Err(CharsetError::Malformed(read)),
    }
}

fn gb18030_bytes(text: &str) -> Result<Vec<u8>, CharsetError> {
    let mut encoder = encoding_rs::GB18030.new_encoder();
    let room = encoder.max_buffer_length_from_utf8_without_replacement(text.len()).unwrap_or(0);
    let mut bytes = Vec::with_capacity(room);
    match encoder.encode_from_utf8_to_vec_without_replacement(text, &mut bytes, true) {
        (EncoderResult::InputEmpty, _) => Ok(bytes),
        (EncoderResult::Unmappable(sign), read) => {
            Err(CharsetError::Unmappable(read.saturating_sub(sign.len_utf8())))
        }
        (EncoderResult::OutputFull, read) => Err(CharsetError::Unmappable(read)),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, CharsetError> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let marked = pairs.first().is_some_and(|pair| unit(*pair) == 0xFEFF);
    let skipped = usize::from(marked);
    let mut text = String::with_capacity(bytes.len());
    let mut at = skipped * 2;
    for decoded in char::decode_utf16(pairs.iter().skip(skipped).map(|pair| unit(*pair))) {
        let sign = decoded.map_err(|_| CharsetError::Malformed(at))?;
        at += sign.len_utf16() * 2;
        text.push(sign);
    }
    if odd.is_empty() { Ok(text) } else { Err(CharsetError::Malformed(at)) }
}

fn narrow(text: &str, highest: u32) -> Result<Vec<u8>, CharsetError> {
    text.char_indices()
        .map(|(at, sign)| match u8::try_from(u32::from(sign)) {
            Ok(byte) if u32::from(byte) <= highest => Ok(byte),
            _ => Err(CharsetError::Unmappable(at)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(charset: Charset, bytes: &[u8], text: Result<&str, usize>) {
        let decoded = charset.decode(bytes);
        assert_eq!(decoded.as_deref(), text.map_err(CharsetError::Malformed).as_deref());
    }

    #[test]
    fn malformed_bytes_are_named_by_their_offset() {
        check(Charset::Utf8, "姓名".as_bytes(), Ok("姓名"));
        check(Charset::Utf8, b"\xEF\xBB\xBFa", Ok("a"));
        check(Charset::Utf8, b"ab\xD5\xC5", Err(2));
        check(Charset::Utf8, b"\xEF\xBB\xBFa\xFF", Err(4));
        check(Charset::Ascii, b"ab\x80", Err(2));
        check(Charset::Latin1, b"M\xFCller \x80", Ok("Müller \u{80}"));
        check(Charset::Gb18030, b"\xD5\xC5|", Ok("张|"));
        check(Charset::Gb18030, b"ab\xD5", Err(2));
        check(Charset::Gb18030, b"abc\xFF\xFF", Err(3));
        check(Charset::Utf16Be, b"\xFE\xFF\x5F\x20", Ok("张"));
        check(Charset::Utf16Le, b"\x20\x5F", Ok("张"));
        check(Charset::Utf16Be, b"\0a\xD8\0\0a", Err(2));
        check(Charset::Utf16Be, b"\0a\0", Err(2));
    }

    #[test]
    fn characters_whose_second_byte_is_a_separator_come_back_whole() {
        for (sign, second) in [("億", b'|'), ("東", b'|'), ("俓", b'^'), ("亅", b'|'), ("僞", b'~')]
        {
            let bytes = Charset::Gb18030.encode(sign).unwrap().into_owned();
            assert!(bytes.len() == 2 && bytes[1].is_ascii_punctuation(), "{sign} {second}");
            assert_eq!(Charset::Gb18030.decode(&bytes).unwrap(), sign);
        }
    }

    #[test]
    fn a_rare_character_is_never_lost_even_where_gbk_lacks_it() {
        for (sign, size) in [("\u{3447}", 2), ("\u{20087}", 4), ("\u{2B81D}", 4), ("\u{30EDE}", 4)]
        {
            let bytes = Charset::from_hl7("GBK").unwrap().encode(sign).unwrap().into_owned();
            assert_eq!(
                (bytes.len(), Charset::Gb18030.decode(&bytes).unwrap().as_ref()),
                (size, sign)
            );
        }
    }

    #[test]
    fn table_0211_is_read_however_it_is_spelled() {
        let cases = [
            ("UNICODE UTF-8", Some(Charset::Utf8)),
            ("utf8", Some(Charset::Utf8)),
            ("GB 18030-2000", Some(Charset::Gb18030)),
            ("GBK", Some(Charset::Gb18030)),
            ("GB2312", Some(Charset::Gb18030)),
            ("8859/1", Some(Charset::Latin1)),
            ("UNICODE UTF-16", Some(Charset::Utf16Be)),
            ("ASCII", Some(Charset::Ascii)),
            ("BIG-5", None),
            ("8859/15", None),
            ("", None),
        ];
        for (name, charset) in cases {
            assert_eq!(Charset::from_hl7(name), charset, "{name}");
        }
        for charset in [Charset::Ascii, Charset::Gb18030, Charset::Latin1, Charset::Utf8] {
            assert_eq!(Charset::from_hl7(charset.hl7_name()), Some(charset));
        }
    }

    #[test]
    fn an_operator_may_spell_a_character_set_as_a_sender_may() {
        let read = |name: &str| serde_json::from_value::<Charset>(name.into());
        assert_eq!(read("GB2312").unwrap(), Charset::Gb18030);
        assert_eq!(read("UTF-16LE").unwrap(), Charset::Utf16Le);
        assert!(read("BIG-5").unwrap_err().to_string().starts_with("not a supported"));
        for charset in [Charset::Ascii, Charset::Gb18030, Charset::Latin1, Charset::Utf16Be] {
            let name = serde_json::to_value(charset).unwrap();
            assert_eq!(serde_json::from_value::<Charset>(name).unwrap(), charset);
        }
    }

    #[test]
    fn what_a_character_set_lacks_is_refused_or_marked() {
        assert_eq!(Charset::Latin1.encode("aü张"), Err(CharsetError::Unmappable(3)));
        assert_eq!(Charset::Ascii.encode("aü"), Err(CharsetError::Unmappable(1)));
        assert_eq!(Charset::Latin1.encode_lossy("aü张").as_ref(), b"a\xFC?");
    }

    proptest! {
        #[test]
        fn any_text_comes_back_from_every_unicode_character_set(text in "\\PC*") {
            for charset in [Charset::Gb18030, Charset::Utf16Be, Charset::Utf16Le, Charset::Utf8] {
                // Private-use code points that GB18030 gave to real characters since are no text.
                let Ok(bytes) = charset.encode(&text) else { continue };
                let back = charset.decode(&bytes).unwrap();
                // One leading mark is no text.
                let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text);
                let back = back.strip_prefix('\u{FEFF}').unwrap_or(&back);
                prop_assert_eq!(back, text);
            }
        }

        #[test]
        fn no_bytes_make_decoding_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            for charset in [Charset::Ascii, Charset::Gb18030, Charset::Latin1, Charset::Utf16Be,
                Charset::Utf16Le, Charset::Utf8] {
                if let Err(CharsetError::Malformed(at)) = charset.decode(&bytes) {
                    prop_assert!(at < bytes.len());
                }
            }
        }
    }
}
