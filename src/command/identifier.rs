//! An identifier on the command line, or typed where no process list shows it.

use std::io::{BufRead, IsTerminal};

use zeroize::Zeroizing;

use super::Failure;
use crate::vocabulary::{Identifier, IdentifierKind};

/// The options that are one identifier; of them one alone is given.
pub const NUMBERS: [&str; 4] = ["citizen_id", "card", "record", "local"];

/// One identifier.
#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(group(clap::ArgGroup::new("identifier").required(true).args(NUMBERS)))]
pub struct Named {
    #[command(flatten)]
    number: Number,
}

/// An identifier, or none; `-` in its place reads it from standard input.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Number {
    /// 公民身份号码, or `-`
    #[arg(long)]
    citizen_id: Option<String>,
    /// 居民健康卡号, or `-`
    #[arg(long)]
    card: Option<String>,
    /// 健康档案编号, or `-`
    #[arg(long)]
    record: Option<String>,
    /// A number of one hospital, with --authority, or `-`
    #[arg(long, requires = "authority")]
    local: Option<String>,
    /// Who assigned the local number
    #[arg(long)]
    authority: Option<String>,
}

impl Named {
    /// The identifier, as it was written.
    ///
    /// # Errors
    /// [`Failure`] if none was given or standard input cannot be read.
    pub fn identifier(&self) -> Result<Identifier, Failure> {
        self.number.identifier()?.ok_or_else(|| Failure("an identifier is needed".to_owned()))
    }
}

impl Number {
    /// The identifier, as it was written; `None` if none was given.
    ///
    /// # Errors
    /// [`Failure`] if standard input cannot be read.
    pub fn identifier(&self) -> Result<Option<Identifier>, Failure> {
        let given = [
            (IdentifierKind::CitizenId, &self.citizen_id),
            (IdentifierKind::HealthCard, &self.card),
            (IdentifierKind::RecordNumber, &self.record),
            (IdentifierKind::Local, &self.local),
        ];
        let given = given.into_iter().find_map(|(kind, value)| value.as_ref().map(|v| (kind, v)));
        let Some((kind, value)) = given else { return Ok(None) };
        let mut identifier = Identifier::new(kind, typed(value)?.as_str());
        if kind == IdentifierKind::Local {
            identifier.authority.clone_from(&self.authority);
        }
        Ok(Some(identifier))
    }
}

/// The text as given, or one line of standard input for `-`.
///
/// # Errors
/// [`Failure`] if standard input cannot be read.
pub fn typed(value: &str) -> Result<Zeroizing<String>, Failure> {
    if value != "-" {
        return Ok(Zeroizing::new(value.to_owned()));
    }
    if std::io::stdin().is_terminal() {
        eprint!("标识符 identifier: ");
    }
    let mut line = Zeroizing::new(String::new());
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Failure::during("standard input", error))?;
    Ok(Zeroizing::new(line.trim().to_owned()))
}
