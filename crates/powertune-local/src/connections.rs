//! Connections: who is heard while others only hold the line.
//!
//! Any user of this machine can open connections to a port on loopback and send nothing. Each takes
//! a file descriptor of this process, and without one nobody else is heard. So a connection counts
//! as a unauthenticated's until a request on it was answered that a key had signed, and unauthenticated get
//! little: a few places, of which the newest ones stay, and a short time.

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

/// Connections that may be open at a time before a request on them was signed. Low enough to leave
/// most of 1,024 file descriptors, the usual limit, to those who have a key, and to functions.
const UNAUTHENTICATED_LIMIT: usize = 256;
/// How long a connection may be open before a request on it was signed, in which a whole deployment
/// package has to arrive.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait where the system has no file descriptor left for a new connection.
const RETRY: Duration = Duration::from_millis(50);

/// The connections that nobody with a key has used yet, the oldest first.
#[derive(Debug, Default)]
struct UnauthenticatedConnections(Mutex<VecDeque<Weak<ConnectionHandle>>>);

/// One connection, as a request on it sees it.
#[derive(Debug)]
pub(crate) struct ConnectionHandle {
    unauthenticated: Arc<UnauthenticatedConnections>,
    /// Cancelled when the connection has to make room for a newer one.
    expelled: CancellationToken,
    /// Cancelled when somebody with a key has used it.
    authenticated: CancellationToken,
}

impl ConnectionHandle {
    /// Says that the connection is used by somebody who may: it has no limits any more.
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
    /// Takes in a new connection; the oldest one makes room for it where there are too many.
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

/// Serves until `stopping`, and then what has been begun to its end.
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
            // The caller has gone again, or file descriptors are used up: neither lasts.
            Err(_) => sleep(RETRY).await,
        }
    }
    drop(listener);
    open.close();
    open.wait().await;
    Ok(())
}

/// Answers what comes over one connection.
async fn attend(
    stream: TcpStream,
    router: Router,
    handle: Arc<ConnectionHandle>,
    stopping: CancellationToken,
) {
    // Answers are written whole, so that there is nothing to wait for.
    let _ = stream.set_nodelay(true);
    let (expelled, authenticated) = (handle.expelled.clone(), handle.authenticated.clone());
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Arc::clone(&handle));
        router.call(request)
    });
    // The time for a request's head is not limited here: a client may keep its connection.
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
            // A caller that breaks off or speaks no HTTP is nobody's concern.
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
        // Who goes by itself makes room too.
        handles.remove(1);
        handles.push(unauthenticated.receive());
        assert_eq!(expelled(&handles), 1);
        handles.push(unauthenticated.receive());
        assert_eq!(expelled(&handles), 2);
        assert!(!known.expelled.is_cancelled());
    }
}
