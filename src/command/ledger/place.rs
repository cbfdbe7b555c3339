//! Where a ledger and its keys are: as the gateway's configuration says, or as the auditor does.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::command::Failure;
use crate::command::compile::compile;
use crate::config::{Config, SOCKET};
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
///
/// A copy is named by its folder and has no configuration: no gateway is asked about it.
#[derive(Debug, Default)]
pub struct Place {
    /// File of the configuration.
    pub config: Option<PathBuf>,
    /// The store, or a copy of one.
    pub store: Settings,
    /// File of the ledger's public key.
    pub public_key: Option<PathBuf>,
    /// File of its public key by SM2.
    pub sm2_public_key: Option<PathBuf>,
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
            return Ok(Place { store, ..Place::default() });
        };
        let config = Config::load(path).map_err(|faults| {
            let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
            Failure(lines.join("\n"))
        })?;
        Ok(Place::of(&config))
    }
}

impl Where {
    /// The departments of the policies, where a configuration names them and one is not of them.
    pub fn departments_without(&self, name: &str) -> Option<Vec<String>> {
        let compiled = compile(&Config::load(self.config.as_ref()?).ok()?).ok()?;
        let known = compiled.policies.departments().iter().map(|row| row.name.to_string());
        let known: Vec<_> = known.collect();
        (!known.iter().any(|known| known == name)).then_some(known)
    }
}

impl Place {
    /// Refuses a folder beside which a gateway runs: it is no copy, and what leaves it is entered.
    ///
    /// # Errors
    /// [`Failure`] if it is one.
    pub fn not_live(&self) -> Result<(), Failure> {
        let socket = self.store.folder.join(SOCKET);
        match UnixStream::connect(socket) {
            Err(_) => Ok(()),
            Ok(_) => Err(Failure(
                "此文件夹有网关在运行 a gateway runs here, and this would not be entered: name its \
                 configuration by --config"
                    .to_owned(),
            )),
        }
    }

    /// Where a configuration says.
    pub fn of(config: &Config) -> Self {
        Self {
            config: Some(config.file.clone()),
            store: config.store.clone(),
            public_key: Some(config.ledger.public_key()),
            sm2_public_key: config.ledger.sm2_public_key(),
            master_key: Some(config.master_key.clone()),
            people: config.ledger.people.clone(),
        }
    }
}
