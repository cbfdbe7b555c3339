//! A simulated upstream system: `POST /v1/records` over mutual TLS, a thread a connection.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

/// The system as its neighbours see it.
pub struct Upstream {
    /// Where it listens.
    pub port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Records by any identifier that may stand in a question.
    records: Mutex<HashMap<String, Vec<Value>>>,
    asked: AtomicUsize,
    /// The questions, as they came.
    heard: Mutex<Vec<Vec<u8>>>,
    down: AtomicBool,
    closed: AtomicBool,
}

impl Upstream {
    /// From now on it has these records about whoever bears that identifier.
    pub fn knows(&self, identifier: &str, records: Vec<Value>) {
        self.state.records.lock().unwrap().insert(identifier.to_owned(), records);
    }

    /// Whether it answers 503 from now on.
    pub fn down(&self, down: bool) {
        self.state.down.store(down, Ordering::SeqCst);
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }

    /// How often it was asked about whoever bears that identifier, whoever else is asked about.
    pub fn asked_of(&self, identifier: &str) -> usize {
        let heard = self.heard();
        heard.iter().filter(|body| String::from_utf8_lossy(body).contains(identifier)).count()
    }

    /// What it was asked, as it came.
    pub fn heard(&self) -> Vec<Vec<u8>> {
        self.state.heard.lock().unwrap().clone()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.state.closed.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for connections, so that it sees it is over.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// Starts one with the certificate of that name.
pub fn serve(authority: &Path, certs: &Path, name: &str) -> Upstream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let state = Arc::new(State::default());
    let (answering, watched) = (Arc::clone(&state), Arc::clone(&state));
    let config = tls(authority, certs, name);
    let answer = move |stream| drop(answer_all(stream, &answering));
    accept(listener, config, (answer, move || watched.closed.load(Ordering::SeqCst)));
    Upstream { port, state }
}

/// A connection of a simulated system.
pub(super) type Stream = StreamOwned<ServerConnection, TcpStream>;

/// Answers each connection on a thread of its own, until it is over.
pub(super) fn accept(
    listener: TcpListener,
    config: ServerConfig,
    (answer, over): (impl Fn(Stream) + Send + Sync + 'static, impl Fn() -> bool + Send + 'static),
) {
    let (config, answer) = (Arc::new(config), Arc::new(answer));
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            if over() {
                return;
            }
            let (config, answer) = (Arc::clone(&config), Arc::clone(&answer));
            std::thread::spawn(move || {
                let session = ServerConnection::new(config).unwrap();
                answer(StreamOwned::new(session, socket));
            });
        }
    });
}

pub(super) fn tls(authority: &Path, certs: &Path, name: &str) -> ServerConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let chain = CertificateDer::pem_file_iter(certs.join(format!("{name}.pem"))).unwrap();
    let key = PrivateKeyDer::from_pem_file(certs.join(format!("{name}.key"))).unwrap();
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(chain.map(Result::unwrap).collect(), key)
        .unwrap()
}

fn answer_all(mut stream: Stream, state: &State) -> io::Result<()> {
    let mut read = Vec::new();
    loop {
        let Some((_, body)) = request(&mut stream, &mut read)? else { return Ok(()) };
        state.asked.fetch_add(1, Ordering::SeqCst);
        state.heard.lock().unwrap().push(body.clone());
        let (status, body) = answer(&body, state);
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
        stream.flush()?;
    }
}

/// Head and body of the next request; `None` when the other side has closed.
pub(super) fn request(
    stream: &mut impl Read,
    read: &mut Vec<u8>,
) -> io::Result<Option<(String, Vec<u8>)>> {
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let whole = end + 4 + length.and_then(|l| l.trim().parse().ok()).unwrap_or(0);
            if read.len() >= whole {
                let rest = read.split_off(whole);
                let request = std::mem::replace(read, rest);
                return Ok(Some((head, request[end + 4..].to_vec())));
            }
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece)? {
            0 => return Ok(None),
            count => read.extend_from_slice(&piece[..count]),
        }
    }
}

fn answer(body: &[u8], state: &State) -> (&'static str, String) {
    if state.down.load(Ordering::SeqCst) {
        return ("503 Service Unavailable", String::new());
    }
    let question: Value = serde_json::from_slice(body).unwrap_or_default();
    let identifiers = question["identifiers"].as_array().into_iter().flatten();
    let known = state.records.lock().unwrap();
    let records = identifiers
        .filter_map(|identifier| known.get(identifier["value"].as_str()?))
        .flatten()
        .cloned()
        .collect::<Vec<_>>();
    ("200 OK", json!({ "records": records }).to_string())
}
