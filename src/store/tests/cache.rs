//! The look-up cache. Loads are held back by channels, so every order is exact.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::oneshot;

use super::super::cache::{Cache, Fetched, Key, Records, Settings};
use super::on_a_file::open;
use super::{keep, local, record, source};
use crate::identity::{PersonId, Subject};
use crate::vocabulary::{Department, Freshness, Value};

const PERSON: Subject = Subject::Person(PersonId(1));

const DESK: Department = Department::fixed("hotline");

fn key() -> Key {
    (DESK, source("registry"), PERSON)
}

fn cache() -> Cache {
    let settings = Settings {
        seconds: 100,
        sources: [(source("slow"), 1000)].into(),
        failed_ms: 1000,
        stale_seconds_max: 500,
        bytes_max: 1 << 20,
    };
    Cache::new(settings)
}

/// What the one record of an answer says, with the answer's state.
fn told(fetched: &Fetched) -> (Freshness, String) {
    let values = fetched.records.iter().flat_map(|(record, _)| record.fields());
    let text = values.map(|field| match &field.value {
        Value::Text(text) => text.as_str(),
        _ => "",
    });
    (fetched.state, text.collect())
}

/// An upstream that answers at once, and counts.
struct Upstream(Mutex<Result<String, ()>>, AtomicU64);

impl Upstream {
    fn says(&self, answer: Result<&str, ()>) {
        *self.0.lock().unwrap() = answer.map(str::to_owned);
    }

    async fn load(&self) -> Result<Records, ()> {
        self.1.fetch_add(1, Ordering::SeqCst);
        let answer = self.0.lock().unwrap().clone()?;
        Ok(if answer.is_empty() { Vec::new() } else { vec![(record(&answer), 0)] })
    }

    fn loads(&self) -> u64 {
        self.1.load(Ordering::SeqCst)
    }
}

fn upstream() -> Upstream {
    Upstream(Mutex::new(Ok("one".to_owned())), AtomicU64::new(0))
}

#[tokio::test]
async fn an_answer_is_good_for_the_time_its_source_has() {
    let (cache, upstream) = (cache(), upstream());
    for (key, lives_ms) in [(key(), 100_000), ((DESK, source("slow"), PERSON), 1_000_000)] {
        let before = upstream.loads();
        for (now, state, loads) in [
            (0, Freshness::Fresh, 1),
            (lives_ms - 1, Freshness::Cached, 1),
            (lives_ms, Freshness::Fresh, 2),
            (2 * lives_ms - 1, Freshness::Cached, 2),
        ] {
            let fetched = cache.get(key, now, || upstream.load()).await;
            assert_eq!(told(&fetched), (state, "one".to_owned()));
            assert_eq!(upstream.loads() - before, loads);
        }
    }
}

#[tokio::test]
async fn that_nobody_is_known_is_good_as_long_as_what_is() {
    let (cache, upstream) = (cache(), upstream());
    upstream.says(Ok(""));
    for (now, loads) in [(0, 1), (99_999, 1), (100_000, 2)] {
        let fetched = cache.get(key(), now, || upstream.load()).await;
        assert!(fetched.records.is_empty() && fetched.as_of_ms.is_some());
        assert_eq!(upstream.loads(), loads);
    }
}

#[tokio::test]
async fn a_source_that_fails_is_stood_in_for_by_the_last_good_copy() {
    let (cache, upstream) = (cache(), upstream());
    cache.get(key(), 0, || upstream.load()).await;
    upstream.says(Err(()));
    for (now, state, loads) in [
        (99_999, Freshness::Cached, 1),
        (100_000, Freshness::Stale, 2),
        (100_999, Freshness::Stale, 2),
        (101_000, Freshness::Stale, 3),
        (499_999, Freshness::Stale, 4),
        (500_000, Freshness::Unavailable, 4),
        (600_000, Freshness::Unavailable, 5),
    ] {
        let fetched = cache.get(key(), now, || upstream.load()).await;
        assert_eq!((fetched.state, upstream.loads()), (state, loads), "at {now}");
        let age_known = state != Freshness::Unavailable;
        assert_eq!(fetched.as_of_ms, age_known.then_some(0));
        assert_eq!(fetched.records.is_empty(), !age_known);
    }
    upstream.says(Ok("two"));
    let fetched = cache.get(key(), 700_000, || upstream.load()).await;
    assert_eq!(told(&fetched), (Freshness::Fresh, "two".to_owned()));
}

#[tokio::test]
async fn a_source_that_never_answered_is_unavailable() {
    let (cache, upstream) = (cache(), upstream());
    upstream.says(Err(()));
    for (now, loads) in [(0, 1), (999, 1), (1000, 2)] {
        let fetched = cache.get(key(), now, || upstream.load()).await;
        assert_eq!((fetched.state, upstream.loads()), (Freshness::Unavailable, loads));
    }
}

#[tokio::test]
async fn what_was_invalidated_is_no_stand_in() {
    let (cache, upstream) = (cache(), upstream());
    cache.get(key(), 0, || upstream.load()).await;
    cache.invalidate(PERSON);
    upstream.says(Err(()));
    let fetched = cache.get(key(), 1, || upstream.load()).await;
    assert_eq!((fetched.state, fetched.records.len()), (Freshness::Unavailable, 0));
    cache.invalidate(PERSON);
    upstream.says(Ok("two"));
    let fetched = cache.get(key(), 2, || upstream.load()).await;
    assert_eq!(told(&fetched), (Freshness::Fresh, "two".to_owned()), "nor is the failure kept");
}

#[tokio::test]
async fn an_invalidation_reaches_its_person_and_all_reach_all() {
    let (cache, upstream) = (cache(), upstream());
    let other = (DESK, source("registry"), Subject::Person(PersonId(2)));
    for key in [key(), other] {
        cache.get(key, 0, || upstream.load()).await;
    }
    cache.invalidate(PERSON);
    assert_eq!(cache.get(other, 1, || upstream.load()).await.state, Freshness::Cached);
    assert_eq!(cache.get(key(), 1, || upstream.load()).await.state, Freshness::Fresh);
    cache.invalidate_all();
    for key in [key(), other] {
        assert_eq!(cache.get(key, 2, || upstream.load()).await.state, Freshness::Fresh);
    }
}

/// An upstream whose every load says that it began and waits for its answer.
struct Gate(tokio::sync::mpsc::UnboundedSender<oneshot::Sender<&'static str>>);

impl Gate {
    async fn load(&self) -> Result<Records, ()> {
        let (answer, waits) = oneshot::channel();
        self.0.send(answer).map_err(|_| ())?;
        Ok(vec![(record(waits.await.map_err(|_| ())?), 0)])
    }
}

#[tokio::test]
async fn an_invalidation_during_a_load_is_never_lost() {
    let (begun, mut loads) = tokio::sync::mpsc::unbounded_channel();
    let (cache, gate) = (cache(), Gate(begun));
    let ask = async { cache.get(key(), 0, || gate.load()).await };
    let change = async {
        let first = loads.recv().await.unwrap();
        cache.invalidate(PERSON);
        first.send("old").unwrap();
        // Without the generation there would be no second load.
        loads.recv().await.unwrap().send("new").unwrap();
    };
    let (fetched, ()) = tokio::join!(ask, change);
    assert_eq!(told(&fetched), (Freshness::Fresh, "new".to_owned()));
    let fetched = cache.get(key(), 1, || gate.load()).await;
    assert_eq!(told(&fetched), (Freshness::Cached, "new".to_owned()));
}

#[tokio::test]
async fn who_joins_a_load_after_an_invalidation_does_not_get_what_it_brings() {
    let (begun, mut loads) = tokio::sync::mpsc::unbounded_channel();
    let (cache, gate) = (cache(), Gate(begun));
    let early = cache.get(key(), 0, || gate.load());
    let late = async {
        let first = loads.recv().await.unwrap();
        cache.invalidate(PERSON);
        let joined = cache.get(key(), 1, || gate.load());
        let answers = async {
            first.send("old").unwrap();
            loads.recv().await.unwrap().send("new").unwrap();
        };
        tokio::join!(joined, answers).0
    };
    let (early, late) = tokio::join!(early, late);
    assert_eq!((told(&early).1, told(&late).1), ("new".to_owned(), "new".to_owned()));
    assert!(loads.try_recv().is_err(), "two loads, not three");
}

#[tokio::test]
async fn a_person_who_changes_all_the_time_is_still_answered() {
    let (cache, upstream) = (cache(), upstream());
    let load = || async {
        let loaded = upstream.load().await;
        cache.invalidate(PERSON);
        loaded
    };
    let fetched = cache.get(key(), 0, load).await;
    assert_eq!(told(&fetched), (Freshness::Fresh, "one".to_owned()));
    assert_eq!(upstream.loads(), 4, "bounded");
}

#[tokio::test]
async fn a_thousand_askers_make_one_load() {
    let (begun, mut loads) = tokio::sync::mpsc::unbounded_channel();
    let (cache, gate) = (cache(), Gate(begun));
    let askers = (0..1000).map(|_| cache.get(key(), 0, || gate.load()));
    let answer = async { loads.recv().await.unwrap().send("one").unwrap() };
    let (fetched, ()) = tokio::join!(futures_util::future::join_all(askers), answer);
    assert!(fetched.iter().all(|one| told(one).1 == "one"));
    assert_eq!(fetched.iter().filter(|one| one.state == Freshness::Fresh).count(), 1);
    assert!(loads.try_recv().is_err());
}

#[tokio::test]
async fn an_asker_who_leaves_does_not_take_the_load_with_him() {
    let (begun, mut loads) = tokio::sync::mpsc::unbounded_channel();
    let (cache, gate) = (std::sync::Arc::new(cache()), std::sync::Arc::new(Gate(begun)));
    let ask = || {
        let (cache, gate) = (cache.clone(), gate.clone());
        tokio::spawn(async move { cache.get(key(), 0, || gate.load()).await })
    };
    let leaves = ask();
    let abandoned = loads.recv().await.unwrap();
    let stays = ask();
    tokio::task::yield_now().await;
    leaves.abort();
    loads.recv().await.unwrap().send("one").unwrap();
    assert_eq!(told(&stays.await.unwrap()), (Freshness::Fresh, "one".to_owned()));
    drop(abandoned);
}

#[tokio::test]
async fn memory_is_bounded_by_bytes() {
    let cache = Cache::new(Settings { bytes_max: 100_000, ..Settings::default() });
    for person in 0..200 {
        let text = "x".repeat(5_000);
        let load = || async { Ok::<_, ()>(vec![(record(&text), 0)]) };
        cache.get((DESK, source("registry"), Subject::Person(PersonId(person))), 0, load).await;
    }
    cache.settle().await;
    let (copies, bytes) = (cache.reading().entries, cache.reading().bytes);
    assert!((1..=20).contains(&copies) && bytes <= 100_000, "{copies} copies, {bytes} bytes");
}

#[tokio::test]
async fn the_own_store_is_a_source_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let (store, cache) = (open(&folder), cache());
    let own = (DESK, source("gateway"), PERSON);
    for (text, all) in [("a", "a"), ("b", "ba")] {
        for person in keep(&store, text, vec![local(1)]).await.persons {
            cache.invalidate(Subject::Person(person));
        }
        let fetched = cache.get(own, 0, || store.records(PersonId(1), 10)).await;
        assert_eq!(told(&fetched), (Freshness::Fresh, all.to_owned()));
    }
}

#[tokio::test]
async fn messages_about_thousands_leave_most_copies_about_others() {
    let (cache, upstream) = (cache(), upstream());
    let asked: Vec<_> =
        (1..=100).map(|n| (DESK, source("registry"), Subject::Person(PersonId(n)))).collect();
    for key in &asked {
        cache.get(*key, 0, || upstream.load()).await;
    }
    (1_001..=5_000).for_each(|n| cache.invalidate(Subject::Person(PersonId(n))));
    let mut again = 0;
    for key in &asked {
        let fetched = cache.get(*key, 1, || upstream.load()).await;
        again += usize::from(fetched.state == Freshness::Fresh);
    }
    assert!(again <= 20, "{again} of {} were asked for again", asked.len());
}

/// How fast an answer comes does not tell whom another department has asked about.
#[tokio::test]
async fn a_copy_is_its_departments_own_and_an_invalidation_reaches_every_ones() {
    let (cache, upstream) = (cache(), upstream());
    let other = (Department::fixed("care-home"), source("registry"), PERSON);
    cache.get(key(), 0, || upstream.load()).await;
    assert_eq!(cache.get(other, 1, || upstream.load()).await.state, Freshness::Fresh);
    assert_eq!(upstream.loads(), 2);
    assert_eq!(cache.get(other, 2, || upstream.load()).await.state, Freshness::Cached);
    cache.invalidate(PERSON);
    for key in [key(), other] {
        assert_eq!(cache.get(key, 3, || upstream.load()).await.state, Freshness::Fresh);
    }
}
