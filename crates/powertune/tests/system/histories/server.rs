//! Step Functions with one execution, which is over, or runs until it is stopped.

use std::{
    future::pending,
    io,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use hyper::{Response, header::CONTENT_TYPE, http::request::Parts};
use serde_json::{Value, json};

pub(crate) const EXECUTION: &str =
    "arn:aws:states:us-east-1:123456789012:execution:machine:an-execution";
pub(crate) const MACHINE: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:machine";
/// Another state machine, whose tags the caller may not read.
pub(crate) const OTHER: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:other";
/// The stack of the first state machine.
pub(crate) const STACK: &str = "a-stack";
/// The longest wait of a test.
const LONGEST: Duration = Duration::from_mins(1);

/// An execution, as Step Functions describes it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Execution {
    /// The fields of DescribeExecution beyond those of every execution.
    pub(crate) described: Value,
    pub(crate) events: Vec<Value>,
    /// The number of GetExecutionHistory calls before the last events appear.
    pub(crate) lag: usize,
    /// True if it runs until it is stopped. Only then it has the described end, and the event of
    /// it.
    pub(crate) goes_on: bool,
    /// The wrong answers.
    pub(crate) faults: Vec<Fault>,
}

/// A wrong answer for calls of an operation.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) operation: &'static str,
    /// The number of calls that get it, from the first on.
    pub(crate) times: usize,
    pub(crate) answer: Answer,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    Silence,
    Error(u16, &'static str),
}

/// A server with an execution.
#[derive(Debug)]
pub(crate) struct Server {
    server: powertune_testing::Server,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    execution: Execution,
    calls: Vec<String>,
}

impl Server {
    pub(crate) fn start(execution: Execution) -> Self {
        let state = Arc::new(Mutex::new(State { execution, calls: Vec::new() }));
        let shared = Arc::clone(&state);
        let server = powertune_testing::Server::alone(move |head, body| {
            let answer = shared.lock().expect("nobody panics").answer(&head, &body);
            async move {
                match answer {
                    Some((status, body)) => Response::builder()
                        .status(status)
                        .header(CONTENT_TYPE, "application/x-amz-json-1.0")
                        .body(body.to_string())
                        .map_err(io::Error::other),
                    None => pending().await,
                }
            }
        });
        Self { server, state }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    pub(crate) fn calls(&self, operation: &str) -> usize {
        let state = self.state.lock().expect("nobody panics");
        state.calls.iter().filter(|call| *call == operation).count()
    }

    /// Waits until an operation was called this many times.
    pub(crate) fn wait_for(&self, operation: &str, times: usize) {
        let since = Instant::now();
        while self.calls(operation) < times && since.elapsed() < LONGEST {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl State {
    /// Status and body; `None` for no answer.
    fn answer(&mut self, head: &Parts, body: &Bytes) -> Option<(u16, Value)> {
        let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        let operation = target.and_then(|target| target.split('.').next_back()).unwrap_or_default();
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        self.calls.push(operation.to_owned());
        let fault = self
            .execution
            .faults
            .iter_mut()
            .find(|fault| fault.operation == operation && fault.times > 0);
        if let Some(fault) = fault {
            fault.times -= 1;
            return match fault.answer {
                Answer::Silence => None,
                Answer::Error(status, name) => Some((status, json!({ "__type": name }))),
            };
        }
        let machine = |name: &str, arn: &str| json!({ "name": name, "stateMachineArn": arn, "type": "STANDARD", "creationDate": 1.0 });
        let answer = match operation {
            "StartExecution" => json!({ "executionArn": EXECUTION, "startDate": 1.0 }),
            "DescribeExecution" => self.described(),
            "GetExecutionHistory" => json!({ "events": self.history() }),
            "StopExecution" => {
                self.execution.goes_on = false;
                json!({ "stopDate": 2.0 })
            }
            "ListStateMachines" => {
                json!({ "stateMachines": [machine("other", OTHER), machine("machine", MACHINE)] })
            }
            "ListTagsForResource" if body["resourceArn"] == OTHER => {
                return Some((400, json!({ "__type": "AccessDeniedException" })));
            }
            "ListTagsForResource" => {
                json!({ "tags": [{ "key": "aws:cloudformation:stack-name", "value": STACK }] })
            }
            _ => return Some((400, json!({ "__type": "UnknownOperationException" }))),
        };
        Some((200, answer))
    }

    fn described(&self) -> Value {
        let mut described = json!({
            "executionArn": EXECUTION,
            "stateMachineArn": MACHINE,
            "name": "an-execution",
            "startDate": 1.0,
            "redriveCount": 0,
        });
        let more = if self.execution.goes_on {
            json!({ "status": "RUNNING" })
        } else {
            described["stopDate"] = 2.0.into();
            self.execution.described.clone()
        };
        let more = more.as_object().expect("an object").clone();
        described.as_object_mut().expect("an object").extend(more);
        described
    }

    fn history(&mut self) -> &[Value] {
        let Execution { events, lag, goes_on, .. } = &mut self.execution;
        if *goes_on {
            return &events[..events.len() - 1];
        }
        if *lag == 0 {
            return events;
        }
        *lag -= 1;
        &events[..events.len() / 2]
    }
}
