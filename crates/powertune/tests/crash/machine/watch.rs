//! What is seen of one execution, and the one thing that goes wrong in it.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use powertune_core::workflow::Step;
use tokio_util::sync::CancellationToken;

use crate::{operation::Operation, trap::Moment};

/// What happens once in an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trap {
    /// The n-th time that a step is called.
    Call { step: Step, nth: usize, way: Way },
    /// The n-th change that a step makes, counted over all its calls. Of Measure, which changes
    /// nothing, the n-th invocation counts.
    Change { step: Step, nth: usize, moment: Moment, end: End },
}

/// What becomes of a call to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Step Functions is told of this error, and nothing runs.
    Fails(&'static str),
    /// It runs to its end, but Step Functions is told of this error.
    Lost(&'static str),
    /// No answer ever comes; whether it runs to its end.
    Silent { runs: bool },
    /// The execution is aborted while it is about to run.
    Aborted,
}

/// What happens at a change.
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

    /// Whether no answer ever comes.
    pub(crate) fn is_silent(self) -> bool {
        matches!(self, Self::Call { way: Way::Silent { .. }, .. })
    }

    /// The error that Step Functions is told of, unless it is told of none.
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

/// One execution, as it is seen from between the interpreter, the steps and Lambda.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    trap: Option<Trap>,
    seen: Mutex<Seen>,
    /// The trap was sprung.
    pub(crate) sprung: CancellationToken,
    /// Whoever was held by it may go on.
    pub(crate) released: CancellationToken,
}

#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The steps that were called.
    pub(crate) calls: Vec<Step>,
    /// Calls that have not come to their end.
    pub(crate) running: usize,
    /// How long the longest of those took that have.
    pub(crate) longest: Duration,
    /// What Clean was called with last by the state machine.
    pub(crate) cleaned: Option<Bytes>,
    /// What was asked of Lambda, by which step.
    pub(crate) requests: Vec<(Step, Operation)>,
    /// The changes among them that Lambda has made. It refuses to delete a version that an alias
    /// points to, by which Clean knows that it is the user's.
    pub(crate) made: Vec<(Step, Operation)>,
}

impl Seen {
    pub(crate) fn calls_of(&self, step: Step) -> usize {
        self.calls.iter().filter(|called| **called == step).count()
    }

    /// How many changes a step has made; of Measure, how many invocations.
    pub(crate) fn changes_of(&self, step: Step) -> usize {
        self.requests.iter().filter(|(by, what)| *by == step && counts(step, *what)).count()
    }
}

/// Whether a request counts as a change.
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

    /// Counts a call to a step; what is to become of it, if it is the one that is meant.
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

    /// Counts a request of a step; what is to happen, if it is the change that is meant.
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

    /// Whether the process of a call to this step was ended as if by Lambda's own clock.
    pub(crate) fn has_timed_out(&self, step: Step) -> bool {
        let trap = self.trap.filter(|trap| trap.step() == step);
        self.sprung.is_cancelled()
            && matches!(trap, Some(Trap::Change { end: End::Killed, moment: Moment::After, .. }))
    }
}
