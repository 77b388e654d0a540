//! The processes that this one has started. A credential_process that has not answered goes on
//! after the command has ended, since the SDK does not end it.

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};

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

/// Collects a process and all its descendants.
fn collect(process: Pid, all: &mut BTreeSet<i32>) {
    if all.insert(process.as_raw_nonzero().get()) {
        for child in children(process) {
            collect(child, all);
        }
    }
}

fn children(process: Pid) -> Vec<Pid> {
    let threads = format!("/proc/{}/task", process.as_raw_nonzero());
    let Ok(threads) = fs::read_dir(threads) else { return Vec::new() };
    let lists = threads
        .filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok())
        .collect::<Vec<_>>()
        .concat();
    lists.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?)).collect()
}
