//! The saved searches of the gateway that exists only for the console's tests.

use super::fake::Fake;
use crate::inbound::console::view::saved::*;
use crate::inbound::console::view::{Asker, Seen};

impl Saving for Fake {
    fn saved<'a>(&'a self, asker: &'a Asker, shelf: Shelf) -> Seen<'a, Vec<SavedSearch>> {
        Box::pin(async move {
            let saved = self.saved.lock().unwrap();
            let own = saved.iter().filter(|(owner, on, _)| *owner == asker.user && *on == shelf);
            Ok(own.map(|(_, _, one)| one.clone()).collect())
        })
    }

    fn save<'a>(&'a self, asker: &'a Asker, shelf: Shelf, one: SavedSearch) -> Seen<'a, Kept> {
        Box::pin(async move {
            self.ask(asker, ("save", shelf, &one))?;
            if one.name == "one too many" {
                return Ok(Kept::Full);
            }
            self.saved.lock().unwrap().push((asker.user.clone(), shelf, one));
            Ok(Kept::Saved)
        })
    }

    fn forget<'a>(&'a self, asker: &'a Asker, shelf: Shelf, name: &'a str) -> Seen<'a, bool> {
        Box::pin(async move {
            self.ask(asker, ("forget", shelf, name))?;
            let mut saved = self.saved.lock().unwrap();
            let before = saved.len();
            saved.retain(|(owner, on, one)| {
                *owner != asker.user || *on != shelf || one.name != name
            });
            Ok(saved.len() < before)
        })
    }
}
