//! Every file and folder the configuration names, in one list: what makes a path the one that is
//! meant, and what the sandbox is to leave the process.

use std::path::{Path, PathBuf};

use super::Config;

/// What the gateway does with a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A file it writes, perhaps beside others.
    ChangedFile,
    /// A folder it writes in.
    ChangedFolder,
    /// A file it reads.
    File,
    /// A folder it reads.
    Folder,
    /// A folder of somebody else's, in which it writes and which it never makes.
    TheirFolder,
}

impl Config {
    /// Makes paths those of a file in this folder.
    pub(super) fn relocate(&mut self, folder: &Path) {
        for (_, path) in self.places() {
            *path = folder.join(&*path);
        }
    }

    /// Every file and folder named here.
    pub fn places(&mut self) -> Vec<(Place, &mut PathBuf)> {
        use Place::{ChangedFile, ChangedFolder, File, Folder, TheirFolder};
        let mut places = vec![
            (ChangedFolder, &mut self.store.folder),
            (Folder, &mut self.mappings),
            (Folder, &mut self.policies),
            (ChangedFile, &mut self.master_key),
            (ChangedFile, &mut self.ledger.key),
            (File, &mut self.tls.certificate),
            (File, &mut self.tls.key),
            (File, &mut self.clients.authorities),
            (File, &mut self.clients.revocations),
        ];
        places.extend(self.ledger.sm2_key.iter_mut().map(|key| (ChangedFile, key)));
        places.extend(self.store.archive.iter_mut().map(|folder| (ChangedFolder, folder)));
        let mut files: Vec<&mut PathBuf> = Vec::new();
        files.extend(self.ledger.people.iter_mut().chain(&mut self.ledger.font));
        if let Some(console) = &mut self.console {
            places.push((ChangedFile, &mut console.users));
            files.extend([&mut console.tls.certificate, &mut console.tls.key]);
            if let Some(openid) = &mut console.openid {
                files.extend([&mut openid.client_secret, &mut openid.authority]);
            }
        }
        for exchange in &mut self.exchange {
            places.push((ChangedFolder, &mut exchange.folder));
        }
        let databases = self.table.iter_mut().map(|table| &mut table.database);
        let databases = databases.chain(self.inquiry_table.iter_mut().map(|t| &mut t.database));
        for database in databases.chain(&mut self.store.postgres) {
            files.extend(database.password.iter_mut().chain(&mut database.authority));
        }
        let upstreams = self.upstream.iter_mut().map(|upstream| &mut upstream.tls);
        for subscription in &mut self.subscription {
            let (theirs, named) = subscription.paths();
            places.extend(theirs.map(|folder| (TheirFolder, folder)));
            files.extend(named);
        }
        let mut witnesses = Vec::new();
        for witness in &mut self.witness {
            files.push(&mut witness.public_key);
            witnesses.push(&mut witness.tls);
        }
        let sinks = self.audit_sink.iter_mut().map(|sink| &mut sink.tls);
        for tls in upstreams.chain(witnesses).chain(sinks) {
            files.extend([&mut tls.authority, &mut tls.certificate, &mut tls.key]);
        }
        places.extend(files.into_iter().map(|file| (File, file)));
        places
    }
}
