//! Runs by the state machine on AWS Step Functions: an execution is started, followed to its end, and
//! the function is put back where the execution could not do that itself.
//!
//! The history of an execution becomes the [`Event`]s that a [run](crate::run) on this machine sends,
//! so that one display shows both.

mod arn;
mod client;
mod end;
mod error;
mod find;
mod history;
mod progress;
mod put_back;
mod start;
mod watch;

use tokio_util::sync::CancellationToken;

use self::{
    arn::execution_region,
    end::{ExecutionEnd, ExecutionOutcome},
    put_back::put_back,
    watch::ExecutionWatch,
};
pub use self::{
    arn::machine_region,
    client::StepFunctions,
    error::{ExecutionError, UnfinishedExecution},
    find::StateMachineRef,
    start::{StartedExecution, start},
};
use crate::{
    event::{Event, Events},
    gateway::{ApiError, Connection},
    run::Ending,
    steps::{StepError, StepErrorKind},
};

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
