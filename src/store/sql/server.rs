//! 数据库服务器, where a PostgreSQL server is, who asks it, and how it is connected to.

use std::fmt;
use std::future::poll_fn;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::config::SslMode;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Where a database is and who reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Host name, as its certificate has it.
    pub host: String,
    /// Port. Default 5432.
    #[serde(default = "default_port")]
    pub port: u16,
    /// Name of the database.
    pub name: String,
    /// User of the gateway; it needs its tables and nothing else.
    pub user: String,
    /// File with the password, for its owner alone; none where the server needs none.
    pub password: Option<PathBuf>,
    /// PEM file of the authorities that may vouch for it; left out, only a loopback
    /// address is connected to, without TLS.
    pub authority: Option<PathBuf>,
}

const fn default_port() -> u16 {
    5432
}

/// Why a database cannot be used; never what stood in it.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// It was not reached, or does not let us in.
    #[error("{at}: {why}")]
    At {
        /// Where, and as whom.
        at: String,
        /// Why.
        why: Box<Self>,
    },
    /// The server or a statement: the SQL state alone is told, and what it means.
    #[error("database: {0}{said}", said = said(.0))]
    Database(String),
    /// A file cannot be read.
    #[error("{0}: unreadable or not as it should be")]
    File(PathBuf),
    /// Others than its owner may read the file of the password.
    #[error("{0}: may be read by others than its owner; set its mode to 0600")]
    Open(PathBuf),
    /// The connection is lost, or there was none.
    #[error("database: connection")]
    Lost,
    /// Without TLS only this machine is connected to.
    #[error("without an authority only a loopback address is connected to")]
    Plain,
}

impl From<tokio_postgres::Error> for ServerError {
    fn from(error: tokio_postgres::Error) -> Self {
        // A message of the server may quote a row.
        if let Some(state) = error.code() {
            return Self::Database(state.code().to_owned());
        }
        // A value that does not fit is no trouble of the connection.
        let source = std::error::Error::source(&error);
        let other = source.is_some_and(|cause| cause.downcast_ref::<std::io::Error>().is_none());
        if other && !error.is_closed() { Self::Database("value".to_owned()) } else { Self::Lost }
    }
}

/// What the usual states mean, and what to do.
fn said(state: &str) -> &'static str {
    match state {
        "25006" => " (the server only follows another: name the one that writes)",
        "28000" | "28P01" => " (user or password are not accepted: see them, and pg_hba.conf)",
        "3D000" => " (there is no such database: create it, owned by the user)",
        "42501" => " (the user may not: make it the owner of the database)",
        "42P01" | "42703" => " (a table or column is not there)",
        "53100" => " (the disk of the server is full)",
        "53300" => " (no connection is left: raise max_connections, or lower readers)",
        "55P03" => " (another session holds what was asked for, and for too long)",
        "57P01" | "57P02" => " (the server is being stopped)",
        "57P03" => " (the server is starting)",
        "XX001" | "XX002" => " (what the server keeps is damaged: see its log)",
        _ => "",
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, name, user, .. } = self;
        write!(f, "PostgreSQL {host}:{port}/{name} as {user}")
    }
}

impl Database {
    /// Whether the files named here can be used; nobody is connected to.
    ///
    /// # Errors
    /// [`ServerError`].
    pub fn check(&self) -> Result<(), ServerError> {
        self.password()?;
        self.authority.as_deref().map(trust).transpose().map(drop)
    }

    fn password(&self) -> Result<Option<String>, ServerError> {
        let Some(path) = &self.password else { return Ok(None) };
        let unreadable = |_| ServerError::File(path.clone());
        let mode = std::fs::metadata(path).map_err(unreadable)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(ServerError::Open(path.clone()));
        }
        let password = std::fs::read_to_string(path).map_err(unreadable)?;
        Ok(Some(password.trim_end().to_owned()))
    }

    /// Connects, with these settings of the server for the session; the connection ends with
    /// the client.
    ///
    /// # Errors
    /// [`ServerError`].
    pub async fn connect(&self, options: &str) -> Result<Client, ServerError> {
        self.connect_woken(options, || ()).await
    }

    /// The same; `wake` is called for every notification.
    pub(super) async fn connect_woken(
        &self,
        options: &str,
        wake: impl Fn() + Send + 'static,
    ) -> Result<Client, ServerError> {
        let reached = self.reach(options, wake).await;
        reached.map_err(|why| ServerError::At { at: self.to_string(), why: Box::new(why) })
    }

    async fn reach(
        &self,
        options: &str,
        wake: impl Fn() + Send + 'static,
    ) -> Result<Client, ServerError> {
        let mut config = Config::new();
        config.host(&self.host).port(self.port).dbname(&self.name).user(&self.user);
        config.application_name("kangqiao").connect_timeout(Duration::from_secs(5));
        // Whoever does not answer any more is given up, by this side and by the other.
        config.keepalives_idle(Duration::from_secs(5)).keepalives_interval(Duration::from_secs(2));
        config.keepalives_retries(3).tcp_user_timeout(Duration::from_secs(10));
        config.options(options);
        if let Some(password) = self.password()? {
            config.password(password);
        }
        let Some(authority) = &self.authority else {
            if !["127.0.0.1", "::1", "localhost"].contains(&self.host.as_str()) {
                return Err(ServerError::Plain);
            }
            let (client, connection) = config.connect(NoTls).await?;
            tokio::spawn(carry(connection, wake));
            return Ok(client);
        };
        config.ssl_mode(SslMode::Require);
        let tls = MakeRustlsConnect::new(trust(authority)?);
        let (client, connection) = config.connect(tls).await?;
        tokio::spawn(carry(connection, wake));
        Ok(client)
    }
}

/// Carries a connection until it ends; what was wrong the next statement says.
async fn carry<S, T>(mut connection: Connection<S, T>, wake: impl Fn())
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if let AsyncMessage::Notification(_) = message {
            wake();
        }
    }
}

fn trust(authority: &Path) -> Result<ClientConfig, ServerError> {
    let wrong = || ServerError::File(authority.to_owned());
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(authority).map_err(|_| wrong())?;
    for certificate in certificates {
        roots.add(certificate.map_err(|_| wrong())?).map_err(|_| wrong())?;
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().map_err(|_| wrong())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_where_and_what_to_do_and_a_password_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "a word\n").unwrap();
        let own = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let database = Database {
            host: "db.example".to_owned(),
            port: 5432,
            name: "kangqiao".to_owned(),
            user: "gateway".to_owned(),
            password: Some(path.clone()),
            authority: None,
        };
        own(0o644);
        assert!(matches!(database.check(), Err(ServerError::Open(_))));
        own(0o600);
        database.check().unwrap();
        assert_eq!(database.password().unwrap().as_deref(), Some("a word"));
        let why = Box::new(ServerError::Database("3D000".to_owned()));
        let error = ServerError::At { at: database.to_string(), why };
        assert_eq!(
            error.to_string(),
            "PostgreSQL db.example:5432/kangqiao as gateway: database: 3D000 \
             (there is no such database: create it, owned by the user)"
        );
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(database.check(), Err(ServerError::File(_))));
    }
}
