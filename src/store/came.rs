//! 到达, what came about persons and when: of a record its dataset and its arrival, nothing it says.

use super::error::StoreError;
use super::index;
use super::sql::{self, Connection};
use crate::identity::PersonId;
use crate::vocabulary::Dataset;

/// Of the persons of the index those whom `named` names.
pub fn persons<N>(
    connection: &Connection,
    named: impl Fn(PersonId) -> Option<N>,
) -> sql::Result<Vec<(N, PersonId)>> {
    let mut select = connection.prepare_cached("SELECT id FROM person ORDER BY id")?;
    let rows = select.query_map([], |row| row.get(0).map(PersonId))?;
    let named = rows.filter_map(|person| match person {
        Ok(person) => named(person).map(|name| Ok((name, person))),
        Err(error) => Some(Err(error)),
    });
    named.collect()
}

/// What arrived about a person, and about whoever is merged with it, from a moment on.
pub fn arrivals(
    connection: &Connection,
    person: PersonId,
    from_ms: i64,
) -> Result<Vec<(Dataset, i64)>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT dataset, received_at_ms FROM record WHERE person = ?1 AND received_at_ms >= ?2",
    )?;
    let mut found = Vec::new();
    for entry in index::set(connection, index::root(connection, person)?)? {
        let rows = select
            .query_map((entry.0, from_ms), |row| Ok((row.get::<String>(0)?, row.get::<i64>(1)?)))?;
        for row in rows {
            let (dataset, at_ms) = row?;
            found.push((Dataset::parse(&dataset).map_err(|_| StoreError::Damaged)?, at_ms));
        }
    }
    Ok(found)
}
