//! Whether a disk holds everything that somebody was told it holds, once and in order.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use kangqiao::audit::{Checkpoint, Kept, SigningKey, Signs, VerifyingKey, verify};
use kangqiao::config::{Config, keys};
use kangqiao::flow::proof;
use kangqiao::store::{LedgerFile, Store};
use rusqlite::Connection;

use super::load::{Seen, Sort, What};

/// Checkpoints of others that are held against one image, the newest of them.
const HELD: usize = 8;

/// What somebody knows, in the order in which he came to know it.
pub struct Judge {
    seen: Vec<Seen>,
    sent: HashMap<String, Vec<u8>>,
}

/// What is wrong, if anything is.
pub type Said<T> = Result<T, String>;

/// Where, and why.
pub fn wrong(what: &str, why: impl std::fmt::Display) -> String {
    format!("{what}: {why}")
}

impl Judge {
    /// One who knows all this.
    pub fn new(mut seen: Vec<Seen>, sent: HashMap<String, Vec<u8>>) -> Self {
        seen.sort_by_key(|seen| seen.at);
        Self { seen, sent }
    }

    /// Every message that was sent, acknowledged or not, by its control id.
    pub const fn sent(&self) -> &HashMap<String, Vec<u8>> {
        &self.sent
    }

    /// What was known at a moment of the record.
    pub fn known_at(&self, moment: u64) -> &[Seen] {
        &self.seen[..self.seen.partition_point(|seen| seen.at <= moment)]
    }

    /// Opens the store of a folder as a start does, and compares it with what was known at a
    /// moment; the error says what is lost, doubled, or out of order.
    pub fn judge(&self, folder: &Path, moment: u64) -> Said<()> {
        let config = Config::load(&folder.join("kangqiao.toml")).unwrap();
        let seen = self.known_at(moment);
        let key = started(&config)?;
        let path = config.store.folder.join("kangqiao.db");
        let rows = Connection::open(path).map_err(|error| wrong("database", error))?;
        let sound = |what: &str, error| wrong(what, error);
        whole(&rows).map_err(|error| sound("integrity", error))??;
        let journal = self.journal(&rows, seen).map_err(|error| sound("journal", error))??;
        outbox(&rows, seen, &journal).map_err(|error| sound("outbox", error))??;
        ledger(&rows, seen, &key).map_err(|error| sound("ledger", error))?
    }

    /// Every acknowledged message is there once, nothing is there that nobody sent, and the sums
    /// are those of the rows; control ids with their numbers.
    fn journal(&self, rows: &Connection, seen: &[Seen]) -> Sql<HashMap<String, i64>> {
        let (mut journal, mut sums) = (HashMap::new(), [0_i64; 4]);
        let mut select = rows.prepare("SELECT control_id, number, state FROM journal")?;
        let mut found = select.query([])?;
        while let Some(row) = found.next()? {
            let (control, number): (String, i64) = (row.get(0)?, row.get(1)?);
            let state: u32 = row.get(2)?;
            if !self.sent.contains_key(&control) {
                return Ok(Err(format!("journal: {control} was never sent")));
            }
            if journal.insert(control.clone(), number).is_some() {
                return Ok(Err(format!("journal: {control} is there twice")));
            }
            sums[0] += 1;
            sums[1 + state as usize] += 1;
        }
        let sql = "SELECT coalesce(sum(received), 0), coalesce(sum(kept), 0), \
                   coalesce(sum(quarantined), 0), coalesce(sum(refused), 0) FROM count";
        let counted: [i64; 4] = rows
            .query_row(sql, [], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))?;
        if counted != sums {
            return Ok(Err(format!("counts: {counted:?} are counted, {sums:?} are there")));
        }
        let mut records = rows.prepare("SELECT 1 FROM record WHERE number = ?1")?;
        let mut last: BTreeMap<usize, i64> = BTreeMap::new();
        for Seen { what, .. } in seen {
            let What::Acknowledged { control, of } = what else { continue };
            let Some(number) = journal.get(control).copied() else {
                return Ok(Err(format!("journal: {control} was acknowledged and is lost")));
            };
            if *of != Sort::Merge && !records.exists([number])? {
                return Ok(Err(format!("record: that of {control} is lost")));
            }
            if let Sort::Enrolled(elder) = of
                && last.insert(*elder, number).is_some_and(|before| before > number)
            {
                return Ok(Err(format!("journal: {control} is out of order")));
            }
        }
        Ok(Ok(journal))
    }
}

/// What the database may refuse, and what is wrong with what it holds.
type Sql<T> = rusqlite::Result<Said<T>>;

/// Does what a start does, up to its doors; the key the ledger is signed by.
fn started(config: &Config) -> Said<VerifyingKey> {
    let at = &config.store;
    let known = LedgerFile::exists(at).map_err(|error| wrong("ledger file", error))?;
    if known && !config.ledger.key.exists() {
        return Err("the ledger's key is lost".to_owned());
    }
    let master = keys::of_store(&config.master_key, at);
    let master = master.map_err(|error| wrong("master key", error))?;
    let Config { ledger, .. } = config;
    let signing = SigningKey::load_or_create(&ledger.key, &ledger.name, Signs::Checkpoints);
    let signing = signing.map_err(|error| wrong("ledger key", error))?;
    let key = signing.public().clone();
    let sealer = match known {
        true => {
            let file = LedgerFile::open(at).map_err(|error| wrong("ledger file", error))?;
            let sealer = file.look(|view| proof::sealer(view, signing));
            let sealer = sealer.map_err(|error| wrong("ledger file", error))?;
            sealer.map_err(|error| wrong("sealer", error))?.0
        }
        false => kangqiao::audit::Sealer::restore(signing, Default::default(), None).unwrap(),
    };
    let store = Store::open(config.store.clone(), &master.key, proof::sealing(sealer));
    store.map_err(|error| wrong("store", error)).map(|_| key)
}

fn whole(rows: &Connection) -> Sql<()> {
    let said: String = rows.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    Ok(if said == "ok" { Ok(()) } else { Err(wrong("database", said)) })
}

/// Every message about an elder somebody is told of has its notice, in the order of the messages;
/// a notice that was told has ended, or leaves again under the same number.
fn outbox(rows: &Connection, seen: &[Seen], journal: &HashMap<String, i64>) -> Sql<()> {
    let sql = "SELECT count(*) FROM outbox AS a JOIN outbox AS b ON a.lane = b.lane \
               AND a.number < b.number AND a.journal > b.journal";
    if rows.query_row(sql, [], |row| row.get::<_, i64>(0))? > 0 {
        return Ok(Err("outbox: the notices of a lane are out of order".to_owned()));
    }
    let mut of = rows.prepare("SELECT count(*) FROM outbox WHERE journal = ?1")?;
    let mut one = rows.prepare("SELECT state FROM outbox WHERE number = ?1")?;
    for Seen { what, .. } in seen {
        match what {
            What::Acknowledged { control, of: Sort::Enrolled(_) } => {
                let count: i64 = of.query_row([journal[control]], |row| row.get(0))?;
                if count != 1 {
                    return Ok(Err(format!("outbox: {count} notices tell of {control}")));
                }
            }
            What::Told { id, .. } => {
                let number = id.rsplit('-').next().unwrap();
                let state: Result<i64, _> = one.query_row([number], |row| row.get(0));
                if !matches!(state, Ok(0 | 1)) {
                    return Ok(Err(format!("outbox: {id} was told and is {state:?}")));
                }
            }
            _ => (),
        }
    }
    Ok(Ok(()))
}

/// The ledger is whole, is none of an earlier day, and has the entry of everything that left.
fn ledger(rows: &Connection, seen: &[Seen], key: &VerifyingKey) -> rusqlite::Result<Said<()>> {
    let mut select = rows.prepare("SELECT number, bytes FROM ledger ORDER BY number")?;
    let entries = select.query_map([], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    let entries: Vec<(i64, Vec<u8>)> = entries.collect::<Result<_, _>>()?;
    let mut select = rows.prepare("SELECT bytes FROM checkpoint ORDER BY size")?;
    let checkpoints = select.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    let checkpoints: Vec<_> = checkpoints.collect::<Result<_, _>>()?;
    let mut receipts: HashMap<String, usize> = HashMap::new();
    for (_, bytes) in &entries {
        let entry: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
        if let Some(receipt) = entry["receipt"].as_str() {
            *receipts.entry(receipt.to_owned()).or_default() += 1;
        }
    }
    let mut held = Vec::new();
    for Seen { what, .. } in seen {
        let receipt = match what {
            What::Answered { receipt, checkpoint } => {
                held.push(checkpoint);
                receipt
            }
            What::Told { receipt, .. } => receipt,
            What::Acknowledged { .. } => continue,
        };
        let count = receipts.get(receipt).copied().unwrap_or(0);
        if count != 1 {
            return Ok(Err(format!("ledger: {receipt} left, and has {count} entries")));
        }
    }
    let newest = held.iter().rev().take(HELD);
    let held: Vec<_> = newest.map(|note| Checkpoint::open(note, key).unwrap()).collect();
    let entries = entries.into_iter().map(|(n, bytes)| (n.cast_unsigned(), Kept::Bytes(bytes)));
    Ok(verify(key, entries, checkpoints, &held).map(drop).map_err(|error| wrong("ledger", error)))
}
