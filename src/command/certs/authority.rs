//! The authority: a folder with a key, a certificate, an index and a revocation list.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SanType, SerialNumber,
};
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use crate::command::Failure;

/// How long a signed revocation list may be used.
const LIST_DAYS: u32 = 180;
/// A certificate counts from a little earlier, for clocks that run behind.
const BACKDATE: Duration = Duration::from_secs(300);
const DAY_SECONDS: u64 = 86_400;

/// What a certificate may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Usage {
    /// A listener that also calls others.
    Both,
    /// A hospital, a department, or the gateway when it asks an upstream.
    Client,
    /// A listener.
    Server,
}

impl Usage {
    /// The word in the index.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Client => "client",
            Self::Server => "server",
        }
    }

    fn extended(self) -> Vec<ExtendedKeyUsagePurpose> {
        use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
        match self {
            Self::Both => vec![ServerAuth, ClientAuth],
            Self::Client => vec![ClientAuth],
            Self::Server => vec![ServerAuth],
        }
    }
}

/// A certificate to be issued.
#[derive(Debug, Clone)]
pub struct Request {
    /// Common name; also the stem of the two files.
    pub name: String,
    /// What for.
    pub usage: Usage,
    /// DNS names of a listener.
    pub dns: Vec<String>,
    /// Addresses of a listener.
    pub ip: Vec<IpAddr>,
    /// Days from now.
    pub days: u32,
}

/// What was issued.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM, readable by its owner alone.
    pub key: PathBuf,
    /// Serial number, hexadecimal.
    pub serial: String,
}

/// Which certificates to revoke.
#[derive(Debug, Clone)]
pub enum Which {
    /// All of a common name.
    Name(String),
    /// The one with this serial number, hexadecimal.
    Serial(String),
}

/// One issued certificate, as the index tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Common name.
    pub name: String,
    /// What for.
    pub usage: Usage,
    /// Its last second, unix time.
    pub not_after: i64,
    /// Serial number, hexadecimal.
    pub serial: String,
    /// Whether it is still good.
    pub state: State,
}

/// Whether a certificate is still good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its time is over.
    Expired,
    /// Revoked at this unix time.
    Revoked(i64),
    /// Good.
    Valid,
}

/// A line of `index.csv`; times are unix seconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    serial: String,
    name: String,
    usage: Usage,
    not_after: u64,
    revoked_at: Option<u64>,
}

/// The authority in a folder, at one moment.
#[derive(Debug)]
pub struct Authority {
    dir: PathBuf,
    now: SystemTime,
}

impl Authority {
    /// The authority of a folder, now.
    #[must_use]
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self::on(dir, SystemTime::now())
    }

    /// The authority of a folder at another moment; tests make expired certificates so.
    #[must_use]
    pub fn on(dir: impl Into<PathBuf>, now: SystemTime) -> Self {
        Self { dir: dir.into(), now }
    }

    /// Its folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Creates key, certificate, index and an empty revocation list.
    ///
    /// # Errors
    /// [`Failure`] if any of them is there already or cannot be written.
    pub fn init(&self, title: &str, days: u32) -> Result<(), Failure> {
        fs::create_dir_all(&self.dir).map_err(|error| self.during("create", "", error))?;
        self.vacant(&["ca.key", "ca.pem", "index.csv", "crl.pem"])?;
        let key = KeyPair::generate().map_err(|error| Failure::during("make a key", error))?;
        let mut params = self.params(title, days)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params
            .self_signed(&key)
            .map_err(|error| Failure::during("sign the authority's certificate", error))?;
        self.create("ca.key", key.serialize_pem().as_bytes())?;
        self.create("ca.pem", certificate.pem().as_bytes())?;
        self.create("index.csv", b"serial,name,usage,not_after,revoked_at\n")?;
        let list = self.list_pem(&Issuer::new(params, key), &[], 1)?;
        self.create("crl.pem", list.as_bytes())
    }

    /// Issues a certificate and its key; never overwrites one.
    ///
    /// # Errors
    /// [`Failure`] if the name cannot be a file's, or a file of that name is there.
    pub fn issue(&self, request: &Request) -> Result<Issued, Failure> {
        let name = file_stem(&request.name)?;
        let (pem_name, key_name) = (format!("{name}.pem"), format!("{name}.key"));
        let (issuer, _lock) = self.issuer()?;
        self.vacant(&[&pem_name, &key_name])?;
        let mut lines = self.lines()?;
        let mut params = self.params(name, request.days)?;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = request.usage.extended();
        for dns in &request.dns {
            let dns = Ia5String::try_from(dns.as_str())
                .map_err(|error| Failure::during("read the DNS name", error))?;
            params.subject_alt_names.push(SanType::DnsName(dns));
        }
        params.subject_alt_names.extend(request.ip.iter().copied().map(SanType::IpAddress));
        let key = KeyPair::generate().map_err(|error| Failure::during("make a key", error))?;
        let certificate = params
            .signed_by(&key, &issuer)
            .map_err(|error| Failure::during("sign the certificate", error))?;
        let serial = params.serial_number.map(|serial| hex(&serial.to_bytes()));
        let serial = serial.unwrap_or_default();
        self.create(&key_name, key.serialize_pem().as_bytes())?;
        self.create(&pem_name, certificate.pem().as_bytes())?;
        lines.push(Line {
            serial: serial.clone(),
            name: name.to_owned(),
            usage: request.usage,
            not_after: seconds(self.now) + u64::from(request.days) * DAY_SECONDS,
            revoked_at: None,
        });
        self.write_lines(&lines)?;
        Ok(Issued { certificate: self.dir.join(pem_name), key: self.dir.join(key_name), serial })
    }

    /// Revokes certificates and signs the list; says how many were revoked.
    ///
    /// # Errors
    /// [`Failure`] if there is no such certificate, or none that is not revoked yet.
    pub fn revoke(&self, which: &Which) -> Result<usize, Failure> {
        let (issuer, _lock) = self.issuer()?;
        let mut lines = self.lines()?;
        let meant = |line: &Line| match which {
            Which::Name(name) => line.name == *name,
            Which::Serial(serial) => line.serial.eq_ignore_ascii_case(serial),
        };
        let mut revoked = 0;
        for line in lines.iter_mut().filter(|line| line.revoked_at.is_none() && meant(line)) {
            line.revoked_at = Some(seconds(self.now));
            revoked += 1;
        }
        if revoked == 0 {
            return Err(Failure("no such certificate, or revoked already".to_owned()));
        }
        // The index first: should the next write fail, `certs crl` makes the list good.
        self.write_lines(&lines)?;
        self.write_list(&issuer, &lines)?;
        Ok(revoked)
    }

    /// Signs the revocation list again, with a higher number and a new expiry.
    ///
    /// # Errors
    /// [`Failure`] if the folder holds no authority.
    pub fn sign_list(&self) -> Result<(), Failure> {
        let (issuer, _lock) = self.issuer()?;
        self.write_list(&issuer, &self.lines()?)
    }

    /// What was issued, in the order of issue.
    ///
    /// # Errors
    /// [`Failure`] if the index cannot be read.
    pub fn list(&self) -> Result<Vec<Row>, Failure> {
        let now = seconds(self.now);
        let state = |line: &Line| match line.revoked_at {
            Some(at) => State::Revoked(signed(at)),
            None if line.not_after < now => State::Expired,
            None => State::Valid,
        };
        let row = |line: Line| Row {
            state: state(&line),
            not_after: signed(line.not_after),
            name: line.name,
            usage: line.usage,
            serial: line.serial,
        };
        Ok(self.lines()?.into_iter().map(row).collect())
    }

    /// Names, times and a random serial number, as every certificate has them.
    fn params(&self, name: &str, days: u32) -> Result<CertificateParams, Failure> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(SerialNumber::from_slice(&random_serial()?));
        params.not_before = (self.now - BACKDATE).into();
        params.not_after = self.after(days).into();
        Ok(params)
    }

    fn after(&self, days: u32) -> SystemTime {
        self.now + Duration::from_secs(u64::from(days) * DAY_SECONDS)
    }

    /// The signing key; its file is locked until the second value is dropped.
    fn issuer(&self) -> Result<(Issuer<'static, KeyPair>, File), Failure> {
        let lock = File::open(self.dir.join("ca.key"))
            .map_err(|error| self.during("open the authority's key", "ca.key", error))?;
        lock.lock().map_err(|error| self.during("lock", "ca.key", error))?;
        let key = KeyPair::from_pem(&self.read("ca.key")?)
            .map_err(|error| self.during("read", "ca.key", error))?;
        let issuer = Issuer::from_ca_cert_pem(&self.read("ca.pem")?, key)
            .map_err(|error| self.during("read", "ca.pem", error))?;
        Ok((issuer, lock))
    }

    fn lines(&self) -> Result<Vec<Line>, Failure> {
        let text = self.read("index.csv")?;
        let lines: Result<_, _> = csv::Reader::from_reader(text.as_bytes()).deserialize().collect();
        lines.map_err(|error| self.during("read", "index.csv", error))
    }

    fn write_lines(&self, lines: &[Line]) -> Result<(), Failure> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for line in lines {
            writer.serialize(line).map_err(|error| self.during("write", "index.csv", error))?;
        }
        let text = writer.into_inner().map_err(|error| self.during("write", "index.csv", error))?;
        self.replace("index.csv", &text)
    }

    fn write_list(&self, issuer: &Issuer<'_, KeyPair>, lines: &[Line]) -> Result<(), Failure> {
        let number = self.list_number()? + 1;
        self.replace("crl.pem", self.list_pem(issuer, lines, number)?.as_bytes())
    }

    fn list_number(&self) -> Result<u64, Failure> {
        let odd = || self.during("read", "crl.pem", "it holds no numbered revocation list");
        let list = CertificateRevocationListDer::from_pem_slice(self.read("crl.pem")?.as_bytes())
            .map_err(|_| odd())?;
        let (_, parsed) = CertificateRevocationList::from_der(&list).map_err(|_| odd())?;
        parsed.crl_number().and_then(|number| number.try_into().ok()).ok_or_else(odd)
    }

    fn list_pem(
        &self,
        issuer: &Issuer<'_, KeyPair>,
        lines: &[Line],
        number: u64,
    ) -> Result<String, Failure> {
        let mut revoked_certs = Vec::new();
        for line in lines {
            let Some(at) = line.revoked_at else { continue };
            let serial = unhex(&line.serial)
                .ok_or_else(|| self.during("read", "index.csv", "a serial number is odd"))?;
            revoked_certs.push(RevokedCertParams {
                serial_number: SerialNumber::from_slice(&serial),
                revocation_time: (UNIX_EPOCH + Duration::from_secs(at)).into(),
                reason_code: None,
                invalidity_date: None,
            });
        }
        let list = CertificateRevocationListParams {
            this_update: (self.now - BACKDATE).into(),
            next_update: self.after(LIST_DAYS).into(),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(issuer)
            .and_then(|list| list.pem())
            .map_err(|error| Failure::during("sign the revocation list", error))
    }

    fn read(&self, name: &str) -> Result<String, Failure> {
        fs::read_to_string(self.dir.join(name)).map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                let dir = self.dir.display();
                Failure(format!("{dir} holds no authority; `kangqiao certs init` makes one"))
            }
            _ => self.during("read", name, error),
        })
    }

    /// Looked at before anything is written, so that a refusal leaves nothing behind.
    fn vacant(&self, names: &[&str]) -> Result<(), Failure> {
        match names.iter().find(|name| self.dir.join(name).exists()) {
            Some(name) => Err(self.during("create", name, "it is there already")),
            None => Ok(()),
        }
    }

    /// A new file that only its owner may read; one that is there stays as it is.
    fn create(&self, name: &str, content: &[u8]) -> Result<(), Failure> {
        let failed = |error| self.during("create", name, error);
        let mut file = private().create_new(true).open(self.dir.join(name)).map_err(failed)?;
        file.write_all(content).and_then(|()| file.sync_all()).map_err(failed)
    }

    /// Written beside and renamed, so that a reader sees the old file or the new one.
    fn replace(&self, name: &str, content: &[u8]) -> Result<(), Failure> {
        let failed = |error| self.during("write", name, error);
        let beside = self.dir.join(format!("{name}.new"));
        let mut file = private().create(true).truncate(true).open(&beside).map_err(failed)?;
        file.write_all(content).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&beside, self.dir.join(name)).map_err(failed)
    }

    fn during(&self, what: &str, name: &str, why: impl std::fmt::Display) -> Failure {
        Failure::during(&format!("{what} {}", self.dir.join(name).display()), why)
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A common name that is safe as a file name and does not hide the authority's own files.
fn file_stem(name: &str) -> Result<&str, Failure> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let own = ["ca", "crl", "index"].iter().any(|own| name.eq_ignore_ascii_case(own));
    let shape = (1..=64).contains(&name.len()) && !name.starts_with(['.', '-']);
    if own || !shape || !name.bytes().all(allowed) {
        return Err(Failure(
            "a name is 1 to 64 of the characters A-Z a-z 0-9 . - _, and not ca, crl or index"
                .to_owned(),
        ));
    }
    Ok(name)
}

/// Sixteen random bytes; the first is 0x40 to 0x7f, so that DER writes exactly sixteen.
fn random_serial() -> Result<[u8; 16], Failure> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|error| Failure::during("draw a serial number", error))?;
    let [first, ..] = &mut bytes;
    *first = (*first & 0x3f) | 0x40;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pair = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(pair).collect()
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn signed(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}
