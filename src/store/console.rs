//! What users of the console decide and keep for themselves.

use super::rerun::OfRerun;
use super::saved::OfSaved;
use super::writer::{Answer, Stop, Writer};

/// What is asked of the writer in their name.
pub enum OfConsole {
    /// Something about many messages tried again.
    Rerun(OfRerun),
    /// Something about saved searches.
    Saved(OfSaved),
}

impl Writer {
    pub(super) fn console(&mut self, what: &OfConsole) -> Result<Answer, Stop> {
        match what {
            OfConsole::Rerun(what) => self.rerun(what),
            OfConsole::Saved(what) => self.keep_search(what).map(|()| Answer::Done),
        }
    }
}
