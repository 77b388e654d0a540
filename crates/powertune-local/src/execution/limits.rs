//! What holds an environment to its memory size: a share of CPU, and a limit of memory.
//!
//! Cgroups do it exactly where this process may make them. Elsewhere a governor stops and
//! continues the processes by signals, watching their CPU clocks and their resident memory.

mod cgroup;
mod discovery;
mod governor;
mod tree;

use std::{
    fmt::{self, Display, Formatter},
    io,
    os::fd::OwnedFd,
    time::Duration,
};

use nix::sys::signal::Signal;

use self::{
    cgroup::{EnvironmentCgroup, ServerCgroup},
    governor::Governor,
    tree::{ResidentMemory, memory_bytes, tree},
};
use super::{admission::Share, process::Group};

/// The period in which a quota of CPU is given. Lambda's own pauses show this one; with a longer
/// one short functions would come out too fast, because what is unused at first is free.
const PERIOD: Duration = Duration::from_millis(20);

/// What holds functions to their share of the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CpuControl {
    /// Cgroups where this process may make them, else signals.
    #[default]
    Auto,
    /// Cgroups, version 1 or 2, or no start.
    Cgroup,
    /// `SIGSTOP` and `SIGCONT`, which need no rights.
    Signals,
    /// Nothing, and nobody waits for anybody: to try out what calls functions. What they take says
    /// nothing about a memory size then.
    Unlimited,
}

/// What limits every environment of this server.
#[derive(Debug)]
pub(super) enum Limiter {
    Cgroup(ServerCgroup),
    Signals { held: bool, no_cgroup: Option<CgroupError> },
}

/// Why there are no cgroups to use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CgroupError {
    /// The controllers are not there.
    #[error(
        "no cgroup hierarchy with the cpu and memory controllers is mounted, or none is delegated \
         to this user (`systemd-run --user --scope -p Delegate=yes` delegates one)"
    )]
    NotFound,
    /// They are there, but not ours to use.
    #[error("{what}: {source}")]
    Refused {
        /// What was tried, and where.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Limiter {
    /// Finds out what this process may use.
    pub(super) fn choose(control: CpuControl) -> Result<Self, CgroupError> {
        match control {
            CpuControl::Signals => Ok(Self::Signals { held: true, no_cgroup: None }),
            CpuControl::Unlimited => Ok(Self::Signals { held: false, no_cgroup: None }),
            CpuControl::Cgroup => ServerCgroup::create().map(Self::Cgroup),
            CpuControl::Auto => Ok(match ServerCgroup::create() {
                Ok(cgroup) => Self::Cgroup(cgroup),
                Err(error) => Self::Signals { held: true, no_cgroup: Some(error) },
            }),
        }
    }

    /// Limits for one environment, before its process exists.
    pub(super) fn prepare(&self, memory_mb: u32, share: Share) -> io::Result<PreparedLimits> {
        Ok(match self {
            Self::Cgroup(server) => {
                let cgroup = server.environment(memory_mb, share)?;
                PreparedLimits::Cgroup { procs: cgroup.procs()?, cgroup }
            }
            Self::Signals { .. } => PreparedLimits::Signals { memory_mb },
        })
    }

    /// Removes what is left of it all. Blocks for a moment where processes are still dying.
    pub(super) fn remove(&self) {
        if let Self::Cgroup(server) = self {
            server.remove();
        }
    }
}

impl Display for Limiter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cgroup(server) => write!(f, "{server}"),
            Self::Signals { held: false, .. } => f.write_str("CPU not limited"),
            Self::Signals { no_cgroup: None, .. } => f.write_str("SIGSTOP governor"),
            Self::Signals { no_cgroup: Some(error), .. } => {
                write!(f, "SIGSTOP governor (no cgroup: {error})")
            }
        }
    }
}

/// Limits that wait for a process.
#[derive(Debug)]
pub(super) enum PreparedLimits {
    Cgroup { cgroup: EnvironmentCgroup, procs: Vec<OwnedFd> },
    Signals { memory_mb: u32 },
}

impl PreparedLimits {
    /// The `cgroup.procs` files that the process has to join.
    pub(super) fn take_procs(&mut self) -> Vec<OwnedFd> {
        match self {
            Self::Cgroup { procs, .. } => std::mem::take(procs),
            Self::Signals { .. } => Vec::new(),
        }
    }

    /// Limits the process group that has just been started.
    pub(super) fn attach(self, group: Group, share: Share) -> io::Result<Limits> {
        Ok(match self {
            Self::Cgroup { cgroup, .. } => Limits::Cgroup { cgroup, group },
            Self::Signals { memory_mb } => {
                Limits::Signals(Governor::start(group, memory_mb, share)?)
            }
        })
    }
}

/// The limits of one running environment.
#[derive(Debug)]
pub(super) enum Limits {
    Cgroup { cgroup: EnvironmentCgroup, group: Group },
    Signals(Governor),
}

impl Limits {
    /// Lets the environment run with `share` of the CPU.
    pub(super) fn run(&mut self, share: Share) -> io::Result<()> {
        match self {
            Self::Cgroup { cgroup, group } => {
                cgroup.set_share(share)?;
                group.signal(Signal::SIGCONT);
            }
            Self::Signals(governor) => governor.run(share),
        }
        Ok(())
    }

    /// Freezes the environment: between invocations nothing of it runs, as on Lambda.
    pub(super) fn freeze(&self) {
        match self {
            Self::Cgroup { group, .. } => group.signal(Signal::SIGSTOP),
            Self::Signals(governor) => governor.freeze(),
        }
    }

    /// The most memory that the environment is known to have used.
    ///
    /// A cgroup is charged for a page by whoever touched it first: an interpreter that other
    /// processes run too costs it next to nothing. On Lambda everybody brings their own, so the
    /// resident size counts where it is larger.
    pub(super) fn max_memory_mb(&self) -> Option<u32> {
        let (group, counted) = match self {
            Self::Cgroup { cgroup, group } => (*group, cgroup.max_memory_bytes()),
            Self::Signals(governor) => (governor.group(), governor.max_memory_bytes()),
        };
        let resident = memory_bytes(&tree(group), ResidentMemory::Peak);
        let bytes = counted.max((resident > 0).then_some(resident))?;
        u32::try_from(bytes.div_ceil(1024 * 1024)).ok()
    }

    /// Whether a process was killed because the memory was used up.
    pub(super) fn ran_out_of_memory(&self) -> bool {
        match self {
            Self::Cgroup { cgroup, .. } => cgroup.ran_out_of_memory(),
            Self::Signals(governor) => governor.ran_out_of_memory(),
        }
    }

    /// Kills every process, those that left the process group included as far as they are known:
    /// without a cgroup only descendants of a leader that still lives are.
    pub(super) fn kill(&self) {
        match self {
            Self::Cgroup { cgroup, .. } => cgroup.kill(),
            Self::Signals(governor) => governor.kill(),
        }
    }

    /// Whether everything of the environment is gone.
    pub(super) fn try_remove(&self) -> bool {
        match self {
            Self::Cgroup { cgroup, .. } => cgroup.try_remove(),
            Self::Signals(_) => true,
        }
    }
}
