//! The processes of an environment, as `/proc` shows them.

use std::fs;

use nix::unistd::Pid;
use rustix::process::{Signal, kill_process};

use crate::execution::process::Group;

/// Which figure of a process's resident memory.
#[derive(Debug, Clone, Copy)]
pub(super) enum Memory {
    Resident,
    /// The most it ever was.
    Peak,
}

/// The group's leader and all its descendants, in whatever group they are now.
pub(super) fn tree(group: Group) -> Vec<Pid> {
    let mut tree = vec![Pid::from_raw(group.leader().as_raw_nonzero().get())];
    let mut next = 0;
    while let Some(pid) = tree.get(next) {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
        for task in tasks.filter_map(Result::ok) {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            let children = children.split_whitespace().filter_map(|pid| pid.parse().ok());
            tree.extend(children.map(Pid::from_raw));
        }
        next += 1;
    }
    tree
}

/// The resident memory of all `processes` that still live.
pub(super) fn memory_bytes(processes: &[Pid], memory: Memory) -> u64 {
    processes.iter().filter_map(|pid| resident_bytes(*pid, memory)).sum()
}

fn resident_bytes(pid: Pid, memory: Memory) -> Option<u64> {
    let name = match memory {
        Memory::Resident => "VmRSS:",
        Memory::Peak => "VmHWM:",
    };
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// Kills the leader and all its descendants.
pub(super) fn kill_tree(group: Group) {
    for pid in
        tree(group).into_iter().filter_map(|pid| rustix::process::Pid::from_raw(pid.as_raw()))
    {
        // One that has just ended needs no signal.
        kill_process(pid, Signal::KILL).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory() {
        let own = [Pid::this()];
        let block = vec![1_u8; 32 * 1024 * 1024];
        let touched = block.iter().map(|byte| u64::from(*byte)).sum();
        assert!(memory_bytes(&own, Memory::Resident) > touched);
        drop(block);
        assert!(memory_bytes(&own, Memory::Peak) > touched);
        assert_eq!(memory_bytes(&[], Memory::Peak), 0);
    }
}
