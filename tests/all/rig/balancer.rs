//! HAProxy of Debian before several gateways, with the file that operators are given.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::{ROOT, Rig, at, free_port, skipped, until};

/// Where Debian puts it.
const PROGRAM: &str = "/usr/sbin/haproxy";

/// A balancer. Dropped, it ends.
pub struct Balancer {
    child: Child,
    _folder: TempDir,
    /// Where senders connect.
    pub mllp: u16,
    /// Where askers connect.
    pub https: u16,
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether there is one; says loudly if not.
pub fn is_there() -> bool {
    let there = Path::new(PROGRAM).exists();
    if !there {
        skipped("no HAProxy");
    }
    there
}

impl Balancer {
    /// Starts one before these nodes.
    pub fn before(nodes: &[Rig]) -> Self {
        let folder = TempDir::with_prefix("kangqiao-balancer-").unwrap();
        let certs = folder.path().join("certs");
        std::fs::create_dir(&certs).unwrap();
        let of = |name: &str| std::fs::read_to_string(nodes[0].path().join("certs").join(name));
        std::fs::write(certs.join("ca.pem"), of("ca.pem").unwrap()).unwrap();
        // Any certificate of the authority: this one is nobody's.
        let both = of("stranger.pem").unwrap() + &of("stranger.key").unwrap();
        std::fs::write(certs.join("balancer.pem"), both).unwrap();
        let (mllp, https, console) = (free_port(), free_port(), free_port());
        let text = configured(nodes, [(2575, mllp), (8443, https), (8444, console)]);
        std::fs::write(folder.path().join("haproxy.cfg"), text).unwrap();
        let child = Command::new(PROGRAM)
            .args(["-db", "-f", "haproxy.cfg"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let balancer = Self { child, _folder: folder, mllp, https };
        until("the balancer answers", || std::net::TcpStream::connect(at(mllp)).ok());
        balancer
    }
}

/// The file of `packaging/`, its names and ports replaced as an operator replaces them.
fn configured(nodes: &[Rig], doors: [(u16, u16); 3]) -> String {
    let path = Path::new(ROOT).join("packaging/haproxy.cfg");
    let mut text = String::new();
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let mut line = line.to_owned();
        for (of_file, ours) in doors {
            line = line.replace(&format!("bind :{of_file}"), &format!("bind 127.0.0.1:{ours}"));
        }
        let server = line.trim_start().strip_prefix("server gw").map(|rest| rest.as_bytes()[0]);
        if let Some(digit) = server {
            let number = usize::from(digit - b'0');
            let Some(node) = nodes.get(number - 1) else { continue };
            for (of_file, port) in
                [(2575, node.ports.mllp), (8443, node.ports.https), (8444, node.ports.console)]
            {
                line = line.replace(&format!("gw{number}.example:{of_file}"), &at(port));
            }
            assert!(line.contains("127.0.0.1"), "{line}");
        }
        text += &line;
        text.push('\n');
    }
    text
}
