//! A proxy in front of the local Lambda. It can act just before it forwards a request, or answer a
//! request itself.

use std::sync::Arc;

use http_body_util::Full;
use hyper::{Response, body::Bytes, http::request::Parts};
use powertune_testing::{Server, Upstream};
use tokio::sync::Mutex;

use crate::bench::Bench;

/// Starts a proxy that forwards everything. It runs `happens` before the first request with this
/// method and `part` in its path.
pub(crate) fn door<F>(
    bench: &Bench,
    method: &'static str,
    part: &'static str,
    happens: impl FnOnce() -> F + Send + 'static,
) -> Server
where
    F: Future<Output = ()> + Send + 'static,
{
    door_at(bench, method, part, 1, happens)
}

/// The same before the `nth` such request, counted from 1.
pub(crate) fn door_at<F>(
    bench: &Bench,
    method: &'static str,
    part: &'static str,
    nth: usize,
    happens: impl FnOnce() -> F + Send + 'static,
) -> Server
where
    F: Future<Output = ()> + Send + 'static,
{
    let happens = Arc::new(Mutex::new((nth, Some(happens))));
    answered(bench, move |head| {
        let is_it = head.method == method && head.uri.path().contains(part);
        let happens = Arc::clone(&happens);
        async move {
            if is_it {
                let (left, happens) = &mut *happens.lock().await;
                *left = left.saturating_sub(1);
                if let Some(happens) = happens.take_if(|_| *left == 0) {
                    happens().await;
                }
            }
            None
        }
    })
}

/// Starts a proxy that answers some requests itself and forwards the rest.
pub(crate) fn answered<F>(
    bench: &Bench,
    answer: impl Fn(&Parts) -> F + Send + Sync + 'static,
) -> Server
where
    F: Future<Output = Option<Response<Full<Bytes>>>> + Send + 'static,
{
    let upstream = Upstream::of(&bench.lambda.environment());
    Server::start(move |head, body| {
        let (upstream, answered) = (upstream.clone(), answer(&head));
        async move {
            match answered.await {
                Some(response) => Ok(response),
                None => Ok(upstream.call(head, body).await?.map(Full::new)),
            }
        }
    })
}
