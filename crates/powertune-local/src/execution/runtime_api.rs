//! The Lambda Runtime API, version 2018-06-01. A function's process gets its events through it.
//!
//! Each environment has its own listener, because on Lambda the address is all that a runtime knows
//! of its environment. A call that is not allowed in the current state gets 403, and a call for
//! another invocation gets 400.

mod conversation;
mod wire;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::task::AbortOnDropHandle;

use self::{
    conversation::Conversation,
    wire::{RuntimeBody, error_of, read},
};
pub(super) use self::{conversation::RuntimeEvent, wire::Dispatch};
use crate::loopback::{Loopback, LoopbackRefusal};

/// Largest answer of a function, in bytes: as on Lambda, a little more than 6 MB.
pub(super) const MAX_PAYLOAD: usize = 6 * 1024 * 1024 + 100;

/// The Runtime API of one environment.
#[derive(Debug)]
pub(super) struct RuntimeApi {
    address: SocketAddr,
    conversation: Arc<Conversation>,
    events: mpsc::UnboundedReceiver<RuntimeEvent>,
    _server: AbortOnDropHandle<()>,
}

impl RuntimeApi {
    /// Listens on a free port of the loopback interface.
    pub(super) async fn listen() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (sender, events) = mpsc::unbounded_channel();
        let conversation = Arc::new(Conversation::new(sender));
        let router = router(Arc::clone(&conversation), Loopback::new(address.port()));
        let server = tokio::spawn(async move {
            // It serves until it is aborted, and never fails.
            drop(axum::serve(listener, router).await);
        });
        Ok(Self { address, conversation, events, _server: AbortOnDropHandle::new(server) })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Passes an event to the runtime, which waits for one or will ask soon.
    pub(super) fn dispatch(&self, dispatch: Dispatch) {
        self.conversation.dispatch(dispatch);
    }

    /// The next call of the runtime. Cancel-safe.
    pub(super) async fn event(&mut self) -> RuntimeEvent {
        self.events.recv().await.expect("self holds a sender")
    }
}

fn router(conversation: Arc<Conversation>, loopback: Loopback) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .fallback(|| async { (StatusCode::NOT_FOUND, "404 page not found\n") })
        .layer(from_fn_with_state(loopback, require_loopback))
        .with_state(conversation)
}

/// The Runtime API has no signatures. Only this check keeps web pages from taking events.
async fn require_loopback(
    State(loopback): State<Loopback>,
    request: Request,
    next: Next,
) -> Result<Response, RuntimeApiError> {
    loopback.admit(request.method(), request.headers()).map_err(RuntimeApiError::Loopback)?;
    Ok(next.run(request).await)
}

async fn next(State(conversation): State<Arc<Conversation>>) -> Result<Response, RuntimeApiError> {
    conversation.ready()?;
    loop {
        let dispatched = conversation.dispatched.notified();
        if let Some(dispatch) = conversation.give_event() {
            return Ok(dispatch.into_response());
        }
        dispatched.await;
    }
}

async fn response(
    State(conversation): State<Arc<Conversation>>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Response, RuntimeApiError> {
    conversation.expect_running(&id, "InvocationResponse")?;
    match read(body).await.map_err(|_broken| RuntimeApiError::Truncated)? {
        RuntimeBody::Whole(payload) => {
            conversation.responded(
                &id,
                "InvocationResponse",
                RuntimeEvent::Response { payload },
            )?;
            Ok(accepted())
        }
        RuntimeBody::FailedMidway { error_type, payload } => {
            let event = RuntimeEvent::Error { error_type, payload };
            conversation.responded(&id, "InvocationResponse", event)?;
            Ok(accepted())
        }
        RuntimeBody::TooLarge => {
            conversation.responded(&id, "InvocationResponse", RuntimeEvent::ResponseTooLarge)?;
            Err(RuntimeApiError::TooLarge)
        }
    }
}

async fn error(
    State(conversation): State<Arc<Conversation>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, RuntimeApiError> {
    conversation.expect_running(&id, "InvocationErrorResponse")?;
    let (error_type, payload) = error_of(&headers, body).await?;
    let event = RuntimeEvent::Error { error_type, payload };
    conversation.responded(&id, "InvocationErrorResponse", event)?;
    Ok(accepted())
}

async fn init_error(
    State(conversation): State<Arc<Conversation>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, RuntimeApiError> {
    let (error_type, payload) = error_of(&headers, body).await?;
    conversation.init_failed(RuntimeEvent::InitError { error_type, payload })?;
    Ok(accepted())
}

fn accepted() -> Response {
    json_response(StatusCode::ACCEPTED, &json!({"status": "OK"}))
}

fn json_response(status: StatusCode, body: &serde_json::Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], format!("{body}\n")).into_response()
}

/// A call that the Runtime API refuses.
#[derive(Debug)]
enum RuntimeApiError {
    InvalidRequestId,
    InvalidTransition { from: &'static str, to: &'static str },
    TooLarge,
    Truncated,
    Loopback(LoopbackRefusal),
}

impl IntoResponse for RuntimeApiError {
    fn into_response(self) -> Response {
        let (status, error_type, message) = match self {
            Self::InvalidRequestId => {
                (StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID".to_owned())
            }
            Self::InvalidTransition { from, to } => (
                StatusCode::FORBIDDEN,
                "InvalidStateTransition",
                format!(
                    "State transition from {from} to {to} failed for runtime. Error: State \
                     transition is not allowed"
                ),
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                format!("Exceeded maximum allowed payload size ({MAX_PAYLOAD} bytes)."),
            ),
            Self::Truncated => (
                StatusCode::BAD_REQUEST,
                "TruncatedResponse",
                "The body ended before it was complete".to_owned(),
            ),
            Self::Loopback(refusal) => (StatusCode::FORBIDDEN, "AccessDenied", refusal.to_string()),
        };
        json_response(status, &json!({"errorMessage": message, "errorType": error_type}))
    }
}
