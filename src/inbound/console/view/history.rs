//! What an auditor may hand to whom it is about: [`Accounting`].

use super::{Asker, Seen};
use crate::audit::history::Form;

/// 个人信息查阅记录, a person's access history as a file; `flow` implements it. That it was made is
/// in the ledger before it leaves.
pub trait Accounting: Send + Sync {
    /// The history of the person with these pseudonyms.
    fn access_history<'a>(
        &'a self,
        asker: &'a Asker,
        known: &'a [String],
        form: Form,
    ) -> Seen<'a, History>;
}

/// What became of the wish for a history.
#[derive(Debug)]
pub enum History {
    /// It was not printed: there is no font with Chinese characters.
    NoFont,
    /// The file.
    Written(Vec<u8>),
}
