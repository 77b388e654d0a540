//! Progress in plain lines, for logs and for terminals that can't redraw.

use std::{
    mem,
    time::{Duration, Instant},
};

use powertune_core::{
    observation::{Observation, Outcome},
    power::Power,
    report::{Report, Start},
};
use powertune_engine::event::Event;

use super::{
    STOPPING, applied, cleaning_up, plan_lines,
    tally::{PowerPhase, PowerProgress, Tally},
    waiting,
};
use crate::output::{Charset, duration, message};

/// The lines for an event that `tally` has counted; `ended` is the size that it ended.
pub(super) fn told(
    event: &Event,
    tally: &Tally,
    ended: Option<Power>,
    verbose: bool,
    charset: Charset,
) -> Vec<String> {
    let end = ended.and_then(|power| Some((power, tally.at(power)?)));
    let mut lines = match event {
        // The reason is in the last line of the size.
        Event::Observed(Observation { outcome: Outcome::Failed { .. }, .. }) if end.is_some() => {
            Vec::new()
        }
        Event::Planned(plan) => plan_lines(plan, charset),
        Event::Published { power, version } if verbose => {
            vec![format!("{power}: is version {}", message(version))]
        }
        Event::Observed(observation) if verbose => vec![observed(observation)],
        Event::Throttled { power, reason } if verbose => {
            vec![format!("{power}: waits, Lambda throttles ({})", message(reason))]
        }
        Event::Standing(_) => tally.standing().into_iter().collect(),
        Event::Applied { .. } => applied(event).into_iter().collect(),
        Event::Waiting(wait) => vec![waiting(wait)],
        Event::StoppingExecution => vec![STOPPING.to_owned()],
        Event::CleaningUp => vec![cleaning_up(tally).to_owned()],
        _ => Vec::new(),
    };
    lines.extend(end.map(|(power, row)| format!("{power}: {}", outcome(row))));
    lines
}

/// The time without a successful invocation after which it is told.
const NOTICE: Duration = Duration::from_secs(5);

/// Notices that Lambda refuses every invocation, for example because the reserved concurrency is 0.
#[derive(Debug, Default)]
pub(super) struct Stall {
    since: Option<Instant>,
    is_told: bool,
}

impl Stall {
    /// The line for an event; one line until an invocation gets through again.
    pub(super) fn told(&mut self, event: &Event, now: Instant) -> Option<String> {
        match event {
            Event::Observed(_) => *self = Self::default(),
            Event::Throttled { reason, .. } => {
                let waited = now.duration_since(*self.since.get_or_insert(now));
                if waited >= NOTICE && !mem::replace(&mut self.is_told, true) {
                    return Some(format!(
                        "waiting: Lambda has let no invocation through for {} s ({})",
                        waited.as_secs(),
                        message(reason)
                    ));
                }
            }
            _ => {}
        }
        None
    }
}

/// The outcome of an invocation.
fn observed(Observation { power, outcome }: &Observation) -> String {
    let words = match outcome {
        Outcome::Counted(report) => counted(report),
        Outcome::Allowed(report) => format!("{}, with an allowed exception", counted(report)),
        Outcome::Failed { failure, .. } => message(&failure.to_string()),
    };
    format!("{power}: {words}")
}

fn counted(report: &Report) -> String {
    let start = match report.start {
        Start::Warm => String::new(),
        Start::Cold { init_ms } => format!(", after a cold start of {}", duration(init_ms)),
        Start::Restored { restore_ms, .. } => {
            format!(", after a restore of {}", duration(restore_ms))
        }
    };
    format!("{}, billed {} ms{start}", duration(report.duration_ms), report.billed_ms)
}

/// The outcome of a memory size.
pub(super) fn outcome(row: &PowerProgress) -> String {
    match &row.stage {
        PowerPhase::Failed(reason) => return format!("failed: {}", message(reason)),
        PowerPhase::Skipped(reason) => return format!("skipped: {}", message(reason)),
        _ => {}
    }
    let mean = row.mean_ms().map_or("no time measured".to_owned(), duration);
    let invocations = super::counted(row.done, "invocation");
    let mut words = vec![mean, invocations];
    if row.cold_starts > 0 {
        words.push(super::counted(row.cold_starts, "cold start"));
    }
    if row.failures > 0 {
        words.push(format!("{} failed", row.failures));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use powertune_core::observation::{Failure, Skipped};

    use super::{
        super::tally::tests::{counted, failed, open_ended, planned, power},
        *,
    };

    fn log(verbose: bool) -> String {
        let failure = Failure::FunctionError {
            trace: Vec::new(),
            error_type: Some("Error".to_owned()),
            message: Some("\u{1b}[2Jgone\nfor good".to_owned()),
        };
        let reason = "this account stops at 3008 MB".to_owned();
        let events = planned().into_iter().chain([
            Event::Published { power: power(128), version: "7".to_owned() },
            counted(512, 91.2, Some(240.5)),
            Event::Throttled { power: power(512), reason: "ConcurrentInvocations".to_owned() },
            Event::Skipped(Skipped { power: power(10_240), reason }),
            failed(128, failure),
            failed(512, Failure::Lost { why: "connection reset".to_owned() }),
            counted(512, 90.1, None),
            Event::PowerDone(power(128)),
            Event::PowerDone(power(512)),
            Event::Applied { power: power(512), alias: None },
            Event::Applied { power: power(512), alias: Some(("live".to_owned(), "8".to_owned())) },
            Event::CleaningUp,
            Event::CleanedUp(Vec::new()),
        ]);
        let mut tally = Tally::default();
        let mut lines = Vec::new();
        for event in events {
            let ended = tally.take(&event);
            lines.extend(told(&event, &tally, ended, verbose, Charset::Ascii));
        }
        lines.join("\n")
    }

    #[test]
    fn a_run_in_lines() {
        assert_snapshot!("lines", log(false));
        assert_snapshot!("lines_verbose", log(true));
    }

    #[test]
    fn where_nothing_is_let_through_it_says_so_once() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let reason = "ReservedFunctionConcurrentInvocationLimitExceeded".to_owned();
        let refused = Event::Throttled { power: power(512), reason };
        let mut stall = Stall::default();
        assert_eq!(stall.told(&refused, at(0)), None);
        assert_eq!(stall.told(&refused, at(4)), None);
        let said = "waiting: Lambda has let no invocation through for 7 s \
                    (ReservedFunctionConcurrentInvocationLimitExceeded)";
        assert_eq!(stall.told(&refused, at(7)).as_deref(), Some(said));
        assert_eq!(stall.told(&refused, at(17)), None);
        assert_eq!(stall.told(&counted(512, 9.0, None), at(18)), None);
        assert_eq!(stall.told(&refused, at(19)), None);
        assert!(stall.told(&refused, at(30)).is_some());
    }

    #[test]
    fn a_run_without_a_known_end_says_so() {
        let [planned, _] = open_ended();
        let lines = told(&planned, &Tally::default(), None, false, Charset::Ascii);
        let first = "resize: 3 memory sizes, as many invocations as the answer needs, 60 each at most; \
                     costs $0.012 at most, if every invocation lasts until the timeout";
        assert_eq!(lines[0], first);
    }

    #[test]
    fn lines_have_no_escape_codes() {
        assert!(!log(true).contains('\u{1b}'));
        let odd = || "7\u{1b}[2J".to_owned();
        let published = Event::Published { power: power(128), version: odd() };
        let applied = Event::Applied { power: power(128), alias: Some((odd(), odd())) };
        for event in [published, applied] {
            let lines = told(&event, &Tally::default(), None, true, Charset::Ascii).concat();
            assert!(lines.contains("7\\u{1b}[2J") && !lines.contains('\u{1b}'), "{lines}");
        }
    }
}
