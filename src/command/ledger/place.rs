//! Where a ledger and its keys are: as the gateway's configuration says, or as the auditor does.

use std::path::{Path, PathBuf};

use crate::command::Failure;
use crate::config::Config;
use crate::store::Settings;

/// The options that say where.
#[derive(Debug, clap::Args)]
#[group(id = "where", required = true, multiple = false)]
pub struct Where {
    /// The gateway's configuration.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of the store, or of a copy of it.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// What the options lead to.
#[derive(Debug)]
pub struct Place {
    /// The store, or a copy of one.
    pub store: Settings,
    /// File of the ledger's public key.
    pub public_key: Option<PathBuf>,
    /// File of the master key.
    pub master_key: Option<PathBuf>,
    /// File of the auditor's list.
    pub people: Option<PathBuf>,
}

impl Where {
    /// Reads the configuration, if one was named.
    pub fn find(&self) -> Result<Place, Failure> {
        let Some(path) = &self.config else {
            let store = Settings::of(self.data.as_deref().unwrap_or(Path::new("")));
            return Ok(Place { store, public_key: None, master_key: None, people: None });
        };
        let config = Config::load(path).map_err(|faults| {
            let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
            Failure(lines.join("\n"))
        })?;
        Ok(Place::of(&config))
    }
}

impl Place {
    /// Where a configuration says.
    pub fn of(config: &Config) -> Self {
        Self {
            store: config.store.clone(),
            public_key: Some(config.ledger.public_key()),
            master_key: Some(config.master_key.clone()),
            people: config.ledger.people.clone(),
        }
    }
}
