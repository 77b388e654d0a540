//! A process that has reached its limit of open files. It is a test binary of its own, because the
//! limit holds for all threads.

use std::{fs::File, io, net::Ipv4Addr, time::Duration};

use nix::{
    errno::Errno,
    sys::resource::{Resource, getrlimit, setrlimit},
};
use powertune_engine::{
    gateway::{Connection, Gateway, NotInvoked},
    raise_open_files,
};
use tokio::net::TcpListener;

const FEW: u64 = 64;

/// Opens files until the limit, and returns the error.
fn open_all() -> (Vec<File>, io::Error) {
    let mut files = Vec::new();
    loop {
        match File::open("/dev/null") {
            Ok(file) => files.push(file),
            Err(error) => return (files, error),
        }
    }
}

#[tokio::test]
async fn an_invocation_that_finds_no_file_for_its_connection_was_not_sent() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, FEW, most).expect("a soft limit can be lowered");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let connection = Connection {
        region: Some("us-east-1".parse().expect("a region")),
        profile: None,
        endpoint_url: Some(format!("http://{address}")),
        credentials: Some(("key".to_owned(), "secret".to_owned())),
    };
    let function = "fn".parse().expect("a name");
    let gateway = Gateway::connect(&connection, &function).await.expect("a gateway");
    let invoker = gateway.invoker(Duration::from_secs(1));

    let (files, error) = open_all();
    assert_eq!(error.raw_os_error(), Some(Errno::EMFILE as i32), "{error}");
    let answer = invoker.invoke("fn", Some("1"), b"{}").await;
    let Err(NotInvoked::Later { why }) = &answer else { panic!("{answer:?}") };
    assert!(why.contains("Too many open files"), "{why}");
    assert!(why.contains("--endpoint-url"), "only what was not sent says so: {why}");

    drop(files);
    raise_open_files();
    let (raised, _) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    assert_eq!(raised, most);
}
