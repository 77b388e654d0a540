//! Puts the function back after an execution that could not do it itself.

use powertune_core::{arn::FunctionRef, region::Region, result::Applied};
use serde_json::{Value, json};

use super::{arn::execution_region, progress::ApplyProgress, start::StartedExecution};
use crate::{
    gateway::Connection,
    steps::{self, StepError, StepErrorKind},
};

/// Puts the function back, and says in what state it is now. The rule on the end of executions does
/// the same where a template has made one; the second time changes nothing.
///
/// # Errors
/// When something could not be put back.
pub(super) async fn put_back(
    execution: &StartedExecution,
    connection: &Connection,
    applying: &ApplyProgress,
    may_have_begun: bool,
) -> Result<String, StepError> {
    let end = json!({ "detail": {
        "executionArn": execution.arn,
        "status": "ABORTED",
        "input": execution.input,
    } });
    let end = serde_json::from_value(end).expect("it has the fields of an event");
    let function = function(&execution.input);
    let region = region(&function, &execution.arn);
    let here = region.as_ref().map_or(String::new(), |region| format!(" in {region}"));
    // The endpoint that was named is that of Step Functions.
    let lambda = Connection { endpoint_url: None, region, ..connection.clone() };
    let left = |why: &dyn std::fmt::Display| {
        StepErrorKind::LeftBehind.error(&format!(
            "{why}\nthe rule on the end of executions puts the function back too, where it is \
             deployed; see what is left, and put it back, with: powertune clean {function}"
        ))
    };
    let put_back = steps::clean_after(&lambda, &end).await.map_err(|error| left(&error))?;
    match applying {
        _ if !put_back.is_missing() => Ok(told(applying)),
        ApplyProgress::NotBegun if !may_have_begun => Ok("nothing was changed".to_owned()),
        _ => Err(left(&format!(
            "there is no function {function}{here} any more, so that nothing was put back; if it \
             was not deleted, look whether account and region are the right ones"
        ))),
    }
}

/// The function that the request names.
fn function(input: &str) -> String {
    let input: Value = serde_json::from_str(input).unwrap_or_default();
    input["lambdaARN"].as_str().unwrap_or("FUNCTION").to_owned()
}

/// The region in which the steps call Lambda: the function's, or else the execution's.
fn region(function: &str, execution: &str) -> Option<Region> {
    let of_function = function.parse::<FunctionRef>().ok().and_then(|function| function.region);
    of_function.or_else(|| execution_region(execution))
}

fn told(applying: &ApplyProgress) -> String {
    match applying {
        ApplyProgress::NotBegun => "everything was put back as it was".to_owned(),
        ApplyProgress::Begun => {
            "the execution was applying its choice, and whether it has done so \
                                 is not known: look at the function's memory size, or at the \
                                 alias; everything else was put back"
                .to_owned()
        }
        ApplyProgress::Done(Applied { power, alias: Some(alias), version: Some(version) }) => {
            format!(
                "the choice had been applied, and stays: the alias {alias} points to version \
                 {version} ({power}); everything else was put back"
            )
        }
        ApplyProgress::Done(Applied { power, .. }) => format!(
            "the choice had been applied, and stays: the function has {power}; everything else was \
             put back"
        ),
    }
}
