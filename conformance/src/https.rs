//! HTTPS in as little as an inquiry needs: one request, one reply with a length, kept alive.
//!
//! Standard: RFC 9112 sections 2, 6.3 and 9.3.

use std::io::{self, Read, Write};
use std::time::Duration;

use crate::stream::{Stream, Tls};

/// A kept connection.
pub struct Link {
    stream: Stream,
    host: String,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The value of a header; the name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `Null` if it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Link {
    /// Connects to `host:port`.
    ///
    /// # Errors
    /// If there is no connection to be had.
    pub fn connect(address: &str, tls: Option<&Tls>) -> io::Result<Self> {
        Ok(Self { stream: Stream::connect(address, tls)?, host: address.to_owned() })
    }

    /// How long a reply is waited for.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn wait(&self, wait: Duration) -> io::Result<()> {
        self.stream.socket().set_read_timeout(Some(wait))
    }

    /// Posts a body.
    ///
    /// # Errors
    /// If the connection ends before the whole reply is there; a refused
    /// certificate shows here, since the client speaks first.
    pub fn post(&mut self, path: &str, media: &str, body: &[u8]) -> io::Result<Reply> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: {media}\r\n\
             content-length: {}\r\n\r\n",
            self.host,
            body.len()
        );
        self.ask(&[head.as_bytes(), body].concat())
    }

    /// Gets a page.
    ///
    /// # Errors
    /// If the connection ends before the whole reply is there.
    pub fn get(&mut self, path: &str) -> io::Result<Reply> {
        self.ask(format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.host).as_bytes())
    }

    /// Sends a request as it is.
    ///
    /// # Errors
    /// If the connection ends before the whole reply is there.
    pub fn ask(&mut self, request: &[u8]) -> io::Result<Reply> {
        // A server may refuse a large body and close before it has read it all: what it
        // said is worth more than that our writing failed.
        let written = self.stream.write_all(request).and_then(|()| self.stream.flush());
        let reply = self.reply();
        if reply.is_err() {
            written?;
        }
        reply
    }

    fn reply(&mut self) -> io::Result<Reply> {
        let mut read = Vec::new();
        let end = loop {
            if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            self.more(&mut read)?;
        };
        let mut body = read.split_off(end + 4);
        let head = String::from_utf8_lossy(&read).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let status = status.ok_or(io::ErrorKind::InvalidData)?;
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut reply = Reply { status, headers, body: Vec::new() };
        if reply.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
            reply.body = self.chunks(body)?;
            return Ok(reply);
        }
        let length = reply.header("content-length").and_then(|length| length.parse().ok());
        while body.len() < length.unwrap_or(0) {
            self.more(&mut body)?;
        }
        reply.body = body;
        Ok(reply)
    }

    /// A body in chunks, RFC 9112 section 7.1.
    fn chunks(&mut self, mut read: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let Some(line) = read.windows(2).position(|pair| pair == b"\r\n") else {
                self.more(&mut read)?;
                continue;
            };
            let size = String::from_utf8_lossy(read.get(..line).unwrap_or_default()).into_owned();
            let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            let whole = line + 2 + size + 2;
            while read.len() < whole {
                self.more(&mut read)?;
            }
            if size == 0 {
                return Ok(body);
            }
            body.extend_from_slice(read.get(line + 2..line + 2 + size).unwrap_or_default());
            read.drain(..whole);
        }
    }

    fn more(&mut self, read: &mut Vec<u8>) -> io::Result<()> {
        let mut piece = [0; 16 * 1024];
        let count = self.stream.read(&mut piece)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        read.extend_from_slice(piece.get(..count).unwrap_or_default());
        Ok(())
    }
}
