//! The state machine, in the Amazon States Language (<https://states-language.net/spec.html>).
//!
//! JSONPath, Lambda ARNs as resources and INLINE maps only: what every interpreter of the language
//! knows.

use serde_json::{Value, json};

use super::Step;

/// Longer than any Lambda function runs: without it a task would wait for ever for an answer that
/// was lost.
const TASK_TIMEOUT_S: u32 = 960;
/// What Lambda answers when it ran nothing.
const THROTTLED: &str = "Lambda.TooManyRequestsException";
/// What a step says itself, and would say again.
const TOLD: [&str; 5] = [
    "Powertune.BadInput",
    "Powertune.Refused",
    "Powertune.NotBegun",
    "Powertune.Failed",
    "Powertune.LeftBehind",
];

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
                "Catch": [clean_up()],
                "Next": "MeasurePowers",
            },
            "MeasurePowers": measure_powers(&resource(Step::Measure)),
            "Decide": {
                "Type": "Task",
                "TimeoutSeconds": TASK_TIMEOUT_S,
                "Resource": resource(Step::Decide),
                "Retry": [throttled(), told(), unfinished()],
                "Catch": [clean_up()],
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
                "Catch": [clean_up()],
                "Next": "Clean",
            },
            "Clean": {
                "Type": "Task",
                "TimeoutSeconds": TASK_TIMEOUT_S,
                "Resource": resource(Step::Clean),
                "Retry": [again()],
                "ResultPath": "$.cleaned",
                "OutputPath": "$.result",
                "End": true,
            },
            "CleanAfterFailure": {
                "Type": "Task",
                "TimeoutSeconds": TASK_TIMEOUT_S,
                "Resource": resource(Step::Clean),
                "Retry": [again()],
                "ResultPath": "$.cleaned",
                "Next": "Failed",
            },
            // What failed is told by Clean, in words and without the names that Fail may not use.
            "Failed": {
                "Type": "Fail",
                "ErrorPath": "$.cleaned.failure.Error",
                "CausePath": "$.cleaned.failure.Cause",
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
                    "Catch": [{
                        "ErrorEquals": ["States.ALL"],
                        "ResultPath": "$.lost",
                        "Next": "Lost",
                    }],
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
        "Catch": [clean_up()],
        "Next": "Decide",
    })
}

fn next_is(value: &str, next: &str) -> Value {
    json!({ "Variable": "$.next", "StringEquals": value, "Next": next })
}

fn clean_up() -> Value {
    json!({
        "ErrorEquals": ["States.ALL"],
        "ResultPath": "$.failure",
        "Next": "CleanAfterFailure",
    })
}

fn throttled() -> Value {
    retry(&[THROTTLED], 1, 8)
}

/// No attempt more.
fn told() -> Value {
    retry(&TOLD, 1, 0)
}

/// Anything else that ends a step which changes nothing: a crash, an answer that was lost.
fn unfinished() -> Value {
    retry(&["States.ALL"], 2, 3)
}

/// For what can be done twice.
fn again() -> Value {
    retry(&["States.ALL"], 2, 4)
}

fn retry(errors: &[&str], interval_s: u32, attempts: u32) -> Value {
    json!({
        "ErrorEquals": errors,
        "IntervalSeconds": interval_s,
        "BackoffRate": 2.0,
        "MaxAttempts": attempts,
    })
}
