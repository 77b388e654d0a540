//! Invoke, with what each way of failing means for counting and paying.

use std::time::Duration;

use aws_sdk_lambda::{
    error::SdkError,
    operation::{
        RequestId,
        invoke::{InvokeError, InvokeOutput},
    },
    primitives::Blob,
    types::{InvocationType, LogType, ThrottleReason},
};
use powertune_core::report;

use super::{
    Invoker,
    error::{ApiError, ErrorKind},
};

/// An invocation that ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoked {
    /// Its id, which its log lines bear.
    pub request_id: Option<String>,
    /// Whether the function failed.
    pub function_failed: bool,
    /// What the function returned, or its error.
    pub payload: Vec<u8>,
    /// The end of its log.
    pub log_tail: Option<String>,
    /// The version that has run, where it is not the one that was asked for.
    pub other_version: Option<String>,
}

/// Why an invocation has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotInvoked {
    /// Nothing ran, because too much runs already; the same invocation can be sent again, not
    /// before so long.
    Throttled {
        /// What AWS said.
        why: String,
        /// How long it asked to wait.
        retry_after: Option<Duration>,
    },
    /// Nothing ran; the same invocation can be sent again.
    Later {
        /// What AWS said.
        why: String,
    },
    /// Nothing ran, and sending it again will not help.
    Never(ApiError),
    /// It may have run, and may have been billed.
    Unknown(ApiError),
}

impl Invoker {
    /// Invokes synchronously and waits for the end, with the end of the log. Sent once.
    pub async fn invoke(
        &self,
        function: &str,
        qualifier: Option<&str>,
        payload: &[u8],
    ) -> Result<Invoked, NotInvoked> {
        let answer = self
            .client
            .invoke()
            .function_name(function)
            .set_qualifier(qualifier.map(str::to_owned))
            .invocation_type(InvocationType::RequestResponse)
            .log_type(LogType::Tail)
            .payload(Blob::new(payload))
            .send()
            .await;
        match answer {
            Ok(output) => Ok(invoked(output, qualifier)),
            Err(error) => Err(not_invoked(&error)),
        }
    }
}

fn invoked(output: InvokeOutput, version: Option<&str>) -> Invoked {
    let executed = output.executed_version();
    let other_version = executed.filter(|_| version.is_some() && executed != version);
    Invoked {
        request_id: output.request_id().map(str::to_owned),
        function_failed: output.function_error.is_some(),
        other_version: other_version.map(str::to_owned),
        log_tail: output.log_result().and_then(report::log_tail),
        payload: output.payload.map(Blob::into_inner).unwrap_or_default(),
    }
}

fn not_invoked(error: &SdkError<InvokeError>) -> NotInvoked {
    let api_error = ApiError::from_sdk("Invoke", error);
    match error.as_service_error() {
        Some(InvokeError::TooManyRequestsException(throttled)) => {
            let reason = throttled.reason.as_ref().map(ThrottleReason::as_str);
            return NotInvoked::Throttled {
                why: reason.map_or(api_error.message, str::to_owned),
                retry_after: throttled
                    .retry_after_seconds
                    .as_deref()
                    .and_then(|seconds| seconds.parse().ok())
                    .map(Duration::from_secs),
            };
        }
        // Lambda answers these before it hands the invocation to the function.
        Some(
            InvokeError::ResourceNotReadyException(_)
            | InvokeError::SnapStartNotReadyException(_)
            | InvokeError::ResourceConflictException(_)
            | InvokeError::Ec2ThrottledException(_)
            | InvokeError::EniLimitReachedException(_),
        ) => return NotInvoked::Later { why: api_error.message },
        _ => {}
    }
    match api_error.kind {
        ErrorKind::Throttled => {
            NotInvoked::Throttled { why: api_error.to_string(), retry_after: None }
        }
        ErrorKind::NotSent => NotInvoked::Later { why: api_error.to_string() },
        ErrorKind::Unknown => NotInvoked::Unknown(api_error),
        _ => NotInvoked::Never(api_error),
    }
}
