//! What is asked and said of the index of a running gateway, by its operator's door.

use std::path::PathBuf;

use crate::command::Failure;
use crate::command::identifier::Named;
use crate::command::operate::{give, print};
use crate::flow::identity::Identity;
use crate::inbound::operator::Order;

/// Which gateway.
#[derive(Debug, clap::Args)]
pub struct Place {
    /// The gateway's configuration file
    #[arg(long, default_value = "kangqiao.toml")]
    config: PathBuf,
}

/// `kangqiao identity explain|history --citizen-id …`
#[derive(Debug, clap::Args)]
pub struct Whose {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    who: Named,
}

/// `kangqiao identity compare|link 12 15`
#[derive(Debug, clap::Args)]
pub struct Two {
    #[command(flatten)]
    place: Place,
    /// An entry, by the number that explain and review show
    one: i64,
    /// Another
    other: i64,
}

/// `kangqiao identity undo 3`
#[derive(Debug, clap::Args)]
pub struct Undo {
    #[command(flatten)]
    place: Place,
    /// The number of what was said, as history shows it
    event: i64,
}

/// `kangqiao identity unlink 12 [15]`
#[derive(Debug, clap::Args)]
pub struct Unlink {
    #[command(flatten)]
    place: Place,
    /// An entry, by the number that explain and review show
    one: i64,
    /// Which other it is not; every other of its person if none is named
    other: Option<i64>,
}

impl Place {
    /// # Errors
    /// [`Failure`] if the gateway does not carry it out.
    pub fn learn(self) -> Result<(), Failure> {
        self.order(&Identity::Learn)
    }

    /// # Errors
    /// [`Failure`] if the gateway does not carry it out.
    pub fn review(self) -> Result<(), Failure> {
        self.order(&Identity::Review)
    }

    /// # Errors
    /// [`Failure`] if the gateway does not carry it out.
    pub fn rotate(self) -> Result<(), Failure> {
        self.order(&Identity::Rotate)
    }

    /// # Errors
    /// [`Failure`] if the gateway does not carry it out.
    pub fn stats(self) -> Result<(), Failure> {
        self.order(&Identity::Stats)
    }

    fn order(&self, about: &Identity) -> Result<(), Failure> {
        let about = serde_json::to_value(about);
        let about = about.map_err(|error| Failure::during("order", error))?;
        print(&give(&self.config, &Order::Identity { about })?)
    }
}

impl Whose {
    /// # Errors
    /// [`Failure`] if the gateway does not carry it out.
    pub fn explain(self) -> Result<(), Failure> {
        let identifier = self.who.identifier()?;
        self.place.order(&Identity::Explain { identifier })
    }

    /// # Errors
    /// [`Failure`] if the gateway does not carry it out.
    pub fn history(self) -> Result<(), Failure> {
        let identifier = self.who.identifier()?;
        self.place.order(&Identity::History { identifier })
    }
}

impl Two {
    /// # Errors
    /// [`Failure`] if the gateway does not carry it out.
    pub fn compare(self) -> Result<(), Failure> {
        self.place.order(&Identity::Compare { one: self.one, other: self.other })
    }

    /// # Errors
    /// [`Failure`] if the gateway does not carry it out.
    pub fn link(self) -> Result<(), Failure> {
        self.place.order(&Identity::Link { one: self.one, other: self.other })
    }
}

impl Undo {
    /// # Errors
    /// [`Failure`] if the gateway does not carry it out.
    pub fn run(self) -> Result<(), Failure> {
        self.place.order(&Identity::Undo { event: self.event })
    }
}

impl Unlink {
    /// # Errors
    /// [`Failure`] if the gateway does not carry it out.
    pub fn run(self) -> Result<(), Failure> {
        self.place.order(&Identity::Unlink { one: self.one, other: self.other })
    }
}
