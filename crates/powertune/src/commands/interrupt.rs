//! Ctrl-C and its kin: the run is told to stop, and puts everything back.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled by the first SIGINT or SIGTERM, which says `what` happens then. From
/// then on they end nothing: what
/// still runs is the putting back.
pub(crate) fn on_signal(what: &'static str) -> CancellationToken {
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return;
        };
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            eprintln!("{what}");
            cancelled.cancel();
        }
    });
    token
}
