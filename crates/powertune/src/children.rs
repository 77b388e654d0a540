//! The processes that this one has started. A credential_process that has not answered goes on
//! after the command has ended, since the SDK does not end it.

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::{Pid, getpid},
};

/// The time that a process has to end by itself.
const GRACE: Duration = Duration::from_secs(1);
/// The pause between two looks at the processes.
const LOOK: Duration = Duration::from_millis(10);

/// Ends all child processes and their children. On systems that do not list a process's children,
/// nothing is ended.
pub(crate) fn end() {
    let mut all = BTreeSet::new();
    let own: Vec<Pid> = children(getpid());
    for &child in &own {
        collect(child, &mut all);
    }
    signal(&all, Signal::SIGTERM);
    let started = Instant::now();
    let mut left = own;
    while !left.is_empty() && started.elapsed() < GRACE {
        left.retain(|&child| {
            waitpid(child, Some(WaitPidFlag::WNOHANG)) == Ok(WaitStatus::StillAlive)
        });
        std::thread::sleep(LOOK);
    }
    if !left.is_empty() {
        signal(&all, Signal::SIGKILL);
    }
}

fn signal(processes: &BTreeSet<Pid>, signal: Signal) {
    for &process in processes {
        // It may have ended by itself.
        let _ = kill(process, signal);
    }
}

/// Collects a process and all its descendants.
fn collect(process: Pid, all: &mut BTreeSet<Pid>) {
    if all.insert(process) {
        for child in children(process) {
            collect(child, all);
        }
    }
}

fn children(process: Pid) -> Vec<Pid> {
    let threads = format!("/proc/{process}/task");
    let Ok(threads) = fs::read_dir(threads) else { return Vec::new() };
    let lists = threads
        .filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok())
        .collect::<Vec<_>>()
        .concat();
    lists.split_whitespace().filter_map(|id| Some(Pid::from_raw(id.parse().ok()?))).collect()
}
