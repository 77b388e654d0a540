//! Invoke, and the meaning of each error for counts and costs.

use std::time::Duration;

use aws_sdk_lambda::{
    error::{ProvideErrorMetadata, SdkError},
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
    error::{ApiError, ErrorKind, kind_of_code},
    transport::Called,
};

/// An invocation that ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoked {
    /// The request id; the log lines contain it too.
    pub request_id: Option<String>,
    /// True if the function failed.
    pub function_failed: bool,
    /// The function's response, or its error.
    pub payload: Vec<u8>,
    /// The last 4 KB of its log.
    pub log_tail: Option<String>,
    /// The version that ran, if it differs from the requested one.
    pub other_version: Option<String>,
}

/// The reason why an invocation has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotInvoked {
    /// Lambda throttled it: nothing ran. It may be sent again after `retry_after`.
    Throttled {
        /// AWS's text.
        why: String,
        /// The wait that AWS asks for.
        retry_after: Option<Duration>,
    },
    /// Nothing ran; the same invocation may be sent again.
    Later {
        /// AWS's text.
        why: String,
    },
    /// Nothing ran, and another try would fail in the same way.
    Never(ApiError),
    /// Nothing ran, because the function or version does not exist.
    Gone(ApiError),
    /// It may have run, and may be billed.
    Unknown(ApiError),
}

impl Invoker {
    /// Invokes a function synchronously and returns its answer with the end of the log. The call is
    /// sent only once.
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
            Err(error) => Err(not_invoked(&error, &self.called)),
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

fn not_invoked(error: &SdkError<InvokeError>, called: &Called) -> NotInvoked {
    let api_error = ApiError::from_sdk("Invoke", error, called);
    if let Some(InvokeError::TooManyRequestsException(throttled)) = error.as_service_error() {
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
    match error.as_service_error().and_then(meaning) {
        Some(Meaning::Gone) => return NotInvoked::Gone(api_error),
        Some(Meaning::Later) => return NotInvoked::Later { why: api_error.message },
        Some(Meaning::Never) => return NotInvoked::Never(api_error),
        Some(Meaning::MayHaveRun) => return NotInvoked::Unknown(api_error),
        None => {}
    }
    match api_error.kind {
        ErrorKind::Throttled => {
            NotInvoked::Throttled { why: api_error.to_string(), retry_after: None }
        }
        // The client has learnt the right time from the answer.
        ErrorKind::NotSent | ErrorKind::Clock => NotInvoked::Later { why: api_error.to_string() },
        ErrorKind::Unknown => NotInvoked::Unknown(api_error),
        // An unknown code may mean anything, whatever its status. But AWS checks permissions and
        // existence before anything runs.
        ErrorKind::Invalid | ErrorKind::Conflict | ErrorKind::PreconditionFailed
            if error.code().and_then(kind_of_code).is_none() =>
        {
            NotInvoked::Unknown(api_error)
        }
        _ => NotInvoked::Never(api_error),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Gone,
    /// Nothing ran, for a temporary reason or because of somebody else's load.
    Later,
    /// Nothing ran; somebody has to change something first.
    Never,
    /// The function's code may have run.
    MayHaveRun,
}

/// The meaning of an error of Invoke, by its description in AWS's Lambda API reference, which the
/// SDK's model repeats. `None` for an error that is not Invoke's own.
fn meaning(error: &InvokeError) -> Option<Meaning> {
    Some(match error {
        InvokeError::ResourceNotFoundException(_) => Meaning::Gone,
        // Lambda prepares or frees something, or tries again.
        InvokeError::CodeArtifactUserDeletedException(_)
        | InvokeError::CodeArtifactUserPendingException(_)
        | InvokeError::Ec2ThrottledException(_)
        | InvokeError::Ec2UnexpectedException(_)
        | InvokeError::EfsMountConnectivityException(_)
        | InvokeError::EfsMountTimeoutException(_)
        | InvokeError::EniLimitReachedException(_)
        | InvokeError::EniNotReadyException(_)
        | InvokeError::ResourceConflictException(_)
        | InvokeError::ResourceNotReadyException(_)
        | InvokeError::S3FilesMountConnectivityException(_)
        | InvokeError::S3FilesMountTimeoutException(_)
        | InvokeError::SnapStartNotReadyException(_)
        | InvokeError::SnapStartRegenerationFailureException(_)
        | InvokeError::SubnetIpAddressLimitReachedException(_) => Meaning::Later,
        // Lambda could not set the function up, or rejected the request.
        InvokeError::CodeArtifactUserFailedException(_)
        | InvokeError::DurableExecutionAlreadyStartedException(_)
        | InvokeError::Ec2AccessDeniedException(_)
        | InvokeError::EfsMountFailureException(_)
        | InvokeError::InvalidParameterValueException(_)
        | InvokeError::InvalidRequestContentException(_)
        | InvokeError::InvalidRuntimeException(_)
        | InvokeError::InvalidSecurityGroupIdException(_)
        | InvokeError::InvalidSubnetIdException(_)
        | InvokeError::InvalidZipFileException(_)
        | InvokeError::KmsAccessDeniedException(_)
        | InvokeError::KmsDisabledException(_)
        | InvokeError::KmsInvalidStateException(_)
        | InvokeError::KmsNotFoundException(_)
        | InvokeError::ModeNotSupportedException(_)
        | InvokeError::NoPublishedVersionException(_)
        | InvokeError::RecursiveInvocationException(_)
        | InvokeError::RequestTooLargeException(_)
        | InvokeError::S3FilesMountFailureException(_)
        | InvokeError::SerializedRequestEntityTooLargeException(_)
        | InvokeError::ServiceQuotaExceededException(_)
        | InvokeError::UnsupportedMediaTypeException(_) => Meaning::Never,
        // Handlers use files (EFS). A restore runs the function's hooks, and their time counts as
        // the function's. An internal error can occur at any time.
        InvokeError::EfsioException(_)
        | InvokeError::ServiceException(_)
        | InvokeError::SnapStartException(_)
        | InvokeError::SnapStartTimeoutException(_) => Meaning::MayHaveRun,
        _ => return None,
    })
}
