//! Gateways beside one another: the same keys, certificates and packs, each in a folder of its own.

use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use super::{Ports, Rig, configuration, copy, free_port, upstream};

impl Rig {
    /// Another node beside this one, which has run and so made its keys; not started.
    pub fn beside(&self, more: &str) -> Self {
        let folder = TempDir::with_prefix("kangqiao-").unwrap();
        for name in ["certs", "keys", "mappings", "policies"] {
            copy(&self.path().join(name), &folder.path().join(name));
        }
        let certs = folder.path().join("certs");
        let server = |name| upstream::serve(&certs.join("ca.pem"), &certs, name);
        let (platform, registry) = (server("platform"), server("registry"));
        let [mllp, mllps, https, console, operation] = std::array::from_fn(|_| free_port());
        let ports = Ports { mllp, mllps, https, console, operation };
        let text = configuration(&ports, platform.port, registry.port, more);
        std::fs::write(folder.path().join("kangqiao.toml"), text).unwrap();
        let (words, log, faults, binary) = Default::default();
        let (child, printed) = (Mutex::default(), Arc::default());
        Self { folder, ports, platform, registry, words, log, faults, binary, child, printed }
    }
}
