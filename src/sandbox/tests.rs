//! The walls, tried from within: each test confines a thread of its own, which ends with it.

use std::fs;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::thread;

use super::*;

/// Runs something in a thread with walls around it; `None` where this kernel has not all of them.
fn within<T: Send>(bounds: &Bounds, inside: impl FnOnce() -> T + Send) -> Option<T> {
    let whole = offered();
    if !whole.all() {
        eprintln!("SKIPPED: this kernel offers {whole:?}");
        return None;
    }
    let confined = || {
        assert_eq!(confine(bounds, Mode::Required).unwrap(), whole);
        inside()
    };
    Some(thread::scope(|scope| scope.spawn(confined).join().unwrap()))
}

fn denied<T: std::fmt::Debug>(outcome: std::io::Result<T>) -> bool {
    outcome.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

#[test]
fn files_outside_are_neither_read_nor_made_and_those_inside_are() {
    let dir = tempfile::tempdir().unwrap();
    let [own, read, other] = ["own", "read", "other"].map(|name| dir.path().join(name));
    for folder in [&own, &read, &other] {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("a"), "x").unwrap();
    }
    std::os::unix::fs::symlink(other.join("a"), own.join("link")).unwrap();
    let mut bounds = Bounds::default();
    bounds.change(&own);
    bounds.read(&read);
    within(&bounds, || {
        assert!(denied(fs::read("/etc/passwd")));
        assert!(denied(fs::read(other.join("a"))) && denied(fs::read_dir(&other)));
        assert!(denied(fs::read(own.join("link"))), "a link leads out");
        assert!(
            denied(fs::write(other.join("b"), "x")) && denied(fs::remove_file(other.join("a")))
        );
        assert!(denied(fs::rename(own.join("a"), other.join("c"))), "nothing is carried out");
        assert!(denied(fs::write(read.join("a"), "y")) && denied(fs::write(read.join("b"), "y")));
        assert_eq!(fs::read(read.join("a")).unwrap(), b"x");
        fs::write(own.join("new"), "x").unwrap();
        fs::rename(own.join("new"), own.join("a")).unwrap();
        fs::create_dir(own.join("deeper")).unwrap();
        UnixListener::bind(own.join("deeper/socket")).unwrap();
        fs::remove_file(own.join("deeper/socket")).unwrap();
        fs::remove_dir(own.join("deeper")).unwrap();
    });
    assert_eq!(fs::read(other.join("a")).unwrap(), b"x");
}

#[test]
fn only_ports_it_was_told_of_are_listened_on_and_connected_to() {
    let (near, far) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("[::1]:0"));
    let (near, far) = (near.local_addr().unwrap(), far.map(|far| (far.local_addr().unwrap(), far)));
    let _near = TcpListener::bind(("127.0.0.2", near.port())).unwrap();
    let mut bounds = Bounds::default();
    bounds.connects.insert(near.port());
    bounds.listens.insert(near.port());
    within(&bounds, || {
        TcpStream::connect(("127.0.0.2", near.port())).unwrap();
        if let Ok((far, _)) = far {
            assert!(denied(TcpStream::connect(far)), "another port");
        }
        TcpListener::bind(("127.0.0.3", near.port())).unwrap();
        assert!(denied(TcpListener::bind("127.0.0.1:0")));
        // Names are still resolved.
        UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(("localhost", 1).to_socket_addrs().unwrap().count() > 0);
    });
}

#[test]
fn no_program_is_started_and_threads_are() {
    let dir = tempfile::tempdir().unwrap();
    let mut bounds = Bounds::default();
    bounds.change(dir.path());
    within(&bounds, || {
        assert!(denied(Command::new("/bin/true").spawn()));
        assert!(denied(Command::new("/bin/true").status()));
        let alone = thread::spawn(|| fs::read("/etc/passwd"));
        assert!(denied(alone.join().unwrap()), "threads it starts are as confined");
        let status = fs::read_to_string("/proc/thread-self/status");
        assert!(denied(status), "not even what it is itself");
        let odd = socket2::Socket::new(40.into(), socket2::Type::STREAM, None);
        assert!(denied(odd), "a family nobody asked for: vsock");
    });
    assert!(Command::new("/bin/true").status().unwrap().success(), "this thread is as before");
}

#[test]
fn a_thread_that_is_off_is_free_and_nothing_stands() {
    let walls = thread::spawn(|| {
        let walls = confine(&Bounds::default(), Mode::Off).unwrap();
        (walls, fs::read("/etc/passwd").is_ok())
    });
    assert_eq!(walls.join().unwrap(), (Walls::default(), true));
    assert_eq!(standing(), Walls::default(), "nobody confined this process");
    let half = Walls { files: true, ..Walls::default() };
    assert_eq!((half.all(), half.missing()), (false, vec!["ports", "calls"]));
    let told = SandboxError::Required(half).to_string();
    assert!(told.ends_with("cannot confine: ports, calls"), "{told}");
}

#[test]
fn what_a_reload_asks_for_is_compared_with_what_stands() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().canonicalize().unwrap().join(name);
    for folder in ["own", "own/deep", "read", "other"] {
        fs::create_dir(path(folder)).unwrap();
    }
    fs::write(path("other/file"), "x").unwrap();
    std::os::unix::fs::symlink(path("other/file"), path("read/link")).unwrap();
    let mut bounds = Bounds::default();
    bounds.change(&path("own"));
    bounds.read(&path("read"));
    bounds.connects.insert(443);
    let check = |change: &dyn Fn(&mut Bounds), expect: Result<(), Outside>| {
        let mut wanted = Bounds::default();
        change(&mut wanted);
        assert_eq!(bounds.hold(&wanted), expect);
    };
    check(&|wanted| wanted.read(&path("own/deep")), Ok(()));
    check(&|wanted| wanted.change_file(&path("own/new")), Ok(()));
    check(&|wanted| wanted.read_file(&path("read/new")), Ok(()));
    check(&|wanted| wanted.connects.extend([443]), Ok(()));
    check(&|wanted| wanted.change(&path("read")), Err(Outside::Change(path("read"))));
    check(&|wanted| wanted.read(&path("other")), Err(Outside::Read(path("other"))));
    check(&|wanted| wanted.read_file(&path("read/link")), Err(Outside::Read(path("other"))));
    check(&|wanted| wanted.connects.extend([444]), Err(Outside::Port(444)));
}
