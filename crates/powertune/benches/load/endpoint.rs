//! A Lambda endpoint with the control plane of the local Lambda, and its own Invoke.

use std::{
    collections::HashMap,
    io,
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use form_urlencoded::parse;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, body::Incoming, http::request::Parts, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use powertune_local::LocalLambda;
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    invocations::{Invocations, Seen},
    limit::Limit,
    upstream::Upstream,
};

/// An endpoint for one run.
#[derive(Debug)]
pub(crate) struct Endpoint {
    front: Arc<Front>,
    environment: Vec<(&'static str, String)>,
    _server: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Front {
    upstream: Upstream,
    invocations: Invocations,
    /// The memory size of each published version.
    memory_mb: Mutex<HashMap<String, u32>>,
}

impl Endpoint {
    /// Starts to listen on a port of its own.
    pub(crate) async fn start(lambda: &LocalLambda, limit: Limit, shortest: Duration) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let front = Arc::new(Front {
            upstream: Upstream::of(lambda),
            invocations: Invocations::new(limit, shortest),
            memory_mb: Mutex::default(),
        });
        let server = AbortOnDropHandle::new(tokio::spawn(serve(listener, Arc::clone(&front))));
        let mut environment = lambda.environment();
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

    pub(crate) fn seen(&self) -> Seen {
        self.front.invocations.seen()
    }
}

async fn serve(listener: TcpListener, front: Arc<Front>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let front = Arc::clone(&front);
        connections.spawn(async move {
            let service = service_fn(|request| front.answer(request));
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl Front {
    async fn answer(&self, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let answer = if head.uri.path().ends_with("/invocations") {
            let version = qualifier(&head);
            let memory_mb = self.memory_mb(&version);
            self.invocations.invoke(&version, memory_mb).await
        } else {
            let publishes = head.method == Method::POST && head.uri.path().ends_with("/versions");
            let answer = self.upstream.call(head, body).await?;
            if publishes {
                self.published(answer.body());
            }
            answer
        };
        Ok(answer.map(Full::new))
    }

    /// Remembers the version in an answer to PublishVersion.
    fn published(&self, answer: &Bytes) {
        let version: Value = serde_json::from_slice(answer).unwrap_or_default();
        let (number, memory_mb) = (version["Version"].as_str(), version["MemorySize"].as_u64());
        if let (Some(number), Some(memory_mb)) = (number, memory_mb) {
            let memory_mb = u32::try_from(memory_mb).expect("a memory size");
            let mut versions = self.memory_mb.lock().unwrap_or_else(PoisonError::into_inner);
            versions.insert(number.to_owned(), memory_mb);
        }
    }

    fn memory_mb(&self, version: &str) -> u32 {
        let versions = self.memory_mb.lock().unwrap_or_else(PoisonError::into_inner);
        *versions.get(version).expect("what is invoked was published")
    }
}

fn qualifier(head: &Parts) -> String {
    let query = head.uri.query().unwrap_or_default();
    let qualifier = parse(query.as_bytes()).find(|(name, _)| name == "Qualifier");
    qualifier.expect("a version is invoked").1.into_owned()
}
