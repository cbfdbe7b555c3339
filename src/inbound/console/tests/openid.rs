//! Sign-in by a provider that is only pretended, and lies in every way it can.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::Url;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::browser::{Browser, House};
use crate::inbound::console::openid::{Asked, Fetch, Fetched};
use crate::inbound::console::view::Door;

const ISSUER: &str = "https://idp.example/realm";
const CODE: &str = "one code";

/// How a token is signed.
#[derive(Clone, Copy, Default)]
enum Signed {
    #[default]
    ByItself,
    ByAnother,
    ByTheSecret,
    NotAtAll,
}

/// What becomes of true claims.
type Lie = Box<dyn Fn(&mut Value) + Send>;

/// A provider, and how it lies.
struct Idp {
    keys: [EncodingKey; 2],
    /// What the browser brought.
    asked: Mutex<Vec<(String, String)>>,
    spoil: Mutex<Lie>,
    signed: Mutex<Signed>,
    metadata: Mutex<Value>,
}

impl Idp {
    fn new() -> Arc<Self> {
        let key = || {
            let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
            EncodingKey::from_ec_der(&pair.serialize_der())
        };
        let metadata = json!({
            "issuer": ISSUER,
            "authorization_endpoint": format!("{ISSUER}/auth"),
            "token_endpoint": format!("{ISSUER}/token"),
            "jwks_uri": format!("{ISSUER}/keys"),
            "authorization_response_iss_parameter_supported": true,
        });
        Arc::new(Self {
            keys: [key(), key()],
            asked: Mutex::default(),
            spoil: Mutex::new(Box::new(|_| ())),
            signed: Mutex::default(),
            metadata: Mutex::new(metadata),
        })
    }

    fn fetch(self: &Arc<Self>, now: i64) -> Fetch {
        let idp = Arc::clone(self);
        Arc::new(move |asked| std::future::ready(idp.answer(asked, now)).boxed())
    }

    fn answer(&self, asked: Asked, now: i64) -> Fetched {
        let said = match asked {
            Asked::Get(url) if url == format!("{ISSUER}/.well-known/openid-configuration") => {
                self.metadata.lock().unwrap().clone()
            }
            Asked::Get(url) if url == format!("{ISSUER}/keys") => {
                let mut key = Jwk::from_encoding_key(&self.keys[0], Algorithm::ES256).unwrap();
                key.common.key_id = Some("1".to_owned());
                json!({ "keys": [key] })
            }
            Asked::Post { url, form, basic } if url == format!("{ISSUER}/token") => {
                let (name, secret) = basic.unwrap();
                assert_eq!(
                    (name.as_str(), secret.as_str()),
                    ("kangqiao", "a secret: of + the client")
                );
                let field =
                    |name: &str| form.iter().find(|(key, _)| *key == name).unwrap().1.clone();
                let proof =
                    URL_SAFE_NO_PAD.encode(Sha256::digest(field("code_verifier").as_bytes()));
                if field("code") != CODE || proof != self.asked("code_challenge") {
                    return Err("it answered with status 400".to_owned());
                }
                json!({ "access_token": "x", "token_type": "Bearer", "id_token": self.token(now) })
            }
            _ => return Err("it answered with status 404".to_owned()),
        };
        Ok(said.to_string().into_bytes())
    }

    fn asked(&self, name: &str) -> String {
        let asked = self.asked.lock().unwrap();
        asked.iter().find(|(key, _)| key == name).unwrap().1.clone()
    }

    fn token(&self, now: i64) -> String {
        let mut claims = json!({
            "iss": ISSUER,
            "sub": "u-1",
            "aud": "kangqiao",
            "exp": now + 300,
            "iat": now,
            "nonce": self.asked("nonce"),
            "groups": ["staff", "kq-auditors"],
        });
        (self.spoil.lock().unwrap())(&mut claims);
        let (algorithm, key) = match *self.signed.lock().unwrap() {
            Signed::ByItself => (Algorithm::ES256, self.keys[0].clone()),
            Signed::ByAnother => (Algorithm::ES256, self.keys[1].clone()),
            Signed::ByTheSecret => {
                let secret = b"a secret: of + the client";
                (Algorithm::HS256, EncodingKey::from_secret(secret).unwrap())
            }
            Signed::NotAtAll => {
                let parts = [json!({ "alg": "none", "kid": "1" }), claims];
                let [head, body] = parts.map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
                return format!("{head}.{body}.");
            }
        };
        let header = Header { kid: Some("1".to_owned()), ..Header::new(algorithm) };
        encode(&header, &claims, &key).unwrap()
    }
}

/// A house whose provider says what it is told to.
async fn house() -> (House, Arc<Idp>) {
    let idp = Idp::new();
    let house = House::open_by(Some(idp.fetch(1_795_248_000))).await;
    (house, idp)
}

/// Goes away, and where it is to come back.
async fn leave(browser: &mut Browser, idp: &Idp) -> String {
    let away = browser.visit("/sign-in/provider").await;
    assert_eq!(away.status, 303);
    let cookie = away.cookie("__Host-kangqiao-provider");
    assert!(cookie.contains("SameSite=Lax") && cookie.contains("HttpOnly"), "{cookie}");
    let url = Url::parse(&away.header("location")).unwrap();
    assert!(url.as_str().starts_with(&format!("{ISSUER}/auth?")));
    *idp.asked.lock().unwrap() = url.query_pairs().into_owned().collect();
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "kangqiao"),
        ("redirect_uri", "https://127.0.0.1:8444/sign-in/provider/back"),
        ("scope", "openid groups"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(idp.asked(name), value);
    }
    let code = CODE.replace(' ', "+");
    format!("/sign-in/provider/back?code={code}&state={}&iss={ISSUER}", idp.asked("state"))
}

#[actix_web::test]
async fn a_person_the_provider_knows_is_signed_in_with_the_roles_of_the_claim() {
    let (house, idp) = house().await;
    let mut browser = house.browser();
    assert!(browser.visit("/sign-in").await.body.contains("href=\"/sign-in/provider\""));
    let place = leave(&mut browser, &idp).await;
    // The way back is a link of another site's.
    browser.site = Some("cross-site");
    let page = browser.visit(&place).await;
    assert_eq!((page.status, page.header("refresh").as_str()), (200, "0; url=/overview"));
    assert!(page.cookie("__Host-kangqiao-session").contains("SameSite=Strict"));
    assert_eq!(browser.visit("/ledger").await.status, 200);
    assert_eq!(browser.visit("/review").await.status, 403);
    assert_eq!(house.recorded(), [("idp.example#u-1".to_owned(), Door::SignedIn)]);
    let entered = house.fake.recorded.lock().unwrap()[0].to_string();
    assert_eq!(entered, "idp.example#u-1 signed-in by openid");

    let token = browser.visit("/ledger").await.form_token();
    browser.site = Some("same-origin");
    let left = browser.post("/sign-out", &[("form_token", token.as_str())]).await;
    assert_eq!(left.header("location"), "/sign-in");
    assert_eq!(browser.visit("/overview").await.status, 303);
    let again = browser.visit(&place).await;
    assert_eq!(again.status, 403, "a state is good once");
}

#[actix_web::test]
async fn a_session_by_a_provider_ends_when_idle_like_any_other() {
    let (house, idp) = house().await;
    let mut browser = house.browser();
    let place = leave(&mut browser, &idp).await;
    browser.visit(&place).await;
    house.later(14 * 60);
    assert_eq!(browser.visit("/overview").await.status, 200);
    house.later(15 * 60);
    assert_eq!(browser.visit("/overview").await.status, 303);
}

/// A lie about one claim.
fn lie(claim: &'static str, value: Value) -> Lie {
    Box::new(move |claims| {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(claim);
        } else {
            claims[claim] = value.clone();
        }
    })
}

#[actix_web::test]
async fn what_a_token_says_wrongly_opens_nothing() {
    let (house, idp) = house().await;
    let now = 1_795_248_000;
    for (claim, value, words) in [
        ("nonce", json!("another"), "未通过核验"),
        ("nonce", Value::Null, "未通过核验"),
        ("aud", json!("another"), "未通过核验"),
        ("aud", json!(["kangqiao", "another"]), "未通过核验"),
        ("azp", json!("another"), "未通过核验"),
        ("iss", json!("https://idp.example"), "未通过核验"),
        ("exp", json!(now - 61), "未通过核验"),
        ("exp", Value::Null, "未通过核验"),
        ("iat", json!(now + 61), "未通过核验"),
        ("iat", json!(now - 601), "未通过核验"),
        ("sub", json!(""), "未通过核验"),
        ("sub", Value::Null, "未通过核验"),
        ("sub", json!("x".repeat(60)), "没有应答"),
        ("sub", json!("u 1"), "没有应答"),
        ("groups", json!(["staff"]), "没有控制台身份"),
        ("groups", Value::Null, "没有控制台身份"),
        ("groups", json!({ "kq-auditors": true }), "没有控制台身份"),
    ] {
        *idp.spoil.lock().unwrap() = lie(claim, value.clone());
        refused(&house, &idp, &format!("{claim} = {value}"), words).await;
    }
    *idp.spoil.lock().unwrap() = Box::new(|_| ());
    for signed in [Signed::ByAnother, Signed::ByTheSecret, Signed::NotAtAll] {
        *idp.signed.lock().unwrap() = signed;
        refused(&house, &idp, &format!("signed {}", signed as u8), "未通过核验").await;
    }
    let recorded = house.recorded();
    let unmapped = ("idp.example#u-1".to_owned(), Door::Refused);
    assert_eq!(recorded, vec![unmapped; 3], "who was vouched for and has no role");
    for (claim, value) in [
        ("aud", json!(["kangqiao"])),
        ("azp", json!("kangqiao")),
        ("groups", json!("kq-operators")),
    ] {
        *idp.signed.lock().unwrap() = Signed::ByItself;
        *idp.spoil.lock().unwrap() = lie(claim, value.clone());
        let mut browser = house.browser();
        let place = leave(&mut browser, &idp).await;
        assert_eq!(browser.visit(&place).await.status, 200, "{claim} = {value}");
    }
}

async fn refused(house: &House, idp: &Idp, lie: &str, words: &str) {
    let mut browser = house.browser();
    let place = leave(&mut browser, idp).await;
    let page = browser.visit(&place).await;
    assert!([403, 502].contains(&page.status), "{lie}: {}", page.status);
    assert!(page.body.contains(words), "{lie}: {}", page.body);
    assert!(!page.body.contains("u-1"), "{lie}");
    assert_eq!(browser.visit("/overview").await.status, 303, "{lie}");
}

#[actix_web::test]
async fn only_the_browser_that_left_comes_back_with_what_it_was_given() {
    let (house, idp) = house().await;
    let mut browser = house.browser();
    let place = leave(&mut browser, &idp).await;
    let state = idp.asked("state");
    // Somebody else is sent there: a sign-in as a stranger nobody asked for.
    assert_eq!(house.browser().visit(&place).await.status, 403);
    for odd in [
        place.replace(&state, &"0".repeat(64)),
        place.replace(&state, ""),
        format!("/sign-in/provider/back?error=access_denied&state={}", "1".repeat(64)),
        "/sign-in/provider/back".to_owned(),
    ] {
        let mut tried = house.browser();
        leave(&mut tried, &idp).await;
        assert_eq!(tried.visit(&odd).await.status, 403, "{odd}");
    }
    for (from, to, status) in [
        (&format!("&iss={ISSUER}")[..], "&iss=https://other.example", 403),
        (&format!("&iss={ISSUER}")[..], "", 403),
        ("code=one+code", "code=another", 502),
        ("code=one+code", "", 403),
    ] {
        let mut tried = house.browser();
        let place = leave(&mut tried, &idp).await.replace(from, to);
        assert_eq!(tried.visit(&place).await.status, status, "{from} {to}");
        assert_eq!(tried.visit("/overview").await.status, 303);
    }
    let mut late = house.browser();
    let place = leave(&mut late, &idp).await;
    house.later(601);
    assert_eq!(late.visit(&place).await.status, 403);
    assert!(house.recorded().is_empty());
}

#[actix_web::test]
async fn a_provider_that_is_another_one_is_not_spoken_with() {
    let (house, idp) = house().await;
    for (key, value) in [
        ("issuer", "https://other.example"),
        ("token_endpoint", "http://idp.example/realm/token"),
        ("jwks_uri", "http://idp.example/realm/keys"),
    ] {
        let whole = idp.metadata.lock().unwrap().clone();
        idp.metadata.lock().unwrap()[key] = json!(value);
        assert_eq!(house.browser().visit("/sign-in/provider").await.status, 502, "{key}");
        *idp.metadata.lock().unwrap() = whole;
    }
    let without = House::open().await;
    for place in ["/sign-in/provider", "/sign-in/provider/back?state=x"] {
        assert_eq!(without.browser().visit(place).await.status, 404);
    }
    assert!(!without.browser().visit("/sign-in").await.body.contains("/sign-in/provider"));
}
