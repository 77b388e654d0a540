//! How an execution ended, and what that means for the exit code.

use aws_sdk_sfn::{operation::describe_execution::DescribeExecutionOutput, types::ExecutionStatus};
use powertune_core::{
    dry_run::DryRun, result::TuningResult, stopped::Stopped, workflow::state::Caught,
};
use powertune_engine::steps::StepErrorKind;

use super::{
    Measured,
    story::{Applying, Story},
};

/// How an execution ended.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) outcome: Outcome,
    /// What was measured until then, where there is no result in the outcome.
    pub(crate) measured: Option<Measured>,
    pub(crate) applying: Applying,
    /// Whether anything may have been done to the function.
    pub(crate) may_have_begun: bool,
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
    /// It was stopped by the user, from here.
    Interrupted,
}

impl Ending {
    /// How an execution ended that is described so, and of which the history tells so much.
    pub(super) fn of(described: &DescribeExecutionOutput, story: &Story) -> Self {
        let outcome = match described.status() {
            ExecutionStatus::Succeeded => result(described.output().unwrap_or_default()),
            ExecutionStatus::Failed => failed(&caught(described, story), story),
            status => {
                let told = caught(described, story).told();
                let colon = if told.is_empty() { "" } else { ": " };
                Outcome::Stopped(format!("the execution ended as {}{colon}{told}", status.as_str()))
            }
        };
        Self::with(outcome, story, Stopped::Failed)
    }

    /// How an execution ended that was stopped from here.
    pub(super) fn interrupted(story: &Story) -> Self {
        Self::with(Outcome::Interrupted, story, Stopped::Interrupted)
    }

    fn with(outcome: Outcome, story: &Story, stopped: Stopped) -> Self {
        let is_measured = matches!(outcome, Outcome::Tuned(_) | Outcome::Dry(_));
        Self {
            measured: if is_measured { None } else { story.measured(stopped) },
            applying: story.applying.clone(),
            may_have_begun: story.may_have_begun(),
            outcome,
        }
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
        let place = match story.entered.as_str() {
            "" => String::new(),
            entered => format!(" in {entered}"),
        };
        let text = format!("the execution failed{place} with {}", caught.told());
        // Whatever fails once something was done is caught, and gets a name of ours, when Clean
        // has come to its end: so Clean has not.
        return if story.may_have_begun() {
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
