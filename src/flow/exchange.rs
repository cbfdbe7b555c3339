//! 文件入库, a file of many units: each taken by the one intake, what was not goes back.
//!
//! A unit is known by its bytes: the same row sent again, in this file or a later one, gets
//! the outcome it had. So a file may be taken as often as it must, and a repaired file of
//! rejects brings only what is new.

mod rejects;
mod split;

use bytes::Bytes;
use serde_json::json;

use super::{Gateway, Taken, Unit};
use crate::audit::Hash;
use crate::inbound::exchange::{Found, Left, Settings};
use crate::store::{Exchanged, State, Sums};
use crate::translate::Form;
use crate::vocabulary::{Entrance, Fault, Position};
use rejects::Reject;
pub(super) use rejects::remedy;
use split::Pieces;

/// Units of a file that share a commit.
const TOGETHER: usize = 30;
/// Rejects a report lists one by one.
const LISTED_MAX: usize = 1_000;

/// What became of the units of a file.
#[derive(Default)]
struct Outcome {
    sums: Sums,
    repeated: u64,
    rejects: Vec<Reject>,
}

impl Gateway {
    /// Takes every unit of a file; `None` if the store cannot be written now.
    pub async fn take_file(&self, exchange: &Settings, found: Found) -> Option<Left> {
        let name = found.name.clone();
        let Some(bytes) = found.bytes else {
            return Some(refused(&name, Fault::Limit, &Hash::digest(name.as_bytes())));
        };
        let digest = Hash::digest(&bytes);
        let mark = short(&digest);
        let known = self.store.exchanged(exchange.name.clone(), *digest.as_bytes()).await;
        if known.ok()?.is_some() {
            tracing::info!(exchange.name = exchange.name, "a file was here before");
            return Some(Left { mark, ..Left::default() });
        }
        let limits = (exchange.units_max, &self.limits.json);
        let pieces = match split::split(&name, &bytes, limits) {
            Ok(pieces) => pieces,
            Err(fault) => return Some(refused(&name, fault, &digest)),
        };
        let mut outcome = Outcome::default();
        for (group, some) in pieces.units.chunks(TOGETHER).enumerate() {
            let taken = self.take_pieces(exchange, (pieces.form, some)).await?;
            for (index, taken) in (group * TOGETHER..).zip(&taken) {
                outcome.add(index, taken)?;
            }
        }
        let charset = self.rules.load().pack.charset_of(exchange.sender);
        let left = Left {
            mark,
            rejects: rejects::write(&pieces, &outcome.rejects, charset),
            report: Some(report(&name, &pieces, &outcome)),
            sums: outcome.sums,
            whole: false,
        };
        let Sums { kept, quarantined, refused } = outcome.sums;
        let units = outcome.sums.received();
        tracing::info!(exchange.name = exchange.name, units, kept, quarantined, refused, "taken");
        Some(left)
    }

    /// Notes that all of a file is taken: it is not looked into again.
    pub async fn note_file(&self, exchange: &Settings, (found, sums): (Found, Sums)) -> bool {
        let Some(bytes) = found.bytes else { return false };
        let digest = *Hash::digest(&bytes).as_bytes();
        let name = exchange.name.clone();
        if self.store.exchanged(name.clone(), digest).await.is_ok_and(|known| known.is_some()) {
            return true;
        }
        let at_ms = (self.clock)();
        let file = Exchanged { exchange: name, digest, sums, at_ms };
        self.store.note_exchanged(file).await.is_ok()
    }

    /// Takes units that stand next to each other in a file, in one commit.
    async fn take_pieces(
        &self,
        exchange: &Settings,
        (form, some): (Form, &[Bytes]),
    ) -> Option<Vec<Taken>> {
        let (sender, entrance) = (Some(exchange.sender), Entrance::Folder);
        let _inside = self.admit_push((None, sender), entrance).await.ok()?;
        let unit = |bytes: &Bytes| {
            let bytes = bytes.clone();
            Unit { certificate: None, sender, form, entrance, mark: None, number: None, bytes }
        };
        Some(self.take_all(some.iter().map(unit).collect()).await)
    }
}

impl Outcome {
    /// Counts one unit; `None` if it is not in the journal.
    fn add(&mut self, unit: usize, taken: &Taken) -> Option<()> {
        let kept = taken.kept.as_ref().ok()?;
        self.repeated += u64::from(kept.repeat);
        match kept.state {
            State::Kept => self.sums.kept += 1,
            State::Quarantined => self.sums.quarantined += 1,
            State::Refused => self.sums.refused += 1,
        }
        if let Some(reason) = taken.reason() {
            let (state, diagnostic) = (kept.state, taken.diagnostic);
            let (fault, at) = (reason.fault, reason.at);
            self.rejects.push(Reject { unit, state, fault, at, diagnostic });
        }
        Some(())
    }
}

/// A file of which nothing could be taken.
fn refused(name: &str, fault: Fault, digest: &Hash) -> Left {
    let row = fault.row();
    let report = json!({
        "file": name, "units": 0, "kept": 0, "quarantined": 0, "refused": 0, "repeated": 0,
        "fault": row.name, "message": { "zh": row.zh, "en": row.en },
    });
    let report = Some(report.to_string().into_bytes());
    Left { mark: short(digest), report, whole: true, ..Left::default() }
}

/// What became of each unit: positions and counts, never a value.
fn report(name: &str, pieces: &Pieces, outcome: &Outcome) -> Vec<u8> {
    let Sums { kept, quarantined, refused } = outcome.sums;
    let rejects = outcome.rejects.iter().take(LISTED_MAX);
    let rejects: Vec<_> = rejects.map(|reject| reject.as_json(pieces.form)).collect();
    let report = json!({
        "file": name,
        "form": pieces.form.name(),
        "units": outcome.sums.received(),
        "kept": kept,
        "quarantined": quarantined,
        "refused": refused,
        "repeated": outcome.repeated,
        "announced": pieces.announced,
        "rejects": rejects,
    });
    serde_json::to_vec_pretty(&report).unwrap_or_default()
}

/// Eight digits tell two files of one name apart.
fn short(digest: &Hash) -> String {
    digest.to_string().chars().take(8).collect()
}

/// A place as the syntax names it: the column of a table, the pointer of a document.
pub(super) fn shown(form: Form, at: Option<&Position>) -> String {
    let Some(at) = at else { return String::new() };
    let Position::Pointer(pointer) = at else { return at.to_string() };
    if form != Form::CivilCsv {
        return pointer.clone();
    }
    let steps = pointer.split('/').skip(1).map(|step| match step.parse::<usize>() {
        Ok(index) => (index + 1).to_string(),
        Err(_) => step.replace("~1", "/").replace("~0", "~"),
    });
    steps.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests;
