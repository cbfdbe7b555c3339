//! The clients of everybody the gateway speaks to by itself.

use std::fs;
use std::sync::Arc;

use crate::audit::{Signs, VerifyingKey};
use crate::command::Failure;
use crate::config::Config;
use crate::flow::Neighbours;
use crate::inbound::console::openid::{self, Asked, Fetch};
use crate::outbound::provider::Provider;
use crate::outbound::{
    Sink, SinkSettings, Subscriber, SubscriptionSettings, TlsFiles, Upstream, Witness,
    WitnessSettings,
};

/// All of them.
///
/// # Errors
/// [`Failure`] naming the one that cannot be used.
pub fn neighbours(config: &Config) -> Result<Neighbours, Failure> {
    Ok(Neighbours {
        upstreams: upstreams(config)?,
        subscribers: subscribers(config)?,
        witnesses: witnesses(config)?,
        sinks: sinks(config)?,
    })
}

/// The clients of all upstream systems.
///
/// # Errors
/// [`Failure`] naming the one that cannot be used.
pub fn upstreams(config: &Config) -> Result<Vec<Arc<Upstream>>, Failure> {
    let client = |settings: &crate::outbound::Settings| {
        let during = |error: &dyn std::error::Error| {
            Failure::caused(&format!("upstream {}", settings.name), error)
        };
        let tls = settings.tls.load().map_err(|error| during(&error))?;
        Upstream::new(settings.clone(), tls).map(Arc::new).map_err(|error| during(&error))
    };
    config.upstream.iter().map(client).collect()
}

/// The clients of all subscriptions.
///
/// # Errors
/// [`Failure`] naming the one that cannot be used.
fn subscribers(config: &Config) -> Result<Vec<Arc<Subscriber>>, Failure> {
    let client = |settings: &SubscriptionSettings| {
        let during = |error: &dyn std::error::Error| {
            Failure::caused(&format!("subscription {}", settings.name), error)
        };
        let tls = settings.certificates().map(TlsFiles::load).transpose();
        let tls = tls.map_err(|error| during(&error))?;
        Subscriber::new(settings.clone(), tls).map(Arc::new).map_err(|error| during(&error))
    };
    config.subscription.iter().map(client).collect()
}

/// The clients of all sinks.
fn sinks(config: &Config) -> Result<Vec<Arc<Sink>>, Failure> {
    let client = |settings: &SinkSettings| {
        let during = |error: &dyn std::error::Error| {
            Failure::caused(&format!("audit sink {}", settings.name), error)
        };
        let tls = settings.tls.load().map_err(|error| during(&error))?;
        Sink::new(settings.clone(), tls).map(Arc::new).map_err(|error| during(&error))
    };
    config.audit_sink.iter().map(client).collect()
}

/// The way to the provider of the console's sign-ins.
///
/// # Errors
/// [`Failure`] if its authorities cannot be used.
pub fn fetch(settings: &openid::Settings) -> Result<Fetch, Failure> {
    let provider = Provider::new(&settings.authority);
    let provider = provider.map_err(|error| Failure::caused("console.openid", &error))?;
    Ok(Arc::new(move |asked| {
        let provider = provider.clone();
        Box::pin(async move {
            match asked {
                Asked::Get(url) => provider.get(&url).await,
                Asked::Post { url, form, basic } => {
                    let basic = basic.as_ref().map(|(name, secret)| (&**name, &***secret));
                    provider.post(&url, &form, basic).await
                }
            }
        })
    }))
}

/// The clients of all witnesses.
fn witnesses(config: &Config) -> Result<Vec<Arc<Witness>>, Failure> {
    let client = |settings: &WitnessSettings| {
        let during = |error: &dyn std::error::Error| {
            Failure::caused(&format!("witness {}", settings.url), error)
        };
        let key = fs::read_to_string(&settings.public_key).map_err(|error| during(&error))?;
        let key = VerifyingKey::parse_for(&key, Signs::Cosignatures);
        let key = key.map_err(|error| during(&error))?;
        let tls = settings.tls.load().map_err(|error| during(&error))?;
        Witness::new(settings.clone(), key, tls).map(Arc::new).map_err(|error| during(&error))
    };
    config.witness.iter().map(client).collect()
}
