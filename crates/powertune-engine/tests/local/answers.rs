//! The answers to Invoke, and its errors before and after sending, by their meaning for counts and
//! costs. A small server stands in for Lambda, because no real endpoint gives every answer.

use std::{fmt::Write, net::Ipv4Addr, time::Duration};

use powertune_engine::gateway::{Connection, ErrorKind, Gateway, Invoked, NotInvoked};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Nothing ran, for a temporary reason.
const LATER: &str = "later";
/// Nothing ran, and somebody has to change something.
const NEVER: &str = "never";
/// It may have run, and may be billed.
const UNKNOWN: &str = "unknown";

/// Every error in AWS's API reference on Invoke: its HTTP status and the meaning of its
/// description.
const ANSWERS: [(u16, &str, &str); 45] = [
    (403, "CodeArtifactUserDeletedException", LATER),
    (403, "CodeArtifactUserFailedException", NEVER),
    (409, "CodeArtifactUserPendingException", LATER),
    (409, "DurableExecutionAlreadyStartedException", NEVER),
    (502, "EC2AccessDeniedException", NEVER),
    (502, "EC2ThrottledException", LATER),
    (502, "EC2UnexpectedException", LATER),
    (410, "EFSIOException", UNKNOWN),
    (408, "EFSMountConnectivityException", LATER),
    (403, "EFSMountFailureException", NEVER),
    (408, "EFSMountTimeoutException", LATER),
    (502, "ENILimitReachedException", LATER),
    (502, "ENINotReadyException", LATER),
    (400, "InvalidParameterValueException", NEVER),
    (400, "InvalidRequestContentException", NEVER),
    (502, "InvalidRuntimeException", NEVER),
    (502, "InvalidSecurityGroupIDException", NEVER),
    (502, "InvalidSubnetIDException", NEVER),
    (502, "InvalidZipFileException", NEVER),
    (502, "KMSAccessDeniedException", NEVER),
    (502, "KMSDisabledException", NEVER),
    (502, "KMSInvalidStateException", NEVER),
    (502, "KMSNotFoundException", NEVER),
    (400, "ModeNotSupportedException", NEVER),
    (400, "NoPublishedVersionException", NEVER),
    (400, "RecursiveInvocationException", NEVER),
    (413, "RequestTooLargeException", NEVER),
    (409, "ResourceConflictException", LATER),
    (404, "ResourceNotFoundException", "gone"),
    (502, "ResourceNotReadyException", LATER),
    (408, "S3FilesMountConnectivityException", LATER),
    (403, "S3FilesMountFailureException", NEVER),
    (408, "S3FilesMountTimeoutException", LATER),
    (413, "SerializedRequestEntityTooLargeException", NEVER),
    (500, "ServiceException", UNKNOWN),
    (402, "ServiceQuotaExceededException", NEVER),
    (400, "SnapStartException", UNKNOWN),
    (409, "SnapStartNotReadyException", LATER),
    (400, "SnapStartRegenerationFailureException", LATER),
    (408, "SnapStartTimeoutException", UNKNOWN),
    (502, "SubnetIPAddressLimitReachedException", LATER),
    (429, "TooManyRequestsException", "throttled"),
    (415, "UnsupportedMediaTypeException", NEVER),
    (403, "AccessDeniedException", NEVER),
    (403, "ExpiredTokenException", NEVER),
];

/// Answers of an endpoint, or of a proxy in front of it, that no reference lists.
const UNHEARD_OF: [(u16, &str, &str); 12] = [
    (400, "ThrottlingException", "throttled"),
    (403, "", NEVER),
    (404, "", NEVER),
    (413, "RequestEntityTooLargeException", NEVER),
    (429, "", "throttled"),
    (400, "SomethingNewException", UNKNOWN),
    (408, "RequestTimeoutException", UNKNOWN),
    (409, "SomethingNewException", UNKNOWN),
    (412, "", UNKNOWN),
    (500, "", UNKNOWN),
    (502, "", UNKNOWN),
    (503, "ServiceUnavailable", UNKNOWN),
];

fn meaning(answer: &Result<Invoked, NotInvoked>) -> &'static str {
    match answer {
        Ok(_) => "invoked",
        Err(NotInvoked::Throttled { .. }) => "throttled",
        Err(NotInvoked::Later { .. }) => LATER,
        Err(NotInvoked::Never(_)) => NEVER,
        Err(NotInvoked::Gone(_)) => "gone",
        Err(NotInvoked::Unknown(_)) => UNKNOWN,
    }
}

async fn invoke(endpoint_url: String) -> Result<Invoked, NotInvoked> {
    let connection = Connection {
        region: Some("us-east-1".parse().expect("a region")),
        profile: None,
        endpoint_url: Some(endpoint_url),
        credentials: Some(("key".to_owned(), "secret".to_owned())),
    };
    let function = "fn".parse().expect("a name");
    let gateway = Gateway::connect(&connection, &function).await.expect("a gateway");
    gateway.invoker(Duration::from_secs(1)).invoke("fn", Some("1"), b"{}").await
}

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

/// Reads a whole request, whose payload has two bytes.
async fn read_request(stream: &mut TcpStream) {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n{}") {
        let mut some = [0; 4096];
        let count = stream.read(&mut some).await.expect("a request");
        assert!(count > 0, "the request ends early");
        read.extend_from_slice(&some[..count]);
    }
}

/// Sends one invocation, which is answered with this status and error.
async fn answered(status: u16, code: &str) -> Result<Invoked, NotInvoked> {
    let (listener, port) = listen().await;
    let body = r#"{"Type":"Service","message":"for a reason"}"#;
    let mut head = format!("HTTP/1.1 {status} Reason\r\ncontent-type: application/json\r\n");
    if !code.is_empty() {
        // As Lambda writes it.
        let _ = write!(head, "x-amzn-errortype: {code}\r\n");
    }
    let response = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        read_request(&mut stream).await;
        stream.write_all(response.as_bytes()).await.expect("an answer");
    });
    let answer = invoke(format!("http://127.0.0.1:{port}")).await;
    served.await.expect("it was served");
    answer
}

#[tokio::test]
async fn every_error_of_invoke_means_what_aws_says_of_it() {
    for (status, code, expected) in ANSWERS.into_iter().chain(UNHEARD_OF) {
        let answer = answered(status, code).await;
        assert_eq!(meaning(&answer), expected, "{status} {code}: {answer:?}");
    }
}

#[tokio::test]
async fn an_error_that_has_to_be_put_right_says_what_it_is() {
    let Err(NotInvoked::Never(error)) = answered(502, "KMSAccessDeniedException").await else {
        panic!("nothing ran");
    };
    assert_eq!(error.to_string(), "Invoke: KMSAccessDeniedException: for a reason");
}

fn is_not_sent(answer: &Result<Invoked, NotInvoked>) {
    // Only an unsent request is blamed on the endpoint.
    let Err(NotInvoked::Later { why }) = answer else { panic!("{answer:?}") };
    assert!(why.contains("--endpoint-url"), "{why}");
}

#[tokio::test]
async fn what_fails_before_a_connection_stands_was_not_sent() {
    // Nobody listens.
    let (listener, port) = listen().await;
    drop(listener);
    is_not_sent(&invoke(format!("http://127.0.0.1:{port}")).await);
    is_not_sent(&invoke(format!("https://127.0.0.1:{port}")).await);
    // A name that can't exist (RFC 6761).
    is_not_sent(&invoke("http://nobody.invalid".to_owned()).await);
}

#[tokio::test]
async fn a_handshake_that_fails_or_never_ends_is_no_connection() {
    let (listener, port) = listen().await;
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("no TLS");
        let (kept, _) = listener.accept().await.expect("a connection");
        tokio::time::sleep(Duration::from_secs(30)).await;
        drop(kept);
    });
    is_not_sent(&invoke(format!("https://127.0.0.1:{port}")).await);
    // The client gives up after five seconds.
    is_not_sent(&invoke(format!("https://127.0.0.1:{port}")).await);
    served.abort();
}

#[tokio::test]
async fn a_connection_that_breaks_once_it_stands_may_have_invoked() {
    for reads in [true, false] {
        let (listener, port) = listen().await;
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            if reads {
                read_request(&mut stream).await;
            }
        });
        let answer = invoke(format!("http://127.0.0.1:{port}")).await;
        served.await.expect("it was served");
        let Err(NotInvoked::Unknown(error)) = &answer else { panic!("{answer:?}") };
        assert_eq!(error.kind, ErrorKind::Unknown);
    }
}
