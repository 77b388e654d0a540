//! The line of the whole run.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use unicode_width::UnicodeWidthStr as _;

/// The text of the line of the whole run.
#[derive(Debug, Default)]
pub(super) struct TotalLine {
    /// The beginning of the run.
    pub(super) since: Option<Instant>,
    pub(super) time: Time,
    /// Further parts, the most important first.
    pub(super) parts: Vec<String>,
}

#[derive(Debug, Default)]
pub(super) enum Time {
    #[default]
    Unknown,
    /// The beginning of a run whose end is not known.
    Since(Instant),
    /// The expected end of the last invocation.
    Until(Instant),
}

impl TotalLine {
    /// As many parts as fit: the next redraw would not remove a line that wraps.
    pub(super) fn words(&self, now: Instant, room: usize) -> String {
        let time = match self.time {
            Time::Unknown => None,
            Time::Since(since) => Some(clock(now.saturating_duration_since(since))),
            Time::Until(end) => {
                Some(format!("about {} left", clock(end.saturating_duration_since(now))))
            }
        };
        let mut words = String::new();
        for part in time.iter().chain(&self.parts) {
            let more = if words.is_empty() { part.clone() } else { format!(", {part}") };
            if words.width() + more.width() > room {
                break;
            }
            words.push_str(&more);
        }
        words
    }
}

/// A time in minutes and seconds.
fn clock(time: Duration) -> String {
    let mut clock = String::new();
    let seconds = time.as_secs().max(1);
    if seconds >= 60 {
        let _ = write!(clock, "{} min ", seconds / 60);
    }
    let _ = write!(clock, "{} s", seconds % 60);
    clock
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_told_to_the_second() {
        assert_eq!(clock(Duration::from_millis(300)), "1 s");
        assert_eq!(clock(Duration::from_secs(75)), "1 min 15 s");
    }
}
