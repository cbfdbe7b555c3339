//! Power cuts: one run with everybody at work is written down, and the disk is built as it might
//! be after a cut at any moment of it. Each must open, and hold what was told of it by then.

mod archive;
mod disk;
mod judge;
mod load;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use tempfile::TempDir;

use crate::notices::{Site, in_order};
use crate::rig::faults::{BROKEN, Dial, Faults};
use crate::rig::loudly;
use crate::rig::message::{Resident, field};
use disk::{Deaf, Dice, Disk, Manner};
use judge::Judge;
use load::{ENROLLED, Known, What};
use record::{Change, Record, Step};

/// Messages acknowledged in one run.
const MESSAGES: usize = 250;
/// Images of one run, and of the one with an archive that goes with it.
const IMAGES_A_RUN: usize = 1000;
/// One image of so many has an archive, from which a moment before the cut is laid, and one after.
const ARCHIVED: usize = 10;
/// Runs in which syncs fail, until one of them was about what somebody was told.
const TALES_MAX: usize = 10;
/// Steps within which a gateway is back that ended at a sync that failed.
const SOON: usize = 800;

/// A number of the environment.
fn set(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// How many images; `make torture` asks for ten thousand.
fn images() -> usize {
    set("KANGQIAO_TORTURE_IMAGES").map_or(300, |count| count as usize)
}

fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = set("KANGQIAO_TORTURE_SEED").unwrap_or(now.as_nanos() as u64);
    loudly(&format!("KANGQIAO_TORTURE_SEED={seed}"));
    seed
}

/// What happened, and what everybody was told.
struct Tale {
    root: PathBuf,
    config: String,
    record: Record,
    judge: Judge,
}

/// Whether a gateway keeps an archive, from which its file goes back to a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Archive {
    Kept,
    None,
}

/// A gateway with everything on, whose log is emptied often; it does not run yet.
fn site(archive: Archive) -> Arc<Site> {
    let mut site = Site::prepare("subsidy-eligibility", "\"long-stay\"");
    site.rig.faults = Some(Faults::new());
    let config = std::fs::read_to_string(site.rig.config()).unwrap();
    let kept = if archive == Archive::Kept { "archive = \"archive\"\n" } else { "" };
    let busy = format!("[store]\ncheckpoint_ms = 20\nwal_bytes_max = 600000\n{kept}");
    std::fs::write(site.rig.config(), config.replace("[store]\n", &busy)).unwrap();
    Arc::new(site)
}

/// A run that is written down from the first start on. With `broken` a sync fails that often, after
/// a number of good ones, and the gateway is started again.
fn tell(
    (count, archive): (usize, Archive),
    broken: Option<(usize, &mut Dice)>,
) -> (Arc<Site>, Tale) {
    let (site, known) = (site(archive), Arc::new(Known::default()));
    let faults = site.rig.faults.as_ref().unwrap();
    faults.turn(Dial::Recording, 1);
    faults.turn(Dial::Swift, 1);
    load::listen(&site, &known);
    site.rig.resume();
    let elders: Vec<_> = (0..ENROLLED).map(|_| Resident::new()).collect();
    for elder in &elders {
        site.enrol(elder, &elder.local);
    }
    if let Some((times, dice)) = broken {
        for _ in 0..times {
            faults.turn(Dial::SyncPasses, dice.of(300) as i64);
            faults.turn(Dial::SyncErrno, BROKEN);
            load::run(&site, &known, (&elders, usize::MAX));
            site.rig.kill();
            faults.turn(Dial::SyncErrno, 0);
            site.rig.resume();
        }
    }
    load::run(&site, &known, (&elders, count));
    site.rig.kill();
    let (root, record) = (site.rig.path().canonicalize().unwrap(), Record::read(faults.record()));
    let config = std::fs::read_to_string(site.rig.config()).unwrap();
    let seen = std::mem::take(&mut *known.seen.lock().unwrap());
    let sent = std::mem::take(&mut *known.sent.lock().unwrap());
    (site, Tale { root, config, record, judge: Judge::new(seen, sent) })
}

/// What was built of a tale, and what was wrong with it.
#[derive(Default)]
struct Found {
    /// Images by the manner of the cut.
    images: BTreeMap<Manner, usize>,
    /// What somebody had been told by the moment of each, summed up.
    claims: usize,
    /// Where, and why.
    faults: Vec<String>,
}

/// What a judge looks at: the others of the store's files serve no promise that is judged.
fn judged(path: &Path) -> bool {
    let name = path.to_string_lossy();
    name.contains("/keys/") || name.contains("/kangqiao.db") || archive::is_archived(path)
}

/// Moments of a tale in their order, every fourth of them while the first start is under way; and
/// where syncs failed, every fourth soon after such a failure, and one while the start after it
/// copies the log into the database.
fn moments(steps: &[Step<'_>], count: usize, dice: &mut Dice) -> Vec<usize> {
    let failed = |one: &usize| matches!(steps[*one].1, Change::Failed { .. });
    let failures: Vec<usize> = (0..steps.len()).filter(failed).collect();
    let copies = copies(steps, &failures);
    let pick = |one: usize| match one % 4 {
        0 => dice.of(steps.len() / 10),
        1 if !failures.is_empty() => {
            let soon = failures[dice.of(failures.len())] + dice.of(SOON);
            soon.min(steps.len() - 1)
        }
        3 if !copies.is_empty() => copies[dice.of(copies.len())],
        _ => dice.of(steps.len()),
    };
    let mut moments: Vec<_> = (0..count).map(pick).collect();
    moments.sort_unstable();
    moments
}

/// Where the database is written to after each of these, until it is synced.
fn copies(steps: &[Step<'_>], failures: &[usize]) -> Vec<usize> {
    let (mut databases, mut copies) = (BTreeSet::new(), Vec::new());
    // How many of these were, and how many the last copy was made after.
    let (mut failed, mut copied) = (0, 0);
    for (at, (_, change)) in steps.iter().enumerate() {
        match change {
            Change::Opened { node, path, .. } if path.ends_with("kangqiao.db") => {
                databases.insert(*node);
            }
            Change::Failed { .. } if failures.contains(&at) => failed += 1,
            Change::Wrote { node, .. } if databases.contains(node) && copied < failed => {
                copies.push(at);
            }
            Change::Begun { node, .. } if databases.contains(node) => copied = failed,
            _ => (),
        }
    }
    copies
}

/// Builds so many images at moments all over a tale, and judges each.
fn cut(tale: &Tale, count: usize, (deaf, dice): (Deaf, &mut Dice)) -> Found {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let folder = TempDir::with_prefix_in("kangqiao-image-", place).unwrap();
    std::fs::write(folder.path().join("kangqiao.toml"), &tale.config).unwrap();
    let steps = tale.record.steps();
    let takes = archive::takes(&steps);
    let mut disk = Disk::new(&tale.root, deaf, dice.roll());
    let (mut taken, mut found) = (0, Found::default());
    for moment in moments(&steps, count, dice) {
        let (until, _) = steps[moment];
        steps[taken..=moment].iter().for_each(|(_, change)| disk.step(*change));
        taken = moment + 1;
        let manner = Manner::ALL[dice.of(Manner::ALL.len())];
        let mut image = disk.image((manner, judged), dice);
        archive::spoil(&mut image, deaf);
        lay(&image, folder.path());
        *found.images.entry(manner).or_default() += 1;
        found.claims += tale.judge.known_at(until).len();
        let said = tale.judge.judge(folder.path(), until).and_then(|()| match takes.len() {
            0 => Ok(()),
            _ => archive::judge(&tale.judge, folder.path(), (&takes, until, dice.of(1 << 16))),
        });
        if let Err(why) = said {
            let fault = format!("at {until} ({manner:?}): {why}");
            if deaf == Deaf::No {
                loudly(&fault);
            }
            found.faults.push(fault);
        }
    }
    found
}

/// Puts the files of an image where those of the run lay.
fn lay(image: &BTreeMap<PathBuf, Vec<u8>>, folder: &Path) {
    for gone in ["data", "keys", "archive"] {
        let _ = std::fs::remove_dir_all(folder.join(gone));
    }
    for (path, bytes) in image {
        use std::os::unix::fs::PermissionsExt;
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        // Modes are the file system's: they come with the name.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// The run that all images of `make test` are of.
fn common() -> &'static Tale {
    static TALE: OnceLock<Tale> = OnceLock::new();
    TALE.get_or_init(|| tell((MESSAGES, Archive::None), None).1)
}

/// A run with an archive, in which syncs fail so that there are several stretches of it.
fn archived(dice: &mut Dice) -> Tale {
    tell((MESSAGES / 4, Archive::Kept), Some((2, dice))).1
}

#[test]
fn the_layer_of_faults_sees_what_the_store_writes() {
    let steps = common().record.steps();
    let count = |which: fn(&Change) -> bool| steps.iter().filter(|(_, one)| which(one)).count();
    let acknowledged = MESSAGES;
    assert!(count(|one| matches!(one, Change::Wrote { .. })) > acknowledged);
    assert!(count(|one| matches!(one, Change::Durable { .. })) > 20);
    for name in ["data/kangqiao.db", "data/kangqiao.db-wal", "keys/master.key", "keys/ledger.key"] {
        let made = |(_, one): &(u64, Change)| match one {
            Change::Opened { made: true, path, .. } => path.ends_with(name),
            Change::Renamed { to, .. } => to.ends_with(name),
            _ => false,
        };
        assert!(steps.iter().any(made), "{name} was made unseen");
    }
    assert!(count(|one| matches!(one, Change::Cut { length: 0, .. })) > 0, "no log was emptied");
}

/// What all tales together came to.
#[derive(Default)]
struct Sum {
    runs: usize,
    archived: usize,
    steps: usize,
    failed_syncs: usize,
    found: Found,
}

impl Sum {
    fn add(&mut self, tale: &Tale, found: Found) {
        let steps = tale.record.steps();
        self.runs += 1;
        self.steps += steps.len();
        let failed = |(_, one): &&Step<'_>| matches!(one, Change::Failed { .. });
        self.failed_syncs += steps.iter().filter(failed).count();
        self.found.claims += found.claims;
        self.found.faults.extend(found.faults);
        for (manner, count) in found.images {
            *self.found.images.entry(manner).or_default() += count;
        }
    }

    /// Says it, and writes it down where figures are asked for.
    fn tell(&self) {
        let Found { images, claims, faults } = &self.found;
        let by_manner: BTreeMap<_, _> =
            images.iter().map(|(manner, count)| (format!("{manner:?}"), count)).collect();
        let figures = json!({
            "images": images.values().sum::<usize>(), "by_manner": by_manner, "runs": self.runs,
            "archived": self.archived, "steps": self.steps,
            "failed_syncs": self.failed_syncs, "claims": claims,
            "faults": faults.len(),
        });
        loudly(&figures.to_string());
        if set("KANGQIAO_TORTURE_IMAGES").is_some() {
            let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
            std::fs::write(target.join("torture.json"), format!("{figures:#}\n")).unwrap();
        }
    }
}

/// One run, or as many as the images asked for are worth; in every other one syncs fail too.
#[test]
fn a_power_cut_at_any_moment_loses_nothing_that_was_told() {
    let (mut dice, count) = (Dice(seed()), images());
    let mut sum = Sum::default();
    for first in (0..count).step_by(IMAGES_A_RUN) {
        let own;
        let tale = match sum.runs {
            0 => common(),
            run => {
                let broken = (run % 4 > 0).then_some((4, &mut dice));
                own = tell((MESSAGES, Archive::None), broken).1;
                &own
            }
        };
        let most = IMAGES_A_RUN.min(count - first);
        sum.add(tale, cut(tale, most - most / ARCHIVED, (Deaf::No, &mut dice)));
        let tale = archived(&mut dice);
        let found = cut(&tale, most / ARCHIVED, (Deaf::No, &mut dice));
        sum.archived += found.images.values().sum::<usize>();
        sum.add(&tale, found);
        sum.tell();
    }
    assert!(sum.found.faults.is_empty(), "{}", sum.found.faults.join("\n"));
}

#[test]
fn a_disk_that_only_says_that_it_synced_is_found_out() {
    let mut dice = Dice(seed());
    for deaf in [Deaf::To("-wal"), Deaf::To(".db"), Deaf::ToFolders] {
        let found = cut(common(), 40, (deaf, &mut dice));
        assert!(!found.faults.is_empty(), "{deaf:?}: nothing is missed");
    }
}

#[test]
fn an_archive_that_forgets_is_found_out() {
    let mut dice = Dice(seed());
    let tale = archived(&mut dice);
    // Its records alone are not synced, one of them is missing, or all before a stretch is.
    for deaf in [Deaf::Within("/archive/"), Deaf::Gap, Deaf::Stale] {
        let mut tries = (0..TALES_MAX).map(|_| cut(&tale, 10, (deaf, &mut dice)).faults);
        let missed = tries.any(|faults| faults.iter().any(|why| why.contains("archive")));
        assert!(missed, "{deaf:?}: nothing is missed");
    }
}

#[test]
fn a_gateway_started_after_a_power_cut_goes_on_as_if_there_had_been_none() {
    let mut dice = Dice(seed());
    let (site, tale) = tell((MESSAGES / 3, Archive::None), None);
    let steps = tale.record.steps();
    let moment = steps.len() / 2 + dice.of(steps.len() / 2);
    let mut disk = Disk::new(&tale.root, Deaf::No, dice.roll());
    steps[..=moment].iter().for_each(|(_, change)| disk.step(*change));
    let image = disk.image((Manner::Torn, |_| true), &mut dice);
    let rig = &site.rig;
    rig.faults.as_ref().unwrap().turn(Dial::Recording, 0);
    lay(&image, rig.path());
    let known = tale.judge.known_at(steps[moment].0);
    let mut told: BTreeSet<String> = BTreeSet::new();
    for seen in known {
        if let What::Told { id, .. } = &seen.what {
            told.insert(id.clone());
        }
    }
    site.receiver.forget();
    site.receiver.answers(|_| 200);
    rig.resume();
    // Every sender sends again whatever it has no acknowledgement of, and to be sure the rest.
    let mut link = rig.mllp();
    for bytes in tale.judge.sent().values() {
        assert_eq!(field(&link.exchange(bytes).unwrap(), "MSA-1"), "AA");
    }
    let sent = tale.judge.sent().len() as u64;
    assert_eq!(rig.stored("SELECT count(*) FROM journal"), sent);
    assert_eq!(rig.stored("SELECT sum(kept) FROM count"), sent);
    site.settled();
    let since = site.receiver.taken();
    in_order(&since);
    told.extend(since.iter().map(|notice| notice["id"].as_str().unwrap().to_owned()));
    assert_eq!(told.len() as u64, rig.stored("SELECT count(*) FROM outbox"), "told once each");
    assert!(rig.ledger(&["verify"]).contains("ledger verified"));
}

#[test]
fn after_a_sync_that_failed_nothing_rests_on_what_it_was_about() {
    let mut dice = Dice(seed());
    let quarter = (MESSAGES / 4, Archive::None);
    let mut tale = tell(quarter, Some((4, &mut dice))).1;
    let found = cut(&tale, 150, (Deaf::No, &mut dice));
    assert!(found.faults.is_empty(), "{}", found.faults.join("\n"));
    // Had the log not been written anew, the copy into the database would rest on it. A sync that
    // was about nothing anybody was told shows no more of that than a good one.
    for _ in 0..TALES_MAX {
        let found = cut(&tale, 150, (Deaf::Renewal, &mut dice));
        if !found.faults.is_empty() {
            return;
        }
        tale = tell(quarter, Some((4, &mut dice))).1;
    }
    panic!("nothing is missed");
}
