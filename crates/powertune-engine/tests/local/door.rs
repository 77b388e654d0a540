//! A proxy in front of the local Lambda. It can act just before it forwards a request, or answer a
//! request itself.

use std::{convert::Infallible, net::Ipv4Addr, sync::Arc, time::SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, HeaderName},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::{net::TcpListener, sync::Mutex};

use crate::bench::Bench;

/// Headers that the proxy sets anew, because the signature covers the host.
const REMADE: [HeaderName; 5] =
    [AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, HeaderName::from_static("x-amz-date")];

/// Starts a proxy that forwards everything and returns its URL. It runs `happens` before the first
/// request with this method and `part` in its path.
pub(crate) async fn door<F>(
    bench: &Bench,
    method: &'static str,
    part: &'static str,
    happens: impl FnOnce() -> F + Send + 'static,
) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    door_at(bench, method, part, 1, happens).await
}

/// The same before the `nth` such request, counted from 1.
pub(crate) async fn door_at<F>(
    bench: &Bench,
    method: &'static str,
    part: &'static str,
    nth: usize,
    happens: impl FnOnce() -> F + Send + 'static,
) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let happens = Arc::new(Mutex::new((nth, Some(happens))));
    answered(bench, move |request| {
        let is_it = request.method() == method && request.uri().path().contains(part);
        let happens = Arc::clone(&happens);
        async move {
            if is_it {
                let (left, happens) = &mut *happens.lock().await;
                *left = left.saturating_sub(1);
                if let Some(happens) = happens.take_if(|_| *left == 0) {
                    happens().await;
                }
            }
            None
        }
    })
    .await
}

/// Starts a proxy that answers some requests itself and forwards the rest. Returns its URL.
pub(crate) async fn answered<F>(
    bench: &Bench,
    answer: impl Fn(&Request<Incoming>) -> F + Send + Sync + 'static,
) -> String
where
    F: Future<Output = Option<Response<Full<Bytes>>>> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let pair = bench.lambda.credentials();
    let behind = Arc::new(Behind {
        endpoint: bench.lambda.endpoint_url(),
        credentials: Credentials::new(
            &pair.access_key_id,
            &pair.secret_access_key,
            None,
            None,
            "test",
        ),
        client: Client::builder(TokioExecutor::new()).build_http(),
    });
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (behind, answer) = (Arc::clone(&behind), Arc::clone(&answer));
            let service = service_fn(move |request: Request<Incoming>| {
                let behind = Arc::clone(&behind);
                let answered = answer(&request);
                async move {
                    Ok::<_, Infallible>(match answered.await {
                        Some(response) => response,
                        None => behind.call(request).await,
                    })
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    format!("http://{address}")
}

/// The connection from the proxy to the local Lambda.
struct Behind {
    endpoint: String,
    credentials: Credentials,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Behind {
    async fn call(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (mut head, body) = request.into_parts();
        let body = body.collect().await.expect("a whole request").to_bytes();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri = format!("{}{path}", self.endpoint);
        for header in REMADE {
            head.headers.remove(header);
        }
        let identity = self.credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name("lambda")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .expect("every parameter is given")
            .into();
        let headers = head.headers.iter();
        let texts = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let to_sign = SignableBody::Bytes(&body);
        let signed = SignableRequest::new(head.method.as_str(), &uri, texts, to_sign)
            .and_then(|request| sign(request, &parameters))
            .expect("what a client has signed can be signed");
        let (signature, _) = signed.into_parts();
        head.uri = uri.parse().expect("another host does not make the URI a bad one");
        let mut request = Request::from_parts(head, Full::new(body.clone()));
        signature.apply_to_request_http1x(&mut request);
        let response = self.client.request(request).await.expect("the local Lambda answers");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a whole answer").to_bytes();
        Response::from_parts(head, Full::new(body))
    }
}
