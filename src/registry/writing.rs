//! How an answer and a refusal are written: one [`Writing`] for each interface of askers.
//!
//! The flow decides and enters in the ledger; a writing only puts a release into the
//! words of its interface.

use crate::policy::Release;
use crate::registry::answer::{AnswerMeta, RefusalMeta, write_answer, write_refusal};
use crate::registry::whom::Likeness;
use crate::translate::Pack;

/// What goes back to an asker.
#[derive(Clone, PartialEq, Eq)]
pub struct Written {
    /// HTTP status; interfaces without one leave it aside.
    pub status: u16,
    /// Media type of the body.
    pub media: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

/// One interface of askers. What was not decided on cannot be written: an answer takes a
/// [`Release`] and nothing less.
///
/// ```compile_fail,E0308
/// use kangqiao::registry::answer::AnswerMeta;
/// use kangqiao::registry::writing::{Writing, Written};
/// use kangqiao::{translate::Pack, vocabulary::Record};
/// fn unfiltered(way: &dyn Writing, pack: &Pack, all: &Record, meta: &AnswerMeta<'_>) -> Written {
///     way.answer(pack, all, meta)
/// }
/// ```
pub trait Writing: Send + Sync {
    /// Writes an answer.
    fn answer(&self, pack: &Pack, release: &Release, meta: &AnswerMeta<'_>) -> Written;
    /// Writes a refusal.
    fn refusal(&self, meta: &RefusalMeta<'_>) -> Written;
    /// Which of several persons who fit a description it takes; `None` if one person is all
    /// an answer can be about.
    fn window(&self) -> Option<Window> {
        None
    }
    /// Writes an answer about several persons, each decided on for itself.
    fn several(&self, pack: &Pack, several: &Several<'_>) -> Written {
        self.answer(pack, several.nobody, &several.meta)
    }
}

/// Which of several persons an answer takes, the likeliest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How many were given before.
    pub from: usize,
    /// At most so many.
    pub most: usize,
    /// Only who is surely meant.
    pub certain: bool,
}

/// One of several persons.
pub struct Found {
    /// What leaves of this one.
    pub release: Release,
    /// How surely this is who was described.
    pub likeness: Likeness,
    /// The department's own handle.
    pub handle: String,
}

/// Several persons who fit a description.
pub struct Several<'a> {
    /// Those the answer is about.
    pub found: &'a [Found],
    /// How many fit, with those before and behind.
    pub total: usize,
    /// What leaves of somebody nobody knows.
    pub nobody: &'a Release,
    /// The receipt is that of the first.
    pub meta: AnswerMeta<'a>,
}

/// 民政接口, our published JSON interface.
pub struct CivilJson;

/// Media type of what goes to civil-affairs systems.
const JSON: &str = "application/json";

impl Writing for CivilJson {
    fn answer(&self, _: &Pack, release: &Release, meta: &AnswerMeta<'_>) -> Written {
        Written { status: 200, media: JSON, body: write_answer(release, meta) }
    }

    fn refusal(&self, meta: &RefusalMeta<'_>) -> Written {
        let status = meta.fault.row().http_status;
        Written { status, media: JSON, body: write_refusal(meta) }
    }
}

/// Shows status and media alone: the body is somebody's record.
impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Written({} {}, <masked>)", self.status, self.media)
    }
}
