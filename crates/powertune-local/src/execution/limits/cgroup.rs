//! Limits by cgroups, version 1 or 2: one folder a server, one below it an environment.

use std::{
    fmt::{self, Display, Formatter},
    fs::{self, File},
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{
    CgroupError, PERIOD,
    discovery::{CgroupParent, enable_controllers, places},
    tree::{kill_all, parse_pid},
};
use crate::execution::{admission::Share, process::before_exec};

/// The kernel takes no smaller quota.
const MIN_QUOTA_US: u64 = 1_000;
const NAME: &str = "powertune-";
/// How long killed processes may take to leave their cgroup.
const PATIENCE: Duration = Duration::from_secs(2);

/// A pair of folders that are one cgroup: with version 2 the same folder twice.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Folders {
    version: CgroupVersion,
    cpu: PathBuf,
    memory: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CgroupVersion {
    V1,
    V2,
}

/// The folder that holds every environment's.
#[derive(Debug)]
pub(in crate::execution) struct ServerCgroup {
    folders: Folders,
    environments: AtomicU32,
}

impl ServerCgroup {
    /// Makes the folder in the first place where everything that is needed works.
    pub(super) fn create() -> Result<Self, CgroupError> {
        static SERVERS: AtomicU32 = AtomicU32::new(0);

        let number = SERVERS.fetch_add(1, Ordering::Relaxed);
        let name = format!("{NAME}{}-{number}", std::process::id());
        let mut refusal = CgroupError::NotFound;
        for place in places()? {
            match Self::create_in(place, &name) {
                Ok(server) => return Ok(server),
                // Of several the first is the one to tell: the others are further from us.
                Err(error) if matches!(refusal, CgroupError::NotFound) => refusal = error,
                Err(_) => {}
            }
        }
        Err(refusal)
    }

    fn create_in(place: CgroupParent, name: &str) -> Result<Self, CgroupError> {
        let parents = match place {
            CgroupParent::V1 { cpu, memory } => Folders { version: CgroupVersion::V1, cpu, memory },
            CgroupParent::V2 { parent } => {
                enable_controllers(&parent)?;
                Folders { version: CgroupVersion::V2, memory: parent.clone(), cpu: parent }
            }
        };
        remove_stale(&parents);
        let folders = parents.child(name).map_err(|source| CgroupError::Refused {
            what: format!("making a cgroup in {}", parents.cpu.display()),
            source,
        })?;
        let server = Self { folders, environments: AtomicU32::new(0) };
        if server.folders.version == CgroupVersion::V2 {
            enable_controllers(&server.folders.cpu)?;
        }
        server.go_first().map_err(|source| CgroupError::Refused {
            what: format!("raising the weight of {}", server.folders.cpu.display()),
            source,
        })?;
        server.try_out().map_err(|source| CgroupError::Refused {
            what: format!("limiting a process in {}", server.folders.cpu.display()),
            source,
        })?;
        Ok(server)
    }

    /// Gives functions a hundred times the usual weight: what else this machine does should not
    /// show in their durations. Their quota bounds what they take by it.
    fn go_first(&self) -> io::Result<()> {
        let (file, weight) = match self.folders.version {
            CgroupVersion::V1 => ("cpu.shares", "102400"),
            CgroupVersion::V2 => ("cpu.weight", "10000"),
        };
        fs::write(self.folders.cpu.join(file), weight)
    }

    /// Runs a process in a cgroup: being allowed to make one is not yet being allowed to fill it.
    fn try_out(&self) -> io::Result<()> {
        let cgroup = self.environment(128, Share::of_memory(128))?;
        let mut command = std::process::Command::new("true");
        before_exec(&mut command, cgroup.procs()?);
        command.status().map(drop)
    }

    /// A cgroup for one environment, already limited.
    pub(super) fn environment(
        &self,
        memory_mb: u32,
        share: Share,
    ) -> io::Result<EnvironmentCgroup> {
        let number = self.environments.fetch_add(1, Ordering::Relaxed);
        let folders = self.folders.child(&number.to_string())?;
        let mut cgroup = EnvironmentCgroup { folders, memory_mb, share: None };
        cgroup.limit_memory()?;
        cgroup.set_share(share)?;
        Ok(cgroup)
    }

    /// Kills and removes every environment, then the folder itself.
    pub(super) fn remove(&self) {
        self.folders.remove_all();
    }
}

impl Drop for ServerCgroup {
    fn drop(&mut self) {
        self.remove();
    }
}

impl Display for ServerCgroup {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.folders.version {
            CgroupVersion::V1 => f.write_str("cgroup v1 (cpu, memory)"),
            CgroupVersion::V2 => f.write_str("cgroup v2 (cpu, memory)"),
        }
    }
}

/// The cgroup of one environment.
#[derive(Debug)]
pub(in crate::execution) struct EnvironmentCgroup {
    folders: Folders,
    memory_mb: u32,
    share: Option<Share>,
}

impl EnvironmentCgroup {
    /// The files by which a process joins.
    pub(super) fn procs(&self) -> io::Result<Vec<OwnedFd>> {
        let open = |folder: &Path| {
            File::options().write(true).open(folder.join("cgroup.procs")).map(OwnedFd::from)
        };
        self.folders.distinct().map(open).collect()
    }

    fn limit_memory(&self) -> io::Result<()> {
        let bytes = (u64::from(self.memory_mb) * 1024 * 1024).to_string();
        let memory = &self.folders.memory;
        match self.folders.version {
            CgroupVersion::V1 => {
                fs::write(memory.join("memory.limit_in_bytes"), &bytes)?;
                // Without swap accounting there is no such file, and nothing to limit by it.
                write_if_there(&memory.join("memory.memsw.limit_in_bytes"), &bytes)
            }
            CgroupVersion::V2 => {
                fs::write(memory.join("memory.max"), &bytes)?;
                write_if_there(&memory.join("memory.swap.max"), "0")?;
                write_if_there(&memory.join("memory.oom.group"), "1")
            }
        }
    }

    /// Gives the environment `share` of the CPU from now on.
    pub(super) fn set_share(&mut self, share: Share) -> io::Result<()> {
        if self.share == Some(share) {
            return Ok(());
        }
        let period_us = u64::try_from(PERIOD.as_micros()).expect("20 ms");
        let quota_us = share.quota_us(period_us).max(MIN_QUOTA_US);
        let cpu = &self.folders.cpu;
        let (file, text) = match self.folders.version {
            CgroupVersion::V1 => {
                fs::write(cpu.join("cpu.cfs_period_us"), period_us.to_string())?;
                (cpu.join("cpu.cfs_quota_us"), quota_us.to_string())
            }
            CgroupVersion::V2 => (cpu.join("cpu.max"), format!("{quota_us} {period_us}")),
        };
        fs::write(&file, &text)?;
        let now = fs::read_to_string(&file)?;
        if now.trim_end() != text {
            let now = now.trim_end();
            let message = format!("{} says {now} after {text} was written", file.display());
            return Err(io::Error::other(message));
        }
        self.share = Some(share);
        Ok(())
    }

    /// The high-water mark of the memory in use.
    pub(super) fn max_memory_bytes(&self) -> Option<u64> {
        let memory = &self.folders.memory;
        let read = |file: &str| fs::read_to_string(memory.join(file)).ok()?.trim().parse().ok();
        match self.folders.version {
            CgroupVersion::V1 => read("memory.max_usage_in_bytes"),
            // Kernels before 5.19 have no peak.
            CgroupVersion::V2 => read("memory.peak").or_else(|| read("memory.current")),
        }
    }

    pub(super) fn ran_out_of_memory(&self) -> bool {
        let file = match self.folders.version {
            CgroupVersion::V1 => "memory.oom_control",
            CgroupVersion::V2 => "memory.events",
        };
        let events = fs::read_to_string(self.folders.memory.join(file)).unwrap_or_default();
        let kills = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
        kills.is_some_and(|kills| kills.trim() != "0")
    }

    /// Kills every process in it, those that left their process group included.
    pub(super) fn kill(&self) {
        self.folders.kill();
    }

    /// Removes it if no process is left in it.
    pub(super) fn try_remove(&self) -> bool {
        self.folders.try_remove()
    }
}

impl Drop for EnvironmentCgroup {
    fn drop(&mut self) {
        self.kill();
        // Where a killed process is not gone yet, the server's end removes the folder.
        self.try_remove();
    }
}

impl Folders {
    fn child(&self, name: &str) -> io::Result<Self> {
        let child = Self {
            version: self.version,
            cpu: self.cpu.join(name),
            memory: self.memory.join(name),
        };
        for folder in child.distinct() {
            fs::create_dir(folder).inspect_err(|_refused| {
                child.try_remove();
            })?;
        }
        Ok(child)
    }

    fn distinct(&self) -> impl Iterator<Item = &Path> {
        let memory = (self.memory != self.cpu).then_some(self.memory.as_path());
        [self.cpu.as_path()].into_iter().chain(memory)
    }

    fn kill(&self) {
        for folder in self.distinct() {
            let procs = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            kill_all(procs.lines().filter_map(parse_pid));
        }
    }

    fn try_remove(&self) -> bool {
        self.distinct().filter(|folder| !gone(fs::remove_dir(folder))).count() == 0
    }

    fn remove_all(&self) {
        let patient_until = Instant::now() + PATIENCE;
        loop {
            for name in self.distinct().flat_map(folders_in) {
                let child = Self {
                    version: self.version,
                    cpu: self.cpu.join(&name),
                    memory: self.memory.join(&name),
                };
                child.kill();
                child.try_remove();
            }
            if self.try_remove() || Instant::now() > patient_until {
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

fn folders_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

fn gone(removed: io::Result<()>) -> bool {
    removed.map_or_else(|error| error.kind() == io::ErrorKind::NotFound, |()| true)
}

fn write_if_there(file: &Path, text: &str) -> io::Result<()> {
    if file.exists() { fs::write(file, text) } else { Ok(()) }
}

/// Removes what servers left behind that were killed.
fn remove_stale(parents: &Folders) {
    for name in parents.distinct().flat_map(folders_in) {
        let owner = name.strip_prefix(NAME).and_then(|rest| rest.split_once('-'));
        let Some(owner) = owner.and_then(|(pid, _)| pid.parse::<u32>().ok()) else { continue };
        if !Path::new(&format!("/proc/{owner}")).exists() {
            let stale = Folders {
                version: parents.version,
                cpu: parents.cpu.join(&name),
                memory: parents.memory.join(&name),
            };
            stale.remove_all();
        }
    }
}
