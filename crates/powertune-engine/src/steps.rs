//! The steps of the state machine. They use the same parts as a [run](crate::run), and each
//! continues from the state.
//!
//! A failed step returns a [`StepError`]. The state machine shows its name, and `powertune run`
//! derives its exit code from it.

mod apply;
mod clean;
mod decide;
mod initialize;
mod measure;
mod processors;
mod publish;

use std::time::Duration;

use powertune_core::{
    power::{PowerValues, default_values},
    price::UnknownPrice,
    request::Faults,
    visualization,
    workflow::{
        Undecided,
        state::{RunContext, RunState},
    },
};

pub use self::{
    apply::apply,
    clean::{AfterEnd, PutBack, clean, clean_after},
    decide::decide,
    initialize::initialize,
    measure::measure,
    publish::publish,
};
use crate::{
    baseline::Baseline,
    error::{Cause, LeftBehind, TuneError},
    gateway::{ConnectError, Connection, ErrorKind, Gateway},
    held::Held,
    mark::Mark,
};

/// The longest time for a step to put the function back; the state machine calls Clean again after
/// that.
const PATIENCE: Duration = Duration::from_secs(40);

/// The parameters of a deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct DeploymentSettings {
    /// The powers of a request that names none.
    pub powers: PowerValues,
    /// The timeout of the Measure step.
    pub measure_timeout: Duration,
    /// The URL of the page that draws a result.
    pub visualization: String,
    /// The ARN, or ARN pattern in IAM's syntax, of the functions that a request may name as
    /// processors; empty if none.
    pub processors: String,
    /// True if any function may be tuned.
    pub tunes_any: bool,
}

impl Default for DeploymentSettings {
    fn default() -> Self {
        Self {
            powers: default_values(),
            measure_timeout: Duration::from_mins(15),
            visualization: visualization::BASE.to_owned(),
            processors: String::new(),
            tunes_any: false,
        }
    }
}

/// The error of a step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StepError {
    /// The class of the error.
    pub kind: StepErrorKind,
    /// The cause, the place, and the next action.
    pub message: String,
}

/// The classes of errors that the state machine distinguishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepErrorKind {
    /// The request is wrong. No call was made.
    BadInput,
    /// The function can't be tuned as requested. Nothing was changed.
    Refused,
    /// The run failed before it changed anything.
    NotBegun,
    /// The run failed.
    Failed,
    /// Something could not be put back yet. Clean can't distinguish a temporary obstacle
    /// (throttling, an update in progress) from a lasting one. So the state machine retries for a
    /// quarter of an hour and reports `LeftBehind` after that.
    NotYet,
    /// Something could not be put back.
    LeftBehind,
}

impl StepErrorKind {
    const ALL: [Self; 6] = [
        Self::BadInput,
        Self::Refused,
        Self::NotBegun,
        Self::Failed,
        Self::NotYet,
        Self::LeftBehind,
    ];

    /// The error's name in the state machine.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadInput => "Powertune.BadInput",
            Self::Refused => "Powertune.Refused",
            Self::NotBegun => "Powertune.NotBegun",
            Self::Failed => "Powertune.Failed",
            Self::NotYet => "Powertune.NotYet",
            Self::LeftBehind => "Powertune.LeftBehind",
        }
    }

    /// The class with this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// An error of this class.
    pub fn error(self, message: &impl ToString) -> StepError {
        StepError { kind: self, message: message.to_string() }
    }
}

impl From<Faults> for StepError {
    fn from(faults: Faults) -> Self {
        StepErrorKind::BadInput.error(&faults)
    }
}

impl From<ConnectError> for StepError {
    fn from(error: ConnectError) -> Self {
        StepErrorKind::BadInput.error(&error)
    }
}

impl From<Cause> for StepError {
    fn from(cause: Cause) -> Self {
        StepErrorKind::Failed.error(&cause)
    }
}

impl From<UnknownPrice> for StepError {
    fn from(unknown: UnknownPrice) -> Self {
        StepErrorKind::Failed.error(&unknown)
    }
}

impl From<Undecided> for StepError {
    fn from(undecided: Undecided) -> Self {
        StepErrorKind::Failed.error(&undecided)
    }
}

impl From<TuneError> for StepError {
    fn from(error: TuneError) -> Self {
        let kind = match error {
            TuneError::Refused(_) => StepErrorKind::Refused,
            TuneError::NotBegun(_) => StepErrorKind::NotBegun,
            TuneError::LeftBehind { .. } => StepErrorKind::LeftBehind,
            TuneError::Failed(_) | TuneError::Outdated { .. } | TuneError::Interrupted => {
                StepErrorKind::Failed
            }
        };
        kind.error(&error)
    }
}

fn left_behind(left: Vec<LeftBehind>) -> StepError {
    TuneError::LeftBehind { cause: None, left }.into()
}

/// A client for the region of the state's function.
async fn gateway(connection: &Connection, run: &RunContext) -> Result<Gateway, StepError> {
    let function = run.function.arn.parse().map_err(|error| {
        StepErrorKind::BadInput.error(&format!("{}: {error}", run.function.arn))
    })?;
    let gateway = Gateway::connect(connection, &function).await?;
    Ok(gateway.with_patience(PATIENCE))
}

/// The function at the time of Initialize.
///
/// The state contains neither the configuration nor a digest of it: an execution's history is kept
/// for months, and a digest would allow guesses at the values of environment variables. So this
/// reads the configuration from the first version of Publish. Before there is one, it reads the
/// function, whose RevisionId must be that of Initialize.
///
/// # Errors
/// If a call fails, or the function or that version has changed.
async fn baseline(gateway: &Gateway, state: &RunState) -> Result<Baseline, Cause> {
    let function = &state.run.function;
    let read =
        match (&state.reference, gateway.function(&function.arn, state.reference.as_deref()).await)
        {
            (Some(version), Err(error)) if error.kind == ErrorKind::NotFound => {
                return Err(Cause::Changed { what: format!("version {version} was deleted") });
            }
            (_, read) => read?,
        };
    let has_begun = state.reference.is_some() || !state.is_untouched();
    if !has_begun && function.revision_id.is_some() && function.revision_id != read.revision_id {
        return Err(changed_meanwhile(gateway, &state.run).await?);
    }
    Ok(Baseline {
        arn: function.arn.clone(),
        power: function.power,
        code_sha256: function.code_sha256.clone(),
        fingerprint: read.fingerprint,
        last_modified: None,
    })
}

/// The reason why the function has changed since Initialize: another run's tags, which change the
/// RevisionId too, or a change by somebody else.
async fn changed_meanwhile(gateway: &Gateway, run: &RunContext) -> Result<Cause, Cause> {
    let function = run.function.arn.clone();
    let tags = gateway.tags(&function).await?;
    Ok(match Mark::all(&tags).into_iter().find(|mark| mark.run != run.mark) {
        Some(mark) => Cause::Marked { function, is_alive: false, mark: Box::new(mark) },
        None => Cause::Changed { what: "its RevisionId, before the run began".to_owned() },
    })
}

fn mark(run: &RunContext) -> Mark {
    let sets = Held::measured(run.powers.iter());
    let since = run.execution.start_time.parse().ok();
    let until = run.until.parse().ok();
    Mark::of_execution(&run.execution.id, run.function.power, sets, since, until)
}

#[cfg(test)]
mod tests {
    use powertune_core::workflow;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_kind_is_known_by_its_name() {
        for kind in StepErrorKind::ALL {
            assert_eq!(StepErrorKind::of_name(kind.name()), Some(kind));
        }
        assert_eq!(StepErrorKind::of_name("States.TaskFailed"), None);
    }

    #[test]
    fn the_state_machine_knows_every_kind_as_one_not_to_be_tried_again() {
        let definition = workflow::definition(|step| step.name().to_owned());
        for state in ["Initialize", "Decide"] {
            let told = &definition["States"][state]["Retry"][1];
            assert_eq!(told["MaxAttempts"], 0, "{state}");
            let mut kinds = StepErrorKind::ALL.to_vec();
            kinds.retain(|kind| *kind != StepErrorKind::NotYet);
            let names: Vec<_> = kinds.into_iter().map(StepErrorKind::name).collect();
            assert_eq!(told["ErrorEquals"], json!(names));
        }
        let patience = &definition["States"]["Clean"]["Retry"][1];
        assert_eq!(patience["ErrorEquals"], json!([StepErrorKind::NotYet.name()]));
    }
}
