//! How the database goes about what is asked for every answer.

use super::*;
use crate::store::base::Base;
use crate::store::index::{CITIZEN_IDS, MEMBERS, of_set};

#[test]
fn whoever_is_one_person_is_found_without_reading_everybody() {
    let folder = TempDir::new().unwrap();
    let (_base, connection, _keys) = Base::open(&Settings::of(folder.path()), &MASTER).unwrap();
    for question in [CITIZEN_IDS, MEMBERS].map(of_set) {
        let mut explained =
            connection.prepare_cached(&format!("EXPLAIN QUERY PLAN {question}")).unwrap();
        let steps = explained.query_map([1], |row| row.get::<String>(3)).unwrap();
        let steps: Vec<_> = steps.map(Result::unwrap).collect();
        let whole = |table: &str| steps.iter().any(|step| step.contains(&format!("SCAN {table}")));
        assert!(steps.len() > 3 && !whole("person") && !whole("identifier"), "{steps:?}");
    }
}
