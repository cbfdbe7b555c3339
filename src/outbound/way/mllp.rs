//! A receiver of HL7 v2 messages: one message on a connection, then its acknowledgement.
//!
//! Standard: HL7 v2.5 section 2.9 and appendix C. What is answered counts for the message whose
//! MSH-10 it names in MSA-2, and for no other. Whenever the two sides may be out of step (another
//! id, no answer in time, bytes nobody waits for) the connection is closed, so that a late
//! acknowledgement can never be taken for that of the next message.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::BytesMut;
use futures_util::FutureExt;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::codec::{Decoder, Encoder};

use super::{Parcel, Said};
use crate::outbound::gate::{Limits, LineError, SetUpError};
use crate::outbound::tls::{TlsFiles, is_this_machine};
use crate::wire::hl7v2::answered::{Answered, Level};
use crate::wire::mllp::Codec;

/// Room made for each read.
const READ_BYTES: usize = 1_024;

/// A receiver notices are sent to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Host and port, the host as its certificate names it.
    pub address: String,
    /// Certificates and key; left out, only a loopback address is connected to, without TLS.
    pub tls: Option<TlsFiles>,
    /// What its application is called (MSH-5). Default the subscription.
    pub application: Option<String>,
    /// Whose references these are (MSH-6, and the authority in PID-3). Default the department.
    pub authority: Option<String>,
}

impl Settings {
    fn host(&self) -> Option<&str> {
        let (host, port) = self.address.rsplit_once(':')?;
        let host = host.trim_matches(['[', ']']);
        (!host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)).then_some(host)
    }
}

/// The receiver, and connections to it that nobody uses now.
pub struct Receiver {
    address: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    answer_bytes_max: usize,
    idle: Mutex<Vec<Connection>>,
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Receiver({})", self.address)
    }
}

impl Receiver {
    /// Prepares it; nothing is connected to.
    ///
    /// # Errors
    /// [`SetUpError`] if the address is none, or another machine's without TLS.
    pub fn new(
        settings: &Settings,
        limits: &Limits,
        tls: Option<ClientConfig>,
    ) -> Result<Self, SetUpError> {
        let host = settings.host().ok_or(SetUpError::Address)?;
        if tls.is_none() && !is_this_machine(host) {
            return Err(SetUpError::Plain);
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_| SetUpError::Address)?;
        Ok(Self {
            address: settings.address.clone(),
            tls: tls.map(|tls| (TlsConnector::from(Arc::new(tls)), name)),
            answer_bytes_max: limits.reply_bytes_max,
            idle: Mutex::default(),
        })
    }

    /// Sends the message of a notice, whose MSH-10 is its id, and reads what is answered.
    ///
    /// # Errors
    /// [`LineError`] if nothing was, or nothing about this message.
    pub async fn bring(&self, parcel: &Parcel) -> Result<Said, LineError> {
        let mut connection = match self.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        // Until the answer is read the connection is this message's alone: whatever fails, or
        // takes too long, drops it.
        let answer = connection.exchange(&parcel.body).await?;
        let answered = Answered::read(&answer).ok_or(LineError::Broken)?;
        if answered.control_id != parcel.id {
            return Err(LineError::Astray);
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(match answered.level {
            Level::Accepted => Said::Taken,
            Level::Error => Said::NotThis,
            Level::Rejected => Said::Refused,
        })
    }

    /// A connection that still stands, with nothing on it that nobody waits for.
    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(mut connection) = idle.pop() {
            if connection.is_quiet() {
                return Some(connection);
            }
        }
        None
    }

    async fn connect(&self) -> Result<Connection, LineError> {
        let stream = TcpStream::connect(&self.address).await;
        let stream = stream.map_err(|_| LineError::Unreachable)?;
        stream.set_nodelay(true).map_err(|_| LineError::Broken)?;
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(stream),
            Some((connector, name)) => {
                let connecting = connector.connect(name.clone(), stream);
                Box::new(connecting.await.map_err(|_| LineError::Tls)?)
            }
        };
        let codec = Codec::new(self.answer_bytes_max);
        Ok(Connection { stream, codec, buffer: BytesMut::new() })
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

struct Connection {
    stream: Box<dyn Stream>,
    codec: Codec,
    buffer: BytesMut,
}

impl Connection {
    /// Whether the other side neither closed nor said anything since its last answer.
    fn is_quiet(&mut self) -> bool {
        self.buffer.is_empty() && self.stream.read_buf(&mut self.buffer).now_or_never().is_none()
    }

    async fn exchange(&mut self, body: &[u8]) -> Result<bytes::Bytes, LineError> {
        let mut frame = BytesMut::new();
        self.codec.encode(body, &mut frame).map_err(|_| LineError::Broken)?;
        self.stream.write_all(&frame).await.map_err(|_| LineError::Broken)?;
        self.stream.flush().await.map_err(|_| LineError::Broken)?;
        loop {
            if let Some(answer) =
                self.codec.decode(&mut self.buffer).map_err(|_| LineError::Broken)?
            {
                return Ok(answer);
            }
            self.buffer.reserve(READ_BYTES);
            let read = self.stream.read_buf(&mut self.buffer).await;
            if !matches!(read, Ok(1..)) {
                return Err(LineError::Broken);
            }
        }
    }
}

#[cfg(test)]
mod tests;
