//! 批量答复, the answers of a batch, decided as they leave.
//!
//! A block of rows is decided; once there is room for its bytes all of its entries are made
//! durable in one commit, and then they go. Meanwhile the next block is decided, and no more: a
//! reader that is slow keeps nobody waiting but himself. Where a row is refused for a reason that
//! passes, the answers end behind its block, and the reader goes on from there when he wishes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Asked;
use crate::audit::{Entry, Reference};
use crate::flow::one::Decided;
use crate::flow::question::{Refused, Turn};
use crate::flow::{Asker, Gateway};
use crate::identity::Certificate;
use crate::inbound::batch::{Poured, Reply};
use crate::policy::Admission;
use crate::registry::answer::{AnswerMeta, RefusalMeta};
use crate::registry::rows::{self, RowForm, RowHead};
use crate::store::StoreError;
use crate::store::batch::{Batch, Row, Stage};
use crate::vocabulary::{ElementId, Fault, Identifier, Position};
use crate::wire::charset::Charset;

/// Rows that are decided, entered and sent together.
const BLOCK_ROWS: usize = 128;
/// Blocks in hand at once.
const BLOCKS_MAX: usize = 2;
/// How old what was decided may be when it leaves, milliseconds.
const FRESH_MS: i64 = 5_000;
/// How long a reader may take none of what is ready.
const STALL_MAX: Duration = Duration::from_secs(300);

/// What does not change while answers leave.
struct Pour {
    gateway: Arc<Gateway>,
    certificate: Option<Certificate>,
    asker: Asker,
    batch: Batch,
    asked: Asked,
    form: RowForm,
    columns: Vec<ElementId>,
    /// Somebody else reads on.
    over: CancellationToken,
}

/// Rows that go together.
type Block = Vec<(i64, Row)>;

/// The same, decided.
struct DecidedBlock {
    turn: Turn,
    admission: Admission,
    lines: Vec<Line>,
    /// To be decided anew if they wait too long.
    rows: Block,
}

/// One row, decided; its entry is not durable yet.
struct Line {
    row: i64,
    reference: String,
    identifier: Identifier,
    bytes: Vec<u8>,
    entry: Entry,
    fault: Option<Fault>,
}

impl Gateway {
    /// Begins to answer, unless that may not be now.
    pub(super) async fn read_batch(
        self: &Arc<Self>,
        turn: &Turn,
        (asker, certificate): (Asker, Option<Certificate>),
        (batch, from, media): (Batch, i64, &str),
    ) -> Result<Reply, Refused> {
        if batch.stage != Stage::Ready {
            return Err(Fault::BatchChecking.into());
        }
        let form = match media {
            "" | "*/*" => RowForm::Ndjson,
            media => RowForm::of_media(media).ok_or(Fault::UnsupportedMedia)?,
        };
        // Answers leave in UTF-8, whatever somebody would rather read.
        let form = match form {
            RowForm::Csv(_) => RowForm::Csv(Charset::Utf8),
            RowForm::Ndjson => RowForm::Ndjson,
        };
        let asked = Asked::of(&batch)?;
        let admission = asked.admit(turn, asker)?;
        let columns = rows::columns(&admission, asked.elements.as_deref());
        // A reader whose connection died goes on by another, and need not wait for the first.
        let over = CancellationToken::new();
        self.batches.take_over(&batch.id, Some(over.clone()));
        let gateway = Arc::clone(self);
        let pour = Pour { gateway, certificate, asker, batch, asked, form, columns, over };
        let (out, body) = mpsc::channel(1);
        self.background.spawn(Arc::new(pour).run(from, out));
        Ok(Reply::Poured(form.media(), body))
    }
}

impl Pour {
    /// Answers until the rows, or the reader, or a reason that passes ends it.
    async fn run(self: Arc<Self>, from: i64, out: mpsc::Sender<Poured>) {
        let heading = rows::heading(self.form, &self.columns);
        if !heading.is_empty() && out.send(Poured::Bytes(heading.into())).await.is_err() {
            return;
        }
        let whole = Arc::clone(&self);
        let blocks = stream::unfold((from, Vec::<Block>::new()), move |(from, waiting)| {
            Arc::clone(&whole).next_block(from, waiting)
        });
        let deciding = blocks.map(|block| {
            let pour = Arc::clone(&self);
            // A task of its own: while one block is entered the next is decided.
            tokio::spawn(async move { pour.decide_block(block?).await })
        });
        let mut decided = Box::pin(deciding.buffered(BLOCKS_MAX));
        while let Some(block) = decided.next().await {
            // Nothing is entered before there is room for its bytes.
            let room = tokio::select! {
                () = self.over.cancelled() => return,
                room = tokio::time::timeout(STALL_MAX, out.reserve()) => room,
            };
            let Ok(Ok(room)) = room else { return self.over.cancel() };
            let entered = match block {
                Ok(Ok(block)) => self.enter_now(block).await,
                Ok(Err(fault)) => Err(fault),
                Err(_) => Err(Fault::Internal),
            };
            let (bytes, passes) = match entered {
                Ok(entered) => entered,
                Err(fault) => {
                    tracing::warn!(fault = fault.row().name, "the answers of a batch break off");
                    return self.over.cancel();
                }
            };
            room.send(Poured::Bytes(bytes.into()));
            if passes {
                break;
            }
        }
        self.over.cancel();
        let _ = tokio::time::timeout(STALL_MAX, out.send(Poured::End)).await;
    }

    /// Enters a block; one that waited for its reader is decided anew before.
    async fn enter_now(&self, block: DecidedBlock) -> Result<(Vec<u8>, bool), Fault> {
        let waited_ms = (self.gateway.clock)().saturating_sub(block.turn.at_ms);
        let block = match waited_ms > FRESH_MS {
            true => self.decide_block(block.rows).await?,
            false => block,
        };
        self.enter((&block.turn, &block.admission), block.lines).await
    }

    /// The next rows that were accepted; the state is where to read on, and what is read.
    async fn next_block(
        self: Arc<Self>,
        mut from: i64,
        mut waiting: Vec<Block>,
    ) -> Option<(Result<Block, Fault>, (i64, Vec<Block>))> {
        while waiting.is_empty() {
            let part = match self.gateway.store.batch_part(&self.batch, from).await {
                Ok(Some(part)) => part,
                Ok(None) if from > self.batch.counts.rows => return None,
                // It was ended meanwhile.
                Ok(None) => return Some((Err(Fault::BatchUnknown), (i64::MAX, Vec::new()))),
                Err(error) => return Some((Err(error.fault()), (i64::MAX, Vec::new()))),
            };
            let end = part.first.saturating_add(i64::try_from(part.rows.len()).unwrap_or(1));
            let rows = (part.first..).zip(part.rows);
            let good = rows.filter(|(number, row)| *number >= from && row.fault.is_none());
            let good: Block = good.collect();
            // Popped from the end.
            waiting = good.chunks(BLOCK_ROWS).rev().map(<[_]>::to_vec).collect();
            from = end;
        }
        Some((Ok(waiting.pop()?), (from, waiting)))
    }

    /// Decides every row of a block.
    async fn decide_block(&self, block: Block) -> Result<DecidedBlock, Fault> {
        let gateway = &self.gateway;
        let _yielding = gateway.yielding(self.asker.0).await;
        // Rules that changed since the last block hold for this one.
        let turn = gateway.turn();
        let asker = turn.rules.asker(self.certificate.as_ref(), turn.at_ms)?;
        if asker != self.asker {
            return Err(Fault::CertificateUnknown);
        }
        let admission = self.asked.admit(&turn, asker).map_err(|refused| refused.fault)?;
        let listed = self.listed(&block).await.map_err(|error| error.fault())?;
        let deciding = block.iter().zip(listed).map(async |((number, row), listed)| {
            let head = (*number, row.reference.clone(), row.identifier.clone()?);
            Some(self.decide_row((&turn, &admission), head, listed).await)
        });
        let lines: Vec<Line> = join_all(deciding).await.into_iter().flatten().collect();
        Ok(DecidedBlock { turn, admission, lines, rows: block })
    }

    /// Who of a block is on a list still.
    async fn listed(&self, block: &Block) -> Result<Vec<bool>, StoreError> {
        let keys = &self.gateway.keys;
        let token = |(_, row): &(i64, Row)| {
            row.identifier.as_ref().and_then(|identifier| Some(keys.indexed(identifier).ok()?.1))
        };
        let tokens: Vec<_> = block.iter().map(token).collect();
        let sought = tokens.iter().flatten().copied().collect();
        let lists = self.gateway.lists_of(self.asker);
        let mut listed = self.gateway.store.on_lists(lists, sought).await?.into_iter();
        Ok(tokens.iter().map(|token| token.is_some() && listed.next() == Some(true)).collect())
    }

    async fn decide_row(
        &self,
        (turn, admission): (&Turn, &Admission),
        (row, reference, identifier): (i64, String, Identifier),
        listed: bool,
    ) -> Line {
        let decided = match listed {
            true => self.decide_one((turn, admission), &identifier).await,
            false => {
                let at = Some(Position::Pointer("/identifier".to_owned()));
                Err(Refused { at, ..Fault::NotOnList.into() })
            }
        };
        let Decided { release, mut entry, sources } = match decided {
            Ok(decided) => decided,
            Err(refused) => {
                let head = (row, reference, identifier);
                return self.refuse_row((turn, admission), head, &refused).await;
            }
        };
        let meta = AnswerMeta {
            receipt: &entry.receipt.to_string(),
            answered_at: turn.at_ms / 1000,
            mappings: turn.rules.pack.version(),
            sources: &sources,
        };
        let head = RowHead { row, reference: &reference };
        let bytes = rows::write_row((self.form, &self.columns), head, &release, &meta);
        entry.subject = Some(self.subject(row));
        let entry = entry.with_answer(&bytes);
        Line { row, reference, identifier, bytes, entry, fault: None }
    }

    async fn decide_one(
        &self,
        (turn, admission): (&Turn, &Admission),
        identifier: &Identifier,
    ) -> Result<Decided, Refused> {
        let resident = self.gateway.resident(identifier).await?;
        let wanted = self.asked.elements.as_deref();
        self.gateway.decide_on(turn, (admission, wanted), (&resident, Some(identifier))).await
    }

    /// Why a row is not answered, with its entry.
    async fn refuse_row(
        &self,
        (turn, admission): (&Turn, &Admission),
        (row, reference, identifier): (i64, String, Identifier),
        refused: &Refused,
    ) -> Line {
        let token = self.gateway.keys.indexed(&identifier).ok().map(|(_, token)| token);
        let person = match token {
            Some(token) => self.gateway.pseudonym_of(&token).await.ok(),
            None => None,
        };
        let circumstances = Gateway::about(turn, person, BTreeMap::new());
        let asker = Some((admission.department(), admission.role()));
        let mut entry = Entry::refusal(refused.fault, asker, admission.evidence(), circumstances);
        entry.purpose = Some(admission.purpose());
        entry.policy = Some(admission.version().to_owned());
        entry.rules.extend(refused.rule.iter().map(ToString::to_string));
        entry.subject = Some(self.subject(row));
        let receipt = entry.receipt.to_string();
        let meta = RefusalMeta {
            fault: refused.fault,
            at: refused.at.as_ref(),
            rule: refused.rule.as_deref(),
            receipt: Some(&receipt),
            remedy: refused.remedy.as_ref(),
        };
        let head = RowHead { row, reference: &reference };
        let written = (self.form, self.columns.as_slice());
        let bytes = rows::write_refused_row(written, head, (&meta, turn.at_ms / 1000));
        Line { row, reference, identifier, bytes, entry, fault: Some(refused.fault) }
    }

    /// Makes every entry durable; a row the budget does not reach is refused instead.
    async fn enter(
        &self,
        (turn, admission): (&Turn, &Admission),
        lines: Vec<Line>,
    ) -> Result<(Vec<u8>, bool), Fault> {
        let gateway = &self.gateway;
        let appending = lines.into_iter().map(async |line| {
            let entered = match line.fault {
                None => gateway.append_answer(admission, std::slice::from_ref(&line.entry)).await,
                Some(_) => gateway.append(&line.entry).await,
            };
            let line = match entered {
                Ok(_) => return Ok(line),
                Err(StoreError::Exhausted) => {
                    let head = (line.row, line.reference, line.identifier);
                    self.refuse_row((turn, admission), head, &Fault::BudgetExhausted.into()).await
                }
                Err(error) => return Err(error.fault()),
            };
            gateway.append(&line.entry).await.map_err(|error| error.fault())?;
            Ok(line)
        });
        let (mut bytes, mut passes) = (Vec::new(), false);
        for line in join_all(appending).await {
            let line = line?;
            passes |= line.fault.is_some_and(|fault| fault.row().retry);
            count(admission, line.fault);
            bytes.extend_from_slice(&line.bytes);
        }
        Ok((bytes, passes))
    }

    fn subject(&self, row: i64) -> Reference {
        Reference::new(&format!("batch {} {row}", self.batch.id))
    }
}

/// One row, by what became of it.
fn count(admission: &Admission, fault: Option<Fault>) {
    let outcome = fault.map_or("answered", |fault| fault.row().name);
    metrics::counter!(
        "kangqiao_batch_rows_total",
        "department" => admission.department().to_string(),
        "purpose" => admission.purpose().to_string(), "outcome" => outcome
    )
    .increment(1);
}
