//! Signals such as Ctrl-C stop the run, which then puts everything back.

use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that the first SIGINT, SIGTERM, SIGQUIT or SIGHUP cancels. From now on these signals do
/// not end the process: the run puts everything back first.
pub(crate) fn on_signal() -> CancellationToken {
    let token = CancellationToken::new();
    // `nohup` makes the process ignore SIGHUP, so that the run outlives the terminal.
    let hangup = (!is_ignored(Signal::SIGHUP)).then(SignalKind::hangup);
    let ending = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::quit()];
    for kind in ending.into_iter().chain(hangup) {
        let Ok(mut signals) = signal(kind) else { continue };
        let cancelled = token.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                cancelled.cancel();
            }
        });
    }
    survive_full_files();
    token
}

/// Turns the signal for a too large file (`ulimit -f`) into an error like a full disk, so that it
/// does not kill a run in the middle of its changes.
fn survive_full_files() {
    if let Ok(mut signals) = signal(SignalKind::from_raw(Signal::SIGXFSZ as i32)) {
        tokio::spawn(async move { while signals.recv().await.is_some() {} });
    }
}

/// True if this process ignored the signal when it was started.
fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask & (1 << (signal as i32 - 1)) != 0
}
