//! Connections: who is heard while others only hold the line.
//!
//! Any user of this machine can open connections to a port on loopback and send nothing. Each takes
//! a file descriptor of this process, and without one nobody else is heard. So a connection counts
//! as a stranger's until a request on it was answered that a key had signed, and strangers get
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
const STRANGERS: usize = 256;
/// How long a connection may be open before a request on it was signed, in which a whole deployment
/// package has to arrive.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait where the system has no file descriptor left for a new connection.
const RETRY: Duration = Duration::from_millis(50);

/// The connections that nobody with a key has used yet, the oldest first.
#[derive(Debug, Default)]
struct Strangers(Mutex<VecDeque<Weak<Visit>>>);

/// One connection, as a request on it sees it.
#[derive(Debug)]
pub(crate) struct Visit {
    strangers: Arc<Strangers>,
    /// Cancelled when the connection has to make room for a newer one.
    expelled: CancellationToken,
    /// Cancelled when somebody with a key has used it.
    welcome: CancellationToken,
}

impl Visit {
    /// Says that the connection is used by somebody who may: it has no limits any more.
    pub(crate) fn welcome(self: &Arc<Self>) {
        if !self.welcome.is_cancelled() {
            self.welcome.cancel();
            self.strangers.forget(Arc::as_ptr(self));
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if !self.welcome.is_cancelled() {
            self.strangers.forget(self);
        }
    }
}

impl Strangers {
    /// Takes in a new connection; the oldest one makes room for it where there are too many.
    fn receive(self: &Arc<Self>) -> Arc<Visit> {
        let visit = Arc::new(Visit {
            strangers: Arc::clone(self),
            expelled: CancellationToken::new(),
            welcome: CancellationToken::new(),
        });
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queue.push_back(Arc::downgrade(&visit));
        let oldest = if queue.len() > STRANGERS { queue.pop_front() } else { None };
        drop(queue);
        if let Some(oldest) = oldest.and_then(|oldest| oldest.upgrade()) {
            oldest.expelled.cancel();
        }
        visit
    }

    fn forget(&self, visit: *const Visit) {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queue.retain(|other| other.as_ptr() != visit);
    }
}

/// Serves until `stopping`, and then what has been begun to its end.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    stopping: CancellationToken,
) -> io::Result<()> {
    let (strangers, open) = (Arc::new(Strangers::default()), TaskTracker::new());
    while let Some(accepted) = stopping.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, _)) => {
                let visit = strangers.receive();
                open.spawn(attend(stream, router.clone(), visit, stopping.clone()));
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
async fn attend(stream: TcpStream, router: Router, visit: Arc<Visit>, stopping: CancellationToken) {
    // Answers are written whole, so that there is nothing to wait for.
    let _ = stream.set_nodelay(true);
    let (expelled, welcome) = (visit.expelled.clone(), visit.welcome.clone());
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Arc::clone(&visit));
        router.call(request)
    });
    // The time for a request's head is not limited here: a client may keep its connection.
    let mut builder = http1::Builder::new();
    let connection =
        builder.header_read_timeout(None).serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let too_long = async {
        sleep(PATIENCE).await;
        if welcome.is_cancelled() {
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
    fn the_oldest_stranger_makes_room_and_nobody_else() {
        let strangers = Arc::new(Strangers::default());
        let known = strangers.receive();
        known.welcome();
        let mut visits: Vec<_> = (0..STRANGERS).map(|_| strangers.receive()).collect();
        let expelled = |visits: &[Arc<Visit>]| {
            visits.iter().filter(|visit| visit.expelled.is_cancelled()).count()
        };
        assert_eq!(expelled(&visits), 0);
        visits.push(strangers.receive());
        assert!(visits[0].expelled.is_cancelled());
        // Who goes by itself makes room too.
        visits.remove(1);
        visits.push(strangers.receive());
        assert_eq!(expelled(&visits), 1);
        visits.push(strangers.receive());
        assert_eq!(expelled(&visits), 2);
        assert!(!known.expelled.is_cancelled());
    }
}
