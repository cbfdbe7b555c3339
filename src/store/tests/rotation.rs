//! The key of the tokens and keys at rest rotate: nothing that is served, said or found changes.

use proptest::prelude::*;

use super::identity::{LI, LI_B, crowd, persons, tell, words};
use super::rekey::{self, try_open};
use super::*;
use crate::store::generation::Generations;
use crate::store::rotation::in_force;

/// Says that a generation has ended.
fn ended() -> LedgerRow {
    row("ended", None, None)
}

/// Everything by which somebody could see a difference.
async fn seen(store: &Store) -> impl PartialEq + std::fmt::Debug {
    let numbers = crowd().into_iter().map(|entry| entry.number);
    let queue = store.reviews(crate::flow::identity::FIRST, 99).await.unwrap();
    let queue: Vec<_> = queue
        .into_iter()
        .map(|review| (review.pair, review.rule, review.weight.to_bits()))
        .collect();
    let mut known = Vec::new();
    for entry in crowd() {
        let (mut found, tokens) = store.known_as(local(entry.number).token).await.unwrap();
        found.sort_unstable();
        let mut records = Vec::new();
        for person in &found {
            records.push(store.records(*person, 9).await.unwrap());
        }
        let records = format!("{records:?}");
        known.push((
            found,
            records,
            tokens.into_iter().map(|token| *token.as_bytes()).collect::<Vec<_>>(),
        ));
    }
    let reader = raw(store);
    let rows = |sql: &str| -> Vec<(i64, i64, i64, f64)> {
        let mut select = reader.prepare_cached(sql).unwrap();
        let read = |row: &sql::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
        select.query_map([], read).unwrap().collect::<sql::Result<_>>().unwrap()
    };
    let pairs = rows("SELECT one, other, verdict, weight FROM pair ORDER BY one, other");
    let said = rows("SELECT event, one, other, same + 0.0 FROM assertion ORDER BY event");
    let sample = |reader: &_, by: &_| review::sample(reader, by, 1_000);
    let traits = in_force(&reader, &store.keys, sample).unwrap();
    let traits: Vec<_> = traits.iter().map(|traits| traits.to_bytes()).collect();
    (persons(store, numbers).await, queue, known, (pairs, said, traits))
}

/// A token as it stands under the generation in force.
fn cover(store: &Store, token: Token) -> [u8; 32] {
    let reader = raw(store);
    Generations::read(&reader, &store.keys).unwrap().current.cover(&token)
}

async fn finish(store: &Store) {
    while store.rotation().await.unwrap().ending.is_some() {
        store.move_on(3, ended()).await.unwrap();
    }
    while store.rekeying().await.unwrap().under_way() {
        store.rekey(3, rekey::ended()).await.unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 8, failure_persistence: None, ..ProptestConfig::default()
    })]

    /// Entries arrive, words are said, and in between keys rotate, steps of it are done, and
    /// the process is killed; or none of that. It is the same to everybody.
    #[test]
    fn a_rotation_changes_nothing_that_can_be_seen(
        acts in proptest::collection::vec((0..10_u8, 1..6_usize), 20),
        order in Just(crowd()).prop_shuffle(),
        said in proptest::collection::vec((1..13_i64, 1..13_i64, any::<bool>()), 3),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let plain = tempfile::tempdir().unwrap();
            let mut folder = tempfile::tempdir().unwrap();
            // Two with one root secret, so that they can be compared.
            [&plain, &folder].into_iter().for_each(before_rotations);
            let (plain, mut store, mut master) = (open(&plain), open(&folder), MASTER);
            for (at, (entry, (act, moved))) in order.iter().zip(&acts).enumerate() {
                for store in [&plain, &store] {
                    tell(store, &entry.number.to_string(), *entry, None).await;
                    if at >= 17 && let Some((a, b, same)) = said.get(at - 17).filter(|w| w.0 != w.1)
                    {
                        store.say(words((*a, *b), *same, "x")).await.unwrap();
                    }
                }
                match act {
                    0 | 1 => {
                        let under_way = store.rotation().await.unwrap().ending.is_some();
                        assert_eq!(store.rotate(5).await.is_err(), under_way);
                    }
                    2..=5 => {
                        store.move_on(*moved, ended()).await.unwrap();
                        store.rekey(*moved, rekey::ended()).await.unwrap();
                    }
                    6 => {
                        let after = wreck(&folder);
                        drop(store);
                        folder = after;
                        store = try_open(&folder, &master).unwrap();
                    }
                    8 => {
                        let under_way = store.rekeying().await.unwrap().persons_ending;
                        assert_eq!(store.rotate_persons().await.is_err(), under_way);
                    }
                    9 => {
                        let under_way = store.rekeying().await.unwrap().ending.is_some();
                        let next = master.map(|byte| byte + 1);
                        assert_eq!(store.rotate_master(&next, 5).await.is_err(), under_way);
                        master = if under_way { master } else { next };
                    }
                    _ => (),
                }
                if at % 5 == 4 {
                    assert_eq!(seen(&store).await, seen(&plain).await);
                }
            }
            finish(&store).await;
            assert_eq!(seen(&store).await, seen(&plain).await);
        });
    }
}

#[tokio::test]
async fn an_ended_generation_leaves_nothing_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    tell(&store, "a", LI, None).await;
    let mark = |store: &Store| {
        let reader = raw(store);
        let sql = "SELECT mark FROM person WHERE id = 1";
        reader.query_row(sql, [], |row| row.get::<i64>(0)).unwrap()
    };
    let (token, first) = (local(LI.number).token, mark(&store));
    store.empty_log().await;
    assert!(
        holds(&bytes_on_disk(folder.path()), token.as_bytes()),
        "the first has no key of its own"
    );
    let mut covered = Vec::new();
    for generation in [2, 3] {
        assert_eq!(store.rotate(5).await.unwrap().generation, generation);
        assert!(matches!(store.rotate(5).await, Err(StoreError::Conflict)), "one after the other");
        let before = store.rotation().await.unwrap();
        assert_eq!((before.ending, before.entries_left), (Some(generation - 1), 1));
        finish(&store).await;
        covered.push(cover(&store, token));
        let after = store.rotation().await.unwrap();
        assert_eq!((after.generation, after.ending, after.entries_left), (generation, None, 0));
        assert_eq!(store.person(&[token]).await.unwrap(), Some(PersonId(1)));
        assert_ne!(mark(&store), first);
    }
    assert!(store.empty_log().await);
    let bytes = bytes_on_disk(folder.path());
    assert!(!holds(&bytes, token.as_bytes()));
    assert_eq!(covered.iter().map(|token| holds(&bytes, token)).collect::<Vec<_>>(), [false, true]);
    let words: Vec<_> = store.ledger(0, 9).await.unwrap().into_iter().map(|e| e.bytes).collect();
    assert_eq!(words, [b"ended", b"ended"]);
    let joined = tell(&store, "b", LI_B, None).await;
    assert_eq!(joined.persons[0], PersonId(1), "and who comes now is found to be her");
}
