//! `kangqiao identity`: who is one person, in a file of records, without a gateway.
//!
//! It prints numbers of records, weights and levels of agreement, never a value of a record.

mod key;
mod matching;
mod records;
mod veiling;

use super::Failure;

/// `kangqiao identity …`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// 比对 Which records of a file are one person's.
    Match(matching::Args),
    /// 遮蔽 The records as keyed tokens alone, to be matched where no clear value may go.
    Veil(veiling::Args),
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] with file and line if a file cannot be used.
pub fn run(args: Args) -> Result<(), Failure> {
    match args.what {
        What::Match(args) => matching::run(&args),
        What::Veil(args) => veiling::run(&args),
    }
}
