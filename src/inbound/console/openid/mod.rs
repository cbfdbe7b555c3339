//! 单位账号登录, sign-in by a provider of the house: OpenID Connect, authorization code flow with
//! PKCE. What comes back is a person by the provider's name and the roles of a claim; the session
//! is then one as by password.
//!
//! It knows no socket: [`Fetch`] is handed in, and speaks HTTPS to the provider alone.

mod door;
mod pending;
mod token;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use jsonwebtoken::jwk::JwkSet;
use reqwest::Url;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

pub(super) use door::{back, leave};
use pending::{Away, Pending};
use token::{Claims, Expected};

use super::access::{Role, Roles};
use super::lock;
use super::users::{Proven, UsersError, private_text};

/// Characters of a name in the ledger.
const NAME_CHARS_MAX: usize = 64;

/// The provider.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The provider as it names itself in its tokens, `https://…`.
    pub issuer: String,
    /// What it is called in the ledger, before `#` and the person. Default the issuer's host.
    pub name: Option<String>,
    /// As which client the console is known to it.
    pub client_id: String,
    /// File of the client's secret, for its owner alone.
    pub client_secret: PathBuf,
    /// Certificates of the authorities that may vouch for it, PEM; the system's are not used.
    pub authority: PathBuf,
    /// Which claim of the ID token says what a person is. Default `groups`.
    #[serde(default = "default_claim")]
    pub claim: String,
    /// Which role a word of the claim is; whoever has none of them is refused.
    pub roles: BTreeMap<String, Role>,
    /// Scopes that are asked for besides `openid`. Default none.
    #[serde(default)]
    pub scopes: Vec<String>,
}

fn default_claim() -> String {
    "groups".to_owned()
}

/// What is asked of the provider.
pub enum Asked {
    /// A page.
    Get(String),
    /// A form.
    Post {
        /// Where to.
        url: String,
        /// What stands in it.
        form: Vec<(&'static str, String)>,
        /// Name and secret in the head, where the provider takes them there.
        basic: Option<(String, Zeroizing<String>)>,
    },
}

/// What the provider answered, or in a few words why it did not.
pub type Fetched = Result<Vec<u8>, String>;
/// The way to the provider.
pub type Fetch = Arc<dyn Fn(Asked) -> BoxFuture<'static, Fetched> + Send + Sync>;

/// What a provider says of itself (OpenID Connect Discovery 1.0, section 3).
#[derive(Debug, Clone, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

/// What came back with a browser.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Returned {
    code: String,
    state: String,
    iss: Option<String>,
}

/// Why somebody is not signed in. No word of a token or a person is in it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// The browser, the state or the time is another than was sent away.
    #[error("nobody was sent to the provider like that, or it was used before")]
    Away,
    /// The provider cannot be spoken with, or says something else than it must.
    #[error("the provider: {0}")]
    Provider(String),
    /// The person is known, and has no role here.
    #[error("the person has no role of the console")]
    Roles(String),
    /// The token is not one.
    #[error(transparent)]
    Token(#[from] token::TokenError),
}

/// Sign-in by a provider.
pub(super) struct OpenId {
    settings: Settings,
    secret: Zeroizing<String>,
    /// Changes with whom and what is believed; a session of before ends with it.
    stamp: [u8; 32],
    fetch: Fetch,
    away: Mutex<Away>,
}

impl OpenId {
    /// Reads the secret; nothing is sent.
    ///
    /// # Errors
    /// [`UsersError`] if the secret's file cannot be used.
    pub(super) fn new(settings: &Settings, fetch: Fetch) -> Result<Self, UsersError> {
        let text = private_text(&settings.client_secret)?;
        let secret = Zeroizing::new(text.trim().to_owned());
        let stamp = Sha256::digest(format!("{settings:?}").as_bytes()).into();
        let (settings, away) = (settings.clone(), Mutex::default());
        Ok(Self { settings, secret, stamp, fetch, away })
    }

    /// What a session by this provider is stamped with.
    pub(super) fn stamp(&self) -> [u8; 32] {
        self.stamp
    }

    /// Whether somebody may be this by what it says of him.
    pub(super) fn gives(&self, role: Role) -> bool {
        self.settings.roles.values().any(|given| *given == role)
    }

    /// What it is called in the ledger.
    fn name(&self) -> String {
        let host = || Url::parse(&self.settings.issuer).ok()?.host_str().map(str::to_owned);
        self.settings.name.clone().or_else(host).unwrap_or_default()
    }

    /// Where a browser is sent, and the state it is to come back with.
    async fn leave(&self, back: &str, now: i64) -> Result<(String, String), Refused> {
        let metadata = self.metadata().await?;
        let (state, pending) = lock(&self.away).begin(now).map_err(|_| odd("no random numbers"))?;
        let mut scopes = vec!["openid"];
        scopes.extend(self.settings.scopes.iter().map(String::as_str));
        let mut url =
            Url::parse(&metadata.authorization_endpoint).map_err(|_| odd("its address"))?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", back)
            .append_pair("scope", &scopes.join(" "))
            .append_pair("state", &state)
            .append_pair("nonce", &pending.nonce)
            .append_pair("code_challenge", &pending.challenge())
            .append_pair("code_challenge_method", "S256");
        Ok((url.into(), state))
    }

    /// Who came back.
    async fn arrive(&self, returned: &Returned, back: &str, now: i64) -> Result<Proven, Refused> {
        let pending = lock(&self.away).take(&returned.state, now).ok_or(Refused::Away)?;
        let metadata = self.metadata().await?;
        // A code of another provider is brought to nobody (RFC 9207).
        let named = match &returned.iss {
            Some(issuer) => *issuer == self.settings.issuer,
            None => !metadata.authorization_response_iss_parameter_supported,
        };
        if !named || returned.code.is_empty() {
            return Err(Refused::Away);
        }
        let tokens: Tokens = self.ask(self.exchange(&metadata, returned, (&pending, back))).await?;
        let keys: JwkSet = self.ask(Asked::Get(metadata.jwks_uri)).await?;
        let expected = Expected {
            issuer: &self.settings.issuer,
            client: &self.settings.client_id,
            nonce: &pending.nonce,
            now,
        };
        self.person(&token::verify(&tokens.id_token, &keys, &expected)?)
    }

    fn person(&self, claims: &Claims) -> Result<Proven, Refused> {
        let name = format!("{}#{}", self.name(), claims.sub);
        // Cut, two persons would be one in the ledger.
        let plain = |sign: char| sign.is_ascii_graphic();
        if name.len() > NAME_CHARS_MAX || !name.chars().all(plain) {
            return Err(odd("its name of a person with its own is longer than 64 characters"));
        }
        let words = claims.words(&self.settings.claim);
        let roles = words.iter().filter_map(|word| self.settings.roles.get(*word));
        let roles: Vec<Role> = roles.copied().collect();
        let roles = Roles::of(&roles).ok_or_else(|| Refused::Roles(name.clone()))?;
        Ok(Proven { name, roles, stamp: self.stamp, step: 0 })
    }

    /// The code for tokens.
    fn exchange(
        &self,
        metadata: &Metadata,
        returned: &Returned,
        (pending, back): (&Pending, &str),
    ) -> Asked {
        let (id, secret) = (self.settings.client_id.clone(), self.secret.clone());
        let mut form = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", returned.code.clone()),
            ("redirect_uri", back.to_owned()),
            ("code_verifier", pending.verifier.clone()),
        ];
        // What a provider that says nothing takes is `client_secret_basic`.
        let methods = metadata.token_endpoint_auth_methods_supported.as_ref();
        let basic = methods.is_none_or(|all| all.iter().any(|one| one == "client_secret_basic"));
        if !basic {
            form.extend([("client_id", id.clone()), ("client_secret", secret.to_string())]);
        }
        let basic = basic.then_some((id, secret));
        Asked::Post { url: metadata.token_endpoint.clone(), form, basic }
    }

    async fn metadata(&self) -> Result<Metadata, Refused> {
        let issuer = self.settings.issuer.trim_end_matches('/');
        let place = format!("{issuer}/.well-known/openid-configuration");
        let metadata: Metadata = self.ask(Asked::Get(place)).await?;
        let Metadata { authorization_endpoint, token_endpoint, jwks_uri, .. } = &metadata;
        let places = [authorization_endpoint, token_endpoint, jwks_uri];
        if metadata.issuer != self.settings.issuer {
            return Err(odd("it is another one than is configured"));
        }
        match places.iter().all(|place| place.starts_with("https://")) {
            true => Ok(metadata),
            false => Err(odd("it names an address without https")),
        }
    }

    async fn ask<T: DeserializeOwned>(&self, asked: Asked) -> Result<T, Refused> {
        let bytes = (self.fetch)(asked).await.map_err(Refused::Provider)?;
        serde_json::from_slice(&bytes).map_err(|_| odd("its answer is not what it must be"))
    }
}

fn odd(what: &str) -> Refused {
    Refused::Provider(what.to_owned())
}
