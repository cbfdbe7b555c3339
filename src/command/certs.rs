//! `kangqiao certs`: a certificate authority for development and small sites.
//!
//! One folder holds everything; `certs/README.md` says what is in it and who may
//! change it. A larger site brings certificates of its own authority instead.

mod authority;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::path::PathBuf;

use chrono::DateTime;

use super::{Failure, say};
pub use authority::{Authority, Issued, Request, Row, State, Usage, Which};

/// `kangqiao certs …`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the authority
    #[arg(long, global = true, default_value = "certs/dev")]
    dir: PathBuf,
    #[command(subcommand)]
    step: Step,
}

#[derive(Debug, clap::Subcommand)]
enum Step {
    /// Create the authority: its key, its certificate and an empty revocation list
    Init {
        /// Name of the authority
        #[arg(long, default_value = "Kangqiao site authority")]
        title: String,
        /// How long the authority is valid
        #[arg(long, default_value_t = 3650)]
        days: u32,
    },
    /// Issue a certificate with its key
    Issue {
        /// Common name, also the name of the two files: letters, digits, `.`, `-`, `_`
        #[arg(long)]
        name: String,
        /// For a listener; without it the certificate is for a client
        #[arg(long)]
        server: bool,
        /// For a client as well as a listener
        #[arg(long, requires = "server")]
        client: bool,
        /// DNS name of a listener; may be repeated
        #[arg(long)]
        dns: Vec<String>,
        /// Address of a listener; may be repeated
        #[arg(long)]
        ip: Vec<IpAddr>,
        /// How long it is valid
        #[arg(long, default_value_t = 397)]
        days: u32,
    },
    /// Revoke the certificates of a name, or one by its serial number
    Revoke {
        /// Common name
        #[arg(long, conflicts_with = "serial", required_unless_present = "serial")]
        name: Option<String>,
        /// Serial number in hexadecimal digits
        #[arg(long)]
        serial: Option<String>,
    },
    /// Sign the revocation list again, before it expires
    Crl,
    /// List what was issued
    List,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] if the folder holds no authority, a file is there already, or cannot be written.
pub fn run(args: Args) -> Result<(), Failure> {
    let authority = Authority::at(args.dir);
    match args.step {
        Step::Init { title, days } => {
            authority.init(&title, days)?;
            say(format_args!("authority in {}", authority.dir().display()))?;
        }
        Step::Issue { name, server, client, dns, ip, days } => {
            let usage = match (server, client) {
                (false, _) => Usage::Client,
                (true, false) => Usage::Server,
                (true, true) => Usage::Both,
            };
            let issued = authority.issue(&Request { name, usage, dns, ip, days })?;
            say(format_args!("certificate {}", issued.certificate.display()))?;
            say(format_args!("key         {}", issued.key.display()))?;
            say(format_args!("serial      {}", issued.serial))?;
        }
        Step::Revoke { name, serial } => {
            let which = match (name, serial) {
                (Some(name), _) => Which::Name(name),
                (None, serial) => Which::Serial(serial.unwrap_or_default()),
            };
            let revoked = authority.revoke(&which)?;
            say(format_args!("revoked {revoked}; reload the gateway to refuse it"))?;
        }
        Step::Crl => {
            authority.sign_list()?;
            say("revocation list signed")?;
        }
        Step::List => say(table(&authority.list()?).trim_end())?,
    }
    Ok(())
}

/// The rows as text, one line each under a heading.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let day = |seconds: i64| {
        let time = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        time.format("%Y-%m-%d").to_string()
    };
    let mut cells = vec![["NAME", "USE", "EXPIRES", "STATE", "SERIAL"].map(str::to_owned)];
    cells.extend(rows.iter().map(|row| {
        let state = match row.state {
            State::Expired => "expired".to_owned(),
            State::Revoked(at) => format!("revoked {}", day(at)),
            State::Valid => "valid".to_owned(),
        };
        let usage = row.usage.as_str().to_owned();
        [row.name.clone(), usage, day(row.not_after), state, row.serial.clone()]
    }));
    let mut widths = [0; 5];
    for line in &cells {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.len().max(*width);
        }
    }
    let pad = |line: &[String; 5]| {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    cells.iter().map(pad).collect()
}
