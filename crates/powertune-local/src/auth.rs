//! Who may call: programs on this machine that hold a key pair of the server's or of one of its
//! environments.
//!
//! A caller is known by its access key id. Its signature is not verified yet.

use axum::http::{
    HeaderMap,
    header::{AUTHORIZATION, HOST},
};

use crate::{
    exception::{Exception, ExceptionKind},
    execution::EnvironmentId,
    platform::Platform,
};

/// Who signed a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Somebody with one of the server's key pairs.
    User,
    /// A function, by the key pair of its execution environment.
    Environment(EnvironmentId),
}

/// Refuses requests that name another host: a web page's script can reach loopback under a name of
/// its own, but cannot choose this header.
pub(crate) fn require_loopback(headers: &HeaderMap) -> Result<(), Exception> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    let known = name == "127.0.0.1" || name.eq_ignore_ascii_case("localhost");
    if known && port.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(());
    }
    Err(Exception::new(
        ExceptionKind::AccessDenied,
        format!("Host '{host}' is not served here: call 127.0.0.1 or localhost."),
    ))
}

/// Says who signed a request.
pub(crate) fn identify(headers: &HeaderMap, platform: &Platform) -> Result<Caller, Exception> {
    let authorization = headers.get(AUTHORIZATION).ok_or_else(|| {
        Exception::new(ExceptionKind::MissingAuthenticationToken, "Missing Authentication Token")
    })?;
    let access_key_id = authorization.to_str().ok().and_then(access_key_id).ok_or_else(|| {
        Exception::new(
            ExceptionKind::IncompleteSignature,
            "The Authorization header must be \"AWS4-HMAC-SHA256 \
                 Credential=KEY/DATE/REGION/lambda/aws4_request, SignedHeaders=..., \
                 Signature=...\": sign with AWS Signature Version 4.",
        )
    })?;
    if platform.credentials.iter().any(|pair| pair.access_key_id == access_key_id) {
        return Ok(Caller::User);
    }
    platform.execution.caller(access_key_id).map(Caller::Environment).ok_or_else(|| {
        Exception::new(
            ExceptionKind::UnrecognizedClient,
            "The security token included in the request is invalid.",
        )
    })
}

/// The access key id in an `Authorization` header of Signature Version 4.
fn access_key_id(authorization: &str) -> Option<&str> {
    let parameters = authorization.strip_prefix("AWS4-HMAC-SHA256 ")?;
    let value = |name: &str| {
        let mut parameters = parameters.split(',').map(str::trim);
        parameters.find_map(|parameter| parameter.strip_prefix(name)?.strip_prefix('='))
    };
    let scope: Vec<&str> = value("Credential")?.split('/').collect();
    let [.., _date, _region, _service, "aws4_request"] = *scope else { return None };
    value("SignedHeaders").filter(|headers| !headers.is_empty())?;
    value("Signature").filter(|signature| !signature.is_empty())?;
    scope.first().copied().filter(|_| scope.len() == 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &'static str) -> Result<(), Exception> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, name.parse().unwrap());
        require_loopback(&headers)
    }

    #[test]
    fn loopback_alone_is_served() {
        for served in ["127.0.0.1:9001", "localhost:9001", "LOCALHOST", "127.0.0.1"] {
            assert_eq!(host(served), Ok(()), "{served}");
        }
        for other in ["example.com:9001", "127.0.0.1.example.com", "localhost:x.com", "", "[::1]"] {
            assert!(host(other).is_err(), "{other}");
        }
        assert!(require_loopback(&HeaderMap::new()).is_err());
    }

    #[test]
    fn the_key_is_found_in_a_whole_header_only() {
        let whole = "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/lambda/aws4_request, \
                     SignedHeaders=host;x-amz-date, Signature=00";
        assert_eq!(access_key_id(whole), Some("AKID"));
        assert_eq!(access_key_id(&whole.replace(", ", ",")), Some("AKID"));
        for broken in [
            "",
            "Basic AKID",
            "AWS4-HMAC-SHA256 Credential=AKID",
            &whole.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
            &whole.replace("Signature=00", "Signature="),
            &whole.replace("/lambda", ""),
            &whole.replace("AKID", "AK/ID"),
        ] {
            assert_eq!(access_key_id(broken), None, "{broken}");
        }
    }
}
