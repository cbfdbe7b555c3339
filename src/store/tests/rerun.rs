//! Many messages tried again: rehearsed without a trace, wanted by two, counted where it happens.

use super::*;
use crate::store::rerun::{Draft, Rerun, Stage, Tried};
use crate::store::review::Proposal;
use crate::store::trace::Wanted;

async fn held(store: &Store, ids: &[&str]) -> Vec<u64> {
    let mut numbers = Vec::new();
    for id in ids {
        numbers.push(store.keep(arrival(id, id, quarantine())).await.unwrap().number);
    }
    numbers
}

/// Everything in a file that could differ, one line each; a server is asked for its sums later.
fn dump(folder: &TempDir) -> Vec<String> {
    if settings(folder.path()).postgres.is_some() {
        return Vec::new();
    }
    let connection = sql::sqlite::open_to_read(&file::database(folder.path())).unwrap();
    let texts = |sql: &str| -> Vec<String> {
        let mut select = connection.prepare_cached(sql).unwrap();
        select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let mut lines = Vec::new();
    for table in texts("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name") {
        let columns = texts(&format!("SELECT name FROM pragma_table_info('{table}')"));
        let quoted: Vec<_> = columns.iter().map(|column| format!("quote({column})")).collect();
        let rows = texts(&format!("SELECT {} FROM {table}", quoted.join(" || ' ' || ")));
        lines.extend(rows.into_iter().map(|row| format!("{table}: {row}")));
    }
    lines
}

#[tokio::test]
async fn a_rehearsal_tells_what_would_be_and_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    keep(&store, "one", vec![citizen(1), local(1)]).await;
    keep(&store, "two", vec![citizen(2), local(2)]).await;
    let numbers = held(&store, &["a", "b", "c", "d"]).await;
    let before = dump(&folder);
    let tried = || {
        vec![
            (numbers[0], apply("a", vec![local(1)])),
            // Two citizen ids are two people: the index holds it, whatever the mappings say.
            (numbers[1], merge(vec![local(1)], vec![local(2)])),
            (numbers[2], quarantine()),
            (numbers[3], refuse()),
            (1, apply("kept before", vec![local(1)])),
            (999, quarantine()),
        ]
    };
    let found = store.rehearse(tried(), retrial(Guard::Hold)).await.unwrap();
    let told: Vec<_> = found.iter().map(|one| one.state).collect();
    use State::{Kept, Quarantined, Refused};
    assert_eq!(told, [Kept, Quarantined, Quarantined, Refused]);
    let faults: Vec<_> = found.iter().map(|one| one.reason.as_ref().map(|why| why.fault)).collect();
    let conflict = Some(Fault::IdentityConflict);
    assert_eq!(faults, [None, conflict, Some(Fault::RequiredMissing), Some(Fault::Malformed)]);
    assert_eq!(dump(&folder), before, "a rehearsal left something");
    // The real writer goes on as if nothing had been, and does what was foretold.
    let more = keep(&store, "three", vec![local(3)]).await;
    assert_eq!(more.number, 7);
    for ((number, proposed), foretold) in tried().into_iter().zip(&found) {
        let kept = store.set_outcome(number, proposed, retrial(Guard::Hold)).await.unwrap();
        assert_eq!((kept.state, &kept.reason), (foretold.state, &foretold.reason));
    }
}

fn draft(last: u64) -> Draft {
    Draft {
        wanted: Wanted { fault: Some(Fault::RequiredMissing), ..Wanted::default() },
        last,
        preview: "{}".to_owned(),
        mappings: "test".to_owned(),
        by: "wen".to_owned(),
        at_ms: 6,
    }
}

async fn judge(store: &Store, number: u64, stage: Stage, by: &str) -> Result<Proposal, StoreError> {
    let said = row("said", None, None);
    store.judge_rerun((number, stage), (by.to_owned(), 7), said).await
}

#[tokio::test]
async fn who_proposed_does_not_approve_and_each_word_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let number = store.propose_rerun(draft(9), row("proposed", None, None)).await.unwrap();
    assert!(matches!(judge(&store, 77, Stage::Runs, "wu").await, Err(StoreError::Settled)));
    assert!(matches!(judge(&store, number, Stage::Stopping, "wu").await, Err(StoreError::Settled)));
    assert_eq!(judge(&store, number, Stage::Runs, "wen").await.unwrap(), Proposal::Own);
    assert_eq!(store.rerun_under_way().await.unwrap(), None);
    let entries = store.ledger_size().await.unwrap();
    let done = Proposal::Done(Vec::new());
    assert_eq!(judge(&store, number, Stage::Runs, "wu").await.unwrap(), done);
    assert!(matches!(judge(&store, number, Stage::Runs, "wu").await, Err(StoreError::Settled)));
    assert!(matches!(judge(&store, number, Stage::Declined, "wu").await, Err(StoreError::Settled)));
    assert_eq!(store.ledger_size().await.unwrap(), entries + 1, "what changes nothing is no entry");
    assert_eq!(judge(&store, number, Stage::Stopping, "wen").await.unwrap(), done);
    let stopping = store.rerun_under_way().await.unwrap().unwrap();
    assert_eq!((stopping.stage, stopping.ended_by.as_deref()), (Stage::Stopping, Some("wen")));
    let ended = row("ended", None, None);
    store.end_rerun((number, Stage::Stopped), 8, ended.clone()).await.unwrap();
    let again = store.end_rerun((number, Stage::Done), 9, ended).await;
    assert!(matches!(again, Err(StoreError::Settled)));
    let second = store.propose_rerun(draft(9), row("proposed", None, None)).await.unwrap();
    assert_eq!(judge(&store, second, Stage::Declined, "wen").await.unwrap(), done);
    let told: Vec<_> = store.reruns(9).await.unwrap();
    let told: Vec<_> = told.iter().map(|one| (one.number, one.stage, one.ended_ms)).collect();
    assert_eq!(told, [(second, Stage::Declined, Some(7)), (number, Stage::Stopped, Some(8))]);
}

#[tokio::test]
async fn what_was_tried_is_counted_in_its_commit_and_a_restart_goes_on_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let numbers = held(&store, &["a", "b", "c", "d", "e"]).await;
    let last = numbers[3];
    let rerun = store.propose_rerun(draft(last), row("proposed", None, None)).await.unwrap();
    judge(&store, rerun, Stage::Runs, "wu").await.unwrap();
    let mut of_it = retrial(Guard::Hold);
    of_it.rerun = Some(rerun);
    for (number, proposed) in [(numbers[0], apply("a", vec![local(1)])), (numbers[1], quarantine())]
    {
        store.set_outcome(number, proposed, of_it.clone()).await.unwrap();
    }
    store.pass_in_rerun(rerun, numbers[2]).await.unwrap();
    drop(store);
    let store = open(&folder);
    let Rerun { draft, next, tried, stage, approved_by, .. } =
        store.rerun_under_way().await.unwrap().unwrap();
    assert_eq!((stage, approved_by.as_deref()), (Stage::Runs, Some("wu")));
    assert_eq!(tried, Tried { kept: 1, held: 1, refused: 0, failed: 1 });
    let left = store.held_like(draft.wanted.clone(), (next, draft.last), 9).await.unwrap();
    assert_eq!(left, [last], "none twice, none that came later");
    let all = store.held_like(draft.wanted, (0, u64::MAX), 9).await.unwrap();
    assert_eq!(all, numbers[1..]);
    let other = Wanted { fault: Some(Fault::TableValue), ..Wanted::default() };
    assert!(store.held_like(other, (0, u64::MAX), 9).await.unwrap().is_empty());
}
