//! The listener, through real sockets.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::codec::Decoder;

use super::*;
use crate::inbound::places::PAUSE_MS;
use crate::wire::mllp::Codec;

struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Starts a listener that answers with the body, or with what was wrong.
async fn start(settings: Settings, tls: Option<Tls>) -> Running {
    let answer = |arrival| async move {
        match arrival {
            Arrival::Message(received) if &received.body[..] == b"panic" => panic!("asked to"),
            Arrival::Message(received) => vec![received.body.to_vec()],
            Arrival::Group(group, _) => group.iter().map(|one| one.body.to_vec()).collect(),
            Arrival::Broken { received, fault, at } => {
                let at = at.unwrap().to_string();
                let head = String::from_utf8_lossy(&received.body).replace('\u{b}', "_");
                vec![format!("{} at {at}: {head}", fault.row().name).into_bytes()]
            }
        }
    };
    start_with(settings, tls, answer).await
}

async fn start_with<A, F>(settings: Settings, tls: Option<Tls>, answer: A) -> Running
where
    A: Fn(Arrival) -> F + Send + Sync + 'static,
    F: Future<Output = Vec<Vec<u8>>> + Send + 'static,
{
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let stop = CancellationToken::new();
    let sender = Some(Source::parse("hospital-a").unwrap());
    let listener = Listener { socket, sender, tls, settings };
    let task = tokio::spawn(serve(listener, answer, stop.clone()));
    Running { address, stop, task }
}

struct Client<S> {
    stream: S,
    buffer: BytesMut,
}

impl Running {
    async fn client(&self) -> Client<TcpStream> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        Client { stream, buffer: BytesMut::new() }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next answer, or `None` when the connection ends or says something else.
    async fn reply(&mut self) -> Option<String> {
        let mut codec = Codec::new(1_000_000);
        loop {
            if let Some(body) = codec.decode(&mut self.buffer).ok()? {
                return Some(String::from_utf8(body.to_vec()).unwrap());
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => (),
            }
        }
    }

    async fn ask(&mut self, body: &str) -> Option<String> {
        self.send(format!("\x0B{body}\x1C\r").as_bytes()).await;
        self.reply().await
    }
}

#[tokio::test]
async fn messages_are_answered_in_order_in_whatever_pieces_they_come() {
    let running = start(Settings::default(), None).await;
    let mut client = running.client().await;
    client.send(b"\x0Bone\x1C\r\r\n\x0Btwo\x1C\r\x0Bthr").await;
    client.send(b"ee\x1C\r").await;
    for expected in ["one", "two", "three"] {
        assert_eq!(client.reply().await.as_deref(), Some(expected));
    }
    for byte in b"\x0Bfour\x1C\r" {
        client.send(&[*byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.reply().await.as_deref(), Some("four"));
}

async fn check_broken(sent: &[u8], expected: &str) {
    let settings = Settings { frame_bytes_max: 40, frame_ms_max: 200, ..Settings::default() };
    let running = start(settings, None).await;
    let (mut good, mut bad) = (running.client().await, running.client().await);
    assert_eq!(good.ask("before").await.as_deref(), Some("before"));
    bad.send(sent).await;
    assert_eq!(bad.reply().await.as_deref(), Some(expected));
    assert_eq!(bad.reply().await, None, "the connection is closed");
    assert_eq!(good.ask("after").await.as_deref(), Some("after"));
}

#[tokio::test]
async fn what_is_no_frame_is_refused_once_and_nobody_else_notices() {
    check_broken(b"GET / HTTP/1.1\r\n", "malformed at byte 0: GET / HTTP/1.1\r\n").await;
    check_broken(b"\x0BMSH|\x0BMSH|", "malformed at byte 4: MSH|_MSH|").await;
    let long = [&b"\x0B"[..], &[b'x'; 42]].concat();
    check_broken(&long, &format!("limit at byte 40: {}", "x".repeat(42))).await;
    check_broken(b"\x0BMSH|no end", "limit at byte 10: MSH|no end").await;
}

#[tokio::test]
async fn a_refusal_reaches_a_peer_that_is_still_sending() {
    let running = start(Settings { frame_bytes_max: 40, ..Settings::default() }, None).await;
    let client = running.client().await;
    let (reading, mut writing) = tokio::io::split(client.stream);
    let flood = tokio::spawn(async move {
        let _ = writing.write_all(b"\x0B").await;
        for _ in 0..2_000 {
            if writing.write_all(&[b'x'; 1_000]).await.is_err() {
                return;
            }
        }
    });
    let mut reader =
        Client { stream: tokio::io::join(reading, tokio::io::sink()), buffer: BytesMut::new() };
    assert!(reader.reply().await.unwrap().starts_with("limit at byte 40: xxx"));
    flood.await.unwrap();
}

#[tokio::test]
async fn a_frame_cut_off_by_its_sender_is_refused() {
    let running = start(Settings::default(), None).await;
    let mut client = running.client().await;
    client.send(b"\x0BMSH|half").await;
    client.stream.shutdown().await.unwrap();
    assert_eq!(client.reply().await.as_deref(), Some("malformed at byte 8: MSH|half"));
}

#[tokio::test]
async fn dribbling_and_silence_end_in_time() {
    let settings = Settings {
        first_byte_ms_max: 100,
        idle_ms_max: 100,
        frame_ms_max: 200,
        ..Settings::default()
    };
    let running = start(settings, None).await;
    let mut silent = running.client().await;
    assert_eq!(silent.reply().await, None, "no first byte");
    let mut idle = running.client().await;
    assert_eq!(idle.ask("x").await.as_deref(), Some("x"));
    assert_eq!(idle.reply().await, None, "no second message");
    let dribble = running.client().await;
    let (reading, mut writing) = tokio::io::split(dribble.stream);
    let dribbling = tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        let mut byte = b"\x0B";
        while writing.write_all(byte).await.is_ok() {
            byte = b"x";
            tick.tick().await;
        }
    });
    let mut reader =
        Client { stream: tokio::io::join(reading, tokio::io::sink()), buffer: BytesMut::new() };
    assert!(reader.reply().await.unwrap().starts_with("limit at byte"));
    dribbling.await.unwrap();
}

#[tokio::test]
async fn a_panic_closes_its_own_connection_alone() {
    let running = start(Settings::default(), None).await;
    let (mut first, mut second) = (running.client().await, running.client().await);
    assert_eq!(first.ask("panic").await, None);
    assert_eq!(second.ask("x").await.as_deref(), Some("x"));
    assert_eq!(running.client().await.ask("y").await.as_deref(), Some("y"));
}

#[tokio::test]
async fn beyond_the_limit_who_is_idle_makes_room_and_who_is_answered_does_not() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let answer = move |arrival| {
        let held = Arc::clone(&held);
        async move {
            let Arrival::Message(received) = arrival else { return Vec::new() };
            if &received.body[..] == b"held" {
                let _ = held.acquire().await;
            }
            vec![received.body.to_vec()]
        }
    };
    let settings = Settings {
        connections_max: 2,
        connections_per_address_max: Some(2),
        ..Settings::default()
    };
    let running = start_with(settings, None, answer).await;
    let (mut busy, mut idle) = (running.client().await, running.client().await);
    assert_eq!(idle.ask("first").await.as_deref(), Some("first"));
    sleep(Duration::from_millis(PAUSE_MS)).await;
    busy.send(b"\x0Bheld\x1C\r").await;
    let mut third = running.client().await;
    assert_eq!(third.ask("third").await.as_deref(), Some("third"));
    assert_eq!(idle.reply().await, None, "it made room");
    gate.add_permits(1);
    assert_eq!(busy.reply().await.as_deref(), Some("held"));
}

#[tokio::test]
async fn long_frames_share_one_allowance_and_wait_for_it() {
    let settings =
        Settings { buffered_bytes_max: 200_000, frame_ms_max: 500, ..Settings::default() };
    let finish = Arc::new(Notify::new());
    let state = Arc::clone(&finish);
    let answer = move |arrival| {
        let finish = Arc::clone(&state);
        async move {
            match arrival {
                Arrival::Message(received) => {
                    finish.notified().await;
                    vec![received.body.len().to_string().into_bytes()]
                }
                Arrival::Broken { fault, .. } => vec![fault.row().name.as_bytes().to_vec()],
                Arrival::Group(..) => panic!("nobody sends a batch"),
            }
        }
    };
    let running = start_with(settings, None, answer).await;
    let long = [&b"\x0BMSH|"[..], &[b'x'; 150_000], b"\x1C\r"].concat();
    let (mut first, mut second) = (running.client().await, running.client().await);
    first.send(&long).await;
    // The first must have been read before the second asks for the same bytes.
    assert!(timeout(Duration::from_millis(200), first.reply()).await.is_err());
    second.send(&long).await;
    let refused = second.reply().await;
    assert_eq!(refused.as_deref(), Some("overloaded"), "nothing is wrong with the message");
    let mut third = running.client().await;
    third.send(&long).await;
    assert!(timeout(Duration::from_millis(100), third.reply()).await.is_err());
    finish.notify_one();
    assert_eq!(first.reply().await.as_deref(), Some("150004"));
    finish.notify_one();
    assert_eq!(third.reply().await.as_deref(), Some("150004"), "who waited comes next");
}

#[tokio::test]
async fn what_a_batch_holds_is_of_the_same_allowance_and_given_back_with_its_end() {
    let settings = Settings { buffered_bytes_max: 200_000, ..Settings::default() };
    let running = start(settings, None).await;
    let (mut first, mut second) = (running.client().await, running.client().await);
    let part = [&b"\x0BBHS|^~\\&|A\rMSH|"[..], &[b'x'; 150_000]].concat();
    // Never much is in the buffer: the batch holds it.
    for piece in part.chunks(20_000) {
        first.send(piece).await;
        sleep(Duration::from_millis(20)).await;
    }
    // The batch must have been read before the second asks for the same bytes.
    assert!(timeout(Duration::from_millis(200), first.reply()).await.is_err());
    second.send(&[&b"\x0BMSH|"[..], &[b'x'; 150_000], b"\x1C\r"].concat()).await;
    assert!(timeout(Duration::from_millis(500), second.reply()).await.is_err(), "it waits");
    first.send(b"\rMSH|2\rBTS|2\r\x1C\r").await;
    assert!(first.reply().await.unwrap().contains("\rMSH|2\rBTS|2\r"));
    assert_eq!(second.reply().await.map(|body| body.len()), Some(150_004));
    let mut third = running.client().await;
    let body = "x".repeat(150_000);
    assert_eq!(third.ask(&body).await.as_ref(), Some(&body), "while the first is still there");
    assert_eq!(first.ask(&body).await, Some(body));
}

#[tokio::test]
async fn behind_a_batch_that_came_in_pieces_an_empty_line_is_none() {
    let running = start(Settings::default(), None).await;
    let mut client = running.client().await;
    client.send(b"\x0BBH").await;
    // It must be read by itself.
    sleep(Duration::from_millis(100)).await;
    client.send(b"S|^~\\&|A\rMSH|1\rBTS|1\r\x1C\r").await;
    assert!(client.reply().await.unwrap().ends_with("MSH|1\rBTS|1\r"));
    client.send(b"\r\n\x0Bnext\x1C\r").await;
    assert_eq!(client.reply().await.as_deref(), Some("next"));
}

#[tokio::test]
async fn the_groups_of_a_batch_know_of_each_other_and_those_of_the_next_do_not() {
    let answer = |arrival| async move {
        let Arrival::Group(group, broken) = arrival else { return Vec::new() };
        let was = broken.swap(true, Ordering::SeqCst);
        vec![format!("{} {was}\r", group.len()).into_bytes()]
    };
    let running = start_with(Settings::default(), None, answer).await;
    let mut client = running.client().await;
    let messages: String = (0..40).map(|number| format!("MSH|{number}\r")).collect();
    for _ in 0..2 {
        let reply = client.ask(&format!("BHS|^~\\&|A\r{messages}BTS|40\r")).await.unwrap();
        assert!(reply.contains("\r30 false\r10 true\rBTS|2"), "{reply}");
    }
}

#[tokio::test]
async fn a_stop_lets_the_message_in_hand_finish() {
    let (begun, finish) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let answered = Arc::new(AtomicUsize::new(0));
    let state = (Arc::clone(&begun), Arc::clone(&finish), Arc::clone(&answered));
    let answer = move |_| {
        let (begun, finish, answered) = state.clone();
        async move {
            begun.notify_one();
            finish.notified().await;
            answered.fetch_add(1, Ordering::SeqCst);
            vec![b"done".to_vec()]
        }
    };
    let running = start_with(Settings::default(), None, answer).await;
    let (mut client, mut idle) = (running.client().await, running.client().await);
    client.send(b"\x0Bone\x1C\r\x0Btwo\x1C\r").await;
    begun.notified().await;
    running.stop.cancel();
    assert_eq!(idle.reply().await, None, "an idle connection closes at once");
    finish.notify_one();
    assert_eq!(client.reply().await.as_deref(), Some("done"));
    assert_eq!(client.reply().await, None, "nothing new is begun");
    running.task.await.unwrap();
    assert_eq!(answered.load(Ordering::SeqCst), 1);
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let settings = Settings { drain_ms_max: 100, ..Settings::default() };
    let running = start_with(settings, None, |_| std::future::pending()).await;
    let mut client = running.client().await;
    client.send(b"\x0Bone\x1C\r").await;
    assert!(timeout(Duration::from_millis(100), client.reply()).await.is_err());
    running.stop.cancel();
    running.task.await.unwrap();
    assert_eq!(client.reply().await, None);
}

mod over_tls {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    use tokio_rustls::TlsConnector;

    use super::*;

    struct Authority {
        certificate: CertificateDer<'static>,
        issuer: Issuer<'static, KeyPair>,
    }

    type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

    impl Authority {
        fn new() -> Self {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let key = KeyPair::generate().unwrap();
            let certificate = params.self_signed(&key).unwrap().der().clone();
            Self { certificate, issuer: Issuer::new(params, key) }
        }

        fn issue(&self, name: &str) -> Identity {
            let mut params = CertificateParams::new([name.to_owned()]).unwrap();
            params.distinguished_name.push(DnType::CommonName, name);
            let key = KeyPair::generate().unwrap();
            let certificate = params.signed_by(&key, &self.issuer).unwrap();
            (vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        }

        fn roots(&self) -> rustls::RootCertStore {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(self.certificate.clone()).unwrap();
            roots
        }

        fn acceptor(&self) -> TlsAcceptor {
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let roots = Arc::new(self.roots());
            let clients = rustls::server::WebPkiClientVerifier::builder_with_provider(
                roots,
                provider.clone(),
            );
            let (chain, key) = self.issue("localhost");
            let config = rustls::ServerConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_client_cert_verifier(clients.build().unwrap())
                .with_single_cert(chain, key);
            TlsAcceptor::from(Arc::new(config.unwrap()))
        }

        async fn connect(&self, address: SocketAddr, identity: Option<Identity>) -> Option<String> {
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let config = rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(self.roots());
            let config = match identity {
                Some((chain, key)) => config.with_client_auth_cert(chain, key).unwrap(),
                None => config.with_no_client_auth(),
            };
            let stream = TcpStream::connect(address).await.unwrap();
            let name = ServerName::try_from("localhost").unwrap();
            let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.ok()?;
            let mut client = Client { stream, buffer: BytesMut::new() };
            client.stream.write_all(b"\x0Bwho\x1C\r").await.ok()?;
            client.reply().await
        }
    }

    /// Enough of a certificate reader to see that the client's own certificate arrives.
    fn certificate(der: &[u8]) -> Option<Certificate> {
        let (_, parsed) = x509_parser::parse_x509_certificate(der).ok()?;
        let subject = parsed.subject().iter_common_name().next()?.as_str().ok()?.to_owned();
        Some(Certificate { subject, serial: Vec::new(), not_after: i64::MAX })
    }

    #[tokio::test]
    async fn a_message_carries_the_certificate_of_its_connection() {
        let (ours, theirs) = (Arc::new(Authority::new()), Authority::new());
        let authority = Arc::clone(&ours);
        let acceptor = Arc::new(move || Ok(authority.acceptor()));
        let tls = Some(Tls { acceptor, certificate });
        let answer = |arrival| async move {
            let Arrival::Message(received) = arrival else { return Vec::new() };
            assert_eq!(received.sender, Source::parse("hospital-a").ok());
            vec![received.peer.unwrap().subject.into_bytes()]
        };
        let settings = Settings { handshake_ms_max: 300, ..Settings::default() };
        let running = start_with(settings, tls, answer).await;
        let known = ours.connect(running.address, Some(ours.issue("ward-3"))).await;
        assert_eq!(known.as_deref(), Some("ward-3"));
        assert_eq!(ours.connect(running.address, None).await, None, "no certificate");
        let foreign = ours.connect(running.address, Some(theirs.issue("ward-3"))).await;
        assert_eq!(foreign, None, "a certificate of somebody else's authority");
        let mut mute = running.client().await;
        assert_eq!(mute.reply().await, None, "no handshake in time");
        let plain = running.client().await.ask("x").await;
        assert_eq!(plain, None, "no TLS at all");
    }
}
