//! `kangqiao hold person|department|everything|lift|list`: entries of the ledger that are kept
//! beyond their time.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::check::complain;
use super::columns::columns;
use super::compile::compile;
use super::identifier::Named;
use super::operate::{give, print};
use super::trace::{text, time};
use super::{Failure, say};
use crate::config::Config;
use crate::inbound::operator::{Holds, Order};
use crate::vocabulary::Department;

/// `kangqiao hold …`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
    /// The gateway's configuration file
    #[arg(long, default_value = "kangqiao.toml", global = true)]
    config: PathBuf,
}

/// Why, for the ledger.
#[derive(Debug, clap::Args)]
struct Why {
    /// Why, for the ledger: a case, an order of a court; no personal data
    #[arg(long)]
    reason: String,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// 按部门保全 Keeps every entry of a department
    Department {
        /// Its name in the policies
        name: String,
        #[command(flatten)]
        why: Why,
    },
    /// 全部保全 Keeps every entry
    Everything {
        #[command(flatten)]
        why: Why,
    },
    /// 解除保全 Ends a hold
    Lift {
        /// Its number
        number: u64,
        #[command(flatten)]
        why: Why,
    },
    /// 保全清单 Which holds there are
    List {
        /// As JSON, a line for each
        #[arg(long)]
        json: bool,
    },
    /// 按人保全 Keeps every entry about a person, whoever is found to be the same as well
    Person {
        #[command(flatten)]
        who: Named,
        #[command(flatten)]
        why: Why,
    },
}

/// The department of a name, if the policies know it: a hold on a misspelt one would hold nothing.
fn known(config: &Path, name: &str) -> Result<Department, Failure> {
    let parsed = Department::parse(name).map_err(|error| Failure::during("department", error))?;
    let compiled = compile(&Config::load(config).map_err(complain)?).map_err(complain)?;
    match compiled.policies.departments().department(parsed) {
        Some(_) => Ok(parsed),
        None => Err(Failure(format!("{name}: the policies have no such department"))),
    }
}

/// Gives the order and prints what became of it.
///
/// # Errors
/// [`Failure`] if the gateway does not carry it out.
pub fn run(args: Args) -> Result<(), Failure> {
    let about = match args.what {
        What::Department { name, why: Why { reason } } => {
            Holds::Place { identifier: None, department: Some(known(&args.config, &name)?), reason }
        }
        What::Everything { why: Why { reason } } => {
            Holds::Place { identifier: None, department: None, reason }
        }
        What::Lift { number, why: Why { reason } } => Holds::Lift { number, reason },
        What::List { json } => return list(&args.config, json),
        What::Person { who, why: Why { reason } } => {
            let identifier = Some(who.identifier()?);
            Holds::Place { identifier, department: None, reason }
        }
    };
    let told = give(&args.config, &Order::Hold { about })?;
    match told.get("lifted").and_then(Value::as_u64) {
        Some(number) => say(format!("已解除 lifted: {number}")),
        None if told.get("stands") == Some(&Value::Bool(true)) => {
            say(format!("已有同一保全 stands already:  {}", line(&told)))
        }
        None => say(format!("已保全 placed:  {}", line(&told))),
    }
}

fn list(config: &Path, json: bool) -> Result<(), Failure> {
    let told = give(config, &Order::Hold { about: Holds::List })?;
    if json {
        return print(&told);
    }
    let holds = told.as_array().map(Vec::as_slice).unwrap_or_default();
    if holds.is_empty() {
        return say("没有保全 no holds");
    }
    let headings = ["编号 number", "起始 since", "范围 whose entries", "理由 reason"];
    say(columns(headings, holds.iter().map(row).collect()))
}

/// A hold on one line.
fn line(hold: &Value) -> String {
    row(hold).join("  ")
}

fn row(hold: &Value) -> [String; 4] {
    let whose = match (text(hold, "person"), text(hold, "department")) {
        (person, _) if !person.is_empty() => format!("人员 person {person}"),
        (_, department) if !department.is_empty() => format!("部门 department {department}"),
        _ => "全部 everything".to_owned(),
    };
    let mut reason = text(hold, "reason");
    let lifting = text(hold, "lifting_by");
    if !lifting.is_empty() {
        reason += &format!("  待第二人解除 waits to be lifted by a second ({lifting})");
    }
    [text(hold, "number"), time(hold, "since_ms"), whose, reason]
}
