//! `kangqiao doctor`: what an operator looks at first when something is wrong, looked at by one
//! command, beside a gateway that serves or one that does not start.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde_json::json;

use super::check::complain;
use super::compile::compile;
use super::ledger::public_key;
use super::operate::give;
use super::serve::neighbours;
use super::{Failure, backup, say};
use crate::audit::checkpoint::signed_besides;
use crate::audit::{SigningKey, Signs};
use crate::config::Config;
use crate::inbound::console::users::Users;
use crate::inbound::operator::Order;
use crate::inbound::tls::ReloadableTls;
use crate::sandbox::{self, Mode};
use crate::store::departed::{self, Departed};
use crate::store::room::{Fill, measured};
use crate::store::{LedgerFile, archive, backup as copies, schema};

/// Days before an end from which it is told.
const ENDS_SOON_DAYS: i64 = 30;
/// Seconds after which a witness has been silent for long.
const SILENT_SECONDS: i64 = 3600;

/// `kangqiao doctor --config kangqiao.toml`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file
    #[arg(long, default_value = "kangqiao.toml")]
    config: PathBuf,
    /// One line of JSON for each finding
    #[arg(long)]
    json: bool,
}

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Grade {
    Good,
    Warning,
    Bad,
}

/// What was found at one place.
struct Finding {
    place: &'static str,
    grade: Grade,
    detail: String,
}

fn good(place: &'static str, detail: impl ToString) -> Finding {
    Finding { place, grade: Grade::Good, detail: detail.to_string() }
}

fn warning(place: &'static str, detail: impl ToString) -> Finding {
    Finding { place, grade: Grade::Warning, detail: detail.to_string() }
}

fn bad(place: &'static str, detail: impl ToString) -> Finding {
    Finding { place, grade: Grade::Bad, detail: detail.to_string() }
}

/// Looks at everything and prints what was found; changes nothing.
///
/// # Errors
/// [`Failure`] if the configuration cannot be read, or something is bad.
pub fn run(args: Args) -> Result<(), Failure> {
    let config = Config::load(&args.config).map_err(complain)?;
    let mut findings = vec![rules(&config)];
    findings.extend(certificates(&config));
    findings.push(gateway(&config));
    findings.push(walls(&config));
    findings.extend(console(&config));
    findings.extend(store(&config));
    findings.iter().try_for_each(|finding| tell(finding, args.json))?;
    match findings.iter().filter(|finding| finding.grade == Grade::Bad).count() {
        0 => Ok(()),
        bad => Err(Failure(format!("{bad} 处有错 bad"))),
    }
}

fn tell(finding: &Finding, as_json: bool) -> Result<(), Failure> {
    let Finding { place, grade, detail } = finding;
    let (zh, en) = match grade {
        Grade::Good => ("正常", "good"),
        Grade::Warning => ("注意", "warning"),
        Grade::Bad => ("有错", "bad"),
    };
    match as_json {
        true => say(json!({ "place": place, "grade": en, "detail": detail })),
        false => say(format_args!("{zh} {en:<8} {place:<14} {detail}")),
    }
}

fn rules(config: &Config) -> Finding {
    match compile(config) {
        Ok(compiled) => good("rules", format_args!("mappings {}", compiled.pack.version())),
        Err(faults) => {
            let first = faults.first().map(ToString::to_string).unwrap_or_default();
            bad("rules", format_args!("{} faults, the first: {first}", faults.len()))
        }
    }
}

fn certificates(config: &Config) -> Vec<Finding> {
    let place = "certificates";
    let tls = match ReloadableTls::mutual(config.tls.clone(), config.clients.clone()) {
        Ok(tls) => tls,
        Err(error) => return vec![bad(place, error)],
    };
    let now = Utc::now().timestamp();
    let ends = tls.expiries().into_iter().map(|expiry| {
        let days = (expiry.not_after - now).div_euclid(86_400);
        let detail = format!("{}: {days} days left", expiry.subject);
        match days {
            ..0 => bad(place, format_args!("{}: over", expiry.subject)),
            0..ENDS_SOON_DAYS => warning(place, detail),
            _ => good(place, detail),
        }
    });
    ends.collect()
}

fn gateway(config: &Config) -> Finding {
    match UnixStream::connect(config.socket()) {
        Ok(_) => good("gateway", "runs"),
        Err(_) => warning("gateway", "does not run"),
    }
}

/// Which walls stand around the gateway that runs; where none does, what this kernel can confine.
fn walls(config: &Config) -> Finding {
    let place = "sandbox";
    if config.sandbox != Mode::Off
        && let Ok(told) = give(&config.file, &Order::Walls)
    {
        let missing = told.as_array().map(Vec::as_slice).unwrap_or_default();
        let missing: Vec<_> = missing.iter().filter_map(|name| name.as_str()).collect();
        return match missing.is_empty() {
            true => good(place, "the gateway that runs is confined wholly"),
            false => warning(
                place,
                format_args!("the gateway that runs is not confined in: {}", missing.join(", ")),
            ),
        };
    }
    let missing = sandbox::offered().missing().join(", ");
    match config.sandbox {
        Mode::Off => warning(place, "off: the gateway may do whatever its user may"),
        _ if missing.is_empty() => good(place, "this kernel can confine the gateway wholly"),
        Mode::Best => warning(place, format_args!("this kernel cannot confine: {missing}")),
        Mode::Required => bad(place, format_args!("this kernel cannot confine: {missing}")),
    }
}

/// Whether anybody can sign in.
fn console(config: &Config) -> Option<Finding> {
    let settings = config.console.as_ref()?;
    Some(match Users::read(&settings.users).map(|users| users.iter().count()) {
        Ok(0) => warning("console", "nobody can sign in yet: kangqiao user invite"),
        Ok(users) => good("console", format_args!("{users} users")),
        Err(error) => bad("console", error),
    })
}

fn store(config: &Config) -> Vec<Finding> {
    let (place, folder) = ("store", &config.store.folder);
    if let Err(error) = fs::read_dir(folder)
        && error.kind() != ErrorKind::NotFound
    {
        return vec![bad(place, format_args!("{}: {error}", folder.display()))];
    }
    match LedgerFile::exists(&config.store) {
        Ok(true) => (),
        Ok(false) => return vec![warning(place, "none yet: the first start makes it")],
        Err(error) => return vec![bad(place, error)],
    }
    let mut findings = Vec::new();
    let mode = fs::metadata(folder).map(|found| found.permissions().mode() & 0o777);
    if !mode.as_ref().is_ok_and(|mode| mode & 0o077 == 0) {
        findings.push(bad(place, "others may enter its folder: chmod 700"));
    }
    match departed::look(&config.store) {
        Ok(None) => (),
        Ok(Some(Departed { place: to, .. })) => findings.push(bad(
            place,
            format_args!("its rows were moved to {to}: no gateway starts on these"),
        )),
        Err(error) => findings.push(bad(place, error)),
    }
    // Where that cannot be read, it was just said why.
    findings.extend(schema::look(&config.store).ok().map(|found| match found {
        (found, known) if found > known => warning(
            "schema",
            format_args!("{found}, which still serves this version's {known}: upgrade it next"),
        ),
        (found, known) if found < known => {
            good("schema", format_args!("{found}: the next start brings it to {known}"))
        }
        (found, _) => good("schema", found),
    }));
    findings.push(match copies::check(&config.store) {
        Ok(true) => good(place, "the database is whole; sealed rows are not opened"),
        Ok(false) => good(place, "the server answers; pg_amcheck says whether it is whole"),
        Err(error) => bad(place, error),
    });
    findings.push(match measured(&config.store) {
        Ok(None) => warning("room", "of the server's disk is watched there: no reserve_bytes"),
        Ok(Some(room)) => {
            let left = format!("{} MiB left", room.left >> 20);
            match room.state {
                Fill::Roomy => good("room", left),
                Fill::Filling => warning("room", left),
                Fill::Reserve => bad("room", format_args!("{left}: nothing is kept or answered")),
            }
        }
        Err(error) => bad("room", error),
    });
    findings.push(match backup::proven(config, &config.store) {
        Ok((key, report)) => {
            good("ledger", format_args!("{} entries, master key {key}", report.entries))
        }
        Err(failure) => bad("ledger", failure),
    });
    findings.extend(archived(config));
    let keys = config.ledger.keys();
    findings.extend(keys.map(|key| signing(config, key)));
    findings.extend(ledger(config));
    findings
}

/// How far an archive reaches, if there is to be one.
fn archived(config: &Config) -> Option<Finding> {
    let folder = config.store.archive.as_ref()?;
    let place = "archive";
    let told = |ms: i64| DateTime::from_timestamp_millis(ms).unwrap_or_default().to_rfc3339();
    Some(match archive::span(folder) {
        Ok(Some((first, last))) => good(place, format_args!("{} to {}", told(first), told(last))),
        Ok(None) => warning(place, "empty yet: the next start begins it"),
        Err(error) => bad(place, Failure::caused(&folder.display().to_string(), &error)),
    })
}

/// A key that signs the ledger, and whether the public one beside it is its own.
fn signing(config: &Config, (path, signs): (&Path, Signs)) -> Finding {
    let name = &config.ledger.name;
    let place = match signs {
        Signs::CheckpointsBySm2 => "ledger SM2 key",
        _ => "ledger key",
    };
    if signs == Signs::CheckpointsBySm2 && !path.exists() && !signed_by_sm2(config) {
        return warning(place, "none yet: the next start makes it");
    }
    let key = match SigningKey::load(path, name, signs) {
        Ok(key) => key,
        Err(error) => return bad(place, format_args!("{}: {error}", path.display())),
    };
    let public = path.with_extension("pub");
    match fs::read_to_string(&public) {
        Ok(text) if text.trim() == key.public().to_string() => good(place, "is there"),
        Ok(_) => bad(place, format_args!("{}: is another key's", public.display())),
        Err(error) => bad(place, format_args!("{}: {error}", public.display())),
    }
}

/// Whether the newest checkpoint has a second line: then a key that is not there is lost.
fn signed_by_sm2(config: &Config) -> bool {
    let own = public_key(&config.ledger.public_key(), Signs::Checkpoints);
    let newest = LedgerFile::open(&config.store).and_then(|file| file.now().checkpoint());
    // What cannot be looked at is not excused.
    match (own, newest) {
        (Ok(own), Ok(Some(newest))) => signed_besides(&newest.bytes, &own),
        (_, Ok(None)) => false,
        _ => true,
    }
}

/// What the ledger tells of clocks and witnesses.
fn ledger(config: &Config) -> Vec<Finding> {
    let now_ms = Utc::now().timestamp_millis();
    let read = LedgerFile::open(&config.store).and_then(|file| {
        file.look(|view| {
            let newest = view.entries(view.size()?.saturating_sub(1), 1)?;
            Ok((newest.first().map_or(0, |entry| entry.at_ms), view.cosigned()?))
        })?
    });
    let (newest_ms, cosigned) = match read {
        Ok(read) => read,
        Err(error) => return vec![bad("ledger", error)],
    };
    let mut findings = Vec::new();
    if newest_ms > now_ms {
        findings.push(bad("clock", "the newest entry is of a time that is still to come"));
    }
    let (place, witnesses) = match neighbours(config) {
        Ok(neighbours) => ("witness", neighbours.witnesses),
        Err(failure) => return vec![bad("neighbours", failure)],
    };
    for witness in witnesses {
        let name = witness.key().name();
        let known = witness.key().to_string();
        let signed = cosigned.iter().find(|one| one.witness == known);
        findings.push(match signed.map(|one| (now_ms - one.at_ms) / 1000) {
            None => warning(place, format_args!("{name}: has signed nothing yet")),
            Some(age) if age > SILENT_SECONDS => {
                warning(place, format_args!("{name}: its last signature is {age} s old"))
            }
            Some(_) => good(place, format_args!("{name}: signs")),
        });
    }
    findings
}
