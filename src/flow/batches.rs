//! 批量查询, lists of elders that are asked about at once.
//!
//! ```text
//! rows → sealed, durable → 202 → each row checked: whole, new, on a list of the department
//! answers wanted → for every row as in a question: afford → gather → decide → ledger → leaves
//! ```
//!
//! Nothing that is decided is kept. A row about somebody who is on no list of the department is
//! refused before anybody is looked for, so it tells nothing of whether somebody is known.

mod check;
mod pour;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::question::{Refused, Turn};
use super::{Asker, Gateway};
use crate::audit::Entry;
use crate::inbound::batch::{Piece, Reply, Request, Settings, Terms, Wish};
use crate::inbound::http::Answered;
use crate::policy::{Admission, Evidence, fixed};
use crate::registry::batch::{self, Listed, RefusedRow, Standing};
use crate::registry::rows::{BroughtRow, RowForm, RowReader};
use crate::store::batch::{Batch, Begun, Part, Row, Stage};
use crate::vocabulary::{ElementId, Fault, Position, Subscription};

/// Media type of how a batch stands.
const JSON: &str = "application/json";
/// Rows that are sealed, checked and kept together.
const PART_ROWS: usize = 1_000;
/// Elements one batch may name.
const ELEMENTS_MAX: usize = 500;
/// Refused rows that are listed at once.
const REFUSALS_MAX: usize = 1_000;
/// A day, in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// What batches need beside the store.
pub struct Batches {
    settings: Settings,
    /// Told whenever one has to be checked.
    brought: Notify,
    /// Who reads the answers of which: another reader of the same one ends him.
    readers: Mutex<HashMap<String, CancellationToken>>,
}

impl Batches {
    /// Under these limits.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, brought: Notify::new(), readers: Mutex::default() }
    }

    /// Ends whoever reads a batch, and makes room for the next, if there is one.
    fn take_over(&self, id: &str, next: Option<CancellationToken>) {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        readers.retain(|_, reader| !reader.is_cancelled());
        let before = match next {
            Some(next) => readers.insert(id.to_owned(), next),
            None => readers.remove(id),
        };
        if let Some(before) = before {
            before.cancel();
        }
    }
}

/// What is asked of everybody on a list, as the store keeps it.
#[derive(Clone, Serialize, Deserialize)]
struct Asked {
    purpose: String,
    elements: Option<Vec<ElementId>>,
    asker: Option<String>,
    call: Option<String>,
    case: Option<String>,
    reason: Option<String>,
}

impl Asked {
    fn read(terms: Terms) -> Result<Self, Refused> {
        let at = |fault: Fault, name: &str| Refused {
            at: Some(Position::Pointer(format!("/{name}"))),
            ..fault.into()
        };
        if terms.purpose.is_empty() {
            return Err(at(Fault::RequiredMissing, "kangqiao-purpose"));
        }
        let named = |list: String| {
            let words = list.split(',').map(str::trim);
            let ids: Result<Vec<_>, _> = words.take(ELEMENTS_MAX).map(ElementId::parse).collect();
            ids.map_err(|_| at(Fault::UnknownElement, "kangqiao-elements"))
        };
        let elements = terms.elements.map(named).transpose()?;
        let Evidence { asker, call, case, reason, .. } = terms.evidence;
        Ok(Self { purpose: terms.purpose, elements, asker, call, case, reason })
    }

    fn of(batch: &Batch) -> Result<Self, Fault> {
        serde_json::from_slice(&batch.asked).map_err(|_| Fault::Internal)
    }

    fn evidence(&self) -> Evidence {
        let Self { asker, call, case, reason, .. } = self.clone();
        Evidence { call, case, reason, asker, ..Evidence::default() }
    }

    /// The admission everybody on the list is asked about under, if that may be.
    fn admit(&self, turn: &Turn, asker: Asker) -> Result<Admission, Refused> {
        let policies = &turn.rules.policies;
        policies.know(self.elements.as_deref().unwrap_or_default())?;
        let admission = policies.admit(asker, &self.purpose, self.evidence())?;
        if admission.terms().batch {
            return Ok(admission);
        }
        Err(Refused {
            at: Some(Position::Pointer("/purpose".to_owned())),
            rule: Some(fixed::NOT_IN_BATCH.into()),
            ..Fault::PurposeNotGranted.into()
        })
    }
}

impl Gateway {
    /// Carries one request about batches to its reply; a refusal is entered too.
    pub async fn batches(self: Arc<Self>, request: Request) -> Reply {
        let turn = self.turn();
        let asker = turn.rules.asker(request.certificate.as_ref(), turn.at_ms);
        let carried = match asker {
            Err(fault) => Err(fault.into()),
            Ok(asker) => self.carry_batch(&turn, asker, request).await,
        };
        match carried {
            Ok(reply) => reply,
            Err(refused) => {
                Reply::Whole(self.decline_about(&turn, (asker.ok(), "batch"), &refused).await)
            }
        }
    }

    async fn carry_batch(
        self: &Arc<Self>,
        turn: &Turn,
        asker: Asker,
        Request { certificate, wish }: Request,
    ) -> Result<Reply, Refused> {
        let number = |number: Option<i64>| {
            let at = Some(Position::Pointer("?".to_owned()));
            number.ok_or_else(|| Refused { at, ..Fault::DataType.into() })
        };
        match wish {
            Wish::Bring { terms, media, body } => {
                self.bring_batch(turn, asker, (*terms, media, body)).await
            }
            Wish::List => {
                let own = self.store.batches(asker).await?;
                let standings = own.iter().map(standing).collect::<Result<_, _>>()?;
                Ok(whole(200, batch::write(&Listed { batches: standings }), None))
            }
            Wish::Look(id, after) => {
                let own = self.own_batch(asker, id).await?;
                self.look_at(&own, number(after)?).await
            }
            Wish::Read(id, from, media) => {
                let own = self.own_batch(asker, id).await?;
                let client = (asker, certificate);
                self.read_batch(turn, client, (own, number(from)?, &media)).await
            }
            Wish::End(id) => {
                let own = self.own_batch(asker, id).await?;
                let admission = Asked::of(&own)?.admit(turn, asker);
                let subject = format!("batch {} ended", own.id);
                let mut entry = self.event(crate::audit::Kind::Batch, &subject);
                (entry.department, entry.role) = (Some(asker.0), Some(asker.1));
                entry.purpose = admission.ok().map(|admission| admission.purpose());
                let appended = self.append(&entry).await?;
                self.store.end_batch(&own).await?;
                self.batches.take_over(&own.id, None);
                Ok(whole(204, Vec::new(), Some(appended)))
            }
        }
    }

    /// Somebody else's batch is as good as none, and so is one whose rows are still coming.
    async fn own_batch(&self, asker: Asker, id: String) -> Result<Batch, Refused> {
        let found = self.store.batch(asker, id).await?;
        let found = found.filter(|batch| batch.stage != Stage::Arriving);
        found.ok_or_else(|| Fault::BatchUnknown.into())
    }

    /// Keeps the rows as they come; once all are durable they are accepted as one.
    async fn bring_batch(
        &self,
        turn: &Turn,
        asker: Asker,
        (terms, media, mut body): (Terms, String, mpsc::Receiver<Piece>),
    ) -> Result<Reply, Refused> {
        let form = RowForm::of_media(&media).ok_or(Fault::UnsupportedMedia)?;
        let asked = Asked::read(terms)?;
        let admission = asked.admit(turn, asker)?;
        let mut entry = Entry::batch(&admission, "", Self::about(turn, None, [].into()));
        let settings = &self.batches.settings;
        let begun = Begun {
            id: entry.receipt.to_string(),
            department: asker.0,
            role: asker.1,
            at_ms: turn.at_ms,
            until_ms: turn.at_ms.saturating_add(i64::from(settings.keep_days) * DAY_MS),
            most: settings.batches_max,
            asked: serde_json::to_vec(&asked).map_err(|_| Fault::Internal)?,
        };
        let begun = self.store.begin_batch(begun).await?;
        let taken = self.take_rows(&begun, form, &mut body).await;
        let accepted = match taken {
            Ok(rows) => {
                let subject = format!("batch {} of {rows} rows", begun.id);
                entry.subject = Some(crate::audit::Reference::new(&subject));
                self.accept(&begun, &entry).await.map(|appended| (rows, appended))
            }
            Err(refused) => Err(refused),
        };
        let (rows, appended) = match accepted {
            Ok(accepted) => accepted,
            Err(refused) => {
                // What cannot be taken back now is dropped by the next sweep.
                let _ = self.store.end_batch(&begun).await;
                return Err(refused);
            }
        };
        self.batches.brought.notify_one();
        metrics::counter!(
            "kangqiao_batches_total",
            "department" => asker.0.to_string(), "purpose" => admission.purpose().to_string()
        )
        .increment(1);
        let mut standing = standing(&begun)?;
        (standing.state, standing.rows) = (Stage::Checking.as_str(), rows);
        Ok(whole(202, batch::write(&standing), Some(appended)))
    }

    async fn accept(&self, begun: &Batch, entry: &Entry) -> Result<(u64, String), Refused> {
        let appended = self.append(entry).await?;
        self.store.stage_batch(begun, Stage::Checking).await?;
        Ok(appended)
    }

    /// Seals the rows part by part; how many there are.
    async fn take_rows(
        &self,
        begun: &Batch,
        form: RowForm,
        body: &mut mpsc::Receiver<Piece>,
    ) -> Result<i64, Refused> {
        let most = self.batches.settings.rows_max;
        let (mut reader, mut waiting, mut kept) = (RowReader::new(form), Vec::new(), 0);
        let refused = |error| Refused::from(&error);
        loop {
            // Without its end the body broke off with whoever brought it.
            let piece = body.recv().await.unwrap_or(Piece::Torn(Fault::Malformed));
            let end = match piece {
                Piece::Bytes(bytes) => {
                    reader.take(&bytes, &mut waiting).map_err(refused)?;
                    false
                }
                Piece::End => {
                    reader.end(&mut waiting).map_err(refused)?;
                    true
                }
                Piece::Torn(fault) => return Err(fault.into()),
            };
            if kept + waiting.len() > most {
                return Err(Fault::Limit.into());
            }
            while waiting.len() >= PART_ROWS || end && !waiting.is_empty() {
                let rows: Vec<Row> =
                    waiting.drain(..PART_ROWS.min(waiting.len())).map(row).collect();
                let first = i64::try_from(kept + 1).map_err(|_| Fault::Limit)?;
                kept += rows.len();
                self.store.put_part(begun, &Part { first, checked: false, rows }).await?;
            }
            if end {
                break;
            }
        }
        match kept {
            0 => Err(Fault::RequiredMissing.into()),
            rows => i64::try_from(rows).map_err(|_| Fault::Limit.into()),
        }
    }

    /// How one stands, with the refused rows from a number on.
    async fn look_at(&self, own: &Batch, after: i64) -> Result<Reply, Refused> {
        let mut standing = standing(own)?;
        let (mut refusals, mut from) = (Vec::new(), after);
        while let Some(part) = self.store.refused_part(own, from).await? {
            for (number, row) in (part.first..).zip(part.rows) {
                let Some((fault, at)) = row.fault.filter(|_| number >= from) else { continue };
                if refusals.len() == REFUSALS_MAX {
                    standing.next = Some(number);
                    break;
                }
                refusals.push(RefusedRow::new((number, row.reference), fault, &at));
            }
            from = part.first.saturating_add(i64::try_from(PART_ROWS).unwrap_or(i64::MAX));
            if standing.next.is_some() {
                break;
            }
        }
        standing.refusals = Some(refusals);
        Ok(whole(200, batch::write(&standing), None))
    }

    /// The lists of a department.
    fn lists_of(&self, (department, role): Asker) -> Vec<Subscription> {
        let subscribers = self.subscribers.load();
        let settings = subscribers.iter().map(|one| one.settings());
        let own = settings.filter(|one| (one.department, one.role) == (department, role));
        own.map(|one| one.name).collect()
    }
}

fn row(brought: BroughtRow) -> Row {
    let BroughtRow { reference, identifier } = brought;
    match identifier {
        Ok(identifier) => Row { reference, identifier: Some(identifier), fault: None },
        Err(error) => Row { reference, identifier: None, fault: Some((error.fault, error.at)) },
    }
}

fn standing(own: &Batch) -> Result<Standing, Fault> {
    let counts = own.counts;
    Ok(Standing {
        batch: own.id.clone(),
        state: own.stage.as_str(),
        purpose: Asked::of(own)?.purpose,
        rows: counts.rows,
        checked: counts.checked,
        accepted: counts.checked - counts.refused,
        refused: counts.refused,
        received_at: batch::time(own.at_ms),
        ends_at: batch::time(own.until_ms),
        refusals: None,
        next: None,
    })
}

fn whole(status: u16, body: Vec<u8>, entry: Option<(u64, String)>) -> Reply {
    Reply::Whole(Answered { status, media: JSON, body, entry })
}
