//! 入口, by which way a message came in.

use serde::Serialize;

/// By which way a message came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Entrance {
    /// A file in an exchange folder.
    Folder,
    /// A body over HTTPS, of whatever form.
    Https,
    /// A frame over MLLP.
    Mllp,
    /// A row of a table.
    Table,
}

impl Entrance {
    /// Every entrance.
    const ALL: [Self; 4] = [Self::Folder, Self::Https, Self::Mllp, Self::Table];

    /// Its name in the journal and in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::Https => "https",
            Self::Mllp => "mllp",
            Self::Table => "table",
        }
    }

    /// The entrance with that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|entrance| entrance.as_str() == name)
    }
}
