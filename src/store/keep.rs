//! 入存, messages on their way into the journal: one alone, or some that stand or fall together.

use std::iter::repeat_with;
use std::sync::Arc;

use super::Store;
use super::arrival::{Arrival, Kept};
use super::error::StoreError;
use super::journal::Message;
use super::writer::{Answer, Request, Stop, Writer};

/// What became of each of some messages, in their order.
type Each = Vec<Result<Kept, StoreError>>;

impl Store {
    /// Keeps a message: journal, identity, record and counts in one commit, durable
    /// when this returns.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it cannot be written: nothing may be acknowledged.
    pub async fn keep(&self, arrival: Arrival) -> Result<Kept, StoreError> {
        let mut kept = self.keep_all(vec![arrival]).await;
        kept.pop().unwrap_or(Err(StoreError::Damaged))
    }

    /// Keeps messages of one sender in their order, all in one commit; what became of each.
    ///
    /// Behind one that cannot be kept none is: sent again it would come to stand behind them,
    /// and be taken for the later word of its sender.
    pub async fn keep_all(&self, arrivals: Vec<Arrival>) -> Vec<Result<Kept, StoreError>> {
        let count = arrivals.len();
        let mut messages = Vec::with_capacity(count);
        let mut unread = None;
        for arrival in arrivals {
            match Message::new(arrival, &self.keys) {
                Ok(message) => messages.push(message),
                Err(error) => {
                    unread = Some(error);
                    break;
                }
            }
        }
        let mut each = self.keep_ready(messages).await;
        each.extend(unread.filter(|_| each.iter().all(Result::is_ok)).map(Err));
        each.extend(repeat_with(|| Err(StoreError::Unavailable)).take(count - each.len()));
        each
    }

    /// Of those behind one that was not kept nothing is said.
    async fn keep_ready(&self, messages: Vec<Message>) -> Each {
        if messages.is_empty() {
            return Each::new();
        }
        let messages: Arc<[Message]> = messages.into();
        match self.write(Request::Keep(Arc::clone(&messages))).await {
            Ok(Answer::KeptAll(each)) => each,
            Ok(_) => vec![Err(StoreError::Damaged)],
            Err(error) => vec![Err(error)],
        }
    }
}

impl Writer {
    /// Keeps messages one after the other, until one is refused.
    pub(super) fn keep_all(&mut self, messages: &[Message]) -> Result<Each, Stop> {
        let mut each = Each::with_capacity(messages.len());
        for message in messages {
            match self.keep_marked(message) {
                Ok(kept) => each.push(Ok(kept)),
                Err(Stop::Refused(error)) => {
                    each.push(Err(error));
                    break;
                }
                Err(broken) => return Err(broken),
            }
        }
        Ok(each)
    }

    /// A row of a table is marked once it is kept: one that was refused is read again.
    fn keep_marked(&mut self, message: &Message) -> Result<Kept, Stop> {
        let kept = self.keep(message)?;
        if let Some(mark) = &message.mark {
            self.write_mark(mark)?;
        }
        Ok(kept)
    }
}
