//! 移号, a number that leads to another entry from now on (A43, A47), and back again.
//!
//! Whose a number is follows from whose it was first and from the moves that stand, in their
//! order: a move that is withdrawn leaves what there would be without it. What came under the
//! number meanwhile stays with whom it came to.

use super::error::StoreError;
use super::place::Moves;
use super::sql::Optional;
use super::writer::{Stop, Writer};
use crate::identity::{Indexed, PersonId, Token};
use crate::vocabulary::Source;

impl Writer {
    /// Numbers are this entry's from now on.
    pub(super) fn take_over(
        &mut self,
        into: PersonId,
        numbers: &[Indexed],
        (journal, at_ms): (i64, i64),
    ) -> Result<(), Stop> {
        let source = self.source(into)?;
        self.lift(into)?;
        for indexed in numbers {
            let kind = indexed.kind.as_str();
            let from = self.holder((indexed.token, source))?;
            self.connection
                .prepare_cached("INSERT INTO moved VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, NULL)")?
                .execute((
                    self.next.event,
                    self.generations.current.cover(&indexed.token),
                    source.as_str(),
                    kind,
                    from.map(|from| from.0),
                    into.0,
                    at_ms,
                    journal,
                ))?;
            self.next.event += 1;
            self.lead((indexed.token, source, kind), (from, Some(into)), journal)?;
        }
        Ok(())
    }

    /// Withdraws that a number is another entry's.
    pub(super) fn give_back(&mut self, event: i64, at_ms: i64) -> Result<Moves, Stop> {
        let (covered, source, kind, into, journal): ([u8; 32], String, String, i64, i64) = self
            .connection
            .prepare_cached(
                "SELECT token, source, kind, other, journal FROM moved \
                 WHERE event = ?1 AND ended_at_ms IS NULL",
            )?
            .query_row([event], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
            })
            .optional()?
            .ok_or(StoreError::Unknown)?;
        let source = Source::parse(&source).map_err(|_| StoreError::Damaged)?;
        let token = self.generation(PersonId(into))?.uncover(covered);
        let owner = self.owner(&token, source, event)?;
        // Whoever was erased meanwhile gets nothing back, and nothing is written.
        owner.map(|owner| self.key(owner)).transpose()?;
        self.connection
            .prepare_cached("UPDATE moved SET ended_at_ms = ?2 WHERE event = ?1")?
            .execute((event, at_ms))?;
        let now = self.holder((token, source))?;
        if now != owner {
            self.lead((token, source, &kind), (now, owner), journal)?;
        }
        let touched = now.into_iter().chain(owner).chain([PersonId(into)]).collect();
        Ok(Moves { touched, ..Moves::default() })
    }

    /// Whose a number is without one of its moves.
    fn owner(&self, token: &Token, source: Source, without: i64) -> Result<Option<PersonId>, Stop> {
        let [token, ending] = self.generations.covers(token);
        let mut select = self.connection.prepare_cached(
            "SELECT one, other, event <> ?4 AND ended_at_ms IS NULL FROM moved \
             WHERE token IN (?1, ?2) AND source = ?3 ORDER BY event",
        )?;
        let mut rows = select.query((token, ending, source.as_str(), without))?;
        let (mut owner, mut first) = (None, true);
        while let Some(row) = rows.next()? {
            if std::mem::take(&mut first) {
                owner = row.get(0)?;
            }
            if row.get(2)? {
                owner = row.get(1)?;
            }
        }
        Ok(owner.map(PersonId))
    }

    /// Leads a number from the one entry to the other.
    fn lead(
        &mut self,
        (token, source, kind): (Token, Source, &str),
        (from, to): (Option<PersonId>, Option<PersonId>),
        journal: i64,
    ) -> Result<(), Stop> {
        if let Some(from) = from {
            let [covered, ending] = self.generations.covers(&token);
            self.connection
                .prepare_cached("DELETE FROM identifier WHERE token IN (?1, ?2) AND person = ?3")?
                .execute((covered, ending, from.0))?;
        }
        self.tokens.forget(&(token, source));
        self.changes.linked = true;
        if let Some(to) = to {
            self.lift(to)?;
            self.connection
                .prepare_cached(
                    "INSERT INTO identifier VALUES (?1, ?2, ?3, ?4, ?5, 1) ON CONFLICT DO NOTHING",
                )?
                .execute((
                    self.generations.current.cover(&token),
                    source.as_str(),
                    to.0,
                    kind,
                    journal,
                ))?;
        }
        self.changes.relinked = true;
        Ok(())
    }
}
