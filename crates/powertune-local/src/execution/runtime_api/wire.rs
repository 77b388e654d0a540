//! The HTTP form of events and of the bodies that runtimes send.

use std::time::SystemTime;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde_json::json;
use uuid::Uuid;

use super::{MAX_PAYLOAD, RuntimeApiError};
use crate::execution::invocation::InvocationRequest;

const REQUEST_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-request-id");
const DEADLINE: HeaderName = HeaderName::from_static("lambda-runtime-deadline-ms");
const FUNCTION_ARN: HeaderName = HeaderName::from_static("lambda-runtime-invoked-function-arn");
const TRACE_ID: HeaderName = HeaderName::from_static("lambda-runtime-trace-id");
const CLIENT_CONTEXT: HeaderName = HeaderName::from_static("lambda-runtime-client-context");
const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");
/// Trailer of a streamed response that failed midway.
const ERROR_BODY: HeaderName = HeaderName::from_static("lambda-runtime-function-error-body");

#[derive(Debug, Clone)]
pub(in crate::execution) struct Dispatch {
    pub(in crate::execution) request: InvocationRequest,
    pub(in crate::execution) deadline: SystemTime,
}

impl IntoResponse for Dispatch {
    fn into_response(self) -> Response {
        let Self { request, deadline } = self;
        let mut response = Response::new(Body::from(request.payload));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let since_epoch = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let values = [
            (REQUEST_ID, Some(request.request_id.to_string())),
            (DEADLINE, Some(since_epoch.as_millis().to_string())),
            (FUNCTION_ARN, Some(request.invoked_arn)),
            (TRACE_ID, Some(trace_id(since_epoch.as_secs()))),
            (CLIENT_CONTEXT, request.client_context),
        ];
        for (name, value) in values {
            if let Some(Ok(value)) = value.map(HeaderValue::try_from) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// The id of a trace that is not sampled, in X-Ray's form.
fn trace_id(seconds: u64) -> String {
    let random = Uuid::new_v4().simple().to_string();
    let parent = Uuid::new_v4().simple().to_string();
    format!("Root=1-{seconds:08x}-{};Parent={};Sampled=0", &random[..24], &parent[..16])
}

pub(super) enum RuntimeBody {
    Whole(Bytes),
    /// A streamed response with an error in its trailers.
    FailedMidway {
        error_type: String,
        payload: Bytes,
    },
    TooLarge,
}

/// Reads a body to its end, also a body that is too large: a client that is cut off never reads the
/// answer.
pub(super) async fn read(mut body: Body) -> Result<RuntimeBody, axum::Error> {
    let mut bytes = BytesMut::new();
    let mut too_large = false;
    while let Some(frame) = body.frame().await {
        match frame?.into_data() {
            Ok(data) => {
                too_large |= bytes.len() + data.len() > MAX_PAYLOAD;
                if !too_large {
                    bytes.extend_from_slice(&data);
                }
            }
            Err(frame) => {
                if let Some(failure) = frame.trailers_ref().and_then(failure_in_trailers) {
                    return Ok(failure);
                }
            }
        }
    }
    Ok(if too_large { RuntimeBody::TooLarge } else { RuntimeBody::Whole(bytes.freeze()) })
}

fn failure_in_trailers(trailers: &HeaderMap) -> Option<RuntimeBody> {
    let error_type = text(trailers, &ERROR_TYPE)?;
    let told = text(trailers, &ERROR_BODY).and_then(|body| BASE64.decode(body).ok());
    let payload = told.unwrap_or_else(|| json!({"errorType": error_type}).to_string().into_bytes());
    Some(RuntimeBody::FailedMidway { error_type, payload: payload.into() })
}

/// The type and the text of an error that a runtime reports.
pub(super) async fn error_of(
    headers: &HeaderMap,
    body: Body,
) -> Result<(String, Bytes), RuntimeApiError> {
    let payload = match read(body).await.map_err(|_broken| RuntimeApiError::Truncated)? {
        RuntimeBody::Whole(payload) | RuntimeBody::FailedMidway { payload, .. } => payload,
        RuntimeBody::TooLarge => return Err(RuntimeApiError::TooLarge),
    };
    let in_body = || {
        let body: serde_json::Value = serde_json::from_slice(&payload).ok()?;
        Some(body.get("errorType")?.as_str()?.to_owned())
    };
    let error_type = text(headers, &ERROR_TYPE).or_else(in_body);
    Ok((error_type.unwrap_or_else(|| "Runtime.Unknown".to_owned()), payload))
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}
