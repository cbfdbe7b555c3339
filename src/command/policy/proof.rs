//! `kangqiao policy check` and `test`.

use std::path::Path;

use super::{Read, configured};
use crate::command::check::complain;
use crate::command::compile::inside;
use crate::command::{Failure, say};

/// Reads everything and says how much there is.
///
/// # Errors
/// [`Failure`] after printing every fault with file, line and column.
pub fn check(config: &Path) -> Result<(), Failure> {
    let (_, read) = configured(config)?;
    sound(&read)
}

/// The same, with how many examples exercise each rule.
///
/// # Errors
/// [`Failure`] after printing every fault, and every rule that no example exercises.
pub fn test(config: &Path) -> Result<(), Failure> {
    let (folder, read) = configured(config)?;
    let coverage = read.set.coverage(&read.files);
    for (rule, examples) in &coverage.0 {
        say(format_args!("{examples:>4}  {rule}"))?;
    }
    match inside(&folder.display().to_string(), coverage.faults(&read.files)) {
        faults if faults.is_empty() => sound(&read),
        faults => Err(complain(faults)),
    }
}

fn sound(read: &Read) -> Result<(), Failure> {
    let set = &read.set;
    say("策略正确 policies are sound")?;
    say(format_args!("规则 rules    {}", set.rule_count()))?;
    say(format_args!("红线 laws     {}", set.laws().len()))?;
    say(format_args!("单元 cells    {}", set.cells(&set.dimensions()).count()))?;
    say(format_args!("版本 version  {}", set.version()))
}
