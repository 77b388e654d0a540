//! Clean: puts the function back at the end of an execution, and after an execution that was
//! stopped.

use std::time::Duration;

use powertune_core::{
    arn::FunctionRef,
    power::Power,
    workflow::state::{Caught, RunState},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{PATIENCE, StepError, StepErrorKind, apply::chosen, baseline, gateway, left_behind};
use crate::{
    baseline::changed,
    error::Cause,
    gateway::{Connection, ErrorKind, Gateway},
    mark::{self, Mark},
    put_back::MemoryClaim,
    restore::{MemoryOutcome, Restored, Undo, restore},
};

/// The status of an execution that failed after its steps had ended.
const FAILED: &str = "FAILED";
/// The time in which a step in flight has tagged the function, if it will do so at all.
const SECOND_LOOK: Duration = Duration::from_secs(5);

/// An EventBridge event about the end of an execution.
/// <https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html>
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct AfterEnd {
    detail: Detail,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    execution_arn: String,
    status: String,
    /// The execution's input as text; `None` if it is too long for an event. Initialize accepts no
    /// request of that length.
    input: Option<String>,
}

/// The result of Clean, with memory sizes in MB and version numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PutBack {
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<(Power, Power)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    versions: Vec<String>,
    /// The error that the execution ends with, if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Caught>,
    #[serde(skip)]
    is_missing: bool,
    /// The version of the run's choice, if an alias points to it.
    #[serde(skip)]
    pointed_to: Option<String>,
}

impl PutBack {
    /// True if the function does not exist, so there was nothing to put back.
    pub const fn is_missing(&self) -> bool {
        self.is_missing
    }

    fn missing() -> Self {
        Self { is_missing: true, ..Self::default() }
    }
}

/// Puts the function back after the run in `state`, but keeps an applied power.
///
/// # Errors
/// `NotYet` if something could not be put back: another try may succeed. `Failed` if everything was
/// put back, but somebody else changed the function while it was measured.
pub async fn clean(connection: &Connection, state: &RunState) -> Result<PutBack, StepError> {
    let gateway = gateway(connection, &state.run).await?;
    let function = &state.run.function;
    let applied = state.applied.as_ref().filter(|applied| applied.alias.is_none());
    let leave_at = applied.map_or(function.power, |applied| applied.power);
    // Before the clean-up, because a version is needed for it.
    let outdated = match &state.failure {
        Some(_) => None,
        None => outdated(&gateway, state, leave_at).await.map_err(|error| not_yet(&error))?,
    };
    let run = &state.run.mark;
    let is_applied = state.applied.is_some();
    let put_back = sweep(&gateway, &function.arn, run, is_applied).await?;
    if let Some(cause) = outdated {
        return Err(StepErrorKind::Failed.error(&format!(
            "{cause}\nthe result applies to the function before that change; everything was put \
             back"
        )));
    }
    let failure = match &state.failure {
        Some(failure) => Some(in_words(failure, applied_before(&gateway, state, &put_back).await)),
        None => None,
    };
    Ok(PutBack { failure, ..put_back })
}

/// The choice that a failed step had already applied. The user requested it, so it stays: undoing
/// it would be a second change for the callers of the function.
async fn applied_before(gateway: &Gateway, state: &RunState, put_back: &PutBack) -> Option<String> {
    if let Some(version) = &put_back.pointed_to {
        return Some(format!("an alias points to the choice, version {version}"));
    }
    let optimize = state.run.request().ok()?.auto_optimize?;
    let (original, chosen) = (state.run.function.power, chosen(state)?);
    if optimize.alias.is_some() || put_back.memory.is_some() || chosen == original {
        return None;
    }
    let latest = gateway.function(&state.run.function.arn, None).await.ok()?;
    (latest.power == chosen).then(|| format!("$LATEST has the chosen {chosen}, and had {original}"))
}

/// The change by somebody else during a run that otherwise succeeded.
///
/// # Errors
/// If a call fails.
async fn outdated(
    gateway: &Gateway,
    state: &RunState,
    leave_at: Power,
) -> Result<Option<Cause>, Cause> {
    let baseline = match baseline(gateway, state).await {
        // An earlier try of Clean may have deleted the version that is needed.
        Err(Cause::Changed { .. }) => return Ok(None),
        baseline => baseline?,
    };
    let latest = gateway.function(&baseline.arn, None).await?;
    let applied = state.applied.as_ref().map_or(leave_at, |applied| applied.power);
    Ok(changed(&latest, &baseline, &[baseline.power, leave_at, applied]).err())
}

/// An obstacle that may disappear by itself.
fn not_yet(error: &impl ToString) -> StepError {
    StepErrorKind::NotYet.error(&format!(
        "the function could not be read, so nothing was put back: {}",
        error.to_string()
    ))
}

/// The error that the execution ends with. Step Functions reserves names that begin with `States.`.
fn in_words(failure: &Caught, applied: Option<String>) -> Caught {
    let all = "everything".to_owned();
    let put_back = applied.map_or(all, |applied| format!("{applied}; everything else"));
    match StepErrorKind::of_name(&failure.error) {
        Some(_) => Caught { error: failure.error.clone(), cause: failure.said() },
        None => Caught {
            error: StepErrorKind::Failed.name().to_owned(),
            cause: format!(
                "{}: {}; {put_back} was put back, so the run can be started again; the log of the \
                 failed step may say more",
                failure.error,
                failure.said()
            ),
        },
    }
}

/// Puts the function back after an execution that was aborted, timed out or failed.
///
/// # Errors
/// `NotYet` if something could not be put back: another try may succeed.
pub async fn clean_after(connection: &Connection, end: &AfterEnd) -> Result<PutBack, StepError> {
    let function = function_of(&end.detail)?;
    let gateway = Gateway::connect(connection, &function).await?.with_patience(PATIENCE);
    let name = function.unqualified().to_string();
    let latest = match gateway.function(&name, None).await {
        Err(error) if error.kind == ErrorKind::NotFound => return Ok(PutBack::missing()),
        read => read.map_err(|error| not_yet(&error))?,
    };
    let run = mark::run_of(&end.detail.execution_arn);
    match sweep(&gateway, &latest.arn, &run, false).await {
        Ok(put_back) if put_back != PutBack::default() || end.detail.status == FAILED => {
            return Ok(put_back);
        }
        // A step in flight may still begin, or may have set a memory size that no version shows
        // yet.
        Ok(_) | Err(_) => tokio::time::sleep(SECOND_LOOK).await,
    }
    sweep(&gateway, &latest.arn, &run, false).await
}

/// The function in the execution's input. It is found even if the request has other faults.
fn function_of(detail: &Detail) -> Result<FunctionRef, StepError> {
    let input: Value = detail
        .input
        .as_deref()
        .and_then(|input| serde_json::from_str(input).ok())
        .unwrap_or_default();
    let named = input.get("lambdaARN").and_then(Value::as_str).and_then(|name| name.parse().ok());
    named.ok_or_else(|| {
        StepErrorKind::BadInput.error(&format!(
            "the event about the end of {} does not name the function of the run, so nothing was \
             put back; do it with: powertune clean FUNCTION",
            detail.execution_arn
        ))
    })
}

/// Undoes the leftovers of the run with this id.
async fn sweep(
    gateway: &Gateway,
    arn: &str,
    run: &str,
    is_applied: bool,
) -> Result<PutBack, StepError> {
    let tags = match gateway.tags(arn).await {
        // A deleted function has no leftovers.
        Err(error) if error.kind == ErrorKind::NotFound => return Ok(PutBack::missing()),
        tags => tags.map_err(|error| not_yet(&error))?,
    };
    let mark = Mark::find(run, &tags);
    let mut undo = Undo {
        claims: Vec::new(),
        versions: [run.to_owned()].into(),
        // An applied choice belongs to the user, even if no alias points to it any more. The tags
        // stay until this is decided.
        unapplied: if is_applied || mark.is_none() { Vec::new() } else { vec![run.to_owned()] },
        memory_tags: Vec::new(),
        tags: Vec::new(),
    };
    if let Some(mark) = mark {
        undo.claims.extend(MemoryClaim::of_tags(&mark));
        undo.memory_tags.extend(mark.original.map(|_| mark.memory_key()));
        undo.tags.extend(mark.keys());
    }
    let restored = restore(gateway, arn, &undo).await;
    if !restored.left.is_empty() {
        // Waiting does not tell who set the memory size.
        let is_final = restored.is_memory_unclear();
        let kind = if is_final { StepErrorKind::LeftBehind } else { StepErrorKind::NotYet };
        return Err(StepError { kind, ..left_behind(restored.left) });
    }
    let memory = match restored.memory {
        MemoryOutcome::PutBack { from, to } => Some((from, to)),
        MemoryOutcome::AsItWas | MemoryOutcome::Theirs(_) | MemoryOutcome::Gone => None,
    };
    let Restored { versions, pointed_to, .. } = restored;
    Ok(PutBack { memory, versions, pointed_to, ..PutBack::default() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn end(input: &str) -> AfterEnd {
        let execution = "arn:aws:states:us-east-1:123456789012:execution:machine:name";
        let event = json!({"detail-type": "Step Functions Execution Status Change", "detail": {
            "executionArn": execution, "status": "ABORTED", "input": input,
        }});
        serde_json::from_value(event).expect("an event")
    }

    #[test]
    fn the_function_is_found_in_an_input_with_other_faults() {
        let function = function_of(&end(r#"{"lambdaARN": "fn", "nmu": 7}"#).detail).unwrap();
        assert_eq!(function.to_string(), "fn");
    }

    #[test]
    fn a_failure_is_told_in_words_under_a_name_of_ours() {
        let caught = |error: &str, cause: &str| {
            let caught = Caught { error: error.to_owned(), cause: cause.to_owned() };
            let Caught { error, cause } = in_words(&caught, None);
            format!("{error}: {cause}")
        };
        let lambda = r#"{"errorType":"Powertune.Failed","errorMessage":"too bad"}"#;
        assert_eq!(caught("Powertune.Failed", lambda), "Powertune.Failed: too bad");
        let told = caught("States.Timeout", "");
        assert!(
            told.starts_with("Powertune.Failed: States.Timeout: ; everything was put back"),
            "{told}"
        );
    }

    #[test]
    fn an_input_without_a_function_leaves_nothing_to_clean() {
        for input in ["", "[]", "{}", r#"{"lambdaARN": 7}"#, r#"{"lambdaARN": "not a name"}"#] {
            let error = function_of(&end(input).detail).unwrap_err();
            assert_eq!(error.kind, StepErrorKind::BadInput, "{input}");
        }
    }
}
