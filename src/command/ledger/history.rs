//! `kangqiao ledger history`: what the ledger says of one person, in a file to be handed to him.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::filter::{Whom, moment, read};
use super::place::Place;
use super::reading::Reading;
use super::written;
use crate::audit::history::typeface::Typeface;
use crate::audit::history::{About, Account, Form, TITLE, Titles, html, pdf};
use crate::audit::{Checkpoint, Question, Receipt, search};
use crate::command::check::complain;
use crate::command::compile::compile;
use crate::command::{Failure, operate};
use crate::config::Config;
use crate::identity::Pseudonym;
use crate::inbound::operator::Order;
use crate::store::Settings;

#[derive(Debug, clap::Args)]
pub struct History {
    /// The gateway's configuration: it says what names are called. The gateway must run, for it
    /// enters that a history is made.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Folder with a copy of the store, to be read instead; then nothing is entered.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    whom: Whom,
    /// From this day or moment on, ISO 8601.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Until just before this day or moment.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The font of a PDF, if not the configuration's or the system's.
    #[arg(long, value_name = "FILE")]
    font: Option<PathBuf>,
    /// A file that must not exist yet, ending in .html or .pdf.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

impl History {
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let form = self.form()?;
        let config = Config::load(&self.config).map_err(complain)?;
        let typeface = self.typeface(form, &config)?;
        let compiled = compile(&config).map_err(complain)?;
        let (policies, catalogue) = (&*compiled.policies, compiled.pack.catalogue());
        let titles = Titles { policies, catalogue };
        if self.output.exists() {
            return Err(Failure(format!("{}: is there already", self.output.display())));
        }
        let account = self.account(&config, titles)?;
        let bytes = match &typeface {
            None => html::write(&account).map_err(|error| Failure::during("output", error))?,
            Some(typeface) => {
                pdf::write(&account, typeface).map_err(|error| Failure::during("output", error))?
            }
        };
        let mut file = super::private(&self.output)?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(written)?;
        let told: usize = account.chapters.iter().map(|chapter| chapter.told.len()).sum();
        writeln!(out, "已写出 written {TITLE} {} ({told})", self.output.display()).map_err(written)
    }

    fn form(&self) -> Result<Form, Failure> {
        let extension = self.output.extension().and_then(|extension| extension.to_str());
        let form = extension.and_then(Form::parse);
        form.ok_or_else(|| Failure("--output: a file that ends in .html or .pdf".to_owned()))
    }

    /// Nothing is entered where there is nothing to print with.
    fn typeface(&self, form: Form, config: &Config) -> Result<Option<Typeface>, Failure> {
        let chosen = self.font.as_deref().or(config.ledger.font.as_deref());
        match form {
            Form::Html => Ok(None),
            Form::Pdf => {
                Typeface::find(chosen).map(Some).map_err(|error| Failure::during("font", error))
            }
        }
    }

    fn account(&self, config: &Config, titles: Titles<'_>) -> Result<Account, Failure> {
        let mut place = Place::of(config);
        if let Some(copy) = &self.data {
            place.store = Settings::of(copy);
        }
        let (since_ms, until_ms) =
            (read("--since", &self.since, moment)?, read("--until", &self.until, moment)?);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        if since_ms.is_some_and(|since| since >= until_ms.unwrap_or(at_ms).min(at_ms)) {
            return Err(Failure("--since: is not before the end".to_owned()));
        }
        // What is still to come is told of by nobody.
        let until_ms = until_ms.filter(|until| *until < at_ms);
        let persons = self.whom.persons(Reading::open(&place.store)?.file(), &place)?;
        let Some(first) = persons.first() else {
            return Err(Failure(
                "about whom? --citizen-id, --card, --record or --person".to_owned(),
            ));
        };
        let entered = match self.data {
            Some(_) => None,
            None => Some(enter(&self.config, first)?),
        };
        // Opened again: what is told of ends with the entry that it is told.
        let reading = Reading::open(&place.store)?;
        let checkpoint = reading.checkpoint()?.and_then(|note| Checkpoint::unproven(&note));
        let question =
            Question { persons: persons.clone(), since_ms, until_ms, ..Question::default() };
        let mut retired = reading.size();
        let entries = reading.entries().inspect(|_| retired = retired.saturating_sub(1));
        let found = search::search(entries, &question).collect::<Result<Vec<_>, _>>();
        let found = found.map_err(|error| Failure(error.to_string()))?;
        reading.finish()?;
        // Whoever is known has a pseudonym besides that of the number.
        let known = self.whom.person.is_some() || persons.len() > 1;
        let about =
            About { persons, known, since_ms, until_ms, at_ms, retired, entered, checkpoint };
        Ok(Account::new(&found, titles, &about))
    }
}

/// The running gateway enters that a history is made; the receipt of that.
fn enter(config: &Path, person: &Pseudonym) -> Result<Receipt, Failure> {
    let told = operate::give(config, &Order::History { person: person.clone() });
    let told = told.map_err(|failure| {
        Failure(format!("{failure}; a history is entered first: or name a copy by --data"))
    })?;
    let receipt = told.as_str().map(Receipt::parse);
    let unlike = || Failure("the gateway is of another version".to_owned());
    receipt.and_then(Result::ok).ok_or_else(unlike)
}
