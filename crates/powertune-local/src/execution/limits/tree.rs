//! The processes of an environment, from `/proc`.

use std::fs;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::execution::process::Group;

/// A figure of a process's resident memory.
#[derive(Debug, Clone, Copy)]
pub(super) enum ResidentMemory {
    Current,
    Peak,
}

/// The leader of the group and all its descendants, in any group.
pub(super) fn tree(group: Group) -> Vec<Pid> {
    let mut tree = vec![group.leader()];
    let mut next = 0;
    while let Some(pid) = tree.get(next) {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
        for task in tasks.filter_map(Result::ok) {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            tree.extend(children.split_whitespace().filter_map(parse_pid));
        }
        next += 1;
    }
    tree
}

/// The resident memory of the `processes` that still live.
pub(super) fn memory_bytes(processes: &[Pid], memory: ResidentMemory) -> u64 {
    processes.iter().filter_map(|pid| resident_bytes(*pid, memory)).sum()
}

fn resident_bytes(pid: Pid, memory: ResidentMemory) -> Option<u64> {
    let name = match memory {
        ResidentMemory::Current => "VmRSS:",
        ResidentMemory::Peak => "VmHWM:",
    };
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

pub(super) fn kill_tree(group: Group) {
    kill_all(tree(group));
}

pub(super) fn kill_all(processes: impl IntoIterator<Item = Pid>) {
    for pid in processes {
        // A process that has just ended needs no signal.
        kill(pid, Signal::SIGKILL).ok();
    }
}

/// The kernel writes 0 for a process outside our PID namespace. For `kill`, 0 and negative numbers
/// mean groups of processes, our own group too.
pub(super) fn parse_pid(text: &str) -> Option<Pid> {
    let number = text.parse().ok().filter(|number| *number > 0)?;
    Some(Pid::from_raw(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory() {
        let own = [Pid::this()];
        let block = vec![1_u8; 32 * 1024 * 1024];
        let touched = block.iter().map(|byte| u64::from(*byte)).sum();
        assert!(memory_bytes(&own, ResidentMemory::Current) > touched);
        drop(block);
        assert!(memory_bytes(&own, ResidentMemory::Peak) > touched);
        assert_eq!(memory_bytes(&[], ResidentMemory::Peak), 0);
    }

    #[test]
    fn only_numbers_of_single_processes_are_read() {
        assert_eq!(parse_pid("7"), Some(Pid::from_raw(7)));
        assert!(["0", "-1", "-7", "", "x"].iter().all(|text| parse_pid(text).is_none()));
    }
}
