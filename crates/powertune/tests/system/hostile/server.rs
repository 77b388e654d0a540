//! An endpoint of AWS with hostile texts everywhere: Lambda with a function that has another run's
//! tags, or with errors only, and Step Functions with an execution that fails.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use serde_json::{Value, json};

/// The answers to requests: status and body.
type Answers = fn(&Request, &str) -> (u16, Value);

/// The parts of a request that answers depend on.
pub(crate) struct Request {
    method: String,
    path: String,
    /// The operation, for services that do not name it in the path.
    target: String,
}

/// Serves these answers for as long as the process lives; `hostile` is the text for them.
pub(crate) fn serve(answers: Answers, hostile: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let hostile = hostile.to_owned();
    thread::spawn(move || {
        // The client may have closed the connection.
        for stream in listener.incoming().flatten() {
            let _ = answer(stream, answers, &hostile);
        }
    });
    url
}

fn answer(stream: TcpStream, answers: Answers, hostile: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut request = Request { method, path, target: String::new() };
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap_or(0),
            "x-amz-target" => value.clone_into(&mut request.target),
            _ => {}
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    let (status, body) = answers(&request, hostile);
    let body = if status == 204 { String::new() } else { body.to_string() };
    let kind = body.contains("__type").then_some("x-amzn-errortype: ValidationException\r\n");
    let kind = kind.unwrap_or_default();
    write!(
        reader.get_mut(),
        "HTTP/1.1 {status} OK\r\n{kind}content-type: application/json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(crate) fn errors(_: &Request, hostile: &str) -> (u16, Value) {
    (400, json!({ "__type": "ValidationException", "message": hostile, "Message": hostile }))
}

/// A function with the marks of another run that is over.
pub(crate) fn marked(request: &Request, hostile: &str) -> (u16, Value) {
    left_by("2020-01-01T00:00:00Z", request, hostile)
}

/// A function with the marks of a run that is still alive.
pub(crate) fn in_use(request: &Request, hostile: &str) -> (u16, Value) {
    left_by("2999-01-01T00:00:00Z", request, hostile)
}

fn left_by(until: &str, request: &Request, hostile: &str) -> (u16, Value) {
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
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", path) if path.contains("/tags/") => (200, json!({ "Tags": tags })),
        (_, path) if path.contains("/tags/") => (204, Value::Null),
        ("GET", path) if path.contains("/versions") => (200, json!({ "Versions": [function] })),
        ("GET", path) if path.contains("/aliases") => (200, json!({ "Aliases": [] })),
        ("GET", path) if path.contains("/configuration") => (200, function),
        ("GET", path) if path.contains("/functions/") => {
            (200, json!({ "Configuration": function, "Tags": tags }))
        }
        _ => errors(request, hostile),
    }
}

pub(crate) fn failing_execution(request: &Request, hostile: &str) -> (u16, Value) {
    let arn = format!("arn:aws:states:us-east-1:123456789012:execution:x:{hostile}");
    match request.target.split('.').next_back() {
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
        _ => errors(request, hostile),
    }
}
