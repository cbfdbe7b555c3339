//! `kangqiao backup|restore`: a copy of the store while the gateway serves, proven when it is made
//! and proven again before it takes the store's place, as does what an archive has of a moment. The
//! keys are in neither.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::check::complain;
use super::ledger::{Reading, public_key};
use super::operate::give;
use super::{Failure, operator, say};
use crate::audit::{self, Signs, VerifyingKeys};
use crate::config::{Config, keys};
use crate::inbound::operator::Order;
use crate::store::{LedgerFile, Settings, StoreError, archive, backup, departed, master_in_force};

/// What a backup says of itself, beside its files.
const LABEL: &str = "backup.json";
/// The store's folder in a backup.
const DATA: &str = "data";

/// What a restore cannot bring back.
pub const AFTER: &str = "\
此后 what came after   不在其中：请医院重发；部门与见证方持有更晚的检查点，请记为事故
                       is not in it: let hospitals send it again; departments and witnesses
                       hold later checkpoints, so record it as an incident";

/// `kangqiao backup --to DIR`
#[derive(Debug, clap::Args)]
pub struct Backup {
    /// The gateway's configuration file
    #[arg(long, default_value = "kangqiao.toml")]
    config: PathBuf,
    /// A folder that is not there yet
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

/// `kangqiao restore --from DIR`, `kangqiao restore --at TIME`
#[derive(Debug, clap::Args)]
pub struct Restore {
    /// The gateway's configuration file; its store's folder must be empty or not there
    #[arg(long, default_value = "kangqiao.toml")]
    config: PathBuf,
    /// The folder of a backup; with --at that of an archive, if it is not the configuration's
    #[arg(long, value_name = "DIR", required_unless_present = "at")]
    from: Option<PathBuf>,
    /// A moment the archive reaches, as 2026-11-30T10:15:00+08:00
    #[arg(long, value_name = "TIME")]
    at: Option<DateTime<FixedOffset>>,
}

/// What a backup says of itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Label {
    /// When it was made.
    made_at: String,
    /// By which version of the program.
    version: String,
    /// The number of the master key it is under.
    master_key: u64,
    /// How many entries the ledger has in it.
    entries: u64,
    /// The root over them.
    root: String,
    /// Each file's SHA-256.
    files: BTreeMap<String, String>,
}

impl Backup {
    /// Copies, proves and labels; prints what is in it.
    ///
    /// # Errors
    /// [`Failure`] if there is no store, the folder is there already, or the copy is not whole.
    pub fn run(self) -> Result<(), Failure> {
        let config = Config::load(&self.config).map_err(complain)?;
        let during = |error: &dyn std::error::Error| Failure::caused("backup", error);
        if self.to.exists() {
            return Err(Failure(format!("{}: is there already", self.to.display())));
        }
        on_a_file(&config)?;
        if !LedgerFile::exists(&config.store).map_err(|error| during(&error))? {
            return Err(Failure(format!("{}: holds no store", config.store.folder.display())));
        }
        let place = self.to.display();
        fs::create_dir(&self.to).map_err(|error| Failure(format!("{place}: {error}")))?;
        let made = self.fill(&config);
        if made.is_err() {
            // What is half a copy is none, and is in nobody's way.
            fs::remove_dir_all(&self.to).map_err(|error| during(&error))?;
        }
        made
    }

    fn fill(&self, config: &Config) -> Result<(), Failure> {
        let during = |error: &dyn std::error::Error| Failure::caused("backup", error);
        // Whoever serves enters it first; where nobody does there is nobody to enter it.
        let entered = match UnixStream::connect(config.socket()).is_ok() {
            true => give(&self.config, &Order::Backup).map(|_| true)?,
            false => false,
        };
        let data = self.to.join(DATA);
        let files = backup::copy(&config.store.folder, &data).map_err(|error| during(&error))?;
        let (master_key, report) = proven(config, &Settings::of(&data))?;
        let digests = files.iter().map(|path| Ok((named(path), digest(&data.join(path))?)));
        let label = Label {
            made_at: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            master_key,
            entries: report.entries,
            root: report.root.to_string(),
            files: digests.collect::<Result<_, Failure>>()?,
        };
        let path = self.to.join(LABEL);
        let text = serde_json::to_string_pretty(&label).map_err(|error| during(&error))?;
        fs::write(&path, text + "\n").map_err(|error| during(&error))?;
        backup::sync(&path).map_err(|error| during(&error))?;
        say(format_args!("备份已核验 backup is proven"))?;
        tell(&label)?;
        say(match entered {
            true => "台账 ledger          已记入 entered",
            false => "台账 ledger          网关未运行，未记入 no gateway runs: not entered",
        })
    }
}

impl Restore {
    /// Proves a backup and puts it in the store's place; prints what is in it.
    ///
    /// # Errors
    /// [`Failure`] if it is not what was backed up, or something is in its place.
    pub fn run(self) -> Result<(), Failure> {
        let config = Config::load(&self.config).map_err(complain)?;
        let during = |error: &dyn std::error::Error| Failure::caused("restore", error);
        on_a_file(&config)?;
        let folder = &config.store.folder;
        if fs::read_dir(folder).is_ok_and(|mut found| found.next().is_some()) {
            return Err(Failure(format!(
                "{}: holds a store; stop the gateway and move it away first",
                folder.display()
            )));
        }
        let master = keys::read(&config.master_key);
        let name = config.master_key.display().to_string();
        master.map_err(|error| Failure::caused(&name, &error))?;
        // Beside its place first: what is half copied is in nobody's way.
        let part = folder.with_extension("part");
        match fs::remove_dir_all(&part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(during(&error));
            }
            _ => (),
        }
        let label = match (self.at, &self.from) {
            (Some(at), from) => of_moment(&config, (at, from.as_deref()), &part)?,
            (None, Some(from)) => of_backup(&config, from, &part)?,
            (None, None) => return Err(Failure("neither a backup nor a moment".to_owned())),
        };
        let (what, made) = (if self.at.is_some() { "archive" } else { "backup" }, &label.made_at);
        let subject = format!("{what} of {made}, {} entries", label.entries);
        let owed = departed::owe_in(&part, "restore", (&subject, &operator()?));
        owed.map_err(|error| during(&error))?;
        if folder.exists() {
            fs::remove_dir(folder).map_err(|error| during(&error))?;
        }
        fs::rename(&part, folder).map_err(|error| during(&error))?;
        backup::sync(folder).map_err(|error| during(&error))?;
        say("已恢复并核验 restored and proven")?;
        tell(&label)?;
        say(AFTER)
    }
}

/// Lays a backup into a new folder, proven to be what it says it is.
fn of_backup(config: &Config, from: &Path, part: &Path) -> Result<Label, Failure> {
    let during = |error: &dyn std::error::Error| Failure::caused("restore", error);
    let label = from.join(LABEL);
    let name = label.display().to_string();
    let label = fs::read(&label).map_err(|error| Failure::during(&name, error))?;
    let label: Label = serde_json::from_slice(&label).map_err(|error| during(&error))?;
    let data = from.join(DATA);
    for (name, signed) in &label.files {
        if digest(&data.join(name))? != *signed {
            return Err(Failure(format!("{name}: is not what was backed up")));
        }
    }
    backup::copy(&data, part).map_err(|error| during(&error))?;
    let (_, report) = proven(config, &Settings::of(part))?;
    if (report.entries, report.root.to_string()) != (label.entries, label.root.clone()) {
        return Err(Failure("the ledger in it is not the one it says it holds".to_owned()));
    }
    Ok(label)
}

/// Lays what an archive had of a moment into a new folder, whole and proven by its last
/// checkpoint.
fn of_moment(
    config: &Config,
    (at, from): (DateTime<FixedOffset>, Option<&Path>),
    part: &Path,
) -> Result<Label, Failure> {
    let archive = from.or(config.store.archive.as_deref());
    let archive = archive.ok_or_else(|| Failure("[store] names no archive: --from".to_owned()))?;
    let laid = archive::lay(archive, at.timestamp_millis(), part).map_err(|error| match error {
        StoreError::Unknown => {
            Failure(format!("{}: does not reach back to {at}", archive.display()))
        }
        error => Failure::caused("archive", &error),
    })?;
    let laid_at = DateTime::from_timestamp_millis(laid).unwrap_or_default();
    let settings = Settings::of(part);
    backup::check(&settings).map_err(|error| Failure::caused("archive", &error))?;
    let (master_key, report) = proven(config, &settings)?;
    Ok(Label {
        made_at: laid_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        master_key,
        entries: report.entries,
        root: report.root.to_string(),
        files: BTreeMap::new(),
    })
}

/// A copy of a server's rows is the server's own business.
fn on_a_file(config: &Config) -> Result<(), Failure> {
    match &config.store.postgres {
        None => Ok(()),
        Some(_) => Err(Failure(
            "the rows lie with a PostgreSQL server: copy them with pg_dump or its base backups, \
             and beside them the store's folder and the keys"
                .to_owned(),
        )),
    }
}

/// The number of the master key a store or a copy is under, which must be ours, and its ledger,
/// proven.
///
/// # Errors
/// [`Failure`] with what is wrong.
pub fn proven(config: &Config, store: &Settings) -> Result<(u64, audit::Report), Failure> {
    let master = keys::read(&config.master_key);
    let master = master.map_err(|error| Failure::caused("master key", &error))?;
    let number =
        master_in_force(store, &master).map_err(|error| Failure::caused("store", &error))?;
    let number = number.ok_or_else(|| {
        let path = config.master_key.display();
        Failure(format!("{path}: the store is under another master key"))
    })?;
    Ok((number, verified(config, &Reading::open(store)?)?))
}

/// A ledger, proven by the public keys of a configuration.
///
/// # Errors
/// [`Failure`] with what is wrong.
pub fn verified<F: Borrow<LedgerFile>>(
    config: &Config,
    reading: &Reading<F>,
) -> Result<audit::Report, Failure> {
    let own = public_key(&config.ledger.public_key(), Signs::Checkpoints)?;
    let sm2 = config.ledger.sm2_public_key();
    let sm2 = sm2.map(|path| public_key(&path, Signs::CheckpointsBySm2)).transpose()?;
    let keys = VerifyingKeys { own: &own, sm2: sm2.as_ref() };
    let report = audit::verify(keys, reading.kept(), reading.checkpoints(), &[]);
    reading.finish()?;
    report.map_err(|error| Failure::caused("ledger", &error))
}

fn tell(label: &Label) -> Result<(), Failure> {
    say(format_args!("时间 made at         {}", label.made_at))?;
    say(format_args!("台账条目 entries     {}", label.entries))?;
    say(format_args!("根 root              {}", label.root))?;
    say(format_args!("主密钥 master key    第 {0} 个 number {0}", label.master_key))
}

fn digest(path: &Path) -> Result<String, Failure> {
    let during = |error| Failure::during(&path.display().to_string(), error);
    let mut file = BufReader::with_capacity(1 << 20, File::open(path).map_err(during)?);
    let mut hash = Sha256::new();
    loop {
        let piece = file.fill_buf().map_err(during)?;
        if piece.is_empty() {
            break;
        }
        hash.update(piece);
        let read = piece.len();
        file.consume(read);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A path as a label writes it.
fn named(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
