//! `witness.toml`, the configuration of a witness.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::inbound::tls;
use crate::vocabulary::Diagnostic;
use crate::vocabulary::catalogue::parse_toml;

/// What a witness is told. Paths are relative to the file's folder.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessConfig {
    /// Name of its key, which stands in its signatures: best a name of the department's own, such
    /// as `audit.example.gov.cn/witness`; no spaces and no `+`.
    pub name: String,
    /// File of its key, made at the first start; the public key is beside it under the extension
    /// `pub`. Default `witness.key`.
    #[serde(default = "default_key")]
    pub key: PathBuf,
    /// Where it listens.
    pub address: SocketAddr,
    /// Folder of what it signed last. Default `held`.
    #[serde(default = "default_folder")]
    pub folder: PathBuf,
    /// Files of the public keys of the ledgers it signs for.
    pub ledgers: Vec<PathBuf>,
    /// The certificate it shows.
    pub tls: tls::Settings,
    /// Which client certificates it accepts.
    pub clients: tls::ClientSettings,
}

fn default_key() -> PathBuf {
    "witness.key".into()
}
fn default_folder() -> PathBuf {
    "held".into()
}

impl WitnessConfig {
    /// Reads the file.
    ///
    /// # Errors
    /// What is wrong with it, with file, line and column.
    pub fn load(path: &Path) -> Result<Self, Vec<Diagnostic>> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| vec![Diagnostic::at(&name, "", 0, format!("unreadable: {error}"))])?;
        let mut config: Self = parse_toml(&name, &text).map_err(|fault| vec![fault])?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let own = [&mut config.key, &mut config.folder];
        let tls = [&mut config.tls.certificate, &mut config.tls.key];
        let clients = [&mut config.clients.authorities, &mut config.clients.revocations];
        for path in own.into_iter().chain(tls).chain(clients).chain(&mut config.ledgers) {
            *path = folder.join(&path);
        }
        Ok(config)
    }
}
