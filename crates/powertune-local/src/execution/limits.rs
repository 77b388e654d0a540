//! The limits of an environment: a share of CPU, and a limit of memory.
//!
//! Cgroups are exact, if this process may make them. Otherwise a governor stops and continues the
//! processes by signals, after their CPU clocks and their resident memory.

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

/// The period of a quota of CPU. Pauses on Lambda show 20 ms. With a longer period, short functions
/// would be too fast, because the first quota is there at once.
const PERIOD: Duration = Duration::from_millis(20);

/// The way to limit functions to their share of the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CpuControl {
    /// Cgroups if this process may make them, else signals.
    #[default]
    Auto,
    /// Cgroups, version 1 or 2. Without them the start fails.
    Cgroup,
    /// `SIGSTOP` and `SIGCONT`, which need no rights.
    Signals,
    /// No limits, and no waiting for CPU: for tests of programs that call functions. Durations then
    /// say nothing about a memory size.
    Unlimited,
}

#[derive(Debug)]
pub(super) enum Limiter {
    Cgroup(ServerCgroup),
    Signals { held: bool, no_cgroup: Option<CgroupError> },
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum CgroupError {
    #[error(
        "no cgroup hierarchy with the cpu and memory controllers is mounted, or none is delegated \
         to this user (`systemd-run --user --scope -p Delegate=yes` delegates one)"
    )]
    NotFound,
    #[error("{what}: {source}")]
    Refused { what: String, source: io::Error },
}

impl Limiter {
    /// Finds the means that this process may use.
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

    /// Removes all cgroups of the server. Blocks until their processes have ended.
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

    /// Limits the process group of a new process.
    pub(super) fn attach(self, group: Group, share: Share) -> io::Result<Limits> {
        Ok(match self {
            Self::Cgroup { cgroup, .. } => Limits::Cgroup { cgroup, group },
            Self::Signals { memory_mb } => {
                Limits::Signals(Governor::start(group, memory_mb, share)?)
            }
        })
    }
}

#[derive(Debug)]
pub(super) enum Limits {
    Cgroup { cgroup: EnvironmentCgroup, group: Group },
    Signals(Governor),
}

impl Limits {
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

    /// Freezes the environment: as on Lambda, nothing of it runs between invocations.
    pub(super) fn freeze(&self) {
        match self {
            Self::Cgroup { group, .. } => group.signal(Signal::SIGSTOP),
            Self::Signals(governor) => governor.freeze(),
        }
    }

    /// The largest memory use that is known, in MB.
    ///
    /// A cgroup counts a page for the process that touched it first. An interpreter that other
    /// processes run too would cost almost nothing. On Lambda each environment has its own
    /// interpreter, so the resident size counts if it is larger.
    pub(super) fn max_memory_mb(&self) -> Option<u32> {
        let (group, counted) = match self {
            Self::Cgroup { cgroup, group } => (*group, cgroup.max_memory_bytes()),
            Self::Signals(governor) => (governor.group(), governor.max_memory_bytes()),
        };
        let resident = memory_bytes(&tree(group), ResidentMemory::Peak);
        let bytes = counted.max((resident > 0).then_some(resident))?;
        u32::try_from(bytes.div_ceil(1024 * 1024)).ok()
    }

    /// True if a process was killed because the memory was used up.
    pub(super) fn ran_out_of_memory(&self) -> bool {
        match self {
            Self::Cgroup { cgroup, .. } => cgroup.ran_out_of_memory(),
            Self::Signals(governor) => governor.ran_out_of_memory(),
        }
    }

    /// Kills every process, also outside the process group. Without a cgroup it finds only
    /// descendants of a leader that still lives.
    pub(super) fn kill(&self) {
        match self {
            Self::Cgroup { cgroup, .. } => cgroup.kill(),
            Self::Signals(governor) => governor.kill(),
        }
    }

    /// True if all processes of the environment have ended.
    pub(super) fn try_remove(&self) -> bool {
        match self {
            Self::Cgroup { cgroup, .. } => cgroup.try_remove(),
            Self::Signals(_) => true,
        }
    }
}
