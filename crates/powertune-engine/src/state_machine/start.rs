//! Starts an execution.

use std::{fmt::Display, time::Duration};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    arn::execution_arn,
    client::{StepFunctions, may_have_run},
    error::ExecutionError,
    find::{StateMachineRef, find},
};
use crate::steps::{StepError, StepErrorKind};

/// The time that StartExecution still has after the user has stopped the command.
const STARTING: Duration = Duration::from_secs(5);

/// An execution that was started.
#[derive(Debug, Clone)]
pub struct StartedExecution {
    pub(super) aws: StepFunctions,
    /// Its ARN.
    pub arn: String,
    /// Its input: the request.
    pub(super) input: String,
}

/// Finds the state machine, and starts an execution of it with this request as its input.
///
/// # Errors
/// When there is no such state machine, the execution could not be started, or it was `cancelled`.
pub async fn start(
    aws: StepFunctions,
    machine: &StateMachineRef,
    input: String,
    cancelled: &CancellationToken,
) -> Result<StartedExecution, ExecutionError> {
    let unstarted = || ExecutionError::Interrupted("no execution was started".to_owned());
    let machine = tokio::select! {
        biased;
        () = cancelled.cancelled() => return Err(unstarted()),
        found = find(&aws, machine) => found,
    };
    let machine = machine.map_err(|error| unstarted_by(error.lasts(), &error))?;
    if cancelled.is_cancelled() {
        return Err(unstarted());
    }
    let name = format!("powertune-{}", Uuid::new_v4().simple());
    let unknown = |why: &str| {
        let execution = execution_arn(&machine, &name);
        StepErrorKind::LeftBehind.error(&format!(
            "{why}\nit is not known whether the execution has started; if it has, it cleans up \
             after itself; look at it with: aws stepfunctions describe-execution --execution-arn \
             {execution}"
        ))
    };
    // A call that is given up may have started the execution. So it gets a little time to end.
    let given_up = async {
        cancelled.cancelled().await;
        tokio::time::sleep(STARTING).await;
    };
    let started = tokio::select! {
        started = aws.start(&machine, &name, &input) => started,
        () = given_up => return Err(unknown("interrupted while the execution was started").into()),
    };
    match started {
        Ok(arn) => Ok(StartedExecution { aws, arn, input }),
        Err(error) if may_have_run(&error) => Err(unknown(&error.to_string()).into()),
        Err(error) => Err(unstarted_by(error.kind.lasts(), &error).into()),
    }
}

/// The error of a run that has started no execution. As with `tune`, an error that lasts is a
/// refusal.
fn unstarted_by(lasts: bool, error: &impl Display) -> StepError {
    if lasts {
        return StepErrorKind::Refused.error(&error.to_string());
    }
    StepErrorKind::NotBegun.error(&format!("{error}\nno execution was started"))
}
