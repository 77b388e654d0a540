//! Warns of other programs that use the CPU of this machine.

use std::{fs, num::NonZero, time::Duration};

use powertune_core::warning::Warning;

/// The time between two readings of the kernel's counters, which tick 100 times a second.
const LOOK: Duration = Duration::from_millis(300);
/// From this share of used CPU on, the machine counts as busy.
const BUSY: f64 = 0.25;

/// The warning of a busy machine. Call it before anything of ours runs.
pub(super) async fn warning() -> Option<Warning> {
    let before = times()?;
    tokio::time::sleep(LOOK).await;
    let share = before.share_until(times()?)?;
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let processors = u32::try_from(processors).unwrap_or(u32::MAX);
    (share >= BUSY).then_some(Warning::BusyMachine { share, processors })
}

/// The CPU time since the machine started, in the kernel's ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CpuTimes {
    all: u64,
    idle: u64,
}

fn times() -> Option<CpuTimes> {
    CpuTimes::read(&fs::read_to_string("/proc/stat").ok()?)
}

impl CpuTimes {
    /// Reads the first line of `/proc/stat` (`man 5 proc_stat`): user, nice, system, idle, iowait,
    /// irq, softirq, steal, and the guest times, which are in user already.
    fn read(stat: &str) -> Option<Self> {
        let numbers = stat.lines().next()?.strip_prefix("cpu ")?;
        let ticks: Vec<u64> =
            numbers.split_whitespace().take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
        let [_, _, _, idle, waiting, ..] = ticks[..] else { return None };
        Some(Self { all: ticks.iter().sum(), idle: idle + waiting })
    }

    /// The share of the time since then that was not idle; `None` if no time has passed.
    fn share_until(self, later: Self) -> Option<f64> {
        let all = later.all.checked_sub(self.all).filter(|&all| all > 0)?;
        // The kernel's count of iowait may go back.
        let idle = later.idle.saturating_sub(self.idle).min(all);
        Some(1.0 - idle as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_idle_is_busy() {
        let stat = |user: u32, idle: u32| {
            CpuTimes::read(&format!("cpu  {user} 0 0 {idle} 50 0 0 0 7 7\ncpu0 1 2 3 4\n"))
        };
        let before = stat(100, 1000).expect("a line");
        assert_eq!(before, CpuTimes { all: 1150, idle: 1050 });
        let share = |user, idle| before.share_until(stat(user, idle).expect("a line"));
        assert_eq!(share(100, 1060), Some(0.0));
        assert_eq!(share(145, 1015), Some(0.75));
        assert_eq!(share(100, 1000), None, "no time has passed");
        assert_eq!(CpuTimes::read("cpu  1 2\n"), None);
        assert_eq!(CpuTimes::read("intr 1\n"), None);
    }
}
