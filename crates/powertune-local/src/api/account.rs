//! The settings of the account, and settings of functions outside their configuration: reserved
//! concurrency, code signing, runtime updates.

use std::sync::Arc;

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    exchange::{self, Json},
    function_path::{QualifiedFunction, UnqualifiedFunction},
    shapes::runtime_version_arn,
};
use crate::{
    constraint::Violations, exception::Exception, platform::Platform, reference::Qualifier,
};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct PutFunctionConcurrencyRequest {
    reserved_concurrent_executions: Option<i64>,
}

pub(super) async fn settings(State(platform): State<Arc<Platform>>) -> Result<Response, Exception> {
    let settings = platform.with_store(|store, _| store.account_settings());
    exchange::json(
        StatusCode::OK,
        &json!({
            "AccountLimit": {
                "TotalCodeSize": 80_530_636_800_u64,
                "CodeSizeUnzipped": 262_144_000,
                "CodeSizeZipped": 52_428_800,
                "ConcurrentExecutions": settings.concurrency,
                "UnreservedConcurrentExecutions": settings.unreserved_concurrency,
            },
            "AccountUsage": {
                "TotalCodeSize": settings.code_size,
                "FunctionCount": settings.function_count,
            },
        }),
    )
}

pub(super) async fn put_concurrency(
    State(platform): State<Arc<Platform>>,
    UnqualifiedFunction(reference): UnqualifiedFunction,
    Json(request): Json<PutFunctionConcurrencyRequest>,
) -> Result<Response, Exception> {
    let mut violations = Violations::default();
    let member = "reservedConcurrentExecutions";
    let reserved = if let Some(value) = request.reserved_concurrent_executions {
        violations.number(member, value, 0, i32::MAX.unsigned_abs())
    } else {
        violations.missing(member);
        0
    };
    violations.finish()?;
    platform.with_store(|store, _| store.put_concurrency(&reference, reserved))?;
    exchange::json(StatusCode::OK, &json!({ "ReservedConcurrentExecutions": reserved }))
}

pub(super) async fn delete_concurrency(
    State(platform): State<Arc<Platform>>,
    UnqualifiedFunction(reference): UnqualifiedFunction,
) -> Result<Response, Exception> {
    platform.with_store(|store, _| store.delete_concurrency(&reference))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn concurrency(
    State(platform): State<Arc<Platform>>,
    UnqualifiedFunction(reference): UnqualifiedFunction,
) -> Result<Response, Exception> {
    let reserved = platform.with_store(|store, _| {
        store.function(&reference).map(|function| function.reserved_concurrency)
    })?;
    let body = match reserved {
        Some(reserved) => json!({ "ReservedConcurrentExecutions": reserved }),
        None => json!({}),
    };
    exchange::json(StatusCode::OK, &body)
}

/// The answer has no ARN, because there is no code signing here.
pub(super) async fn code_signing_config(
    State(platform): State<Arc<Platform>>,
    UnqualifiedFunction(reference): UnqualifiedFunction,
) -> Result<Response, Exception> {
    platform.with_store(|store, _| store.function(&reference).map(|_| ()))?;
    exchange::json(StatusCode::OK, &json!({ "FunctionName": reference.name }))
}

/// The runtimes of this machine can change at any time. On AWS that is `Auto`, the default.
pub(super) async fn runtime_management_config(
    State(platform): State<Arc<Platform>>,
    QualifiedFunction(reference): QualifiedFunction,
) -> Result<Response, Exception> {
    let runtime = platform.with_store(|store, _| {
        store.version(&reference).map(|version| version.configuration.runtime.identifier.clone())
    })?;
    let qualifier = reference.qualifier.as_ref().map_or("$LATEST".to_owned(), Qualifier::text);
    exchange::json(
        StatusCode::OK,
        &json!({
            "UpdateRuntimeOn": "Auto",
            "FunctionArn": platform.account.function_arn(&reference.name, Some(&qualifier)),
            "RuntimeVersionArn": runtime_version_arn(&platform.account, &runtime),
        }),
    )
}
