use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::de::IgnoredAny;

use super::{RequestId, body::within, function_path::QualifiedFunction, operations::OperationName};
use crate::{
    auth::Signer,
    constraint::Violations,
    exception::{Exception, ExceptionKind},
    execution::{Invocation, InvocationRequest},
    platform::Platform,
    reference::FunctionReference,
    store::AdmittedInvocation,
};

/// Longest payload of a synchronous invocation, in bytes.
const REQUEST_LIMIT: usize = 6_291_456;
/// Longest payload of an asynchronous invocation, in bytes.
const EVENT_LIMIT: usize = 1_048_576;
/// AWS's error message for a long payload names `Invoke` so.
const INVOKE_FUNCTION: OperationName = OperationName("InvokeFunction");
/// Bytes of the log that `LogType: Tail` returns.
const LOG_TAIL: usize = 4096;
/// Time between two attempts to run an event while all concurrency is in use.
const EVENT_BACKOFF: Duration = Duration::from_millis(200);

/// `X-Amz-Invocation-Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InvocationType {
    RequestResponse,
    Event,
    DryRun,
}

#[derive(Debug)]
struct InvokeRequest {
    reference: FunctionReference,
    caller: Signer,
    request: InvocationRequest,
}

pub(super) async fn invoke(
    State(platform): State<Arc<Platform>>,
    Extension(caller): Extension<Signer>,
    Extension(request_id): Extension<RequestId>,
    QualifiedFunction(reference): QualifiedFunction,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Exception> {
    let (kind, tail) = read_headers(&headers)?;
    let limit = if kind == InvocationType::Event { EVENT_LIMIT } else { REQUEST_LIMIT };
    within(limit, &body, INVOKE_FUNCTION)?;
    let payload = json_payload(body)?;
    let request = InvocationRequest {
        request_id: request_id.0,
        invoked_arn: String::new(),
        payload,
        client_context: client_context(&headers)?,
    };
    let call = InvokeRequest { reference, caller, request };
    match kind {
        InvocationType::DryRun => {
            platform.with_store(|store, _| store.version(&call.reference).map(|_| ()))?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        InvocationType::Event => {
            platform.with_store(|store, _| store.version(&call.reference).map(|_| ()))?;
            let stopping = platform.stopping.clone();
            tokio::spawn(stopping.run_until_cancelled_owned(run_event(platform, call)));
            Ok(StatusCode::ACCEPTED.into_response())
        }
        InvocationType::RequestResponse => {
            let admitted = admit(&platform, &call.reference)?;
            let version = admitted.version.version.clone();
            // A separate task: as on Lambda, an invocation goes on after its caller has hung up.
            let running = tokio::spawn(async move { run(&platform, call, admitted).await });
            let invocation = running.await.map_err(|error| Exception::service(&error))?;
            Ok(answer(invocation, &version, tail))
        }
    }
}

/// Runs one invocation. If a function calls, it gives its CPU share back while it waits.
async fn run(platform: &Platform, call: InvokeRequest, admitted: AdmittedInvocation) -> Invocation {
    let suspension = match call.caller {
        Signer::Environment(environment) => Some(platform.data_plane.suspend(environment)),
        Signer::User => None,
    };
    let request = InvocationRequest { invoked_arn: admitted.invoked_arn, ..call.request };
    let invocation = platform.data_plane.invoke(&admitted.version, request).await;
    drop(admitted.slot);
    if let Some(suspension) = suspension {
        suspension.resume().await;
    }
    invocation
}

/// Runs an asynchronous invocation once, as soon as concurrency allows. AWS would repeat an event
/// on which the function fails.
async fn run_event(platform: Arc<Platform>, call: InvokeRequest) {
    let call = InvokeRequest { caller: Signer::User, ..call };
    loop {
        match admit(&platform, &call.reference) {
            Ok(admitted) => {
                run(&platform, call, admitted).await;
                return;
            }
            Err(refusal) if matches!(refusal.kind, ExceptionKind::ResourceNotFound) => return,
            Err(_) => tokio::time::sleep(EVENT_BACKOFF).await,
        }
    }
}

fn admit(
    platform: &Platform,
    reference: &FunctionReference,
) -> Result<AdmittedInvocation, Exception> {
    let draw = rand::random();
    platform.with_store(|store, _| store.admit(reference, draw))
}

/// The answer to a synchronous invocation. A header that AWS does not have says that the function's
/// share of CPU exceeds this machine.
fn answer(invocation: Invocation, version: &str, tail: bool) -> Response {
    let mut response = (StatusCode::OK, invocation.payload).into_response();
    let mut say = |name: &'static str, value: &str| {
        let value = HeaderValue::from_str(value).expect("names, numbers and base64 are ASCII");
        response.headers_mut().insert(name, value);
    };
    say("content-type", "application/json");
    say("x-amz-executed-version", version);
    if invocation.failed {
        say("x-amz-function-error", "Unhandled");
    }
    if invocation.beyond_host {
        say("x-powertune-beyond-host", "true");
    }
    if tail {
        let start = invocation.log.len().saturating_sub(LOG_TAIL);
        say("x-amz-log-result", &BASE64.encode(&invocation.log[start..]));
    }
    response
}

/// The invocation type, and true if the request wants the tail of the log.
fn read_headers(headers: &HeaderMap) -> Result<(InvocationType, bool), Exception> {
    let kinds = [
        ("RequestResponse", InvocationType::RequestResponse),
        ("Event", InvocationType::Event),
        ("DryRun", InvocationType::DryRun),
    ];
    let text = |name: &str, default: &'static str| match headers.get(name) {
        Some(value) => String::from_utf8_lossy(value.as_bytes()).into_owned(),
        None => default.to_owned(),
    };
    let mut violations = Violations::default();
    let kind = text("x-amz-invocation-type", "RequestResponse");
    let kind = violations.choice("invocationType", &kind, &kinds);
    let log_type = text("x-amz-log-type", "None");
    let tail = violations.choice("logType", &log_type, &[("Tail", true), ("None", false)]);
    violations.finish()?;
    Ok((kind.unwrap_or(InvocationType::RequestResponse), tail.unwrap_or(false)))
}

/// Checks that a payload is JSON. An empty payload is an empty object.
fn json_payload(payload: Bytes) -> Result<Bytes, Exception> {
    if payload.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    match serde_json::from_slice::<IgnoredAny>(&payload) {
        Ok(_) => Ok(payload),
        Err(error) => Err(Exception::new(
            ExceptionKind::InvalidRequestContent,
            format!(
                "Could not parse request body into json: Could not parse payload into json: {error}"
            ),
        )),
    }
}

/// The client context, decoded from base64 to JSON.
fn client_context(headers: &HeaderMap) -> Result<Option<String>, Exception> {
    let Some(header) = headers.get("x-amz-client-context") else { return Ok(None) };
    BASE64
        .decode(header)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .filter(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
        .map(Some)
        .ok_or_else(|| {
            Exception::new(
                ExceptionKind::InvalidRequestContent,
                "Client context must be a valid Base64-encoded JSON object.",
            )
        })
}
