//! The state machine, in the Amazon States Language (<https://states-language.net/spec.html>).
//!
//! JSONPath, Lambda ARNs as resources and INLINE maps only: what every interpreter of the language
//! knows.

use serde_json::{Value, json};

use super::Step;

/// Longer than any Lambda function runs: without it a task would wait for ever for an answer that
/// was lost.
const TASK_TIMEOUT_S: u32 = 960;
/// What Lambda answers when it ran nothing, because too much is running.
pub(super) const THROTTLED: &str = "Lambda.TooManyRequestsException";
/// What Step Functions says when Lambda, or what calls it, has a fault of its own. Whether the
/// function ran is open.
const UNAVAILABLE: [&str; 3] =
    ["Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException"];
/// What Clean says when something is in the way that may go away by itself.
const NOT_YET: &str = "Powertune.NotYet";
/// What a step says when the run failed; Clean, when what was measured is out of date.
const FAILED: &str = "Powertune.Failed";
/// What Clean says when something stays that it can't put back.
const LEFT_BEHIND: &str = "Powertune.LeftBehind";
/// A result that does not fit into a state. AWS documents that `States.ALL` does not catch it, and
/// was seen to catch it: so it is caught by its name too.
const TOO_LARGE: &str = "States.DataLimitExceeded";
/// What a step says itself, and would say again.
const TOLD: [&str; 5] =
    ["Powertune.BadInput", "Powertune.Refused", "Powertune.NotBegun", FAILED, LEFT_BEHIND];

/// The state machine's definition. `resource` names each step's function: its ARN, or what a
/// template has in its place.
pub fn definition(resource: impl Fn(Step) -> String) -> Value {
    let resource = |step| Value::from(resource(step));
    json!({
        "Comment": "powertune: which power (memory size) to choose for a Lambda function",
        "StartAt": "Initialize",
        "States": {
            // The one state that changes nothing: what it refuses fails the execution as it is.
            "Initialize": {
                "Type": "Task",
                "TimeoutSeconds": TASK_TIMEOUT_S,
                "Resource": resource(Step::Initialize),
                "Parameters": {
                    "execution": {
                        "id.$": "$$.Execution.Id",
                        "startTime.$": "$$.Execution.StartTime",
                    },
                    "request.$": "$",
                },
                "Retry": [throttled(), told(), unfinished()],
                "Next": "Publish",
            },
            "Publish": {
                "Type": "Task",
                "TimeoutSeconds": TASK_TIMEOUT_S,
                "Resource": resource(Step::Publish),
                "Retry": [throttled()],
                "Catch": clean_up(),
                "Next": "MeasurePowers",
            },
            "MeasurePowers": measure_powers(&resource(Step::Measure)),
            "Decide": {
                "Type": "Task",
                "TimeoutSeconds": TASK_TIMEOUT_S,
                "Resource": resource(Step::Decide),
                "Retry": [throttled(), told(), unfinished()],
                "Catch": clean_up(),
                "Next": "WhatNext",
            },
            "WhatNext": {
                "Type": "Choice",
                "Choices": [
                    next_is("publish", "Publish"),
                    next_is("measure", "MeasurePowers"),
                    next_is("apply", "Apply"),
                ],
                "Default": "Clean",
            },
            "Apply": {
                "Type": "Task",
                "TimeoutSeconds": TASK_TIMEOUT_S,
                "Resource": resource(Step::Apply),
                "Retry": [throttled()],
                "Catch": clean_up(),
                "Next": "Clean",
            },
            "Clean": {
                "Type": "Task",
                "TimeoutSeconds": TASK_TIMEOUT_S,
                "Resource": resource(Step::Clean),
                "Retry": patiently(),
                "Catch": outdated_or_left_behind(),
                "ResultPath": "$.cleaned",
                "OutputPath": "$.result",
                "End": true,
            },
            "CleanAfterFailure": {
                "Type": "Task",
                "TimeoutSeconds": TASK_TIMEOUT_S,
                "Resource": resource(Step::Clean),
                "Retry": patiently(),
                "Catch": caught("$.left", "LeftBehind"),
                "ResultPath": "$.cleaned",
                "Next": "Failed",
            },
            // What failed is told by Clean, in words and without the names that Fail may not use.
            "Failed": {
                "Type": "Fail",
                "ErrorPath": "$.cleaned.failure.Error",
                "CausePath": "$.cleaned.failure.Cause",
            },
            // All is put back, but the function was changed while it was measured.
            "Outdated": {
                "Type": "Fail",
                "Error": FAILED,
                "CausePath": "$.left.Cause",
            },
            // Whatever Clean failed with in the end: what the run did is not all taken back.
            "LeftBehind": {
                "Type": "Fail",
                "Error": LEFT_BEHIND,
                "CausePath": "$.left.Cause",
            },
        },
    })
}

/// One iteration a power. A portion that fails may have invoked the function, so that only one
/// that never ran is sent again; what any other failure says goes to Decide, as a loss.
fn measure_powers(resource: &Value) -> Value {
    json!({
        "Type": "Map",
        "ItemsPath": "$.tasks",
        "ItemSelector": { "run.$": "$.run", "task.$": "$$.Map.Item.Value" },
        "ItemProcessor": {
            "ProcessorConfig": { "Mode": "INLINE" },
            "StartAt": "Measure",
            "States": {
                "Measure": {
                    "Type": "Task",
                    "TimeoutSeconds": TASK_TIMEOUT_S,
                    "Resource": resource,
                    "Retry": [throttled()],
                    "Catch": caught("$.lost", "Lost"),
                    "End": true,
                },
                "Lost": {
                    "Type": "Pass",
                    "Parameters": { "task.$": "$.task", "lost.$": "$.lost" },
                    "End": true,
                },
            },
        },
        "ResultPath": "$.measured",
        "Catch": clean_up(),
        "Next": "Decide",
    })
}

fn next_is(value: &str, next: &str) -> Value {
    json!({ "Variable": "$.next", "StringEquals": value, "Next": next })
}

fn clean_up() -> Value {
    caught("$.failure", "CleanAfterFailure")
}

fn outdated_or_left_behind() -> Value {
    let outdated = json!({ "ErrorEquals": [FAILED], "ResultPath": "$.left", "Next": "Outdated" });
    let left_behind = caught("$.left", "LeftBehind");
    let catchers = left_behind.as_array().into_iter().flatten().cloned();
    [outdated].into_iter().chain(catchers).collect()
}

/// Whatever fails goes to `next`. `States.ALL` has to stand alone, and last.
fn caught(result_path: &str, next: &str) -> Value {
    let catch =
        |error: &str| json!({ "ErrorEquals": [error], "ResultPath": result_path, "Next": next });
    json!([catch(TOO_LARGE), catch("States.ALL")])
}

fn throttled() -> Value {
    retry(&[THROTTLED], 1, 2.0, 8)
}

/// No attempt more.
fn told() -> Value {
    retry(&TOLD, 1, 2.0, 0)
}

/// Anything else that ends a step which changes nothing: a crash, an answer that was lost.
fn unfinished() -> Value {
    retry(&["States.ALL"], 2, 2.0, 3)
}

/// For Clean, which can be done twice and is not to be given up soon: about a quarter of an hour
/// for what goes away by itself, in intervals that grow. What else ends it (a crash, a timeout)
/// takes time itself.
fn patiently() -> Value {
    let unavailable = [&[THROTTLED][..], &UNAVAILABLE].concat();
    json!([
        told(),
        retry(&[NOT_YET], 12, 1.5, 9),
        retry(&unavailable, 1, 2.0, 10),
        retry(&["States.ALL"], 2, 2.0, 4),
    ])
}

fn retry(errors: &[&str], interval_s: u32, backoff_rate: f64, attempts: u32) -> Value {
    json!({
        "ErrorEquals": errors,
        "IntervalSeconds": interval_s,
        "BackoffRate": backoff_rate,
        "MaxAttempts": attempts,
    })
}

#[cfg(test)]
mod tests;
