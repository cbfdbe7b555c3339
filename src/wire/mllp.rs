//! MLLP frames: a start block, the body, an end block and a carriage return.
//!
//! Standard: HL7 v2.4 appendix C, minimal lower layer protocol.
//!
//! After an error the connection cannot be trusted to be in step: whoever drives
//! the codec answers once and closes, and the sender starts again on a new one.
//! The buffer is left as it stood, so that an answer can quote the message's own id.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

use crate::vocabulary::Fault;

const START: u8 = 0x0B;
const END: u8 = 0x1C;
const RETURN: u8 = 0x0D;

/// Why bytes on a connection are not frames.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The socket failed.
    #[error("the connection failed")]
    Io(#[from] std::io::Error),
    /// A second start block before the end of the first.
    #[error("a start block inside a frame at byte {0}")]
    NestedStart(usize),
    /// Something other than a start block or an empty line between frames.
    #[error("no start block")]
    NoStart,
    /// The body is longer than the limit.
    #[error("a frame longer than {0} bytes")]
    TooLong(usize),
}

impl FrameError {
    /// What the peer is told.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Io(_) => Fault::Internal,
            Self::NestedStart(_) | Self::NoStart => Fault::Malformed,
            Self::TooLong(_) => Fault::Limit,
        }
    }
}

/// Cuts a stream of bytes into bodies; remembers how far it has looked.
#[derive(Debug, Clone)]
pub struct Codec {
    frame_bytes_max: usize,
    /// Bytes of the buffer already searched for an end, the start block included.
    searched: usize,
}

impl Codec {
    /// A codec that refuses bodies longer than `frame_bytes_max` bytes.
    #[must_use]
    pub const fn new(frame_bytes_max: usize) -> Self {
        Self { frame_bytes_max, searched: 0 }
    }

    /// Looks for the end of the body that follows the start block at index 0.
    ///
    /// UTF-16 is looked at by pairs, since the bytes of 下 (U+4E0B) hold a start block.
    /// There U+1C0D or U+0D1C would end a frame: Lepcha and Malayalam, not Chinese.
    fn end(&mut self, buffer: &[u8]) -> Result<Option<usize>, FrameError> {
        let wide = is_utf16(buffer.get(1..).unwrap_or_default());
        let from = self.searched.max(1);
        let unread = buffer.get(from..).unwrap_or_default();
        for (offset, byte) in unread.iter().enumerate() {
            let at = from + offset;
            match *byte {
                START if !wide => return Err(FrameError::NestedStart(at - 1)),
                END if wide && at.is_multiple_of(2) => (),
                END => match buffer.get(at + 1) {
                    Some(&RETURN) => return Ok(Some(at)),
                    Some(_) => (),
                    None => {
                        self.searched = at;
                        return Ok(None);
                    }
                },
                _ => (),
            }
        }
        self.searched = buffer.len();
        Ok(None)
    }
}

/// A byte order mark, or an `M` beside a zero byte.
fn is_utf16(body: &[u8]) -> bool {
    matches!(body.first_chunk(), Some([0xFE, 0xFF] | [0xFF, 0xFE] | [0, b'M'] | [b'M', 0]))
}

impl Decoder for Codec {
    type Item = Bytes;
    type Error = FrameError;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
        if self.searched == 0 {
            let blank = buffer.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            buffer.advance(blank);
        }
        match buffer.first() {
            None => return Ok(None),
            Some(&START) => (),
            Some(_) => return Err(FrameError::NoStart),
        }
        // Until two bytes of the body are there, its kind is not known.
        if buffer.len() < 3 {
            return Ok(None);
        }
        let end = self.end(buffer)?;
        let body_bytes = end.unwrap_or_else(|| self.searched.max(1)) - 1;
        if body_bytes > self.frame_bytes_max {
            return Err(FrameError::TooLong(self.frame_bytes_max));
        }
        let Some(end) = end else { return Ok(None) };
        self.searched = 0;
        let mut frame = buffer.split_to(end + 2);
        frame.advance(1);
        frame.truncate(body_bytes);
        Ok(Some(frame.freeze()))
    }
}

impl Encoder<&[u8]> for Codec {
    type Error = FrameError;

    fn encode(&mut self, body: &[u8], buffer: &mut BytesMut) -> Result<(), FrameError> {
        buffer.reserve(body.len() + 3);
        buffer.put_u8(START);
        buffer.put_slice(body);
        buffer.put_u8(END);
        buffer.put_u8(RETURN);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds a stream in pieces and says what came of it.
    fn run(stream: &[u8], piece: usize, limit: usize) -> (Vec<Vec<u8>>, Option<String>) {
        let (mut codec, mut buffer) = (Codec::new(limit), BytesMut::new());
        let mut bodies = Vec::new();
        for chunk in stream.chunks(piece) {
            buffer.extend_from_slice(chunk);
            loop {
                match codec.decode(&mut buffer) {
                    Ok(Some(body)) => bodies.push(body.to_vec()),
                    Ok(None) => break,
                    Err(error) => return (bodies, Some(error.to_string())),
                }
            }
        }
        (bodies, None)
    }

    fn check(stream: &[u8], bodies: &[&[u8]], error: Option<&str>) {
        for piece in 1..=stream.len() {
            let outcome = run(stream, piece, 8);
            assert_eq!(outcome.0, bodies, "in pieces of {piece}");
            assert_eq!(outcome.1.as_deref(), error, "in pieces of {piece}");
        }
    }

    #[test]
    fn frames_come_out_the_same_in_whatever_pieces_they_arrive() {
        check(b"\x0Bab\x1C\r\x0Bcd\x1C\r", &[b"ab", b"cd"], None);
        check(b"\x0B\x1C\r\r\n\x0Bx\x1C\r\n", &[b"", b"x"], None);
        check(b"\x0Ba\x1Cb\x1C\r", &[b"a\x1Cb"], None);
        check(b"\x0Bno end", &[], None);
        check(b"\x0B12345678\x1C\r", &[b"12345678"], None);
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        check(b"\x0Bab\x1C\rMSH", &[b"ab"], Some("no start block"));
        check(b"GET / HTTP/1.1\r\n", &[], Some("no start block"));
        check(b"\x0Bab\x0Bcd\x1C\r", &[], Some("a start block inside a frame at byte 2"));
        check(b"\x0B123456789\x1C\r", &[], Some("a frame longer than 8 bytes"));
        check(b"\x0B1234567890123456", &[], Some("a frame longer than 8 bytes"));
    }

    #[test]
    fn the_bytes_of_a_utf16_character_are_no_start_and_no_end_block() {
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>();
        let body = wide("M上下");
        let stream = [&[START][..], &body, &[END, RETURN]].concat();
        for piece in 1..=stream.len() {
            assert_eq!(run(&stream, piece, 64), (vec![body.clone()], None));
        }
    }

    fn block() -> impl Strategy<Value = u8> {
        prop_oneof![Just(START), Just(END), Just(RETURN), any::<u8>()]
    }

    proptest! {
        #[test]
        fn what_was_framed_comes_back(
            bodies in proptest::collection::vec("[ -~张億\r]{0,20}", 1..5),
            piece in 1_usize..40,
        ) {
            let mut stream = BytesMut::new();
            for body in &bodies {
                Codec::new(100).encode(body.as_bytes(), &mut stream).unwrap();
            }
            let expected: Vec<_> = bodies.iter().map(|body| body.clone().into_bytes()).collect();
            prop_assert_eq!(run(&stream, piece, 100), (expected, None));
        }

        #[test]
        fn no_stream_makes_the_codec_panic_or_hold_more_than_its_limit(
            stream in proptest::collection::vec(block(), 0..80),
            piece in 1_usize..9,
        ) {
            let (mut codec, mut buffer) = (Codec::new(16), BytesMut::new());
            for chunk in stream.chunks(piece) {
                buffer.extend_from_slice(chunk);
                while let Ok(Some(body)) = codec.decode(&mut buffer) {
                    prop_assert!(body.len() <= 16);
                }
                if codec.decode(&mut buffer).is_err() { break; }
                prop_assert!(buffer.len() <= 16 + 3 + piece);
            }
        }
    }
}
