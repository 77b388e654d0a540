//! Lambda's REST API: the paths, who may call them, and what a request and an answer look like.
//!
//! Routes are thin: they read a request into the store's types, have the store or the data plane
//! do it, and shape the answer.

mod account;
mod aliases;
mod body;
mod exchange;
mod functions;
mod invoke;
mod logging;
mod requests;
mod runtimes;
mod shapes;
mod tags;
mod versions;

use std::sync::Arc;

use axum::{
    Extension, Router,
    body::Body,
    extract::{DefaultBodyLimit, Path, Request, State},
    http::StatusCode,
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use uuid::Uuid;

use self::body::{PACKAGE_LIMIT, Received, discard};
pub use self::runtimes::runtimes;
pub(crate) use self::{
    functions::create,
    requests::{ConfigurationInput, CreateFunctionRequest, EnvironmentInput},
};
use crate::{
    auth::Claim,
    calls::{Call, operation_of},
    connections::Visit,
    exception::{Exception, ExceptionKind},
    loopback::Loopback,
    platform::Platform,
};

/// This request's id: `x-amzn-RequestId`, and for an invocation the id that the function sees.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestId(Uuid);

/// Everything that is served.
pub(crate) fn router(platform: Arc<Platform>, loopback: Loopback) -> Router {
    functions_router()
        .merge(account_router())
        .fallback(unknown_operation)
        .method_not_allowed_fallback(unknown_operation)
        // A body is read by `identify_caller`, and limited by each operation.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(Arc::clone(&platform), identify_caller))
        // The link that GetFunction answers with is a secret of its own, as on AWS.
        .route("/code/{package}", get(download))
        .layer(from_fn_with_state(loopback, require_loopback))
        .layer(from_fn(name_request))
        .with_state(platform)
}

fn functions_router() -> Router<Arc<Platform>> {
    let list = get(functions::list).post(functions::create_over_http);
    Router::new()
        .route("/2015-03-31/functions", list.clone())
        .route("/2015-03-31/functions/", list)
        .route("/2015-03-31/functions/{name}", get(functions::get).delete(functions::delete))
        .route(
            "/2015-03-31/functions/{name}/configuration",
            get(functions::get_configuration).put(functions::update_configuration),
        )
        .route("/2015-03-31/functions/{name}/code", put(functions::update_code))
        .route("/2015-03-31/functions/{name}/invocations", post(invoke::invoke))
        .route("/2015-03-31/functions/{name}/versions", get(versions::list).post(versions::publish))
        .route("/2015-03-31/functions/{name}/aliases", get(aliases::list).post(aliases::create))
        .route(
            "/2015-03-31/functions/{name}/aliases/{alias}",
            get(aliases::get).put(aliases::update).delete(aliases::delete),
        )
}

fn account_router() -> Router<Arc<Platform>> {
    let tags = get(tags::list).post(tags::tag).delete(tags::untag);
    Router::new()
        .route("/2016-08-19/account-settings", get(account::settings))
        .route("/2016-08-19/account-settings/", get(account::settings))
        .route(
            "/2017-10-31/functions/{name}/concurrency",
            put(account::put_concurrency).delete(account::delete_concurrency),
        )
        .route("/2019-09-30/functions/{name}/concurrency", get(account::concurrency))
        .route("/2017-03-31/tags/{arn}", tags)
        .route(
            "/2020-06-30/functions/{name}/code-signing-config",
            get(account::code_signing_config),
        )
        .route(
            "/2021-07-20/functions/{name}/runtime-management-config",
            get(account::runtime_management_config),
        )
}

async fn name_request(mut request: Request, next: Next) -> Response {
    let id = Uuid::new_v4();
    request.extensions_mut().insert(RequestId(id));
    let mut response = next.run(request).await;
    let value = id.to_string().parse().expect("a UUID is a header's value");
    response.headers_mut().insert("x-amzn-requestid", value);
    response
}

async fn require_loopback(
    State(loopback): State<Loopback>,
    request: Request,
    next: Next,
) -> Result<Response, Exception> {
    loopback
        .admit(request.method(), request.headers())
        .map_err(|stranger| Exception::new(ExceptionKind::AccessDenied, stranger.to_string()))?;
    Ok(next.run(request).await)
}

async fn identify_caller(
    State(platform): State<Arc<Platform>>,
    request: Request,
    next: Next,
) -> Result<Response, Exception> {
    let (parts, body) = request.into_parts();
    let claim = match Claim::read(&parts, &platform) {
        Ok(claim) => claim,
        Err(exception) => {
            discard(body.into_data_stream()).await;
            return Err(exception);
        }
    };
    let operation = operation_of(&parts);
    let body = Received::read(body, PACKAGE_LIMIT, operation).await?;
    let caller = claim.prove(&body.sha256)?;
    if let Some(visit) = parts.extensions.get::<Arc<Visit>>() {
        visit.welcome();
    }
    let mut request = Request::from_parts(parts, Body::from(body.content));
    if let Some(calls) = &platform.calls {
        calls.write(&Call::of(caller, &request, &platform));
    }
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

async fn unknown_operation(request: Request) -> Exception {
    Exception::new(
        ExceptionKind::UnknownOperation,
        format!(
            "{} {} is not an operation of the local Lambda.",
            request.method(),
            request.uri().path()
        ),
    )
}

/// Serves a deployment package to whoever has its link.
async fn download(
    State(platform): State<Arc<Platform>>,
    Path(package): Path<String>,
) -> Result<Response, Exception> {
    let missing = || Exception::not_found("There is no such deployment package any more.");
    let id = Uuid::parse_str(&package).map_err(|_| missing())?;
    let package = platform.with_store(|store, _| store.package(id)).ok_or_else(missing)?;
    let zip = tokio::task::spawn_blocking(move || package.zip()).await;
    let zip = zip.ok().and_then(Result::ok).ok_or_else(missing)?;
    Ok((StatusCode::OK, [("content-type", "application/zip")], Body::from(zip)).into_response())
}

/// The id of a request, for routes.
type OwnRequestId = Extension<RequestId>;
