//! Step Functions with one execution, which is over.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use serde_json::{Value, json};

/// The execution's ARN.
pub(crate) const EXECUTION: &str =
    "arn:aws:states:us-east-1:123456789012:execution:machine:an-execution";
/// Its state machine's.
pub(crate) const MACHINE: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:machine";

/// An execution, as Step Functions tells of it.
#[derive(Debug, Clone)]
pub(crate) struct Execution {
    /// What DescribeExecution says beside what it says of every execution.
    pub(crate) described: Value,
    /// The events of its history.
    pub(crate) events: Vec<Value>,
    /// How often GetExecutionHistory is asked before it knows of the last events.
    pub(crate) lag: usize,
}

/// Serves it for as long as the process lives; where.
pub(crate) fn serve(execution: Execution) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        let mut lag = execution.lag;
        for stream in listener.incoming().flatten() {
            // A client that has gone needs no answer.
            let _ = answer(stream, &execution, &mut lag);
        }
    });
    url
}

fn answer(stream: TcpStream, execution: &Execution, lag: &mut usize) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut target, mut length) = (String::new(), 0);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let header = header.trim_end();
        if header.is_empty() {
            break;
        }
        let Some((name, value)) = header.split_once(": ") else { continue };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap_or(0),
            "x-amz-target" => value.clone_into(&mut target),
            _ => {}
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    let (status, body) = match target.split('.').next_back() {
        Some("StartExecution") => (200, json!({ "executionArn": EXECUTION, "startDate": 1.0 })),
        Some("DescribeExecution") => (200, described(execution)),
        Some("GetExecutionHistory") => (200, json!({ "events": history(execution, lag) })),
        _ => (400, json!({ "__type": "UnknownOperationException" })),
    };
    let body = body.to_string();
    write!(
        reader.get_mut(),
        "HTTP/1.1 {status} Answer\r\ncontent-type: application/x-amz-json-1.0\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn described(execution: &Execution) -> Value {
    let mut described = json!({
        "executionArn": EXECUTION,
        "stateMachineArn": MACHINE,
        "name": "an-execution",
        "startDate": 1.0,
        "stopDate": 2.0,
        "redriveCount": 0,
    });
    let more = execution.described.as_object().expect("an object").clone();
    described.as_object_mut().expect("an object").extend(more);
    described
}

fn history<'a>(execution: &'a Execution, lag: &mut usize) -> &'a [Value] {
    let events = &execution.events;
    if *lag == 0 {
        return events;
    }
    *lag -= 1;
    &events[..events.len() / 2]
}
