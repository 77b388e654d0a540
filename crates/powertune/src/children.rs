//! Processes that this one has started and that are still there when it ends: a credential_process
//! that has not answered goes on by itself, since the SDK does not end it.

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};

/// How long a process may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(1);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(10);

/// Ends them, and what they have started. Where the system does not list a process's children,
/// nothing is ended.
pub(crate) fn end() {
    let mut all = BTreeSet::new();
    let own: Vec<Pid> = children(getpid());
    for &child in &own {
        collect(child, &mut all);
    }
    signal(&all, Signal::TERM);
    let started = Instant::now();
    let mut left = own;
    while !left.is_empty() && started.elapsed() < GRACE {
        left.retain(|&child| matches!(waitpid(Some(child), WaitOptions::NOHANG), Ok(None)));
        std::thread::sleep(LOOK);
    }
    if !left.is_empty() {
        signal(&all, Signal::KILL);
    }
}

fn signal(processes: &BTreeSet<i32>, signal: Signal) {
    for process in processes.iter().filter_map(|&process| Pid::from_raw(process)) {
        // It may have ended by itself.
        let _ = kill_process(process, signal);
    }
}

/// A process and all that it has started.
fn collect(process: Pid, all: &mut BTreeSet<i32>) {
    if all.insert(process.as_raw_nonzero().get()) {
        for child in children(process) {
            collect(child, all);
        }
    }
}

/// The children of every thread of a process.
fn children(process: Pid) -> Vec<Pid> {
    let threads = format!("/proc/{}/task", process.as_raw_nonzero());
    let Ok(threads) = fs::read_dir(threads) else { return Vec::new() };
    let lists = threads
        .filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok())
        .collect::<Vec<_>>()
        .concat();
    lists.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?)).collect()
}
