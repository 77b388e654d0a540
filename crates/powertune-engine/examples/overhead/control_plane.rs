//! Lambda's control plane with one function: it has a memory size, tags and a RevisionId.

use std::{collections::BTreeMap, io, sync::Mutex};

use hyper::{Method, Response};
use powertune_testing::Server;
use serde_json::{Value, json};

/// The function's state.
struct Function {
    memory_mb: u64,
    revision: u64,
    last_version: u64,
    tags: BTreeMap<String, Value>,
}

/// Starts a control plane.
pub(crate) fn start() -> Server {
    let function = Function { memory_mb: 512, revision: 1, last_version: 0, tags: BTreeMap::new() };
    let function = Mutex::new(function);
    Server::alone(move |head, body| {
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let query = head.uri.query().unwrap_or_default();
        let mut function = function.lock().expect("nobody panics");
        let answer = function.call(&head.method, head.uri.path(), query, &body).to_string();
        async { Ok::<_, io::Error>(Response::new(answer)) }
    })
}

impl Function {
    fn call(&mut self, method: &Method, path: &str, query: &str, body: &Value) -> Value {
        let is_change = method != Method::GET;
        if is_change {
            self.revision += 1;
        }
        if path.contains("/account-settings") {
            return json!({ "AccountLimit": {
                "ConcurrentExecutions": 100_000, "UnreservedConcurrentExecutions": 100_000,
            } });
        }
        if path.contains("/tags/") {
            for key in form_urlencoded::parse(query.as_bytes()) {
                self.tags.remove(&*key.1);
            }
            let new = body["Tags"].as_object().cloned().unwrap_or_default();
            self.tags.extend(new);
            return json!({ "Tags": self.tags });
        }
        if path.ends_with("/versions") {
            if !is_change {
                return json!({ "Versions": [self.configuration("$LATEST")] });
            }
            self.last_version += 1;
            return self.configuration(&self.last_version.to_string());
        }
        if let Some(memory_mb) = body["MemorySize"].as_u64() {
            self.memory_mb = memory_mb;
        }
        if path.ends_with("/configuration") {
            return self.configuration("$LATEST");
        }
        json!({ "Configuration": self.configuration("$LATEST"), "Tags": self.tags })
    }

    fn configuration(&self, version: &str) -> Value {
        json!({
            "FunctionName": "fn",
            "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:fn",
            "Version": version,
            "MemorySize": self.memory_mb,
            "Timeout": 3,
            "State": "Active",
            "CodeSha256": "x",
            "LastUpdateStatus": "Successful",
            "RevisionId": self.revision.to_string(),
        })
    }
}
