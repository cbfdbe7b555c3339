//! 名单核对, each row of a batch is checked: whole, new, and about somebody on a list.
//!
//! A row about nobody on a list is refused alike whether the gateway knows the person or not,
//! and entered, so that an auditor sees who was asked about without being on a list.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Asked;
use crate::audit::{Entry, Reference};
use crate::flow::Gateway;
use crate::identity::Token;
use crate::policy::Evidence;
use crate::store::StoreError;
use crate::store::batch::{Batch, Part, Row, Stage};
use crate::vocabulary::{Fault, Position, Purpose};

/// How long nothing may be brought before it is looked again.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How long a list may take to be brought where another gateway takes it, milliseconds.
const BROUGHT_MS_MAX: i64 = 3_600_000;

/// What the rows before had.
#[derive(Default)]
struct Seen {
    tokens: HashSet<Token>,
    references: HashSet<String>,
}

impl Gateway {
    /// Checks batches until it is told to stop, and ends those whose time is over.
    pub async fn keep_checking(self: Arc<Self>, stop: CancellationToken) {
        // Whoever brought those is gone with the process; another gateway may be brought some now.
        let lasts_ms = if self.store.is_shared() { BROUGHT_MS_MAX } else { 0 };
        let mut arriving_ms = Some((self.clock)() - lasts_ms);
        loop {
            let swept = self.store.sweep_batches((self.clock)(), arriving_ms).await;
            if swept.is_ok() {
                arriving_ms = None;
            }
            let checked = self.check_batches(&stop).await;
            if let Err(error) = swept.and(checked) {
                tracing::error!(error.kind = %error, "batches cannot be checked; tried again");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.batches.brought.notified() => (),
                () = tokio::time::sleep(LOOK_EVERY) => (),
            }
        }
    }

    async fn check_batches(&self, stop: &CancellationToken) -> Result<(), StoreError> {
        while let Some(batch) = self.store.unchecked_batch().await? {
            let mut seen = Seen::default();
            let mut from = 1;
            while let Some(part) = self.store.batch_part(&batch, from).await? {
                if stop.is_cancelled() {
                    return Ok(());
                }
                from = part.first.saturating_add(i64::try_from(part.rows.len()).unwrap_or(1));
                self.check_part(&batch, part, &mut seen).await?;
            }
            self.store.stage_batch(&batch, Stage::Ready).await?;
        }
        Ok(())
    }

    /// A part that was checked before a stop only says what its rows had.
    async fn check_part(
        &self,
        batch: &Batch,
        mut part: Part,
        seen: &mut Seen,
    ) -> Result<(), StoreError> {
        let _yielding = self.yielding(batch.department).await;
        let checked = part.checked;
        let token = |row: &Row| Some(self.keys.indexed(row.identifier.as_ref()?).ok()?.1);
        let tokens: Vec<_> = part.rows.iter().map(token).collect();
        for (row, token) in part.rows.iter_mut().zip(&tokens) {
            let twice = seen.twice(row, token.as_ref());
            if !checked && row.fault.is_none() {
                row.fault = twice.map(|at| (Fault::RowDuplicate, pointer(at)));
            }
        }
        if checked {
            return Ok(());
        }
        let lists = self.lists_of((batch.department, batch.role));
        let sought: Vec<Token> = tokens.iter().flatten().copied().collect();
        let mut listed = self.store.on_lists(lists, sought).await?.into_iter();
        let mut stray = Vec::new();
        for ((number, row), token) in (part.first..).zip(&mut part.rows).zip(tokens) {
            let Some(token) = token else { continue };
            let on_list = listed.next().unwrap_or(false);
            if !on_list && row.fault.is_none() {
                row.fault = Some((Fault::NotOnList, pointer("/identifier")));
                stray.push((number, token));
            }
        }
        self.enter_stray(batch, &stray).await?;
        part.checked = true;
        self.store.put_part(batch, &part).await
    }

    /// One entry for each row about nobody on a list.
    async fn enter_stray(&self, batch: &Batch, rows: &[(i64, Token)]) -> Result<(), StoreError> {
        let turn = self.turn();
        let asked = Asked::of(batch).ok();
        let purpose = asked.as_ref().and_then(|asked| Purpose::parse(&asked.purpose).ok());
        let evidence = asked.as_ref().map_or_else(Evidence::default, Asked::evidence);
        let asker = Some((batch.department, batch.role));
        let mut entries = Vec::with_capacity(rows.len());
        for (number, token) in rows {
            let person = Some(self.pseudonym_of(token).await?);
            let circumstances = Self::about(&turn, person, BTreeMap::new());
            let mut entry = Entry::refusal(Fault::NotOnList, asker, &evidence, circumstances);
            entry.purpose = purpose;
            entry.policy = Some(turn.rules.policies.version().to_owned());
            entry.subject = Some(Reference::new(&format!("batch {} {number}", batch.id)));
            entries.push(entry);
        }
        let appending = entries.iter().map(|entry| self.append(entry));
        futures_util::future::try_join_all(appending).await.map(drop)
    }
}

impl Seen {
    /// Where a row says what an earlier one said.
    fn twice(&mut self, row: &Row, token: Option<&Token>) -> Option<&'static str> {
        let token = token.is_some_and(|token| !self.tokens.insert(*token));
        let named = !row.reference.is_empty();
        let reference = named && !self.references.insert(row.reference.clone());
        match (token, reference) {
            (true, _) => Some("/identifier"),
            (false, true) => Some("/reference"),
            (false, false) => None,
        }
    }
}

fn pointer(at: &str) -> Position {
    Position::Pointer(at.to_owned())
}
