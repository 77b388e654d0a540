//! The Lambda Runtime API, version 2018-06-01: how a function's process gets its events.
//!
//! Each environment has a listener of its own, as on Lambda, where the address is all that a
//! runtime knows of its environment. A state machine says which call is allowed when; a call out
//! of turn gets 403, a call for an invocation that is not the current one 400.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard},
    time::SystemTime,
};

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde_json::json;
use tokio::{
    net::TcpListener,
    sync::{Notify, mpsc},
    time::Instant,
};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::loopback::{Loopback, LoopbackRefusal};

/// The largest answer that a function may give, in bytes: 6 MB and a little, as on Lambda.
pub(super) const MAX_PAYLOAD: usize = 6 * 1024 * 1024 + 100;

const REQUEST_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-request-id");
const DEADLINE: HeaderName = HeaderName::from_static("lambda-runtime-deadline-ms");
const FUNCTION_ARN: HeaderName = HeaderName::from_static("lambda-runtime-invoked-function-arn");
const TRACE_ID: HeaderName = HeaderName::from_static("lambda-runtime-trace-id");
const CLIENT_CONTEXT: HeaderName = HeaderName::from_static("lambda-runtime-client-context");
const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");
/// Trailer of a streamed response that failed midway.
const ERROR_BODY: HeaderName = HeaderName::from_static("lambda-runtime-function-error-body");

/// An event on its way to a runtime.
#[derive(Debug, Clone)]
pub(super) struct Dispatch {
    pub(super) request_id: Uuid,
    pub(super) invoked_arn: String,
    pub(super) deadline: SystemTime,
    pub(super) client_context: Option<String>,
    pub(super) payload: Bytes,
}

/// What a runtime told.
#[derive(Debug)]
pub(super) enum RuntimeEvent {
    /// It asks for the next event: initialised, or done with the one before.
    Ready { at: Instant },
    /// The function's answer.
    Response { payload: Bytes },
    /// The function's answer, but larger than Lambda allows.
    ResponseTooLarge,
    /// The function failed; `payload` tells how in the runtime's own words.
    Error { error_type: String, payload: Bytes },
    /// It could not initialise.
    InitError { error_type: String, payload: Bytes },
}

/// One environment's Runtime API.
#[derive(Debug)]
pub(super) struct RuntimeApi {
    address: SocketAddr,
    shared: Arc<Shared>,
    events: mpsc::UnboundedReceiver<RuntimeEvent>,
    _server: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Shared {
    exchange: Mutex<Exchange>,
    dispatched: Notify,
    events: mpsc::UnboundedSender<RuntimeEvent>,
}

/// Where the conversation stands.
#[derive(Debug)]
struct Exchange {
    phase: RuntimeState,
    /// Until it is answered.
    event: Option<Dispatch>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RuntimeState {
    Initialising,
    InitFailed,
    /// The runtime waits for an event.
    Ready,
    Running(Uuid),
    Responded(Uuid),
}

impl RuntimeApi {
    /// Listens on a free port of the loopback interface.
    pub(super) async fn listen() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (sender, events) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            exchange: Mutex::new(Exchange { phase: RuntimeState::Initialising, event: None }),
            dispatched: Notify::new(),
            events: sender,
        });
        let router = router(Arc::clone(&shared), Loopback::new(address.port()));
        let server = tokio::spawn(async move {
            // Serves until it is aborted; `serve` never fails by itself.
            drop(axum::serve(listener, router).await);
        });
        Ok(Self { address, shared, events, _server: AbortOnDropHandle::new(server) })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Hands an event to the runtime, which is waiting for one or will ask soon.
    pub(super) fn dispatch(&self, dispatch: Dispatch) {
        self.shared.lock().event = Some(dispatch);
        self.shared.dispatched.notify_one();
    }

    /// The next thing that the runtime tells. Cancel-safe.
    pub(super) async fn event(&mut self) -> RuntimeEvent {
        self.events.recv().await.expect("self holds a sender")
    }
}

fn router(shared: Arc<Shared>, loopback: Loopback) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .fallback(|| async { (StatusCode::NOT_FOUND, "404 page not found\n") })
        .layer(from_fn_with_state(loopback, require_loopback))
        .with_state(shared)
}

/// There is no signature here: this is all that keeps a web page from taking events.
async fn require_loopback(
    State(loopback): State<Loopback>,
    request: Request,
    next: Next,
) -> Result<Response, RuntimeApiError> {
    loopback
        .admit(request.method(), request.headers())
        .map_err(RuntimeApiError::LoopbackRefusal)?;
    Ok(next.run(request).await)
}

async fn next(State(shared): State<Arc<Shared>>) -> Result<Response, RuntimeApiError> {
    shared.ready()?;
    loop {
        let dispatched = shared.dispatched.notified();
        if let Some(dispatch) = shared.give_event() {
            return Ok(dispatch.into_response());
        }
        dispatched.await;
    }
}

async fn response(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Response, RuntimeApiError> {
    shared.expect_running(&id, "InvocationResponse")?;
    match read(body).await.map_err(|_broken| RuntimeApiError::Truncated)? {
        RuntimeBody::Whole(payload) => {
            shared.responded(&id, "InvocationResponse", RuntimeEvent::Response { payload })?;
            Ok(accepted())
        }
        RuntimeBody::FailedMidway { error_type, payload } => {
            let event = RuntimeEvent::Error { error_type, payload };
            shared.responded(&id, "InvocationResponse", event)?;
            Ok(accepted())
        }
        RuntimeBody::TooLarge => {
            shared.responded(&id, "InvocationResponse", RuntimeEvent::ResponseTooLarge)?;
            Err(RuntimeApiError::TooLarge)
        }
    }
}

async fn error(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, RuntimeApiError> {
    shared.expect_running(&id, "InvocationErrorResponse")?;
    let (error_type, payload) = error_of(&headers, body).await?;
    let event = RuntimeEvent::Error { error_type, payload };
    shared.responded(&id, "InvocationErrorResponse", event)?;
    Ok(accepted())
}

async fn init_error(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, RuntimeApiError> {
    let (error_type, payload) = error_of(&headers, body).await?;
    shared.init_failed(RuntimeEvent::InitError { error_type, payload })?;
    Ok(accepted())
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Exchange> {
        self.exchange.lock().expect("nothing panics while it holds the lock")
    }

    fn ready(&self) -> Result<(), RuntimeApiError> {
        let mut exchange = self.lock();
        match exchange.phase {
            RuntimeState::Initialising | RuntimeState::Responded(_) => {
                exchange.phase = RuntimeState::Ready;
                self.tell(RuntimeEvent::Ready { at: Instant::now() });
                Ok(())
            }
            // Asked again, after a connection that broke: the same event is given again.
            RuntimeState::Ready | RuntimeState::Running(_) => Ok(()),
            phase @ RuntimeState::InitFailed => Err(phase.refuses("Ready")),
        }
    }

    fn give_event(&self) -> Option<Dispatch> {
        let mut exchange = self.lock();
        let dispatch = exchange.event.clone()?;
        exchange.phase = RuntimeState::Running(dispatch.request_id);
        Some(dispatch)
    }

    fn expect_running(&self, id: &str, transition: &'static str) -> Result<(), RuntimeApiError> {
        match self.lock().phase {
            RuntimeState::Running(current) if is(current, id) => Ok(()),
            phase @ RuntimeState::Responded(current) if is(current, id) => {
                Err(phase.refuses(transition))
            }
            _ => Err(RuntimeApiError::InvalidRequestId),
        }
    }

    fn responded(
        &self,
        id: &str,
        transition: &'static str,
        event: RuntimeEvent,
    ) -> Result<(), RuntimeApiError> {
        let mut exchange = self.lock();
        match exchange.phase {
            RuntimeState::Running(current) if is(current, id) => {
                exchange.phase = RuntimeState::Responded(current);
                exchange.event = None;
                self.tell(event);
                Ok(())
            }
            // Another answer came while this one was being read.
            phase => Err(phase.refuses(transition)),
        }
    }

    fn init_failed(&self, event: RuntimeEvent) -> Result<(), RuntimeApiError> {
        let mut exchange = self.lock();
        if exchange.phase != RuntimeState::Initialising {
            return Err(exchange.phase.refuses("InitError"));
        }
        exchange.phase = RuntimeState::InitFailed;
        self.tell(event);
        Ok(())
    }

    fn tell(&self, event: RuntimeEvent) {
        // Without a receiver the environment is being taken down: nobody wants to know.
        drop(self.events.send(event));
    }
}

fn is(current: Uuid, id: &str) -> bool {
    Uuid::parse_str(id).is_ok_and(|id| id == current)
}

impl RuntimeState {
    /// AWS's runtime interface emulator names its states so.
    fn name(self) -> &'static str {
        match self {
            Self::Initialising => "RuntimeStartedState",
            Self::InitFailed => "RuntimeInitErrorState",
            Self::Ready => "RuntimeReadyState",
            Self::Running(_) => "Running",
            Self::Responded(_) => "RuntimeResponseSentState",
        }
    }

    fn refuses(self, transition: &'static str) -> RuntimeApiError {
        RuntimeApiError::InvalidTransition { from: self.name(), to: transition }
    }
}

impl IntoResponse for Dispatch {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.payload));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let since_epoch = self.deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let values = [
            (REQUEST_ID, Some(self.request_id.to_string())),
            (DEADLINE, Some(since_epoch.as_millis().to_string())),
            (FUNCTION_ARN, Some(self.invoked_arn)),
            (TRACE_ID, Some(trace_id(since_epoch.as_secs()))),
            (CLIENT_CONTEXT, self.client_context),
        ];
        for (name, value) in values {
            if let Some(Ok(value)) = value.map(HeaderValue::try_from) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// A trace that nobody samples, in X-Ray's form.
fn trace_id(seconds: u64) -> String {
    let random = Uuid::new_v4().simple().to_string();
    let parent = Uuid::new_v4().simple().to_string();
    format!("Root=1-{seconds:08x}-{};Parent={};Sampled=0", &random[..24], &parent[..16])
}

fn accepted() -> Response {
    json_response(StatusCode::ACCEPTED, &json!({"status": "OK"}))
}

fn json_response(status: StatusCode, body: &serde_json::Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], format!("{body}\n")).into_response()
}

/// A call that the Runtime API turns down.
#[derive(Debug)]
enum RuntimeApiError {
    InvalidRequestId,
    InvalidTransition { from: &'static str, to: &'static str },
    TooLarge,
    Truncated,
    LoopbackRefusal(LoopbackRefusal),
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
            Self::LoopbackRefusal(stranger) => {
                (StatusCode::FORBIDDEN, "AccessDenied", stranger.to_string())
            }
        };
        json_response(status, &json!({"errorMessage": message, "errorType": error_type}))
    }
}

/// A body that a runtime sent.
enum RuntimeBody {
    Whole(Bytes),
    /// A streamed response whose trailers tell of an error.
    FailedMidway {
        error_type: String,
        payload: Bytes,
    },
    TooLarge,
}

/// Reads a body to its end, too large or not: a client that is cut off never sees the answer.
async fn read(mut body: Body) -> Result<RuntimeBody, axum::Error> {
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
    use base64::{Engine, engine::general_purpose::STANDARD};

    let error_type = text(trailers, &ERROR_TYPE)?;
    let told = text(trailers, &ERROR_BODY).and_then(|body| STANDARD.decode(body).ok());
    let payload = told.unwrap_or_else(|| json!({"errorType": error_type}).to_string().into_bytes());
    Some(RuntimeBody::FailedMidway { error_type, payload: payload.into() })
}

/// The type and the text of an error that a runtime reports.
async fn error_of(headers: &HeaderMap, body: Body) -> Result<(String, Bytes), RuntimeApiError> {
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
