//! The end of an execution, and its meaning for the run.

use aws_sdk_sfn::{operation::describe_execution::DescribeExecutionOutput, types::ExecutionStatus};
use powertune_core::{stopped::Stopped, workflow::state::Caught};

use super::progress::{ApplyProgress, ExecutionProgress};
use crate::{
    run::Ending,
    steps::{StepError, StepErrorKind},
};

#[derive(Debug)]
pub(super) struct ExecutionEnd {
    pub(super) outcome: ExecutionOutcome,
    /// The measurements until the end, where the outcome has no result.
    pub(super) measured: Option<Ending>,
    pub(super) applying: ApplyProgress,
    /// True if the execution may have changed the function.
    pub(super) may_have_begun: bool,
}

#[derive(Debug)]
pub(super) enum ExecutionOutcome {
    Succeeded(Ending),
    /// It failed, and has cleaned up after itself where there was something to clean up.
    Failed(StepError),
    /// Somebody stopped it, it timed out, or it failed in a way that none of its steps catches: it
    /// has not cleaned up after itself.
    Stopped(String),
    /// The user stopped it with this command.
    Interrupted,
}

impl ExecutionEnd {
    /// The end that Step Functions describes, completed from the history.
    pub(super) fn of(described: &DescribeExecutionOutput, progress: &ExecutionProgress) -> Self {
        let outcome = match described.status() {
            ExecutionStatus::Succeeded => result(described.output().unwrap_or_default()),
            ExecutionStatus::Failed => failed(&caught(described, progress), progress),
            status => {
                let told = caught(described, progress).told();
                let colon = if told.is_empty() { "" } else { ": " };
                ExecutionOutcome::Stopped(format!(
                    "the execution ended as {}{colon}{told}",
                    status.as_str()
                ))
            }
        };
        Self::with(outcome, progress, Stopped::Failed)
    }

    /// The end of an execution that the user stopped with this command.
    pub(super) fn interrupted(progress: &ExecutionProgress) -> Self {
        Self::with(ExecutionOutcome::Interrupted, progress, Stopped::Interrupted)
    }

    fn with(outcome: ExecutionOutcome, progress: &ExecutionProgress, stopped: Stopped) -> Self {
        let has_result = matches!(outcome, ExecutionOutcome::Succeeded(_));
        Self {
            measured: if has_result { None } else { progress.measured(stopped) },
            applying: progress.applying.clone(),
            may_have_begun: progress.may_have_begun(),
            outcome,
        }
    }
}

/// The error of the end. Older versions of the API have it in the history alone.
fn caught(described: &DescribeExecutionOutput, progress: &ExecutionProgress) -> Caught {
    let [error, cause] =
        [described.error(), described.cause()].map(|text| text.unwrap_or_default().to_owned());
    let said = Caught { error, cause };
    match &progress.ended {
        Some(ended) if said.error.is_empty() && said.cause.is_empty() => ended.clone(),
        _ => said,
    }
}

fn failed(caught: &Caught, progress: &ExecutionProgress) -> ExecutionOutcome {
    let said = caught.said();
    let Some(kind) = StepErrorKind::of_name(&caught.error) else {
        let place = match progress.entered.as_str() {
            "" => String::new(),
            entered => format!(" in {entered}"),
        };
        let text = format!("the execution failed{place} with {}", caught.told());
        // After the first change every failure is caught, and gets a name of ours once Clean has
        // ended. This one has another name: so Clean has not ended.
        return if progress.may_have_begun() {
            ExecutionOutcome::Stopped(text)
        } else {
            ExecutionOutcome::Failed(
                StepErrorKind::NotBegun.error(&format!("{text}\nnothing was changed")),
            )
        };
    };
    let has_left = matches!(kind, StepErrorKind::NotYet | StepErrorKind::LeftBehind);
    let text = match said.is_empty() {
        false => said,
        true if has_left => "the execution's Clean did not come to its end".to_owned(),
        true => format!("the execution failed with {}", caught.error),
    };
    ExecutionOutcome::Failed(kind.error(&text))
}

fn result(output: &str) -> ExecutionOutcome {
    if let Ok(result) = serde_json::from_str(output) {
        return ExecutionOutcome::Succeeded(Ending::Tuned(Box::new(result)));
    }
    match serde_json::from_str(output) {
        Ok(dry_run) => ExecutionOutcome::Succeeded(Ending::Dry(Box::new(dry_run))),
        Err(error) => ExecutionOutcome::Failed(StepErrorKind::Failed.error(&format!(
            "the execution's output is not a result of this version of powertune ({error}); is it \
             another state machine, or an older one?"
        ))),
    }
}
