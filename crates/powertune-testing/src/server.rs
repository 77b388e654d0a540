//! The server: a function gives its answers.

use std::{
    error::Error,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    Request, Response,
    body::{Body, Incoming},
    http::request::Parts,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    runtime::{Builder, Runtime},
    task::JoinSet,
};
use tokio_util::task::AbortOnDropHandle;

/// The number of connections that may wait until the server accepts them.
const BACKLOG: u32 = 1024;

/// An HTTP server on a free port of 127.0.0.1. When it is dropped, it closes its port and all its
/// connections.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    _serving: AbortOnDropHandle<()>,
    own_runtime: Option<Runtime>,
}

impl Server {
    /// Starts a server in the current runtime of tokio. `answer` gets each request with its whole
    /// body, and may answer many requests at the same time. If it fails, or the body of its answer
    /// fails, the server resets the connection. If it never ends, the client gets no answer.
    pub fn start<F, A, B>(answer: F) -> Self
    where
        F: Fn(Parts, Bytes) -> A + Send + Sync + 'static,
        A: Future<Output = io::Result<Response<B>>> + Send + 'static,
        B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
        let listener = socket.listen(BACKLOG).expect("the port is its own");
        let address = listener.local_addr().expect("it is bound");
        let serving = AbortOnDropHandle::new(tokio::spawn(serve(listener, Arc::new(answer))));
        Self { address, _serving: serving, own_runtime: None }
    }

    /// Starts a server in a runtime of its own, for tests that have none.
    pub fn alone<F, A, B>(answer: F) -> Self
    where
        F: Fn(Parts, Bytes) -> A + Send + Sync + 'static,
        A: Future<Output = io::Result<Response<B>>> + Send + 'static,
        B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let mut server = {
            let _entered = runtime.enter();
            Self::start(answer)
        };
        server.own_runtime = Some(runtime);
        server
    }

    /// The address and port on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of the server, without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The same environment variables with this server as the endpoint of AWS.
    pub fn in_front_of<N: AsRef<str>>(
        &self,
        mut environment: Vec<(N, String)>,
    ) -> Vec<(N, String)> {
        for (name, value) in &mut environment {
            if name.as_ref().starts_with("AWS_ENDPOINT_URL") {
                *value = self.url();
            }
        }
        environment
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A runtime that is dropped waits for its threads, which must not happen in async code.
        if let Some(runtime) = self.own_runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn serve<F, A, B>(listener: TcpListener, answer: Arc<F>)
where
    F: Fn(Parts, Bytes) -> A + Send + Sync + 'static,
    A: Future<Output = io::Result<Response<B>>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve_connection(stream, Arc::clone(&answer)));
    }
}

async fn serve_connection<F, A, B>(stream: TcpStream, answer: Arc<F>)
where
    F: Fn(Parts, Bytes) -> A,
    A: Future<Output = io::Result<Response<B>>>,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
{
    let service = service_fn(|request: Request<Incoming>| async {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        answer(head, body).await
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if (&mut connection).await.is_err() {
        // The client may be gone already.
        let _ = connection.into_parts().io.inner().set_zero_linger();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        io::{self, ErrorKind, Read, Write},
        net::TcpStream,
    };

    use hyper::Response;

    use super::Server;

    fn asking(server: &Server) -> TcpStream {
        let mut client = TcpStream::connect(server.address()).expect("it listens");
        client.write_all(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n").expect("it is sent");
        client
    }

    #[test]
    fn a_failure_resets_the_connection() {
        let server = Server::alone(|_, _| async {
            Err::<Response<String>, _>(io::Error::from(ErrorKind::ConnectionReset))
        });
        let read = asking(&server).read(&mut [0]);
        assert_eq!(read.expect_err("no answer").kind(), ErrorKind::ConnectionReset);
    }

    #[test]
    fn a_server_that_is_dropped_closes_its_connections() {
        let server = Server::alone(|_, _| pending::<io::Result<Response<String>>>());
        let mut client = asking(&server);
        let address = server.address();
        drop(server);
        assert_eq!(client.read(&mut [0]).unwrap_or(0), 0);
        TcpStream::connect(address).expect_err("nobody listens");
    }
}
