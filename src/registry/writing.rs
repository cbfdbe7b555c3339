//! How an answer and a refusal are written: one [`Writing`] for each interface of askers.
//!
//! The flow decides and enters in the ledger; a writing only puts a release into the
//! words of its interface.

use crate::policy::Release;
use crate::registry::answer::{AnswerMeta, RefusalMeta, write_answer, write_refusal};
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
pub trait Writing: Send + Sync {
    /// Writes an answer.
    fn answer(&self, pack: &Pack, release: &Release, meta: &AnswerMeta<'_>) -> Written;
    /// Writes a refusal.
    fn refusal(&self, meta: &RefusalMeta<'_>) -> Written;
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
