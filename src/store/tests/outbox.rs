//! The outbox: in the commit of what happened, each elder's notices in order.

use super::*;
use crate::policy::IDENTITY;
use crate::store::outbox::{Ended, Enrol, Enrolled, Verdict, Wanted, Wish};
use crate::vocabulary::{Event, Subscription};

const PAYMENTS: Subscription = Subscription::fixed("payments");
const DEATH: Event = Event::fixed("death");
const CARDS: [&str; 2] = ["A0012345", "A0012346"];

fn most(most: usize) -> Wanted {
    Wanted { most, ..Wanted::default() }
}

fn card(number: &str) -> Indexed {
    indexed(IdentifierKind::HealthCard, number)
}

async fn enrol(store: &Store, number: &str, reference: &str) {
    let identifier = Identifier::new(IdentifierKind::HealthCard, number);
    let enrolled = Enrolled { identifier, reference: reference.to_owned() };
    let change = Enrol::Join(enrolled, card(number).token);
    store.enrol(PAYMENTS, vec![change], 0).await.unwrap();
}

/// A message about whoever has this card that some are told of.
async fn tell(store: &Store, id: &str, number: &str) {
    let mut proposed = apply(id, vec![card(number)]);
    if let Proposed::Apply { wishes, .. } = &mut proposed {
        wishes.push(Wish { subscription: PAYMENTS, event: DEATH });
        wishes.push(Wish { subscription: Subscription::fixed("others"), event: DEATH });
    }
    let kept = store.keep(arrival(id, id, proposed)).await.unwrap();
    assert_eq!(kept.state, State::Kept);
}

/// What may leave now: number, reference, event.
async fn due(store: &Store) -> Vec<(i64, String, Event)> {
    let due = store.due(PAYMENTS, (1_000, 60_000), most(100)).await.unwrap();
    let row = |due: crate::store::outbox::Due| {
        let reference = due.enrolled.map(|(enrolled, _)| enrolled.reference);
        (due.number, reference.unwrap_or_default(), due.event)
    };
    due.into_iter().map(row).collect()
}

fn named(due: &[(i64, String, Event)]) -> Vec<&str> {
    due.iter().map(|(_, reference, _)| reference.as_str()).collect()
}

#[tokio::test]
async fn a_notice_put_off_by_a_clock_that_was_put_back_leaves_at_once() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    enrol(&store, CARDS[0], "ONE").await;
    tell(&store, "1", CARDS[0]).await;
    let number = due(&store).await[0].0;
    let again = Ended::Again { next_ms: 9_000_000, why: "unreachable", answered: false };
    store.end(number, again, 8_990_000).await.unwrap();
    for (now_ms, leaves) in [(8_995_000, 0), (9_000_000, 1), (1_000, 1), (8_939_999, 1)] {
        let due = store.due(PAYMENTS, (now_ms, 60_000), most(100)).await.unwrap();
        assert_eq!(due.len(), leaves, "at {now_ms}");
    }
}

#[tokio::test]
async fn whoever_looks_behind_a_notice_finds_the_next_and_what_is_on_its_way_is_not_found() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    for (index, number) in CARDS.iter().enumerate() {
        enrol(&store, number, &index.to_string()).await;
        tell(&store, &index.to_string(), number).await;
    }
    let all: Vec<i64> = due(&store).await.iter().map(|due| due.0).collect();
    let [first, second] = all[..] else { panic!("{all:?}") };
    let found = async |wanted| {
        let due = store.due(PAYMENTS, (1_000, 60_000), wanted).await.unwrap();
        due.iter().map(|due| due.number).collect::<Vec<_>>()
    };
    assert_eq!(found(Wanted { after: first, ..most(1) }).await, [second]);
    assert!(found(Wanted { after: second, ..most(1) }).await.is_empty());
    assert_eq!(found(Wanted { busy: vec![first], ..most(2) }).await, [second]);
    assert!(found(Wanted { busy: vec![first], ..most(1) }).await.is_empty(), "it counts");
}

#[tokio::test]
async fn only_the_oldest_notice_of_an_elder_may_leave_and_a_dead_one_keeps_his_lane() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    enrol(&store, CARDS[0], "ONE").await;
    tell(&store, "1", CARDS[1]).await;
    assert!(due(&store).await.is_empty(), "nobody enrolled him");
    enrol(&store, CARDS[1], "OTHER").await;
    for id in ["2", "3"] {
        tell(&store, id, CARDS[0]).await;
        tell(&store, &format!("{id} other"), CARDS[1]).await;
    }
    let first = due(&store).await;
    assert_eq!(named(&first), ["ONE", "OTHER"]);
    let later = Ended::Again { next_ms: 1_001, why: "failed", answered: true };
    store.end(first[0].0, later, 0).await.unwrap();
    store.end(first[1].0, Ended::Delivered, 0).await.unwrap();
    let second = due(&store).await;
    assert_eq!(named(&second), ["OTHER"], "one that waits lets its lane wait, and no other");
    store.end(first[0].0, Ended::Dead("refused"), 0).await.unwrap();
    drop(store);

    // A dead one is dead after a restart, and so is what was delivered.
    let store = open(&folder);
    assert_eq!(due(&store).await, second);
    assert_eq!(store.dead(0, 10).await.unwrap().len(), 1);
    assert!(matches!(store.decide(Verdict::Skip(second[0].0, 1)).await, Err(StoreError::Unknown)));
    store.decide(Verdict::Skip(first[0].0, 1)).await.unwrap();
    assert_eq!(named(&due(&store).await), ["ONE", "OTHER"]);
    for (number, ..) in due(&store).await {
        store.end(number, Ended::Delivered, 0).await.unwrap();
    }
    assert!(due(&store).await.is_empty());
    // What somebody gave up stays given up.
    assert_eq!(store.decide(Verdict::Rewind(PAYMENTS, i64::MIN)).await.unwrap(), 3);
    assert_eq!(named(&due(&store).await), ["OTHER", "ONE"]);
}

#[tokio::test]
async fn what_was_not_kept_is_not_told_and_what_is_told_was_kept() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    enrol(&store, CARDS[0], "ONE").await;
    tell(&store, "1", CARDS[0]).await;
    // The same bytes again are the same message, and no second notice.
    tell(&store, "1", CARDS[0]).await;
    assert_eq!(due(&store).await.len(), 1);
    store.erase(store.person(&[card(CARDS[0]).token]).await.unwrap().unwrap(), 0).await.unwrap();
    let left = due(&store).await;
    assert_eq!(named(&left), [""], "an erased elder is on no list");
}

#[tokio::test]
async fn lanes_that_become_one_wait_for_each_other() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    for (number, reference) in CARDS.iter().zip(["ONE", "OTHER"]) {
        enrol(&store, number, reference).await;
        tell(&store, reference, number).await;
    }
    let joined = merge(vec![card(CARDS[0])], vec![card(CARDS[1])]);
    store.keep(arrival("merge", "merge", joined)).await.unwrap();
    for number in CARDS {
        tell(&store, &format!("after {number}"), number).await;
    }
    // Of each the notice before; then one tells of both, and the second waits behind it.
    let before = due(&store).await;
    assert_eq!(named(&before), ["ONE", "OTHER"]);
    assert!(before.iter().all(|(.., event)| *event == DEATH));
    store.end(before[0].0, Ended::Delivered, 0).await.unwrap();
    let first = due(&store).await;
    assert_eq!(first.iter().map(|row| row.2).collect::<Vec<_>>(), [DEATH, IDENTITY]);
    store.end(before[1].0, Ended::Delivered, 0).await.unwrap();
    store.end(first[1].0, Ended::Delivered, 0).await.unwrap();
    let second = due(&store).await;
    assert_eq!(second.len(), 1, "nothing passes a merge: {second:?}");
    assert_eq!(second[0].2, IDENTITY);
    let person = store.person(&[card(CARDS[0]).token]).await.unwrap().unwrap();
    let lane = store.due(PAYMENTS, (1_000, 60_000), most(1)).await.unwrap()[0].lane;
    let same = store.same_elder(lane, person).await.unwrap();
    assert_eq!(same.len(), 1);
    store.end(second[0].0, Ended::Delivered, 0).await.unwrap();
    assert_eq!(due(&store).await.len(), 2, "each elder's later notice goes on in its own lane");
}

file_alone! {
#[tokio::test]
async fn lanes_move_to_the_next_key_with_everything_else() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    for (number, reference) in CARDS.iter().zip(["ONE", "OTHER"]) {
        enrol(&store, number, reference).await;
        tell(&store, reference, number).await;
    }
    store.rotate(1).await.unwrap();
    enrol(&store, "A0012347", "THIRD").await;
    for number in [CARDS[0], "A0012347"] {
        tell(&store, &format!("meanwhile {number}"), number).await;
    }
    assert_eq!(named(&due(&store).await), ["ONE", "OTHER", "THIRD"]);
    while store.rotation().await.unwrap().ending.is_some() {
        store.move_on(1, row("ended", None, None)).await.unwrap();
        assert_eq!(named(&due(&store).await), ["ONE", "OTHER", "THIRD"]);
    }
    assert_eq!(store.enrolled(PAYMENTS, "OTHER").await.unwrap(), Some(card(CARDS[1]).token));
    tell(&store, "after", CARDS[1]).await;
    assert_eq!(store.standings().await.unwrap()[0].waiting, 5);
    store.empty_log().await;
    let bytes = bytes_on_disk(folder.path());
    let stable = card(CARDS[1]).token;
    assert!(!bytes.windows(32).any(|window| window == stable.as_bytes()), "the old key's token");
}
}
