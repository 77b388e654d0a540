//! The exceptions of Lambda's API, by AWS's names. `api::exchange` gives them their HTTP form.

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exception {
    pub(crate) kind: ExceptionKind,
    pub(crate) message: String,
    /// The body lacks the `Type` that other exceptions of the kind have.
    pub(crate) untyped: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExceptionKind {
    AccessDenied,
    IncompleteSignature,
    InvalidParameterValue,
    InvalidRequestContent,
    InvalidSignature,
    MissingAuthenticationToken,
    PreconditionFailed,
    RequestEntityTooLarge,
    RequestTooLarge,
    ResourceConflict,
    ResourceNotFound,
    Serialization,
    Service,
    TooManyRequests(ThrottleReason),
    UnknownOperation,
    UnrecognizedClient,
    Validation,
}

/// The `Reason` of a `TooManyRequestsException`: the limit of concurrency that was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ThrottleReason {
    Account,
    ReservedFunction,
}

impl ThrottleReason {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Account => "ConcurrentInvocationLimitExceeded",
            Self::ReservedFunction => "ReservedFunctionConcurrentInvocationLimitExceeded",
        }
    }
}

impl ExceptionKind {
    /// AWS's name, in the header `x-amzn-ErrorType`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AccessDenied => "AccessDeniedException",
            Self::IncompleteSignature => "IncompleteSignatureException",
            Self::InvalidParameterValue => "InvalidParameterValueException",
            Self::InvalidRequestContent => "InvalidRequestContentException",
            Self::InvalidSignature => "InvalidSignatureException",
            Self::MissingAuthenticationToken => "MissingAuthenticationTokenException",
            Self::PreconditionFailed => "PreconditionFailedException",
            Self::RequestEntityTooLarge => "RequestEntityTooLargeException",
            Self::RequestTooLarge => "RequestTooLargeException",
            Self::ResourceConflict => "ResourceConflictException",
            Self::ResourceNotFound => "ResourceNotFoundException",
            Self::Serialization => "SerializationException",
            Self::Service => "ServiceException",
            Self::TooManyRequests(_) => "TooManyRequestsException",
            Self::UnknownOperation => "UnknownOperationException",
            Self::UnrecognizedClient => "UnrecognizedClientException",
            Self::Validation => "ValidationException",
        }
    }
}

impl Exception {
    pub(crate) fn new(kind: ExceptionKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), untyped: false }
    }

    pub(crate) fn invalid_parameter(message: impl Into<String>) -> Self {
        Self::new(ExceptionKind::InvalidParameterValue, message)
    }

    /// AWS gives a few exceptions of this kind no `Type`, and clients can notice.
    pub(crate) fn untyped_invalid_parameter(message: impl Into<String>) -> Self {
        Self { untyped: true, ..Self::invalid_parameter(message) }
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(ExceptionKind::ResourceConflict, message)
    }

    pub(crate) fn service(cause: &impl ToString) -> Self {
        Self::new(ExceptionKind::Service, cause.to_string())
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(ExceptionKind::ResourceNotFound, message)
    }

    pub(crate) fn function_not_found(arn: &str) -> Self {
        Self::not_found(format!("Function not found: {arn}"))
    }

    pub(crate) fn stale_revision() -> Self {
        Self::new(
            ExceptionKind::PreconditionFailed,
            "The Revision Id provided does not match the latest Revision Id. Call the \
             GetFunction/GetAlias API to retrieve the latest Revision Id",
        )
    }

    pub(crate) fn invalid_signature(message: impl Into<String>) -> Self {
        Self::new(ExceptionKind::InvalidSignature, message)
    }

    pub(crate) fn throttled(reason: ThrottleReason) -> Self {
        Self::new(ExceptionKind::TooManyRequests(reason), "Rate Exceeded.")
    }
}
