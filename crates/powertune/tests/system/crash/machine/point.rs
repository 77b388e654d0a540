//! One point of an execution: its fault, and the checks afterwards.

use std::{fmt, time::Duration};

use powertune_core::workflow::Step;
use powertune_engine::steps::StepErrorKind;

use super::{
    ending::Expected,
    execution::{Cleaner, Execution},
    kind::Machine,
    stage::Stage,
    watch::{End, Seen, Trap, Way},
};
use crate::crash::trap::Moment;

/// Errors of Step Functions, by which it decides on retries.
const CRASHED: &str = "Lambda.Unknown";
const UNHEARD: &str = "Lambda.SdkClientException";
const THROTTLED: &str = "Lambda.TooManyRequestsException";

/// Clean's error if something is in its way.
const NOT_YET: Way = Way::Fails("Powertune.NotYet");

/// The wait for an answer that does not come.
const SILENCE: Duration = Duration::from_secs(8);
const LONGEST_SILENCE: Duration = Duration::from_mins(1);

/// The faults of a call to a step.
const WAYS: [Way; 6] = [
    Way::Fails(CRASHED),
    Way::Fails(THROTTLED),
    Way::Lost(UNHEARD),
    Way::Silent { runs: false },
    Way::Silent { runs: true },
    Way::Aborted,
];

/// The point of the fault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    pub(crate) machine: &'static Machine,
    pub(crate) trap: Trap,
}

/// The outcome of a point, with the problem if there is one.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The fault happened.
    Struck(Result<(), String>),
    /// The execution ended before the fault.
    Missed(Result<(), String>),
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.trap {
            Trap::Call { step, nth, way } => write!(f, "{} {nth}, {way:?}", step.name()),
            Trap::Change { step, nth, moment, end } => {
                let moment = if moment == Moment::Before { "before" } else { "after" };
                write!(f, "{end:?} {moment} change {nth} of {}", step.name())
            }
        }
    }
}

impl Point {
    /// All points of an execution with these calls and changes.
    pub(crate) fn all(machine: &'static Machine, seen: &Seen) -> Vec<Self> {
        let mut traps = Vec::new();
        for step in Step::ALL {
            for nth in 1..=seen.calls_of(step) {
                let of_clean = (step == Step::Clean).then_some(NOT_YET);
                let ways = WAYS.into_iter().chain(of_clean);
                traps.extend(ways.map(|way| Trap::Call { step, nth, way }));
            }
            for nth in numbers(step, seen.changes_of(step)) {
                for end in [End::Killed, End::Aborted] {
                    traps.extend(Moment::BOTH.map(|moment| Trap::Change {
                        step,
                        nth,
                        moment,
                        end,
                    }));
                }
            }
        }
        traps.into_iter().map(|trap| Self { machine, trap }).collect()
    }

    /// The kind of the fault.
    pub(crate) fn way(&self) -> &'static str {
        match self.trap {
            trap if trap.aborts() => "aborted",
            trap if trap.is_silent() => "timed out",
            Trap::Change { .. } => "killed",
            Trap::Call { .. } => "failed",
        }
    }

    /// Runs an execution with the fault, and checks it.
    pub(crate) async fn outcome(self, stage: &Stage) -> (Self, Outcome) {
        let mut silence = SILENCE;
        loop {
            let mut execution =
                Execution::start(stage, self.machine, Some(self.trap), silence).await;
            let checked = self.strike(stage, &mut execution).await;
            let (calls, longest) = {
                let seen = execution.watch.seen();
                (format!("{:?}", seen.calls), seen.longest)
            };
            let is_struck = execution.watch.sprung.is_cancelled();
            execution.close().await;
            // On a busy machine a step may exceed its timeout, which is not the fault meant here.
            if self.trap.is_silent() && longest + SILENCE / 2 > silence && silence < LONGEST_SILENCE
            {
                silence *= 4;
                continue;
            }
            let checked = checked.map_err(|problem| format!("after {calls}: {problem}"));
            let outcome = if is_struck { Outcome::Struck } else { Outcome::Missed };
            return (self, outcome(checked));
        }
    }

    async fn strike(&self, stage: &Stage, execution: &mut Execution<'_>) -> Result<(), String> {
        let cleaner = match self.trap {
            Trap::Change { moment: Moment::After, .. } => Cleaner::User,
            _ => Cleaner::Rule,
        };
        let ended = if self.trap.aborts() {
            execution.abort(cleaner).await?
        } else {
            execution.end().await?
        };
        let trap = execution.watch.sprung.is_cancelled().then_some(self.trap);
        let expected = Expected::of(stage, self.machine, trap);
        if ended.error == StepErrorKind::LeftBehind.name() {
            execution.decide(&ended.cause).await?;
            execution.rule(&ended.status).await?;
        } else {
            expected.check_end(&ended, &execution.watch.seen())?;
        }
        let after = execution.footprint().await;
        let checked = expected.check_footprint(&ended, &execution.before, &after);
        checked.map_err(|problem| format!("{ended:?}: {problem}"))?;
        execution.clean_again(&ended).await
    }
}

/// The numbers of the changes that get a fault: all, but only a few invocations, which are all
/// alike.
fn numbers(step: Step, changes: usize) -> Vec<usize> {
    if step == Step::Measure {
        let mut few = vec![1, changes.div_ceil(2), changes];
        few.dedup();
        few.retain(|nth| (1..=changes).contains(nth));
        return few;
    }
    (1..=changes).collect()
}
