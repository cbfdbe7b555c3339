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

/// Compares all of it with what everybody knows; `others` were kept besides. Nothing is under way
/// but notices.
pub fn judge(cluster: &Cluster, known: &Known, (elders, others): (&[Resident], &[String])) {
    let numbers = journal(cluster, known, others);
    let told = notices(cluster, known, (elders, &numbers));
    ledger(cluster, known, &told);
}

/// Rows of the server, fields apart.
fn rows(cluster: &Cluster, statement: &str) -> Vec<Vec<String>> {
    let said = cluster.server.run(statement);
    said.lines().map(|line| line.split('|').map(str::to_owned).collect()).collect()
}

/// Every acknowledged message is there once, with its record, under a number of its own without
/// gaps; the sums are those of the rows; each elder's are in order. Control ids with their numbers.
fn journal(cluster: &Cluster, known: &Known, others: &[String]) -> HashMap<String, u64> {
    let mut numbers = HashMap::new();
    let found = rows(
        cluster,
        "SELECT j.control_id, j.number, j.state, r.number IS NOT NULL FROM journal j \
         LEFT JOIN record r ON r.number = j.number ORDER BY j.number",
    );
    for (place, row) in (1..).zip(&found) {
        let number: u64 = row[1].parse().unwrap();
        assert_eq!(number, place, "the journal has a gap");
        assert_eq!((&*row[2], &*row[3]), ("0", "t"), "{}: not applied, or no record", row[0]);
        if row[0].starts_with('C') {
            let before = numbers.insert(row[0].clone(), number);
            assert!(before.is_none(), "{} is there twice", row[0]);
        }
    }
    let sums = "SELECT sum(received), sum(kept), sum(quarantined) + sum(refused) FROM count";
    let count = found.len().to_string();
    assert_eq!(rows(cluster, sums), [[count.clone(), count, "0".to_owned()]], "sums and rows");
    let kept = known.kept.lock().unwrap();
    let wanted = kept.iter().map(|one| &one.control).chain(others);
    let wanted: HashSet<&String> = wanted.collect();
    for control in &wanted {
        assert!(numbers.contains_key(*control), "{control} was acknowledged and is lost");
    }
    assert_eq!(numbers.len(), wanted.len(), "there is one that nobody sent");
    for (elder, controls) in by_elder(&kept) {
        let order: Vec<u64> = controls.iter().map(|control| numbers[*control]).collect();
        assert!(order.is_sorted(), "elder {elder}: out of order");
    }
    numbers
}

/// Every message about an enrolled elder was told, under one id, in the order of the messages;
/// the receipts of all that came.
fn notices(
    cluster: &Cluster,
    known: &Known,
    (elders, numbers): (&[Resident], &HashMap<String, u64>),
) -> Vec<String> {
    until("no notice waits", || {
        let waits = cluster.server.run("SELECT count(*) FROM outbox WHERE state = 0");
        (waits == "0").then_some(())
    });
    let ended = rows(cluster, "SELECT journal, number, state FROM outbox ORDER BY number");
    let mut of_message: BTreeMap<u64, u64> = BTreeMap::new();
    for row in ended {
        assert_eq!(row[2], "1", "a notice was given up");
        let before = of_message.insert(row[0].parse().unwrap(), row[1].parse().unwrap());
        assert!(before.is_none(), "two notices tell of one message");
    }
    let came = cluster.receiver.came();
    let told = in_order(&cluster.receiver.taken());
    for (elder, controls) in by_elder(&known.kept.lock().unwrap()) {
        let wanted: Vec<_> = controls.iter().map(|one| of_message.get(&numbers[*one])).collect();
        let found: Vec<_> =
            told.get(&elders[elder].local).into_iter().flatten().map(Some).collect();
        assert_eq!(found, wanted, "elder {elder}: what was told is not what happened");
    }
    came.iter().map(|came| came.notice["receipt"].as_str().unwrap().to_owned()).collect()
}

/// The ledger is one tree without gaps that holds the states its askers have, and an entry for
/// everything that left.
fn ledger(cluster: &Cluster, known: &Known, told: &[String]) {
    let node = &cluster.nodes[0];
    let held = node.path().join("held");
    let answers = known.answers.lock().unwrap();
    let newest: Vec<_> = answers.iter().rev().take(HELD).map(|one| &one.checkpoint[..]).collect();
    std::fs::write(&held, newest.concat()).unwrap();
    let verified = node.ledger(&["verify", "--held", "held"]);
    assert!(verified.contains("ledger verified"), "{verified}");
    let mut entries: HashMap<String, usize> = HashMap::new();
    let exported = node.ledger(&["export", "--format", "jsonl"]);
    for line in exported.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        if let Some(receipt) = entry["entry"]["receipt"].as_str() {
            *entries.entry(receipt.to_owned()).or_default() += 1;
        }
    }
    for receipt in answers.iter().map(|answer| &answer.receipt).chain(told) {
        let count = entries.get(receipt).copied().unwrap_or(0);
        assert_eq!(count, 1, "{receipt} left, and has {count} entries");
    }
    if let Some(last) = answers.last() {
        let found = node.ledger(&["search", "--receipt", &last.receipt, "--json"]);
        assert!(found.contains(&last.receipt), "a receipt leads nowhere: {found}");
    }
}
