//! The proxy between powertune and the local Lambda. It records every request, and at given
//! requests it kills the process or spoils the answer.

use std::{
    future::pending,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use hyper::{Response, StatusCode, Uri, http::request::Parts};
use powertune_testing::{Server, Upstream};
use tokio_util::sync::CancellationToken;

use crate::crash::{
    bench::Bench,
    bill::{Bill, Report},
    fault::{Body, Fault, whole},
    kind::ORIGINAL_MB,
    operation::Operation,
    trap::{Moment, Trap},
};

#[derive(Debug)]
pub(crate) struct Proxy {
    front: Arc<Front>,
    environment: Vec<(&'static str, String)>,
    _server: Server,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) operation: Operation,
    /// The fault of the request.
    pub(crate) fault: Option<Fault>,
    /// True if it has reached Lambda.
    pub(crate) reached: bool,
    /// The status of Lambda's answer.
    pub(crate) status: Option<StatusCode>,
    /// Lambda's report, with the billed duration.
    pub(crate) report: Option<Report>,
}

#[derive(Debug)]
struct Front {
    upstream: Upstream,
    traps: Vec<Trap>,
    seen: Mutex<Vec<Seen>>,
    /// Cancelled at the time of the crash.
    crashed: CancellationToken,
}

impl Proxy {
    pub(crate) fn start(bench: &Bench, traps: &[Trap]) -> Self {
        let environment = bench.environment();
        let front = Arc::new(Front {
            upstream: Upstream::of(&environment),
            traps: traps.to_vec(),
            seen: Mutex::default(),
            crashed: CancellationToken::new(),
        });
        let shared = Arc::clone(&front);
        let server = Server::start(move |head, body| Arc::clone(&shared).answer(head, body));
        Self { front, environment: server.in_front_of(environment), _server: server }
    }

    /// The environment variables for a process that calls this proxy.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        self.environment.clone()
    }

    /// The changes that the process has requested.
    pub(crate) fn changes(&self) -> Vec<Operation> {
        let seen = self.front.seen();
        seen.iter().map(|seen| seen.operation).filter(|operation| operation.is_change()).collect()
    }

    /// True if a run with these sizes may have begun to apply its choice: it sets each other size
    /// once to measure, and then its own.
    pub(crate) fn may_have_applied(&self, powers: &str) -> bool {
        let original = ORIGINAL_MB.to_string();
        let to_measure = powers.split(',').filter(|power| **power != original).count() + 1;
        let is_update = |change: &&Operation| **change == Operation::UpdateFunctionConfiguration;
        self.changes().iter().filter(is_update).count() > to_measure
    }

    /// All operations that the process has requested.
    pub(crate) fn operations(&self) -> Vec<Operation> {
        self.front.seen().iter().map(|seen| seen.operation).collect()
    }

    /// The number of requests with a fault.
    pub(crate) fn faults(&self) -> usize {
        self.front.seen().iter().filter(|seen| seen.fault.is_some()).count()
    }

    /// True if an operation was carried out.
    pub(crate) fn has_reached(&self, operation: Operation) -> bool {
        self.front.seen().iter().any(|seen| seen.operation == operation && seen.reached)
    }

    /// The bill of the run's invocations of a function with this timeout.
    pub(crate) fn bill(&self, timeout_s: i32) -> Bill {
        let seen = self.front.seen();
        Bill::of(seen.iter().filter(|seen| seen.operation == Operation::Invoke), timeout_s)
    }

    pub(crate) async fn crash(&self) {
        self.front.crashed.cancelled().await;
    }
}

impl Front {
    fn seen(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(self: Arc<Self>, mut head: Parts, body: Bytes) -> io::Result<Response<Body>> {
        let operation = Operation::of(&head.method, &head.uri);
        if operation == Operation::ListVersionsByFunction {
            head.uri = in_small_pages(&head.uri);
        }
        let (number, trap) = self.note(operation);
        match trap {
            Some(Trap::Crash { moment, .. }) => {
                if moment == Moment::After {
                    self.forward(number, head, body).await?;
                }
                self.crashed.cancel();
                // The process gets no further answer.
                pending().await
            }
            Some(Trap::Fault { fault, .. }) if !fault.reaches() => fault.instead(),
            Some(Trap::Fault { fault, .. }) => {
                fault.spoil(self.forward(number, head, body).await?).await
            }
            None => Ok(self.forward(number, head, body).await?.map(whole)),
        }
    }

    /// Passes the request on to Lambda, and records the outcome.
    async fn forward(
        &self,
        number: Option<usize>,
        head: Parts,
        body: Bytes,
    ) -> io::Result<Response<Bytes>> {
        let answer = self.upstream.call(head, body).await?;
        let mut seen = self.seen();
        if let Some(seen) = number.and_then(|number| seen.get_mut(number)) {
            seen.status = Some(answer.status());
            seen.report = Report::read(answer.headers());
        }
        Ok(answer)
    }

    /// Records a request; returns its place and its fault. After the process was killed, requests
    /// are neither recorded nor passed on.
    fn note(&self, operation: Operation) -> (Option<usize>, Option<Trap>) {
        let mut seen = self.seen();
        if self.crashed.is_cancelled() {
            return (None, Some(Trap::Crash { nth: 0, moment: Moment::Before }));
        }
        let mut operations: Vec<Operation> = seen.iter().map(|seen| seen.operation).collect();
        operations.push(operation);
        let trap = self.traps.iter().find(|trap| trap.means(&operations)).cloned();
        let (fault, reached) = match trap {
            Some(Trap::Fault { fault, .. }) => (Some(fault), fault.reaches()),
            Some(Trap::Crash { moment, .. }) => (None, moment == Moment::After),
            None => (None, true),
        };
        seen.push(Seen { operation, fault, reached, status: None, report: None });
        (Some(seen.len() - 1), trap)
    }
}

/// Makes the pages of lists small, so that a few versions have several.
fn in_small_pages(uri: &Uri) -> Uri {
    let query = uri.query().map_or_else(String::new, |query| format!("{query}&"));
    let paged = format!("{}?{query}MaxItems=2", uri.path());
    paged.parse().expect("a parameter more does not make the URI a bad one")
}
