//! A local Lambda with one function, and the results of its invocations.

use std::{collections::BTreeMap, future::Future, os::unix::fs::PermissionsExt, path::Path};

use aws_sdk_lambda::{
    primitives::Blob,
    types::{LogFormat, LogType, LoggingConfig},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use powertune_local::{CpuControl, NewFunction, Settings};
use serde_json::Value;

use crate::bed::{Bed, SIGV4};

pub(crate) const HANDLER: &str = include_str!("handler.py");

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

pub(crate) struct Stage {
    pub(crate) bed: Bed,
}

/// The answer of Invoke.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) error: Option<String>,
    pub(crate) payload: Value,
    pub(crate) log: String,
}

impl Stage {
    pub(crate) async fn set(cpu: CpuControl) -> Self {
        Self { bed: Bed::start(Settings { cpu, ..Settings::default() }).await }
    }

    /// With the function `f`, which follows its event.
    pub(crate) async fn with_function(cpu: CpuControl, memory_mb: u32, timeout_s: u32) -> Self {
        let stage = Self::set(cpu).await;
        stage.python("f", HANDLER, memory_mb, timeout_s).await;
        stage
    }

    pub(crate) async fn python(&self, name: &str, code: &str, memory_mb: u32, timeout_s: u32) {
        let (runtime, handler) = ("python3.11", "app.handler");
        let function = self.function(name, runtime, handler, memory_mb, timeout_s);
        self.create(function, &[("app.py", code), ("sigv4.py", SIGV4)]).await;
    }

    pub(crate) fn function(
        &self,
        name: &str,
        runtime: &str,
        handler: &str,
        memory_mb: u32,
        timeout_s: u32,
    ) -> NewFunction {
        NewFunction {
            name: name.to_owned(),
            code: self.bed.folder.path().join(name),
            runtime: runtime.to_owned(),
            handler: handler.to_owned(),
            memory_mb,
            timeout_s,
            environment: BTreeMap::from([("OWN".to_owned(), "value".to_owned())]),
            architecture: None,
        }
    }

    pub(crate) async fn create(&self, function: NewFunction, files: &[(&str, &str)]) {
        std::fs::create_dir_all(&function.code).unwrap();
        for (name, text) in files {
            let file = function.code.join(name);
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
        }
        self.bed.lambda.create_function(function).await.unwrap();
    }

    /// Changes the log format of `name` to JSON.
    pub(crate) async fn log_json(&self, name: &str) {
        let logging = LoggingConfig::builder().log_format(LogFormat::Json).build();
        let update = self.bed.client.update_function_configuration().function_name(name);
        update.logging_config(logging).send().await.unwrap();
        self.bed.settled(name).await;
    }

    pub(crate) async fn f(&self, event: Value) -> Answer {
        self.invoke("f", event).await
    }

    pub(crate) async fn invoke(&self, name: &str, event: Value) -> Answer {
        let invoke = self.bed.client.invoke().function_name(name).log_type(LogType::Tail);
        let output = invoke.payload(Blob::new(event.to_string())).send().await.unwrap();
        let payload = output.payload().unwrap().as_ref();
        let log = STANDARD.decode(output.log_result().unwrap()).unwrap();
        Answer {
            error: output.function_error().map(str::to_owned),
            payload: serde_json::from_slice(payload).unwrap(),
            log: String::from_utf8(log).unwrap(),
        }
    }
}

impl Answer {
    /// The id of the process that ran it.
    pub(crate) fn pid(&self) -> i64 {
        self.payload["pid"].as_i64().unwrap_or_else(|| panic!("no process id in {self:?}"))
    }

    /// The result of the requested action.
    pub(crate) fn result(&self) -> &Value {
        assert_eq!(self.error, None, "{self:?}");
        &self.payload["result"]
    }

    /// The fields of the REPORT line.
    pub(crate) fn report(&self) -> BTreeMap<&str, &str> {
        let line = self.log.lines().last().unwrap();
        assert!(line.starts_with("REPORT RequestId: "), "{}", self.log);
        line.trim_end()
            .trim_start_matches("REPORT ")
            .split('\t')
            .map(|field| field.split_once(": ").unwrap())
            .collect()
    }

    pub(crate) fn is_cold(&self) -> bool {
        self.report().contains_key("Init Duration")
    }

    /// The error's type and message.
    pub(crate) fn failure(&self) -> (&str, &str) {
        assert_eq!(self.error.as_deref(), Some("Unhandled"), "{self:?}");
        let text = |name: &str| self.payload[name].as_str().unwrap_or_default();
        (text("errorType"), text("errorMessage"))
    }

    /// The request id in the platform's lines.
    pub(crate) fn request_id(&self) -> &str {
        self.report()["RequestId"]
    }
}

pub(crate) fn is_alive(pid: i64) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

pub(crate) async fn ended(pid: i64) {
    while is_alive(pid) {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
