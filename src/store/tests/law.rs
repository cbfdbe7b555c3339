//! Laws: sums hold, numbers have no gaps, what was answered is there after a crash.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::*;

/// One thing a sender or an operator may do.
#[derive(Debug, Clone)]
enum Act {
    /// Send message `text` under control id `id`; what becomes of it is by `outcome`.
    Send { id: u8, text: u8, outcome: u8 },
    /// Give message `number` an outcome.
    Settle { number: u8, outcome: u8 },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..6_u8, 0..4_u8, 0..4_u8)
            .prop_map(|(id, text, outcome)| Act::Send { id, text, outcome }),
        1 => (1..20_u8, 0..4_u8).prop_map(|(number, outcome)| Act::Settle { number, outcome }),
    ]
}

/// Outcome 3 names two persons at once, so it ends in quarantine.
fn proposed(outcome: u8, text: u8) -> (Proposed, State) {
    let said = format!("text-{text}");
    match outcome {
        0 => (apply(&said, vec![local(u64::from(text % 2))]), State::Kept),
        1 => (quarantine(), State::Quarantined),
        2 => (refuse(), State::Refused),
        _ => (apply(&said, vec![citizen(1), citizen(2)]), State::Quarantined),
    }
}

/// What the journal must hold: by number, the control id, the text and the state.
type Model = BTreeMap<u64, (u8, u8, State)>;

/// Each is done by the gateway of its number, where there are several.
async fn play(stores: &[Store], acts: &[(u8, Act)]) -> (Model, u64) {
    let (mut model, mut repeats) = (Model::new(), 0);
    for (node, act) in acts {
        let store = &stores[usize::from(*node) % stores.len()];
        match *act {
            Act::Send { id, text, outcome } => {
                let (what, state) = proposed(outcome, text);
                let message = arrival(&id.to_string(), &text.to_string(), what);
                let kept = store.keep(message).await.unwrap();
                let known = model.iter().find(|(_, row)| (row.0, row.1) == (id, text));
                assert_eq!(kept.repeat, known.is_some());
                if let Some((number, row)) = known {
                    assert_eq!((kept.number, kept.state), (*number, row.2));
                    repeats += 1;
                    continue;
                }
                let reused = model.values().any(|row| row.0 == id);
                assert_eq!((kept.control_id_reused, kept.state), (reused, state));
                assert_eq!(kept.number, u64::try_from(model.len()).unwrap() + 1);
                model.insert(kept.number, (id, text, state));
            }
            Act::Settle { number, outcome } => {
                let row = model.get_mut(&u64::from(number));
                let (what, state) = proposed(outcome, row.as_ref().map_or(0, |row| row.1));
                let ended = store.set_outcome(u64::from(number), what, retrial(Guard::Hold)).await;
                match row {
                    Some(row) if row.2 != State::Kept => {
                        row.2 = state;
                        assert_eq!(ended.unwrap().state, state);
                    }
                    Some(_) => assert!(matches!(ended, Err(StoreError::Settled))),
                    None => assert!(matches!(ended, Err(StoreError::Unknown))),
                }
            }
        }
    }
    (model, repeats)
}

async fn agree(store: &Store, model: &Model, repeats: u64) {
    let states =
        |state: State| u64::try_from(model.values().filter(|row| row.2 == state).count()).unwrap();
    let count = store.counts().await.unwrap().first().copied();
    let sums = count.map_or([0; 5], |count| {
        [count.received, count.kept, count.quarantined, count.refused, count.repeated]
    });
    let [kept, quarantined, refused] =
        [State::Kept, State::Quarantined, State::Refused].map(states);
    let received = u64::try_from(model.len()).unwrap();
    assert_eq!(sums, [received, kept, quarantined, refused, repeats]);
    for (number, (id, text, state)) in model {
        let replay = store.replay(*number).await.unwrap().unwrap();
        assert_eq!(replay.state, *state);
        assert_eq!(replay.raw, format!("MSH|{id}|{text}"));
    }
    let known = [State::Quarantined, State::Refused].map(|state| store.held(state, 0, 99));
    for (held, state) in known.into_iter().zip([quarantined, refused]) {
        assert_eq!(u64::try_from(held.await.unwrap().len()).unwrap(), state);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(24), failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn received_is_kept_and_quarantined_and_refused(
        acts in proptest::collection::vec((any::<u8>(), act()), 0..30)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folders = [0; 3].map(|_| tempfile::tempdir().unwrap());
            let stores = open_all(&folders);
            let (model, repeats) = play(&stores, &acts).await;
            for store in stores {
                agree(&store, &model, repeats).await;
            }
            agree(&open(&folders[0]), &model, repeats).await;
        });
    }
}

/// Many senders at once; the answers, by number.
async fn storm(store: &Arc<Store>, tasks: u64, each: u64) -> HashMap<u64, String> {
    let mut senders = Vec::new();
    for task in 0..tasks {
        let store = Arc::clone(store);
        senders.push(tokio::spawn(async move {
            let mut answers = Vec::new();
            for turn in 0..each {
                let text = format!("{task}-{turn}");
                let person = vec![local(task % 7), citizen(task % 7)];
                let kept = keep(&store, &text, person).await;
                let entry = store.append(row(&text, Some("p"), Some("d"))).await.unwrap();
                assert!(!entry.checkpoint.is_empty());
                answers.push((kept.number, text));
            }
            answers
        }));
    }
    let mut answers = HashMap::new();
    for sender in senders {
        answers.extend(sender.await.unwrap());
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_senders_leave_no_gap_and_one_row_each() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(&folder));
    let answers = storm(&store, 64, 4).await;
    let mut numbers: Vec<u64> = answers.keys().copied().collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=256).collect::<Vec<u64>>());
    let entries = store.ledger(0, 1000).await.unwrap();
    assert!(entries.iter().map(|entry| entry.number).eq(0..256));
    for checkpoint in store.checkpoints(0, 1000).await.unwrap() {
        let size = usize::try_from(checkpoint.size).unwrap();
        let covered = entries[..size].iter().map(|entry| &entry.bytes[..]);
        assert_eq!(checkpoint.bytes, head(covered));
    }
    assert_eq!(store.checkpoint().await.unwrap().unwrap().size, 256);
    let persons: Vec<_> = (0..7).map(|number| [citizen(number).token]).collect();
    let mut records = 0;
    for tokens in persons {
        let person = store.person(&tokens).await.unwrap().unwrap();
        records += store.records(person, 1000).await.unwrap().len();
    }
    assert_eq!(records, 256);
}

file_alone! {
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_before_a_crash_is_there_after_it() {
    let folder = tempfile::tempdir().unwrap();
    // No copying of the log between the two copies made below: that is no crash.
    let still = Settings { checkpoint_ms: 3_600_000, ..settings(folder.path()) };
    let store = Arc::new(Store::open(still, &MASTER, chain()).unwrap());
    let before = storm(&store, 8, 8).await;
    store.empty_log().await;
    let more = storm_of(&store, "more").await;
    // Still running: nothing is closed, the log holds the newest.
    let under_way = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { storm_of(&store, "late").await })
    };
    let wreck = wreck(&folder);
    under_way.await.unwrap();

    let found = open(&wreck);
    for (number, text) in before.iter().chain(&more) {
        let replay = found.replay(*number).await.unwrap().unwrap();
        assert_eq!(replay.raw, format!("MSH|{text}|{text}"));
        let again = found.keep(arrival(text, text, refuse())).await.unwrap();
        assert!(again.repeat && again.number == *number && again.state == State::Kept);
    }
    let count = found.counts().await.unwrap()[0];
    assert_eq!(count.received, count.kept + count.quarantined + count.refused);
    let entries = found.ledger(0, 1000).await.unwrap();
    assert!(entries.len() >= before.len() + more.len());
    let newest = found.checkpoint().await.unwrap().unwrap();
    assert_eq!(newest.size, u64::try_from(entries.len()).unwrap(), "never an entry unsigned");
    assert_eq!(newest.bytes, head(entries.iter().map(|entry| &entry.bytes[..])));
}
}

file_alone! {
/// One sender, one message after the other.
async fn storm_of(store: &Arc<Store>, name: &str) -> HashMap<u64, String> {
    let mut answers = HashMap::new();
    for turn in 0..20 {
        let text = format!("{name}-{turn}");
        let kept = keep(store, &text, vec![local(turn % 3)]).await;
        store.append(row(&text, None, None)).await.unwrap();
        answers.insert(kept.number, text);
    }
    answers
}
}
