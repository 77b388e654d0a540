//! The operations of requests, by AWS's names.

use hyper::{Method, Uri};

/// An operation of the Lambda API that powertune calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    GetFunction,
    /// GetFunction of a version, which waits for the version.
    GetFunctionOfVersion,
    GetAccountSettings,
    ListTags,
    ListVersionsByFunction,
    Invoke,
    TagResource,
    UntagResource,
    UpdateFunctionConfiguration,
    PublishVersion,
    DeleteFunction,
    GetAlias,
    CreateAlias,
    UpdateAlias,
}

impl Operation {
    /// The operation of a request.
    ///
    /// # Panics
    /// When it is unknown: then powertune calls something that is not counted.
    pub(crate) fn of(method: &Method, uri: &Uri) -> Self {
        let segments: Vec<&str> =
            uri.path().split('/').skip(2).filter(|segment| !segment.is_empty()).collect();
        let is_qualified = uri.query().is_some_and(|query| query.contains("Qualifier="));
        match (method.as_str(), segments.as_slice()) {
            ("GET", ["functions", _]) if is_qualified => Self::GetFunctionOfVersion,
            ("GET", ["functions", _]) => Self::GetFunction,
            ("GET", ["account-settings"]) => Self::GetAccountSettings,
            ("GET", ["tags", _]) => Self::ListTags,
            ("GET", ["functions", _, "versions"]) => Self::ListVersionsByFunction,
            // Only invocations of versions: others are the user's.
            ("POST", ["functions", _, "invocations"]) if is_qualified => Self::Invoke,
            ("POST", ["tags", _]) => Self::TagResource,
            ("DELETE", ["tags", _]) => Self::UntagResource,
            ("PUT", ["functions", _, "configuration"]) => Self::UpdateFunctionConfiguration,
            ("POST", ["functions", _, "versions"]) => Self::PublishVersion,
            ("DELETE", ["functions", _]) if is_qualified => Self::DeleteFunction,
            ("GET", ["functions", _, "aliases", _]) => Self::GetAlias,
            ("POST", ["functions", _, "aliases"]) => Self::CreateAlias,
            ("PUT", ["functions", _, "aliases", _]) => Self::UpdateAlias,
            other => panic!("an operation that this test does not know: {other:?}"),
        }
    }

    /// The action that IAM has to allow, and the statement with its resource.
    pub(crate) fn permission(self) -> (&'static str, &'static str) {
        match self {
            Self::GetFunction => ("lambda:GetFunction", "Function"),
            Self::GetFunctionOfVersion => ("lambda:GetFunction", "Versions"),
            Self::GetAccountSettings => ("lambda:GetAccountSettings", "Account"),
            Self::ListTags => ("lambda:ListTags", "Function"),
            Self::ListVersionsByFunction => ("lambda:ListVersionsByFunction", "Function"),
            Self::Invoke => ("lambda:InvokeFunction", "Versions"),
            Self::TagResource => ("lambda:TagResource", "Tags"),
            Self::UntagResource => ("lambda:UntagResource", "Tags"),
            Self::UpdateFunctionConfiguration => ("lambda:UpdateFunctionConfiguration", "Function"),
            Self::PublishVersion => ("lambda:PublishVersion", "Function"),
            Self::DeleteFunction => ("lambda:DeleteFunction", "Versions"),
            Self::GetAlias => ("lambda:GetAlias", "Function"),
            Self::CreateAlias => ("lambda:CreateAlias", "Function"),
            Self::UpdateAlias => ("lambda:UpdateAlias", "Function"),
        }
    }

    /// True if it changes the function, its versions, aliases or tags.
    pub(crate) fn is_change(self) -> bool {
        match self {
            Self::GetFunction
            | Self::GetFunctionOfVersion
            | Self::GetAccountSettings
            | Self::ListTags
            | Self::GetAlias
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
