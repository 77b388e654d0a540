//! The state machine in the Amazon States Language (<https://states-language.net/spec.html>).
//!
//! It uses only JSONPath, Lambda ARNs as resources and INLINE maps, which every interpreter of the
//! language knows.

use serde_json::{Value, json};

use super::Step;

/// Longer than the maximum Timeout of a Lambda function. Without it, a task would wait forever for
/// a lost answer.
const TASK_TIMEOUT_S: u32 = 960;
/// Lambda's error for too many concurrent invocations. The function did not run.
pub(super) const THROTTLED: &str = "Lambda.TooManyRequestsException";
/// Errors of Lambda or its client. The function may have run.
const UNAVAILABLE: [&str; 3] =
    ["Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException"];
/// Clean's error for an obstacle that may disappear by itself.
const NOT_YET: &str = "Powertune.NotYet";
/// A step's error for a failed run. Clean's error for outdated measurements.
const FAILED: &str = "Powertune.Failed";
/// Clean's error for a change that it can't take back.
const LEFT_BEHIND: &str = "Powertune.LeftBehind";
/// The error for a result that does not fit into a state. AWS documents that `States.ALL` does not
/// catch it, but in practice it does. So this name is caught as well.
const TOO_LARGE: &str = "States.DataLimitExceeded";
/// Errors of the steps themselves, which a retry would only repeat.
const TOLD: [&str; 5] =
    ["Powertune.BadInput", "Powertune.Refused", "Powertune.NotBegun", FAILED, LEFT_BEHIND];

/// The definition of the state machine. `resource` gives the ARN of each step's function, or the
/// placeholder of a template.
pub fn definition(resource: impl Fn(Step) -> String) -> Value {
    let task = |step, more| task(&resource(step), more);
    json!({
        "Comment": "powertune: which power (memory size) to choose for a Lambda function",
        "StartAt": "Initialize",
        "States": {
            // Initialize changes nothing, so a refusal ends the execution without clean-up.
            "Initialize": task(Step::Initialize, json!({
                "Parameters": {
                    "execution": {
                        "id.$": "$$.Execution.Id",
                        "startTime.$": "$$.Execution.StartTime",
                    },
                    "request.$": "$",
                },
                "Retry": [throttled(), told(), unfinished()],
                "Next": "Publish",
            })),
            "Publish": task(Step::Publish, changing("MeasurePowers")),
            "MeasurePowers": measure_powers(&task(Step::Measure, json!({
                "Retry": [throttled()],
                "Catch": caught("$.lost", "Lost"),
                "End": true,
            }))),
            "Decide": task(Step::Decide, json!({
                "Retry": [throttled(), told(), unfinished()],
                "Catch": clean_up(),
                "Next": "WhatNext",
            })),
            "WhatNext": what_next(),
            "Apply": task(Step::Apply, changing("Clean")),
            "Clean": task(Step::Clean, json!({
                "Retry": patiently(),
                "Catch": outdated_or_left_behind(),
                "ResultPath": "$.cleaned",
                "OutputPath": "$.result",
                "End": true,
            })),
            "CleanAfterFailure": task(Step::Clean, json!({
                "Retry": patiently(),
                "Catch": caught("$.left", "LeftBehind"),
                "ResultPath": "$.cleaned",
                "Next": "Failed",
            })),
            // Clean has described the failure. It avoids the error names that Fail may not use.
            "Failed": {
                "Type": "Fail",
                "ErrorPath": "$.cleaned.failure.Error",
                "CausePath": "$.cleaned.failure.Cause",
            },
            // Everything is restored, but the function changed during the measurements.
            "Outdated": { "Type": "Fail", "Error": FAILED, "CausePath": "$.left.Cause" },
            // Clean failed for good, so some changes of the run may remain.
            "LeftBehind": { "Type": "Fail", "Error": LEFT_BEHIND, "CausePath": "$.left.Cause" },
        },
    })
}

/// A Task of the function `resource`, with `more` fields.
fn task(resource: &str, more: Value) -> Value {
    let mut task = json!({
        "Type": "Task",
        "TimeoutSeconds": TASK_TIMEOUT_S,
        "Resource": resource,
    });
    if let (Value::Object(task), Value::Object(more)) = (&mut task, more) {
        task.extend(more);
    }
    task
}

/// The fields of a step that changes the function: it is sent again only if it never ran.
fn changing(next: &str) -> Value {
    json!({ "Retry": [throttled()], "Catch": clean_up(), "Next": next })
}

/// One iteration per power. A failed batch may have invoked the function, so it is only sent again
/// if it never ran. Decide counts the other failures as losses.
fn measure_powers(measure: &Value) -> Value {
    json!({
        "Type": "Map",
        "ItemsPath": "$.tasks",
        "ItemSelector": { "run.$": "$.run", "task.$": "$$.Map.Item.Value" },
        "ItemProcessor": {
            "ProcessorConfig": { "Mode": "INLINE" },
            "StartAt": "Measure",
            "States": {
                "Measure": measure,
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

fn what_next() -> Value {
    json!({
        "Type": "Choice",
        "Choices": [
            next_is("publish", "Publish"),
            next_is("measure", "MeasurePowers"),
            next_is("apply", "Apply"),
        ],
        "Default": "Clean",
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

/// Sends every error to `next`. `States.ALL` must stand alone, and last.
fn caught(result_path: &str, next: &str) -> Value {
    let catch =
        |error: &str| json!({ "ErrorEquals": [error], "ResultPath": result_path, "Next": next });
    json!([catch(TOO_LARGE), catch("States.ALL")])
}

fn throttled() -> Value {
    retry(&[THROTTLED], 1, 2.0, 8)
}

fn told() -> Value {
    retry(&TOLD, 1, 2.0, 0)
}

/// Retries for a step that changes nothing, after any other error such as a crash or a lost answer.
fn unfinished() -> Value {
    retry(&["States.ALL"], 2, 2.0, 3)
}

/// Retries for Clean, which may run twice and must not give up soon. An obstacle gets about a
/// quarter of an hour, in growing intervals. Other errors, such as a timeout, take time themselves.
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
