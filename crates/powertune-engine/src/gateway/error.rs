//! Errors of calls to AWS, classified by their meaning for a run.

use std::{error::Error, fmt};

use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};

use super::{
    secrets::said,
    transport::{Called, innermost},
};

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The operation, by AWS's name.
    pub operation: &'static str,
    /// The class of the error.
    pub kind: ErrorKind,
    /// The text from AWS or from the client.
    pub message: String,
}

/// The class of a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The function, version, alias or object does not exist.
    NotFound,
    /// The caller lacks a permission.
    Denied,
    /// There are no valid credentials.
    Credentials,
    /// This machine's clock is too far off, so its signatures are invalid.
    Clock,
    /// The RevisionId or CodeSha256 has changed since it was read.
    PreconditionFailed,
    /// Another change of the function is in progress.
    Conflict,
    /// The version can't be deleted, because an alias points to it.
    Aliased,
    /// The journal could not be written, so the call was not made.
    NotRecorded,
    /// Too many requests; nothing was done.
    Throttled,
    /// AWS refused the content of the request.
    Invalid,
    /// The request never reached AWS.
    NotSent,
    /// AWS may or may not have executed the request.
    Unknown,
}

impl ErrorKind {
    /// An advice to append to the message; empty if no single advice fits.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Credentials => {
                " (set AWS_PROFILE or AWS_ACCESS_KEY_ID, or log in again, as for the AWS CLI)"
            }
            Self::Clock => " (the clock of this machine is wrong; set it and try again)",
            Self::NotSent => " (check the region, --endpoint-url and the network)",
            _ => "",
        }
    }

    /// True if the call fails in this way until somebody changes something. Before a run has begun,
    /// such an error is a refusal (exit code 2); other errors are failures (exit code 1).
    pub fn lasts(self) -> bool {
        matches!(
            self,
            Self::NotFound | Self::Denied | Self::Credentials | Self::Clock | Self::Invalid
        )
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.operation, self.message)?;
        match self.kind {
            ErrorKind::Denied => {
                write!(f, " (allow {} for this caller and try again)", self.permission())
            }
            kind => f.write_str(kind.hint()),
        }
    }
}

impl Error for ApiError {}

impl ApiError {
    pub(crate) fn is_meeting(&self) -> bool {
        matches!(self.kind, ErrorKind::Conflict | ErrorKind::PreconditionFailed)
    }

    /// True if the same call may succeed later without anybody's action.
    pub(crate) fn may_pass(&self) -> bool {
        self.is_meeting()
            || matches!(self.kind, ErrorKind::Throttled | ErrorKind::NotSent | ErrorKind::Unknown)
    }

    fn permission(&self) -> String {
        match self.operation {
            "Invoke" => "lambda:InvokeFunction".to_owned(),
            "GetObject" => "s3:GetObject".to_owned(),
            "StartExecution"
            | "StopExecution"
            | "DescribeExecution"
            | "GetExecutionHistory"
            | "ListStateMachines"
            | "ListTagsForResource" => format!("states:{}", self.operation),
            operation => format!("lambda:{operation}"),
        }
    }

    /// Converts an SDK error; `called` knows the endpoint of the client.
    pub(super) fn from_sdk<E>(operation: &'static str, error: &SdkError<E>, called: &Called) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        Self::with_kind(operation, error, called, |code, message, status| {
            kind_of_message(code, message).unwrap_or_else(|| kind_of(code, status))
        })
    }

    /// The error of a call to a service whose errors `kind` tells apart by code, message and HTTP
    /// status.
    pub(crate) fn with_kind<E>(
        operation: &'static str,
        error: &SdkError<E>,
        called: &Called,
        kind: impl FnOnce(&str, &str, u16) -> ErrorKind,
    ) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let unanswered = called.unanswered(error);
        let (kind, message) = unanswered.unwrap_or_else(|| match error {
            SdkError::ServiceError(service) => {
                let error = service.err();
                let code = error.code().unwrap_or_default();
                let status = service.raw().status().as_u16();
                let kind = kind(code, error.message().unwrap_or_default(), status);
                (kind, service_message(error, code, status))
            }
            other => (ErrorKind::Unknown, innermost(other)),
        });
        Self { operation, kind, message: said(&message) }
    }
}

fn service_message(error: &impl ProvideErrorMetadata, code: &str, status: u16) -> String {
    match (error.message(), code) {
        (Some(message), "") => message.to_owned(),
        (Some(message), code) => format!("{code}: {message}"),
        (None, "") if status < 400 => format!(
            "the answer (HTTP status {status}) does not come from AWS, but probably from a proxy \
             or the login page of a network, or --endpoint-url is wrong; open a web page to log \
             in, or check the proxy settings and the URL"
        ),
        (None, "") => format!("HTTP status {status} without an error code"),
        (None, code) => format!("{code} (HTTP status {status})"),
    }
}

/// The class of an error by its message. Lambda has no code of its own for an outdated CodeSha256
/// or an outdated signature.
fn kind_of_message(code: &str, message: &str) -> Option<ErrorKind> {
    let lower = message.to_ascii_lowercase();
    if code == "InvalidParameterValueException" && lower.starts_with("codesha256 (") {
        return Some(ErrorKind::PreconditionFailed);
    }
    let is_of_another_time = matches!(code, "RequestTimeTooSkewed" | "RequestExpired")
        || lower.contains("signature expired")
        || lower.contains("signature not yet current");
    is_of_another_time.then_some(ErrorKind::Clock)
}

fn kind_of(code: &str, status: u16) -> ErrorKind {
    kind_of_code(code).unwrap_or(match status {
        404 => ErrorKind::NotFound,
        403 => ErrorKind::Denied,
        412 => ErrorKind::PreconditionFailed,
        409 => ErrorKind::Conflict,
        429 => ErrorKind::Throttled,
        400..=499 => ErrorKind::Invalid,
        _ => ErrorKind::Unknown,
    })
}

/// The class of an error code, whatever its status: codes of Lambda and S3, and AWS's common
/// errors. `None` for an unknown code.
pub fn kind_of_code(code: &str) -> Option<ErrorKind> {
    Some(match code {
        "ResourceNotFoundException" => ErrorKind::NotFound,
        "AccessDeniedException" | "AccessDenied" | "NotAuthorized" | "OptInRequired" => {
            ErrorKind::Denied
        }
        "UnrecognizedClientException"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "InvalidSignatureException"
        | "ExpiredTokenException"
        | "ExpiredToken"
        | "MissingAuthenticationTokenException"
        | "MissingAuthenticationToken"
        | "InvalidClientTokenId" => ErrorKind::Credentials,
        "PreconditionFailedException" => ErrorKind::PreconditionFailed,
        "ResourceConflictException" | "ConflictException" => ErrorKind::Conflict,
        "TooManyRequestsException" | "ThrottlingException" | "Throttling" => ErrorKind::Throttled,
        "ValidationException"
        | "ValidationError"
        | "InvalidParameterValueException"
        | "MalformedHttpRequestException"
        | "RequestEntityTooLargeException"
        | "UnknownOperationException" => ErrorKind::Invalid,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_decide_before_statuses() {
        assert_eq!(kind_of("TooManyRequestsException", 500), ErrorKind::Throttled);
        assert_eq!(kind_of("", 412), ErrorKind::PreconditionFailed);
        assert_eq!(kind_of("ServiceException", 500), ErrorKind::Unknown);
        assert_eq!(kind_of("InvalidRequestContentException", 400), ErrorKind::Invalid);
    }

    #[test]
    fn codes_of_the_control_plane_mean_what_aws_was_seen_to_answer_with_them() {
        for (status, code, kind) in [
            // A wrong RevisionId; an update in progress, or an alias that exists already.
            (412, "PreconditionFailedException", ErrorKind::PreconditionFailed),
            (409, "ResourceConflictException", ErrorKind::Conflict),
            (404, "ResourceNotFoundException", ErrorKind::NotFound),
            (429, "TooManyRequestsException", ErrorKind::Throttled),
            (403, "AccessDeniedException", ErrorKind::Denied),
            // A violated constraint of a field (two codes), and a request that is too large.
            (400, "ValidationException", ErrorKind::Invalid),
            (400, "InvalidParameterValueException", ErrorKind::Invalid),
            (413, "RequestEntityTooLargeException", ErrorKind::Invalid),
        ] {
            assert_eq!(kind_of(code, status), kind, "{code}");
        }
    }

    #[test]
    fn code_that_has_changed_is_a_precondition_whatever_its_code() {
        let code = "InvalidParameterValueException";
        let changed = "CodeSHA256 (abc=) is different from current CodeSHA256 in $LATEST (def=). \
                       Please try again with the CodeSHA256 in $LATEST.";
        assert_eq!(kind_of_message(code, changed), Some(ErrorKind::PreconditionFailed));
        assert_eq!(kind_of_message(code, "Could not unzip uploaded file."), None);
        assert_eq!(kind_of_message("ValidationException", changed), None);
    }

    #[test]
    fn a_signature_of_another_time_is_the_clocks_fault() {
        let code = "InvalidSignatureException";
        for message in [
            "Signature expired: 20251231T235459Z is now earlier than 20251231T235500Z",
            "Signature not yet current: 20260101T000501Z is still later than 20260101T000500Z",
        ] {
            assert_eq!(kind_of_message(code, message), Some(ErrorKind::Clock));
        }
        assert_eq!(kind_of_message("RequestTimeTooSkewed", ""), Some(ErrorKind::Clock));
        let wrong =
            "The request signature we calculated does not match the signature you provided.";
        assert_eq!(kind_of_message(code, wrong), None);
    }

    #[test]
    fn a_denial_names_the_permission() {
        let error = ApiError {
            operation: "Invoke",
            kind: ErrorKind::Denied,
            message: "AccessDeniedException: no".to_owned(),
        };
        assert!(error.to_string().contains("lambda:InvokeFunction"));
    }
}
