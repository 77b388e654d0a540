//! The proxy between powertune and the local Lambda. It records every request, and at given
//! requests it kills the process or spoils the answer.

use std::{
    future::pending,
    io,
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    Request, Response, StatusCode, Uri, body::Incoming, http::request::Parts, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    crash::{
        bench::Bench,
        bill::{Bill, Report},
        fault::{Body, Fault, whole},
        kind::ORIGINAL_MB,
        operation::Operation,
        trap::{Moment, Trap},
    },
    upstream::Upstream,
};

#[derive(Debug)]
pub(crate) struct Proxy {
    front: Arc<Front>,
    environment: Vec<(&'static str, String)>,
    _server: AbortOnDropHandle<()>,
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
    pub(crate) async fn start(bench: &Bench, traps: &[Trap]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let front = Arc::new(Front {
            upstream: bench.upstream(),
            traps: traps.to_vec(),
            seen: Mutex::default(),
            crashed: CancellationToken::new(),
        });
        let server = AbortOnDropHandle::new(tokio::spawn(serve(listener, Arc::clone(&front))));
        let mut environment = bench.environment();
        for (name, value) in &mut environment {
            if name.starts_with("AWS_ENDPOINT_URL") {
                *value = format!("http://127.0.0.1:{port}");
            }
        }
        Self { front, environment, _server: server }
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

async fn serve(listener: TcpListener, front: Arc<Front>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        // A connection that ends without an answer is reset.
        let _ = stream.set_zero_linger();
        let front = Arc::clone(&front);
        connections.spawn(async move {
            let service = service_fn(|request| front.answer(request));
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl Front {
    fn seen(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Incoming>) -> io::Result<Response<Body>> {
        let (mut head, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
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
