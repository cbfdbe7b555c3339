//! A number that a message gives to another entry, and how it comes back.

use super::identity::{Entry, LI, NAMESAKE, person, tell, words};
use super::*;
use crate::store::history::What;

#[tokio::test]
async fn a_number_that_moves_leads_to_the_other_and_takes_no_record_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    tell(&store, "a", LI, None).await;
    let other = Entry { number: 7, name: "陈桂英", citizen: "", phone: "", ..NAMESAKE };
    let other = Entry { source: "hospital-a", birth: "19511120", ..other };
    tell(&store, "b", other, None).await;
    let (li, chen) = (person(&store, 1).await, person(&store, 7).await);
    tell(&store, "A43", other, Some((Claim::Moved, 1))).await;
    assert_eq!(person(&store, 1).await, chen);
    assert_eq!(store.records(li, 9).await.unwrap().len(), 1);
    let id = indexed(IdentifierKind::CitizenId, LI.citizen);
    assert_eq!(store.person(&[id.token]).await.unwrap(), Some(li), "her own number is hers");
    let history = store.identity_history(chen).await.unwrap();
    assert_eq!((history[0].event, history[0].what, history[0].pair), (1, What::Moved, (li, chen)));
    // To a third by A47, under another key: each word is undone by itself, in any order.
    store.rotate(5).await.unwrap();
    let third = Entry { number: 8, name: "孙玉梅", birth: "19330204", ..other };
    tell(&store, "c", third, None).await;
    tell(&store, "A47", third, Some((Claim::Moved, 1))).await;
    let sun = person(&store, 8).await;
    for (undone, whose) in [(1, sun), (2, li)] {
        assert_eq!(person(&store, 1).await, sun, "the later word is about whoever had it");
        store.withdraw(undone, 9).await.unwrap();
        assert_eq!(person(&store, 1).await, whose);
    }
    assert!(store.withdraw(2, 9).await.is_err(), "it has ended");
    tell(&store, "back at home", LI, None).await;
    assert_eq!(store.records(li, 9).await.unwrap().len(), 2);
    store.say(words((1, 2), false, "x")).await.unwrap();
    let history = store.identity_history(li).await.unwrap();
    let numbers: Vec<_> = history.iter().map(|event| event.event).collect();
    assert_eq!(numbers, [1, 3], "all are counted together");
}
