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
    /// It failed; what kind of failure, where a step says it, and what was said.
    Failed(Option<StepErrorKind>, String),
    /// It was stopped before its end, or ran out of time, and nobody has cleaned up in it.
    Stopped(String),
    /// The user does not want to wait any longer; it may be running.
    Interrupted,
}

impl Ending {
    pub(super) fn of(described: &DescribeExecutionOutput, story: Story) -> Self {
        let [error, cause] =
            [described.error(), described.cause()].map(|text| text.unwrap_or_default().to_owned());
        let caught = Caught { error, cause };
        let (error, said) = (caught.error.as_str(), caught.said());
        let outcome = match described.status() {
            ExecutionStatus::Succeeded => result(described.output().unwrap_or_default()),
            ExecutionStatus::Failed => {
                let kind = StepErrorKind::of_name(error);
                let text = match kind {
                    Some(_) => said,
                    None => format!("the execution failed with {error}: {said}"),
                };
                let untouched = !story.has_begun && kind.is_none();
                Outcome::Failed(if untouched { Some(StepErrorKind::NotBegun) } else { kind }, text)
            }
            status => Outcome::Stopped(format!(
                "the execution ended as {}{}{said}",
                status.as_str(),
                if said.is_empty() { "" } else { ": " }
            )),
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

fn result(output: &str) -> Outcome {
    if let Ok(result) = serde_json::from_str::<TuningResult>(output) {
        return Outcome::Tuned(Box::new(result));
    }
    match serde_json::from_str::<DryRun>(output) {
        Ok(dry_run) => Outcome::Dry(Box::new(dry_run)),
        Err(error) => Outcome::Failed(
            None,
            format!(
                "the execution's output is not a result of this version of powertune ({error}); \
                 is it another state machine, or an older one?"
            ),
        ),
    }
}
