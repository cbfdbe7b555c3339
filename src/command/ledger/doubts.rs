//! `kangqiao ledger doubts`: what in the ledger an auditor is to look at, with reasons.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::filter::{Unlocked, moment, read};
use super::place::{Place, Where};
use super::{bar, failed, written};
use crate::audit::Entry;
use crate::audit::doubt::{
    Arrived, Doubt, Doubting, Inquiry, PEOPLE_BYTES_MAX, People, Reason, versions,
};
use crate::command::Failure;
use crate::command::policy::line::cell;
use crate::flow::doubts::{Look, LookError, list_bytes, served};
use crate::flow::past;
use crate::policy::Doubts as Terms;
use crate::store::policies::InForce;
use crate::store::{LedgerFile, LedgerView, StoreError};
use crate::vocabulary::{Date, Identifier};

/// Entries read between two moves of the bar.
const STEP: u64 = 20_000;
/// Entries at the end of the ledger among which one says which policies are in force.
const LAST_MAX: u64 = 100_000;
const DAY_MS: i64 = 86_400_000;

/// `kangqiao ledger doubts [NAME]`
#[derive(Debug, clap::Args)]
pub struct Doubts {
    /// asked-again, bulk, off-hours, opened, related or unfollowed; all if absent
    question: Option<String>,
    #[command(flatten)]
    place: Where,
    /// From this day or moment on, ISO 8601; as many days as the policies say if absent.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Until just before this day or moment.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The auditor's list of who belongs to whom, by numbers or by pseudonyms; `-` reads it from
    /// standard input. The configuration's if absent.
    #[arg(long, value_name = "FILE")]
    people: Option<PathBuf>,
    /// File of the master key, if not the configuration's: without it no number leads to a person.
    #[arg(long, value_name = "FILE")]
    master_key: Option<PathBuf>,
    /// Print JSON lines.
    #[arg(long)]
    json: bool,
}

/// `kangqiao ledger people`
#[derive(Debug, clap::Args)]
pub struct Listing {
    #[command(flatten)]
    place: Where,
    /// The list with numbers, CSV; `-` reads it from standard input.
    #[arg(default_value = "-")]
    list: PathBuf,
    /// A file that must not exist yet: the list by pseudonyms.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// File of the master key, if not the configuration's.
    #[arg(long, value_name = "FILE")]
    master_key: Option<PathBuf>,
}

impl Doubts {
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let place = self.place.find()?;
        let of = read("QUESTION", &self.question, |name| Inquiry::parse(name).ok_or(NAMES))?;
        let until_ms = read("--until", &self.until, moment)?;
        let since_ms = read("--since", &self.since, moment)?;
        let now_ms = until_ms.unwrap_or_else(now_ms);
        let file = LedgerFile::open(&place.store).map_err(failed)?;
        let terms = terms(&file, &place)?;
        let since_ms = since_ms.unwrap_or(now_ms - i64::from(terms.days) * DAY_MS);
        let unlocked = Unlocked::of(&file, self.master_key.as_ref(), &place);
        let people = self.people(&file, &place, &unlocked)?;
        let named = people.as_ref().map(|people| (people.digest(), people.rows()));
        let served = served(place.store.folder.clone());
        let mut look = Look::new(Doubting::new(&terms, people, served, since_ms));
        let bar = bar(file.now().size().map_err(failed)?);
        let read = file.look(|view| {
            let mut left = u64::MAX;
            while left > 0 {
                left = look.read(view, now_ms, STEP)?;
                bar.set_position(bar.length().unwrap_or_default().saturating_sub(left));
            }
            let keys = unlocked.as_ref().ok().map(|unlocked| &unlocked.keys);
            let arrived = keys.map(|keys| look.arrived(view, keys, now_ms)).transpose()?;
            Ok::<Arrived, LookError>(arrived.unwrap_or_default())
        });
        bar.finish_and_clear();
        let arrived = read.map_err(failed)?;
        let arrived = arrived.map_err(|error| Failure::during("ledger", error))?;
        let mut found = look.doubting.found(now_ms, &arrived);
        found.retain(|doubt| of.is_none_or(|of| doubt.reason.inquiry() == of));
        if self.json {
            return found.iter().try_for_each(|doubt| line(doubt, out));
        }
        found.iter().try_for_each(|doubt| print(doubt, out).map_err(written))?;
        let asked = Inquiry::ALL.iter().filter(|row| of.is_none_or(|of| of == row.0));
        let unasked: Vec<_> =
            asked.filter(|row| !look.doubting.asks(row.0)).map(|row| row.1).collect();
        let mut foot = vec![format!(
            "共 {} 条疑点 doubts: 核查的理由，不是结论 reasons to look, no verdicts",
            found.len()
        )];
        if let Some((digest, rows)) = named {
            foot.push(format!("人员名单 list {digest}: {rows} 行 rows"));
        }
        if !unasked.is_empty() {
            // By the terms in force, or because nobody brought a list.
            foot.push(format!("未问 not asked: {}", unasked.join(", ")));
        }
        if unlocked.is_err() && !terms.followed.is_empty() {
            foot.push(
                "没有主密钥，未看服务记录 no master key: no record was looked for".to_owned(),
            );
        }
        if let many @ 1.. = look.doubting.let_go() {
            foot.push(format!("为限制内存未记住 {many} 项 things let go: shorten the time"));
        }
        foot.iter().try_for_each(|line| writeln!(out, "{line}")).map_err(written)
    }

    fn people(
        &self,
        file: &LedgerFile,
        place: &Place,
        unlocked: &Result<Unlocked, Failure>,
    ) -> Result<Option<People>, Failure> {
        let Some(path) = self.people.as_ref().or(place.people.as_ref()) else { return Ok(None) };
        list(path, file, unlocked).map(Some)
    }
}

/// What is wrong with a name that is none.
const NAMES: &str = "there are asked-again, bulk, off-hours, opened, related, unfollowed";

impl Listing {
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let place = self.place.find()?;
        let file = LedgerFile::open(&place.store).map_err(failed)?;
        let unlocked = Ok(Unlocked::of(&file, self.master_key.as_ref(), &place)?);
        let people = list(&self.list, &file, &unlocked)?;
        let mut kept = super::private(&self.output)?;
        kept.write_all(&people.write()).and_then(|()| kept.sync_all()).map_err(written)?;
        let (digest, rows) = (people.digest(), people.rows());
        writeln!(out, "人员名单 list {digest}: {rows} 行 rows").map_err(written)
    }
}

/// Reads a list by numbers or by pseudonyms.
fn list(
    path: &Path,
    file: &LedgerFile,
    unlocked: &Result<Unlocked, Failure>,
) -> Result<People, Failure> {
    let bytes = if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        let most = PEOPLE_BYTES_MAX.saturating_add(1);
        let read = std::io::stdin().lock().take(most).read_to_end(&mut bytes);
        read.map_err(|error| Failure::during("standard input", error))?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length == most) {
            return Err(Failure(format!("list: more than {PEOPLE_BYTES_MAX} bytes")));
        }
        bytes
    } else {
        list_bytes(path).map_err(|error| Failure::during("list", error))?
    };
    let mut trouble = None;
    let mut whose = |number: &Identifier| match unlocked {
        Err(Failure(_)) => Err("a list by numbers needs the master key"),
        Ok(unlocked) if unlocked.keys.token(number).is_err() => Err("not a citizen id"),
        Ok(unlocked) => unlocked.known_as(file, number).map_err(|failure| {
            trouble = Some(failure);
            "the store cannot be read"
        }),
    };
    let people = People::read(&bytes, Some(&mut whose));
    trouble.map_or(people.map_err(|error| Failure::during("list", error)), Err)
}

/// What the policies in force have an auditor look at, as the newest entries name them.
fn terms(file: &LedgerFile, place: &Place) -> Result<Terms, Failure> {
    let force = file.look(in_force).map_err(failed)?.map_err(failed)?;
    let force = force.ok_or_else(|| Failure("ledger: no entry names policies".to_owned()))?;
    let version = &force.version;
    let (policies, _) = past(&place.store.folder, &force).ok_or_else(|| {
        let what = "are in force, and the store's folder keeps no file of them";
        Failure(format!("policies {version} {what}"))
    })?;
    Ok(policies.doubts().clone())
}

fn in_force(view: LedgerView<'_>) -> Result<Option<InForce>, StoreError> {
    let size = view.size()?;
    let mut before = size;
    while before > size.saturating_sub(LAST_MAX) {
        let from = before.saturating_sub(256);
        let page = view.entries(from, 256)?;
        let named = page.iter().rev().filter(|stored| stored.number < before).find_map(|stored| {
            let entry = Entry::from_bytes(&stored.bytes).ok()?;
            let (version, mappings) = versions(&entry)?;
            let (version, mappings) = (version.to_owned(), mappings.to_owned());
            Some(InForce { version, mappings })
        });
        if named.is_some() {
            return Ok(named);
        }
        before = from;
    }
    Ok(None)
}

fn line(doubt: &Doubt, out: &mut dyn Write) -> Result<(), Failure> {
    let mut told = serde_json::to_value(doubt).map_err(|error| Failure::during("doubt", error))?;
    if let Some(told) = told.as_object_mut() {
        told.insert("zh".to_owned(), json!(doubt.zh()));
        told.insert("en".to_owned(), json!(doubt.en()));
    }
    writeln!(out, "{told}").map_err(written)
}

fn print(doubt: &Doubt, out: &mut dyn Write) -> std::io::Result<()> {
    let inquiry = doubt.reason.inquiry();
    let at = Date::from_timestamp(doubt.at_ms.div_euclid(1000)).to_iso();
    write!(out, "{at}  {} {}", inquiry.zh(), inquiry.as_str())?;
    if let Some(who) = &doubt.who {
        write!(out, "  {} {}", who.department, who.role)?;
        if let Some(asker) = &who.asker {
            write!(out, " {asker}")?;
        }
    }
    if let Some(person) = &doubt.person {
        write!(out, "  人员 person {}", person.0)?;
    }
    writeln!(out, "\n    {}\n    {}", doubt.zh(), doubt.en())?;
    if let Reason::Opened { cells: Some(cells), .. } = &doubt.reason {
        for change in cells {
            writeln!(out, "    + {}", cell(change))?;
        }
    }
    write!(out, "    条目 entries")?;
    for cited in &doubt.entries {
        write!(out, " {} {}", cited.number, cited.receipt)?;
    }
    match doubt.count.saturating_sub(u64::try_from(doubt.entries.len()).unwrap_or_default()) {
        0 => writeln!(out),
        more => writeln!(out, " … 另有 more {more}"),
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
