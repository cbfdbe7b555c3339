//! 退回, what was not taken, as a file of the same form that can be mended and sent again.
//!
//! A table keeps its columns and gets some that begin with `_`; a JSON record gets a member
//! `_rejected`; XML gets a comment before the record; HL7 messages come back as they were,
//! what is wrong stands in the report. All of it is passed over when it is sent again.

use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::shown;
use super::split::Pieces;
use crate::store::State;
use crate::translate::{Form, civil};
use crate::vocabulary::{Fault, Position};
use crate::wire::Charset;

/// One unit that was not applied.
#[derive(Debug)]
pub struct Reject {
    /// Its number in the file, from 0.
    pub unit: usize,
    /// Kept aside, or refused.
    pub state: State,
    /// What is wrong.
    pub fault: Fault,
    /// Where.
    pub at: Option<Position>,
    /// A finer name of it.
    pub diagnostic: Option<&'static str>,
}

/// The columns about a reject.
const COLUMNS: [&str; 6] = ["_row", "_state", "_fault", "_at", "_remedy_zh", "_remedy_en"];

impl Reject {
    /// For the report and for records of JSON.
    pub fn as_json(&self, form: Form) -> Json {
        let (zh, en) = remedy(self.fault);
        json!({
            "unit": self.unit + 1,
            "state": self.state.as_str(),
            "fault": self.fault.row().name,
            "diagnostic": self.diagnostic,
            "at": shown(form, self.at.as_ref()),
            "remedy": { "zh": zh, "en": en },
        })
    }

    fn cells(&self, form: Form) -> [String; 6] {
        let (zh, en) = remedy(self.fault);
        let (fault, at) = (self.fault.row().name, shown(form, self.at.as_ref()));
        let row = (self.unit + 1).to_string();
        [&row, self.state.as_str(), fault, &at, zh, en].map(str::to_owned)
    }
}

/// The file of rejects and the ending of its name; `None` if there are none.
pub fn write(
    pieces: &Pieces,
    rejects: &[Reject],
    charset: Option<Charset>,
) -> Option<(Vec<u8>, &'static str)> {
    if rejects.is_empty() {
        return None;
    }
    let named = rejects.iter().filter_map(|reject| Some((reject, pieces.units.get(reject.unit)?)));
    Some(match pieces.form {
        Form::CivilCsv => (table(named, charset), "csv"),
        Form::CivilXml => (markup(named), "xml"),
        Form::Hl7v2 => (named.flat_map(|(_, unit)| [&unit[..], b"\r"].concat()).collect(), "hl7"),
        Form::Card => (records(pieces.form, named), "card"),
        Form::Cda => (named.flat_map(|(_, unit)| unit.to_vec()).collect(), "xml"),
        form => (records(form, named), "jsonl"),
    })
}

type Named<'r> = (&'r Reject, &'r Bytes);

/// The rows as they came, and behind them what is wrong with each.
fn table<'r>(named: impl Iterator<Item = Named<'r>>, charset: Option<Charset>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    let mut charset = charset;
    let mut headed = false;
    for (reject, unit) in named {
        let plain = unit.strip_prefix(b"\xef\xbb\xbf").unwrap_or(unit);
        let told = charset.unwrap_or_else(|| match std::str::from_utf8(plain) {
            Ok(_) => Charset::Utf8,
            Err(_) => Charset::Gb18030,
        });
        charset = Some(told);
        let text = told.decode(plain).unwrap_or_else(|_| String::from_utf8_lossy(plain));
        let mut reader = csv::ReaderBuilder::new();
        let mut reader = reader.has_headers(false).flexible(true).from_reader(text.as_bytes());
        let mut lines = reader.records().filter_map(Result::ok);
        let (header, row) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        let own: Vec<_> = header.iter().map(|name| !name.trim().starts_with('_')).collect();
        let kept = |record: &csv::StringRecord| -> Vec<String> {
            let cells = record.iter().enumerate();
            let cells = cells.filter(|(at, _)| own.get(*at).copied().unwrap_or(true));
            cells.map(|(_, cell)| cell.to_owned()).collect()
        };
        // Writing to memory cannot fail.
        if !std::mem::replace(&mut headed, true) {
            let columns = COLUMNS.map(str::to_owned);
            let _ = writer.write_record(kept(&header).into_iter().chain(columns));
        }
        let _ = writer.write_record(kept(&row).into_iter().chain(reject.cells(Form::CivilCsv)));
    }
    let text = String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default();
    charset.unwrap_or(Charset::Utf8).encode_lossy(&text).into_owned()
}

/// One record a line; what is no record stands as text.
fn records<'r>(form: Form, named: impl Iterator<Item = Named<'r>>) -> Vec<u8> {
    let mut written = Vec::new();
    for (reject, unit) in named {
        let text = || json!({ "_text": String::from_utf8_lossy(unit) });
        let mut record = serde_json::from_slice(unit).ok().filter(Json::is_object);
        let record = record.get_or_insert_with(text);
        if let Json::Object(members) = record {
            members.insert("_rejected".to_owned(), reject.as_json(form));
        }
        written.extend(serde_json::to_vec(record).unwrap_or_default());
        written.push(b'\n');
    }
    written
}

fn markup<'r>(named: impl Iterator<Item = Named<'r>>) -> Vec<u8> {
    let mut written = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    written.push_str(&format!("<{} xmlns=\"{}\">\n", civil::LIST, civil::NAMESPACE));
    for (reject, unit) in named {
        let [row, state, fault, at, zh, en] = reject.cells(Form::CivilXml);
        // Two hyphens would end the comment.
        let about = format!("{row}: {state}, {fault} {at}; {zh}; {en}").replace("--", "- -");
        written.push_str(&format!("<!-- {about} -->\n"));
        let text = String::from_utf8_lossy(unit);
        let record = text.trim_start_matches('\u{feff}');
        let record = match record.starts_with("<?xml") {
            true => record.split_once("?>").map_or(record, |(_, record)| record),
            false => record,
        };
        written.push_str(record.trim());
        written.push('\n');
    }
    written.push_str(&format!("</{}>\n", civil::LIST));
    written.into_bytes()
}

/// What the sender can do.
pub const fn remedy(fault: Fault) -> (&'static str, &'static str) {
    match fault {
        Fault::CardConflict => (
            "卡号属于他人：请核对卡号与身份证号，勿重发",
            "the card number is another person's: compare card and identity number",
        ),
        Fault::DataType => (
            "按接口规定的格式填写，日期为 2026-11-21",
            "write the value in the form of the interface, a date as 2026-11-21",
        ),
        Fault::IdentifierInvalid => (
            "与证件核对号码，校验位不符",
            "compare the number with the document: its check character is wrong",
        ),
        Fault::IdentityConflict => (
            "同一行的号码属于不同人员，请核对",
            "the numbers of this row belong to different persons: compare them",
        ),
        Fault::IdentityMissing => (
            "填写身份证号、健康卡号或健康档案号",
            "give a citizen id, a card number or a record number",
        ),
        Fault::RequiredMissing => ("补填该项", "fill in this field"),
        Fault::TableValue => (
            "改用接口公布的代码；本地代码请写入城市映射文件",
            "use a code of the interface; local codes belong in the city's mapping file",
        ),
        Fault::UnsupportedMessage => {
            ("dataset 应为接口公布的数据集名称", "dataset is the name of a published dataset")
        }
        other => {
            let row = other.row();
            (row.zh, row.en)
        }
    }
}
