//! Ctrl-C and its kin: the run is told to stop, and puts everything back.

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that the first SIGINT, SIGTERM, SIGQUIT or SIGHUP cancels; the last comes when the
/// terminal is closed. From now on they end nothing by themselves: what goes on after one is the
/// putting back.
pub(crate) fn on_signal() -> CancellationToken {
    let token = CancellationToken::new();
    // `nohup` has it ignored, so that the run outlives the terminal.
    let hangup = (!is_ignored(Signal::HUP)).then(SignalKind::hangup);
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

/// A file beyond the limit of its size (`ulimit -f`) is an error like a full disk, and does not kill
/// a run in the middle of its changes.
fn survive_full_files() {
    if let Ok(mut signals) = signal(SignalKind::from_raw(Signal::XFSZ.as_raw())) {
        tokio::spawn(async move { while signals.recv().await.is_some() {} });
    }
}

/// Whether this process was started with a signal ignored.
fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask & (1 << (signal.as_raw() - 1)) != 0
}
