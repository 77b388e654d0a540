//! Limits without rights: SIGSTOP and SIGCONT against the CPU clock, SIGKILL against the resident
//! memory.
//!
//! A thread an environment does what the kernel's bandwidth control does for a cgroup: it gives a
//! quota of CPU time every period, stops the processes when it is used up, and carries over what
//! was used beyond it.

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
    time::{ClockId, clock_getcpuclockid},
    unistd::Pid,
};
use rustix::process::Signal;

use super::{
    PERIOD,
    tree::{Memory, kill_tree, memory_bytes, tree},
};
use crate::execution::{admission::Share, process::Group};

/// Looking at the clocks more often costs more than it gives.
const SHORTEST_LOOK: Duration = Duration::from_micros(200);

/// Holds one environment to its limits.
#[derive(Debug)]
pub(in crate::execution) struct Governor {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

/// Where the environment leaves orders and the governor's thread its findings.
#[derive(Debug)]
struct Desk {
    group: Group,
    limit_bytes: u64,
    order: Mutex<Order>,
    changed: Condvar,
    peak_bytes: AtomicU64,
    out_of_memory: AtomicBool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Run(Share),
    Freeze,
    End,
}

impl Governor {
    pub(super) fn start(group: Group, memory_mb: u32, share: Share) -> io::Result<Self> {
        let desk = Arc::new(Desk {
            group,
            limit_bytes: u64::from(memory_mb) * 1024 * 1024,
            order: Mutex::new(Order::Run(share)),
            changed: Condvar::new(),
            peak_bytes: AtomicU64::new(0),
            out_of_memory: AtomicBool::new(false),
        });
        let theirs = Arc::clone(&desk);
        let thread = thread::Builder::new()
            .name("powertune-govern".to_owned())
            .spawn(move || theirs.govern())?;
        Ok(Self { desk, thread: Some(thread) })
    }

    pub(super) fn group(&self) -> Group {
        self.desk.group
    }

    pub(super) fn run(&self, share: Share) {
        self.desk.set(Order::Run(share));
    }

    pub(super) fn freeze(&self) {
        self.desk.set(Order::Freeze);
    }

    pub(super) fn kill(&self) {
        kill_tree(self.desk.group);
    }

    pub(super) fn max_memory_bytes(&self) -> Option<u64> {
        let peak = self.desk.peak_bytes.load(Ordering::Relaxed);
        (peak > 0).then_some(peak)
    }

    pub(super) fn ran_out_of_memory(&self) -> bool {
        self.desk.out_of_memory.load(Ordering::Relaxed)
    }
}

impl Drop for Governor {
    fn drop(&mut self) {
        self.kill();
        self.desk.set(Order::End);
        if let Some(thread) = self.thread.take() {
            // It ends within microseconds. A panic in it has been printed; nothing is left to do.
            drop(thread.join());
        }
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Order> {
        self.order.lock().expect("nothing panics while it holds the lock")
    }

    fn set(&self, order: Order) {
        *self.lock() = order;
        self.changed.notify_one();
    }

    fn govern(&self) {
        loop {
            let order = *self.lock();
            match order {
                Order::Run(share) => self.give(share),
                Order::Freeze => {
                    self.group.signal(Signal::STOP);
                    let frozen = |order: &mut Order| *order == Order::Freeze;
                    drop(self.changed.wait_while(self.lock(), frozen));
                }
                Order::End => return,
            }
        }
    }

    /// Gives quota after quota until the order changes.
    fn give(&self, share: Share) {
        let order = Order::Run(share);
        let period_us = u64::try_from(PERIOD.as_micros()).expect("20 ms");
        let mut account = Account::open(Duration::from_micros(share.quota_us(period_us)));
        let mut meter = Meter::default();
        meter.follow(tree(self.group));
        let mut stopped = false;
        self.group.signal(Signal::CONT);
        loop {
            if account.is_overdrawn() && !stopped {
                self.group.signal(Signal::STOP);
                stopped = true;
            } else if !account.is_overdrawn() && stopped {
                self.group.signal(Signal::CONT);
                stopped = false;
            }
            if self.wait(order, account.next_event(Instant::now())) {
                return;
            }
            account.spend(meter.used());
            if account.refill(Instant::now()) {
                let tree = tree(self.group);
                self.watch_memory(&tree);
                meter.follow(tree);
            }
        }
    }

    /// Waits, but not beyond a change of the order; whether there was one.
    fn wait(&self, order: Order, time: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), time, |now| *now == order);
        !waited.expect("nothing panics while it holds the lock").1.timed_out()
    }

    fn watch_memory(&self, tree: &[Pid]) {
        let bytes = memory_bytes(tree, Memory::Resident);
        self.peak_bytes.fetch_max(bytes, Ordering::Relaxed);
        if bytes > self.limit_bytes {
            self.out_of_memory.store(true, Ordering::Relaxed);
            self.group.signal(Signal::KILL);
        }
    }
}

/// What of the quota is left.
#[derive(Debug)]
struct Account {
    quota: Duration,
    left_ns: i128,
    refilled: Instant,
}

impl Account {
    fn open(quota: Duration) -> Self {
        Self { quota, left_ns: nanos(quota), refilled: Instant::now() }
    }

    fn is_overdrawn(&self) -> bool {
        self.left_ns <= 0
    }

    fn spend(&mut self, used: Duration) {
        self.left_ns -= nanos(used);
    }

    /// Pays in a quota for each period that has passed. Credit never exceeds one quota, debts stay.
    fn refill(&mut self, now: Instant) -> bool {
        let mut any = false;
        while now.saturating_duration_since(self.refilled) >= PERIOD {
            self.refilled += PERIOD;
            self.left_ns = (self.left_ns + nanos(self.quota)).min(nanos(self.quota));
            any = true;
        }
        any
    }

    /// Until the next refill, or until a single thread would have used up what is left.
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

/// Reads the CPU clocks of a tree of processes.
#[derive(Debug, Default)]
struct Meter {
    clocks: HashMap<Pid, (ClockId, Duration)>,
}

impl Meter {
    /// Reads these processes from now on. What a new one has used already counts at the next look;
    /// what one used that is gone has been counted, but for its last moments.
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

    /// CPU time used since the last look.
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
        let mut account = Account::open(QUOTA);
        let start = account.refilled;
        account.spend(Duration::from_millis(12));
        assert!(account.is_overdrawn());
        assert!(!account.refill(start + PERIOD / 2));
        assert!(account.refill(start + PERIOD));
        assert!(account.is_overdrawn(), "7 ms owed, 5 ms paid");
        assert!(account.refill(start + 2 * PERIOD));
        assert_eq!(account.left_ns, nanos(Duration::from_millis(3)));
        assert!(account.refill(start + 50 * PERIOD));
        assert_eq!(account.left_ns, nanos(QUOTA));
    }

    #[test]
    fn it_looks_again_when_the_quota_may_be_used_up() {
        let mut account = Account::open(QUOTA);
        let start = account.refilled;
        assert_eq!(account.next_event(start), QUOTA);
        assert_eq!(account.next_event(start + PERIOD * 19 / 20), PERIOD / 20);
        account.spend(QUOTA * 99 / 100);
        assert_eq!(account.next_event(start), SHORTEST_LOOK);
        account.spend(QUOTA);
        assert_eq!(account.next_event(start), PERIOD, "stopped until then");
    }

    #[test]
    fn the_meter_reads_this_process() {
        let mut meter = Meter::default();
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
