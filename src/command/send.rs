//! `kangqiao send`: sends stored messages over MLLP and prints what is answered.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use indicatif::{ProgressBar, ProgressStyle};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_util::codec::{Decoder, Encoder};

use super::Failure;
use crate::wire::charset::Charset;
use crate::wire::hl7v2::{Header, Limits, Message, Mode, stored};
use crate::wire::mllp::Codec;

/// Longest acknowledgement that is read.
const REPLY_BYTES_MAX: usize = 1_048_576;
/// Room made for each read.
const READ_BYTES: usize = 4_096;
/// How long an answer is waited for that may rightly never come.
const OPTIONAL_MS_MAX: u64 = 500;
/// From how many messages on a terminal shows progress.
const MANY: usize = 20;

/// Sends HL7 v2 messages over MLLP and prints the acknowledgements.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to: host and port.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:2575")]
    pub mllp: String,
    /// Speak TLS; with --cert and --key, mutual TLS.
    #[arg(long, requires = "ca")]
    pub tls: bool,
    /// Certificates of the authority the gateway's own certificate comes from (PEM).
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// The sender's certificate chain (PEM).
    #[arg(long, value_name = "FILE", requires_all = ["key", "tls"])]
    pub cert: Option<PathBuf>,
    /// The sender's private key (PEM).
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
    /// Milliseconds to wait for each acknowledgement.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub wait_ms: u64,
    /// Files with one or several messages; line ends of any sort.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Sends every message of every file, in order, over one connection.
///
/// # Errors
/// [`Failure`] if a file or the connection fails, or any message was not accepted.
pub fn run(args: Args) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::during("starting", error))?;
    let mut out = super::output();
    match runtime.block_on(send_files(&args, &mut out))? {
        (0, _) => Ok(()),
        (refused, all) => Err(Failure(format!("{refused} of {all} messages were not accepted"))),
    }
}

/// As [`run`], inside a runtime; returns how many messages were not accepted, and of how many.
///
/// # Errors
/// [`Failure`] if a file or the connection fails.
pub async fn send_files(args: &Args, out: &mut impl Write) -> Result<(usize, usize), Failure> {
    let messages = read_files(&args.files)?;
    Ok((send(args, &messages, out).await?, messages.len()))
}

struct Stored {
    name: String,
    body: Vec<u8>,
}

fn read_files(files: &[PathBuf]) -> Result<Vec<Stored>, Failure> {
    let mut all = Vec::new();
    for path in files {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| Failure::during(&name, error))?;
        let messages = stored::messages(&bytes);
        if messages.is_empty() {
            return Err(Failure::during(&name, "there is no message in it"));
        }
        let many = messages.len() > 1;
        for (number, body) in (1..).zip(messages) {
            let name = if many { format!("{name}#{number}") } else { name.clone() };
            all.push(Stored { name, body: body.into_owned() });
        }
    }
    Ok(all)
}

/// Sends all and counts those that were not accepted.
async fn send(args: &Args, messages: &[Stored], out: &mut impl Write) -> Result<usize, Failure> {
    let target = Target::new(args)?;
    let progress = progress(messages.len());
    let mut link = None;
    let mut refused = 0;
    for message in messages {
        let (mut open, used) = match link.take() {
            Some(open) => (open, true),
            None => (target.connect().await?, false),
        };
        let mut told = open.exchange(&message.body, args.wait_ms).await;
        // A connection may have been closed since the message before: the same bytes
        // again are safe, for the gateway knows a message it already has.
        if used && told.closed && told.replies.is_empty() {
            open = target.connect().await?;
            told = open.exchange(&message.body, args.wait_ms).await;
        }
        let lines: Vec<String> = match &told.replies[..] {
            [] => vec![told.silence.unwrap_or("no acknowledgement wanted").to_owned()],
            replies => replies.iter().map(ToString::to_string).collect(),
        };
        let accepted = told.silence.is_none() && told.replies.iter().all(Reply::is_positive);
        refused += usize::from(!accepted);
        progress
            .suspend(|| lines.iter().try_for_each(|line| writeln!(out, "{}: {line}", message.name)))
            .map_err(|error| Failure::during("printing", error))?;
        progress.inc(1);
        // A connection the gateway closed is opened anew for the next message.
        if !told.closed {
            link = Some(open);
        }
    }
    progress.finish_and_clear();
    Ok(refused)
}

fn progress(count: usize) -> ProgressBar {
    if count < MANY || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(u64::try_from(count).unwrap_or(u64::MAX));
    match ProgressStyle::with_template("{bar:40} {pos}/{len} {per_sec} {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Where to connect, and how.
struct Target {
    address: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Target {
    fn new(args: &Args) -> Result<Self, Failure> {
        let address = args.mllp.clone();
        if !args.tls {
            return Ok(Self { address, tls: None });
        }
        let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
        let host = host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host)
            .map_err(|error| Failure::during("reading the host name", error))?;
        Ok(Self { address, tls: Some((connector(args)?, name)) })
    }

    async fn connect(&self) -> Result<Link, Failure> {
        let failure = |error: std::io::Error| Failure::during(&self.address, error);
        let stream = TcpStream::connect(&self.address).await.map_err(failure)?;
        stream.set_nodelay(true).map_err(failure)?;
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(stream),
            Some((connector, name)) => {
                let connecting = connector.connect(name.clone(), stream);
                Box::new(connecting.await.map_err(failure)?)
            }
        };
        Ok(Link { stream, codec: Codec::new(REPLY_BYTES_MAX), buffer: BytesMut::new() })
    }
}

fn connector(args: &Args) -> Result<TlsConnector, Failure> {
    let mut roots = rustls::RootCertStore::empty();
    let authority = args.ca.as_deref().ok_or_else(|| Failure("--tls needs --ca".to_owned()))?;
    for certificate in certificates(authority)? {
        roots.add(certificate).map_err(|error| said(authority, error))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::during("tls", error))?
        .with_root_certificates(roots);
    let config = match (&args.cert, &args.key) {
        (Some(chain), Some(key)) => {
            let private = PrivateKeyDer::from_pem_file(key).map_err(|error| said(key, error))?;
            config
                .with_client_auth_cert(certificates(chain)?, private)
                .map_err(|error| said(chain, error))?
        }
        _ => config.with_no_client_auth(),
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| said(path, error))
}

fn said(path: &Path, error: impl std::fmt::Display) -> Failure {
    Failure::during(&path.display().to_string(), error)
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

struct Link {
    stream: Box<dyn Stream>,
    codec: Codec,
    buffer: BytesMut,
}

/// What came back for one message.
#[derive(Default)]
struct Told {
    replies: Vec<Reply>,
    /// Why an answer that was wanted did not come.
    silence: Option<&'static str>,
    closed: bool,
}

impl Link {
    async fn exchange(&mut self, body: &[u8], wait_ms: u64) -> Told {
        let mut told = Told::default();
        let mut frame = BytesMut::new();
        let framed = self.codec.encode(body, &mut frame).is_ok();
        let patience = Duration::from_millis(wait_ms);
        let written = timeout_at(Instant::now() + patience, self.write(&frame)).await;
        // The gateway may have refused and closed while this was being written: what
        // it said is still to be read.
        told.closed = !framed || !matches!(written, Ok(Ok(())));
        let header = Header::salvage(body, Charset::Utf8);
        loop {
            let wait = Wait::before(header.as_ref(), &told.replies);
            let milliseconds = match wait {
                Wait::Nothing => return told,
                Wait::Optional => wait_ms.min(OPTIONAL_MS_MAX),
                Wait::Required => wait_ms,
            };
            let ends = Instant::now() + Duration::from_millis(milliseconds);
            match timeout_at(ends, self.reply()).await {
                // A late answer to an earlier message is not this one's.
                Ok(Some(reply)) if reply.is_for(header.as_ref()) => told.replies.push(reply),
                Ok(Some(_)) => (),
                Ok(None) => {
                    told.closed = true;
                    told.silence = Some("the connection was closed without an acknowledgement");
                    return told;
                }
                Err(_) if wait == Wait::Optional => return told,
                Err(_) => {
                    told.silence = Some("no acknowledgement in time");
                    return told;
                }
            }
        }
    }

    async fn write(&mut self, frame: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(frame).await?;
        self.stream.flush().await
    }

    /// The next acknowledgement, or `None` at the end of the connection.
    async fn reply(&mut self) -> Option<Reply> {
        loop {
            match self.codec.decode(&mut self.buffer) {
                Ok(Some(body)) => return Some(Reply::read(&body)),
                Ok(None) => (),
                Err(_) => return None,
            }
            self.buffer.reserve(READ_BYTES);
            if !matches!(self.stream.read_buf(&mut self.buffer).await, Ok(1..)) {
                return None;
            }
        }
    }
}

/// Whether another acknowledgement is to be waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    Nothing,
    Optional,
    Required,
}

impl Wait {
    fn before(header: Option<&Header>, replies: &[Reply]) -> Self {
        let wish = |mode: Option<Mode>| match mode {
            Some(Mode::Always) => Self::Required,
            Some(Mode::OnError | Mode::OnSuccess) => Self::Optional,
            Some(Mode::Never) | None => Self::Nothing,
        };
        let modes = header
            .filter(|header| header.is_enhanced())
            .map(|header| (wish(header.accept_ack), wish(header.application_ack)));
        match (modes, replies.last().map(|reply| reply.code.as_str())) {
            (None, None) => Self::Required,
            (Some((Self::Nothing, application)), None) => application,
            (Some((Self::Required, _)), None) => Self::Required,
            (Some((Self::Optional, Self::Required)), None) => Self::Required,
            (Some((Self::Optional, _)), None) => Self::Optional,
            (Some((_, application)), Some("CA")) => application,
            (_, Some(_)) => Self::Nothing,
        }
    }
}

/// One acknowledgement, as far as it is printed: codes and positions.
struct Reply {
    code: String,
    control_id: String,
    place: String,
    text: String,
}

impl Reply {
    fn read(body: &[u8]) -> Self {
        let unreadable = |text: &str| Self {
            code: "??".to_owned(),
            control_id: String::new(),
            place: String::new(),
            text: text.to_owned(),
        };
        let Ok(message) = Message::read(body, Charset::Utf8, &Limits::default()) else {
            return unreadable("the acknowledgement cannot be read");
        };
        let text = |id: &[u8; 3], number| {
            let field = message.segment(*id).and_then(|segment| segment.field(number));
            field.map(|field| message.unescape(field.raw()).into_owned()).unwrap_or_default()
        };
        let first = |texts: [String; 3]| texts.into_iter().find(|text| !text.is_empty());
        Self {
            code: text(b"MSA", 1),
            control_id: message
                .segment(*b"MSA")
                .and_then(|segment| segment.field(2))
                .map(|field| field.raw().to_owned())
                .unwrap_or_default(),
            place: first([text(b"ERR", 2), text(b"ERR", 1), String::new()]).unwrap_or_default(),
            text: first([text(b"MSA", 3), text(b"ERR", 7), text(b"ERR", 8)]).unwrap_or_default(),
        }
    }

    /// Whether it answers this message; one without an id answers whatever was sent last.
    fn is_for(&self, header: Option<&Header>) -> bool {
        let unknown = self.control_id.is_empty();
        unknown || header.is_none_or(|header| header.control_id == self.control_id)
    }

    fn is_positive(&self) -> bool {
        matches!(self.code.as_str(), "AA" | "CA")
    }
}

/// `AE C1 PID^1^8 table-value: a code is not in its table`.
impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.code)?;
        for part in [&self.control_id, &self.place, &self.text] {
            if !part.is_empty() {
                write!(f, " {part}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
