//! Runs by the state machine on AWS Step Functions: an execution is started, followed to its end, and
//! the function is put back where the execution could not do that itself.
//!
//! The history of an execution becomes the [`Event`]s that a [run](crate::run) on this machine sends,
//! so that one display shows both.

mod client;
mod end;
mod find;
mod history;
mod progress;
mod put_back;
mod start;
mod watch;

use powertune_core::region::Region;
use tokio_util::sync::CancellationToken;

pub use self::{
    client::StepFunctions,
    find::StateMachineRef,
    start::{StartedExecution, start},
};
use self::{
    end::{ExecutionEnd, ExecutionOutcome},
    put_back::put_back,
    watch::ExecutionWatch,
};
use crate::{
    event::{Event, Events},
    gateway::{ApiError, Connection},
    run::Ending,
    steps::{StepError, StepErrorKind},
};

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

/// Follows an execution to its end, and tells of it in `events`. If it is `cancelled`, the execution
/// is stopped. If it has ended without cleaning up after itself, the function is put back.
///
/// # Errors
/// When the execution ended without a result, or can't be observed any more.
pub async fn follow(
    execution: &StartedExecution,
    connection: &Connection,
    events: &Events,
    cancelled: &CancellationToken,
) -> Result<Ending, UnfinishedExecution> {
    let mut watch = ExecutionWatch::new(&execution.aws, &execution.arn, events);
    let end = match watch.until_ended(cancelled).await {
        Ok(Some(end)) => Ok(end),
        Ok(None) => {
            events.send(Event::StoppingExecution);
            watch.stop().await
        }
        Err(error) => Err(error),
    };
    match end {
        Ok(end) => conclude(end, execution, connection).await,
        Err(error) => {
            let error = lost_sight(&execution.arn, &error).into();
            Err(UnfinishedExecution { error, measured: watch.measured() })
        }
    }
}

/// Puts the function back if the execution did not, and returns its result or its error.
async fn conclude(
    end: ExecutionEnd,
    execution: &StartedExecution,
    connection: &Connection,
) -> Result<Ending, UnfinishedExecution> {
    let ExecutionEnd { outcome, measured, applying, may_have_begun } = end;
    let put_back = put_back(execution, connection, &applying, may_have_begun);
    let error = match outcome {
        ExecutionOutcome::Succeeded(ending) => return Ok(ending),
        ExecutionOutcome::Failed(error) => error.into(),
        ExecutionOutcome::Stopped(text) => match put_back.await {
            Ok(told) => StepErrorKind::Failed.error(&format!("{text}\n{told}")).into(),
            Err(left) => left.kind.error(&format!("{text}\n{left}")).into(),
        },
        ExecutionOutcome::Interrupted => match put_back.await {
            Ok(told) => ExecutionError::Interrupted(told),
            Err(left) => left.into(),
        },
    };
    Err(UnfinishedExecution { error, measured })
}

fn lost_sight(execution: &str, why: &ApiError) -> StepError {
    StepErrorKind::LeftBehind.error(&format!(
        "{why}\nthe execution goes on without being watched, and cleans up after itself; look at it \
         with: aws stepfunctions describe-execution --execution-arn {execution}"
    ))
}

/// True if the execution with this ARN has ended. `None` if it is not the ARN of an execution, or if
/// `connection` gives no client.
pub async fn is_over(connection: &Connection, execution: &str) -> Option<Result<bool, ApiError>> {
    let region = execution_region(execution)?;
    let connection = Connection { endpoint_url: None, ..connection.clone() };
    let aws = StepFunctions::connect(&connection, Some(region)).await.ok()?;
    Some(aws.is_running(execution).await.map(|running| !running))
}

/// The region in the ARN of a state machine; `None` for any other text.
pub fn machine_region(arn: &str) -> Option<Region> {
    region(arn, "stateMachine")
}

/// The region in the ARN of an execution; `None` for any other text.
fn execution_region(arn: &str) -> Option<Region> {
    region(arn, "execution")
}

fn region(arn: &str, resource: &str) -> Option<Region> {
    match *arn.split(':').collect::<Vec<_>>() {
        ["arn", _, "states", region, _, of, name, ..] if of == resource && !name.is_empty() => {
            Region::new(region).ok()
        }
        _ => None,
    }
}
