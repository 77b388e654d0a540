//! A Lambda endpoint with the control plane of the local Lambda, and its own Invoke.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use form_urlencoded::parse;
use http_body_util::Full;
use hyper::{Method, Response, http::request::Parts};
use powertune_local::LocalLambda;
use powertune_testing::{Server, Upstream};
use serde_json::Value;

use crate::{
    invocations::{Invocations, Seen},
    limit::Limit,
};

/// An endpoint for one run.
#[derive(Debug)]
pub(crate) struct Endpoint {
    front: Arc<Front>,
    environment: Vec<(&'static str, String)>,
    _server: Server,
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
    pub(crate) fn start(lambda: &LocalLambda, limit: Limit, shortest: Duration) -> Self {
        let environment = lambda.environment();
        let front = Arc::new(Front {
            upstream: Upstream::of(&environment),
            invocations: Invocations::new(limit, shortest),
            memory_mb: Mutex::default(),
        });
        let shared = Arc::clone(&front);
        let server = Server::start(move |head, body| Arc::clone(&shared).answer(head, body));
        Self { front, environment: server.in_front_of(environment), _server: server }
    }

    /// The environment variables that point a process here.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        self.environment.clone()
    }

    pub(crate) fn seen(&self) -> Seen {
        self.front.invocations.seen()
    }
}

impl Front {
    async fn answer(
        self: Arc<Self>,
        head: Parts,
        body: Bytes,
    ) -> io::Result<Response<Full<Bytes>>> {
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
