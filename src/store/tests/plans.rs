//! How the database goes about what is asked for every message, answer and notice.

use super::*;
use crate::store::assertion::OF_TWO;
use crate::store::base::Base;
use crate::store::index::{CITIZEN_IDS, MEMBERS, of_set};
use crate::store::notice::{DEAD, DUE, END, STANDINGS};
use crate::store::review::WAITING;
use crate::store::sql::{Connection, Value};

/// The steps of a statement that takes so many values.
fn steps(connection: &Connection, question: &str, values: usize) -> Vec<String> {
    let none: Vec<_> = (0..values).map(|_| Value::Null).collect();
    let mut explained =
        connection.prepare_cached(&format!("EXPLAIN QUERY PLAN {question}")).unwrap();
    let steps = explained.query_map(&*none, |row| row.get::<String>(3)).unwrap();
    steps.map(Result::unwrap).collect()
}

fn empty() -> (TempDir, Base, Connection) {
    let folder = TempDir::new().unwrap();
    let (base, connection, _) = Base::open(&Settings::of(folder.path()), &MASTER).unwrap();
    (folder, base, connection)
}

#[test]
fn whoever_is_one_person_is_found_without_reading_everybody() {
    let (_folder, _base, connection) = empty();
    for question in [CITIZEN_IDS, MEMBERS].map(of_set) {
        let steps = steps(&connection, &question, 1);
        let whole = |table: &str| steps.iter().any(|step| step.contains(&format!("SCAN {table}")));
        assert!(steps.len() > 3 && !whole("person") && !whole("identifier"), "{steps:?}");
    }
}

/// Thousands of assertions, and notices of a month, are beside those that are asked for.
#[test]
fn what_has_ended_long_ago_is_not_read_for_what_has_not() {
    let (_folder, _base, connection) = empty();
    let apart = format!("SELECT 1 FROM assertion WHERE {OF_TWO}");
    let waiting = format!("SELECT 1 FROM {WAITING}");
    for (question, values) in [(END, 6), (DUE, 5), (DEAD, 2), (&apart, 2), (&waiting, 0)] {
        let steps = steps(&connection, question, values);
        let whole = |step: &String| {
            ["SCAN outbox", "SCAN assertion", "SCAN before", "(rowid<?)", "(rowid>?)"]
                .iter()
                .any(|it| step.contains(it) && !step.contains("outbox_dead"))
        };
        assert!(!steps.is_empty() && !steps.iter().any(whole), "{question}\n{steps:#?}");
    }
}

#[test]
fn how_subscriptions_stand_is_counted_in_one_reading_of_their_notices() {
    let (_folder, _base, connection) = empty();
    let steps = steps(&connection, STANDINGS, 0);
    assert_eq!(steps.iter().filter(|step| step.contains("outbox")).count(), 1, "{steps:#?}");
}
