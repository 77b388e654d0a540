//! Lambda's REST API: the operations, the check of the signer, and the shapes of requests and
//! answers.
//!
//! Handlers are thin: they read a request into the store's types, call the store or the data plane,
//! and shape the answer.

mod account;
mod aliases;
mod body;
mod exchange;
mod function_path;
mod functions;
mod invoke;
mod logging;
mod operations;
mod requests;
mod runtimes;
mod shapes;
mod tags;
mod versions;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Path, Request, State},
    http::{Method, StatusCode},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use uuid::Uuid;

pub use self::runtimes::runtimes;
use self::{
    body::{HashedBody, PACKAGE_LIMIT, discard},
    operations::Operations,
};
pub(crate) use self::{
    functions::create,
    operations::OperationName,
    requests::{ConfigurationInput, CreateFunctionRequest, EnvironmentInput},
};
use crate::{
    auth::{ClaimedIdentity, Signer},
    calls::CallRecord,
    connections::ConnectionHandle,
    exception::{Exception, ExceptionKind},
    loopback::Loopback,
    platform::Platform,
};

/// The id of a request: `x-amzn-RequestId`, and for an invocation the id that the function gets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestId(Uuid);

pub(crate) fn router(platform: Arc<Platform>, loopback: Loopback) -> Router {
    operations(Arc::clone(&platform))
        .into_routes()
        // `identify_signer` reads the body, and each operation limits it.
        .layer(DefaultBodyLimit::disable())
        // As on AWS, the link in the answer to GetFunction needs no signature: it is a secret.
        .route("/code/{package}", get(download))
        .layer(from_fn_with_state(loopback, require_loopback))
        .layer(from_fn(name_request))
        .with_state(platform)
}

// One line for each operation.
#[rustfmt::skip]
fn operations(platform: Arc<Platform>) -> Operations {
    use Method as M;
    Operations::new(platform)
        .with("ListFunctions", M::GET, "/2015-03-31/functions/", functions::list)
        .with("CreateFunction", M::POST, "/2015-03-31/functions/", functions::create_over_http)
        .with("GetFunction", M::GET, "/2015-03-31/functions/{name}", functions::get)
        .with("DeleteFunction", M::DELETE, "/2015-03-31/functions/{name}", functions::delete)
        .with("GetFunctionConfiguration", M::GET, "/2015-03-31/functions/{name}/configuration", functions::get_configuration)
        .with("UpdateFunctionConfiguration", M::PUT, "/2015-03-31/functions/{name}/configuration", functions::update_configuration)
        .with("UpdateFunctionCode", M::PUT, "/2015-03-31/functions/{name}/code", functions::update_code)
        .with("Invoke", M::POST, "/2015-03-31/functions/{name}/invocations", invoke::invoke)
        .with("ListVersionsByFunction", M::GET, "/2015-03-31/functions/{name}/versions", versions::list)
        .with("PublishVersion", M::POST, "/2015-03-31/functions/{name}/versions", versions::publish)
        .with("ListAliases", M::GET, "/2015-03-31/functions/{name}/aliases", aliases::list)
        .with("CreateAlias", M::POST, "/2015-03-31/functions/{name}/aliases", aliases::create)
        .with("GetAlias", M::GET, "/2015-03-31/functions/{name}/aliases/{alias}", aliases::get)
        .with("UpdateAlias", M::PUT, "/2015-03-31/functions/{name}/aliases/{alias}", aliases::update)
        .with("DeleteAlias", M::DELETE, "/2015-03-31/functions/{name}/aliases/{alias}", aliases::delete)
        .with("GetAccountSettings", M::GET, "/2016-08-19/account-settings/", account::settings)
        .with("ListTags", M::GET, "/2017-03-31/tags/{arn}", tags::list)
        .with("TagResource", M::POST, "/2017-03-31/tags/{arn}", tags::tag)
        .with("UntagResource", M::DELETE, "/2017-03-31/tags/{arn}", tags::untag)
        .with("PutFunctionConcurrency", M::PUT, "/2017-10-31/functions/{name}/concurrency", account::put_concurrency)
        .with("DeleteFunctionConcurrency", M::DELETE, "/2017-10-31/functions/{name}/concurrency", account::delete_concurrency)
        .with("GetFunctionConcurrency", M::GET, "/2019-09-30/functions/{name}/concurrency", account::concurrency)
        .with("GetFunctionCodeSigningConfig", M::GET, "/2020-06-30/functions/{name}/code-signing-config", account::code_signing_config)
        .with("GetRuntimeManagementConfig", M::GET, "/2021-07-20/functions/{name}/runtime-management-config", account::runtime_management_config)
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
        .map_err(|refusal| Exception::new(ExceptionKind::AccessDenied, refusal.to_string()))?;
    Ok(next.run(request).await)
}

async fn identify_signer(
    State((platform, operation)): State<(Arc<Platform>, OperationName)>,
    request: Request,
    next: Next,
) -> Result<Response, Exception> {
    let (mut parts, body) = request.into_parts();
    let identity = match ClaimedIdentity::read(&parts, &platform) {
        Ok(identity) => identity,
        Err(exception) => {
            discard(body.into_data_stream()).await;
            return Err(exception);
        }
    };
    let body = HashedBody::read(body, PACKAGE_LIMIT, operation).await?;
    let signer = identity.verify(&body.sha256)?;
    if let Some(connection) = parts.extensions.get::<Arc<ConnectionHandle>>() {
        connection.authenticate();
    }
    if let Some(calls) = &platform.calls {
        let caller = match signer {
            Signer::User => None,
            Signer::Environment(environment) => platform.data_plane.function_of(environment),
        };
        calls.write(&CallRecord::new(caller, operation.0, &parts.uri));
    }
    parts.extensions.insert(operation);
    parts.extensions.insert(signer);
    Ok(next.run(Request::from_parts(parts, Body::from(body.content))).await)
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
