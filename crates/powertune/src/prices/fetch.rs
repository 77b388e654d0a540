//! Fetches AWS's public price list of a region.

use std::{error::Error, time::Duration};

use aws_smithy_http_client::{
    Connector,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::{
    client::{http::HttpConnector, orchestrator::HttpRequest},
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use powertune_core::{
    price::OFFER_CODE,
    region::{Partition, Region},
};
use powertune_engine::gateway::{proxies, reason};

use super::LONGEST_LIST;

/// The timeout of the whole download.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_mins(1);

#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("the URL {0} can't be called")]
    Url(String),
    #[error("{0}; check the network and the proxy settings, and try again")]
    Network(String),
    #[error("the list has not come within {} s; check the network, and try again", .0.as_secs())]
    Slow(Duration),
    #[error("the answer is longer than {} MB, so that it is no price list; check the URL", LONGEST_LIST / 1024 / 1024)]
    Endless,
    #[error(
        "the answer is HTTP status {status}, a redirect to {to}; powertune does not follow it, since \
         AWS's price list is not there: check the network for a login page, and the URL"
    )]
    Redirect { status: u16, to: String },
    #[error("there is no list (HTTP status {0}); check the region and the URL")]
    NoList(u16),
    #[error("the answer is HTTP status {0}; try again later")]
    Status(u16),
}

/// The URL of AWS's price list of a region, at AWS or at another endpoint.
pub(crate) fn url(region: &Region, endpoint_url: Option<&str>) -> String {
    // AWS's documentation in China names this host and path.
    let (host, place) = match region.partition() {
        Partition::AwsCn => ("https://pricing.cn-north-1.amazonaws.com.cn", "cn"),
        _ => ("https://pricing.us-east-1.amazonaws.com", "aws"),
    };
    let host = endpoint_url.map_or(host, |url| url.trim_end_matches('/'));
    format!("{host}/offers/v1.0/{place}/{OFFER_CODE}/current/{region}/index.json")
}

/// Downloads a URL, through the proxy of the environment.
///
/// # Errors
/// When there is nothing at the URL, or it takes longer than `longest`.
pub(crate) async fn fetch(url: &str, longest: Duration) -> Result<Vec<u8>, FetchError> {
    let fetched = tokio::time::timeout(longest, answer(url)).await;
    fetched.unwrap_or(Err(FetchError::Slow(longest)))
}

async fn answer(url: &str) -> Result<Vec<u8>, FetchError> {
    let mut request = HttpRequest::new(SdkBody::empty());
    request.set_uri(url).map_err(|_| FetchError::Url(url.to_owned()))?;
    request.headers_mut().insert("user-agent", concat!("powertune/", env!("CARGO_PKG_VERSION")));
    let connector = Connector::builder()
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .build();
    let answer = connector.call(request).await;
    let answer = answer.map_err(|error| FetchError::Network(reason(&error) + &proxies()))?;
    let status: StatusCode = answer.status();
    match status.as_u16() {
        200 => {}
        status @ 300..=399 => {
            let to = answer.headers().get("location").unwrap_or("nowhere").to_owned();
            return Err(FetchError::Redirect { status, to });
        }
        status @ (403 | 404) => return Err(FetchError::NoList(status)),
        status => return Err(FetchError::Status(status)),
    }
    let body = Limited::new(answer.into_body(), LONGEST_LIST).collect().await;
    body.map(|body| body.to_bytes().to_vec()).map_err(|error| broken(&*error))
}

/// The error of a body that ended early.
fn broken(error: &(dyn Error + 'static)) -> FetchError {
    if error.is::<LengthLimitError>() {
        return FetchError::Endless;
    }
    FetchError::Network(format!("the answer broke off: {}", reason(error)))
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        thread,
    };

    use super::*;

    #[test]
    fn china_has_a_host_of_its_own() {
        let url_of = |code: &str| url(&code.parse().unwrap(), None);
        assert_eq!(
            url_of("eu-west-1"),
            "https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AWSLambda/current/eu-west-1/index.json"
        );
        assert_eq!(
            url_of("cn-northwest-1"),
            "https://pricing.cn-north-1.amazonaws.com.cn/offers/v1.0/cn/AWSLambda/current/cn-northwest-1/index.json"
        );
        let other = url(&"eu-west-1".parse().unwrap(), Some("http://localhost:1/"));
        assert!(other.starts_with("http://localhost:1/offers/"), "{other}");
    }

    #[tokio::test]
    async fn a_list_that_never_comes_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // An answer before the end of the request breaks the connection.
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{");
            thread::sleep(Duration::from_secs(30));
        });
        let error = fetch(&url, Duration::from_millis(300)).await.unwrap_err();
        assert!(matches!(error, FetchError::Slow(_)), "{error}");
    }
}
