//! ID tokens, checked (OpenID Connect Core 1.0, 3.1.3.7). Time is handed in.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Signatures by a key of the provider's own. What anybody could make who knows the client's
/// secret (HMAC) is not taken, and `none` is no algorithm at all.
const ALGORITHMS: [Algorithm; 7] = [
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
    Algorithm::PS256,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
];
/// How far two clocks may differ, seconds.
const SKEW_S: i64 = 60;
/// How old a token may be that was asked for now, seconds.
const AGE_MAX_S: i64 = 600;

/// What a token must say.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Who signs.
    pub issuer: &'a str,
    /// For whom.
    pub client: &'a str,
    /// In answer to which request.
    pub nonce: &'a str,
    /// Unix seconds.
    pub now: i64,
}

/// Why a token is none. Nothing of what stands in it is in here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is for somebody else.
    #[error("the token is for another client")]
    Audience,
    /// It is over, of the future, or old.
    #[error("the token is not of now")]
    Time,
    /// It answers another request.
    #[error("the token answers another request")]
    Nonce,
    /// It is not signed by the provider, or by what is no signature.
    #[error("the token is not signed by a key of the provider")]
    Signature,
    /// It is no token, or lacks what it must have.
    #[error("the token lacks what an ID token has")]
    Shape,
    /// It is of another provider.
    #[error("the token is of another provider")]
    Issuer,
}

/// What a token says.
#[derive(Debug, Deserialize)]
pub struct Claims {
    /// The person, by the provider's own name.
    pub sub: String,
    iss: String,
    aud: Audience,
    azp: Option<String>,
    exp: i64,
    iat: i64,
    nonce: Option<String>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Claims {
    /// The words of a claim: of one that is a text, or a list of texts.
    pub fn words(&self, claim: &str) -> Vec<&str> {
        match self.more.get(claim) {
            Some(Value::String(word)) => vec![word],
            Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

/// What a token says, if it is what was expected, signed by one of these keys.
///
/// # Errors
/// [`TokenError`].
pub fn verify(token: &str, keys: &JwkSet, expected: &Expected<'_>) -> Result<Claims, TokenError> {
    let header = decode_header(token).map_err(|_| TokenError::Shape)?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(TokenError::Signature);
    }
    let mut validation = Validation::new(header.alg);
    // Looked at below, by the time that was handed in.
    (validation.validate_exp, validation.validate_aud) = (false, false);
    validation.set_required_spec_claims::<&str>(&[]);
    let ours = |key: &&Jwk| {
        let named = header.kid.is_none() || key.common.key_id == header.kid;
        named && !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption))
    };
    let read = |key: &Jwk| {
        let key = DecodingKey::from_jwk(key).ok()?;
        decode::<Claims>(token, &key, &validation).ok().map(|read| read.claims)
    };
    let claims = keys.keys.iter().filter(ours).find_map(read).ok_or(TokenError::Signature)?;
    check(&claims, expected)?;
    Ok(claims)
}

fn check(claims: &Claims, expected: &Expected<'_>) -> Result<(), TokenError> {
    let Expected { issuer, client, nonce, now } = *expected;
    if claims.iss != issuer {
        return Err(TokenError::Issuer);
    }
    let (named, alone) = match &claims.aud {
        Audience::One(one) => (one == client, true),
        Audience::Several(all) => (all.iter().any(|one| one == client), all.len() == 1),
    };
    // Of several, one is who it was made for.
    let made_for = claims.azp.as_deref().map_or(alone, |azp| azp == client);
    if !named || !made_for {
        return Err(TokenError::Audience);
    }
    let over = claims.exp.saturating_add(SKEW_S) <= now;
    let future = claims.iat.saturating_sub(SKEW_S) > now;
    let old = claims.iat.saturating_add(AGE_MAX_S) < now;
    if over || future || old {
        return Err(TokenError::Time);
    }
    let said = claims.nonce.as_deref().unwrap_or_default();
    verify_slices_are_equal(said.as_bytes(), nonce.as_bytes()).map_err(|_| TokenError::Nonce)?;
    match claims.sub.is_empty() {
        true => Err(TokenError::Shape),
        false => Ok(()),
    }
}
