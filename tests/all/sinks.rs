//! The ledger in the hands of an audit repository: DICOM messages, judged by the published schema,
//! and sent to a receiver nobody here wrote.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::rig::message::{Message, Resident};
use crate::rig::{AGENT, CLERK, ROOT, Rig, WORKER, call, free_port, skipped, until};

/// rsyslog with TLS, as a region's audit repository takes messages.
struct Receiver {
    folder: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.end("KILL");
    }
}

impl Receiver {
    /// One that hears the gateway alone; `None` where rsyslog or the driver is not installed.
    fn prepare(rig: &Rig, hears: &str) -> Option<Self> {
        let drivers = ["x86_64-linux-gnu/", "aarch64-linux-gnu/", ""]
            .map(|machine| format!("/usr/lib/{machine}rsyslog/lmnsd_gtls.so"));
        if !Path::new(SERVER).exists() || !drivers.iter().any(|path| Path::new(path).exists()) {
            return None;
        }
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let (here, certs) = (folder.path().display(), rig.path().join("certs"));
        let certs = certs.display();
        let text = format!(
            "global(workDirectory=\"{here}\" DefaultNetstreamDriver=\"gtls\"\n\
             DefaultNetstreamDriverCAFile=\"{certs}/ca.pem\"\n\
             DefaultNetstreamDriverCertFile=\"{certs}/platform.pem\"\n\
             DefaultNetstreamDriverKeyFile=\"{certs}/platform.key\")\n\
             module(load=\"imtcp\" StreamDriver.Name=\"gtls\" StreamDriver.Mode=\"1\"\n\
             StreamDriver.AuthMode=\"x509/name\" PermittedPeer=[\"{hears}\"])\n\
             template(name=\"raw\" type=\"string\" string=\"%rawmsg%\\n\")\n\
             input(type=\"imtcp\" port=\"{port}\" address=\"127.0.0.1\")\n\
             *.* action(type=\"omfile\" file=\"{here}/kept\" template=\"raw\")\n"
        );
        std::fs::write(folder.path().join("rsyslog.conf"), text).unwrap();
        Some(Self { folder, port, child: None })
    }

    fn start(&mut self) {
        let mut command = Command::new(SERVER);
        command.arg("-n").arg("-f").arg(self.folder.path().join("rsyslog.conf"));
        command.arg("-i").arg(self.folder.path().join("pid")).stdin(Stdio::null());
        let silent = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.child = Some(silent.unwrap());
    }

    fn end(&mut self, signal: &str) {
        if let Some(mut child) = self.child.take() {
            let number = child.id().to_string();
            let _ = Command::new("kill").args([&format!("-{signal}"), &number]).status();
            let _ = child.wait();
        }
    }

    /// The gateway's lines about it.
    fn configured(&self, name: &str) -> String {
        format!(
            "[[audit_sink]]\nname = \"{name}\"\nhost = \"localhost\"\nport = {}\n\
             settle_seconds = 1\n[audit_sink.tls]\nauthority = \"certs/ca.pem\"\n\
             certificate = \"certs/gateway.pem\"\nkey = \"certs/gateway.key\"\n",
            self.port
        )
    }

    /// Every line it has kept; the last may be half a line.
    fn kept(&self) -> Vec<String> {
        let text = std::fs::read(self.folder.path().join("kept")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let whole = text.rsplit_once('\n').map(|(whole, _)| whole.to_owned()).unwrap_or_default();
        whole.lines().map(str::to_owned).collect()
    }

    /// Waits until it has every entry there is, by number.
    fn has_all(&self, rig: &Rig) {
        until("the receiver has every entry", || {
            let size = rig.stored("SELECT max(number) + 1 FROM ledger");
            let numbers: BTreeSet<u64> =
                self.kept().iter().filter_map(|line| number(line)).collect();
            (0..size).all(|number| numbers.contains(&number)).then_some(())
        });
    }
}

/// Where Debian puts it.
const SERVER: &str = "/usr/sbin/rsyslogd";

/// The number of the entry a message is about.
fn number(message: &str) -> Option<u64> {
    let value = message.split_once("type=\"entry\" value=\"")?.1.split('"').next()?;
    String::from_utf8(BASE64_STANDARD.decode(value).ok()?).ok()?.parse().ok()
}

fn configure(rig: &Rig, more: &str) {
    let mut file = std::fs::OpenOptions::new().append(true).open(rig.config()).unwrap();
    file.write_all(format!("\n{more}\n").as_bytes()).unwrap();
}

/// Answers, refusals and an emergency.
fn happen(rig: &Rig) -> Resident {
    let resident = Resident::new();
    rig.mllp().exchange(&Message::new("A28", &resident).bytes()).unwrap();
    for (who, purpose, evidence) in [
        (CLERK, "living-check", json!({})),
        (AGENT, "emergency-card", json!({ "call": call() })),
        (WORKER, "subsidy-eligibility", json!({})),
    ] {
        let identifier = json!({ "kind": "citizen-id", "value": resident.citizen });
        let asker = "Wáng <3rd> \"desk\" & co";
        let body = json!({
            "identifier": identifier, "purpose": purpose, "evidence": evidence, "asker": asker,
        });
        rig.ask(who, &body);
    }
    resident
}

/// What the schema says of messages, one a file.
fn judged(messages: &[String], folder: &Path) -> Option<(bool, String)> {
    let files: Vec<PathBuf> =
        (0..messages.len()).map(|n| folder.join(format!("{n}.xml"))).collect();
    for (file, message) in files.iter().zip(messages) {
        std::fs::write(file, message).unwrap();
    }
    let schema = Path::new(ROOT).join("tests/all/rig/audit-message.rng");
    let mut command = Command::new("xmllint");
    let command = command.args(["--noout", "--nonet", "--relaxng"]).arg(schema).args(&files);
    let output = command.output().ok()?;
    Some((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

#[test]
fn every_message_is_of_the_published_schema_and_the_schema_notices_what_is_not() {
    let rig = Rig::shared();
    let resident = happen(&rig);
    let text = rig.ledger(&["export", "--format", "dicom"]);
    assert!(!text.contains(&resident.citizen));
    let messages: Vec<_> = text.lines().map(str::to_owned).collect();
    for (number, message) in (0..).zip(&messages) {
        assert_eq!(self::number(message), Some(number), "{message}");
    }
    assert!(text.contains("AlternativeUserID=\"Wáng &lt;3rd&gt; &quot;desk&quot; &amp; co\""));
    let folder = tempfile::tempdir().unwrap();
    let Some((sound, said)) = judged(&messages, folder.path()) else {
        return skipped("no xmllint (libxml2-utils)");
    };
    assert!(sound, "{said}");
    let refused = messages.iter().find(|one| one.contains("csd-code=\"refusal\"")).unwrap();
    for (part, other) in [
        ("EventActionCode=\"R\"", "EventActionCode=\"X\""),
        ("EventOutcomeIndicator=\"4\"", ""),
        ("UserIsRequestor=\"true\"", "UserIsRequestor=\"perhaps\""),
        (" value=\"", " words=\""),
        ("<AuditSourceIdentification ", "<AuditSource "),
    ] {
        assert!(refused.contains(part), "{part}: {refused}");
        let (sound, _) = judged(&[refused.replace(part, other)], folder.path()).unwrap();
        assert!(!sound, "{part}");
    }
}

/// A receiver is sent everything, stopped and killed meanwhile, and so is the gateway.
#[test]
fn neither_a_receiver_that_stops_nor_a_gateway_that_is_killed_loses_an_entry() {
    let rig = Rig::prepare("");
    let Some(mut receiver) = Receiver::prepare(&rig, "gateway") else {
        return skipped("no rsyslog with TLS (rsyslog, rsyslog-gnutls)");
    };
    configure(&rig, &receiver.configured("region"));
    rig.resume();
    // Nobody is there yet, and nothing waits for it.
    let resident = happen(&rig);
    until("a sink that is not there is told", || {
        rig.printed().contains("an audit sink takes nothing").then_some(())
    });
    assert_eq!(rig.counted("kangqiao_audit_sink_connected", &[("sink", "region")]), 0);
    assert!(rig.counted("kangqiao_audit_sink_waiting", &[("sink", "region")]) > 0);
    receiver.start();
    receiver.has_all(&rig);
    for signal in ["TERM", "KILL"] {
        receiver.end(signal);
        happen(&rig);
        receiver.start();
        receiver.has_all(&rig);
    }
    rig.kill();
    rig.resume();
    happen(&rig);
    receiver.has_all(&rig);
    // All has settled: a start sends little again, and nothing from the beginning.
    until("what was sent counts as taken", || {
        let size = rig.stored("SELECT max(number) + 1 FROM ledger");
        (rig.stored("SELECT coalesce(max(next), 0) FROM sink") == size).then_some(())
    });
    until("nothing waits", || {
        (rig.counted("kangqiao_audit_sink_waiting", &[("sink", "region")]) == 0).then_some(())
    });
    rig.stop();
    let before = receiver.kept().len();
    rig.resume();
    receiver.has_all(&rig);
    let again: Vec<_> =
        receiver.kept().split_off(before).iter().filter_map(|one| number(one)).collect();
    assert!(again.iter().all(|number| *number > 4), "sent from the beginning: {again:?}");
    let kept = receiver.kept();
    for line in &kept {
        assert!(line.starts_with("<85>1 20"), "{line}");
        assert!(line.contains(" kangqiao.test.example kangqiao - IHE+RFC-3881 - \u{feff}<Audit"));
        assert!(!line.contains(&resident.citizen));
    }
    let whole: Vec<_> = kept.iter().filter_map(|line| line.split_once('\u{feff}')).collect();
    let whole: Vec<_> = whole.into_iter().map(|(_, message)| message.to_owned()).collect();
    let folder = tempfile::tempdir().unwrap();
    if let Some((sound, said)) = judged(&whole, folder.path()) {
        assert!(sound, "{said}");
    }
}

#[test]
fn what_a_receiver_refuses_is_not_taken() {
    let rig = Rig::prepare("");
    let Some(mut receiver) = Receiver::prepare(&rig, "somebody-else") else {
        return skipped("no rsyslog with TLS (rsyslog, rsyslog-gnutls)");
    };
    configure(&rig, &receiver.configured("region"));
    receiver.start();
    rig.resume();
    // It closes each connection after the handshake, without a word; some were tried.
    until("a sink that refuses is told", || {
        rig.printed().contains("an audit sink takes nothing").then_some(())
    });
    until("it was tried again", || {
        (rig.printed().matches("an audit sink is connected").count() > 1).then_some(())
    });
    assert_eq!(rig.stored("SELECT count(*) FROM sink"), 0);
    assert!(receiver.kept().is_empty());
}
