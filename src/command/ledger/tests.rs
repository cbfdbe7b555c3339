//! The command over a real store: what it proves, finds and writes.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bytes::Bytes;
use clap::Parser;

use super::*;
use crate::audit::{Edge, Entry, Kind, Sealer, SigningKey, Signs};
use crate::flow::proof;
use crate::identity::{Indexed, Keys, PersonId, Pseudonym};
use crate::policy::tests::folder;
use crate::store::packs::Packs;
use crate::store::{Arrival, LedgerFile, LedgerRow, Proposed, Settings, Store};
use crate::vocabulary::{
    Dataset, Department, ElementId, Group, GroupName, Identifier, IdentifierKind, Purpose, Record,
    Role, Source, Tier,
};

const MASTER: [u8; 32] = [7; 32];
const CITIZEN: &str = "11010519491231002X";

/// What of a configuration the ledger needs, and no more than a configuration must have.
const CONFIG: &str = r#"
master_key = "master.key"
https = { address = "127.0.0.1:0" }
ledger = { name = "ledger", key = "ledger.key" }
store = { folder = "data" }
"#;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

/// A folder with keys beside it, as a site has them.
struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap() };
        SigningKey::create(&site.path("ledger.key"), "ledger", Signs::Checkpoints).unwrap();
        let master = site.path("master.key");
        fs::write(&master, MASTER).unwrap();
        fs::set_permissions(&master, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(site.path("kangqiao.toml"), CONFIG).unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Opens the store as the gateway does at its start.
    fn open(&self) -> Store {
        let data = self.path("data");
        let key = SigningKey::load(&self.path("ledger.key"), "ledger", Signs::Checkpoints).unwrap();
        let sealer = match LedgerFile::open(&Settings::of(&data)) {
            Ok(file) => file.look(|view| proof::sealer(view, key)).unwrap().unwrap().0,
            Err(_) => Sealer::restore(key, Edge::default(), None).unwrap(),
        };
        let settings = Settings::of(&data);
        Store::open(settings, &MASTER, proof::sealing(sealer)).unwrap()
    }

    /// Runs the command and gives what it printed.
    fn run(&self, line: &str) -> Result<String, String> {
        let root = format!("{}/", self.root());
        let mut words = vec!["ledger".to_owned()];
        words.extend(line.split(' ').map(|word| word.replace('@', &root)));
        if !line.contains("--config") && !line.starts_with("check-proof") {
            words.extend(["--data".to_owned(), format!("{root}data")]);
        }
        let args = Line::try_parse_from(words).map_err(|error| error.to_string())?.args;
        let mut out = Vec::new();
        let ended = match args.action {
            Action::CheckProof(check) => check.run(&mut out),
            Action::Doubts(doubts) => doubts.run(&mut out),
            Action::History(history) => history.run(&mut out),
            Action::People(listing) => listing.run(&mut out),
            Action::Prove(prove) => prove.run(&mut out),
            Action::Verify(verify) => verify.run(&mut out),
            Action::Search(search) => search.run(&mut out),
            Action::Export(export) => export.run(&mut out),
        };
        ended.map(|()| String::from_utf8(out).unwrap()).map_err(|failure| failure.0)
    }

    fn root(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    fn sql(&self, sql: &str) {
        let database = self.path("data").join("kangqiao.db");
        let connection = rusqlite::Connection::open(database).unwrap();
        assert!(connection.execute(sql, []).unwrap() > 0, "{sql}");
    }
}

fn entry(kind: Kind, at: i64, person: Option<Pseudonym>) -> Entry {
    let department = Department::parse("civil-affairs").ok();
    Entry { person, department, ..Entry::new(kind, at * 1000, [9; 16]) }
}

async fn append(store: &Store, entry: &Entry) {
    let row = LedgerRow {
        bytes: Bytes::from(entry.to_bytes()),
        person: entry.person.clone(),
        department: entry.department,
        at_ms: entry.at_ms,
    };
    store.append(row).await.unwrap();
}

/// A message about the person with that citizen id, who thereby has a place in the index.
async fn admit(store: &Store, keys: &Keys) -> PersonId {
    arrive(store, keys, ("admission", 1)).await
}

/// A record about him, at some moment.
async fn arrive(store: &Store, keys: &Keys, (dataset, at_ms): (&str, i64)) -> PersonId {
    let citizen = Identifier::new(IdentifierKind::CitizenId, CITIZEN);
    let token = keys.token(&citizen).unwrap();
    let group = Group { name: GroupName::parse("record").unwrap(), parent: None, fields: vec![] };
    let source = Source::parse("hospital-a").unwrap();
    let record = Record {
        dataset: Dataset::parse(dataset).unwrap(),
        source,
        time: None,
        groups: vec![group],
        carried: vec![],
        wire: None,
        mappings: String::new(),
    };
    let arrival = Arrival {
        form: crate::translate::Form::Hl7v2,
        entrance: crate::vocabulary::Entrance::Mllp,
        mappings: String::new(),
        mark: None,
        source,
        control_id: dataset.to_owned(),
        digest: [0; 32],
        received_at_ms: at_ms,
        raw: Bytes::from_static(b"MSH"),
        proposed: Proposed::Apply {
            record: Box::new(record),
            veiled: None,
            identifiers: vec![Indexed { token, kind: IdentifierKind::CitizenId, at: None }],
            merge_from: Vec::new(),
            claim: crate::translate::Claim::Merged,
            documents: Vec::new(),
            wishes: Vec::new(),
            entry: None,
        },
    };
    store.keep(arrival).await.unwrap().persons[0]
}

/// Day 20,000 since 1970 is 2024-10-04.
const DAY: i64 = 20_000 * 86_400;

/// Five entries: a start, three about one person under two pseudonyms, one about another.
async fn filled() -> Site {
    let site = Site::new();
    let store = site.open();
    let keys = Keys::derive(store.root());
    let citizen = Identifier::new(IdentifierKind::CitizenId, CITIZEN);
    let stranger = keys.pseudonym_of_token(&keys.token(&citizen).unwrap());
    append(&store, &entry(Kind::Start, DAY, None)).await;
    append(&store, &entry(Kind::Refusal, DAY + 1, Some(stranger))).await;
    let person = admit(&store, &keys).await;
    append(&store, &entry(Kind::Disclosure, DAY + 2, Some(keys.pseudonym(person)))).await;
    append(&store, &entry(Kind::Disclosure, DAY + 90_000, Some(keys.pseudonym(person)))).await;
    append(&store, &entry(Kind::Disclosure, DAY + 4, Some(Pseudonym("ab".repeat(16))))).await;
    site
}

const VERIFY: &str = "verify --public-key @ledger.pub";

#[tokio::test]
async fn a_good_ledger_is_verified_with_or_without_a_running_gateway() {
    let site = filled().await;
    for running in [false, true] {
        let _store = running.then(|| site.open());
        let printed = site.run(VERIFY).unwrap();
        assert!(printed.contains("entries          5"), "{printed}");
        let json: serde_json::Value =
            serde_json::from_str(&site.run(&format!("{VERIFY} --json")).unwrap()).unwrap();
        assert_eq!((&json["entries"], &json["checkpoints"]), (&5.into(), &5.into()));
        assert!(printed.contains(json["root"].as_str().unwrap()));
    }
}

/// Changes the database file and says what verify then complains of.
async fn check(sql: &str, complaint: &str) {
    let site = filled().await;
    site.sql(sql);
    let failure = site.run(VERIFY).unwrap_err();
    assert!(failure.contains(complaint), "{failure}");
    assert!(!failure.contains('\n') && !failure.contains(CITIZEN));
}

#[tokio::test]
async fn a_database_somebody_wrote_in_is_found_out() {
    let forged = "CAST(replace(CAST(bytes AS TEXT), '\"at_ms\":1', '\"at_ms\":2') AS BLOB)";
    check(
        &format!("UPDATE ledger SET bytes = {forged} WHERE number = 2"),
        "entries 2 to 2 hold something else than what was signed; first wrong entry: 2",
    )
    .await;
    check("DELETE FROM ledger WHERE number = 1", "entries 1 to 1 are missing").await;
    check("DELETE FROM ledger WHERE number = 4", "signed 5 entries, the ledger ends at 4").await;
    check("DELETE FROM checkpoint WHERE size = 5", "entries 4 to 4 were never signed").await;
    check(
        "UPDATE ledger SET number = CASE number WHEN 2 THEN -2 WHEN 3 THEN -3 ELSE number END; ",
        "entries 2 to 3 are missing",
    )
    .await;
    check(
        "INSERT INTO ledger SELECT 5, at_ms, person, department, bytes FROM ledger LIMIT 1",
        "never signed",
    )
    .await;
    check(
        "UPDATE ledger SET bytes = CAST(bytes || x'0a' AS BLOB) WHERE number = 3",
        "entry 3: entry is not in canonical form; first wrong entry: 3",
    )
    .await;
    check(
        "UPDATE checkpoint SET bytes = x'00' WHERE size = 2",
        "checkpoint 2: not a signed checkpoint",
    )
    .await;
}

#[tokio::test]
async fn a_database_put_back_is_found_by_a_checkpoint_somebody_kept() {
    let site = filled().await;
    let reading = Reading::open(&Settings::of(&site.path("data"))).unwrap();
    let held: Vec<u8> = reading.checkpoints().collect::<Vec<_>>().concat();
    drop(reading);
    fs::write(site.path("held"), held).unwrap();
    let line = format!("{VERIFY} --held @held");
    assert!(site.run(&line).unwrap().contains("held       5"));
    site.sql("DELETE FROM ledger WHERE number > 2");
    site.sql("DELETE FROM checkpoint WHERE size > 3");
    assert!(site.run(VERIFY).is_ok(), "alone, it is a good ledger of an earlier day");
    let failure = site.run(&line).unwrap_err();
    assert!(failure.contains("held outside signed 5 entries, the ledger ends at 3"), "{failure}");
}

#[tokio::test]
async fn a_search_finds_a_person_under_every_pseudonym() {
    let site = filled().await;
    let numbers = |line: &str| -> Vec<u64> {
        let printed = site.run(&format!("search --json {line}")).unwrap();
        let read = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        printed.lines().map(|line| read(line)["number"].as_u64().unwrap()).collect()
    };
    let by = format!("--citizen-id {CITIZEN} --master-key @master.key");
    assert_eq!(numbers(&by), [1, 2, 3]);
    assert_eq!(numbers(&format!("{by} --kind disclosure")), [2, 3]);
    assert_eq!(numbers(&format!("{by} --since 2024-10-05")), [3]);
    assert_eq!(numbers(&format!("{by} --until 2024-10-05")), [1, 2]);
    assert_eq!(numbers("--card 999999999 --master-key @master.key"), [0_u64; 0]);
    assert_eq!(numbers(&format!("--person {}", "ab".repeat(16))), [4]);
    assert_eq!(numbers("--department civil-affairs"), [0, 1, 2, 3, 4]);
    assert_eq!(numbers("--department care-home"), [0_u64; 0]);
    let receipt = entry(Kind::Start, DAY, None).receipt.to_string().to_lowercase();
    assert_eq!(numbers(&format!("--receipt {receipt}")), [0]);
}

#[tokio::test]
async fn the_configuration_leads_to_the_ledger_and_its_keys() {
    let site = filled().await;
    let at = "--config @kangqiao.toml";
    assert!(site.run(&format!("verify {at}")).unwrap().contains("entries          5"));
    let found = site.run(&format!("search --citizen-id {CITIZEN} {at}")).unwrap();
    assert!(found.contains("共 3 条 entries"), "{found}");
    fs::remove_file(site.path("master.key")).unwrap();
    assert!(site.run(&format!("search --citizen-id {CITIZEN} {at}")).is_err());
    assert!(!site.path("master.key").exists(), "a search never makes a key");
    fs::write(site.path("kangqiao.toml"), "ledgre = 1").unwrap();
    let failure = site.run(&format!("verify {at}")).unwrap_err();
    assert!(failure.contains("kangqiao.toml:1:1"), "{failure}");
}

#[tokio::test]
async fn a_table_has_both_languages_and_never_a_number() {
    let site = filled().await;
    let by = format!("search --citizen-id {CITIZEN} --master-key @master.key");
    let printed = site.run(&by).unwrap();
    for part in ["部门 department", "拒绝 refusal", "披露 disclosure", "共 3 条 entries"] {
        assert!(printed.contains(part), "{printed}");
    }
    assert!(!printed.contains(CITIZEN));
    let starts: Vec<_> = printed.lines().take(4).map(|line| at(line, "civil")).collect();
    assert!(starts[1..].windows(2).all(|pair| pair[0] == pair[1]), "columns line up");
}

/// The column a text begins in, as a terminal counts.
fn at(line: &str, text: &str) -> Option<usize> {
    line.find(text).map(|at| unicode_width::UnicodeWidthStr::width(&line[..at]))
}

#[tokio::test]
async fn an_export_is_written_once() {
    let site = filled().await;
    let printed = site.run("export --format csv --output @out.csv").unwrap();
    assert!(printed.contains("exported 5"));
    let text = fs::read_to_string(site.path("out.csv")).unwrap();
    assert_eq!(text.lines().count(), 6);
    assert!(site.run("export --format csv --output @out.csv").is_err());
    assert_eq!(site.run("export --format jsonl --kind start").unwrap().lines().count(), 1);
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_fails_a_search() {
    let site = filled().await;
    site.sql("UPDATE ledger SET bytes = x'00' WHERE number = 2");
    for line in ["search --kind start", "search --json", "export --format csv"] {
        let failure = site.run(line).unwrap_err();
        assert_eq!(failure, "entry 2: not a ledger entry; run `kangqiao ledger verify`");
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_said() {
    let site = filled().await;
    let complains = |line: &str, part: &str| {
        let failure = site.run(line).unwrap_err();
        assert!(failure.contains(part), "{failure}");
    };
    complains("search --citizen-id 11010519491231002X", "--master-key");
    let wrong = "search --citizen-id 110105194912310021 --master-key @master.key";
    complains(wrong, "identifier: check character is wrong");
    complains("search --kind gossip", "disclosure, enrolment, erase");
    complains("search --since yesterday", "--since: not a date");
    complains("search --receipt 1", "--receipt: a receipt is 26");
    complains("export --format pdf --output @out", "csv, dicom, fhir, jsonl");
    assert!(!site.path("out").exists());
    complains("verify --public-key @nothing", "public key");
    complains("verify", "--public-key");
    fs::write(site.path("held"), "nonsense").unwrap();
    complains(&format!("{VERIFY} --held @held"), "held checkpoint 1: not a signed checkpoint");
    assert!(Reading::open(&Settings::of(Path::new("/nonexistent"))).is_err());
}

#[tokio::test]
async fn tiles_that_are_missing_or_wrong_are_made_again() {
    let site = Site::new();
    let store = site.open();
    for number in 0..600 {
        append(&store, &entry(Kind::Start, DAY + number, None)).await;
    }
    drop(store);
    let key = || SigningKey::load(&site.path("ledger.key"), "ledger", Signs::Checkpoints).unwrap();
    let opened = || {
        let file = LedgerFile::open(&Settings::of(&site.path("data"))).unwrap();
        file.look(|view| proof::sealer(view, key())).unwrap()
    };
    let names = || -> Vec<_> {
        let missing = opened().unwrap().1;
        missing.iter().map(|tile| (tile.level, tile.number)).collect()
    };
    assert_eq!(names(), []);
    let all = [(0, 0), (1, 0), (0, 1), (1, 0)];
    site.sql("UPDATE tile SET hashes = zeroblob(64) WHERE level = 1");
    assert_eq!(names(), all);
    site.sql("DELETE FROM tile WHERE level = 1");
    assert_eq!(names(), all);
    let file = LedgerFile::open(&Settings::of(&site.path("data"))).unwrap();
    assert!(file.look(|view| proof::bundle(view, 0)).unwrap().is_err());
    assert!(site.run(VERIFY).is_ok(), "tiles are no part of what is verified");
    site.sql("DELETE FROM ledger WHERE number = 599");
    assert!(matches!(opened(), Err(proof::ProofError::Seal(_))));
}

#[tokio::test]
async fn a_seal_goes_on_where_another_left_the_ledger_and_nowhere_else() {
    let site = Site::new();
    let store = site.open();
    let key = || SigningKey::load(&site.path("ledger.key"), "ledger", Signs::Checkpoints).unwrap();
    let of = |key| proof::sealing(Sealer::restore(key, Edge::default(), None).unwrap());
    let file = LedgerFile::open(&Settings::of(&site.path("data"))).unwrap();
    let size = || file.now().size().unwrap();
    let (mut near, mut far, mut lost) = (of(key()), of(key()), of(key()));
    let mut number = 0;
    // By the entries since, by the rows at the edge, over a row's end and at it.
    for until in [3, 255, 256, 300, 600] {
        while size() < until {
            append(&store, &entry(Kind::Start, DAY + number, None)).await;
            number += 1;
            if number % 50 == 0 {
                assert!(near.follow(file.now(), size()), "{number}");
            }
        }
        // What was sealed and never kept is no part of what is followed.
        lost.seal(size() - 1, &[b"never kept"]);
        lost.seal(size(), &[b"never kept"]);
        assert!(lost.follow(file.now(), size()), "{until}");
        let mut fresh = of(key());
        for seal in [&mut near, &mut far, &mut fresh] {
            assert!(seal.follow(file.now(), size()), "{until}");
        }
        let next = fresh.seal(size(), &[b"next"]).unwrap();
        assert_eq!(near.seal(size(), &[b"next"]), Some(next.clone()));
        assert_eq!(lost.seal(size(), &[b"next"]), Some(next));
    }
    let other = site.path("other.key");
    SigningKey::create(&other, "ledger", Signs::Checkpoints).unwrap();
    let other = SigningKey::load(&other, "ledger", Signs::Checkpoints).unwrap();
    assert!(!of(other).follow(file.now(), size()), "another key signed");
    site.sql("UPDATE ledger SET bytes = zeroblob(9) WHERE number = 599");
    assert!(!of(key()).follow(file.now(), size()), "not what was signed");
}

#[tokio::test]
async fn a_proof_is_written_and_checked_by_receipt_and_by_number() {
    let site = filled().await;
    let receipt = entry(Kind::Disclosure, DAY + 2, None).receipt;
    site.run(&format!("prove --receipt {receipt} --output @proof")).unwrap();
    let proof = fs::read_to_string(site.path("proof")).unwrap();
    assert_eq!(site.run("prove --entry 2").unwrap(), proof);
    let said = site.run("check-proof @proof --public-key @ledger.pub").unwrap();
    assert!(said.starts_with("证明成立 proven\n条目编号 entry        2\n"), "{said}");
    assert!(site.run("prove --entry 5").unwrap_err().contains("no such entry"));
    assert!(site.run("prove --entry 2 --output @proof").is_err(), "a file that is there stays");
}

#[tokio::test]
async fn a_disclosure_that_no_record_followed_is_a_doubt_until_one_is_in_the_store() {
    let site = Site::new();
    let store = site.open();
    let keys = Keys::derive(store.root());
    let (policies, mappings) = (folder("policies"), folder("mappings"));
    Packs::policies(&site.path("data")).keep(&policies).unwrap();
    Packs::mappings(&site.path("data")).keep(&mappings).unwrap();
    let person = admit(&store, &keys).await;
    let mut told = entry(Kind::Disclosure, DAY, Some(keys.pseudonym(person)));
    told.department = Department::parse("care-home").ok();
    (told.role, told.purpose) =
        (Role::parse("clerk").ok(), Purpose::parse("institution-admission").ok());
    (told.policy, told.mappings) = (Some(policies.version()), Some(mappings.version()));
    told.elements.insert(Tier::Full, ElementId::parse("MZ.person.deceased").unwrap());
    append(&store, &told).await;
    let doubts = |until: &str| {
        let line = format!("doubts unfollowed --json --config @kangqiao.toml --until {until}");
        site.run(&line).unwrap()
    };
    assert_eq!(doubts("2024-12-02"), "", "sixty days are not over");
    let found = doubts("2024-12-10");
    assert_eq!(found.lines().count(), 1, "{found}");
    assert!(found.contains(&told.receipt.to_string()) && !found.contains(CITIZEN), "{found}");
    let text = site.run("doubts --until 2024-12-10").unwrap();
    assert!(text.contains("没有主密钥") && text.contains("未问 not asked: related"), "{text}");
    arrive(&store, &keys, ("institution-resident", (DAY + 86_400) * 1000)).await;
    assert_eq!(doubts("2024-12-10"), "", "it came");
}

#[tokio::test]
async fn by_policies_nobody_has_kept_nothing_is_looked_for() {
    let site = filled().await;
    let failure = site.run("doubts").unwrap_err();
    assert!(failure.contains("no entry names policies"), "{failure}");
    let store = site.open();
    let mut start = entry(Kind::Start, DAY + 100_000, None);
    (start.policy, start.mappings) = (Some("ab".repeat(8)), Some("cd".repeat(8)));
    append(&store, &start).await;
    let failure = site.run("doubts").unwrap_err();
    assert!(failure.contains("keeps no file"), "{failure}");
}
