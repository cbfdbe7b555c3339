//! What a server is asked at once, and how it goes about it.

use super::session::House;
use super::*;
use crate::store::ahead::{HOLDER, PERSON};
use crate::store::found::SHARES;
use crate::store::journal::EARLIER;

#[tokio::test]
async fn what_a_server_is_asked_ahead_holds_until_a_message_of_the_same_commit_changes_it() {
    if !server::is_there() {
        return;
    }
    let stores = House::new(2).all();
    let store = &stores[0];
    // Another gateway knows them, and this one has to ask.
    let known = keep(&stores[1], "known", vec![local(1)]).await.persons;
    keep(&stores[1], "gone", vec![local(2)]).await;
    // All at once: those that wait for the first share a commit.
    let tellings = (0..40_u64).map(|turn| {
        let (name, text) = (format!("{}", turn / 3), format!("{}-{}", turn / 3, turn % 3 / 2));
        let applied = apply(&text, vec![local(1 + turn / 3 % 5)]);
        store.keep(arrival(&name, &text, applied))
    });
    let kept = futures_util::future::join_all(tellings).await;
    let kept: Vec<_> = kept.into_iter().map(Result::unwrap).collect();
    for (turn, kept) in (0..40).zip(&kept) {
        assert_eq!((kept.repeat, kept.control_id_reused), (turn % 3 == 1, turn % 3 == 2), "{turn}");
        let person = stores[1].person(&[local(1 + turn / 3 % 5).token]).await.unwrap();
        assert_eq!(kept.persons.first(), person.as_ref(), "{turn}");
    }
    assert_eq!(kept[0].persons, known);
    let repeat = stores[1].keep(arrival("0", "0-0", quarantine())).await.unwrap();
    assert!(repeat.repeat && repeat.number == kept[0].number);
}

#[tokio::test]
async fn a_server_goes_by_its_indexes_before_it_knows_anything_of_the_tables() {
    if !server::is_there() {
        return;
    }
    let store = House::new(1).open(0);
    let connection = raw(&store);
    for (question, values) in [
        (EARLIER, "'a', 'b'"),
        (HOLDER, "'\\x07', '\\x07', 'a'"),
        (PERSON, "1"),
        (SHARES, "7, 7, 9"),
    ] {
        let words = question.replace('?', "$");
        let asked = format!("DEALLOCATE ALL; PREPARE asked AS {words}");
        connection.execute_batch(&asked).unwrap();
        let mut explained =
            connection.prepare_cached(&format!("EXPLAIN EXECUTE asked ({values})")).unwrap();
        let steps = explained.query_map([], |row| row.get::<String>(0)).unwrap();
        let steps = steps.map(Result::unwrap).collect::<Vec<_>>().join("\n");
        assert!(!steps.contains("Seq Scan") && steps.contains("Index"), "{question}\n{steps}");
    }
}

#[tokio::test]
async fn what_was_planned_for_small_tables_is_planned_anew_as_they_grow() {
    if !server::is_there() {
        return;
    }
    let store = House::new(1).open(0);
    let connection = raw(&store);
    let made = || {
        let sql = "SELECT max(CAST(prepare_time AS TEXT)) FROM pg_prepared_statements \
                   WHERE statement LIKE 'SELECT wrapped%'";
        connection.query_row(sql, [], |row| row.get::<Option<String>>(0)).unwrap()
    };
    let used = |times: u32| {
        (0..times).for_each(|_| {
            assert!(!connection.prepare_cached(PERSON).unwrap().exists([1]).unwrap())
        });
        made()
    };
    let first = used(15);
    let second = used(1);
    assert!(first.is_some() && first < second);
    assert_eq!(used(15), second);
    assert!(used(1) > second, "the thirty-second time");
}
