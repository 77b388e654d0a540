//! An endpoint of AWS with hostile texts everywhere: Lambda with a function that has another run's
//! tags, or with errors only, and Step Functions with an execution that fails.

use std::io;

use hyper::{Method, Response, header::CONTENT_TYPE, http::request::Parts};
use powertune_testing::Server;
use serde_json::{Value, json};

/// The answers to requests: status and body.
type Answers = fn(&Parts, &str) -> (u16, Value);

/// Serves these answers; `hostile` is the text for them.
pub(crate) fn serve(answers: Answers, hostile: &str) -> Server {
    let hostile = hostile.to_owned();
    Server::alone(move |head, _| {
        let (status, body) = answers(&head, &hostile);
        async move { answer(status, &body) }
    })
}

fn answer(status: u16, body: &Value) -> io::Result<Response<String>> {
    let mut answer = Response::builder().status(status).header(CONTENT_TYPE, "application/json");
    if let Some(kind) = body["__type"].as_str() {
        answer = answer.header("x-amzn-errortype", kind);
    }
    let text = if body.is_null() { String::new() } else { body.to_string() };
    answer.body(text).map_err(io::Error::other)
}

pub(crate) fn errors(_: &Parts, hostile: &str) -> (u16, Value) {
    (400, json!({ "__type": "ValidationException", "message": hostile, "Message": hostile }))
}

/// A function with the marks of another run that is over.
pub(crate) fn marked(head: &Parts, hostile: &str) -> (u16, Value) {
    left_by("2020-01-01T00:00:00Z", head, hostile)
}

/// A function with the marks of a run that is still alive.
pub(crate) fn in_use(head: &Parts, hostile: &str) -> (u16, Value) {
    left_by("2999-01-01T00:00:00Z", head, hostile)
}

fn left_by(until: &str, head: &Parts, hostile: &str) -> (u16, Value) {
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:fn";
    let function = json!({
        "FunctionName": "fn",
        "FunctionArn": arn,
        "Runtime": "python3.13",
        "Handler": hostile,
        "Description": hostile,
        "CodeSha256": "sum",
        "RevisionId": "1",
        "Version": "$LATEST",
        "MemorySize": 256,
        "Timeout": 3,
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
    });
    let tags = json!({
        "powertune:0123456789abcdef0123456789abcdef": format!("memory=256 until={until}"),
        "powertune:0123456789abcdef0123456789abcdef:by": hostile,
    });
    match (&head.method, head.uri.path()) {
        (&Method::GET, path) if path.contains("/tags/") => (200, json!({ "Tags": tags })),
        (_, path) if path.contains("/tags/") => (204, Value::Null),
        (&Method::GET, path) if path.contains("/versions") => {
            (200, json!({ "Versions": [function] }))
        }
        (&Method::GET, path) if path.contains("/aliases") => (200, json!({ "Aliases": [] })),
        (&Method::GET, path) if path.contains("/configuration") => (200, function),
        (&Method::GET, path) if path.contains("/functions/") => {
            (200, json!({ "Configuration": function, "Tags": tags }))
        }
        _ => errors(head, hostile),
    }
}

pub(crate) fn failing_execution(head: &Parts, hostile: &str) -> (u16, Value) {
    let arn = format!("arn:aws:states:us-east-1:123456789012:execution:x:{hostile}");
    match operation(head) {
        Some("StartExecution") => (200, json!({ "executionArn": arn, "startDate": 1.0 })),
        Some("DescribeExecution") => {
            let described = json!({
                "executionArn": arn,
                "stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:x",
                "startDate": 1.0,
                "status": "FAILED",
                "error": hostile,
                "cause": json!({ "errorMessage": hostile }).to_string(),
            });
            (200, described)
        }
        Some("GetExecutionHistory") => {
            let ended = json!({ "id": 1, "timestamp": 1.0, "type": "ExecutionFailed" });
            (200, json!({ "events": [ended] }))
        }
        _ => errors(head, hostile),
    }
}

/// The operation, for services that do not name it in the path.
fn operation(head: &Parts) -> Option<&str> {
    head.headers.get("x-amz-target")?.to_str().ok()?.split('.').next_back()
}
