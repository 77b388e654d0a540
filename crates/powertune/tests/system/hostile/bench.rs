//! A local Lambda, and functions on it.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, time::Duration};

use aws_sdk_lambda::{
    Client,
    types::{LastUpdateStatus, LogFormat, LoggingConfig},
};
use powertune_local::{LocalLambda, NewFunction};
use tempfile::TempDir;

use crate::local;

/// A bootstrap in Python that sends the body and the type of an answer unchanged; AWS's runtimes
/// would not send everything.
const BOOTSTRAP: &str = r#"#!/usr/bin/env python3
import http.client, os, sys, time
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None):
    api.request(method, "/2018-06-01/runtime/invocation/" + path, body)
    answer = api.getresponse()
    return answer, answer.read()
def write(text, to=1):
    data = text if isinstance(text, bytes) else text.encode()
    while data:
        data = data[os.write(to, data):]
small = int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]) < 300
while True:
    answer, _ = call("GET", "next")
    id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    other = "11111111-2222-3333-4444-555555555555"
    time.sleep(SLEEP)
    kind, body = "response", b"1"
BODY
    call("POST", id + "/" + kind, body)
"#;

/// A local Lambda, and a client of AWS's SDK.
pub(crate) struct Bench {
    lambda: LocalLambda,
    client: Client,
    folder: TempDir,
}

impl Bench {
    /// Starts a Lambda without limits of the CPU.
    pub(crate) async fn start() -> Self {
        let (lambda, client) = local::start().await;
        Self { lambda, client, folder: tempfile::tempdir().expect("a folder") }
    }

    pub(crate) async fn stop(self) {
        self.lambda.shutdown().await;
    }

    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        self.lambda.environment()
    }

    /// Creates a function that sleeps and then runs `body`. The code can use `write`, `id` and
    /// `other` (request ids) and `small` (true at the smaller size), and set `kind` and `body`.
    pub(crate) async fn create(&self, name: &str, sleep: Duration, body: &str, in_json: bool) {
        let code = self.folder.path().join(name);
        fs::create_dir_all(&code).expect("a folder");
        let indented = format!("    {}", body.replace('\n', "\n    "));
        let source =
            BOOTSTRAP.replace("SLEEP", &sleep.as_secs_f64().to_string()).replace("BODY", &indented);
        let bootstrap = code.join("bootstrap");
        fs::write(&bootstrap, source).expect("the code");
        fs::set_permissions(&bootstrap, fs::Permissions::from_mode(0o755)).expect("a program");
        let function = NewFunction {
            name: name.to_owned(),
            code,
            runtime: "provided.al2023".to_owned(),
            handler: "none".to_owned(),
            memory_mb: 256,
            timeout_s: 60,
            environment: BTreeMap::new(),
            architecture: None,
        };
        self.lambda.create_function(function).await.expect("the function is created");
        if in_json {
            let logging = LoggingConfig::builder().log_format(LogFormat::Json).build();
            let update = self.client.update_function_configuration().function_name(name);
            update.logging_config(logging).send().await.expect("UpdateFunctionConfiguration");
            self.settle(name).await;
        }
    }

    async fn settle(&self, name: &str) {
        loop {
            let read = self.client.get_function_configuration().function_name(name).send().await;
            let status = read.expect("GetFunctionConfiguration").last_update_status;
            if status == Some(LastUpdateStatus::Successful) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
