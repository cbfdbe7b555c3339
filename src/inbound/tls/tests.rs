//! Handshakes over real sockets with certificates of an authority made for the test.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use super::*;
use crate::command::certs::{Authority, Request, Usage, Which};

/// An authority with a gateway certificate and a listener that echoes one byte at a time.
struct Site {
    dir: tempfile::TempDir,
    tls: Arc<ReloadableTls>,
    address: SocketAddr,
}

impl Site {
    async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::at(dir.path());
        authority.init("Test authority", 30).unwrap();
        authority.issue(&request("gateway", Usage::Server)).unwrap();
        let tls = ReloadableTls::mutual(settings(dir.path()), clients(dir.path())).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = tls.acceptor().unwrap();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(socket).await else { return };
                    let mut byte = [0];
                    while stream.read_exact(&mut byte).await.is_ok() {
                        let _ = stream.write_all(&byte).await;
                        let _ = stream.flush().await;
                    }
                });
            }
        });
        Self { dir, tls, address }
    }

    fn authority(&self) -> Authority {
        Authority::at(self.dir.path())
    }

    fn issue(&self, name: &str) -> ClientConfig {
        self.authority().issue(&request(name, Usage::Client)).unwrap();
        self.client(self.dir.path(), name)
    }

    /// A client that trusts this site and shows the certificate `name` of a folder.
    fn client(&self, folder: &std::path::Path, name: &str) -> ClientConfig {
        let chain = CertificateDer::pem_file_iter(folder.join(format!("{name}.pem"))).unwrap();
        let key = PrivateKeyDer::from_pem_file(folder.join(format!("{name}.key"))).unwrap();
        self.trusting().with_client_auth_cert(chain.map(Result::unwrap).collect(), key).unwrap()
    }

    fn trusting(&self) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.dir.path().join("ca.pem")).unwrap()).unwrap();
        ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
    }

    async fn connect(&self, client: &Arc<ClientConfig>) -> std::io::Result<Stream> {
        let socket = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(client.clone()).connect(name, socket).await?;
        echo(&mut stream).await?;
        Ok(stream)
    }

    async fn admits(&self, client: ClientConfig) -> bool {
        self.connect(&Arc::new(client)).await.is_ok()
    }
}

type Stream = tokio_rustls::client::TlsStream<TcpStream>;

/// In TLS 1.3 a client learns of its refusal only when it reads.
async fn echo(stream: &mut Stream) -> std::io::Result<()> {
    stream.write_all(b"x").await?;
    stream.flush().await?;
    stream.read_exact(&mut [0]).await.map(|_| ())
}

fn request(name: &str, usage: Usage) -> Request {
    let dns = if usage == Usage::Client { vec![] } else { vec!["localhost".to_owned()] };
    Request { name: name.to_owned(), usage, dns, ip: vec![], days: 30 }
}

fn settings(folder: &std::path::Path) -> Settings {
    Settings { certificate: folder.join("gateway.pem"), key: folder.join("gateway.key") }
}

fn clients(folder: &std::path::Path) -> ClientSettings {
    ClientSettings {
        authorities: folder.join("ca.pem"),
        revocations: folder.join("crl.pem"),
        enforce_revocation_expiration: true,
    }
}

fn days(count: u64) -> Duration {
    Duration::from_secs(count * 86_400)
}

#[tokio::test]
async fn only_a_certificate_of_our_own_authority_opens_a_connection() {
    let site = Site::open().await;
    assert!(site.admits(site.issue("hospital-a")).await);
    assert!(!site.admits(site.trusting().with_no_client_auth()).await, "no certificate");

    let foreign = tempfile::tempdir().unwrap();
    let other = Authority::at(foreign.path());
    other.init("Test authority", 30).unwrap();
    other.issue(&request("hospital-a", Usage::Client)).unwrap();
    assert!(!site.admits(site.client(foreign.path(), "hospital-a")).await, "unknown authority");

    let server = site.client(site.dir.path(), "gateway");
    assert!(!site.admits(server).await, "a listener's certificate is no client's");

    let past = Authority::on(site.dir.path(), SystemTime::now() - days(60));
    past.issue(&request("hospital-old", Usage::Client)).unwrap();
    assert!(!site.admits(site.client(site.dir.path(), "hospital-old")).await, "expired");
}

#[tokio::test]
async fn both_versions_are_spoken_and_no_older_one() {
    let site = Site::open().await;
    site.authority().issue(&request("hospital-a", Usage::Client)).unwrap();
    let chain = CertificateDer::pem_file_iter(site.dir.path().join("hospital-a.pem")).unwrap();
    let chain: Vec<_> = chain.map(Result::unwrap).collect();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(site.dir.path().join("ca.pem")).unwrap()).unwrap();
        let key = PrivateKeyDer::from_pem_file(site.dir.path().join("hospital-a.key")).unwrap();
        let client = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain.clone(), key)
            .unwrap();
        assert!(site.admits(client).await, "{version:?}");
    }
}

#[tokio::test]
async fn a_revoked_certificate_is_refused_after_a_reload_and_cannot_resume() {
    let site = Site::open().await;
    let revoked = Arc::new(site.issue("hospital-a"));
    let other = Arc::new(site.issue("hospital-b"));
    let mut open = site.connect(&revoked).await.unwrap();
    site.authority().revoke(&Which::Name("hospital-a".to_owned())).unwrap();
    assert!(site.connect(&revoked).await.is_ok(), "nothing changes before the reload");
    site.tls.serve(site.tls.read().unwrap());
    // The same client configuration, which would resume its session if it could.
    assert!(site.connect(&revoked).await.is_err());
    assert!(site.connect(&other).await.is_ok());
    echo(&mut open).await.expect("an open connection outlives the reload");
    let (_, session) = open.get_ref();
    assert!(session.peer_certificates().is_some());
    let shown = CertificateDer::from_pem_file(site.dir.path().join("hospital-a.pem")).unwrap();
    let named = certificate(&shown).unwrap();
    assert_eq!(named.subject, "hospital-a");
    let standing = site.tls.standing();
    assert_eq!(standing.revoked, [named.serial].into(), "the bindings refuse its next word");
    let ends = site.tls.expiries();
    let vouching = ends.iter().filter(|expiry| expiry.kind != ExpiryKind::Server);
    let end = vouching.map(|expiry| expiry.not_after).min();
    assert_eq!(Some(standing.until), end, "and everybody's once the list or the authority ends");
}

#[tokio::test]
async fn a_new_listener_certificate_serves_without_rebinding() {
    let site = Site::open().await;
    let client = Arc::new(site.issue("hospital-a"));
    let mut open = site.connect(&client).await.unwrap();
    let before = open.get_ref().1.peer_certificates().unwrap()[0].clone();
    for file in ["gateway.pem", "gateway.key"] {
        std::fs::remove_file(site.dir.path().join(file)).unwrap();
    }
    site.authority().issue(&request("gateway", Usage::Server)).unwrap();
    site.tls.serve(site.tls.read().unwrap());
    let fresh = site.connect(&client).await.unwrap();
    assert_ne!(fresh.get_ref().1.peer_certificates().unwrap()[0], before);
    echo(&mut open).await.expect("an open connection outlives the reload");
}

#[tokio::test]
async fn broken_material_never_replaces_what_serves() {
    let site = Site::open().await;
    let client = Arc::new(site.issue("hospital-a"));
    let folder = site.dir.path();
    site.authority().revoke(&Which::Name("hospital-a".to_owned())).unwrap();
    let stale = std::fs::read(folder.join("crl.pem")).unwrap();
    site.authority().sign_list().unwrap();
    let client_b = Arc::new(site.issue("hospital-b"));
    site.tls.serve(site.tls.read().unwrap());

    let foreign = tempfile::tempdir().unwrap();
    let other = Authority::at(foreign.path());
    other.init("Test authority", 30).unwrap();
    other.issue(&request("gateway", Usage::Server)).unwrap();
    let read = |name: &str| std::fs::read(foreign.path().join(name)).unwrap();
    let old_list = tempfile::tempdir().unwrap();
    let expired = Authority::on(old_list.path(), SystemTime::now() - days(400));
    for (file, content) in [
        ("gateway.pem", b"not a certificate".to_vec()),
        ("gateway.pem", Vec::new()),
        ("gateway.key", read("gateway.key")),
        ("crl.pem", read("crl.pem")),
        ("crl.pem", Vec::new()),
        ("crl.pem", stale),
        ("ca.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec()),
    ] {
        let good = std::fs::read(folder.join(file)).unwrap();
        std::fs::write(folder.join(file), &content).unwrap();
        assert!(site.tls.read().is_err(), "{file}");
        assert!(site.connect(&client).await.is_err(), "{file}: still revoked");
        assert!(site.connect(&client_b).await.is_ok(), "{file}: still serving");
        std::fs::write(folder.join(file), good).unwrap();
        site.tls.serve(site.tls.read().unwrap());
    }
    expired.init("Old authority", 3650).unwrap();
    expired.issue(&request("gateway", Usage::Server)).unwrap();
    let load = |clients| ReloadableTls::mutual(settings(folder), clients);
    assert!(matches!(load(clients(old_list.path())), Err(TlsError::RevocationTime(_))));
    let lenient =
        ClientSettings { enforce_revocation_expiration: false, ..clients(old_list.path()) };
    assert!(load(lenient).is_ok());
    let own = ReloadableTls::without_clients(settings(old_list.path()));
    assert!(matches!(own, Err(TlsError::CertificateTime(_))));
}

#[tokio::test]
async fn an_authority_without_a_list_does_not_start() {
    let site = Site::open().await;
    let foreign = tempfile::tempdir().unwrap();
    Authority::at(foreign.path()).init("Second authority", 30).unwrap();
    let read = |folder: &std::path::Path| std::fs::read(folder.join("ca.pem")).unwrap();
    let both = foreign.path().join("both.pem");
    std::fs::write(&both, [read(site.dir.path()), read(foreign.path())].concat()).unwrap();
    let settings = settings(site.dir.path());
    let clients = ClientSettings { authorities: both, ..clients(site.dir.path()) };
    let refused = ReloadableTls::mutual(settings, clients);
    assert!(matches!(refused, Err(TlsError::RevocationMissing(_))));
}

#[actix_web::test]
async fn a_connection_of_a_door_knows_whose_it_is() {
    use crate::inbound::door::{self, Limits, Manner};
    use actix_web::{App, HttpRequest, web};
    install_provider();
    let site = Site::open().await;
    site.issue("hospital-a");
    let whose = |request: HttpRequest| async move {
        request.conn_data::<Certificate>().map(|named| named.subject.clone()).unwrap_or_default()
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let manner = Manner {
        name: "test",
        workers: 1,
        connections_max: 4,
        drain_seconds_max: 1,
        limits: Limits::default(),
    };
    let app = move || App::new().route("/", web::get().to(whose));
    let tls = site.tls.server_config().unwrap();
    actix_web::rt::spawn(door::serve(listener, tls, manner, app).unwrap());
    let read = |name: &str| std::fs::read(site.dir.path().join(name)).unwrap();
    let client = || {
        let root = reqwest::Certificate::from_pem(&read("ca.pem")).unwrap();
        reqwest::Client::builder().tls_certs_only([root])
    };
    let shown = [read("hospital-a.pem"), read("hospital-a.key")].concat();
    let named = client().identity(reqwest::Identity::from_pem(&shown).unwrap()).build().unwrap();
    let answer = named.get(&address).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "hospital-a");
    let nobody = client().build().unwrap();
    assert!(nobody.get(&address).send().await.is_err());
}

#[test]
fn a_listener_for_browsers_asks_for_no_certificate_and_says_when_its_own_ends() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::at(dir.path());
    authority.init("Test authority", 30).unwrap();
    authority.issue(&request("gateway", Usage::Server)).unwrap();
    let tls = ReloadableTls::without_clients(settings(dir.path())).unwrap();
    assert!(tls.server_config().is_ok());
    assert!(tls.verify_client_cert(&CertificateDer::from(vec![0]), &[], UnixTime::now()).is_err());
    let expiries = tls.expiries();
    assert_eq!(expiries.len(), 1);
    assert_eq!(
        (expiries[0].subject.as_str(), expiries[0].kind),
        ("CN=gateway", ExpiryKind::Server)
    );
}

#[test]
fn bytes_that_are_no_certificate_name_nobody() {
    for bytes in [&b""[..], b"\x30", &[0xff; 64]] {
        assert_eq!(certificate(bytes), None);
    }
}
