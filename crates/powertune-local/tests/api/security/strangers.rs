//! Half-open connections do not keep other callers from being served.

use std::{
    io::{ErrorKind, Read},
    net::TcpStream,
    time::{Duration, Instant},
};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use powertune_local::Settings;
use serde_json::json;

use super::{INVOKE, LIST};
use crate::bed::{Bed, code};

/// Number of connections that once locked the owner out.
const HALF_OPEN: usize = 1019;
/// The time that the server waits for the rest of a request.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connections that send nothing, or only half of a request.
fn half_open(address: &str, count: usize) -> Vec<TcpStream> {
    let open = |n: usize| {
        let mut stream = TcpStream::connect(address).unwrap();
        if n.is_multiple_of(2) {
            std::io::Write::write_all(&mut stream, b"POST /2015-03-31/functions HTTP/1.1\r\nHo")
                .unwrap();
        }
        stream.set_nonblocking(true).unwrap();
        stream
    };
    (0..count).map(open).collect()
}

/// True if the server still holds a connection.
fn is_open(mut stream: &TcpStream) -> bool {
    matches!(stream.read(&mut [0; 1]), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

#[tokio::test(flavor = "multi_thread")]
async fn half_open_connections_do_not_lock_the_owner_out() {
    // Both ends of a connection are in this process.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();

    let bed = Bed::start(Settings::default()).await;
    bed.function("f", 256).await;
    let address = bed.lambda.endpoint_url().replace("http://", "");
    let event = json!({"await": bed.folder.path().join("end")}).to_string();
    let begun = bed.draft("POST", INVOKE, &event).signed();
    let invocation = tokio::spawn({
        let url = bed.lambda.endpoint_url();
        async move { crate::bed::send(&url, &begun).await.status }
    });
    let kept = bed.client.list_functions().send().await;
    assert!(kept.is_ok(), "the client's connection stays open");
    tokio::time::sleep(Duration::from_millis(500)).await;

    let (mut strangers, mut slowest) = (Vec::new(), Duration::ZERO);
    for _ in 0..3 {
        strangers.extend(half_open(&address, HALF_OPEN));
        for _ in 0..5 {
            let asked = Instant::now();
            assert_eq!(bed.call("GET", LIST, "").await.status, 200, "over a new connection");
            assert!(bed.client.list_functions().send().await.is_ok(), "over the one that it had");
            slowest = slowest.max(asked.elapsed());
        }
    }
    assert!(slowest < PATIENCE, "the owner waits for no stranger: {slowest:?}");
    let open = strangers.iter().filter(|stream| is_open(stream)).count();
    assert!(open <= 256, "{open} of {} are held", strangers.len());
    std::fs::write(bed.folder.path().join("end"), "").unwrap();
    assert_eq!(invocation.await.unwrap(), 200, "what the owner had begun goes on");

    tokio::time::sleep(PATIENCE + Duration::from_secs(1)).await;
    let open = strangers.iter().filter(|stream| is_open(stream)).count();
    assert_eq!(open, 0, "nobody is waited for longer than ten seconds");
    let again = bed.client.get_function().function_name("none").send().await;
    assert_eq!(code(again), "ResourceNotFoundException", "the owner's own connection has no limit");
    println!(
        "figure: half-open connections beside which the owner was answered within {} ms: {}",
        slowest.as_millis(),
        strangers.len()
    );
}
