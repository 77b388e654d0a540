//! Extractors of the function in a request's path: a name, a partial ARN or an ARN.

use std::sync::Arc;

use axum::{
    RequestPartsExt,
    extract::{FromRequestParts, Path},
    http::request::Parts,
    response::{IntoResponse, Response},
};

use super::exchange::Query;
use crate::{
    exception::Exception,
    platform::Platform,
    reference::{FunctionReference, NameForm, READ, WRITE},
};

type Shared = Arc<Platform>;

/// The function of an operation that reads, invokes or deletes one version. The `Qualifier`
/// parameter can name the version.
#[derive(Debug)]
pub(super) struct QualifiedFunction(pub(super) FunctionReference);

/// The function of an operation that reads all versions.
#[derive(Debug)]
pub(super) struct ReadFunction(pub(super) FunctionReference);

/// The function of an operation that changes a function or concerns its aliases.
#[derive(Debug)]
pub(super) struct ChangedFunction(pub(super) FunctionReference);

/// The function of an operation on settings that all versions share. A qualifier is refused.
#[derive(Debug)]
pub(super) struct UnqualifiedFunction(pub(super) FunctionReference);

impl FromRequestParts<Shared> for QualifiedFunction {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, platform: &Shared) -> Result<Self, Response> {
        let Ok(query) = parts.extract::<Query>().await;
        reference(parts, query.get("Qualifier"), &READ, platform).await.map(Self)
    }
}

impl FromRequestParts<Shared> for ReadFunction {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, platform: &Shared) -> Result<Self, Response> {
        reference(parts, None, &READ, platform).await.map(Self)
    }
}

impl FromRequestParts<Shared> for ChangedFunction {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, platform: &Shared) -> Result<Self, Response> {
        reference(parts, None, &WRITE, platform).await.map(Self)
    }
}

impl FromRequestParts<Shared> for UnqualifiedFunction {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, platform: &Shared) -> Result<Self, Response> {
        let reference = reference(parts, None, &WRITE, platform).await?;
        if reference.qualifier.is_some() {
            let refusal = Exception::invalid_parameter(
                "This operation is permitted on Lambda functions only. Aliases and versions do not \
                 support this operation. Please specify either a function name or an unqualified \
                 function ARN.",
            );
            return Err(refusal.into_response());
        }
        Ok(Self(reference))
    }
}

async fn reference(
    parts: &mut Parts,
    qualifier: Option<&str>,
    form: &NameForm,
    platform: &Platform,
) -> Result<FunctionReference, Response> {
    // Routes below a function have more parameters, but the first is always the function.
    let path = parts.extract::<Path<Vec<(String, String)>>>().await;
    let Path(parameters) = path.map_err(IntoResponse::into_response)?;
    let (_, function) = parameters.first().expect("the route has a parameter for the function");
    FunctionReference::parse(function, qualifier, form, &platform.account)
        .map_err(IntoResponse::into_response)
}
