//! 格式, the forms a unit comes in, and reading one of any form.

use serde_json::Value as Json;

use super::{
    Bins, Envelope, NoDocument, Pack, TranslateError, Translation, civil, document, plain,
    record_to_json, tokens, v3,
};
use crate::vocabulary::{Dataset, Fault, Position, Record, Source};
use crate::wire::charset::Charset;
use crate::wire::hl7v2::Message;
use crate::wire::{Tree, hl7v2, json, xml};

/// What one unit may be written in.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// HL7 v2.1 to 2.9, vertical bars.
    Hl7v2,
    /// A clinical document: WS/T 500, WS/T 483.
    Cda,
    /// HL7 v3, dialect of the regional platforms.
    V3Regional,
    /// HL7 v3, dialect of the hospital platforms.
    V3Hospital,
    /// FHIR R4 JSON.
    Fhir,
    /// 民政接口 JSON.
    CivilJson,
    /// 民政接口 XML.
    CivilXml,
    /// 民政接口 CSV, one row with its header.
    CivilCsv,
    /// 居民健康卡.
    Card,
    /// What the record platform answers.
    PlatformJson,
    /// The elements themselves.
    Elements,
    /// 令牌, what a source veiled itself.
    Tokens,
}

impl Form {
    /// Every form, in the order of the documentation.
    pub const ALL: &[Self] = &[
        Self::Hl7v2,
        Self::Cda,
        Self::V3Regional,
        Self::V3Hospital,
        Self::Fhir,
        Self::CivilJson,
        Self::CivilXml,
        Self::CivilCsv,
        Self::Card,
        Self::PlatformJson,
        Self::Elements,
        Self::Tokens,
    ];

    /// Its name in commands, metrics and the journal.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hl7v2 => "hl7v2",
            Self::Cda => "cda",
            Self::V3Regional => "v3-regional",
            Self::V3Hospital => "v3-hospital",
            Self::Fhir => "fhir",
            Self::CivilJson => "civil-json",
            Self::CivilXml => "civil-xml",
            Self::CivilCsv => "civil-csv",
            Self::Card => "card",
            Self::PlatformJson => "platform-json",
            Self::Elements => "elements",
            Self::Tokens => "tokens",
        }
    }

    /// Whether it is JSON, so that several can be one list.
    #[must_use]
    pub const fn is_json(self) -> bool {
        matches!(self, Self::CivilJson | Self::Elements | Self::Fhir | Self::PlatformJson)
    }

    /// The form of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|form| form.name() == name)
    }
}

/// What one unit may hold at most, by syntax.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Of HL7 v2.
    pub hl7v2: hl7v2::Limits,
    /// Of the JSON forms.
    pub json: json::Limits,
    /// Of the XML forms.
    pub xml: xml::Limits,
}

/// Why a unit could not be read, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .fault.row().en)]
pub struct Unread {
    /// What the peer is told.
    pub fault: Fault,
    /// Where it stands.
    pub at: Option<Position>,
    /// The name of what is wrong, where there is a finer one than the fault.
    pub diagnostic: Option<&'static str>,
    /// Whether the bytes are sound and a later mapping may read them.
    pub replayable: bool,
}

impl From<TranslateError> for Unread {
    fn from(error: TranslateError) -> Self {
        let at = Some(error.at().clone());
        Self { fault: error.fault(), at, diagnostic: None, replayable: true }
    }
}

impl From<NoDocument> for Unread {
    fn from(error: NoDocument) -> Self {
        let diagnostic = Some(error.fault.row().name);
        Self { fault: error.fault, at: Some(error.at), diagnostic, replayable: false }
    }
}

impl Unread {
    /// Bytes that are not what their form is.
    #[must_use]
    pub const fn malformed(fault: Fault, at: Option<Position>) -> Self {
        Self { fault, at, diagnostic: None, replayable: false }
    }
}

impl Pack {
    /// Reads one unit in any form; most are one record.
    ///
    /// # Errors
    /// [`Unread`] with fault and position.
    pub fn read(
        &self,
        (form, sender): (Form, Source),
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<Vec<Translation>, Unread> {
        match form {
            Form::Hl7v2 => {
                let charset = self.overlay(sender).charset.unwrap_or(Charset::Utf8);
                let message = Message::read(bytes, charset, &limits.hl7v2)
                    .map_err(|error| Unread::malformed(error.fault(), error.position().cloned()))?;
                Ok(vec![self.read_hl7(sender, &message)?])
            }
            Form::CivilCsv | Form::CivilJson | Form::CivilXml => {
                civil::read(self, (form, sender), (bytes, limits), None)
            }
            Form::Card | Form::PlatformJson => {
                document::read_bytes(self, (form.name(), sender), (bytes, limits), None)
            }
            Form::Cda => Ok(vec![self.read_cda(sender, bytes, &limits.xml)?]),
            Form::V3Hospital | Form::V3Regional => v3::read(self, (form, sender), (bytes, limits)),
            Form::Fhir => {
                let value = parsed(bytes, limits)?;
                Ok(vec![self.read_fhir(sender, &Tree::from_json(&value))?])
            }
            Form::Elements => self.elements(sender, &parsed(bytes, limits)?),
            Form::Tokens => Ok(vec![tokens::read(self, sender, (bytes, limits))?]),
        }
    }

    /// Records as [`record_to_json`] writes them; positions and carried leaves are not read.
    fn elements(&self, sender: Source, json: &Json) -> Result<Vec<Translation>, Unread> {
        let list = json.get("records").and_then(Json::as_array);
        let records = list.map_or(std::slice::from_ref(json), Vec::as_slice);
        let read = |json: &Json| {
            let mut record = plain::record_from_json(&self.catalogue, json).map_err(|at| {
                let at =
                    Some(Position::Pointer(at.split(':').next().unwrap_or_default().to_owned()));
                Unread { fault: Fault::DataType, at, diagnostic: None, replayable: true }
            })?;
            record.source = sender;
            record.carried.clear();
            self.version.clone_into(&mut record.mappings);
            let mapped = u32::try_from(record.fields().count()).unwrap_or(u32::MAX);
            let bins = Bins { mapped, ..Bins::default() };
            Ok(Translation { record, merge: None, veiled: None, bins })
        };
        records.iter().map(read).collect()
    }

    /// Writes one record in any form.
    ///
    /// # Errors
    /// [`Unwritten`] if the form has no places for such a record.
    pub fn write(&self, form: Form, record: &Record) -> Result<Vec<u8>, Unwritten> {
        let none = || Unwritten { form: form.name(), dataset: record.dataset };
        let pretty = |json: &Json| serde_json::to_vec_pretty(json).map_err(|_| none());
        match form {
            Form::Hl7v2 => self.write_hl7(record, &Envelope::default()).ok_or_else(none),
            Form::Elements => pretty(&record_to_json(record)),
            Form::Fhir => match self.write_fhir(record) {
                Tree::Null => Err(none()),
                tree => pretty(&tree.to_json()),
            },
            Form::Cda => Ok(self.write_cda(record)),
            // Whoever has the record cannot make the tokens: the key is its source's.
            Form::Tokens => Err(none()),
            Form::CivilCsv | Form::CivilJson | Form::CivilXml => {
                Ok(civil::write(self, (form, None), record))
            }
            Form::Card | Form::PlatformJson => {
                document::write_bytes(self, form.name(), record).ok_or_else(none)
            }
            Form::V3Hospital | Form::V3Regional => {
                let own = document::write_xml(self, form.name(), record);
                let found = || v3::write(self, form, record.clone());
                own.or_else(found).map(|document| xml::write(&document)).ok_or_else(none)
            }
        }
    }

    /// Writes several records as one text: a JSON form as `{"records": […]}`, a table with a
    /// row for each, other forms one after another.
    ///
    /// # Errors
    /// [`Unwritten`] for the first that cannot be.
    pub fn write_all(&self, form: Form, records: &[&Record]) -> Result<Vec<u8>, Unwritten> {
        if let [one] = records {
            return self.write(form, one);
        }
        let written: Result<Vec<_>, _> =
            records.iter().map(|record| self.write(form, record)).collect();
        let written = written?;
        if form == Form::CivilCsv {
            return Ok(one_table(&written));
        }
        if !form.is_json() {
            return Ok(written.concat());
        }
        let values = written.iter().map(|bytes| serde_json::from_slice(bytes).unwrap_or_default());
        let all = serde_json::json!({ "records": values.collect::<Vec<Json>>() });
        Ok(serde_json::to_vec_pretty(&all).unwrap_or_default())
    }
}

/// A record that a form has no places for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no mapping file of {form} writes records of {dataset}")]
pub struct Unwritten {
    form: &'static str,
    dataset: Dataset,
}

/// Tables one after another, a header only where it changes.
fn one_table(tables: &[Vec<u8>]) -> Vec<u8> {
    let mut all = Vec::new();
    let mut before: &[u8] = &[];
    for table in tables {
        let end = table.iter().position(|byte| *byte == b'\n').map_or(table.len(), |at| at + 1);
        let (head, rows) = table.split_at(end);
        if head != before {
            all.extend_from_slice(head);
        }
        all.extend_from_slice(rows);
        before = head;
    }
    all
}

fn parsed(bytes: &[u8], limits: &Limits) -> Result<Json, Unread> {
    json::read(bytes, &limits.json)
        .map_err(|error| Unread::malformed(error.fault(), Some(error.position().clone())))
}
