//! Whether the database holds everything that somebody was told, once, in order, and in one ledger.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::cluster::Cluster;
use super::load::{Known, by_elder};
use crate::notices::in_order;
use crate::rig::message::Resident;
use crate::rig::until;

/// Checkpoints of askers that are held against the ledger, the newest of them.
const HELD: usize = 16;
/// What spoils a database, and what puts it right again: a judge who misses one is none.
pub const SPOILT: &[(&str, &str)] = &[
    (
        "UPDATE journal SET control_id = '-' || control_id WHERE number = 3",
        "UPDATE journal SET control_id = substr(control_id, 2) WHERE number = 3",
    ),
    (
        "UPDATE record SET number = -number WHERE number = 5",
        "UPDATE record SET number = -number WHERE number = -5",
    ),
    (CROSSED, CROSSED),
    (
        "UPDATE ledger SET number = -number WHERE number = 7",
        "UPDATE ledger SET number = -number WHERE number = -7",
    ),
];
/// Two notices, each of which tells of what the other told of.
const CROSSED: &str = "UPDATE outbox SET journal = (SELECT sum(journal) FROM outbox \
    WHERE number IN (2, 3)) - journal WHERE number IN (2, 3)";

/// What is wrong, if anything is.
type Said<T> = Result<T, String>;

fn holds(so: bool, else_say: impl FnOnce() -> String) -> Said<()> {
    if so { Ok(()) } else { Err(else_say()) }
}

/// Compares all of it with what everybody knows; `others` were kept besides. Nothing is under way
/// but notices.
pub fn judge(
    cluster: &Cluster,
    known: &Known,
    (elders, others): (&[Resident], &[String]),
) -> Said<()> {
    let numbers = journal(cluster, known, others)?;
    let told = notices(cluster, known, (elders, &numbers))?;
    ledger(cluster, known, &told)
}

/// Rows of the server, fields apart.
fn rows(cluster: &Cluster, statement: &str) -> Vec<Vec<String>> {
    let said = cluster.server.run(statement);
    said.lines().map(|line| line.split('|').map(str::to_owned).collect()).collect()
}

/// Every acknowledged message is there once, with its record, under a number of its own without
/// gaps; the sums are those of the rows; each elder's are in order. Control ids with their numbers.
fn journal(cluster: &Cluster, known: &Known, others: &[String]) -> Said<HashMap<String, u64>> {
    let mut numbers = HashMap::new();
    let found = rows(
        cluster,
        "SELECT j.control_id, j.number, j.state, r.number IS NOT NULL FROM journal j \
         LEFT JOIN record r ON r.number = j.number ORDER BY j.number",
    );
    for (place, row) in (1..).zip(&found) {
        let number: u64 = row[1].parse().unwrap();
        holds(number == place, || format!("the journal has no {place}"))?;
        let state = (&*row[2], &*row[3]);
        holds(state == ("0", "t"), || format!("{}: not applied, or no record", row[0]))?;
        // Those of other forms have numbers that the gateway made.
        if row[0].starts_with('C') {
            let before = numbers.insert(row[0].clone(), number);
            holds(before.is_none(), || format!("{} is there twice", row[0]))?;
        }
    }
    let sums = "SELECT sum(received), sum(kept), sum(quarantined) + sum(refused) FROM count";
    let (sums, count) = (rows(cluster, sums), found.len().to_string());
    holds(sums == [[&*count, &*count, "0"]], || format!("{sums:?} counted, {count} there"))?;
    let kept = known.kept.lock().unwrap();
    let wanted: HashSet<&String> = kept.iter().map(|one| &one.control).chain(others).collect();
    for control in &wanted {
        let there = numbers.contains_key(*control);
        holds(there, || format!("{control} was acknowledged and is lost"))?;
    }
    holds(numbers.len() == wanted.len(), || "there is one that nobody sent".to_owned())?;
    for (elder, controls) in by_elder(&kept) {
        let order: Vec<u64> = controls.iter().map(|control| numbers[*control]).collect();
        holds(order.is_sorted(), || format!("elder {elder}: records out of order"))?;
    }
    Ok(numbers)
}

/// Every message about an enrolled elder was told, under one id, in the order of the messages;
/// the receipts of all that came.
fn notices(
    cluster: &Cluster,
    known: &Known,
    (elders, numbers): (&[Resident], &HashMap<String, u64>),
) -> Said<Vec<String>> {
    until("no notice waits", || {
        let waits = cluster.server.run("SELECT count(*) FROM outbox WHERE state = 0");
        (waits == "0").then_some(())
    });
    let ended = rows(cluster, "SELECT journal, number, state FROM outbox ORDER BY number");
    let mut of_message: BTreeMap<u64, u64> = BTreeMap::new();
    for row in ended {
        holds(row[2] == "1", || format!("notice {} was given up", row[1]))?;
        let before = of_message.insert(row[0].parse().unwrap(), row[1].parse().unwrap());
        holds(before.is_none(), || "two notices tell of one message".to_owned())?;
    }
    let told = in_order(&cluster.receiver.taken());
    for (elder, controls) in by_elder(&known.kept.lock().unwrap()) {
        let wanted: Vec<_> = controls.iter().map(|one| of_message.get(&numbers[*one])).collect();
        let found = told.get(&elders[elder].local).into_iter().flatten();
        let found: Vec<_> = found.map(Some).collect();
        holds(found == wanted, || format!("elder {elder}: told {found:?}, happened {wanted:?}"))?;
    }
    let came = cluster.receiver.came();
    Ok(came.iter().map(|came| came.notice["receipt"].as_str().unwrap().to_owned()).collect())
}

/// The ledger is one tree without gaps that holds the states its askers have, and an entry for
/// everything that left.
fn ledger(cluster: &Cluster, known: &Known, told: &[String]) -> Said<()> {
    let node = &cluster.nodes[0];
    let answers = known.answers.lock().unwrap();
    let newest: Vec<_> = answers.iter().rev().take(HELD).map(|one| &one.checkpoint[..]).collect();
    std::fs::write(node.path().join("held"), newest.concat()).unwrap();
    let (verified, text) = node.order(&["ledger", "verify", "--held", "held"]);
    holds(verified && text.contains("ledger verified"), || text)?;
    let mut entries: HashMap<String, usize> = HashMap::new();
    for line in node.ledger(&["export", "--format", "jsonl"]).lines() {
        let found: Value = serde_json::from_str(line).unwrap();
        let receipt = found["entry"]["receipt"].as_str().unwrap().to_owned();
        *entries.entry(receipt).or_default() += 1;
    }
    for receipt in answers.iter().map(|answer| &answer.receipt).chain(told) {
        let count = entries.get(receipt).copied().unwrap_or(0);
        holds(count == 1, || format!("{receipt} left, and has {count} entries"))?;
    }
    let Some(last) = answers.last() else { return Ok(()) };
    let found = node.ledger(&["search", "--receipt", &last.receipt, "--json"]);
    holds(found.contains(&last.receipt), || "a receipt leads nowhere".to_owned())
}
