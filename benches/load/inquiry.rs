//! A civil-affairs system under pressure: inquiries over kept mutual-TLS connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Load, micros};
use crate::rig::{CLERK, Rig, at};

/// Asks the own store and both upstreams.
const PURPOSE: &str = "subsidy-eligibility";
/// Connections of every run.
pub const CONNECTIONS: usize = 64;

/// Where and as whom we ask.
pub struct Door {
    address: String,
    connector: TlsConnector,
}

impl Door {
    /// As the civil-affairs bureau.
    pub fn new(rig: &Rig) -> Self {
        let connector = TlsConnector::from(rig.tls(CLERK));
        Self { address: at(rig.ports.https), connector }
    }

    async fn open(&self) -> Connection {
        let socket = TcpStream::connect(&self.address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let stream = self.connector.connect(name, socket).await.unwrap();
        Connection { stream, read: vec![0; 64 * 1024] }
    }
}

struct Connection {
    stream: TlsStream<TcpStream>,
    read: Vec<u8>,
}

impl Connection {
    async fn ask(&mut self, path: &str, citizen: &str) -> u32 {
        let body = format!(
            r#"{{"identifier":{{"kind":"citizen-id","value":"{citizen}"}},"purpose":"{PURPOSE}"}}"#
        );
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let begun = Instant::now();
        self.stream.write_all(request.as_bytes()).await.unwrap();
        let mut filled = 0;
        let mut whole = None;
        while whole.is_none_or(|whole| filled < whole) {
            let count = self.stream.read(&mut self.read[filled..]).await.unwrap();
            assert!(count > 0, "the gateway closed the connection");
            filled += count;
            whole = whole.or_else(|| whole_of(&self.read[..filled]));
        }
        let took = micros(begun);
        let fine = self.read.starts_with(b"HTTP/1.1 200");
        assert!(fine, "{}", String::from_utf8_lossy(&self.read[..filled]));
        took
    }
}

/// Length of head and body, once the head is there.
fn whole_of(read: &[u8]) -> Option<usize> {
    let end = read.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&read[..end]).unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    Some(end + length.unwrap_or(0))
}

/// Closed loop over 64 connections, one citizen after the other.
pub async fn run(door: &Door, path: &'static str, citizens: &[String], span: Duration) -> Load {
    let citizens = Arc::new(citizens.to_vec());
    let open = connections(door).await;
    let begun = Instant::now();
    let mut set = JoinSet::new();
    for (number, mut connection) in open.into_iter().enumerate() {
        let citizens = Arc::clone(&citizens);
        set.spawn(async move {
            let mut found = Vec::new();
            let mut next = number;
            while begun.elapsed() < span {
                found.push(connection.ask(path, &citizens[next % citizens.len()]).await);
                next += CONNECTIONS;
            }
            found
        });
    }
    let parts = set.join_all().await;
    Load::of(parts, begun.elapsed().as_secs_f64())
}

/// Asks about every citizen once.
pub async fn once(door: &Door, citizens: &[String]) -> Load {
    let citizens = Arc::new(citizens.to_vec());
    let open = connections(door).await;
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let mut set = JoinSet::new();
    for mut connection in open {
        let (citizens, next) = (Arc::clone(&citizens), Arc::clone(&next));
        set.spawn(async move {
            let mut found = Vec::new();
            while let Some(citizen) = citizens.get(next.fetch_add(1, Ordering::Relaxed)) {
                found.push(connection.ask("/v1/inquiries", citizen).await);
            }
            found
        });
    }
    let parts = set.join_all().await;
    Load::of(parts, begun.elapsed().as_secs_f64())
}

async fn connections(door: &Door) -> Vec<Connection> {
    let mut open = Vec::new();
    for _ in 0..CONNECTIONS {
        open.push(door.open().await);
    }
    open
}
