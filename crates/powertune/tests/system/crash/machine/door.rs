//! The door between the interpreter, the functions of the steps, and the local Lambda.
//!
//! The interpreter calls steps here, as if this were Lambda. A step calls Lambda here, by an
//! endpoint with its own name and its process in the path: `/publish/4711/...`. Each execution
//! tunes a function of its own, so that the function in a request tells the execution. A step may
//! make only the calls that its policy allows, as on AWS.

use std::{
    collections::HashMap,
    future::pending,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use bytes::Bytes;
use hyper::{Response, StatusCode, http::request::Parts};
use powertune_core::workflow::Step;
use powertune_deploy::permission::permissions;
use powertune_testing::{Server, Upstream};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::watch::{End, Watch, Way};
use crate::crash::{
    fault::{Body, whole},
    operation::Operation,
    trap::Moment,
};

/// The header by which Lambda reports that a function has failed.
const FUNCTION_ERROR: &str = "x-amz-function-error";

/// The door to a local Lambda, for every execution on it.
#[derive(Debug)]
pub(crate) struct Door {
    front: Arc<Front>,
    pub(crate) server: Server,
}

#[derive(Debug)]
struct Front {
    upstream: Upstream,
    /// The watches by the name of the tuned function.
    watches: Mutex<HashMap<String, Arc<Watch>>>,
}

impl Door {
    /// A door to the local Lambda with these environment variables.
    pub(crate) fn open(lambda: &[(&'static str, String)]) -> Self {
        let upstream = Upstream::of(lambda);
        let front = Arc::new(Front { upstream, watches: Mutex::default() });
        let shared = Arc::clone(&front);
        let server = Server::start(move |head, body| Arc::clone(&shared).answer(head, body));
        Self { front, server }
    }

    /// Watches the execution that tunes this function.
    pub(crate) fn watch(&self, function: &str, watch: &Arc<Watch>) {
        let mut watches = self.front.watches.lock().unwrap_or_else(PoisonError::into_inner);
        watches.insert(function.to_owned(), Arc::clone(watch));
    }
}

impl Front {
    async fn answer(self: Arc<Self>, mut head: Parts, body: Bytes) -> io::Result<Response<Body>> {
        let path = head.uri.path_and_query().map_or("", |path| path.as_str()).to_owned();
        let mut parts = path.splitn(4, '/').skip(1);
        let caller = parts.next().and_then(Step::of_handler);
        let answer = match (caller, parts.next(), parts.next()) {
            (Some(step), Some(process), Some(rest)) => {
                head.uri = format!("/{rest}").parse().map_err(io::Error::other)?;
                self.request(step, process, head, body).await?
            }
            _ => self.call(head, body).await?,
        };
        Ok(answer.map(whole))
    }

    /// Answers the interpreter's call of a step.
    async fn call(&self, head: Parts, body: Bytes) -> io::Result<Response<Bytes>> {
        let called = named(head.uri.path());
        let step = called.as_deref().and_then(Step::of_handler).ok_or_else(unknown)?;
        let watch = self.watch(tuned(&body))?;
        match watch.call(step, &body) {
            None => self.run(step, head, body, &watch).await,
            Some(Way::Fails(error)) => {
                watch.sprung.cancel();
                Ok(failed(error, "it has not run"))
            }
            Some(Way::Lost(error)) => {
                self.run(step, head, body, &watch).await?;
                watch.sprung.cancel();
                Ok(failed(error, "its answer was lost"))
            }
            Some(Way::Silent { runs }) => {
                watch.sprung.cancel();
                if runs {
                    self.run(step, head, body, &watch).await?;
                }
                pending().await
            }
            Some(Way::Aborted) => {
                watch.sprung.cancel();
                watch.released.cancelled().await;
                self.run(step, head, body, &watch).await
            }
        }
    }

    /// Runs a step on Lambda to its end.
    async fn run(
        &self,
        step: Step,
        head: Parts,
        body: Bytes,
        watch: &Watch,
    ) -> io::Result<Response<Bytes>> {
        watch.seen().running += 1;
        let started = Instant::now();
        let answer = self.upstream.call(head, body).await;
        let mut seen = watch.seen();
        seen.running -= 1;
        seen.longest = seen.longest.max(started.elapsed());
        drop(seen);
        let answer = answer?;
        if answer.headers().contains_key(FUNCTION_ERROR) && watch.has_timed_out(step) {
            return Ok(failed("Sandbox.Timedout", "Error: Task timed out after 900.00 seconds"));
        }
        Ok(answer)
    }

    /// Answers a step's call to Lambda.
    async fn request(
        &self,
        step: Step,
        process: &str,
        head: Parts,
        body: Bytes,
    ) -> io::Result<Response<Bytes>> {
        let operation = Operation::of(&head.method, &head.uri);
        if !is_allowed(step, operation) {
            return Ok(denied(step, operation));
        }
        // The account's settings belong to no function.
        let Some(function) = named(head.uri.path()) else {
            return self.upstream.call(head, body).await;
        };
        let watch = self.watch(Some(function))?;
        match watch.request(step, operation) {
            None => self.pass_on(step, operation, head, body, &watch).await,
            Some((moment, End::Killed)) => {
                if moment == Moment::After {
                    self.pass_on(step, operation, head, body, &watch).await?;
                }
                watch.sprung.cancel();
                kill(process)?;
                // The step gets no further answer.
                pending().await
            }
            Some((Moment::Before, End::Aborted)) => {
                watch.sprung.cancel();
                watch.released.cancelled().await;
                self.pass_on(step, operation, head, body, &watch).await
            }
            Some((Moment::After, End::Aborted)) => {
                let answer = self.pass_on(step, operation, head, body, &watch).await;
                watch.sprung.cancel();
                watch.released.cancelled().await;
                answer
            }
        }
    }

    async fn pass_on(
        &self,
        step: Step,
        operation: Operation,
        head: Parts,
        body: Bytes,
        watch: &Watch,
    ) -> io::Result<Response<Bytes>> {
        let answer = self.upstream.call(head, body).await?;
        if operation.is_change() && answer.status().is_success() {
            watch.seen().made.push((step, operation));
        }
        Ok(answer)
    }

    fn watch(&self, function: Option<String>) -> io::Result<Arc<Watch>> {
        let watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        function.and_then(|name| watches.get(&name).cloned()).ok_or_else(unknown)
    }
}

fn unknown() -> io::Error {
    io::Error::other("a request of no execution that is watched")
}

/// The function in a path, by its name or its ARN.
fn named(path: &str) -> Option<String> {
    let mut segments = path.split('/').skip(2);
    segments.next().filter(|kind| ["functions", "tags"].contains(kind))?;
    let reference = segments.next()?.replace("%3A", ":");
    name_of(&reference)
}

/// The name in a name or ARN, with or without a qualifier.
fn name_of(reference: &str) -> Option<String> {
    let rest = reference.split_once(":function:").map_or(reference, |(_, rest)| rest);
    rest.split(':').next().map(str::to_owned)
}

/// The function that a step is to tune.
fn tuned(payload: &[u8]) -> Option<String> {
    let payload: Value = serde_json::from_slice(payload).ok()?;
    let paths = ["/request/lambdaARN", "/run/request/lambdaARN"];
    paths.iter().find_map(|path| name_of(payload.pointer(path)?.as_str()?))
}

/// Lambda's answer for a failed function.
fn failed(error: &str, message: &str) -> Response<Bytes> {
    let body = json!({ "errorType": error, "errorMessage": message }).to_string();
    Response::builder()
        .header(FUNCTION_ERROR, "Unhandled")
        .body(body.into())
        .expect("every part of it is one of HTTP's")
}

/// True if the policy of a step allows this call.
fn is_allowed(step: Step, operation: Operation) -> bool {
    let (action, _) = operation.permission();
    permissions(step).iter().any(|permission| permission.action == action)
}

fn denied(step: Step, operation: Operation) -> Response<Bytes> {
    let message = format!("{} is not authorized to perform: {operation:?}", step.name());
    Response::builder()
        .status(StatusCode::FORBIDDEN)
        .header("x-amzn-errortype", "AccessDeniedException")
        .body(json!({ "Message": message }).to_string().into())
        .expect("every part of it is one of HTTP's")
}

fn kill(process: &str) -> io::Result<()> {
    let process = process.parse().ok().and_then(Pid::from_raw).ok_or_else(unknown)?;
    Ok(kill_process(process, Signal::KILL)?)
}
