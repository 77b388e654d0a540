//! Runs `powertune run` on every history in the files that LocalStack's tests recorded on AWS.

use std::{fs, path::Path, process::ExitCode};

use serde_json::{Value, json};

use crate::histories::{
    run::{Ran, run},
    server::Execution,
};

/// Follows every history in the folder, and prints the output.
pub(crate) fn walk(folder: &Path) -> ExitCode {
    let (mut read, mut all) = (0, 0);
    for (name, history) in histories(folder) {
        all += 1;
        let execution = execution(&history);
        let status = execution.described["status"].as_str().unwrap_or_default().to_owned();
        let error = execution.described["error"].as_str().unwrap_or_default().to_owned();
        let ran = run(execution, &[]);
        let problem = problem(&ran, &status, &error);
        println!("{name}\n    {status} {error} -> exit code {:?}", ran.code);
        println!("    {}", ran.error().replace('\n', "\n    "));
        match problem {
            None => read += 1,
            Some(problem) => println!("    WRONG: {problem}"),
        }
    }
    println!("figure: recorded histories read: {read} of {all}");
    if read == all && all > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The histories, with the names of the tests that recorded them.
fn histories(folder: &Path) -> Vec<(String, Value)> {
    let mut histories = Vec::new();
    for file in fs::read_dir(folder).expect("the folder can be read").flatten() {
        let text = fs::read_to_string(file.path()).expect("the file can be read");
        let tests: Value = serde_json::from_str(&text).expect("the file is JSON");
        for (name, test) in tests.as_object().into_iter().flatten() {
            let name = name.rsplit('/').next().unwrap_or_default().to_owned();
            let content = &test["recorded-content"];
            if content["get_execution_history"]["events"].is_array() {
                histories.push((name, content["get_execution_history"].clone()));
            } else if content["describe_execution"].is_object() {
                histories.push((name, content["describe_execution"].clone()));
            }
        }
    }
    histories.sort_by(|one, other| one.0.cmp(&other.0));
    histories
}

/// The execution that has this history, or this description.
fn execution(recorded: &Value) -> Execution {
    let Some(events) = recorded["events"].as_array() else {
        let status = &recorded["status"];
        return Execution { described: json!({ "status": status }), ..Execution::default() };
    };
    let events: Vec<Value> = events.iter().map(as_sent).collect();
    let last = events.last().cloned().unwrap_or_default();
    let ended = |name: &str| last[format!("execution{name}EventDetails")].clone();
    let described = match last["type"].as_str() {
        Some("ExecutionSucceeded") => {
            json!({ "status": "SUCCEEDED", "output": ended("Succeeded")["output"] })
        }
        Some("ExecutionFailed") => {
            let mut described = ended("Failed");
            described["status"] = "FAILED".into();
            described
        }
        other => panic!("an execution that ends with {other:?}"),
    };
    Execution { described, events, ..Execution::default() }
}

/// An event as AWS has sent it. The recordings have JSON in place of text with JSON, and no times.
fn as_sent(event: &Value) -> Value {
    let mut event = event.clone();
    event["timestamp"] = json!(1.5);
    for (name, details) in event.as_object_mut().into_iter().flatten() {
        if !name.ends_with("EventDetails") {
            continue;
        }
        for field in ["input", "output", "cause", "parameters"] {
            if let Some(value) = details.get_mut(field)
                && !value.is_string()
            {
                *value = value.to_string().into();
            }
        }
    }
    event
}

/// The problem of the output, if any. None of these executions is powertune's: none has a result,
/// and none has come to Publish.
fn problem(ran: &Ran, status: &str, error: &str) -> Option<&'static str> {
    let said = ran.error();
    let is_named = match status {
        "SUCCEEDED" => said.contains("not a result"),
        "FAILED" => said.contains(error) && said.contains("nothing was changed"),
        other => said.contains(other),
    };
    if !is_named {
        return Some("it does not say how the execution ended");
    }
    if said.contains("errorMessage") || said.contains(": \n") || said.ends_with(": ") {
        return Some("it is not what people read");
    }
    // There is no Lambda, so that nothing could be put back after other ends.
    let code = if matches!(status, "SUCCEEDED" | "FAILED") { 1 } else { 4 };
    (ran.code != Some(code)).then_some("it ends with another exit code")
}
