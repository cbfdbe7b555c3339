//! Who goes in, who waits, who is turned away.

use super::*;

const BOUNDS: Bounds = Bounds {
    most: 2,
    emergency: 1,
    background: 1,
    waiting: 3,
    wait: Duration::from_secs(60),
    share: 4,
    yields: Duration::from_secs(60),
};

type Entered = Result<Inside<char>, Turned>;

/// Enters in a task of its own, and waits until it is in or in the queue.
async fn come(
    to: &Arc<Turnstile<char>>,
    who: char,
    rank: Rank,
) -> tokio::task::JoinHandle<Entered> {
    let turnstile = Arc::clone(to);
    let patience = match rank {
        Rank::Background => Patience::Waits,
        Rank::Emergency | Rank::Ordinary => Patience::Turned,
    };
    let coming = tokio::spawn(async move { turnstile.enter((who, rank), patience).await });
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
    coming
}

/// Nobody is in or waits, and nobody is counted.
fn assert_empty(gate: &Turnstile<char>) {
    let inner = gate.inner();
    assert_eq!((inner.inside, inner.waiting.len(), inner.all.len(), inner.of.len()), (0, 0, 0, 0));
}

/// Lets everything happen that can.
async fn settle() {
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}

async fn inside(coming: tokio::task::JoinHandle<Entered>) -> Inside<char> {
    coming.await.unwrap().unwrap()
}

#[tokio::test]
async fn the_higher_rank_goes_in_first_and_then_whoever_has_the_fewest() {
    let gate = Turnstile::new("test", BOUNDS);
    let first = inside(come(&gate, 'a', Rank::Ordinary).await).await;
    let second = inside(come(&gate, 'a', Rank::Ordinary).await).await;
    let more = come(&gate, 'a', Rank::Ordinary).await;
    let other = come(&gate, 'b', Rank::Ordinary).await;
    // The place beyond the others is for emergencies alone.
    let saved = inside(come(&gate, 'c', Rank::Emergency).await).await;
    let urgent = come(&gate, 'd', Rank::Emergency).await;
    settle().await;
    assert!(!more.is_finished() && !other.is_finished() && !urgent.is_finished());
    drop(first);
    settle().await;
    assert!(urgent.is_finished() && !more.is_finished() && !other.is_finished());
    drop((saved, inside(urgent).await));
    settle().await;
    assert!(other.is_finished() && !more.is_finished(), "a has one in, b none");
    drop(second);
    drop((inside(more).await, inside(other).await));
    assert_empty(&gate);
}

#[tokio::test]
async fn the_lowest_rank_is_turned_away_first_and_of_it_whoever_has_the_most() {
    let gate = Turnstile::new("test", Bounds { share: 9, ..BOUNDS });
    let held = [
        inside(come(&gate, 'x', Rank::Ordinary).await).await,
        inside(come(&gate, 'x', Rank::Ordinary).await).await,
    ];
    let [one, two] =
        [come(&gate, 'a', Rank::Ordinary).await, come(&gate, 'a', Rank::Ordinary).await];
    let last = come(&gate, 'a', Rank::Ordinary).await;
    let greedy = come(&gate, 'a', Rank::Ordinary).await;
    assert_eq!(greedy.await.unwrap().err(), Some(Turned::Full), "the flood itself");
    let fair = come(&gate, 'b', Rank::Ordinary).await;
    assert_eq!(last.await.unwrap().err(), Some(Turned::Full), "b makes its way");
    let saved = inside(come(&gate, 'c', Rank::Emergency).await).await;
    let urgent = come(&gate, 'c', Rank::Emergency).await;
    assert_eq!(two.await.unwrap().err(), Some(Turned::Full));
    assert!(!fair.is_finished() && !one.is_finished() && !urgent.is_finished());
    assert_eq!(gate.turned()[&('a', Rank::Ordinary, Turned::Full)], 3);
    assert!(gate.turned().is_empty());
    drop((held, saved));
    for coming in [one, fair, urgent] {
        drop(inside(coming).await);
    }
    assert_empty(&gate);
}

#[tokio::test]
async fn nobody_has_more_than_his_share_and_what_goes_first_has_its_own() {
    let gate = Turnstile::new("test", Bounds { most: 9, share: 2, ..BOUNDS });
    let _in = [
        inside(come(&gate, 'a', Rank::Ordinary).await).await,
        inside(come(&gate, 'a', Rank::Ordinary).await).await,
    ];
    let third = come(&gate, 'a', Rank::Ordinary).await.await.unwrap();
    assert_eq!(third.err(), Some(Turned::Share));
    assert!(come(&gate, 'b', Rank::Ordinary).await.await.unwrap().is_ok());
    assert!(come(&gate, 'a', Rank::Emergency).await.await.unwrap().is_ok());
}

#[tokio::test]
async fn what_nobody_waits_for_yields_and_does_not_starve() {
    let gate = Turnstile::new("test", BOUNDS);
    let held = [
        inside(come(&gate, 'a', Rank::Ordinary).await).await,
        inside(come(&gate, 'a', Rank::Ordinary).await).await,
    ];
    let [first, second] = held;
    let behind = come(&gate, 'n', Rank::Background).await;
    let asked = come(&gate, 'a', Rank::Ordinary).await;
    drop(first);
    settle().await;
    assert!(asked.is_finished() && !behind.is_finished());
    drop(second);
    let behind = inside(behind).await;
    let beside = come(&gate, 'n', Rank::Background).await;
    drop(inside(asked).await);
    settle().await;
    assert!(!beside.is_finished(), "one place at most");
    drop(behind);
    drop(inside(beside).await);
    let gate = Turnstile::new("test", Bounds { yields: Duration::ZERO, ..BOUNDS });
    let held = [
        inside(come(&gate, 'a', Rank::Ordinary).await).await,
        inside(come(&gate, 'b', Rank::Ordinary).await).await,
    ];
    let behind = come(&gate, 'n', Rank::Background).await;
    let asked = come(&gate, 'a', Rank::Ordinary).await;
    let [first, second] = held;
    drop(second);
    settle().await;
    assert!(behind.is_finished() && !asked.is_finished(), "it has waited long enough");
    drop(first);
    drop(inside(asked).await);
}

#[tokio::test]
async fn whoever_waits_too_long_or_goes_away_leaves_nothing_behind() {
    let hasty = Turnstile::new("test", Bounds { most: 0, wait: Duration::ZERO, ..BOUNDS });
    let late = come(&hasty, 'b', Rank::Ordinary).await;
    assert_eq!(late.await.unwrap().err(), Some(Turned::Full));
    assert_empty(&hasty);
    let gate = Turnstile::new("test", BOUNDS);
    let held = [
        inside(come(&gate, 'a', Rank::Ordinary).await).await,
        inside(come(&gate, 'a', Rank::Ordinary).await).await,
    ];
    let gone = come(&gate, 'b', Rank::Ordinary).await;
    gone.abort();
    settle().await;
    let waiting = gate.inner().waiting.len();
    assert_eq!(waiting, 0);
    let heard = come(&gate, 'b', Rank::Ordinary).await;
    // Let in, and gone before he hears of it.
    heard.abort();
    drop(held);
    settle().await;
    assert_empty(&gate);
}

#[tokio::test]
async fn when_to_come_again_follows_from_how_long_one_takes_and_how_many_wait() {
    let gate = Turnstile::new("test", BOUNDS);
    assert_eq!(gate.again(), 1);
    gate.inner().takes = Duration::from_secs(4);
    assert_eq!(gate.again(), 4);
    let held = [
        inside(come(&gate, 'a', Rank::Ordinary).await).await,
        inside(come(&gate, 'a', Rank::Ordinary).await).await,
    ];
    let waiting = come(&gate, 'a', Rank::Ordinary).await;
    assert_eq!(gate.again(), 8, "another round");
    drop((held, waiting));
    gate.inner().takes = Duration::from_secs(3_600);
    assert_eq!(gate.again(), 60);
}
