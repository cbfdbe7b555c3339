//! 审计外送, the ledger is sent to audit repositories as it grows: DICOM audit messages by syslog.
//!
//! It may lag and holds up nothing: an entry is in the ledger before anybody is sent it. How far
//! each sink has taken it stands in the store, so a restart goes on from there; at least once.

use std::sync::Arc;
use std::time::Duration;

use metrics::gauge;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Gateway;
use crate::audit::Entry;
use crate::audit::export::dicom;
use crate::inbound::console::view::SinkRow;
use crate::outbound::sink::{Flow, Session};
use crate::outbound::{LineError, Sink};
use crate::store::{LedgerEntry, LedgerView, StoreError};
use crate::wire::syslog::{Header, frame};

/// How often it is looked what is new.
const LOOKED_EVERY: Duration = Duration::from_millis(250);
/// Entries written at once.
const PAGE_ROWS: u64 = 512;

/// How the ledger stands towards a sink.
struct Lag {
    /// Entries.
    size: u64,
    /// The first it has not taken.
    taken: u64,
    /// When that was entered, in milliseconds since 1970; `None` if it has taken all.
    oldest_ms: Option<i64>,
}

impl Gateway {
    /// Sends each sink what is new, until it is told to stop. None waits for another.
    pub async fn keep_sending(self: Arc<Self>, stop: CancellationToken) {
        let mut turns = JoinSet::new();
        loop {
            for sink in self.sinks.load_full().iter() {
                let (gateway, sink) = (Arc::clone(&self), Arc::clone(sink));
                turns.spawn(async move { gateway.turn_of(&sink).await });
            }
            while turns.try_join_next().is_some() {}
            tokio::select! {
                () = stop.cancelled() => return turns.shutdown().await,
                () = tokio::time::sleep(LOOKED_EVERY) => (),
            }
        }
    }

    /// One turn of one sink: what has settled is noted, what is new is sent.
    async fn turn_of(&self, sink: &Sink) {
        let name = sink.settings().name.as_str();
        let Ok(lag) = self.lag(name).await else { return };
        let labels = [("sink", name.to_owned())];
        let behind_ms = lag.oldest_ms.map_or(0, |oldest| (self.clock)() - oldest).max(0);
        gauge!("kangqiao_audit_sink_waiting", &labels).set((lag.size - lag.taken) as f64);
        gauge!("kangqiao_audit_sink_behind_seconds", &labels).set((behind_ms / 1000) as f64);
        let Some(mut session) = sink.turn() else { return };
        let ended = self.send(sink, &mut session, &lag).await;
        let why = ended.err();
        let changed = sink.note(&mut session, ended);
        let connected = if sink.flow() == Flow::Connected { 1.0 } else { 0.0 };
        gauge!("kangqiao_audit_sink_connected", &labels).set(connected);
        match why {
            Some(error) if changed => {
                tracing::warn!(sink.name = name, error = %error, "an audit sink takes nothing");
            }
            None if changed => tracing::info!(sink.name = name, "an audit sink is connected"),
            _ => (),
        }
    }

    async fn send(&self, sink: &Sink, session: &mut Session, lag: &Lag) -> Result<(), LineError> {
        sink.connect(session, lag.taken).await?;
        Sink::stands(session)?;
        let mut taken = lag.taken;
        if let Some(next) = sink.settled(session) {
            // What cannot be noted now is noted at a later turn; after a restart it is sent again.
            if self.store.taken(&sink.settings().name, next).await.is_ok() {
                session.noted(next);
                taken = next;
            }
            session.prove();
        }
        let most = taken.saturating_add(sink.settings().unsettled_max).min(lag.size);
        while session.next() < most {
            let (from, until) = (session.next(), most.min(session.next() + PAGE_ROWS));
            let origin = self.watch.verifying().name().to_owned();
            let page = self.store.look(move |view| frames(view, (from, until), &origin)).await;
            // A ledger that cannot be read is told elsewhere; what is read later is sent later.
            let Ok(Ok(frames)) = page else { return Ok(()) };
            sink.write(session, (&frames, until)).await?;
        }
        Ok(())
    }

    async fn lag(&self, sink: &str) -> Result<Lag, StoreError> {
        let sink = sink.to_owned();
        self.store.look(move |view| lag(view, &sink)).await?
    }

    /// The sinks as the overview shows them.
    pub(super) async fn sink_rows(&self) -> Result<Vec<SinkRow>, StoreError> {
        let mut rows = Vec::new();
        for sink in self.sinks.load_full().iter() {
            let name = sink.settings().name.clone();
            let Lag { size, taken, oldest_ms } = self.lag(&name).await?;
            let connected = match sink.flow() {
                Flow::NotYet => None,
                flow => Some(flow == Flow::Connected),
            };
            rows.push(SinkRow { name, connected, waiting: size - taken, oldest_ms });
        }
        Ok(rows)
    }
}

fn lag(view: LedgerView<'_>, sink: &str) -> Result<Lag, StoreError> {
    let size = view.size()?;
    // A store that was put back has fewer entries than the sink was sent.
    let taken = view.taken(sink)?.min(size);
    let oldest_ms = view.entries(taken, 1)?.first().map(|entry| entry.at_ms);
    Ok(Lag { size, taken, oldest_ms })
}

/// Entries of a range as frames.
fn frames(
    view: LedgerView<'_>,
    (from, until): (u64, u64),
    origin: &str,
) -> Result<Vec<u8>, StoreError> {
    let rows = view.entries(from, usize::try_from(until - from).unwrap_or(usize::MAX))?;
    let mut out = Vec::new();
    for LedgerEntry { number, at_ms, bytes } in rows {
        let header = Header { at_ms, host: origin, program: "kangqiao", kind: dicom::MESSAGE_KIND };
        let message = Entry::from_bytes(&bytes).ok();
        let message = message.and_then(|entry| dicom::message(number, &entry).ok());
        match message {
            Some(message) => frame(header, &message, &mut out),
            // A check of the whole ledger names it; the others are sent nevertheless.
            None => tracing::error!(entry.number = number, "an entry of the ledger cannot be read"),
        }
    }
    Ok(out)
}
