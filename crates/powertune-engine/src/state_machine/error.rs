//! The errors of a run by the state machine.

use crate::{run::Ending, steps::StepError};

/// A run by the state machine that gave no result, or failed after it had one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{error}")]
pub struct UnfinishedExecution {
    /// Why, and what became of the function.
    pub error: ExecutionError,
    /// The measurements until then; `None` where no invocation counted.
    pub measured: Option<Ending>,
}

/// Why a run by the state machine gave no result.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ExecutionError {
    /// The execution could not be started, failed, or was lost sight of.
    #[error("{0}")]
    Failed(#[from] StepError),
    /// The user stopped it. The text says what became of the function.
    #[error("interrupted; {0}")]
    Interrupted(String),
}
