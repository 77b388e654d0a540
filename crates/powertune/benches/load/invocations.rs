//! Answers Invoke after a wait, with a log like Lambda's, and records the client's calls.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use hyper::{Response, header::RETRY_AFTER, http::response::Builder};
use uuid::Uuid;

use crate::limit::{Admission, Limit};

/// At this size an invocation takes twice as long as at a very large one.
const SLOWEST_MB: f64 = 128.0;
/// The largest deviation of an invocation.
const SPREAD: f64 = 0.1;
/// One of this many refusals has a Retry-After.
const RETRY_AFTER_EVERY: u32 = 4;

/// Answers Invoke.
#[derive(Debug)]
pub(crate) struct Invocations {
    limit: Limit,
    /// The duration with unlimited memory.
    shortest: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    admission: Admission,
    running: u32,
    seen: Seen,
}

/// The calls that an endpoint has seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) let_through: u32,
    pub(crate) refused: u32,
    pub(crate) most_running: u32,
    pub(crate) of_version: BTreeMap<String, u32>,
    first: Option<Instant>,
    last: Option<Instant>,
    /// The intended duration of all invocations that have ended.
    work: Duration,
    /// The value of `work` when the last invocation began.
    work_until_last: Duration,
}

impl Invocations {
    pub(crate) fn new(limit: Limit, shortest: Duration) -> Self {
        let state = State { admission: Admission::new(limit), running: 0, seen: Seen::default() };
        Self { limit, shortest, state: Mutex::new(state) }
    }

    pub(crate) fn seen(&self) -> Seen {
        self.state().seen.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs an invocation of a version, or refuses it.
    pub(crate) async fn invoke(&self, version: &str, memory_mb: u32) -> Response<Bytes> {
        let nth = match self.state().begin(version) {
            Ok(nth) => nth,
            Err(nth) => return refusal(self.limit.reason(nth), nth),
        };
        let duration = self.duration(memory_mb, nth);
        tokio::time::sleep(duration).await;
        self.state().end(duration);
        answer(version, memory_mb, duration)
    }

    /// Multiples of the golden ratio: evenly spread, and the same in every run.
    fn duration(&self, memory_mb: u32, nth: u32) -> Duration {
        let place = (f64::from(nth) * 0.618_033_988_749_895).fract();
        let off = 1.0 + SPREAD * (2.0 * place - 1.0);
        self.shortest.mul_f64((1.0 + SLOWEST_MB / f64::from(memory_mb)) * off)
    }
}

impl State {
    /// The number of the invocation, or of the refusal.
    fn begin(&mut self, version: &str) -> Result<u32, u32> {
        let now = Instant::now();
        self.seen.first.get_or_insert(now);
        if !self.admission.admits(self.running) {
            self.seen.refused += 1;
            return Err(self.seen.refused);
        }
        self.running += 1;
        self.seen.let_through += 1;
        self.seen.most_running = self.seen.most_running.max(self.running);
        *self.seen.of_version.entry(version.to_owned()).or_default() += 1;
        self.seen.last = Some(now);
        self.seen.work_until_last = self.seen.work;
        Ok(self.seen.let_through)
    }

    fn end(&mut self, duration: Duration) {
        self.running -= 1;
        self.seen.work += duration;
    }
}

impl Seen {
    /// The invocations that got through, as a share of those the limit allows, until the last one
    /// began: until then there was work to do.
    pub(crate) fn goodput(&self, limit: Limit) -> f64 {
        let (Some(first), Some(last)) = (self.first, self.last) else { return 0.0 };
        let seconds = (last - first).as_secs_f64();
        match limit {
            Limit::None => 1.0,
            // Intended durations count: the delay of a busy machine is no work.
            Limit::InFlight(most) => {
                self.work_until_last.as_secs_f64() / (f64::from(most) * seconds)
            }
            Limit::PerSecond(rate) => {
                f64::from(self.let_through) / (f64::from(rate) * seconds + limit.saved())
            }
        }
    }
}

fn refusal(reason: &str, nth: u32) -> Response<Bytes> {
    let body = serde_json::json!({ "Reason": reason, "Type": "User", "message": "Rate Exceeded." });
    let mut refusal =
        Response::builder().status(429).header("x-amzn-errortype", "TooManyRequestsException");
    if nth.is_multiple_of(RETRY_AFTER_EVERY) {
        refusal = refusal.header(RETRY_AFTER, 1);
    }
    with_body(refusal, body.to_string())
}

fn answer(version: &str, memory_mb: u32, duration: Duration) -> Response<Bytes> {
    let id = Uuid::new_v4();
    let ms = duration.as_secs_f64() * 1000.0;
    let log = format!(
        "START RequestId: {id} Version: {version}\nEND RequestId: {id}\nREPORT RequestId: \
         {id}\tDuration: {ms:.2} ms\tBilled Duration: {:.0} ms\tMemory Size: {memory_mb} MB\tMax \
         Memory Used: 64 MB\t\n",
        ms.ceil()
    );
    let answer = Response::builder()
        .header("x-amzn-requestid", id.to_string())
        .header("x-amz-executed-version", version)
        .header("x-amz-log-result", BASE64_STANDARD.encode(log));
    with_body(answer, "{}".to_owned())
}

fn with_body(builder: Builder, body: String) -> Response<Bytes> {
    let answer = builder.header("content-type", "application/json").body(body.into());
    answer.expect("every header is text")
}
