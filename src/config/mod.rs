//! 配置, the one configuration file: strict keys, every key with unit and default.
//!
//! Each module owns its settings; this one assembles them and reads the folders
//! they name. A key nobody knows stops the start.

pub mod files;
pub mod keys;
pub mod places;
pub mod witness;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::identity::linkage::Fingerprint;
use crate::inbound::{batch, console, door, exchange, mllp, tls, turnstile};
use crate::outbound::table::settings::{InquirySettings, TableSettings};
use crate::outbound::way::To;
use crate::outbound::{SinkSettings, SubscriptionSettings, WitnessSettings};
use crate::vocabulary::catalogue::parse_toml;
use crate::vocabulary::{Diagnostic, Source, Subscription};
use crate::{audit, outbound, sandbox, store, wire};

/// The name of the operator's socket in the folder of the store.
pub const SOCKET: &str = "operator.sock";

/// `kangqiao.toml`. Paths are relative to the folder the file is in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The file itself, to be read again at a reload.
    #[serde(skip)]
    pub file: PathBuf,
    /// Folder of the mapping pack. Default `mappings`.
    #[serde(default = "default_mappings")]
    pub mappings: PathBuf,
    /// Folder of departments, purposes and policies. Default `policies`.
    #[serde(default = "default_policies")]
    pub policies: PathBuf,
    /// Whether the process is confined to the folders and ports named here: as far as the kernel
    /// can (`best`), wholly or not at all started (`required`), or not (`off`). Default `best`.
    #[serde(default)]
    pub sandbox: sandbox::Mode,
    /// Who may widen what the policies in force disclose: `two-people` of the console, or
    /// `one-person` who may reload. Read at the start. Default `two-people`.
    #[serde(default)]
    pub policy_widening: Widening,
    /// File of the master key, 32 bytes; made at the first start. Default `keys/master.key`.
    #[serde(default = "default_master_key")]
    pub master_key: PathBuf,
    /// The ledger: its name and its signing key, which is made at the first start.
    #[serde(default)]
    pub ledger: audit::Settings,
    /// The certificate the gateway shows.
    #[serde(default)]
    pub tls: tls::Settings,
    /// Which client certificates it accepts.
    #[serde(default)]
    pub clients: tls::ClientSettings,
    /// 消息监听, the MLLP listeners.
    #[serde(default)]
    pub mllp: Vec<Mllp>,
    /// The HTTPS port for inquiries and messages.
    pub https: Https,
    /// The console's own port; none if absent.
    pub console: Option<console::Settings>,
    /// The loopback port of metrics and health; none if absent.
    pub operation: Option<Operation>,
    /// 文件交换, folders that files are taken from.
    #[serde(default)]
    pub exchange: Vec<exchange::Settings>,
    /// 发送方, who pushes.
    #[serde(default)]
    pub sender: Vec<Sender>,
    /// 前置库, tables rows are taken from.
    #[serde(default)]
    pub table: Vec<TableSettings>,
    /// 前置库查询, tables of inquiries.
    #[serde(default)]
    pub inquiry_table: Vec<InquirySettings>,
    /// 上游系统, who is asked for an answer.
    #[serde(default)]
    pub upstream: Vec<outbound::Settings>,
    /// 订阅, who is told of which events.
    #[serde(default)]
    pub subscription: Vec<SubscriptionSettings>,
    /// 见证方, who signs what the ledger shows.
    #[serde(default)]
    pub witness: Vec<WitnessSettings>,
    /// 审计外送, who is sent the ledger as it grows.
    #[serde(default)]
    pub audit_sink: Vec<SinkSettings>,
    /// 批量查询, limits of lists that are asked about at once.
    #[serde(default)]
    pub batch: batch::Settings,
    /// 负荷, how much is worked on at once.
    #[serde(default)]
    pub load: turnstile::Settings,
    /// The embedded store.
    #[serde(default)]
    pub store: store::Settings,
    /// The look-up cache.
    #[serde(default)]
    pub cache: store::cache::Settings,
    /// Limits of one HL7 v2 message.
    #[serde(default)]
    pub hl7v2: wire::hl7v2::Limits,
    /// Limits of one JSON text.
    #[serde(default)]
    pub json: wire::json::Limits,
    /// Limits of one XML text.
    #[serde(default)]
    pub xml: wire::xml::Limits,
    /// Answers in which nothing is told leave so many milliseconds after their question, or a
    /// multiple of it, whether anybody is known or not; 0 is at once. Default 20.
    #[serde(default = "default_empty_answer")]
    pub empty_answer_ms: u16,
    /// How long a stop waits for messages in hand, seconds. Default 20.
    #[serde(default = "default_drain")]
    pub drain_seconds_max: u64,
}

/// 放宽, who may widen what is disclosed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Widening {
    /// Whoever may reload, alone: for a small site, or one for tests.
    OnePerson,
    /// Two policy administrators at the console, whoever proposed it.
    #[default]
    TwoPeople,
}

/// One MLLP listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mllp {
    /// Address and port.
    pub address: SocketAddr,
    /// Whether clients must show a certificate. Default no.
    #[serde(default)]
    pub tls: bool,
    /// On a port without TLS: whose messages these are. Required there, forbidden with TLS.
    pub sender: Option<Source>,
    /// Limits and times of its connections.
    #[serde(default)]
    pub limits: mllp::Settings,
}

/// The HTTPS port.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Https {
    /// Address and port.
    pub address: SocketAddr,
    /// Largest body of a message, bytes. Default 1 MiB.
    #[serde(default = "default_body")]
    pub body_bytes_max: usize,
    /// Bytes of all bodies in hand, beyond 65,536 of each connection. Default 64 MiB.
    #[serde(default = "default_buffered")]
    pub buffered_bytes_max: usize,
    /// Connections at once. Default 1,024.
    #[serde(default = "default_connections")]
    pub connections_max: usize,
    /// Limits of its connections.
    #[serde(default)]
    pub limits: door::Limits,
}

/// The port of metrics and health.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// A loopback address and port.
    pub address: SocketAddr,
}

/// Keys one sender may veil by: the one, and the next while it changes them.
const VEILS_MAX: usize = 2;

/// One sender.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sender {
    /// Its name in counts, records and `mappings/senders/`.
    pub name: Source,
    /// Common name of its client certificate; none for a sender on a plain port.
    pub certificate: Option<String>,
    /// Fingerprints of the keys it veils its entries by, two at most: it sends tokens alone.
    /// Default none.
    #[serde(default)]
    pub veils: Vec<Fingerprint>,
}

fn default_mappings() -> PathBuf {
    "mappings".into()
}
fn default_policies() -> PathBuf {
    "policies".into()
}
fn default_master_key() -> PathBuf {
    "keys/master.key".into()
}
const fn default_empty_answer() -> u16 {
    20
}
const fn default_drain() -> u64 {
    20
}
const fn default_body() -> usize {
    1 << 20
}
const fn default_buffered() -> usize {
    64 << 20
}
const fn default_connections() -> usize {
    1024
}

/// Whether it is `https://` with a host and perhaps a port.
fn is_origin(url: &str) -> bool {
    let place = |sign: char| sign.is_ascii_alphanumeric() || ".-:[]".contains(sign);
    url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && rest.chars().all(place))
}

impl Config {
    /// 运维接口, the socket operators give orders by: in the store's folder.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.store.folder.join(SOCKET)
    }

    /// Reads and checks the file; paths become relative to its folder.
    ///
    /// # Errors
    /// Every fault found, with file, line and column.
    pub fn load(path: &Path) -> Result<Self, Vec<Diagnostic>> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| vec![Diagnostic::at(&name, "", 0, format!("unreadable: {error}"))])?;
        let mut config: Self = parse_toml(&name, &text).map_err(|fault| vec![fault])?;
        let faults = config.faults(&name, &text);
        if !faults.is_empty() {
            return Err(faults);
        }
        path.clone_into(&mut config.file);
        config.relocate(path.parent().unwrap_or(Path::new("")));
        Ok(config)
    }

    /// What the types cannot say.
    fn faults(&self, name: &str, text: &str) -> Vec<Diagnostic> {
        let mut faults = Vec::new();
        let mut complain = |needle: &str, message: &str| {
            let offset = text.find(needle).unwrap_or(0);
            faults.push(Diagnostic::at(name, text, offset, message));
        };
        for listener in &self.mllp {
            let address = listener.address.to_string();
            match (listener.tls, listener.sender) {
                (false, None) => complain(&address, "a listener without tls needs a sender"),
                (true, Some(_)) => complain(&address, "with tls the certificate names the sender"),
                (false, Some(sender)) if self.sender.iter().all(|known| known.name != sender) => {
                    complain(&address, "this sender has no [[sender]] entry");
                }
                _ => (),
            }
        }
        for sender in self.sender.iter().filter(|sender| sender.veils.len() > VEILS_MAX) {
            complain(sender.name.as_str(), "more than two keys of the veil");
        }
        for exchange in &self.exchange {
            if self.sender.iter().all(|known| known.name != exchange.sender) {
                complain(&exchange.name, "this sender has no [[sender]] entry");
            }
        }
        for table in &self.table {
            if self.sender.iter().all(|known| known.name != table.sender) {
                complain(&table.name, "this sender has no [[sender]] entry");
            }
        }
        for (name, message) in self.odd_subscriptions() {
            complain(name.as_str(), message);
        }
        for (key, limit) in self.limits() {
            if limit == 0 {
                complain(key, "a limit of zero lets nothing through");
            }
        }
        self.keeping()
            .into_iter()
            .chain(self.odd_url())
            .for_each(|(key, message)| complain(key, message));
        if let Some(operation) =
            self.operation.as_ref().filter(|port| !port.address.ip().is_loopback())
        {
            complain(&operation.address.to_string(), "metrics are served on loopback only");
        }
        let twice = self.named_twice().into_iter().map(|(own, message)| {
            // The first of the two may stand.
            let offset = text.rfind(&format!("\"{own}\"")).or_else(|| text.rfind(&own));
            Diagnostic::at(name, text, offset.unwrap_or(0), message)
        });
        faults.extend(twice);
        faults
    }

    /// What can be told apart by its name alone and has that of another: marks, leases and copies
    /// are kept under names.
    fn named_twice(&self) -> Vec<(String, &'static str)> {
        fn of<'a, T>(all: &'a [T], name: impl Fn(&'a T) -> String) -> Vec<String> {
            let names: Vec<_> = all.iter().map(name).collect();
            let twice = |(index, name): &(usize, &String)| {
                names.iter().take(*index).any(|before| before == *name)
            };
            names.iter().enumerate().filter(twice).map(|(_, name)| name.clone()).collect()
        }
        let twice = [
            ("two exchanges cannot have one name", of(&self.exchange, |one| one.name.clone())),
            ("two tables cannot have one name", of(&self.table, |one| one.name.clone())),
            ("two upstreams cannot have one name", of(&self.upstream, |one| one.name.to_string())),
            (
                "two subscriptions cannot have one name",
                of(&self.subscription, |one| one.name.to_string()),
            ),
            (
                "two audit sinks cannot have one name",
                of(&self.audit_sink, |one| one.name.to_string()),
            ),
            ("two doors cannot have one address", of(&self.doors(), ToString::to_string)),
        ];
        twice
            .into_iter()
            .flat_map(|(message, names)| names.into_iter().map(move |name| (name, message)))
            .collect()
    }

    /// What is wrong with subscriptions, each by its name.
    fn odd_subscriptions(&self) -> Vec<(Subscription, &'static str)> {
        let mut wrong = Vec::new();
        for one in &self.subscription {
            match one.to() {
                Err(message) => wrong.push((one.name, message)),
                Ok(to) if to.and_then(To::folder).is_some_and(|to| self.takes_from(to)) => {
                    wrong.push((one.name, "files of notices would be taken by an exchange"));
                }
                Ok(_) => (),
            }
        }
        wrong
    }

    /// Whether files are taken from a folder.
    fn takes_from(&self, folder: &Path) -> bool {
        self.exchange.iter().any(|one| one.folder == folder)
    }

    /// 通知去向, where notices go: every address that is connected to, every folder written to.
    pub fn told(&self) -> impl Iterator<Item = (Subscription, To<'_>)> {
        self.subscription.iter().filter_map(|one| Some((one.name, one.to().ok()??)))
    }

    /// What is wrong with how long and how much is kept, each with its key.
    fn keeping(&self) -> Vec<(&'static str, &'static str)> {
        let mut wrong = Vec::new();
        if self.ledger.retention_days < audit::RETENTION_DAYS_MIN {
            wrong.push(("retention_days", "entries are kept for 183 days at least"));
        }
        let (most, reserve) = (self.store.file_bytes_max, self.store.reserve_bytes);
        if most > 0 && reserve >= most {
            wrong.push(("reserve_bytes", "file_bytes_max leaves no room beside the reserve"));
        }
        wrong
    }

    /// What is wrong with where browsers find the console.
    fn odd_url(&self) -> Option<(&str, &'static str)> {
        let console = self.console.as_ref()?;
        match &console.url {
            Some(url) if !is_origin(url) => Some((
                url.as_str(),
                "it is https:// with a host and perhaps a port, and nothing behind",
            )),
            None if console.listen.ip().is_unspecified() => {
                Some(("listen", "no browser reaches this address: say by `url` which one it does"))
            }
            _ => None,
        }
    }

    /// Every address that is listened on.
    #[must_use]
    pub fn doors(&self) -> Vec<SocketAddr> {
        let mllp = self.mllp.iter().map(|door| door.address);
        let operation = self.operation.iter().map(|door| door.address);
        let console = self.console.iter().map(|door| door.listen);
        mllp.chain([self.https.address]).chain(operation).chain(console).collect()
    }

    /// The limits that must let something through, each with its key.
    fn limits(&self) -> Vec<(&'static str, usize)> {
        let mut limits = vec![
            ("body_bytes_max", self.https.body_bytes_max),
            ("connections_max", self.https.connections_max),
            ("rows_max", self.batch.rows_max),
            ("body_bytes_max", self.batch.body_bytes_max),
            ("batches_max", self.batch.batches_max),
            ("keep_days", usize::from(self.batch.keep_days)),
            ("questions_max", self.load.questions_max),
            ("pushes_max", self.load.pushes_max),
            ("background_max", self.load.background_max),
            ("share_max", self.load.share_max),
            ("queue_requests_max", self.store.queue_requests_max),
            ("records_max", self.store.records_max),
            ("archive_days", usize::try_from(self.store.archive_days).unwrap_or(usize::MAX)),
            ("message_bytes_max", self.hl7v2.message_bytes_max),
            ("segments_max", self.hl7v2.segments_max),
            ("leaves_max", self.hl7v2.leaves_max),
            ("values_max", self.json.values_max),
            ("nodes_max", self.xml.nodes_max),
        ];
        for listener in &self.mllp {
            limits.push(("connections_max", listener.limits.connections_max));
            limits.push(("frame_bytes_max", listener.limits.frame_bytes_max));
            limits.push(("buffered_bytes_max", listener.limits.buffered_bytes_max));
        }
        if let Some(console) = &self.console {
            limits.push(("connections_max", console.connections_max));
            limits.push(("sessions_max", console.sessions_max));
            let wide = |one: u32| usize::try_from(one).unwrap_or(usize::MAX);
            limits.push(("invitation_minutes", wide(console.invitation_minutes)));
            limits.push(("idle_minutes", wide(console.idle_minutes)));
            limits.push(("absolute_hours", wide(console.absolute_hours)));
        }
        limits.extend(self.exchange.iter().map(|one| ("units_max", one.units_max)));
        limits
    }
}
