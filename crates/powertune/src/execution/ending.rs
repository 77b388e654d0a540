//! How an execution ended, and what that means for the exit code.

use aws_sdk_sfn::{operation::describe_execution::DescribeExecutionOutput, types::ExecutionStatus};
use powertune_core::{dry_run::DryRun, result::TuningResult, workflow::state::Caught};
use powertune_engine::steps::StepErrorKind;
use serde_json::Value;

use super::story::Story;

/// How an execution ended.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) outcome: Outcome,
    /// What was measured, where Decide had come to a result; it may have failed after that.
    pub(crate) result: Option<Value>,
}

/// What came of an execution.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// A result.
    Tuned(Box<TuningResult>),
    /// A dry run.
    Dry(Box<DryRun>),
    /// It failed; what kind of failure, and what was said.
    Failed(StepErrorKind, String),
    /// It was stopped before its end, ran out of time, or failed in a way that nothing in it
    /// catches: it has not cleaned up after itself.
    Stopped(String),
    /// The user does not want to wait any longer; it may be running.
    Interrupted,
}

impl Ending {
    /// How an execution ended that is described so, and of which the history tells so much.
    pub(super) fn of(described: &DescribeExecutionOutput, story: Story) -> Self {
        let outcome = match described.status() {
            ExecutionStatus::Succeeded => result(described.output().unwrap_or_default()),
            ExecutionStatus::Failed => failed(&caught(described, &story), &story),
            status => {
                let told = caught(described, &story).told();
                let colon = if told.is_empty() { "" } else { ": " };
                Outcome::Stopped(format!("the execution ended as {}{colon}{told}", status.as_str()))
            }
        };
        Self { outcome, result: story.result }
    }

    pub(super) fn interrupted(story: Story) -> Self {
        Self { outcome: Outcome::Interrupted, result: story.result }
    }

    /// What was measured, as a result, although the execution failed after that.
    pub(crate) fn measured(&self) -> Option<TuningResult> {
        self.result.clone().and_then(|result| serde_json::from_value(result).ok())
    }
}

/// What the execution ended with. Its description says it, or leaves it to its history, as where
/// Step Functions answers by an older API.
fn caught(described: &DescribeExecutionOutput, story: &Story) -> Caught {
    let [error, cause] =
        [described.error(), described.cause()].map(|text| text.unwrap_or_default().to_owned());
    let said = Caught { error, cause };
    match &story.ended {
        Some(ended) if said.error.is_empty() && said.cause.is_empty() => ended.clone(),
        _ => said,
    }
}

/// What it means that an execution ended with this error.
fn failed(caught: &Caught, story: &Story) -> Outcome {
    let said = caught.said();
    let Some(kind) = StepErrorKind::of_name(&caught.error) else {
        let text = format!("the execution failed in {} with {}", story.entered, caught.told());
        // Whatever fails once something was done is caught, and gets a name of ours, when Clean
        // has come to its end: so Clean has not.
        return if story.has_begun {
            Outcome::Stopped(text)
        } else {
            Outcome::Failed(StepErrorKind::NotBegun, format!("{text}\nnothing was changed"))
        };
    };
    let has_left = matches!(kind, StepErrorKind::NotYet | StepErrorKind::LeftBehind);
    let text = match said.is_empty() {
        false => said,
        true if has_left => "the execution's Clean did not come to its end".to_owned(),
        true => format!("the execution failed with {}", caught.error),
    };
    Outcome::Failed(kind, text)
}

fn result(output: &str) -> Outcome {
    if let Ok(result) = serde_json::from_str::<TuningResult>(output) {
        return Outcome::Tuned(Box::new(result));
    }
    match serde_json::from_str::<DryRun>(output) {
        Ok(dry_run) => Outcome::Dry(Box::new(dry_run)),
        Err(error) => Outcome::Failed(
            StepErrorKind::Failed,
            format!(
                "the execution's output is not a result of this version of powertune ({error}); \
                 is it another state machine, or an older one?"
            ),
        ),
    }
}
