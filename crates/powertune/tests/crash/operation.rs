//! Requests, by AWS's names of their operations.

use hyper::Method;

/// An operation of the Lambda API that powertune calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    GetFunction,
    GetAccountSettings,
    ListTags,
    ListVersionsByFunction,
    Invoke,
    TagResource,
    UntagResource,
    UpdateFunctionConfiguration,
    PublishVersion,
    DeleteFunction,
    CreateAlias,
    UpdateAlias,
}

impl Operation {
    /// The operation of a request.
    ///
    /// # Panics
    /// When it is none of them: then powertune has begun to call something that is not counted.
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        let segments: Vec<&str> =
            path.split('/').skip(2).filter(|segment| !segment.is_empty()).collect();
        match (method.as_str(), segments.as_slice()) {
            ("GET", ["functions", _]) => Self::GetFunction,
            ("GET", ["account-settings"]) => Self::GetAccountSettings,
            ("GET", ["tags", _]) => Self::ListTags,
            ("GET", ["functions", _, "versions"]) => Self::ListVersionsByFunction,
            ("POST", ["functions", _, "invocations"]) => Self::Invoke,
            ("POST", ["tags", _]) => Self::TagResource,
            ("DELETE", ["tags", _]) => Self::UntagResource,
            ("PUT", ["functions", _, "configuration"]) => Self::UpdateFunctionConfiguration,
            ("POST", ["functions", _, "versions"]) => Self::PublishVersion,
            ("DELETE", ["functions", _]) => Self::DeleteFunction,
            ("POST", ["functions", _, "aliases"]) => Self::CreateAlias,
            ("PUT", ["functions", _, "aliases", _]) => Self::UpdateAlias,
            other => panic!("an operation that this test does not know: {other:?}"),
        }
    }

    /// Whether it changes the function, its versions, aliases or tags.
    pub(crate) fn is_change(self) -> bool {
        match self {
            Self::GetFunction
            | Self::GetAccountSettings
            | Self::ListTags
            | Self::ListVersionsByFunction
            | Self::Invoke => false,
            Self::TagResource
            | Self::UntagResource
            | Self::UpdateFunctionConfiguration
            | Self::PublishVersion
            | Self::DeleteFunction
            | Self::CreateAlias
            | Self::UpdateAlias => true,
        }
    }
}
