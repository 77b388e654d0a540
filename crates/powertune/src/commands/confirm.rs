//! Questions to a person at the terminal.

use std::io::{self, IsTerminal};

use powertune_engine::error::TuneError;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::{
    console::{prompt, say},
    error::CommandError,
    output::plain,
};

/// Asks, and waits for an answer. Without a terminal the answer is no.
pub(super) async fn ask(
    question: &str,
    cancelled: &CancellationToken,
) -> Result<bool, CommandError> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(false);
    }
    prompt(&format!("{} [y/N] ", plain(question)));
    let (answered, answer) = oneshot::channel();
    // A thread of its own: if nobody answers, it does not keep the process from ending.
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line);
        let _ = answered.send(read.is_ok() && is_yes(&line));
    });
    tokio::select! {
        answer = answer => Ok(answer.unwrap_or(false)),
        () = cancelled.cancelled() => {
            say("");
            Err(TuneError::Interrupted.into())
        }
    }
}

fn is_yes(line: &str) -> bool {
    ["y", "yes"].contains(&line.trim().to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        assert!(is_yes("y\n") && is_yes(" Yes \r\n"));
        assert!(!is_yes("") && !is_yes("\n") && !is_yes("yikes") && !is_yes("n"));
    }
}
