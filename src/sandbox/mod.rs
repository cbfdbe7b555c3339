//! 沙箱, what the serving process can still do once it runs: read and write the folders it was
//! told of, speak TCP on the ports it was told of, and start no program.
//!
//! Two walls of the kernel, neither of which a process can take down again, nor anything it
//! starts: Landlock for files and ports, seccomp for system calls. It knows no configuration; it
//! is handed [`Bounds`].
//!
//! What it does not do: a port is allowed whatever the address, and UDP is not looked at, since
//! names are resolved by it. Addresses are for a firewall, or for systemd's `IPAddressAllow`.

mod bounds;
mod calls;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, NetPort, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, Scope, path_beneath_rules,
};
use serde::Deserialize;

pub use bounds::{Bounds, Outside};

/// The newest interface of Landlock this was tried with (Linux 6.15). A later one restricts what
/// no earlier kernel did, which is to be tried before it is switched on.
const NEWEST: ABI = ABI::V7;
/// Since when truncating a file is restricted too (Linux 6.2).
const FILES: ABI = ABI::V3;
/// Since when ports are restricted (Linux 6.7).
const PORTS: ABI = ABI::V4;

/// Whether the process is confined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// As far as the kernel can; what it cannot is said loudly.
    #[default]
    Best,
    /// Not at all.
    Off,
    /// Wholly, or there is no start.
    Required,
}

/// Which walls stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Walls {
    /// No file outside of its folders.
    pub files: bool,
    /// No port but its own and those of its neighbours.
    pub ports: bool,
    /// No program started, and none of the calls by which one breaks out.
    pub calls: bool,
}

impl Walls {
    /// Each with its name.
    #[must_use]
    pub fn each(self) -> [(&'static str, bool); 3] {
        [("files", self.files), ("ports", self.ports), ("calls", self.calls)]
    }

    /// Whether all of them stand.
    #[must_use]
    pub fn all(self) -> bool {
        self.each().iter().all(|(_, stands)| *stands)
    }

    /// The names of those that do not.
    #[must_use]
    pub fn missing(self) -> Vec<&'static str> {
        self.each().into_iter().filter(|(_, stands)| !stands).map(|(name, _)| name).collect()
    }
}

/// Why the process cannot be confined.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The kernel refuses a filter of calls.
    #[error("the kernel takes no filter of system calls")]
    Calls(#[source] calls::CallsError),
    /// The kernel refuses rules of Landlock.
    #[error("the kernel takes no rules of Landlock")]
    Landlock(#[source] RulesetError),
    /// It is required, and this kernel cannot.
    #[error("sandbox = \"required\", and this kernel cannot confine: {}", .0.missing().join(", "))]
    Required(Walls),
}

/// Which walls stand around this process; none before [`enter`].
#[must_use]
pub fn standing() -> Walls {
    ENTERED.get().copied().unwrap_or_default()
}

static ENTERED: OnceLock<Walls> = OnceLock::new();

/// Confines the process, for good. To be called while it has one thread: others are not confined.
///
/// # Errors
/// [`SandboxError`]; the process may then be half confined and is to end.
pub fn enter(bounds: &Bounds, mode: Mode) -> Result<Walls, SandboxError> {
    let walls = confine(bounds, mode)?;
    // Entered twice the walls only get closer; what stood first stands.
    Ok(*ENTERED.get_or_init(|| walls))
}

/// What the kernel has to offer; nothing is confined.
#[must_use]
pub fn offered() -> Walls {
    let ruleset = || Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let files = ruleset().handle_access(AccessFs::from_all(FILES)).and_then(Ruleset::create);
    let ports = ruleset().handle_access(AccessNet::from_all(PORTS)).and_then(Ruleset::create);
    Walls { files: files.is_ok(), ports: ports.is_ok(), calls: calls::offered() }
}

/// Confines the calling thread and what it starts.
fn confine(bounds: &Bounds, mode: Mode) -> Result<Walls, SandboxError> {
    let offered = offered();
    match mode {
        Mode::Off => return Ok(Walls::default()),
        Mode::Required if !offered.all() => return Err(SandboxError::Required(offered)),
        Mode::Best | Mode::Required => (),
    }
    landlock(bounds).map_err(SandboxError::Landlock)?;
    if offered.calls {
        calls::deny().map_err(SandboxError::Calls)?;
    }
    Ok(offered)
}

/// Files and ports. On a kernel that knows less than is asked for, what it knows is enforced.
fn landlock(bounds: &Bounds) -> Result<(), RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    // What makes devices or leads elsewhere is nobody's business here, nor is starting anything.
    let foreign = AccessFs::Execute
        | AccessFs::IoctlDev
        | AccessFs::MakeBlock
        | AccessFs::MakeChar
        | AccessFs::MakeFifo
        | AccessFs::MakeSym;
    let write = AccessFs::from_all(NEWEST) & !foreign;
    let port = |access| move |port: &u16| Ok::<_, RulesetError>(NetPort::new(*port, access));
    let ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rules(path_beneath_rules(&bounds.reads, read))?
        .add_rules(path_beneath_rules(&bounds.writes, write))?
        .add_rules(bounds.listens.iter().map(port(AccessNet::BindTcp)))?
        .add_rules(bounds.connects.iter().map(port(AccessNet::ConnectTcp)))?;
    ruleset.restrict_self().map(drop)
}
