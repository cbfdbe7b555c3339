//! 前置库交换, rows of tables: taken by the one intake, or asked and answered by the one flow.
//!
//! The mark of a table is written in the commit of the row it stands at. What became of a
//! row is written to it afterwards: after a stop in between the row is read again, and the
//! journal says what became of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value as Json, json};
use tokio_util::sync::CancellationToken;

use super::exchange::{remedy, shown};
use super::{Asker, Gateway, Question, Unit};
use crate::audit::Hash;
use crate::outbound::table::settings::{InquirySettings, TableSettings};
use crate::outbound::table::{Link, Row, Status, Table, TableError};
use crate::store::{Database, Mark};
use crate::translate::Form;
use crate::vocabulary::Entrance;

/// Inquiries answered in one round.
const INQUIRIES_MAX: i64 = 50;

/// Columns of an inquiry and where they stand in the published one.
const INQUIRY: &[(&str, &str)] = &[
    ("identifier_kind", "/identifier/kind"),
    ("identifier", "/identifier/value"),
    ("person_name", "/person/name"),
    ("birth_date", "/person/birth_date"),
    ("sex", "/person/sex"),
    ("phone", "/person/phone"),
    ("address", "/person/address"),
    ("purpose", "/purpose"),
    ("asker", "/asker"),
    ("call", "/evidence/call"),
    ("case", "/evidence/case"),
    ("reason", "/evidence/reason"),
];

impl Gateway {
    /// Takes the rows of a table until it is told to stop.
    pub async fn serve_table(self: Arc<Self>, settings: TableSettings, stop: CancellationToken) {
        let table = Table {
            name: settings.table.clone(),
            number: settings.number.clone(),
            status: settings.status,
        };
        let mut link = None;
        loop {
            let round = self.table_round(&settings, &table, &mut link).await;
            let full = report(&settings.name, round, &mut link);
            if !full && waits(settings.poll_ms, &stop).await || stop.is_cancelled() {
                return;
            }
        }
    }

    /// Answers the inquiries of a table until it is told to stop.
    pub async fn serve_inquiries(
        self: Arc<Self>,
        settings: InquirySettings,
        stop: CancellationToken,
    ) {
        let table = Table { name: settings.table.clone(), number: "id".to_owned(), status: true };
        let mut link = None;
        loop {
            let round = self.inquiry_round(&settings, &table, &mut link).await;
            let full = report(&settings.name, round, &mut link);
            if !full && waits(settings.poll_ms, &stop).await || stop.is_cancelled() {
                return;
            }
        }
    }

    /// Whether there may be more at once.
    async fn table_round(
        &self,
        settings: &TableSettings,
        table: &Table,
        link: &mut Option<Link>,
    ) -> Result<bool, TableError> {
        let link = connected(&settings.database, link).await?;
        let unwritten = |_| TableError::Database("the store cannot be read".to_owned());
        let mark = self.store.mark(settings.name.clone()).await.map_err(unwritten)?;
        let most = i64::from(settings.rows_max);
        let rows = link.rows(table, (mark, most)).await?;
        let mut settled = Vec::with_capacity(rows.len());
        for row in rows {
            let number = row.number;
            // What is not in the journal is read again, after a pause.
            let Some(status) = self.take_row(settings, row).await else { break };
            settled.push((number, status));
        }
        if table.status && !settled.is_empty() {
            link.settle(table, &settled).await?;
        }
        Ok(i64::try_from(settled.len()).is_ok_and(|count| count == most))
    }

    async fn take_row(&self, settings: &TableSettings, row: Row) -> Option<Status> {
        let bytes = Bytes::from(unit(&row.columns));
        // A row that was mended is another unit, one that was read twice is the same.
        let digest = Hash::digest(&bytes).to_string();
        let digest = digest.get(..8).unwrap_or_default();
        let unit = Unit {
            certificate: None,
            sender: Some(settings.sender),
            form: Form::CivilCsv,
            entrance: Entrance::Table,
            mark: Some(Mark { name: settings.name.clone(), value: row.number }),
            number: Some(format!("{}/{}/{digest}", settings.name, row.number)),
            bytes,
        };
        let _inside = self.admit_push((None, unit.sender), unit.entrance).await.ok()?;
        let taken = self.take(unit).await;
        let kept = taken.kept.as_ref().ok()?;
        let state = kept.state.as_str().to_owned();
        let Some(reason) = taken.reason() else {
            return Some(Status { state, ..Status::default() });
        };
        let (zh, en) = remedy(reason.fault);
        Some(Status {
            state,
            fault: Some(reason.fault.row().name.to_owned()),
            at: Some(shown(Form::CivilCsv, reason.at.as_ref())),
            remedy: Some(format!("{zh} {en}")),
        })
    }

    async fn inquiry_round(
        &self,
        settings: &InquirySettings,
        table: &Table,
        link: &mut Option<Link>,
    ) -> Result<bool, TableError> {
        let link = connected(&settings.database, link).await?;
        let rows = link.rows(table, (0, INQUIRIES_MAX)).await?;
        let full = i64::try_from(rows.len()).is_ok_and(|count| count == INQUIRIES_MAX);
        for row in rows {
            let asker = (settings.department, settings.role);
            let (status, answers) = self.answer_row(asker, &row).await;
            let tables = (table, settings.answers.as_str());
            link.answer(tables, (row.number, &status), &answers).await?;
        }
        Ok(full)
    }

    /// One inquiry through policy and ledger, its answer as rows.
    async fn answer_row(&self, asker: Asker, row: &Row) -> (Status, Vec<AnswerRow>) {
        let body = Bytes::from(inquiry(&row.columns).to_string());
        let question = Question { asker: Some(asker), ..Question::read(None, &body) };
        let answered = self.answer(question).await;
        let answer: Json = serde_json::from_slice(&answered.body).unwrap_or_default();
        let text =
            |pointer: &str| answer.pointer(pointer).and_then(Json::as_str).map(str::to_owned);
        if answered.status != 200 {
            let remedy = text("/remedy/zh").zip(text("/remedy/en"));
            let status = Status {
                state: "refused".to_owned(),
                fault: text("/fault"),
                at: text("/at"),
                remedy: remedy.map(|(zh, en)| format!("{zh} {en}")),
            };
            return (status, vec![receipt(&answer)]);
        }
        let released = answer.get("elements").and_then(Json::as_array).into_iter().flatten();
        let withheld = answer.get("withheld").and_then(Json::as_array).into_iter().flatten();
        let rows = std::iter::once(receipt(&answer)).chain(released.chain(withheld).map(cells));
        (Status { state: "answered".to_owned(), ..Status::default() }, rows.collect())
    }
}

/// Columns of one row of an answer.
type AnswerRow = Vec<(&'static str, Option<String>)>;

/// The first row of an answer: where the ledger says so, and by which rules.
fn receipt(answer: &Json) -> AnswerRow {
    ["receipt", "purpose", "answered_at"].map(|name| (name, spelled(answer.get(name)))).into()
}

/// One element, released or withheld.
fn cells(element: &Json) -> AnswerRow {
    let plain = ["element", "tier", "value", "source", "dataset", "as_of", "rule"];
    let mut row: AnswerRow = plain.map(|name| (name, spelled(element.get(name)))).into();
    row.push(("name_zh", spelled(element.pointer("/name/zh"))));
    row.push(("remedy_zh", spelled(element.pointer("/remedy/zh"))));
    row.push(("group_number", spelled(element.get("group"))));
    row
}

fn spelled(value: Option<&Json>) -> Option<String> {
    match value? {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// The published inquiry of a row; a column it does not have is refused there.
fn inquiry(columns: &[(String, String)]) -> Json {
    let mut whole = Map::new();
    for (column, value) in columns {
        let Some((_, pointer)) = INQUIRY.iter().find(|(name, _)| name == column) else {
            let listed = value.split([',', ' ']).filter(|id| !id.is_empty());
            let listed: Vec<Json> = listed.map(Json::from).collect();
            let json = if column == "elements" { listed.into() } else { json!(value) };
            whole.insert(column.clone(), json);
            continue;
        };
        match pointer.trim_start_matches('/').split_once('/') {
            Some((outer, inner)) => {
                let slot = whole.entry(outer).or_insert_with(|| Json::Object(Map::new()));
                if let Json::Object(members) = slot {
                    members.insert(inner.to_owned(), json!(value));
                }
            }
            None => drop(whole.insert(pointer.trim_start_matches('/').to_owned(), json!(value))),
        }
    }
    whole.into()
}

/// A row as a table of one: marked as UTF-8, whatever its sender's files are written in.
fn unit(columns: &[(String, String)]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(b"\xef\xbb\xbf".to_vec());
    // Writing to memory cannot fail.
    let _ = writer.write_record(columns.iter().map(|(name, _)| name));
    let _ = writer.write_record(columns.iter().map(|(_, value)| value));
    writer.into_inner().unwrap_or_default()
}

async fn connected<'l>(
    database: &Database,
    link: &'l mut Option<Link>,
) -> Result<&'l mut Link, TableError> {
    match link {
        Some(link) => Ok(link),
        none => Ok(none.insert(Link::to(database).await?)),
    }
}

/// Logs what went wrong once it does, and lets go of the connection.
fn report(name: &str, round: Result<bool, TableError>, link: &mut Option<Link>) -> bool {
    round.unwrap_or_else(|error| {
        tracing::warn!(table.name = name, error.kind = %error, "table unusable");
        *link = None;
        false
    })
}

/// Whether it is time to stop.
async fn waits(poll_ms: u64, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = stop.cancelled() => true,
        () = tokio::time::sleep(Duration::from_millis(poll_ms.max(10))) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_row_is_an_inquiry_of_the_published_interface() {
        let row = [
            ("identifier_kind", "citizen-id"),
            ("identifier", "410105194803120420"),
            ("purpose", "living-check"),
            ("elements", "MZ.person.deceased, MZ.death.source"),
            ("case", "A-1"),
            ("stray", "x"),
        ];
        let expect = json!({
            "identifier": { "kind": "citizen-id", "value": "410105194803120420" },
            "purpose": "living-check",
            "elements": ["MZ.person.deceased", "MZ.death.source"],
            "evidence": { "case": "A-1" },
            "stray": "x",
        });
        assert_eq!(inquiry(&columns(&row)), expect);
    }

    #[test]
    fn a_row_is_a_table_of_one() {
        let row = columns(&[("dataset", "subsidy-payment"), ("payer", "a,\"b\"")]);
        let text = String::from_utf8(unit(&row)).unwrap();
        assert_eq!(text, "\u{feff}dataset,payer\nsubsidy-payment,\"a,\"\"b\"\"\"\n");
    }

    #[test]
    fn an_element_is_a_row_released_or_withheld() {
        let released = json!({ "element": "MZ.a", "tier": "full", "value": true, "group": 1 });
        let row = cells(&released);
        assert!(row.contains(&("value", Some("true".to_owned()))));
        assert!(row.contains(&("group_number", Some("1".to_owned()))));
        let withheld = cells(&json!({ "element": "MZ.b", "rule": "default-deny" }));
        assert!(withheld.contains(&("value", None)));
        assert!(withheld.contains(&("rule", Some("default-deny".to_owned()))));
    }
}
