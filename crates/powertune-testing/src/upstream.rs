//! The local Lambda, as a server in front of it calls it.
//!
//! A signature covers the host of the request, which is the server. So a request is signed again
//! before it is passed on.

use std::{io, time::SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, HeaderName},
    http::request::Parts,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

/// The headers that each request sets anew.
const REMADE: [HeaderName; 5] =
    [AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, HeaderName::from_static("x-amz-date")];

/// A Lambda endpoint to which requests are passed on.
#[derive(Debug, Clone)]
pub struct Upstream {
    endpoint: String,
    region: String,
    credentials: Credentials,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Upstream {
    /// The endpoint in the environment variables that a local Lambda gives, with the credentials in
    /// them.
    pub fn of<N: AsRef<str>>(environment: &[(N, String)]) -> Self {
        let value = |name: &str| {
            let found = environment.iter().find(|(known, _)| known.as_ref() == name);
            found.unwrap_or_else(|| panic!("a local Lambda gives {name}")).1.clone()
        };
        let (id, secret) = (value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY"));
        Self {
            endpoint: value("AWS_ENDPOINT_URL_LAMBDA"),
            region: value("AWS_REGION"),
            credentials: Credentials::new(id, secret, None, None, "test"),
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Passes a request on, and returns the complete answer. It fails if the endpoint does not
    /// answer.
    pub async fn call(&self, head: Parts, body: Bytes) -> io::Result<Response<Bytes>> {
        let answer = self.client.request(self.signed(head, &body)).await;
        let (head, body) = answer.map_err(io::Error::other)?.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        Ok(Response::from_parts(head, body))
    }

    fn signed(&self, head: Parts, body: &Bytes) -> Request<Full<Bytes>> {
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri = format!("{}{path}", self.endpoint);
        let mut headers = head.headers;
        for header in REMADE {
            headers.remove(header);
        }
        let identity = self.credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("lambda")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .expect("every parameter is given")
            .into();
        let texts = headers
            .iter()
            .filter_map(|(name, value)| value.to_str().ok().map(|value| (name.as_str(), value)));
        let to_sign = SignableBody::Bytes(body);
        let signed = SignableRequest::new(head.method.as_str(), &uri, texts, to_sign)
            .and_then(|request| sign(request, &parameters))
            .expect("what a client has signed can be signed");
        let (signature, _) = signed.into_parts();
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = head.method;
        *request.uri_mut() = uri.parse().expect("another host does not make the URI a bad one");
        *request.headers_mut() = headers.clone();
        signature.apply_to_request_http1x(&mut request);
        request
    }
}
