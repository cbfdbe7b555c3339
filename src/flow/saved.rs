//! 保存的搜索, kept for whoever gave them a name.

use futures_util::FutureExt;

use super::{Sights, ledger};
use crate::audit::{Kind, Reference};
use crate::inbound::console::view::saved::{Kept, SavedSearch, Saving, Shelf};
use crate::inbound::console::view::{Asker, Seen};
use crate::store::saved::{OfSaved, Shelved};
use crate::store::{LedgerRow, StoreError};
use crate::vocabulary::Fault;

impl Saving for Sights {
    fn saved<'a>(&'a self, asker: &'a Asker, shelf: Shelf) -> Seen<'a, Vec<SavedSearch>> {
        async move {
            let (owner, page) = (asker.user.clone(), shelf.as_str());
            let found = self.gateway.store.saved_searches(owner, page).await;
            let found = found.map_err(|error| error.fault())?.into_iter().map(|(name, fields)| {
                let fields = serde_json::from_str(&fields).map_err(|_| Fault::Internal)?;
                Ok(SavedSearch { name, fields })
            });
            found.collect()
        }
        .boxed()
    }

    fn save<'a>(&'a self, asker: &'a Asker, shelf: Shelf, one: SavedSearch) -> Seen<'a, Kept> {
        async move {
            let fields = serde_json::to_string(&one.fields).map_err(|_| Fault::Internal)?;
            let told = one.fields.iter().map(|(field, value)| format!(" {field}={value}"));
            let told = format!("{} search saved:{}", shelf.as_str(), told.collect::<String>());
            let row = self.row_of(asker, &told);
            let kept = OfSaved::Keep(shelved(asker, shelf, one.name), fields, row.at_ms, row);
            match self.gateway.store.keep_search(kept).await {
                Ok(()) => Ok(Kept::Saved),
                Err(StoreError::Settled) => Ok(Kept::Full),
                Err(error) => Err(error.fault()),
            }
        }
        .boxed()
    }

    fn forget<'a>(&'a self, asker: &'a Asker, shelf: Shelf, name: &'a str) -> Seen<'a, bool> {
        async move {
            let row = self.row_of(asker, &format!("{} search forgotten", shelf.as_str()));
            let forgotten = OfSaved::Forget(shelved(asker, shelf, name.to_owned()), row);
            match self.gateway.store.keep_search(forgotten).await {
                Ok(()) => Ok(true),
                Err(StoreError::Unknown) => Ok(false),
                Err(error) => Err(error.fault()),
            }
        }
        .boxed()
    }
}

impl Sights {
    fn row_of(&self, asker: &Asker, subject: &str) -> LedgerRow {
        let mut entry = self.gateway.event(Kind::Query, subject);
        entry.asker = Some(Reference::new(&asker.user));
        ledger::row(&entry)
    }
}

fn shelved(asker: &Asker, shelf: Shelf, name: String) -> Shelved {
    Shelved { owner: asker.user.clone(), page: shelf.as_str(), name }
}
