//! Ten thousand connections that do nothing, and connections that come and go: what they may
//! take is bounded, and a client that has something to say gets through.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use kangqiao_conformance::stream::Stream;
use kangqiao_conformance::{https, mllp};
use socket2::{Domain, Socket, Type};

use crate::rig::message::{Message, Resident, field};
use crate::rig::{CLERK, Rig, TLS_SENDER, at, loudly, until};

/// Connections to each of four ports.
const IDLE: usize = 2_500;
/// From how many addresses.
const ADDRESSES: usize = 5;
/// What all of them may take, KiB.
const GROWTH_KIB_MAX: u64 = 96 * 1024;

/// A connection from an address of this machine.
fn from(address: Ipv4Addr, port: u16) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((address, 0)).into())?;
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    socket.connect_timeout(&to.into(), Duration::from_secs(60))?;
    Ok(socket.into())
}

fn push(link: &mut mllp::Link) {
    let reply = link.exchange(&Message::new("A01", &Resident::new()).bytes()).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AA");
}

/// Every port serves whoever has something to say.
fn serves(rig: &Rig) {
    push(&mut rig.mllp());
    push(&mut rig.mllps(TLS_SENDER).unwrap());
    assert_eq!(rig.https(CLERK).get("/v1/ledger/nothing").unwrap().status, 404);
    let tls = rig.tls("");
    let mut console = https::Link::connect(&at(rig.ports.console), Some(&tls));
    assert_eq!(console.as_mut().unwrap().get("/sign-in").unwrap().status, 200);
}

#[test]
fn ten_thousand_that_do_nothing_are_bounded_and_keep_nobody_out() {
    let rig = Rig::start();
    serves(&rig);
    let (before, _) = rig.memory_kib();
    let ports = [rig.ports.mllp, rig.ports.mllps, rig.ports.https, rig.ports.console];
    let mut idle = Vec::with_capacity(IDLE * ports.len());
    for index in 0..IDLE {
        let last = u8::try_from(2 + index % ADDRESSES).unwrap();
        for port in ports {
            idle.push(from(Ipv4Addr::new(127, 0, 0, last), port).unwrap());
        }
    }
    assert_eq!(idle.len(), 10_000);
    serves(&rig);
    // The limits of docs/limits.md: 256 and 256, 1,024, 256.
    for (door, most) in [("mllp", 512), ("https", 1_024), ("console", 256)] {
        let open = rig.counted("kangqiao_connections", &[("door", door)]);
        assert!(open <= most, "{open} of {door} are open");
        let gone = [("door", door), ("why", "idle")];
        assert!(rig.counted("kangqiao_connections_closed_total", &gone) > 0, "{door}");
    }
    let (_, highest) = rig.memory_kib();
    assert!(highest.saturating_sub(before) < GROWTH_KIB_MAX, "from {before} to {highest} KiB");
    drop(idle);
    serves(&rig);
}

#[test]
fn one_address_cannot_take_the_places_of_the_others() {
    let rig = Rig::prepare("");
    let config = std::fs::read_to_string(rig.config()).unwrap();
    let few = "limits = { connections_max = 64, connections_per_address_max = 4 }\n";
    let config = config
        .replace("[[mllp]]\n", &format!("[[mllp]]\n{few}"))
        .replace("[https]\n", "[https]\nlimits = { connections_per_address_max = 4 }\n");
    std::fs::write(rig.config(), config).unwrap();
    rig.resume();
    // It has said what it had to say, and is idle as a hospital is at night.
    let mut quiet = rig.mllp();
    push(&mut quiet);
    for port in [rig.ports.mllp, rig.ports.https] {
        let flood: Vec<_> =
            (0..40).map(|_| from(Ipv4Addr::new(127, 0, 0, 9), port).unwrap()).collect();
        until("the others of the address are closed", || {
            let open = rig.counted("kangqiao_connections", &[]);
            (open <= 9).then_some(())
        });
        drop(flood);
    }
    push(&mut quiet);
}

/// Each asks again as soon as he is answered, and comes back as soon as he is turned away.
#[test]
fn a_crowd_from_one_address_does_not_put_each_other_out() {
    const PLACES: usize = 4;
    let rig = Rig::prepare("");
    let config = std::fs::read_to_string(rig.config()).unwrap();
    let few = format!("[https]\nlimits = {{ connections_per_address_max = {PLACES} }}\n");
    std::fs::write(rig.config(), config.replace("[https]\n", &few)).unwrap();
    rig.resume();
    let ends = Instant::now() + Duration::from_secs(2);
    let served: Vec<usize> = std::thread::scope(|scope| {
        let crowd: Vec<_> = (0..4 * PLACES).map(|_| scope.spawn(|| insists(&rig, ends))).collect();
        crowd.into_iter().map(|one| one.join().unwrap()).collect()
    });
    // Whoever is let in when another has gone at the end asks once.
    let those_served = served.iter().filter(|times| **times > 1).count();
    assert_eq!(those_served, PLACES, "{served:?}");
}

/// Asks until then; how often it was answered.
fn insists(rig: &Rig, ends: Instant) -> usize {
    let (address, tls) = (at(rig.ports.https), rig.tls(CLERK));
    let mut served = 0;
    while Instant::now() < ends {
        let Ok(mut link) = https::Link::connect(&address, Some(&tls)) else { continue };
        while Instant::now() < ends && link.get("/v1/ledger/nothing").is_ok() {
            served += 1;
        }
    }
    served
}

#[test]
fn what_a_connection_takes_is_little() {
    const PLAIN: u64 = 4_000;
    const SECURE: u64 = 200;
    let rig = Rig::prepare("");
    let config = std::fs::read_to_string(rig.config()).unwrap();
    let many = "limits = { connections_max = 5000, connections_per_address_max = 5000 }\n";
    let config = config.replace("[[mllp]]\n", &format!("[[mllp]]\n{many}"));
    std::fs::write(rig.config(), config).unwrap();
    rig.resume();
    serves(&rig);
    let (before, _) = rig.memory_kib();
    let plain: Vec<_> =
        (0..PLAIN).map(|_| TcpStream::connect(("127.0.0.1", rig.ports.mllp)).unwrap()).collect();
    let open = || rig.counted("kangqiao_connections", &[("door", "mllp")]);
    until("all are open", || (open() >= PLAIN).then_some(()));
    let (after_plain, _) = rig.memory_kib();
    let secure: Vec<_> = (0..SECURE)
        .map(|_| {
            let mut link = rig.https(CLERK);
            assert_eq!(link.get("/v1/ledger/nothing").unwrap().status, 404);
            link
        })
        .collect();
    let (after_secure, _) = rig.memory_kib();
    let each_plain = after_plain.saturating_sub(before) * 1024 / PLAIN;
    let each_secure = after_secure.saturating_sub(after_plain) * 1024 / SECURE;
    loudly(&format!("a connection takes {each_plain} bytes, an HTTPS one {each_secure}"));
    assert!(each_plain < 64 * 1024, "{each_plain} bytes for each plain connection");
    assert!(each_secure < 160 * 1024, "{each_secure} bytes for each HTTPS connection");
    drop((plain, secure));
}

#[test]
fn connections_that_come_and_go_leave_nothing_behind() {
    let rig = Rig::start();
    serves(&rig);
    let files = || std::fs::read_dir(format!("/proc/{}/fd", rig.pid())).unwrap().count();
    let before = files();
    for _ in 0..1_000 {
        for port in [rig.ports.mllp, rig.ports.mllps, rig.ports.https] {
            drop(TcpStream::connect(("127.0.0.1", port)).unwrap());
        }
    }
    for _ in 0..50 {
        // A whole handshake, and nothing else.
        let mut stream = Stream::connect(&at(rig.ports.https), Some(&rig.tls(CLERK))).unwrap();
        std::io::Write::flush(&mut stream).unwrap();
    }
    serves(&rig);
    until("their files are closed", || (files() <= before + 8).then_some(()));
    let open = || rig.counted("kangqiao_connections", &[]);
    until("their places are free", || (open() <= 4).then_some(()));
}

#[test]
fn http_2_is_not_spoken_and_so_no_stream_can_be_reset() {
    let rig = Rig::shared();
    let offering = |protocols: &[&str]| {
        let mut config = (*rig.tls(CLERK)).clone();
        config.alpn_protocols =
            protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let mut stream = Stream::connect(&at(rig.ports.https), Some(&config.into()))?;
        std::io::Write::write_all(&mut stream, b"GET /v1/ledger/x HTTP/1.1\r\nhost: x\r\n\r\n")?;
        let mut piece = [0; 64];
        std::io::Read::read(&mut stream, &mut piece)?;
        let Stream::Tls(stream) = stream else { return Ok(None) };
        Ok::<_, std::io::Error>(stream.conn.alpn_protocol().map(<[u8]>::to_vec))
    };
    assert!(offering(&["h2"]).is_err());
    assert_eq!(offering(&["h2", "http/1.1"]).unwrap().as_deref(), Some(&b"http/1.1"[..]));
    assert_eq!(offering(&[]).unwrap(), None);
}
