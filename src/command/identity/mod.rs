//! `kangqiao identity`: who is one person, in a file of records or in a running gateway.
//!
//! It prints numbers of records and entries, weights and levels of agreement, never a value.

mod index;
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
    /// 对照 Two entries, field by field
    Compare(index::Two),
    /// 说明 The entries of a person and what links them, field by field
    Explain(index::Whose),
    /// 历史 What was said of the entries of a person, and what was undone
    History(index::Whose),
    /// 学习 Learns what agreements are worth from the entries there are
    Learn(index::Place),
    /// 认定 Says that two entries are one person
    Link(index::Two),
    /// 待审 What waits for a reviewer, oldest first
    Review(index::Place),
    /// 换钥 Brings the next key of the tokens into force; entries move to it meanwhile
    Rotate(index::Place),
    /// 概况 Entries, persons, duplicates and the queue
    Stats(index::Place),
    /// 撤销 Withdraws what was said, by the number that history shows
    Undo(index::Undo),
    /// 认定 Says that two entries are not one person, or one is none of its person's
    Unlink(index::Unlink),
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
        What::Compare(args) => args.compare(),
        What::Explain(args) => args.explain(),
        What::History(args) => args.history(),
        What::Learn(place) => place.learn(),
        What::Link(args) => args.link(),
        What::Review(place) => place.review(),
        What::Rotate(place) => place.rotate(),
        What::Stats(place) => place.stats(),
        What::Undo(args) => args.run(),
        What::Unlink(args) => args.run(),
        What::Match(args) => matching::run(&args),
        What::Veil(args) => veiling::run(&args),
    }
}
