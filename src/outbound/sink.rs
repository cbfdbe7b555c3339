//! 审计接收方, who is sent the ledger as it grows: syslog over TLS.
//!
//! Standard: RFC 5425. Syslog has no acknowledgement, and receivers in use close without saying
//! that they have read everything, so what was written counts as taken once the connection has
//! stood a while after it: by then the other side's system has acknowledged it (or
//! `TCP_USER_TIMEOUT` has broken the connection), and a receiver that was stopped has closed. What
//! was not taken by then is sent again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use serde::{Deserialize, Serialize};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::gate::{LineError, SetUpError};
use super::tls::TlsFiles;

/// Longest rest between two attempts.
const REST_MAX: Duration = Duration::from_secs(60);

/// Settings of one sink. The first three have no default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkSettings {
    /// Its name in the store, the console and metrics: never changed, or all is sent again.
    pub name: String,
    /// Its host, as its certificate names it.
    pub host: String,
    /// Its port. Default 6514.
    #[serde(default = "port")]
    pub port: u16,
    /// Certificates and key.
    pub tls: TlsFiles,
    /// How long a connection must have stood after an entry for it to count as taken, in seconds.
    /// Default 5.
    #[serde(default = "settle_seconds")]
    pub settle_seconds: u32,
    /// Entries on their way at once. Default 10000.
    #[serde(default = "unsettled_max")]
    pub unsettled_max: u64,
    /// How long connecting, or writing some entries, may take, in milliseconds. Default 10000.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
}

const fn port() -> u16 {
    6514
}
const fn settle_seconds() -> u32 {
    5
}
const fn unsettled_max() -> u64 {
    10_000
}
const fn timeout_ms() -> u64 {
    10_000
}

/// How things stand with a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flow {
    /// It was not spoken to yet.
    #[default]
    NotYet,
    /// It takes entries.
    Connected,
    /// It cannot be reached, or closes.
    Broken,
}

/// The client of one sink. Files that changed make a new one.
pub struct Sink {
    settings: SinkSettings,
    server: ServerName<'static>,
    connector: TlsConnector,
    flow: Mutex<Flow>,
    session: tokio::sync::Mutex<Session>,
}

/// The connection of a sink and what is on its way, for one task at a time.
#[derive(Default)]
pub struct Session {
    stream: Option<TlsStream<TcpStream>>,
    /// The first entry that was not written.
    next: u64,
    /// When entries before a number were written, oldest first.
    written: VecDeque<(Instant, u64)>,
    /// Not tried before this moment.
    rests_until: Option<Instant>,
    rest: Duration,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sink({})", self.settings.name)
    }
}

impl Sink {
    /// Prepares the client; nothing is sent.
    ///
    /// # Errors
    /// [`SetUpError`] if the settings make no client.
    pub fn new(settings: SinkSettings, tls: ClientConfig) -> Result<Self, SetUpError> {
        for (key, limit) in [
            ("settle_seconds", u64::from(settings.settle_seconds)),
            ("unsettled_max", settings.unsettled_max),
            ("timeout_ms", settings.timeout_ms),
        ] {
            if limit == 0 {
                return Err(SetUpError::Limit(key));
            }
        }
        let server = ServerName::try_from(settings.host.clone());
        let server = server.map_err(|_| SetUpError::Limit("host"))?;
        let connector = TlsConnector::from(Arc::new(tls));
        let (flow, session) = Default::default();
        Ok(Self { settings, server, connector, flow, session })
    }

    /// Its settings.
    #[must_use]
    pub const fn settings(&self) -> &SinkSettings {
        &self.settings
    }

    /// How things stand.
    #[must_use]
    pub fn flow(&self) -> Flow {
        *self.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session, unless somebody is at it or it rests.
    pub fn turn(&self) -> Option<tokio::sync::MutexGuard<'_, Session>> {
        let session = self.session.try_lock().ok()?;
        session.rests_until.is_none_or(|until| Instant::now() >= until).then_some(session)
    }

    /// Connects, if there is no connection; what comes next is `from` then.
    ///
    /// # Errors
    /// [`LineError`].
    pub async fn connect(&self, session: &mut Session, from: u64) -> Result<(), LineError> {
        if session.stream.is_some() {
            return Ok(());
        }
        let connecting = async {
            let place = (self.settings.host.as_str(), self.settings.port);
            let socket = TcpStream::connect(place).await.map_err(|_| LineError::Unreachable)?;
            self.watch(&socket).map_err(|_| LineError::Broken)?;
            let tls = self.connector.connect(self.server.clone(), socket).await;
            tls.map_err(|_| LineError::Tls)
        };
        let stream = timeout(self.patience(), connecting).await;
        session.stream = Some(stream.map_err(|_| LineError::Timeout)??);
        session.next = from;
        session.written.clear();
        Ok(())
    }

    /// A connection whose other side is gone breaks before what it was sent counts as taken.
    fn watch(&self, socket: &TcpStream) -> std::io::Result<()> {
        let half = self.settle() / 2;
        let socket = SockRef::from(socket);
        socket.set_tcp_user_timeout(Some(half))?;
        let probes = TcpKeepalive::new().with_time(Duration::from_secs(30));
        socket.set_tcp_keepalive(&probes)
    }

    /// Whether a connection still stands; what the other side says is nothing to us.
    ///
    /// # Errors
    /// [`LineError::Broken`] if it does not.
    pub fn stands(session: &mut Session) -> Result<(), LineError> {
        let stream = session.stream.as_mut().ok_or(LineError::Broken)?;
        let mut said = [0; 64];
        match stream.read(&mut said).now_or_never() {
            None | Some(Ok(1..)) => Ok(()),
            Some(Ok(0) | Err(_)) => Err(LineError::Broken),
        }
    }

    /// The number before which everything counts as taken now; `None` if nothing more does. It
    /// stays so until it is [`Session::noted`].
    pub fn settled(&self, session: &Session) -> Option<u64> {
        let stood = |(at, _): &&(Instant, u64)| at.elapsed() >= self.settle();
        session.written.iter().take_while(stood).last().map(|(_, next)| *next)
    }

    /// Writes frames of entries up to `next`.
    ///
    /// # Errors
    /// [`LineError`].
    pub async fn write(
        &self,
        session: &mut Session,
        (frames, next): (&[u8], u64),
    ) -> Result<(), LineError> {
        let stream = session.stream.as_mut().ok_or(LineError::Broken)?;
        let writing = async {
            stream.write_all(frames).await?;
            stream.flush().await
        };
        let written = timeout(self.patience(), writing).await.map_err(|_| LineError::Timeout)?;
        written.map_err(|_| LineError::Broken)?;
        session.next = next;
        session.written.push_back((Instant::now(), next));
        Ok(())
    }

    /// Notes how a turn ended; says whether that changed how things stand. After a failure there is
    /// no connection, and none is tried for a while, which doubles.
    pub fn note(&self, session: &mut Session, ended: Result<(), LineError>) -> bool {
        let flow = if ended.is_ok() { Flow::Connected } else { Flow::Broken };
        match ended {
            // It has proven itself only once something counts as taken.
            Ok(()) => session.rests_until = None,
            Err(_) => {
                session.stream = None;
                session.rest = (session.rest * 2).clamp(Duration::from_millis(500), REST_MAX);
                session.rests_until = Some(Instant::now() + session.rest);
            }
        }
        let mut known = self.flow.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *known, flow) != flow
    }

    fn settle(&self) -> Duration {
        Duration::from_secs(self.settings.settle_seconds.into())
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(self.settings.timeout_ms)
    }
}

impl Session {
    /// The first entry that was not written.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// What was written before a number is noted as taken.
    pub fn noted(&mut self, next: u64) {
        self.written.retain(|(_, written)| *written > next);
    }

    /// Something was taken: the next failure rests shortly again.
    pub const fn prove(&mut self) {
        self.rest = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sink() -> Sink {
        let files = TlsFiles { authority: "a".into(), certificate: "c".into(), key: "k".into() };
        let settings = SinkSettings {
            name: "audit".to_owned(),
            host: "localhost".to_owned(),
            port: port(),
            tls: files,
            settle_seconds: 1,
            unsettled_max: 10,
            timeout_ms: 1,
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        Sink::new(settings, tls).unwrap()
    }

    #[test]
    fn what_counts_as_taken_does_so_until_it_is_noted() {
        let sink = sink();
        let now = Instant::now();
        let ago = now.checked_sub(Duration::from_secs(2)).unwrap();
        let written = [(ago, 5), (ago, 9), (now + Duration::from_secs(60), 12)].into();
        let mut session = Session { written, ..Session::default() };
        // The store does not take it now.
        assert_eq!(sink.settled(&session), Some(9));
        assert_eq!(sink.settled(&session), Some(9));
        session.noted(9);
        assert_eq!(sink.settled(&session), None);
        assert_eq!(session.written.len(), 1, "what is on its way stays");
    }
}
