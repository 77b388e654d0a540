//! Wrong answers of Lambda, or of the way to it.

use std::{fmt, future::pending, io, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{
    HeaderMap, Response,
    body::Frame,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue},
};
use serde_json::{Value, json};

/// The body of an answer, which may end too early.
pub(crate) type Body = BoxBody<Bytes, io::Error>;

/// The fault of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Lambda refuses it with an exception, and has done nothing.
    Exception {
        status: u16,
        name: &'static str,
        /// The reason in a `TooManyRequestsException`.
        reason: Option<&'static str>,
    },
    /// A proxy or load balancer answers, in HTML.
    Gateway(u16),
    /// The connection is reset before Lambda gets the request.
    ResetBefore,
    /// The connection is reset after Lambda has carried out the request.
    ResetAfter,
    /// Lambda has carried it out, and the answer ends in the middle.
    Cut,
    /// Lambda has carried it out, and the answer comes later by this time.
    Slow(Duration),
    /// Lambda has carried it out, and the answer never comes.
    Silent,
    /// Lambda has carried it out, and the end of the log is missing or wrong.
    Log(Log),
    /// Lambda answers that it has run another version.
    OtherVersion,
    /// Lambda is still creating the version, or making the last update.
    Pending,
    /// Lambda could not create the version, or make the last update.
    Failed,
}

/// The fault of a `LogResult`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    Missing,
    NotBase64,
    Rubbish,
    /// It is the end of another invocation's log.
    OfAnother,
}

/// Lambda's reason for it.
pub(crate) const FAILURE: &str = "the subnet has run out of addresses";
/// The log of another invocation.
const ANOTHERS: &str = "REPORT RequestId: 00000000-0000-4000-8000-000000000000\tDuration: 7.00 ms\t\
                        Billed Duration: 7 ms\tMemory Size: 128 MB\tMax Memory Used: 30 MB\t\n";

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exception { status, name, reason: None } => write!(f, "{status} {name}"),
            Self::Exception { status, reason: Some(reason), .. } => write!(f, "{status} {reason}"),
            Self::Gateway(status) => write!(f, "{status} from a gateway"),
            Self::ResetBefore => write!(f, "a reset before"),
            Self::ResetAfter => write!(f, "a reset after"),
            Self::Cut => write!(f, "a cut answer"),
            Self::Slow(by) => write!(f, "an answer {} ms late", by.as_millis()),
            Self::Silent => write!(f, "no answer"),
            Self::Log(log) => write!(f, "a LogResult that is {log:?}"),
            Self::OtherVersion => write!(f, "another ExecutedVersion"),
            Self::Pending => write!(f, "Pending or InProgress"),
            Self::Failed => write!(f, "Failed"),
        }
    }
}

impl Fault {
    pub(crate) const fn throttled(reason: &'static str) -> Self {
        Self::Exception { status: 429, name: "TooManyRequestsException", reason: Some(reason) }
    }

    pub(crate) const fn exception(status: u16, name: &'static str) -> Self {
        Self::Exception { status, name, reason: None }
    }

    /// True if the request reaches Lambda.
    pub(crate) fn reaches(self) -> bool {
        !matches!(self, Self::Exception { .. } | Self::Gateway(_) | Self::ResetBefore)
    }

    /// The answer to a request that does not reach Lambda; an error resets the connection.
    pub(crate) fn instead(self) -> io::Result<Response<Body>> {
        let (status, name, body, kind) = match self {
            Self::Exception { status, name, reason } => {
                let body = json!({ "message": "a fault", "Reason": reason });
                (status, name, body.to_string(), "application/json")
            }
            Self::Gateway(status) => (status, "", "<html>a fault</html>".to_owned(), "text/html"),
            _ => return Err(io::ErrorKind::ConnectionReset.into()),
        };
        let mut answer = Response::builder().status(status).header(CONTENT_TYPE, kind);
        if !name.is_empty() {
            answer = answer.header("x-amzn-errortype", name);
        }
        answer.body(whole(body.into())).map_err(io::Error::other)
    }

    /// Spoils an answer of Lambda.
    pub(crate) async fn spoil(self, answer: Response<Bytes>) -> io::Result<Response<Body>> {
        let (mut head, mut body) = answer.into_parts();
        match self {
            Self::Cut => {
                let half = Frame::data(body.slice(..body.len() / 2));
                let broken = io::Error::from(io::ErrorKind::ConnectionReset);
                head.headers.insert(CONTENT_LENGTH, body.len().max(1).into());
                let parts = stream::iter([Ok(half), Err(broken)]);
                return Ok(Response::from_parts(head, BodyExt::boxed(StreamBody::new(parts))));
            }
            Self::Slow(by) => tokio::time::sleep(by).await,
            Self::Silent => pending().await,
            Self::Log(log) => log.spoil(&mut head.headers),
            Self::OtherVersion => {
                let other = HeaderValue::from_static("4711");
                head.headers.insert("x-amz-executed-version", other);
            }
            Self::Pending | Self::Failed => {
                body = self.restated(&body).map_err(io::Error::other)?;
                head.headers.insert(CONTENT_LENGTH, body.len().into());
            }
            Self::Exception { .. } | Self::Gateway(_) | Self::ResetBefore | Self::ResetAfter => {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
        }
        Ok(Response::from_parts(head, whole(body)))
    }

    /// The answer to GetFunction with another state of a version, or of the last update of
    /// `$LATEST`.
    fn restated(self, body: &Bytes) -> serde_json::Result<Bytes> {
        let mut answer: Value = serde_json::from_slice(body)?;
        let configuration = &mut answer["Configuration"];
        let is_latest = configuration["Version"] == "$LATEST";
        let (field, working) =
            if is_latest { ("LastUpdateStatus", "InProgress") } else { ("State", "Pending") };
        let is_failed = self == Self::Failed;
        configuration[field] = json!(if is_failed { "Failed" } else { working });
        if is_failed {
            configuration[format!("{field}Reason")] = json!(FAILURE);
        }
        Ok(answer.to_string().into())
    }
}

impl Log {
    fn spoil(self, headers: &mut HeaderMap) {
        let text = match self {
            Self::Missing => {
                headers.remove("x-amz-log-result");
                return;
            }
            Self::NotBase64 => "?not base64?".to_owned(),
            Self::Rubbish => BASE64_STANDARD.encode([0xff, 0x00, b'R', b'E', 0xc3, 0x28]),
            Self::OfAnother => BASE64_STANDARD.encode(ANOTHERS),
        };
        let text = HeaderValue::from_str(&text).expect("these are characters of a header");
        headers.insert("x-amz-log-result", text);
    }
}

pub(crate) fn whole(body: Bytes) -> Body {
    Full::new(body).map_err(|never| match never {}).boxed()
}
