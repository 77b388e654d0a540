//! Whether other programs take CPU from what is to be measured on this machine.

use std::{fs, num::NonZero, time::Duration};

use powertune_core::warning::Warning;

/// How long it is looked at. The counters of the kernel tick 100 times a second.
const LOOK: Duration = Duration::from_millis(300);
/// From this share of its CPU on, a machine is called busy.
const BUSY: f64 = 0.25;

/// What is to be said of this machine before it measures, where others are busy on it. Nothing of
/// ours may run yet.
pub(super) async fn warning() -> Option<Warning> {
    let before = times()?;
    tokio::time::sleep(LOOK).await;
    let share = before.share_until(times()?)?;
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let processors = u32::try_from(processors).unwrap_or(u32::MAX);
    (share >= BUSY).then_some(Warning::BusyMachine { share, processors })
}

/// How much CPU there has been since the machine started, in the kernel's ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    all: u64,
    idle: u64,
}

fn times() -> Option<Times> {
    Times::read(&fs::read_to_string("/proc/stat").ok()?)
}

impl Times {
    /// The first line of `/proc/stat` (`man 5 proc_stat`): user, nice, system, idle, iowait, irq,
    /// softirq, steal, and guest times that are in user already.
    fn read(stat: &str) -> Option<Self> {
        let numbers = stat.lines().next()?.strip_prefix("cpu ")?;
        let ticks: Vec<u64> =
            numbers.split_whitespace().take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
        let [_, _, _, idle, waiting, ..] = ticks[..] else { return None };
        Some(Self { all: ticks.iter().sum(), idle: idle + waiting })
    }

    /// The share of the time since that was not idle; `None` where no time has passed.
    fn share_until(self, later: Self) -> Option<f64> {
        let all = later.all.checked_sub(self.all).filter(|&all| all > 0)?;
        // The count of waiting may go back.
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
            Times::read(&format!("cpu  {user} 0 0 {idle} 50 0 0 0 7 7\ncpu0 1 2 3 4\n"))
        };
        let before = stat(100, 1000).expect("a line");
        assert_eq!(before, Times { all: 1150, idle: 1050 });
        let share = |user, idle| before.share_until(stat(user, idle).expect("a line"));
        assert_eq!(share(100, 1060), Some(0.0));
        assert_eq!(share(145, 1015), Some(0.75));
        assert_eq!(share(100, 1000), None, "no time has passed");
        assert_eq!(Times::read("cpu  1 2\n"), None);
        assert_eq!(Times::read("intr 1\n"), None);
    }
}
