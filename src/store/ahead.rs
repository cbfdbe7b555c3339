//! 预读, what the writer knows of who is who: remembered, or asked; for the messages of one commit
//! asked for all of them at once.
//!
//! ```text
//! messages of a commit → did they come before? whose turn is it? → whom do their numbers mean?
//!     → who are they? → each is applied          one way to the server and back for each arrow
//! ```
//!
//! A file answers at once, and is asked when it matters.

use std::sync::Arc;

use super::error::StoreError;
use super::journal::Message;
use super::seal::{DataKey, Place};
use super::sql::{self, Optional, Row};
use super::writer::{Stop, Writer};
use crate::identity::{PersonId, Token};
use crate::vocabulary::Source;

/// The first entry of a source that has a token.
pub(super) const HOLDER: &str = "SELECT person FROM identifier WHERE token IN (?1, ?2) \
    AND source = ?3 ORDER BY person LIMIT 1";
/// What is remembered of an entry.
pub(super) const PERSON: &str = "SELECT wrapped, merged_into, seen FROM person WHERE id = ?1";

/// What the writer remembers of a person.
#[derive(Clone)]
pub struct Person {
    pub(super) key: Option<Arc<DataKey>>,
    pub(super) merged_into: Option<PersonId>,
    /// Keyed digest of the demographics its traits were made of.
    pub(super) seen: Option<[u8; 16]>,
}

/// A person as a row tells it: its key is wrapped.
type Told = (Option<Vec<u8>>, Option<i64>, Option<[u8; 16]>);

impl Writer {
    /// Asks a server whom the messages of a commit are about, and who they are.
    pub(super) fn look_ahead(&mut self, messages: &[&Message]) -> sql::Result<()> {
        if !self.connection.is_shared() {
            return Ok(());
        }
        let holders = self.look_for_holders(messages)?;
        self.look_for_persons(holders)
    }

    /// The entries that the numbers of messages mean, as far as there are any.
    fn look_for_holders(&mut self, messages: &[&Message]) -> sql::Result<Vec<PersonId>> {
        let (mut holders, mut asked) = (Vec::new(), Vec::new());
        for number in messages.iter().flat_map(|message| message.numbers()) {
            match self.tokens.look(&number) {
                Some(known) => holders.extend(known),
                None => asked.push(number),
            }
        }
        if asked.is_empty() {
            return Ok(holders);
        }
        let generations = &self.generations;
        let values = asked.iter().map(|(token, source)| {
            let [token, ending] = generations.covers(token);
            (token, ending, source.as_str())
        });
        let read = |row: &Row<'_>| row.get(0).map(PersonId);
        let found = self.connection.answer_each(HOLDER, values, read)?;
        for (number, rows) in asked.into_iter().zip(found) {
            let holder = rows.into_iter().next();
            holders.extend(holder);
            self.tokens.keep(number, holder);
        }
        Ok(holders)
    }

    fn look_for_persons(&mut self, mut persons: Vec<PersonId>) -> sql::Result<()> {
        persons.retain(|person| self.persons.look(person).is_none());
        persons.sort_unstable();
        persons.dedup();
        if persons.is_empty() {
            return Ok(());
        }
        let asked = persons.iter().map(|person| [person.0]);
        let found = self.connection.answer_each(PERSON, asked, told)?;
        for (person, rows) in persons.into_iter().zip(found) {
            // Whoever cannot be opened holds up his own messages alone.
            if let Some(Ok(known)) = rows.into_iter().next().map(|told| self.opened(person, told)) {
                self.persons.keep(person, known);
            }
        }
        Ok(())
    }

    /// The first entry of a source that has a number.
    pub(super) fn holder(&mut self, number: (Token, Source)) -> sql::Result<Option<PersonId>> {
        if let Some(known) = self.tokens.look(&number) {
            return Ok(known);
        }
        let [token, ending] = self.generations.covers(&number.0);
        let found = self
            .connection
            .prepare_cached(HOLDER)?
            .query_row((token, ending, number.1.as_str()), |row| row.get(0).map(PersonId))
            .optional()?;
        self.tokens.keep(number, found);
        Ok(found)
    }

    /// What is remembered of an entry.
    pub(super) fn recall(&mut self, person: PersonId) -> Result<Person, Stop> {
        if let Some(known) = self.persons.look(&person) {
            return Ok(known);
        }
        let row = self.connection.prepare_cached(PERSON)?.query_row([person.0], told).optional()?;
        let found = self.opened(person, row.ok_or(StoreError::Unknown)?)?;
        self.persons.keep(person, found.clone());
        Ok(found)
    }

    fn opened(
        &self,
        person: PersonId,
        (wrapped, merged_into, seen): Told,
    ) -> Result<Person, StoreError> {
        let place = Place::person_key(person.0);
        let key = wrapped.map(|wrapped| self.keys.unwrap(place, &wrapped)).transpose()?;
        Ok(Person { key: key.map(Arc::new), merged_into: merged_into.map(PersonId), seen })
    }
}

fn told(row: &Row<'_>) -> sql::Result<Told> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}
