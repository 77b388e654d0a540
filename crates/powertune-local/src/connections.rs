//! Connections, and limits for connections without a key.
//!
//! Any user of this machine can open connections to a port on loopback and send nothing. Each
//! connection takes a file descriptor of this process, and without a free one no caller gets an
//! answer. So a connection is limited until it has carried a signed request: there are few places,
//! a new connection takes the place of the oldest, and the time is short.

use std::{
    collections::VecDeque,
    io,
    pin::pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use axum::{Router, body::Body, extract::Request};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Most connections at a time that have not carried a signed request. Low enough to leave most of
/// 1,024 file descriptors, the usual limit, to callers with a key and to functions.
const UNAUTHENTICATED_LIMIT: usize = 256;
/// Time for the first signed request on a connection. A whole deployment package has to arrive in
/// it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause before the next attempt if the system has no free file descriptor.
const RETRY: Duration = Duration::from_millis(50);

/// The connections without a signed request yet, the oldest first.
#[derive(Debug, Default)]
struct UnauthenticatedConnections(Mutex<VecDeque<Weak<ConnectionHandle>>>);

/// One connection, for the requests on it.
#[derive(Debug)]
pub(crate) struct ConnectionHandle {
    unauthenticated: Arc<UnauthenticatedConnections>,
    /// Cancelled when a newer connection takes the place.
    expelled: CancellationToken,
    /// Cancelled at the first signed request.
    authenticated: CancellationToken,
}

impl ConnectionHandle {
    /// Lifts all limits of the connection.
    pub(crate) fn authenticate(self: &Arc<Self>) {
        if !self.authenticated.is_cancelled() {
            self.authenticated.cancel();
            self.unauthenticated.forget(Arc::as_ptr(self));
        }
    }
}

impl Drop for ConnectionHandle {
    fn drop(&mut self) {
        if !self.authenticated.is_cancelled() {
            self.unauthenticated.forget(self);
        }
    }
}

impl UnauthenticatedConnections {
    /// Adds a new connection. If there are too many, it takes the place of the oldest.
    fn receive(self: &Arc<Self>) -> Arc<ConnectionHandle> {
        let handle = Arc::new(ConnectionHandle {
            unauthenticated: Arc::clone(self),
            expelled: CancellationToken::new(),
            authenticated: CancellationToken::new(),
        });
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queue.push_back(Arc::downgrade(&handle));
        let oldest = if queue.len() > UNAUTHENTICATED_LIMIT { queue.pop_front() } else { None };
        drop(queue);
        if let Some(oldest) = oldest.and_then(|oldest| oldest.upgrade()) {
            oldest.expelled.cancel();
        }
        handle
    }

    fn forget(&self, handle: *const ConnectionHandle) {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queue.retain(|other| other.as_ptr() != handle);
    }
}

/// Serves until `stopping`, and completes the requests that have begun.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    stopping: CancellationToken,
) -> io::Result<()> {
    let (unauthenticated, open) =
        (Arc::new(UnauthenticatedConnections::default()), TaskTracker::new());
    while let Some(accepted) = stopping.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, _)) => {
                let handle = unauthenticated.receive();
                open.spawn(attend(stream, router.clone(), handle, stopping.clone()));
            }
            // The caller has hung up, or there are no file descriptors. Neither lasts.
            Err(_) => sleep(RETRY).await,
        }
    }
    drop(listener);
    open.close();
    open.wait().await;
    Ok(())
}

/// Serves the requests of one connection.
async fn attend(
    stream: TcpStream,
    router: Router,
    handle: Arc<ConnectionHandle>,
    stopping: CancellationToken,
) {
    // Answers are written whole, so there is nothing to wait for.
    let _ = stream.set_nodelay(true);
    let (expelled, authenticated) = (handle.expelled.clone(), handle.authenticated.clone());
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Arc::clone(&handle));
        router.call(request)
    });
    // No limit for a request's head: a client may keep its connection open.
    let mut builder = http1::Builder::new();
    let connection =
        builder.header_read_timeout(None).serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let too_long = async {
        sleep(PATIENCE).await;
        if authenticated.is_cancelled() {
            std::future::pending::<()>().await;
        }
    };
    let mut too_long = pin!(too_long);
    let mut told_to_end = false;
    loop {
        tokio::select! {
            // The caller broke off, or does not speak HTTP.
            _ = connection.as_mut() => return,
            () = expelled.cancelled() => return,
            () = too_long.as_mut() => return,
            () = stopping.cancelled(), if !told_to_end => {
                told_to_end = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_unauthenticated_makes_room_and_nobody_else() {
        let unauthenticated = Arc::new(UnauthenticatedConnections::default());
        let known = unauthenticated.receive();
        known.authenticate();
        let mut handles: Vec<_> =
            (0..UNAUTHENTICATED_LIMIT).map(|_| unauthenticated.receive()).collect();
        let expelled = |handles: &[Arc<ConnectionHandle>]| {
            handles.iter().filter(|handle| handle.expelled.is_cancelled()).count()
        };
        assert_eq!(expelled(&handles), 0);
        handles.push(unauthenticated.receive());
        assert!(handles[0].expelled.is_cancelled());
        // A connection that closes makes room too.
        handles.remove(1);
        handles.push(unauthenticated.receive());
        assert_eq!(expelled(&handles), 1);
        handles.push(unauthenticated.receive());
        assert_eq!(expelled(&handles), 2);
        assert!(!known.expelled.is_cancelled());
    }
}
