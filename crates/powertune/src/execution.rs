//! Executions of the state machine on AWS Step Functions: started, followed and ended from here.
//!
//! What the history of an execution tells becomes the events that a run on this machine sends, so
//! that the same display shows both.

mod ending;
mod find;
mod follow;
mod history;
mod story;

use std::time::Duration;

use aws_config::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_sfn::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::describe_execution::DescribeExecutionOutput,
    types::ExecutionStatus,
};
use powertune_core::region::Region;
use powertune_engine::gateway::{Called, ErrorKind, kind_of_code};

pub(crate) use self::{
    ending::{Ending, Outcome},
    find::{Named, find},
    follow::Following,
    story::Applying,
};
/// The result, or the dry run, of an execution: the same as of a run on this machine.
pub(crate) use powertune_engine::run::Ending as Measured;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one try of a call may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);
const ATTEMPTS: u32 = 6;
/// The first wait between two tries; it doubles from there.
const BACKOFF: Duration = Duration::from_millis(200);

/// The Step Functions API of one account and region.
#[derive(Debug, Clone)]
pub(crate) struct StepFunctions {
    client: Client,
    called: Called,
}

/// Kinds of calls that failed, as far as it makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// There is no such execution.
    NoExecution,
    /// There is no such state machine, or that is no ARN of one.
    NoMachine,
    Denied,
    /// The request never reached Step Functions.
    NotSent,
    /// Step Functions or the way to it does not work just now. A call that was to do something may
    /// have done it.
    Outage,
    /// What comes back on every try until somebody changes something, such as credentials.
    Lasting,
    Other,
}

/// A call to Step Functions that failed, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {message}{hint}")]
pub(crate) struct CallError {
    operation: &'static str,
    kind: Kind,
    message: String,
    hint: String,
}

impl CallError {
    /// A call that has had no answer for as long as it may take.
    fn silent(operation: &'static str) -> Self {
        let (message, hint) = ("there is no answer".to_owned(), String::new());
        Self { operation, kind: Kind::Outage, message, hint }
    }

    /// Whether Step Functions is out of reach just now, which may pass.
    fn is_outage(&self) -> bool {
        matches!(self.kind, Kind::Outage | Kind::NotSent)
    }

    /// Whether it comes back on every try, until somebody changes something.
    pub(crate) fn lasts(&self) -> bool {
        matches!(self.kind, Kind::NoExecution | Kind::NoMachine | Kind::Denied | Kind::Lasting)
    }

    /// Whether a call that was to do something may have done it.
    pub(crate) fn may_have_run(&self) -> bool {
        self.kind == Kind::Outage
    }
}

/// What an error that Step Functions has answered with means.
fn kind<E: ProvideErrorMetadata>(error: &E, status: u16) -> Kind {
    let code = error.code().unwrap_or_default();
    match code {
        "ExecutionDoesNotExist" => Kind::NoExecution,
        "StateMachineDoesNotExist" | "InvalidArn" => Kind::NoMachine,
        code if code.starts_with("AccessDenied") => Kind::Denied,
        code if status >= 500 || status == 429 || code.contains("Throttl") => Kind::Outage,
        code if kind_of_code(code).is_some_and(ErrorKind::lasts) => Kind::Lasting,
        _ => Kind::Other,
    }
}

impl StepFunctions {
    pub(crate) fn new(config: &aws_config::SdkConfig, endpoint_url: Option<&str>) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .build();
        let mut builder = aws_sdk_sfn::config::Builder::from(config)
            .retry_config(
                RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(BACKOFF),
            )
            .timeout_config(timeouts);
        if let Some(url) = endpoint_url {
            builder = builder.endpoint_url(url);
        }
        let called = Called::default();
        Self { client: Client::from_conf(builder.interceptor(called.clone()).build()), called }
    }

    /// A call that failed.
    fn failed<E>(&self, operation: &'static str, error: &SdkError<E>) -> CallError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let status = error.raw_response().map_or(0, |response| response.status().as_u16());
        if let Some((unanswered, message)) = self.called.unanswered(error) {
            let kind = match unanswered {
                ErrorKind::NotSent => Kind::NotSent,
                ErrorKind::Credentials => Kind::Lasting,
                _ => Kind::Outage,
            };
            return CallError { operation, kind, message, hint: unanswered.hint().to_owned() };
        }
        let service = error.as_service_error();
        let code = service.and_then(ProvideErrorMetadata::code).unwrap_or_default();
        let message = match (code, service.and_then(ProvideErrorMetadata::message)) {
            ("", None) => format!("HTTP status {status} without an error code"),
            ("", Some(message)) => message.to_owned(),
            (code, Some(message)) => format!("{code}: {message}"),
            (code, None) => code.to_owned(),
        };
        let kind = service.map_or(Kind::Outage, |error| kind(error, status));
        let hint = match kind {
            Kind::Denied => format!(" (allow states:{operation} for this caller and try again)"),
            _ => kind_of_code(code).map_or("", ErrorKind::hint).to_owned(),
        };
        CallError { operation, kind, message, hint }
    }

    /// StartExecution; the execution's ARN. The name makes a repeated call the same one.
    pub(crate) async fn start(
        &self,
        state_machine: &str,
        name: &str,
        input: &str,
    ) -> Result<String, CallError> {
        let start = self.client.start_execution().state_machine_arn(state_machine).name(name);
        let started = start.input(input).send().await;
        let started = started.map_err(|error| self.failed("StartExecution", &error))?;
        Ok(started.execution_arn)
    }

    /// StopExecution.
    async fn stop(&self, execution: &str) -> Result<(), CallError> {
        let stop = self.client.stop_execution().execution_arn(execution);
        let stopped =
            stop.error("Powertune.Interrupted").cause("interrupted by the user").send().await;
        stopped.map(|_| ()).map_err(|error| self.failed("StopExecution", &error))
    }

    async fn describe(&self, execution: &str) -> Result<DescribeExecutionOutput, CallError> {
        let described = self.client.describe_execution().execution_arn(execution).send().await;
        described.map_err(|error| self.failed("DescribeExecution", &error))
    }

    /// Whether an execution is still going on; one that Step Functions has forgotten is not.
    pub(crate) async fn is_running(&self, execution: &str) -> Result<bool, CallError> {
        match self.describe(execution).await {
            Err(error) if error.kind == Kind::NoExecution => Ok(false),
            described => Ok(is_running(&described?.status)),
        }
    }
}

/// The region of what Step Functions has, of this kind, by its ARN; `None` where it is no such ARN.
pub(crate) fn region(arn: &str, kind: &str) -> Option<Region> {
    match *arn.split(':').collect::<Vec<_>>() {
        ["arn", _, "states", region, _, of, name, ..] if of == kind && !name.is_empty() => {
            Region::new(region).ok()
        }
        _ => None,
    }
}

/// The ARN that the execution of this name has.
pub(crate) fn arn_of(state_machine: &str, name: &str) -> String {
    let mut parts: Vec<&str> = state_machine.split(':').take(7).collect();
    if let Some(kind) = parts.get_mut(5) {
        *kind = "execution";
    }
    parts.push(name);
    parts.join(":")
}

fn is_running(status: &ExecutionStatus) -> bool {
    matches!(status, ExecutionStatus::Running | ExecutionStatus::PendingRedrive)
}
