//! What stands between powertune and the local Lambda: it counts requests, and at the one that it
//! is told of has the process killed, or spoils the answer.

use std::{
    future::pending,
    io,
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http_body_util::BodyExt;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    bench::Bench,
    fault::{Body, Fault, whole},
    operation::Operation,
    upstream::Upstream,
};

/// A proxy for one process.
#[derive(Debug)]
pub(crate) struct Proxy {
    front: Arc<Front>,
    environment: Vec<(&'static str, String)>,
    _server: AbortOnDropHandle<()>,
}

/// What happens once.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trap {
    /// The process is killed at its n-th change, counted from 1.
    Crash { nth: usize, moment: Moment },
    /// The n-th request of this operation goes wrong.
    Fault { operation: Operation, nth: usize, fault: Fault },
}

/// On which side of the request a process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// It never reaches Lambda.
    Before,
    /// Lambda has carried it out, and nobody hears of it.
    After,
}

/// A request.
#[derive(Debug, Clone, Copy)]
struct Seen {
    operation: Operation,
    /// Whether Lambda has heard of it.
    reached: bool,
}

#[derive(Debug)]
struct Front {
    upstream: Upstream,
    trap: Option<Trap>,
    seen: Mutex<Vec<Seen>>,
    /// Cancelled when the time of the crash has come.
    crashed: CancellationToken,
}

impl Moment {
    pub(crate) const BOTH: [Self; 2] = [Self::Before, Self::After];
}

impl Proxy {
    /// Starts to listen on a port of its own.
    pub(crate) async fn start(bench: &Bench, trap: Option<Trap>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let front = Arc::new(Front {
            upstream: bench.upstream(),
            trap,
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

    /// How many requests of an operation there were, and how many of them have reached Lambda.
    pub(crate) fn count(&self, operation: Operation) -> (usize, usize) {
        let seen = self.front.seen();
        let of_it = || seen.iter().filter(|seen| seen.operation == operation);
        (of_it().count(), of_it().filter(|seen| seen.reached).count())
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
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        match self.note(Operation::of(&head.method, head.uri.path())) {
            Some(Trap::Crash { moment, .. }) => {
                if moment == Moment::After {
                    self.upstream.call(head, body).await?;
                }
                self.crashed.cancel();
                // The process hears no answer any more.
                pending().await
            }
            Some(Trap::Fault { fault, .. }) if !fault.reaches() => fault.instead(),
            Some(Trap::Fault { fault, .. }) => fault.spoil(self.upstream.call(head, body).await?),
            None => Ok(self.upstream.call(head, body).await?.map(whole)),
        }
    }

    /// Counts a request; returns the trap if it is the one that is meant, or comes after a crash.
    fn note(&self, operation: Operation) -> Option<Trap> {
        let mut seen = self.seen();
        if self.crashed.is_cancelled() {
            return Some(Trap::Crash { nth: 0, moment: Moment::Before });
        }
        seen.push(Seen { operation, reached: true });
        let is_meant = |nth: usize, counts: &dyn Fn(Operation) -> bool| {
            counts(operation) && seen.iter().filter(|seen| counts(seen.operation)).count() == nth
        };
        let trap = self.trap.filter(|trap| match *trap {
            Trap::Crash { nth, .. } => is_meant(nth, &|operation| operation.is_change()),
            Trap::Fault { operation: meant, nth, .. } => is_meant(nth, &|other| other == meant),
        })?;
        if let (Trap::Fault { fault, .. }, Some(last)) = (trap, seen.last_mut()) {
            last.reached = fault.reaches();
        }
        Some(trap)
    }
}
