//! MLLP, the minimal lower layer protocol: one message between 0x0B and 0x1C 0x0D.
//!
//! Standard: HL7 Minimal Lower Layer Protocol, release 1, section 2.

use std::io::{self, Read, Write};
use std::time::Duration;

use crate::stream::{Stream, Tls};

/// Start block.
pub const START: u8 = 0x0B;
/// End block, then carriage return.
pub const END: [u8; 2] = [0x1C, 0x0D];

/// A connection over which messages go and acknowledgements come.
pub struct Link {
    stream: Stream,
    read: Vec<u8>,
}

impl Link {
    /// Connects to `host:port`.
    ///
    /// # Errors
    /// If there is no connection to be had.
    pub fn connect(address: &str, tls: Option<&Tls>) -> io::Result<Self> {
        Ok(Self { stream: Stream::connect(address, tls)?, read: Vec::new() })
    }

    /// Sends one message in its frame and waits for one reply.
    ///
    /// # Errors
    /// If the connection ends or stays silent.
    pub fn exchange(&mut self, message: &[u8]) -> io::Result<Vec<u8>> {
        self.send(message)?;
        self.receive()
    }

    /// Sends one message in its frame.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let mut frame = Vec::with_capacity(message.len() + 3);
        frame.push(START);
        frame.extend_from_slice(message);
        frame.extend_from_slice(&END);
        self.raw(&frame)
    }

    /// Sends bytes as they are, framed or not.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// The next reply, without its frame.
    ///
    /// # Errors
    /// `UnexpectedEof` if the other side closed, a timeout if it is silent.
    pub fn receive(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = self.read.windows(2).position(|pair| pair == END) {
                let rest = self.read.split_off(end + END.len());
                let frame = std::mem::replace(&mut self.read, rest);
                let body = frame.get(..end).unwrap_or_default();
                let body = body.strip_prefix(&[START]);
                return body.map(<[u8]>::to_vec).ok_or(io::ErrorKind::InvalidData.into());
            }
            let mut piece = [0; 4096];
            let count = self.stream.read(&mut piece)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.read.extend_from_slice(piece.get(..count).unwrap_or_default());
        }
    }

    /// Whether nothing comes for that long; a reply that does come is kept for `receive`.
    ///
    /// # Errors
    /// If the wait cannot be set.
    pub fn silent_for(&mut self, wait: Duration) -> io::Result<bool> {
        if !self.read.is_empty() {
            return Ok(false);
        }
        self.wait(wait)?;
        let found = self.receive();
        self.wait(crate::stream::WAIT)?;
        match found {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(true),
            Err(error) => Err(error),
            Ok(reply) => {
                let mut frame = vec![START];
                frame.extend(reply);
                frame.extend(END);
                frame.append(&mut self.read);
                self.read = frame;
                Ok(false)
            }
        }
    }

    /// How long `receive` waits.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn wait(&self, wait: Duration) -> io::Result<()> {
        self.stream.socket().set_read_timeout(Some(wait))
    }
}
