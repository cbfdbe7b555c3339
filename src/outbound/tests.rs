//! The client against a real server on a real socket with real certificates.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::super::circuit::{CircuitState, Refused};
use super::super::line::endpoint;
use super::*;
use crate::audit::statement::tests::release;
use crate::registry::{Reply, ReplyError};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key, in PEM.
fn issue(authority: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([name.to_owned()]).unwrap();
    (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

/// What the server does with a question.
#[derive(Clone, Copy)]
enum Does {
    /// Sends these bytes and closes.
    Send(&'static [u8]),
    /// Sends chunks without an end.
    Flood,
    /// Says nothing.
    Wait,
}

const GOOD: Does =
    Does::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}");

/// A server on a free port and how many questions reached it.
struct Server {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

async fn serve(server: &Authority, clients: &Authority, does: Does) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let acceptor = acceptor(server, clients);
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(acceptor.clone(), stream, does, Arc::clone(&seen)));
        }
    });
    Server { address, asked }
}

fn acceptor(server: &Authority, clients: &Authority) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(clients.der().clone()).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let (certificate, key) = issue(server, "127.0.0.1");
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn answer(acceptor: TlsAcceptor, stream: TcpStream, does: Does, asked: Arc<AtomicUsize>) {
    let Ok(mut stream) = acceptor.accept(stream).await else {
        return;
    };
    if !read_question(&mut stream).await {
        return;
    }
    asked.fetch_add(1, Ordering::SeqCst);
    match does {
        Does::Send(bytes) => {
            let _ = stream.write_all(bytes).await;
            let _ = stream.shutdown().await;
        }
        Does::Flood => {
            let _ =
                stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
            let chunk = [b"1000\r\n".as_slice(), &[b'x'; 0x1000], b"\r\n"].concat();
            while stream.write_all(&chunk).await.is_ok() {}
        }
        Does::Wait => std::future::pending().await,
    }
}

/// Reads until the body `{"q":1}` has come; checks what a question must look like.
async fn read_question(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut text = Vec::new();
    while !text.ends_with(b"{\"q\":1}") {
        let mut part = [0; 1024];
        match stream.read(&mut part).await {
            Ok(length) if length > 0 => text.extend_from_slice(&part[..length]),
            _ => return false,
        }
    }
    text.starts_with(b"POST /gate/v1/records HTTP/1.1\r\n")
}

fn settings(address: SocketAddr, folder: &Path) -> Settings {
    Settings {
        name: Source::parse("record-platform").unwrap(),
        url: format!("https://{address}/gate/"),
        department: Department::parse("record-platform").unwrap(),
        dialect: "platform-json".to_owned(),
        tls: TlsFiles {
            authority: folder.join("authority.pem"),
            certificate: folder.join("client.pem"),
            key: folder.join("client.key"),
        },
        timeout_ms: 5_000,
        connect_timeout_ms: 5_000,
        reply_bytes_max: 10_000,
        in_flight_max: 4,
        failures_max: 2,
        open_ms: 1_000,
    }
}

/// A client that trusts `server` and shows a certificate of `client`, with changed settings.
fn client(
    address: SocketAddr,
    server: &Authority,
    client: &Authority,
    change: impl FnOnce(&mut Settings),
) -> Upstream {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = issue(client, "gateway");
    std::fs::write(folder.path().join("authority.pem"), server.pem()).unwrap();
    std::fs::write(folder.path().join("client.pem"), certificate).unwrap();
    std::fs::write(folder.path().join("client.key"), key).unwrap();
    let mut settings = settings(address, folder.path());
    change(&mut settings);
    let tls = settings.tls.load().unwrap();
    Upstream::new(settings, tls).unwrap()
}

async fn ask(upstream: &Upstream, now_ms: i64) -> Result<Vec<u8>, LineError> {
    let question = ("application/json", b"{\"q\":1}".to_vec());
    upstream.line.post(question, &[], now_ms).await
}

/// One question to a server that does something; the state it leaves behind.
async fn check(does: Does, expected: Result<&[u8], LineError>, failures: u32) {
    let authority = authority();
    let server = serve(&authority, &authority, does).await;
    let quick = |settings: &mut Settings| {
        if matches!(does, Does::Wait) {
            settings.timeout_ms = 100;
        }
    };
    let upstream = client(server.address, &authority, &authority, quick);
    assert_eq!(ask(&upstream, 0).await, expected.map(<[u8]>::to_vec));
    assert_eq!(server.asked.load(Ordering::SeqCst), 1);
    assert_eq!(upstream.reading(0).failures_in_row, failures, "{expected:?}");
}

#[tokio::test]
async fn an_answer_comes_back_whole() {
    check(GOOD, Ok(b"{}"), 0).await;
}

/// A dialect that asks the question the server waits for.
struct Counting;

impl Registry for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn next(&self, release: &Release, replies: &[Vec<u8>]) -> Result<Option<Vec<u8>>, ReplyError> {
        let question = format!("{{\"q\":{}}}", release.released().len());
        Ok(replies.is_empty().then(|| question.into_bytes()))
    }

    fn decode(&self, _: &[Vec<u8>]) -> Result<Vec<Reply>, ReplyError> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn a_release_for_another_department_is_not_sent() {
    let authority = authority();
    let server = serve(&authority, &authority, GOOD).await;
    let upstream = client(server.address, &authority, &authority, |_| ());
    let ours = release("record-platform", "system", "record-location");
    assert_eq!(upstream.look_up(&ours, &Counting, 0).await, Ok(vec![b"{}".to_vec()]));
    let other = release("civil-affairs", "clerk", "living-check");
    assert_eq!(upstream.look_up(&other, &Counting, 0).await, Err(LineError::Misdirected));
    assert_eq!(server.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_is_no_answer_has_a_name_of_its_own() {
    let refused = Does::Send(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
    check(refused, Err(LineError::Status(403)), 0).await;
    let failed = Does::Send(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n");
    check(failed, Err(LineError::Status(500)), 1).await;
    let moved = Does::Send(b"HTTP/1.1 307 Moved\r\nlocation: /\r\ncontent-length: 0\r\n\r\n");
    check(moved, Err(LineError::Status(307)), 0).await;
    let cut = Does::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}");
    check(cut, Err(LineError::Broken), 1).await;
    check(Does::Send(b"SSH-2.0-x\r\n\r\n"), Err(LineError::Broken), 1).await;
    check(Does::Send(b""), Err(LineError::Broken), 1).await;
    check(Does::Wait, Err(LineError::Timeout), 1).await;
}

#[tokio::test]
async fn a_reply_without_end_is_cut_off_at_its_limit() {
    check(Does::Flood, Err(LineError::TooLarge), 0).await;
    let long = Does::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 10001\r\n\r\n");
    check(long, Err(LineError::TooLarge), 0).await;
    let absurd = Does::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 9223372036854775807\r\n\r\n");
    check(absurd, Err(LineError::TooLarge), 0).await;
}

#[tokio::test]
async fn without_the_right_certificates_nothing_is_said() {
    let (ours, theirs) = (authority(), authority());
    for (server_authority, client_authority) in [(&theirs, &ours), (&ours, &theirs)] {
        let server = serve(server_authority, &ours, GOOD).await;
        let upstream = client(server.address, &ours, client_authority, |_| ());
        assert_eq!(ask(&upstream, 0).await, Err(LineError::Tls));
        assert_eq!(server.asked.load(Ordering::SeqCst), 0);
        assert_eq!(upstream.reading(0).failures_in_row, 1);
    }
}

#[tokio::test]
async fn an_upstream_that_is_gone_is_left_alone_and_tried_again() {
    let authority = authority();
    // The port is free again once its listener is dropped, so nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let upstream = client(address, &authority, &authority, |_| ());
    assert_eq!(ask(&upstream, 0).await, Err(LineError::Unreachable));
    assert_eq!(ask(&upstream, 1).await, Err(LineError::Unreachable));
    assert_eq!(upstream.reading(1).state, CircuitState::Open);
    assert_eq!(ask(&upstream, 2).await, Err(LineError::Open(Refused)));
    let reading = upstream.reading(2);
    assert_eq!((reading.failed, reading.refused, reading.last_success_age_ms), (2, 1, None));
    // Long after: the probe finds it still gone, and the pause begins anew.
    assert_eq!(ask(&upstream, 1_000_000).await, Err(LineError::Unreachable));
    assert_eq!(ask(&upstream, 1_000_001).await, Err(LineError::Open(Refused)));
}

#[tokio::test]
async fn an_upstream_that_is_back_is_asked_again() {
    let authority = authority();
    let server = serve(&authority, &authority, GOOD).await;
    let upstream = client(server.address, &authority, &authority, |_| ());
    for _ in 0..2 {
        upstream.line.gate.circuit.enter(0).unwrap().failed(0);
    }
    assert_eq!(ask(&upstream, 999).await, Err(LineError::Open(Refused)));
    assert_eq!(ask(&upstream, 1_000).await, Ok(b"{}".to_vec()));
    let reading = upstream.reading(1_000);
    assert_eq!((reading.state, reading.succeeded), (CircuitState::Closed, 1));
    assert_eq!(server.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn no_more_questions_are_on_their_way_than_may_be() {
    let authority = authority();
    let server = serve(&authority, &authority, Does::Wait).await;
    let slow = |settings: &mut Settings| {
        settings.in_flight_max = 1;
        settings.timeout_ms = 150;
    };
    let upstream = client(server.address, &authority, &authority, slow);
    let place = upstream.line.gate.in_flight.acquire().await.unwrap();
    assert_eq!(ask(&upstream, 0).await, Err(LineError::Busy));
    assert_eq!(server.asked.load(Ordering::SeqCst), 0);
    assert_eq!(upstream.reading(0).failures_in_row, 0);
    drop(place);
    assert_eq!(ask(&upstream, 0).await, Err(LineError::Timeout));
    assert_eq!(server.asked.load(Ordering::SeqCst), 1);
}

#[test]
fn an_address_that_could_leak_or_mislead_is_refused() {
    for (url, expected) in [
        ("https://upstream:8443", Some("https://upstream:8443/v1/records")),
        ("https://upstream:8443/a/", Some("https://upstream:8443/a/v1/records")),
        ("http://upstream:8443", None),
        ("https://user:secret@upstream", None),
        ("https://upstream/?key=secret", None),
        ("https://upstream/#part", None),
        ("upstream:8443", None),
        ("", None),
    ] {
        assert_eq!(
            endpoint(url, "/v1/records").as_ref().map(reqwest::Url::as_str),
            expected,
            "{url}"
        );
    }
}

#[test]
fn files_that_make_no_connection_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, others) = (authority(), authority());
    let (certificate, key) = issue(&ours, "gateway");
    let (_, other_key) = issue(&others, "gateway");
    let files = settings("127.0.0.1:1".parse().unwrap(), folder.path()).tls;
    let load = |authority: &str, certificate: &str, key: &str| {
        std::fs::write(&files.authority, authority).unwrap();
        std::fs::write(&files.certificate, certificate).unwrap();
        std::fs::write(&files.key, key).unwrap();
        files.load().map(|_| ()).map_err(|error| error.to_string())
    };
    let names = |result: Result<(), String>, part: &str| {
        let text = result.unwrap_err();
        assert!(text.contains(part), "{text}");
    };
    assert_eq!(load(&ours.pem(), &certificate, &key), Ok(()));
    names(load("", &certificate, &key), "authority.pem");
    names(load(&ours.pem(), "nothing", &key), "client.pem");
    names(load(&ours.pem(), &certificate, ""), "client.key");
    names(load(&ours.pem(), &certificate, &other_key), "certificate and key");
}
