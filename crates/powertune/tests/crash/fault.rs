//! Answers that Lambda, or the way to it, gives instead of the right one.

use std::{fmt, io};

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{
    Response,
    body::Frame,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};

/// The body of an answer, which may break off.
pub(crate) type Body = BoxBody<Bytes, io::Error>;

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Lambda refuses it with one of its exceptions, and has done nothing.
    Exception {
        status: u16,
        name: &'static str,
        /// Of a `TooManyRequestsException`.
        reason: Option<&'static str>,
    },
    /// Something on the way to Lambda answers, in HTML.
    Gateway(u16),
    /// The connection is reset before Lambda hears of it.
    ResetBefore,
    /// The connection is reset when Lambda has done it.
    ResetAfter,
    /// Lambda has done it, and the answer breaks off in its middle.
    Cut,
    /// Lambda has done it, and the end of the log is missing.
    NoLogResult,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exception { status, name, reason: None } => write!(f, "{status} {name}"),
            Self::Exception { status, reason: Some(reason), .. } => write!(f, "{status} {reason}"),
            Self::Gateway(status) => write!(f, "{status} from a gateway"),
            Self::ResetBefore => write!(f, "a reset before"),
            Self::ResetAfter => write!(f, "a reset after"),
            Self::Cut => write!(f, "a cut answer"),
            Self::NoLogResult => write!(f, "no LogResult"),
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

    /// Whether the request reaches Lambda.
    pub(crate) fn reaches(self) -> bool {
        matches!(self, Self::ResetAfter | Self::Cut | Self::NoLogResult)
    }

    /// What is answered to a request that does not reach Lambda; an error resets the connection.
    pub(crate) fn instead(self) -> io::Result<Response<Body>> {
        let (status, name, body, kind) = match self {
            Self::Exception { status, name, reason } => {
                let body = serde_json::json!({ "message": "a fault", "Reason": reason });
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

    /// What is made of an answer of Lambda's.
    pub(crate) fn spoil(self, answer: Response<Bytes>) -> io::Result<Response<Body>> {
        let (mut head, body) = answer.into_parts();
        match self {
            Self::Cut => {
                let half = Frame::data(body.slice(..body.len() / 2));
                let broken = io::Error::from(io::ErrorKind::ConnectionReset);
                head.headers.insert(CONTENT_LENGTH, body.len().max(1).into());
                let parts = stream::iter([Ok(half), Err(broken)]);
                Ok(Response::from_parts(head, BodyExt::boxed(StreamBody::new(parts))))
            }
            Self::NoLogResult => {
                head.headers.remove("x-amz-log-result");
                Ok(Response::from_parts(head, whole(body)))
            }
            _ => Err(io::ErrorKind::ConnectionReset.into()),
        }
    }
}

/// A body that does not break off.
pub(crate) fn whole(body: Bytes) -> Body {
    Full::new(body).map_err(|never| match never {}).boxed()
}
