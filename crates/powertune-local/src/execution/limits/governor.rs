//! Limits without rights: SIGSTOP and SIGCONT after the CPU clock, SIGKILL after the resident
//! memory.
//!
//! A thread for each environment does the work of the kernel's bandwidth control: it gives a quota
//! of CPU time every period, stops the processes when the quota is used up, and carries the excess
//! over to the next period.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::Signal,
    time::{ClockId, clock_getcpuclockid},
    unistd::Pid,
};

use super::{
    PERIOD,
    tree::{ResidentMemory, kill_tree, memory_bytes, tree},
};
use crate::execution::{admission::Share, process::Group};

/// Shorter pauses between two readings of the clocks cost more than they bring.
const SHORTEST_LOOK: Duration = Duration::from_micros(200);

#[derive(Debug)]
pub(in crate::execution) struct Governor {
    state: Arc<GovernorState>,
    thread: Option<JoinHandle<()>>,
}

/// The state that an environment and its governor's thread share.
#[derive(Debug)]
struct GovernorState {
    group: Group,
    limit_bytes: u64,
    command: Mutex<GovernorCommand>,
    changed: Condvar,
    peak_bytes: AtomicU64,
    out_of_memory: AtomicBool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GovernorCommand {
    Run(Share),
    Freeze,
    End,
}

impl Governor {
    pub(super) fn start(group: Group, memory_mb: u32, share: Share) -> io::Result<Self> {
        let state = Arc::new(GovernorState {
            group,
            limit_bytes: u64::from(memory_mb) * 1024 * 1024,
            command: Mutex::new(GovernorCommand::Run(share)),
            changed: Condvar::new(),
            peak_bytes: AtomicU64::new(0),
            out_of_memory: AtomicBool::new(false),
        });
        let theirs = Arc::clone(&state);
        let thread = thread::Builder::new()
            .name("powertune-govern".to_owned())
            .spawn(move || theirs.govern())?;
        Ok(Self { state, thread: Some(thread) })
    }

    pub(super) fn group(&self) -> Group {
        self.state.group
    }

    pub(super) fn run(&self, share: Share) {
        self.state.set(GovernorCommand::Run(share));
    }

    pub(super) fn freeze(&self) {
        self.state.set(GovernorCommand::Freeze);
    }

    pub(super) fn kill(&self) {
        kill_tree(self.state.group);
    }

    pub(super) fn max_memory_bytes(&self) -> Option<u64> {
        let peak = self.state.peak_bytes.load(Ordering::Relaxed);
        (peak > 0).then_some(peak)
    }

    pub(super) fn ran_out_of_memory(&self) -> bool {
        self.state.out_of_memory.load(Ordering::Relaxed)
    }
}

impl Drop for Governor {
    fn drop(&mut self) {
        self.kill();
        self.state.set(GovernorCommand::End);
        if let Some(thread) = self.thread.take() {
            // The thread ends within microseconds. A panic in it is printed already.
            drop(thread.join());
        }
    }
}

impl GovernorState {
    fn lock(&self) -> MutexGuard<'_, GovernorCommand> {
        self.command.lock().expect("nothing panics while it holds the lock")
    }

    fn set(&self, command: GovernorCommand) {
        *self.lock() = command;
        self.changed.notify_one();
    }

    fn govern(&self) {
        loop {
            let command = *self.lock();
            match command {
                GovernorCommand::Run(share) => self.give(share),
                GovernorCommand::Freeze => {
                    self.group.signal(Signal::SIGSTOP);
                    let frozen =
                        |command: &mut GovernorCommand| *command == GovernorCommand::Freeze;
                    drop(self.changed.wait_while(self.lock(), frozen));
                }
                GovernorCommand::End => return,
            }
        }
    }

    /// Gives quota after quota until the command changes.
    fn give(&self, share: Share) {
        let command = GovernorCommand::Run(share);
        let period_us = u64::try_from(PERIOD.as_micros()).expect("20 ms");
        let mut bandwidth = CpuBandwidth::new(Duration::from_micros(share.quota_us(period_us)));
        let mut meter = CpuMeter::default();
        meter.follow(tree(self.group));
        let mut stopped = false;
        self.group.signal(Signal::SIGCONT);
        loop {
            if bandwidth.is_overdrawn() && !stopped {
                self.group.signal(Signal::SIGSTOP);
                stopped = true;
            } else if !bandwidth.is_overdrawn() && stopped {
                self.group.signal(Signal::SIGCONT);
                stopped = false;
            }
            if self.wait(command, bandwidth.next_event(Instant::now())) {
                return;
            }
            bandwidth.spend(meter.used());
            if bandwidth.refill(Instant::now()) {
                let tree = tree(self.group);
                self.watch_memory(&tree);
                meter.follow(tree);
            }
        }
    }

    /// Waits for `time` or for a change of the command. True if it changed.
    fn wait(&self, command: GovernorCommand, time: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), time, |now| *now == command);
        !waited.expect("nothing panics while it holds the lock").1.timed_out()
    }

    fn watch_memory(&self, tree: &[Pid]) {
        let bytes = memory_bytes(tree, ResidentMemory::Current);
        self.peak_bytes.fetch_max(bytes, Ordering::Relaxed);
        if bytes > self.limit_bytes {
            self.out_of_memory.store(true, Ordering::Relaxed);
            self.group.signal(Signal::SIGKILL);
        }
    }
}

/// The rest of the quota.
#[derive(Debug)]
struct CpuBandwidth {
    quota: Duration,
    left_ns: i128,
    refilled: Instant,
}

impl CpuBandwidth {
    fn new(quota: Duration) -> Self {
        Self { quota, left_ns: nanos(quota), refilled: Instant::now() }
    }

    fn is_overdrawn(&self) -> bool {
        self.left_ns <= 0
    }

    fn spend(&mut self, used: Duration) {
        self.left_ns -= nanos(used);
    }

    /// Adds a quota for each period that has passed. The rest never exceeds one quota, and debts
    /// stay.
    fn refill(&mut self, now: Instant) -> bool {
        let mut any = false;
        while now.saturating_duration_since(self.refilled) >= PERIOD {
            self.refilled += PERIOD;
            self.left_ns = (self.left_ns + nanos(self.quota)).min(nanos(self.quota));
            any = true;
        }
        any
    }

    /// Time until the next refill, or until one thread could have used up the rest.
    fn next_event(&self, now: Instant) -> Duration {
        let refill = (self.refilled + PERIOD).saturating_duration_since(now);
        match u64::try_from(self.left_ns) {
            Ok(left) if left > 0 => refill.min(Duration::from_nanos(left).max(SHORTEST_LOOK)),
            _ => refill,
        }
    }
}

fn nanos(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX)
}

/// The CPU clocks of a tree of processes.
#[derive(Debug, Default)]
struct CpuMeter {
    clocks: HashMap<Pid, (ClockId, Duration)>,
}

impl CpuMeter {
    /// Replaces the processes. A new process counts from its start. The last moments of an ended
    /// process are lost.
    fn follow(&mut self, tree: Vec<Pid>) {
        let first = self.clocks.is_empty();
        let mut clocks = HashMap::with_capacity(tree.len());
        for pid in tree {
            let known = self.clocks.remove(&pid);
            let clock = known.or_else(|| {
                let clock = clock_getcpuclockid(pid).ok()?;
                let used = if first { clock.now().ok()?.into() } else { Duration::ZERO };
                Some((clock, used))
            });
            clocks.extend(clock.map(|clock| (pid, clock)));
        }
        self.clocks = clocks;
    }

    /// CPU time used since the last call.
    fn used(&mut self) -> Duration {
        let mut sum = Duration::ZERO;
        for (clock, seen) in self.clocks.values_mut() {
            if let Ok(now) = clock.now().map(Duration::from) {
                sum += now.saturating_sub(*seen);
                *seen = now;
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Duration = Duration::from_millis(5);

    #[test]
    fn an_account_carries_debts_but_saves_nothing() {
        let mut bandwidth = CpuBandwidth::new(QUOTA);
        let start = bandwidth.refilled;
        bandwidth.spend(Duration::from_millis(12));
        assert!(bandwidth.is_overdrawn());
        assert!(!bandwidth.refill(start + PERIOD / 2));
        assert!(bandwidth.refill(start + PERIOD));
        assert!(bandwidth.is_overdrawn(), "7 ms owed, 5 ms paid");
        assert!(bandwidth.refill(start + 2 * PERIOD));
        assert_eq!(bandwidth.left_ns, nanos(Duration::from_millis(3)));
        assert!(bandwidth.refill(start + 50 * PERIOD));
        assert_eq!(bandwidth.left_ns, nanos(QUOTA));
    }

    #[test]
    fn it_looks_again_when_the_quota_may_be_used_up() {
        let mut bandwidth = CpuBandwidth::new(QUOTA);
        let start = bandwidth.refilled;
        assert_eq!(bandwidth.next_event(start), QUOTA);
        assert_eq!(bandwidth.next_event(start + PERIOD * 19 / 20), PERIOD / 20);
        bandwidth.spend(QUOTA * 99 / 100);
        assert_eq!(bandwidth.next_event(start), SHORTEST_LOOK);
        bandwidth.spend(QUOTA);
        assert_eq!(bandwidth.next_event(start), PERIOD, "stopped until then");
    }

    #[test]
    fn the_meter_reads_this_process() {
        let mut meter = CpuMeter::default();
        meter.follow(vec![Pid::this()]);
        let mut sum = 0_u64;
        let mut used = meter.used();
        while used < Duration::from_millis(5) {
            sum = (0..100_000_u64).fold(sum, u64::wrapping_add);
            used += meter.used();
        }
        assert_ne!(sum, 0);
    }
}
