//! One case: a clause of a standard in our own words, what is given, what is expected.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// A case file, `cases/<standard>/<clause>/<case>.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What is true of a gateway that passes.
    pub title: String,
    /// Document and edition.
    pub standard: String,
    /// Chapter or section.
    pub clause: String,
    /// What the clause demands, in our own words.
    pub demands: String,
    /// What is done, in order.
    pub step: Vec<Step>,
    /// Where the file is, below the folder of cases.
    #[serde(skip)]
    pub path: PathBuf,
}

/// One thing done and what must follow. Exactly one of `hl7`, `again`, `bytes`,
/// `ask`, `post`, `give` and `call` says what.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// Segments of a message to send over MLLP.
    pub hl7: Option<Vec<String>>,
    /// Number of an earlier step whose bytes are sent once more.
    pub again: Option<usize>,
    /// Bytes without a frame, as hexadecimal pairs; blanks between them are free.
    pub bytes: Option<String>,
    /// An inquiry, as JSON text.
    pub ask: Option<String>,
    /// Segments of a message to send by HTTPS.
    pub post: Option<Vec<String>>,
    /// A document of the civil-affairs interface to send by HTTPS, as JSON text.
    pub give: Option<String>,
    /// A message of the exchange services to send by SOAP 1.1.
    pub call: Option<String>,
    /// Which platform's dialect it is in: `regional` (default) or `hospital`.
    pub dialect: Option<String>,
    /// Character set of the message: `utf-8` (default), `gb18030`, `iso-8859-1`, `utf-16be`.
    pub charset: Option<String>,
    /// Name of the certificate to use, if not the default one.
    #[serde(rename = "as")]
    pub who: Option<String>,
    /// Sends the frame this many bytes at a time.
    pub pieces: Option<usize>,
    /// Keeps the frame back and sends it together with the next step's.
    pub hold: bool,

    /// Replies over MLLP, in order: position and what stands there.
    pub reply: Vec<BTreeMap<String, String>>,
    /// No further reply comes.
    pub silent: bool,
    /// The reply is, byte for byte, that of this earlier step.
    pub same: Option<usize>,
    /// The other side closes the connection, with or without a reply before.
    pub closes: bool,
    /// The reply, decoded as this character set, holds this text.
    pub holds: Vec<String>,
    /// The reply must not hold this text.
    pub lacks: Vec<String>,
    /// HTTP status, or several of which one.
    pub status: Vec<u16>,
    /// JSON pointers and what stands there.
    pub json: BTreeMap<String, String>,
    /// Released elements: id and tier; `{absent}` for one that must not be there.
    pub elements: BTreeMap<String, String>,
    /// Elements withheld where the asker may know of them.
    pub withheld: Vec<String>,
}

/// Reads every case below a folder, in the order of their paths.
///
/// # Errors
/// The first file that cannot be read, with the reason.
pub fn load(folder: &Path) -> Result<Vec<Case>, String> {
    let mut paths = Vec::new();
    walk(folder, &mut paths).map_err(|error| format!("{}: {error}", folder.display()))?;
    paths.sort();
    let read = |path: &PathBuf| {
        let fault = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| fault(&error))?;
        let mut case: Case = toml::from_str(&text).map_err(|error| fault(&error))?;
        for step in &case.step {
            step.check().map_err(|error| fault(&error))?;
        }
        case.path = path.strip_prefix(folder).unwrap_or(path).to_owned();
        Ok(case)
    };
    paths.iter().map(read).collect()
}

impl Step {
    /// A step does one thing, and a step that expects nothing proves nothing.
    fn check(&self) -> Result<(), &'static str> {
        let given = [
            self.hl7.is_some(),
            self.again.is_some(),
            self.bytes.is_some(),
            self.ask.is_some(),
            self.post.is_some(),
            self.give.is_some(),
            self.call.is_some(),
        ];
        if given.into_iter().filter(|given| *given).count() != 1 {
            return Err("a step has exactly one of hl7, again, bytes, ask, post, give, call");
        }
        let expects = !self.reply.is_empty()
            || self.silent
            || self.same.is_some()
            || self.closes
            || !self.status.is_empty();
        if expects || self.hold { Ok(()) } else { Err("a step expects something") }
    }
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_expects_nothing_is_refused() {
        let check = |text: &str| toml::from_str::<Step>(text).unwrap().check();
        assert!(check("hl7 = [\"MSH|\"]").is_err());
        assert!(check("hl7 = [\"MSH|\"]\nsilent = true").is_ok());
        assert!(check("hl7 = [\"MSH|\"]\nask = \"{}\"\nsilent = true").is_err());
        assert!(toml::from_str::<Step>("expects = 1").is_err());
    }

    #[test]
    fn every_case_of_the_folder_is_in_order() {
        let cases = load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"))).unwrap();
        assert!(cases.len() >= 25);
        for case in cases {
            assert_eq!(case.path.components().count(), 3, "{}", case.path.display());
            assert!(!case.clause.is_empty() && !case.demands.is_empty() && !case.step.is_empty());
        }
    }
}
