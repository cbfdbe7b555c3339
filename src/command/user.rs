//! `kangqiao user`: who may sign in to the console.
//!
//! An invitation is the way for people: they choose their own password, and the ledger knows.
//! `add` is for whoever sets up a site by a script: password and secret of the one-time codes are
//! printed once and can only be replaced, never shown again. The gateway sees a changed file at
//! the next sign-in, and enters whose line is another.

use std::path::PathBuf;

use chrono::DateTime;

use super::check::complain;
use super::columns::columns;
use super::operate::give;
use super::{Failure, say};
use crate::config::Config;
use crate::inbound::console::access::{Role, Roles};
use crate::inbound::console::users::{Enrolment, User, Users};
use crate::inbound::operator::Order;

/// `kangqiao user …`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The gateway's configuration file, which names the file of the console users
    #[arg(long, global = true, default_value = "kangqiao.toml")]
    config: PathBuf,
    /// File of the console users, where there is no configuration
    #[arg(long, global = true, conflicts_with = "config")]
    users: Option<PathBuf>,
    #[command(subcommand)]
    step: Step,
}

#[derive(Debug, clap::Subcommand)]
enum Step {
    /// Add a user; prints the password and the link for an authenticator application, once
    Add {
        /// Name: a-z, 0-9, `.`, `-`, `_`
        #[arg(long)]
        name: String,
        /// What the user may see; may be given several times
        #[arg(long, required = true)]
        role: Vec<Role>,
    },
    /// Speak for an account: the running gateway makes a link, good once and for a short time, by
    /// which somebody makes it himself
    Invite {
        /// Name: a-z, 0-9, `.`, `-`, `_`
        #[arg(long)]
        name: String,
        /// What the user may see; the first of a role at once, a further one once an auditor agrees
        #[arg(long)]
        role: Role,
    },
    /// List the users
    List,
    /// Remove a user and end the user's sessions
    Remove {
        /// Name of the user
        #[arg(long)]
        name: String,
    },
    /// Give a user a new password and secret, and end the user's sessions
    Reset {
        /// Name of the user
        #[arg(long)]
        name: String,
    },
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] if the file cannot be used, the user is there already or not there, or the gateway
/// invites nobody.
pub fn run(args: Args) -> Result<(), Failure> {
    let failed = |error| failure(&error);
    let now = chrono::Utc::now().timestamp().unsigned_abs();
    // Written first: what is printed has then become true.
    let file = || args.file();
    match args.step {
        Step::Add { ref name, ref role } => {
            let roles = Roles::of(role).ok_or_else(|| Failure("no role is given".to_owned()))?;
            let added = Users::change(&file()?, |users| users.add(name, roles, now));
            tell(&added.map_err(failed)?)
        }
        Step::Invite { ref name, role } => {
            let told = give(&args.config, &Order::Invite { name: name.clone(), role })?;
            let word = |key: &str| told.get(key).and_then(|word| word.as_str()).unwrap_or_default();
            if told.get("link").is_none() {
                return say(format_args!(
                    "waits     until {}: an auditor agrees at the console (台账 → 账号), or has \
                     nominated before",
                    word("waits_until")
                ));
            }
            say(format_args!("link      {}", word("link")))?;
            say(format_args!("until     {}; good once, and shown this once", word("until")))
        }
        Step::List => say(table(&Users::read(&file()?).map_err(failed)?)),
        Step::Remove { ref name } => {
            Users::change(&file()?, |users| users.remove(name)).map_err(failed)
        }
        Step::Reset { ref name } => {
            let reset = Users::change(&file()?, |users| users.reset(name, now));
            tell(&reset.map_err(failed)?)
        }
    }
}

impl Args {
    /// The file of the users, as the gateway finds it.
    fn file(&self) -> Result<PathBuf, Failure> {
        if let Some(file) = &self.users {
            return Ok(file.clone());
        }
        let config = Config::load(&self.config).map_err(complain)?;
        let console = config.console.ok_or_else(|| Failure("there is no [console]".to_owned()))?;
        Ok(console.users)
    }
}

fn tell(told: &Enrolment) -> Result<(), Failure> {
    say(format_args!("password  {}", told.password))?;
    say(format_args!("code      {}", told.uri))?;
    say("Shown this once; `kangqiao user reset` makes new ones.")
}

fn table(users: &Users) -> String {
    let row = |user: &User| {
        let since = i64::try_from(user.added).unwrap_or_default();
        let since = DateTime::from_timestamp(since, 0).unwrap_or_default().format("%Y-%m-%d");
        [user.name.clone(), user.role.to_string(), since.to_string()]
    };
    columns(["NAME", "ROLE", "SINCE"], users.iter().map(row).collect())
}

fn failure(error: &dyn std::error::Error) -> Failure {
    match error.source() {
        Some(source) => Failure::during(&error.to_string(), source),
        None => Failure(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn play(file: &std::path::Path, words: &[&str]) -> Result<(), Failure> {
        let file = file.to_str().unwrap();
        let words = ["kangqiao"].into_iter().chain(words.iter().copied());
        run(Line::parse_from(words.chain(["--users", file])).args)
    }

    #[test]
    fn a_user_is_added_reset_and_removed_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("users.toml");
        let add = ["add", "--name", "lin", "--role", "auditor"];
        play(&file, &add).unwrap();
        assert!(play(&file, &add).is_err());
        play(&file, &["add", "--name", "wu", "--role", "reviewer", "--role", "auditor"]).unwrap();
        let before = Users::read(&file).unwrap();
        assert!(table(&before).contains("auditor+reviewer"));
        assert!(table(&before).contains("lin") && table(&before).contains("auditor"));
        play(&file, &["reset", "--name", "lin"]).unwrap();
        let after = Users::read(&file).unwrap();
        assert_ne!(before.find("lin").unwrap().stamp(), after.find("lin").unwrap().stamp());
        play(&file, &["list"]).unwrap();
        play(&file, &["remove", "--name", "lin"]).unwrap();
        assert!(play(&file, &["remove", "--name", "lin"]).is_err());
    }
}
