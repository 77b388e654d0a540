//! The check of AWS Signature Version 4, by AWS's own library.
//!
//! The hash of the body is always computed from the body. `X-Amz-Content-Sha256` has no effect.

use std::time::SystemTime;

use aws_credential_types::Credentials as SigningKey;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use axum::http::{HeaderMap, Method, Uri, request::Parts};
use jiff::Timestamp;
use subtle::ConstantTimeEq;

use super::authorization::Authorization;
use crate::{credentials::Credentials, exception::Exception};

/// Refuses a request that the holder of `key` did not sign. `body_sha256` is in hexadecimal.
pub(super) fn check(
    parts: &Parts,
    body_sha256: &str,
    authorization: &Authorization<'_>,
    key: &Credentials,
    signed_at: Timestamp,
) -> Result<(), Exception> {
    let request = Signed { method: &parts.method, uri: &parts.uri, headers: &parts.headers };
    let expected = request.signature(body_sha256, authorization, key, signed_at.into());
    let given = authorization.signature.as_bytes();
    // In constant time, so that the time does not tell how many bytes are right.
    if expected.is_some_and(|expected| expected.as_bytes().ct_eq(given).into()) {
        return Ok(());
    }
    let message = "The request signature we calculated does not match the signature you provided. \
                   Check your AWS Secret Access Key and signing method. Consult the service \
                   documentation for details.";
    Err(Exception::invalid_signature(message))
}

/// The parts of a request that a signature covers, except for the body.
struct Signed<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
}

impl Signed<'_> {
    /// The signature that the holder of `key` would make, with the scope and the headers of
    /// `authorization`. `None` if nobody can sign the request.
    fn signature(
        &self,
        body_sha256: &str,
        authorization: &Authorization<'_>,
        key: &Credentials,
        at: SystemTime,
    ) -> Option<String> {
        let names = authorization.signed_headers.split(';');
        // The library is slow with many repeated names. No client repeats a name.
        if names.clone().count() > self.headers.keys_len() {
            return None;
        }
        let headers = names.flat_map(|name| {
            let values = self.headers.get_all(name).iter();
            values.map(move |value| Some((name, value.to_str().ok()?)))
        });
        let headers: Vec<(&str, &str)> = headers.collect::<Option<_>>()?;
        let target = self.uri.path_and_query()?.as_str();
        let body = SignableBody::Precomputed(body_sha256.to_owned());
        let request =
            SignableRequest::new(self.method.as_str(), target, headers.into_iter(), body).ok()?;
        // Without the token: if it is signed, it is among the headers.
        let (id, secret) = (&key.access_key_id, &key.secret_access_key);
        let identity = SigningKey::new(id, secret, None, None, "server").into();
        let mut settings = SigningSettings::default();
        // All signed headers count, also those that the library would leave out.
        settings.excluded_headers = None;
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(authorization.region)
            .name(authorization.service)
            .time(at)
            .settings(settings)
            .build()
            .ok()?
            .into();
        Some(sign(request, &parameters).ok()?.into_parts().1)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    /// SHA-256 of an empty body.
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    /// The credentials of AWS's examples.
    fn example_key() -> Credentials {
        Credentials {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: None,
        }
    }

    /// The signature of an example at 20150830T123600Z in us-east-1, over all of its headers.
    fn signature_of(
        method: &Method,
        uri: &str,
        service: &str,
        headers: &[(&'static str, &'static str)],
    ) -> String {
        let mut all = HeaderMap::new();
        let date = ("x-amz-date", "20150830T123600Z");
        for (name, value) in headers.iter().chain([&date]) {
            all.append(*name, value.parse().unwrap());
        }
        let mut names: Vec<&str> = all.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let authorization = Authorization {
            access_key_id: "AKIDEXAMPLE",
            date: "20150830",
            region: "us-east-1",
            service,
            signed_headers: &names.join(";"),
            signature: "",
        };
        let uri = uri.parse().unwrap();
        let at: Timestamp = "2015-08-30T12:36:00Z".parse().unwrap();
        Signed { method, uri: &uri, headers: &all }
            .signature(EMPTY, &authorization, &example_key(), at.into())
            .unwrap()
    }

    #[test]
    fn a_header_that_is_signed_again_and_again_is_nobody_s() {
        let mut headers = HeaderMap::new();
        headers.insert("host", "localhost".parse().unwrap());
        let authorization = Authorization {
            access_key_id: "AKIDEXAMPLE",
            date: "20150830",
            region: "us-east-1",
            service: "lambda",
            signed_headers: &vec!["host"; 50_000].join(";"),
            signature: "",
        };
        let signed =
            Signed { method: &Method::GET, uri: &Uri::from_static("/"), headers: &headers };
        let now = SystemTime::now();
        assert_eq!(signed.signature(EMPTY, &authorization, &example_key(), now), None);
    }

    /// From "Signing AWS requests with Signature Version 4" in AWS's General Reference.
    #[test]
    fn the_example_of_the_documentation() {
        let headers = [
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("host", "iam.amazonaws.com"),
        ];
        assert_eq!(
            signature_of(&Method::GET, "/?Action=ListUsers&Version=2010-05-08", "iam", &headers),
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
    }

    const HOST: (&str, &str) = ("host", "example.amazonaws.com");

    /// From AWS's "Signature Version 4 Test Suite" (`aws-sig-v4-test-suite`), with its names.
    #[test]
    fn paths_and_queries_of_the_test_suite() {
        for (name, method, uri, signature) in [
            (
                "get-vanilla",
                Method::GET,
                "/",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "post-vanilla",
                Method::POST,
                "/",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "get-vanilla-query-order-key-case",
                Method::GET,
                "/?Param2=value2&Param1=value1",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "get-vanilla-query-order-encoded",
                Method::GET,
                "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
                "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
            ),
            (
                "get-unreserved",
                Method::GET,
                "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
                "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
            ),
        ] {
            assert_eq!(signature_of(&method, uri, "service", &[HOST]), signature, "{name}");
        }
    }

    #[test]
    fn headers_of_the_test_suite() {
        let token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
        for (name, method, headers, signature) in [
            (
                "post-header-key-sort",
                Method::POST,
                &[("my-header1", "value1")][..],
                "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
            ),
            (
                "get-header-key-duplicate",
                Method::GET,
                &[("my-header1", "value2"), ("my-header1", "value2"), ("my-header1", "value1")],
                "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
            ),
            (
                "get-header-value-trim",
                Method::GET,
                &[("my-header1", " value1"), ("my-header2", " \"a   b   c\"")],
                "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
            ),
            (
                "get-vanilla-with-session-token",
                Method::GET,
                &[("x-amz-security-token", token)],
                "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
            ),
        ] {
            let headers = [&[HOST][..], headers].concat();
            assert_eq!(signature_of(&method, "/", "service", &headers), signature, "{name}");
        }
    }
}
