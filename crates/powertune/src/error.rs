//! The errors of a command, and their exit codes.

use powertune_core::request::{Fault, Faults};
use powertune_engine::{
    error::{TuneError, Unfinished},
    run::Ending,
    state_machine::{ExecutionError, UnfinishedExecution},
    steps::{StepError, StepErrorKind},
};

#[derive(Debug)]
pub(crate) enum CommandError {
    /// The input is wrong; nothing was called.
    Input(Faults),
    /// The run failed, or did not do everything.
    Tune(TuneError),
    /// A run by the state machine ended without a result.
    Execution(StepError),
    /// The user stopped the command, and something may still have to be put back.
    Stopped(String),
    /// Any other error. Everything that was changed is put back.
    Other(String),
}

impl CommandError {
    pub(crate) fn input(field: &str, problem: impl Into<String>) -> Self {
        Self::Input(Faults(vec![Fault { field: field.to_owned(), problem: problem.into() }]))
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Input(_) | Self::Tune(TuneError::Refused(_)) => 2,
            Self::Tune(
                TuneError::NotBegun(_) | TuneError::Failed(_) | TuneError::Outdated { .. },
            )
            | Self::Other(_) => 1,
            Self::Tune(TuneError::LeftBehind { .. }) => 4,
            Self::Tune(TuneError::Interrupted) | Self::Stopped(_) => 130,
            Self::Execution(error) => match error.kind {
                StepErrorKind::BadInput | StepErrorKind::Refused => 2,
                StepErrorKind::NotBegun | StepErrorKind::Failed => 1,
                StepErrorKind::NotYet | StepErrorKind::LeftBehind => 4,
            },
        }
    }
}

impl From<Faults> for CommandError {
    fn from(faults: Faults) -> Self {
        Self::Input(faults)
    }
}

impl From<TuneError> for CommandError {
    fn from(error: TuneError) -> Self {
        Self::Tune(error)
    }
}

impl From<ExecutionError> for CommandError {
    fn from(error: ExecutionError) -> Self {
        match error {
            ExecutionError::Failed(error) => Self::Execution(error),
            ExecutionError::Interrupted(_) => Self::Stopped(error.to_string()),
        }
    }
}

/// A run that failed, with the measurements until then.
#[derive(Debug)]
pub(crate) struct FailedRun {
    pub(crate) error: CommandError,
    pub(crate) measured: Option<Ending>,
}

impl From<Unfinished> for FailedRun {
    fn from(Unfinished { error, measured }: Unfinished) -> Self {
        Self { error: error.into(), measured }
    }
}

impl From<UnfinishedExecution> for FailedRun {
    fn from(UnfinishedExecution { error, measured }: UnfinishedExecution) -> Self {
        Self { error: error.into(), measured }
    }
}
