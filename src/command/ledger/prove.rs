//! The proof of one entry: taken from the ledger, and checked without it.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use chrono::DateTime;
use serde_json::{Value, json};

use super::place::Where;
use super::{failed, public_key, written};
use crate::audit::bundle::Proven;
use crate::audit::{Bundle, Hash, Receipt, Signs, VerifyingKeys};
use crate::command::Failure;
use crate::flow::{proof, seek};
use crate::store::LedgerFile;

/// Largest proof that is read, bytes.
const BYTES_MAX: u64 = 1 << 20;

#[derive(Debug, clap::Args)]
pub struct Prove {
    #[command(flatten)]
    place: Where,
    /// The receipt number on an answer.
    #[arg(long, required_unless_present = "entry")]
    receipt: Option<String>,
    /// The number of an entry.
    #[arg(long, conflicts_with = "receipt")]
    entry: Option<u64>,
    /// A file that must not exist yet; standard output if absent.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct CheckProof {
    /// The proof, or `-`.
    #[arg(value_name = "FILE")]
    proof: PathBuf,
    /// File with the ledger's public key, `name+hash+key`.
    #[arg(long, value_name = "FILE")]
    public_key: PathBuf,
    /// File with the ledger's public key by SM2, which must have signed too.
    #[arg(long, value_name = "FILE")]
    sm2_public_key: Option<PathBuf>,
    /// File with a witness's public key; may be given several times.
    #[arg(long, value_name = "FILE")]
    witness: Vec<PathBuf>,
    /// How many of these witnesses must have signed; all if absent.
    #[arg(long, value_name = "COUNT")]
    quorum: Option<usize>,
    /// The answer as it was received, to be matched with the entry.
    #[arg(long, value_name = "FILE")]
    answer: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Prove {
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let place = self.place.find()?;
        let file = LedgerFile::open(&place.store).map_err(failed)?;
        let proven = file.look(|view| {
            let number = match (&self.receipt, self.entry) {
                (Some(text), _) => {
                    let receipt = Receipt::parse(text);
                    let receipt = receipt.map_err(|error| Failure::during("receipt", error))?;
                    let found = seek::by_receipt(view, receipt).map_err(failed)?;
                    found.map(|entry| entry.number)
                }
                (None, number) => number,
            };
            let bundle = number.map(|number| proof::bundle(view, number)).transpose();
            bundle.map(Option::flatten).map_err(|error| Failure::caused("ledger", &error))
        });
        let bundle = proven.map_err(failed)??;
        let bundle = bundle.ok_or_else(|| Failure("台账中没有此条目 no such entry".to_owned()))?;
        let Some(path) = &self.output else {
            return out.write_all(&bundle.write()).map_err(written);
        };
        let mut file = File::create_new(path).map_err(|error| Failure::during("output", error))?;
        file.write_all(&bundle.write()).and_then(|()| file.sync_all()).map_err(written)?;
        writeln!(out, "已写出 written {}", path.display()).map_err(written)
    }
}

impl CheckProof {
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let refuse = |error: &dyn std::error::Error| {
            Failure::caused("证明不成立 this proves nothing", error)
        };
        let bundle = Bundle::read(&read(&self.proof)?).map_err(|error| refuse(&error))?;
        let ledger = public_key(&self.public_key, Signs::Checkpoints)?;
        let sm2 = self.sm2_public_key.as_ref();
        let sm2 = sm2.map(|file| public_key(file, Signs::CheckpointsBySm2)).transpose()?;
        let witnesses = self.witness.iter().map(|file| public_key(file, Signs::Cosignatures));
        let witnesses = witnesses.collect::<Result<Vec<_>, _>>()?;
        let keys = VerifyingKeys { own: &ledger, sm2: sm2.as_ref() };
        let proven = bundle.prove(keys, &witnesses).map_err(|error| refuse(&error))?;
        let wanted = self.quorum.unwrap_or(witnesses.len());
        if proven.seen.len() < wanted {
            let seen = proven.seen.len();
            return Err(Failure(format!(
                "见证不足 too few witnesses: {seen} of the {wanted} that are asked for signed"
            )));
        }
        let answer = self.answer.as_deref().map(|file| self.matches(file, &proven)).transpose()?;
        let text = match self.json {
            true => format!("{}\n", shown(&bundle, &proven, answer)),
            false => lines(&bundle, &proven, answer),
        };
        out.write_all(text.as_bytes()).map_err(written)
    }

    /// The digest of the answer, which must be the entry's.
    fn matches(&self, file: &Path, proven: &Proven) -> Result<Hash, Failure> {
        let bytes = fs::read(file).map_err(|error| Failure::during("answer", error))?;
        let digest = Hash::digest(&bytes);
        match proven.entry.answer_sha256 == Some(digest) {
            true => Ok(digest),
            false => Err(Failure(
                "答复不符 the entry is in the ledger, and it is about another answer".to_owned(),
            )),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = match path.as_os_str() == "-" {
        true => std::io::stdin().take(BYTES_MAX).read_to_end(&mut bytes),
        false => File::open(path).and_then(|file| file.take(BYTES_MAX).read_to_end(&mut bytes)),
    };
    read.map_err(|error| Failure::during("proof", error))?;
    Ok(bytes)
}

fn shown(bundle: &Bundle, proven: &Proven, answer: Option<Hash>) -> Value {
    let seen = proven.seen.iter().map(|(name, at)| json!({ "witness": name, "at": moment(*at) }));
    let entry: Value = serde_json::from_slice(&bundle.entry).unwrap_or_default();
    json!({
        "number": bundle.index,
        "size": proven.size,
        "by_sm2": proven.by_sm2,
        "witnesses": seen.collect::<Vec<_>>(),
        "answer": answer.map(|hash| hash.to_string()),
        "entry": entry,
    })
}

fn lines(bundle: &Bundle, proven: &Proven, answer: Option<Hash>) -> String {
    let mut text = format!(
        "证明成立 proven\n\
         条目编号 entry        {}\n\
         台账条目数 of         {}\n",
        bundle.index, proven.size,
    );
    if proven.by_sm2 {
        text += "国密签名 by SM2       有效 holds\n";
    }
    for (name, at) in &proven.seen {
        text += &format!("见证 witness          {name} {}\n", moment(*at));
    }
    if answer.is_some() {
        text += "答复 answer           是此条目所记 is the one this entry is about\n";
    }
    text + &format!("内容 says             {}\n", String::from_utf8_lossy(&bundle.entry))
}

/// A moment as ISO 8601 has it.
fn moment(at: u64) -> String {
    let at = i64::try_from(at).ok().and_then(|at| DateTime::from_timestamp(at, 0));
    at.map(|at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string()).unwrap_or_default()
}
