//! 新鲜度, how current what a source says is.

use serde::{Deserialize, Serialize};

/// How a source's part of an answer was come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Freshness {
    /// From a copy that is still good.
    Cached,
    /// Asked just now.
    Fresh,
    /// The source fails; its last good copy.
    Stale,
    /// The source fails and there is no copy that may be given.
    Unavailable,
}
