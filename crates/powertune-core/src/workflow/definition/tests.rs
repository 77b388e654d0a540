//! Tests of the state machine with AWS's errors. Names and contents come from histories of
//! executions on AWS: a function's error has its own type as its name, Lambda's begin with
//! `Lambda.`, and those of Step Functions with `States.`.

use super::*;

/// The names of task errors that AWS documents or that were seen: a function that throws or does
/// not exist, faults and refusals of Lambda, a task that timed out, a result that is too large.
const OF_AWS: [&str; 9] = [
    "Exception",
    "Lambda.ResourceNotFoundException",
    "Lambda.TooManyRequestsException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.Unknown",
    "States.Timeout",
    "States.DataLimitExceeded",
];

fn machine() -> Value {
    definition(|step| step.name().to_owned())
}

/// True if AWS matches the error with a retrier or catcher. `States.TaskFailed` matches all but a
/// timeout. `States.ALL` does not match a result that is too large, by AWS's documentation.
fn has(block: &Value, error: &str) -> bool {
    block["ErrorEquals"].as_array().into_iter().flatten().any(|name| match name.as_str() {
        Some("States.ALL") => error != "States.DataLimitExceeded",
        Some("States.TaskFailed") => error != "States.Timeout",
        name => name == Some(error),
    })
}

/// The state that catches an error after its retries.
fn caught_to<'a>(state: &'a Value, error: &str) -> Option<&'a str> {
    let mut catchers = state["Catch"].as_array().into_iter().flatten();
    catchers.find(|catcher| has(catcher, error)).and_then(|catcher| catcher["Next"].as_str())
}

fn waits(state: &Value, error: &str) -> Vec<f64> {
    let mut retriers = state["Retry"].as_array().into_iter().flatten();
    let Some(retrier) = retriers.find(|retrier| has(retrier, error)) else { return Vec::new() };
    let number = |name: &str| retrier[name].as_f64().expect("it has that");
    let (first, rate) = (number("IntervalSeconds"), number("BackoffRate"));
    let attempts = retrier["MaxAttempts"].as_i64().expect("it has that");
    (0..attempts).map(|nth| first * rate.powf(nth as f64)).collect()
}

#[test]
fn whatever_a_step_fails_with_once_something_was_changed_is_cleaned_up() {
    let states = machine()["States"].take();
    for state in ["Publish", "MeasurePowers", "Decide", "Apply"] {
        for error in OF_AWS.into_iter().chain(TOLD) {
            let next = caught_to(&states[state], error);
            assert_eq!(next, Some("CleanAfterFailure"), "{state}: {error}");
        }
    }
    for error in OF_AWS {
        let measure = &states["MeasurePowers"]["ItemProcessor"]["States"]["Measure"];
        assert_eq!(caught_to(measure, error), Some("Lost"), "{error}");
    }
    assert!(states["Initialize"]["Catch"].is_null(), "it changes nothing");
}

#[test]
fn what_may_have_invoked_or_changed_the_function_is_not_done_again() {
    let states = machine()["States"].take();
    let measure = &states["MeasurePowers"]["ItemProcessor"]["States"]["Measure"];
    for state in [&states["Publish"], measure, &states["Apply"]] {
        for error in OF_AWS {
            let again = !waits(state, error).is_empty();
            assert_eq!(again, error == "Lambda.TooManyRequestsException", "{error}");
        }
    }
}

#[test]
fn clean_is_patient_for_a_quarter_of_an_hour() {
    let states = machine()["States"].take();
    for state in ["Clean", "CleanAfterFailure"] {
        for error in [
            "Powertune.NotYet",
            "Lambda.TooManyRequestsException",
            "Lambda.ServiceException",
            "Lambda.AWSLambdaException",
            "Lambda.SdkClientException",
        ] {
            let in_all: f64 = waits(&states[state], error).iter().sum();
            assert!((890.0..1100.0).contains(&in_all), "{state}: {error}: {in_all} s");
            assert_eq!(caught_to(&states[state], error), Some("LeftBehind"));
        }
        for error in ["Lambda.Unknown", "States.Timeout", "Runtime.ExitError"] {
            assert_eq!(waits(&states[state], error).len(), 4, "{state}: {error}");
            assert_eq!(caught_to(&states[state], error), Some("LeftBehind"));
        }
        assert!(waits(&states[state], "Powertune.LeftBehind").is_empty());
    }
    assert_eq!(states["LeftBehind"]["Error"], "Powertune.LeftBehind");
    assert_eq!(caught_to(&states["Clean"], "Powertune.Failed"), Some("Outdated"));
    assert_eq!(states["Outdated"]["Error"], "Powertune.Failed");
    // Nothing must end an execution while Clean retries.
    assert!(machine()["TimeoutSeconds"].is_null());
}

#[test]
fn states_all_stands_alone_and_last() {
    fn check(value: &Value) {
        for field in ["Retry", "Catch"] {
            let blocks = value[field].as_array().map(Vec::as_slice).unwrap_or_default();
            for (at, block) in blocks.iter().enumerate() {
                let names = block["ErrorEquals"].as_array().expect("it has names");
                let has_all = names.iter().any(|name| name == "States.ALL");
                assert!(!has_all || names.len() == 1 && at + 1 == blocks.len(), "{block}");
            }
        }
        match value {
            Value::Object(fields) => fields.values().for_each(check),
            Value::Array(values) => values.iter().for_each(check),
            _ => {}
        }
    }
    check(&machine());
}
