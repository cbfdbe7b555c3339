//! 回执, what the sender of a unit is told where its form has no acknowledgement of its own.
//!
//! ```text
//! {"number": 12, "state": "kept", "fault": null, "message": null, "at": null, "notes": [],
//!  "bins": {"mapped": 40, "carried": 2, "dropped": 3, "unmapped": 0, "first_unmapped": []},
//!  "received_at": "2026-11-21T08:00:00+08:00"}
//! ```

use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::translate::Bins;
use crate::vocabulary::{Date, Fault, Position};

/// What became of one unit. Positions and counts, never a value.
#[derive(Debug, Clone)]
pub struct Receipt<'a> {
    /// Its number in the journal; `None` if nothing was kept.
    pub number: Option<u64>,
    /// `kept`, `quarantined`, `refused` or `unavailable`.
    pub state: &'static str,
    /// What is wrong.
    pub fault: Option<Fault>,
    /// Where.
    pub at: Option<Position>,
    /// A finer name of what is wrong.
    pub diagnostic: Option<&'static str>,
    /// Whether other bytes came under the same number before.
    pub reused: bool,
    /// Where its leaves ended.
    pub bins: Option<&'a Bins>,
    /// When it arrived, milliseconds since 1970.
    pub received_at_ms: i64,
}

#[derive(Serialize)]
struct Text {
    zh: &'static str,
    en: &'static str,
}

const REUSED: Text = Text {
    zh: "该编号此前用于不同的内容，两者均已保存",
    en: "other content came under this number before; both are kept",
};
const KEPT_ASIDE: Text = Text {
    zh: "已隔离保存，映射修正后可重放，无需重发",
    en: "kept aside; it can be replayed once the mapping is mended, do not send it again",
};
const UNMAPPED: Text = Text {
    zh: "部分内容没有映射，已随记录保存但不会披露",
    en: "some content has no mapping; it is kept with the record and released to nobody",
};

impl Receipt<'_> {
    /// Of something that was not looked at.
    #[must_use]
    pub const fn of(fault: Fault) -> Self {
        Self {
            number: None,
            state: "unavailable",
            fault: Some(fault),
            at: None,
            diagnostic: None,
            reused: false,
            bins: None,
            received_at_ms: 0,
        }
    }

    /// The HTTP status: that of the fault, else 200.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.fault.map_or(200, |fault| fault.row().http_status)
    }

    /// The receipt as JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let message = self.fault.map(|fault| Text { zh: fault.row().zh, en: fault.row().en });
        json!({
            "number": self.number,
            "state": self.state,
            "fault": self.fault,
            "message": message,
            "at": self.at.as_ref().map(ToString::to_string),
            "diagnostic": self.diagnostic,
            "notes": self.notes(),
            "bins": self.bins.map(bins),
            "received_at": Date::from_timestamp(self.received_at_ms / 1000).to_iso(),
        })
    }

    fn notes(&self) -> Vec<Text> {
        let unmapped = self.bins.is_some_and(|bins| bins.unmapped > 0);
        let aside = self.state == "quarantined";
        let said = [(self.reused, REUSED), (aside, KEPT_ASIDE), (unmapped, UNMAPPED)];
        said.into_iter().filter_map(|(holds, note)| holds.then_some(note)).collect()
    }
}

/// Writes the receipts of one body: one alone, several as a list. The status of several is
/// 200 if they are all kept, 207 (RFC 4918 section 13) if each must be looked at.
#[must_use]
pub fn write(receipts: &[Receipt<'_>]) -> (u16, Vec<u8>) {
    let json: Vec<_> = receipts.iter().map(Receipt::to_json).collect();
    let (status, body) = match (receipts, json.as_slice()) {
        ([receipt], [json]) => (receipt.status(), serde_json::to_vec(json)),
        _ => {
            let whole = receipts.iter().all(|receipt| receipt.status() == 200);
            (if whole { 200 } else { 207 }, serde_json::to_vec(&json!({ "receipts": json })))
        }
    };
    // Texts, numbers and lists alone: serialising them cannot fail.
    (status, body.unwrap_or_default())
}

/// Writes receipts as a list, whatever they say: whoever asked for them is answered.
#[must_use]
pub fn list(receipts: &[Receipt<'_>]) -> Vec<u8> {
    let json: Vec<_> = receipts.iter().map(Receipt::to_json).collect();
    serde_json::to_vec(&json!({ "receipts": json })).unwrap_or_default()
}

fn bins(bins: &Bins) -> Json {
    let unmapped: Vec<_> = bins.first_unmapped.iter().map(ToString::to_string).collect();
    json!({
        "mapped": bins.mapped,
        "carried": bins.carried,
        "dropped": bins.dropped,
        "unmapped": bins.unmapped,
        "first_unmapped": unmapped,
    })
}
