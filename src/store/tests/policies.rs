//! Which policies are in force, and what waits for two people.

use super::*;
use crate::store::policies::{InForce, Judgement, Waiting};
use crate::store::review::Proposal;

fn version(version: &str) -> InForce {
    InForce { version: version.to_owned(), mappings: "m".to_owned() }
}

async fn enforce(store: &Store, now: InForce) {
    store.enforce(vec![row("in force", None, None)], now.clone(), 5).await.unwrap();
    store.in_step(now);
}

fn proposal(version_: &str, difference: &str) -> Waiting {
    Waiting {
        proposed: version(version_),
        before: version("a"),
        difference: difference.to_owned(),
        widened: 3,
        by: "uid 0".to_owned(),
        at_ms: 6,
        accepted_by: Vec::new(),
    }
}

async fn propose(store: &Store, version: &str) {
    let waiting = proposal(version, "{}");
    store.propose_policies(row("proposed", None, None), waiting).await.unwrap();
}

/// Somebody says something of the proposal of a version that `propose` makes.
async fn judge(
    store: &Store,
    (version, by): (&str, &str),
    accepts: bool,
) -> Result<Proposal, StoreError> {
    let (proposal, by) = (proposal(version, "{}").digest(), by.to_owned());
    let said = Judgement { proposal, accepts, by, at_ms: 7 };
    store.judge_policies(row("said", None, None), said).await
}

#[tokio::test]
async fn two_people_accept_what_waits_and_one_of_them_twice_is_one() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    assert!(store.policies().await.unwrap().is_empty());
    enforce(&store, version("a")).await;
    assert!(matches!(judge(&store, ("b", "pan"), true).await, Err(StoreError::Settled)));
    propose(&store, "b").await;
    assert!(matches!(judge(&store, ("c", "pan"), true).await, Err(StoreError::Settled)));
    assert_eq!(judge(&store, ("b", "pan"), true).await.unwrap(), Proposal::Waits);
    assert_eq!(judge(&store, ("b", "pan"), true).await.unwrap(), Proposal::Own);
    let waiting = store.waiting_policies().await.unwrap().unwrap();
    assert_eq!((waiting.accepted_by, waiting.widened), (vec!["pan".to_owned()], 3));
    assert_eq!(judge(&store, ("b", "ping"), true).await.unwrap(), Proposal::Done(Vec::new()));
    // It could not be carried out then: whoever accepted tries again.
    assert_eq!(judge(&store, ("b", "pan"), true).await.unwrap(), Proposal::Done(Vec::new()));
    enforce(&store, version("b")).await;
    assert!(store.waiting_policies().await.unwrap().is_none());
    let served: Vec<_> = store.policies().await.unwrap();
    assert_eq!(served, [(version("b"), 5), (version("a"), 5)]);
    // What changed nothing is not entered: in force, proposed, twice accepted, in force.
    assert_eq!(store.ledger_size().await.unwrap(), 5);
}

#[tokio::test]
async fn one_who_refuses_ends_it_and_what_is_proposed_anew_is_not_what_was_accepted() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    enforce(&store, version("a")).await;
    propose(&store, "b").await;
    judge(&store, ("b", "pan"), true).await.unwrap();
    assert_eq!(judge(&store, ("b", "ping"), false).await.unwrap(), Proposal::Done(Vec::new()));
    assert!(store.waiting_policies().await.unwrap().is_none());
    propose(&store, "b").await;
    judge(&store, ("b", "pan"), true).await.unwrap();
    propose(&store, "c").await;
    assert_eq!(judge(&store, ("c", "ping"), true).await.unwrap(), Proposal::Waits);
    // New certificates alone leave it waiting; other mappings do not, it was compared with these.
    enforce(&store, version("a")).await;
    assert!(store.waiting_policies().await.unwrap().is_some());
    let mappings = "n".to_owned();
    enforce(&store, InForce { mappings, ..version("a") }).await;
    assert!(store.waiting_policies().await.unwrap().is_none());
    assert_eq!(store.policies().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_waits_waits_after_a_start_too() {
    let folder = TempDir::new().unwrap();
    {
        let store = open(&folder);
        enforce(&store, version("a")).await;
        propose(&store, "b").await;
        judge(&store, ("b", "pan"), true).await.unwrap();
    }
    let store = open(&folder);
    assert_eq!(judge(&store, ("b", "pan"), true).await.unwrap(), Proposal::Own);
    assert_eq!(judge(&store, ("b", "ping"), true).await.unwrap(), Proposal::Done(Vec::new()));
}

#[tokio::test]
async fn nobody_accepts_a_difference_he_was_not_shown() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    enforce(&store, version("a")).await;
    // The same policies, compared with other ones, open more than somebody sees on his page.
    let anew = proposal("b", "[\"wider\"]");
    store.propose_policies(row("proposed", None, None), anew.clone()).await.unwrap();
    for accepts in [true, false] {
        let said = judge(&store, ("b", "pan"), accepts).await;
        assert!(matches!(said, Err(StoreError::Settled)), "{said:?}");
    }
    let waiting = store.waiting_policies().await.unwrap().unwrap();
    assert_eq!((waiting.digest(), waiting.accepted_by.len()), (anew.digest(), 0));
    let over = InForce { mappings: "n".to_owned(), ..version("b") };
    for other in [
        Waiting { proposed: over.clone(), ..anew.clone() },
        Waiting { before: over, ..anew.clone() },
        Waiting { at_ms: 7, ..anew.clone() },
    ] {
        assert_ne!(other.digest(), anew.digest());
    }
}
