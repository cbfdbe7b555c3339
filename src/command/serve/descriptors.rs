//! How many files the process may have open: each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;

/// What is open beside connections that came in: the store and its log, logs, packs that are
/// read, and what is connected to.
const OTHERS: u64 = 256;

/// Takes as many as the system gives, and says so if that is less than the configuration needs.
pub fn raise(config: &Config) {
    let given = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: given.maximum, maximum: given.maximum };
    let open = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => given.maximum,
        Err(_) => given.current,
    };
    let needed = needed(config);
    if let Some(open) = open.filter(|open| *open < needed) {
        tracing::warn!(
            files.open_max = open,
            files.needed = needed,
            "fewer files may be open than connections: raise LimitNOFILE, or lower connections_max"
        );
    }
}

/// Files for every connection that may be open at once.
fn needed(config: &Config) -> u64 {
    let mllp = config.mllp.iter().map(|door| door.limits.connections_max);
    let console = config.console.iter().map(|console| console.connections_max);
    let told = config.subscription.iter().map(|one| one.in_flight_max);
    let asked = config.upstream.iter().map(|one| one.in_flight_max);
    let all = mllp.chain(console).chain(told).chain(asked).chain([config.https.connections_max]);
    all.fold(OTHERS, |sum, one| sum.saturating_add(u64::try_from(one).unwrap_or(u64::MAX)))
}
