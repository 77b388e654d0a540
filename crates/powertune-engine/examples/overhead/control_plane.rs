//! Lambda's control plane with one function: it has a memory size, tags and a RevisionId.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    thread,
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The function's state.
struct Function {
    memory_mb: u64,
    revision: u64,
    last_version: u64,
    tags: BTreeMap<String, Value>,
}

/// Starts a control plane that answers until the process ends; returns its address.
pub(crate) fn start() -> SocketAddr {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let function = Function { memory_mb: 512, revision: 1, last_version: 0, tags: BTreeMap::new() };
    let function = Arc::new(Mutex::new(function));
    thread::spawn(move || {
        runtime.block_on(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let function = Arc::clone(&function);
                let service = service_fn(move |request| answer(Arc::clone(&function), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
    });
    address
}

async fn answer(
    function: Arc<Mutex<Function>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a whole request").to_bytes();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let query = head.uri.query().unwrap_or_default();
    let text =
        function.lock().expect("nobody panics").call(&head.method, head.uri.path(), query, &body);
    Ok(Response::new(Full::new(text.to_string().into())))
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
