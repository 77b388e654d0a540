//! Records one execution, and makes its one fault happen.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use powertune_core::workflow::Step;
use tokio_util::sync::CancellationToken;

use crate::crash::{operation::Operation, trap::Moment};

/// The fault of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trap {
    /// The n-th time that a step is called.
    Call { step: Step, nth: usize, way: Way },
    /// The n-th change that a step makes, counted over all its calls. Of Measure, which changes
    /// nothing, the n-th invocation counts.
    Change { step: Step, nth: usize, moment: Moment, end: End },
}

/// The fault of a call to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Step Functions gets this error, and nothing runs.
    Fails(&'static str),
    /// The step runs to its end, and Step Functions gets this error.
    Lost(&'static str),
    /// No answer ever comes; `runs` is true if the step runs to its end.
    Silent { runs: bool },
    /// The execution is aborted before the step runs.
    Aborted,
}

/// The fault at a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The step's process is killed.
    Killed,
    /// The execution is aborted, while the step goes on.
    Aborted,
}

impl Trap {
    pub(crate) fn step(self) -> Step {
        match self {
            Self::Call { step, .. } | Self::Change { step, .. } => step,
        }
    }

    pub(crate) fn aborts(self) -> bool {
        matches!(
            self,
            Self::Call { way: Way::Aborted, .. } | Self::Change { end: End::Aborted, .. }
        )
    }

    /// True if no answer ever comes.
    pub(crate) fn is_silent(self) -> bool {
        matches!(self, Self::Call { way: Way::Silent { .. }, .. })
    }

    /// The error that Step Functions gets, if any.
    pub(crate) fn error(self) -> Option<&'static str> {
        match self {
            Self::Call { way: Way::Fails(error) | Way::Lost(error), .. } => Some(error),
            Self::Call { way: Way::Silent { .. }, .. } => Some("States.Timeout"),
            Self::Change { end: End::Killed, moment: Moment::Before, .. } => {
                Some("Runtime.ExitError")
            }
            Self::Change { end: End::Killed, moment: Moment::After, .. } => {
                Some("Sandbox.Timedout")
            }
            Self::Call { way: Way::Aborted, .. } | Self::Change { end: End::Aborted, .. } => None,
        }
    }
}

/// The record of one execution, as the door sees it.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    trap: Option<Trap>,
    seen: Mutex<Seen>,
    pub(crate) sprung: CancellationToken,
    /// The held call may go on.
    pub(crate) released: CancellationToken,
}

#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) calls: Vec<Step>,
    /// The number of calls that have not ended.
    pub(crate) running: usize,
    /// The duration of the longest call that has ended.
    pub(crate) longest: Duration,
    /// The last payload of Clean from the state machine.
    pub(crate) cleaned: Option<Bytes>,
    /// The requests to Lambda, with their steps.
    pub(crate) requests: Vec<(Step, Operation)>,
    /// The changes that Lambda has made. Lambda refuses to delete a version with an alias, by which
    /// Clean knows that it is the user's.
    pub(crate) made: Vec<(Step, Operation)>,
}

impl Seen {
    pub(crate) fn calls_of(&self, step: Step) -> usize {
        self.calls.iter().filter(|called| **called == step).count()
    }

    /// The number of changes of a step; of Measure, the number of invocations.
    pub(crate) fn changes_of(&self, step: Step) -> usize {
        self.requests.iter().filter(|(by, what)| *by == step && counts(step, *what)).count()
    }
}

/// True if a request counts as a change.
fn counts(step: Step, operation: Operation) -> bool {
    operation.is_change() || step == Step::Measure && operation == Operation::Invoke
}

impl Watch {
    pub(crate) fn new(trap: Option<Trap>) -> Self {
        Self { trap, ..Self::default() }
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call to a step; returns its fault, if it has one.
    pub(crate) fn call(&self, step: Step, payload: &Bytes) -> Option<Way> {
        let mut seen = self.seen();
        seen.calls.push(step);
        if step == Step::Clean {
            seen.cleaned = Some(payload.clone());
        }
        match self.trap {
            Some(Trap::Call { step: meant, nth, way })
                if meant == step && nth == seen.calls_of(step) =>
            {
                Some(way)
            }
            _ => None,
        }
    }

    /// Counts a request of a step; returns its fault, if it is a change with one.
    pub(crate) fn request(&self, step: Step, operation: Operation) -> Option<(Moment, End)> {
        let mut seen = self.seen();
        seen.requests.push((step, operation));
        match self.trap {
            Some(Trap::Change { step: meant, nth, moment, end })
                if meant == step && counts(step, operation) && nth == seen.changes_of(step) =>
            {
                Some((moment, end))
            }
            _ => None,
        }
    }

    /// True if the process of a call to this step was killed as by Lambda's timeout.
    pub(crate) fn has_timed_out(&self, step: Step) -> bool {
        let trap = self.trap.filter(|trap| trap.step() == step);
        self.sprung.is_cancelled()
            && matches!(trap, Some(Trap::Change { end: End::Killed, moment: Moment::After, .. }))
    }
}
