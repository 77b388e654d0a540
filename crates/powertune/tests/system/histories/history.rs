//! Histories of executions, event by event, in the shapes that AWS gives them.

use serde_json::{Value, json};

use crate::histories::server::Execution;

/// AWS's message about a result that does not fit into a state.
pub(crate) const TOO_LARGE: &str = "The state/task returned a result with a size exceeding the \
                                    maximum number of bytes service limit.";

/// The `Cause` of a function that throws: JSON text with the type of the error and a trace.
pub(crate) fn thrown(error: &str, message: &str) -> String {
    json!({ "errorType": error, "errorMessage": message, "trace": [] }).to_string()
}

/// A history that grows.
#[derive(Debug, Clone)]
pub(crate) struct History {
    events: Vec<Value>,
}

impl History {
    pub(crate) fn started() -> Self {
        let details = json!({ "input": "{}", "roleArn": "arn:aws:iam::123456789012:role/states" });
        Self { events: Vec::new() }
            .event("ExecutionStarted", Some(("executionStartedEventDetails", details)))
    }

    fn event(mut self, kind: &str, details: Option<(&str, Value)>) -> Self {
        let id = self.events.len() + 1;
        let mut event =
            json!({ "id": id, "previousEventId": id - 1, "timestamp": 1.5, "type": kind });
        if let Some((name, details)) = details {
            event[name] = details;
        }
        self.events.push(event);
        self
    }

    /// An execution that has measured one of two sizes, and is measuring the other one.
    pub(crate) fn measuring() -> Self {
        let read = |text: &str| -> Value { serde_json::from_str(text).expect("it is JSON") };
        let begun = read(include_str!("../../../../../fuzz/corpus/state/state-fixed-0"));
        let given = read(include_str!("../../../../../fuzz/corpus/state/portion-fixed"));
        let measured = read(include_str!("../../../../../fuzz/corpus/state/measured-fixed"));
        let mut other = given.clone();
        other["task"] = begun["tasks"][1].clone();
        Self::started()
            .step("Initialize", &begun)
            .step("Publish", &begun)
            .entered("Map", "MeasurePowers")
            .entered_with("Task", "Measure", &given)
            .entered_with("Task", "Measure", &other)
            .exited("Task", "Measure", &measured)
    }

    pub(crate) fn entered(self, kind: &str, name: &str) -> Self {
        self.entered_with(kind, name, &json!({}))
    }

    fn entered_with(self, kind: &str, name: &str, input: &Value) -> Self {
        let details = json!({
            "name": name, "input": input.to_string(), "inputDetails": { "truncated": false },
        });
        self.event(&format!("{kind}StateEntered"), Some(("stateEnteredEventDetails", details)))
    }

    pub(crate) fn exited(self, kind: &str, name: &str, output: &Value) -> Self {
        let details = json!({ "name": name, "output": output.to_string() });
        self.event(&format!("{kind}StateExited"), Some(("stateExitedEventDetails", details)))
    }

    pub(crate) fn called(self) -> Self {
        let resource = "arn:aws:lambda:us-east-1:123456789012:function:a-step";
        let details = json!({ "resource": resource, "input": "{}", "timeoutInSeconds": 960 });
        self.event(
            "LambdaFunctionScheduled",
            Some(("lambdaFunctionScheduledEventDetails", details)),
        )
        .event("LambdaFunctionStarted", None)
    }

    pub(crate) fn call_failed(self, error: &str, cause: Option<&str>) -> Self {
        let details = error_and_cause(error, cause);
        match error {
            "States.Timeout" => self.event(
                "LambdaFunctionTimedOut",
                Some(("lambdaFunctionTimedOutEventDetails", details)),
            ),
            _ => self
                .event("LambdaFunctionFailed", Some(("lambdaFunctionFailedEventDetails", details))),
        }
    }

    pub(crate) fn step(self, name: &str, output: &Value) -> Self {
        let details = json!({ "output": output.to_string() });
        self.entered("Task", name)
            .called()
            .event(
                "LambdaFunctionSucceeded",
                Some(("lambdaFunctionSucceededEventDetails", details)),
            )
            .exited("Task", name, output)
    }

    /// A step that throws, and is caught.
    pub(crate) fn caught(self, name: &str, error: &str, cause: &str) -> Self {
        let output = json!({ "failure": { "Error": error, "Cause": cause } });
        self.entered("Task", name)
            .called()
            .call_failed(error, Some(cause))
            .exited("Task", name, &output)
    }

    /// The Fail state in which the execution ends with this error.
    pub(crate) fn fails_in(self, name: &str, error: &str, cause: &str) -> Execution {
        self.entered("Fail", name).failed(error, Some(cause))
    }

    pub(crate) fn failed(self, error: &str, cause: Option<&str>) -> Execution {
        let details = error_and_cause(error, cause);
        let mut described = details.clone();
        described["status"] = "FAILED".into();
        let ended = self.event("ExecutionFailed", Some(("executionFailedEventDetails", details)));
        Execution { described, events: ended.events, ..Execution::default() }
    }

    pub(crate) fn aborted(self, error: Option<&str>, cause: Option<&str>) -> Execution {
        let mut details = json!({});
        for (name, text) in [("error", error), ("cause", cause)] {
            if let Some(text) = text {
                details[name] = text.into();
            }
        }
        let mut described = details.clone();
        described["status"] = "ABORTED".into();
        let ended = self.event("ExecutionAborted", Some(("executionAbortedEventDetails", details)));
        Execution { described, events: ended.events, ..Execution::default() }
    }

    /// The execution times out, without an error or a cause.
    pub(crate) fn timed_out(self) -> Execution {
        let ended = self.event("ExecutionTimedOut", None);
        let described = json!({ "status": "TIMED_OUT", "redriveStatus": "REDRIVABLE" });
        Execution { described, events: ended.events, ..Execution::default() }
    }

    pub(crate) fn succeeded(self, output: &Value) -> Execution {
        let details = json!({ "output": output.to_string() });
        let described = json!({ "status": "SUCCEEDED", "output": output.to_string() });
        let ended =
            self.event("ExecutionSucceeded", Some(("executionSucceededEventDetails", details)));
        Execution { described, events: ended.events, ..Execution::default() }
    }
}

fn error_and_cause(error: &str, cause: Option<&str>) -> Value {
    let mut details = json!({ "error": error });
    if let Some(cause) = cause {
        details["cause"] = cause.into();
    }
    details
}
