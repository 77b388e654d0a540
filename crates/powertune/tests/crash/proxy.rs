//! What stands between powertune and the local Lambda: it takes down every request, and at
//! those that it is told of has the process killed, or spoils the answer.

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
    bench::Bench,
    bill::{Bill, Report},
    fault::{Body, Fault, whole},
    kind::ORIGINAL_MB,
    operation::Operation,
    trap::{Moment, Trap},
    upstream::Upstream,
};

/// A proxy for one process.
#[derive(Debug)]
pub(crate) struct Proxy {
    front: Arc<Front>,
    environment: Vec<(&'static str, String)>,
    _server: AbortOnDropHandle<()>,
}

/// A request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) operation: Operation,
    /// What was made to go wrong with it.
    pub(crate) fault: Option<Fault>,
    /// Whether Lambda has heard of it.
    pub(crate) reached: bool,
    /// What Lambda has answered.
    pub(crate) status: Option<StatusCode>,
    /// What Lambda has billed for it.
    pub(crate) report: Option<Report>,
}

#[derive(Debug)]
struct Front {
    upstream: Upstream,
    traps: Vec<Trap>,
    seen: Mutex<Vec<Seen>>,
    /// Cancelled when the time of the crash has come.
    crashed: CancellationToken,
}

impl Proxy {
    /// Starts to listen on a port of its own.
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

    /// The environment variables that point a process here.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        self.environment.clone()
    }

    /// The changes that were asked for.
    pub(crate) fn changes(&self) -> Vec<Operation> {
        let seen = self.front.seen();
        seen.iter().map(|seen| seen.operation).filter(|operation| operation.is_change()).collect()
    }

    /// Whether a run of these powers has come so far that it applies its choice: it changes the
    /// memory size to each other one to measure, and then back.
    pub(crate) fn may_have_applied(&self, powers: &str) -> bool {
        let original = ORIGINAL_MB.to_string();
        let to_measure = powers.split(',').filter(|power| **power != original).count() + 1;
        let is_update = |change: &&Operation| **change == Operation::UpdateFunctionConfiguration;
        self.changes().iter().filter(is_update).count() > to_measure
    }

    /// What was asked for, changes or not.
    pub(crate) fn operations(&self) -> Vec<Operation> {
        self.front.seen().iter().map(|seen| seen.operation).collect()
    }

    /// How many requests something was made to happen to.
    pub(crate) fn faults(&self) -> usize {
        self.front.seen().iter().filter(|seen| seen.fault.is_some()).count()
    }

    /// Whether an operation was carried out.
    pub(crate) fn has_reached(&self, operation: Operation) -> bool {
        self.front.seen().iter().any(|seen| seen.operation == operation && seen.reached)
    }

    /// What the run's invocations of a function with this timeout come to.
    pub(crate) fn bill(&self, timeout_s: i32) -> Bill {
        let seen = self.front.seen();
        Bill::of(seen.iter().filter(|seen| seen.operation == Operation::Invoke), timeout_s)
    }

    /// Waits until the process is to be killed.
    pub(crate) async fn crash(&self) {
        self.front.crashed.cancelled().await;
    }
}

async fn serve(listener: TcpListener, front: Arc<Front>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        // So that a connection that ends without an answer ends with a reset.
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
                // The process hears no answer any more.
                pending().await
            }
            Some(Trap::Fault { fault, .. }) if !fault.reaches() => fault.instead(),
            Some(Trap::Fault { fault, .. }) => {
                fault.spoil(self.forward(number, head, body).await?).await
            }
            None => Ok(self.forward(number, head, body).await?.map(whole)),
        }
    }

    /// Has Lambda carry it out, and takes down what came of it.
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

    /// Takes a request down; returns its place, and what is to happen to it. Whatever comes after
    /// the process was killed is not taken down and goes nowhere.
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

/// So that a list of a few versions has pages, as one of many has.
fn in_small_pages(uri: &Uri) -> Uri {
    let query = uri.query().map_or_else(String::new, |query| format!("{query}&"));
    let paged = format!("{}?{query}MaxItems=2", uri.path());
    paged.parse().expect("a parameter more does not make the URI a bad one")
}
