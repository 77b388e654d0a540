//! The Step Functions API, as far as a run by the state machine needs it.

use std::{error::Error, time::Duration};

use aws_config::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_sfn::{
    Client,
    config::Builder,
    error::{ProvideErrorMetadata, SdkError},
    operation::describe_execution::DescribeExecutionOutput,
    types::ExecutionStatus,
};
use powertune_core::region::Region;

use crate::gateway::{ApiError, Called, ConnectError, Connection, ErrorKind, kind_of_code};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The timeout of each attempt of a call.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);
const ATTEMPTS: u32 = 6;
/// The first wait between two attempts; the SDK doubles it each time.
const BACKOFF: Duration = Duration::from_millis(200);

/// The Step Functions API of one account and region.
#[derive(Debug, Clone)]
pub struct StepFunctions {
    pub(super) client: Client,
    called: Called,
}

impl StepFunctions {
    /// Makes a client for `region`, or else for the region of the environment; calls nothing.
    ///
    /// # Errors
    /// Those of [`Connection::load`].
    pub async fn connect(
        connection: &Connection,
        region: Option<Region>,
    ) -> Result<Self, ConnectError> {
        let config = connection.load(region).await?;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .build();
        let retries =
            RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(BACKOFF);
        let called = Called::default();
        let mut builder = Builder::from(&config)
            .retry_config(retries)
            .timeout_config(timeouts)
            .interceptor(called.clone());
        if let Some(url) = &connection.endpoint_url {
            builder = builder.endpoint_url(url);
        }
        Ok(Self { client: Client::from_conf(builder.build()), called })
    }

    /// The error of a call that failed.
    pub(super) fn failed<E>(&self, operation: &'static str, error: &SdkError<E>) -> ApiError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        ApiError::with_kind(operation, error, &self.called, |code, _, status| kind(code, status))
    }

    /// StartExecution; the execution's ARN. The name makes a repeated call start nothing new.
    pub(super) async fn start(
        &self,
        state_machine: &str,
        name: &str,
        input: &str,
    ) -> Result<String, ApiError> {
        let start = self.client.start_execution().state_machine_arn(state_machine).name(name);
        let started = start.input(input).send().await;
        let started = started.map_err(|error| self.failed("StartExecution", &error))?;
        Ok(started.execution_arn)
    }

    /// StopExecution.
    pub(super) async fn stop(&self, execution: &str) -> Result<(), ApiError> {
        let stop = self.client.stop_execution().execution_arn(execution);
        let stopped =
            stop.error("Powertune.Interrupted").cause("interrupted by the user").send().await;
        stopped.map(|_| ()).map_err(|error| self.failed("StopExecution", &error))
    }

    /// DescribeExecution.
    pub(super) async fn describe(
        &self,
        execution: &str,
    ) -> Result<DescribeExecutionOutput, ApiError> {
        let described = self.client.describe_execution().execution_arn(execution).send().await;
        described.map_err(|error| self.failed("DescribeExecution", &error))
    }

    /// True if an execution has not ended. Step Functions forgets executions that ended long ago.
    pub(super) async fn is_running(&self, execution: &str) -> Result<bool, ApiError> {
        match self.describe(execution).await {
            Err(error) if error.kind == ErrorKind::NotFound => Ok(false),
            described => Ok(is_running(&described?.status)),
        }
    }
}

/// The meaning of an error that Step Functions has answered with. An error that is known here
/// neither to last nor to be an outage counts as a conflict.
fn kind(code: &str, status: u16) -> ErrorKind {
    match code {
        "ExecutionDoesNotExist" | "StateMachineDoesNotExist" => ErrorKind::NotFound,
        "InvalidArn" => ErrorKind::Invalid,
        code if code.starts_with("AccessDenied") => ErrorKind::Denied,
        code if status == 429 || code.contains("Throttl") => ErrorKind::Throttled,
        _ if status >= 500 => ErrorKind::Unknown,
        code => kind_of_code(code).filter(|kind| kind.lasts()).unwrap_or(ErrorKind::Conflict),
    }
}

/// True if Step Functions is out of reach at the moment, which may pass.
pub(super) fn is_outage(error: &ApiError) -> bool {
    may_have_run(error) || error.kind == ErrorKind::NotSent
}

/// True if Step Functions may have carried out the call.
pub(super) fn may_have_run(error: &ApiError) -> bool {
    matches!(error.kind, ErrorKind::Unknown | ErrorKind::Throttled)
}

pub(super) fn is_running(status: &ExecutionStatus) -> bool {
    matches!(status, ExecutionStatus::Running | ExecutionStatus::PendingRedrive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_statuses_have_a_kind() {
        for (code, status, expected) in [
            ("ExecutionDoesNotExist", 400, ErrorKind::NotFound),
            ("InvalidArn", 400, ErrorKind::Invalid),
            ("AccessDeniedException", 400, ErrorKind::Denied),
            ("ThrottlingException", 400, ErrorKind::Throttled),
            ("", 503, ErrorKind::Unknown),
            ("ExpiredTokenException", 400, ErrorKind::Credentials),
            ("ExecutionLimitExceeded", 400, ErrorKind::Conflict),
        ] {
            assert_eq!(kind(code, status), expected, "{code} {status}");
        }
    }
}
