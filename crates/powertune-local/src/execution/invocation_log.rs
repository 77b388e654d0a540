//! The end of an invocation: its log, and the platform's answer if the function gave none.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use uuid::Uuid;

use super::{
    environment::{
        Answer, EnvironmentFailure, EnvironmentStartError, ExecutionEnvironment, InvocationOutcome,
    },
    invocation::Invocation,
    report::{InitPhase, PlatformLog, ReportFigures, ReportStatus},
    runtime_api::MAX_PAYLOAD,
};
use crate::version::FunctionVersion;

/// The growing log of one invocation, and the figures for its REPORT line.
#[derive(Debug)]
pub(super) struct InvocationLog<'a> {
    version: &'a FunctionVersion,
    platform: PlatformLog<'a>,
    log: Vec<u8>,
    init: Option<Duration>,
    max_memory_mb: Option<u32>,
}

impl<'a> InvocationLog<'a> {
    pub(super) fn begin(version: &'a FunctionVersion, request_id: Uuid) -> Self {
        let platform =
            PlatformLog { logging: version.logging, request_id, version: &version.version };
        Self { version, platform, log: Vec::new(), init: None, max_memory_mb: None }
    }

    pub(super) fn start(&mut self) {
        let line = self.platform.start();
        self.push(line.as_bytes());
    }

    pub(super) fn initialised(&mut self, took: Duration) {
        self.init = Some(took);
    }

    pub(super) fn init_failed(
        &mut self,
        phase: InitPhase,
        took: Duration,
        failure: &EnvironmentFailure,
    ) {
        let line = self.platform.init_report(phase, took, &status_of(failure));
        self.push(line.as_bytes());
    }

    /// Adds the environment's output and memory use until now.
    pub(super) fn observe(&mut self, environment: &ExecutionEnvironment) {
        self.push(&environment.take_output());
        // Shared pages, or a moment above the limit, can make it larger than the limit.
        let used = environment.max_memory_mb().map(|mb| mb.min(self.version.memory_mb));
        self.max_memory_mb = used.max(self.max_memory_mb);
    }

    /// Adds output. The platform's next line then begins on a new line.
    pub(super) fn push(&mut self, text: &[u8]) {
        self.log.extend_from_slice(text);
        if self.log.last().is_some_and(|last| *last != b'\n') {
            self.log.push(b'\n');
        }
    }

    pub(super) fn conclude(
        mut self,
        outcome: InvocationOutcome,
        environment: Option<&ExecutionEnvironment>,
        beyond_host: bool,
    ) -> Invocation {
        if let Some(environment) = environment {
            self.observe(environment);
        }
        let broke = outcome.afterwards.as_ref().or(outcome.answer.as_ref().err());
        if let Some(EnvironmentFailure::Exited { out_of_memory: true, .. }) = broke {
            self.max_memory_mb = Some(self.version.memory_mb);
        }
        let status = match (&outcome.answer, &outcome.afterwards) {
            (Err(failure), _) | (_, Some(failure)) => status_of(failure),
            (Ok(answer), None) => answer.status(),
        };
        let report = ReportFigures {
            status,
            duration: outcome.duration,
            init: self.init,
            memory_mb: self.version.memory_mb,
            max_memory_mb: self.max_memory_mb,
        };
        let lines = self.platform.end(&report);
        self.push(lines.as_bytes());
        let (payload, failed) = match outcome.answer {
            Ok(Answer::Response(payload)) => (payload, false),
            Ok(Answer::Error { payload, .. }) => (payload, true),
            Ok(Answer::TooLarge) => (too_large(), true),
            Err(failure) => (self.payload_of(&failure), true),
        };
        Invocation { payload, failed, log: self.log, beyond_host }
    }

    /// The answer instead of the function's, in Lambda's words.
    fn payload_of(&self, failure: &EnvironmentFailure) -> Bytes {
        let message = match failure {
            EnvironmentFailure::InitFailed { payload, .. } => return payload.clone(),
            EnvironmentFailure::NotStarted(error) => error.to_string(),
            EnvironmentFailure::Exited { exit, .. } => exit.describe(),
            EnvironmentFailure::TimedOut => {
                format!("Task timed out after {:.2} seconds", self.version.timeout.as_secs_f64())
            }
            EnvironmentFailure::Closing => "The local Lambda is shutting down".to_owned(),
        };
        error_payload(
            error_type(failure),
            &format!("RequestId: {} Error: {message}", self.platform.request_id),
        )
    }
}

impl Answer {
    fn status(&self) -> ReportStatus {
        match self {
            Self::Response(_) => ReportStatus::Success,
            Self::TooLarge => ReportStatus::Failed { error_type: TOO_LARGE.to_owned() },
            Self::Error { error_type, .. } => {
                ReportStatus::Failed { error_type: error_type.clone() }
            }
        }
    }
}

fn status_of(failure: &EnvironmentFailure) -> ReportStatus {
    match failure {
        EnvironmentFailure::TimedOut => ReportStatus::TimedOut,
        failure => ReportStatus::Crashed { error_type: error_type(failure).to_owned() },
    }
}

fn error_type(failure: &EnvironmentFailure) -> &str {
    match failure {
        EnvironmentFailure::InitFailed { error_type, .. } => error_type,
        EnvironmentFailure::NotStarted(
            EnvironmentStartError::NoProgram(_) | EnvironmentStartError::Exec { .. },
        ) => "Runtime.InvalidEntrypoint",
        EnvironmentFailure::NotStarted(EnvironmentStartError::Host { .. })
        | EnvironmentFailure::Closing => "Sandbox.Failure",
        EnvironmentFailure::Exited { out_of_memory: true, .. } => "Runtime.OutOfMemory",
        EnvironmentFailure::Exited { out_of_memory: false, .. } => "Runtime.ExitError",
        EnvironmentFailure::TimedOut => "Sandbox.Timedout",
    }
}

const TOO_LARGE: &str = "Function.ResponseSizeTooLarge";

fn too_large() -> Bytes {
    let message = format!(
        "Response payload size exceeded maximum allowed payload size ({MAX_PAYLOAD} bytes)."
    );
    error_payload(TOO_LARGE, &message)
}

fn error_payload(error_type: &str, message: &str) -> Bytes {
    json!({"errorType": error_type, "errorMessage": message}).to_string().into()
}
