//! Bodies of requests. A body is read whole before the operation begins, because the signature
//! covers all of it.

use axum::body::{Body, BodyDataStream, Bytes};
use futures::StreamExt;
use sha2::{Digest, Sha256};

use super::operations::OperationName;
use crate::exception::{Exception, ExceptionKind};

/// Longest body of an operation that carries a deployment package, in bytes.
pub(super) const PACKAGE_LIMIT: usize = 70_167_211;
/// Longest deployment package that a request carries, in bytes.
const ZIP_LIMIT: usize = 52_428_800;
/// Longest body of most other operations.
pub(super) const BODY_LIMIT: usize = 1 << 20;
/// Most bytes that are read of a refused body.
const DISCARD_LIMIT: usize = 4 * PACKAGE_LIMIT;

#[derive(Debug)]
pub(super) struct HashedBody {
    pub(super) content: Bytes,
    /// In hexadecimal.
    pub(super) sha256: String,
}

impl HashedBody {
    /// Reads a body of at most `limit` bytes. It is hashed chunk by chunk, so that a long body does
    /// not block other requests.
    pub(super) async fn read(
        body: Body,
        limit: usize,
        operation: OperationName,
    ) -> Result<Self, Exception> {
        let mut stream = body.into_data_stream();
        let (mut content, mut hash) = (Vec::new(), Sha256::new());
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|error| {
                let message = format!("The request's body could not be read to its end: {error}");
                Exception::new(ExceptionKind::InvalidRequestContent, message)
            })?;
            if content.len() + chunk.len() > limit {
                discard(stream).await;
                let message = request_too_large(limit, operation);
                return Err(Exception::new(ExceptionKind::RequestEntityTooLarge, message));
            }
            hash.update(&chunk);
            content.extend_from_slice(&chunk);
        }
        let sha256 = base16ct::lower::encode_string(&hash.finalize());
        Ok(Self { content: content.into(), sha256 })
    }
}

/// Reads the rest of a refused body. A client that is cut off while it sends never reads the
/// answer.
pub(super) async fn discard(mut stream: BodyDataStream) {
    let mut size = 0;
    while let Some(Ok(chunk)) = stream.next().await {
        size += chunk.len();
        if size > DISCARD_LIMIT {
            return;
        }
    }
}

pub(super) fn within(
    limit: usize,
    body: &Bytes,
    operation: OperationName,
) -> Result<(), Exception> {
    if body.len() <= limit {
        return Ok(());
    }
    Err(Exception::new(ExceptionKind::RequestTooLarge, request_too_large(limit, operation)))
}

fn request_too_large(limit: usize, operation: OperationName) -> String {
    format!("Request must be smaller than {limit} bytes for the {operation} operation")
}

/// Refuses a deployment package that is too long for a request.
pub(super) fn within_zip_limit(zip: &[u8]) -> Result<(), Exception> {
    if zip.len() <= ZIP_LIMIT {
        return Ok(());
    }
    Err(Exception::new(
        ExceptionKind::RequestEntityTooLarge,
        format!("Zipped size must be smaller than {ZIP_LIMIT} bytes"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_is_read_and_hashed() {
        let received =
            HashedBody::read(Body::from("abc"), 3, OperationName("Invoke")).await.unwrap();
        assert_eq!(received.content, "abc");
        // The first example of FIPS 180-4.
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(received.sha256, sha256);
        let refused =
            HashedBody::read(Body::from("abcd"), 3, OperationName("Invoke")).await.unwrap_err();
        assert_eq!(refused.kind, ExceptionKind::RequestEntityTooLarge);
    }

    #[test]
    fn a_body_beyond_the_limit_is_told_as_aws_tells_it() {
        let body = Bytes::from_static(&[0; 11]);
        let exception = within(10, &body, OperationName("InvokeFunction")).unwrap_err();
        assert_eq!(exception.kind, ExceptionKind::RequestTooLarge);
        assert_eq!(
            exception.message,
            "Request must be smaller than 10 bytes for the InvokeFunction operation"
        );
        assert_eq!(within(11, &body, OperationName("")), Ok(()));
    }
}
