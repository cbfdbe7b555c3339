//! A civil-affairs system under pressure: inquiries over kept mutual-TLS connections.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use serde_json::json;
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

/// Connections that are made and closed all the time.
pub const NEWCOMERS: usize = 8;

/// Where and as whom we ask.
pub struct Door {
    address: String,
    connector: TlsConnector,
}

impl Door {
    /// As the civil-affairs bureau.
    pub fn new(rig: &Rig) -> Self {
        Self::at(rig, rig.ports.https)
    }

    /// As the civil-affairs bureau, at another port of this machine. No session is resumed.
    pub fn at(rig: &Rig, port: u16) -> Self {
        let mut tls = (*rig.tls(CLERK)).clone();
        tls.resumption = Resumption::disabled();
        Self { address: at(port), connector: TlsConnector::from(Arc::new(tls)) }
    }

    async fn open(&self) -> Connection {
        self.try_open().await.unwrap()
    }

    async fn try_open(&self) -> io::Result<Connection> {
        let socket = TcpStream::connect(&self.address).await?;
        socket.set_nodelay(true)?;
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let stream = self.connector.connect(name, socket).await?;
        Ok(Connection { stream, read: vec![0; 64 * 1024] })
    }
}

/// The upstream systems know something of each of these.
pub fn teach(rig: &Rig, citizens: &[String]) {
    for citizen in citizens {
        let assessed = json!({ "dataset": "ability-assessment", "time": "2026-05-20",
            "assessedOn": "2026-05-20", "levels": { "final": "2" } });
        let registered = json!({ "dataset": "elder-registry",
            "registry": { "updatedOn": "2026-05-20" }, "emergency": { "keyLocation": "门卫" } });
        rig.platform.knows(citizen, vec![assessed]);
        rig.registry.knows(citizen, vec![registered]);
    }
}

/// A request that asks about a citizen.
pub fn question(path: &str, citizen: &str) -> String {
    let body = format!(
        r#"{{"identifier":{{"kind":"citizen-id","value":"{citizen}"}},"purpose":"{PURPOSE}"}}"#
    );
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
}

struct Connection {
    stream: TlsStream<TcpStream>,
    read: Vec<u8>,
}

impl Connection {
    /// How long an answer took, and how many bytes it has behind its head.
    async fn exchange(&mut self, request: &str) -> (u32, usize) {
        let (fine, took, body) = self.try_exchange(request).await.unwrap();
        assert!(fine, "{}", String::from_utf8_lossy(&self.read[..256]));
        (took, body)
    }

    /// The same of whatever answer, and whether it is one of success.
    async fn try_exchange(&mut self, request: &str) -> io::Result<(bool, u32, usize)> {
        let begun = Instant::now();
        self.stream.write_all(request.as_bytes()).await?;
        let (mut filled, mut whole) = (0, None);
        while whole.is_none_or(|(whole, _)| filled < whole) {
            let count = self.stream.read(&mut self.read[filled..]).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            filled += count;
            whole = whole.or_else(|| whole_of(&self.read[..filled]));
        }
        let fine = self.read.starts_with(b"HTTP/1.1 200");
        Ok((fine, micros(begun), whole.map_or(0, |(_, body)| body)))
    }
}

/// Length of head and body, and of the body, once the head is there.
fn whole_of(read: &[u8]) -> Option<(usize, usize)> {
    let end = read.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&read[..end]).unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let body = length.unwrap_or(0);
    Some((end + body, body))
}

/// Closed loop over 64 connections, one citizen after the other.
pub async fn run(door: &Door, path: &'static str, citizens: &[String], span: Duration) -> Load {
    let requests = citizens.iter().map(|citizen| question(path, citizen)).collect();
    repeat(door, requests, span).await
}

/// The same with any requests.
pub async fn repeat(door: &Door, requests: Vec<String>, span: Duration) -> Load {
    let requests = Arc::new(requests);
    let open = connections(door).await;
    let begun = Instant::now();
    let mut set = JoinSet::new();
    for (number, mut connection) in open.into_iter().enumerate() {
        let requests = Arc::clone(&requests);
        set.spawn(async move {
            let mut found = Vec::new();
            let mut next = number;
            while begun.elapsed() < span {
                found.push(connection.exchange(&requests[next % requests.len()]).await.0);
                next += CONNECTIONS;
            }
            found
        });
    }
    let parts = set.join_all().await;
    Load::of(parts, begun.elapsed().as_secs_f64())
}

/// Closed loop over so many connections that takes a refusal for an answer and asks on: whoever is
/// turned away or closed comes back at once. What was answered, and how often it was not.
pub async fn insist(
    door: &Arc<Door>,
    citizens: &[String],
    (connections, span): (usize, Duration),
) -> (Load, usize) {
    let requests = citizens.iter().map(|citizen| question("/v1/inquiries", citizen));
    let requests: Arc<Vec<_>> = Arc::new(requests.collect());
    let turned = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let mut set = JoinSet::new();
    for number in 0..connections {
        let (door, requests) = (Arc::clone(door), Arc::clone(&requests));
        let turned = Arc::clone(&turned);
        set.spawn(async move {
            let (mut found, mut open, mut next) = (Vec::new(), None, number);
            while begun.elapsed() < span {
                let Some(connection) = &mut open else {
                    open = door.try_open().await.ok();
                    turned.fetch_add(usize::from(open.is_none()), Ordering::Relaxed);
                    continue;
                };
                let request = &requests[next % requests.len()];
                match connection.try_exchange(request).await {
                    Ok((true, took, _)) => found.push(took),
                    Ok(_) => drop(turned.fetch_add(1, Ordering::Relaxed)),
                    Err(_) => {
                        turned.fetch_add(1, Ordering::Relaxed);
                        open = None;
                    }
                }
                next += connections;
            }
            found
        });
    }
    let parts = set.join_all().await;
    let load = Load::of(parts, begun.elapsed().as_secs_f64());
    (load, turned.load(Ordering::Relaxed))
}

/// Connections with a full handshake, each for one request.
pub async fn handshakes(door: Door, request: &str, span: Duration) -> Load {
    let (door, request) = (Arc::new(door), Arc::new(request.to_owned()));
    let begun = Instant::now();
    let mut set = JoinSet::new();
    for _ in 0..NEWCOMERS {
        let (door, request) = (Arc::clone(&door), Arc::clone(&request));
        set.spawn(async move {
            let mut found = Vec::new();
            while begun.elapsed() < span {
                let met = Instant::now();
                door.open().await.exchange(&request).await;
                found.push(micros(met));
            }
            found
        });
    }
    let parts = set.join_all().await;
    Load::of(parts, begun.elapsed().as_secs_f64())
}

/// How many bytes an answer has behind its head.
pub async fn length(door: &Door, request: &str) -> usize {
    door.open().await.exchange(request).await.1
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
                found.push(connection.exchange(&question("/v1/inquiries", citizen)).await.0);
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
