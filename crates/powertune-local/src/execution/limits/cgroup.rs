//! Limits by cgroups, version 1 or 2: one folder for the server, and in it one folder for each
//! environment.

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

/// The kernel's smallest quota.
const MIN_QUOTA_US: u64 = 1_000;
const NAME: &str = "powertune-";
/// Time for killed processes to leave their cgroup.
const PATIENCE: Duration = Duration::from_secs(2);

/// The two folders of one cgroup. With version 2 they are the same.
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

/// The folder that holds the folders of all environments.
#[derive(Debug)]
pub(in crate::execution) struct ServerCgroup {
    folders: Folders,
    environments: AtomicU32,
}

impl ServerCgroup {
    /// Makes the folder in the first place where everything works.
    pub(super) fn create() -> Result<Self, CgroupError> {
        static SERVERS: AtomicU32 = AtomicU32::new(0);

        let number = SERVERS.fetch_add(1, Ordering::Relaxed);
        let name = format!("{NAME}{}-{number}", std::process::id());
        let mut refusal = CgroupError::NotFound;
        for place in places()? {
            match Self::create_in(place, &name) {
                Ok(server) => return Ok(server),
                // The first refusal is about the nearest place, so it is the one to report.
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

    /// Gives functions a hundred times the usual weight, so that other programs do not change their
    /// durations. The quotas still limit them.
    fn go_first(&self) -> io::Result<()> {
        let (file, weight) = match self.folders.version {
            CgroupVersion::V1 => ("cpu.shares", "102400"),
            CgroupVersion::V2 => ("cpu.weight", "10000"),
        };
        fs::write(self.folders.cpu.join(file), weight)
    }

    /// Runs a process in a cgroup, because the right to make a cgroup does not include the right to
    /// fill it.
    fn try_out(&self) -> io::Result<()> {
        let cgroup = self.environment(128, Share::of_memory(128))?;
        let mut command = std::process::Command::new("true");
        before_exec(&mut command, cgroup.procs()?);
        command.status().map(drop)
    }

    /// A cgroup for one environment, with its limits set.
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

    /// Kills and removes every environment, and then the folder.
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

#[derive(Debug)]
pub(in crate::execution) struct EnvironmentCgroup {
    folders: Folders,
    memory_mb: u32,
    share: Option<Share>,
}

impl EnvironmentCgroup {
    /// The files through which a process joins.
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
                // The file exists only if the kernel counts swap.
                write_if_there(&memory.join("memory.memsw.limit_in_bytes"), &bytes)
            }
            CgroupVersion::V2 => {
                fs::write(memory.join("memory.max"), &bytes)?;
                write_if_there(&memory.join("memory.swap.max"), "0")?;
                write_if_there(&memory.join("memory.oom.group"), "1")
            }
        }
    }

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

    /// The peak of the memory in use.
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

    /// Kills every process in the cgroup, also outside the process group.
    pub(super) fn kill(&self) {
        self.folders.kill();
    }

    /// Removes the cgroup if no process is left in it. True if it is gone.
    pub(super) fn try_remove(&self) -> bool {
        self.folders.try_remove()
    }
}

impl Drop for EnvironmentCgroup {
    fn drop(&mut self) {
        self.kill();
        // If a killed process has not ended yet, the end of the server removes the folder.
        self.try_remove();
    }
}

impl Folders {
    fn below(&self, name: &str) -> Self {
        let (cpu, memory) = (self.cpu.join(name), self.memory.join(name));
        Self { version: self.version, cpu, memory }
    }

    fn child(&self, name: &str) -> io::Result<Self> {
        let child = self.below(name);
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
                let child = self.below(&name);
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

/// Removes the folders of servers that were killed.
fn remove_stale(parents: &Folders) {
    for name in parents.distinct().flat_map(folders_in) {
        let owner = name.strip_prefix(NAME).and_then(|rest| rest.split_once('-'));
        let Some(owner) = owner.and_then(|(pid, _)| pid.parse::<u32>().ok()) else { continue };
        if !Path::new(&format!("/proc/{owner}")).exists() {
            parents.below(&name).remove_all();
        }
    }
}
