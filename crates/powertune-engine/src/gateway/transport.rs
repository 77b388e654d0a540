//! Describes calls without an answer from AWS: the event and the endpoint, without the layers of
//! the SDK's errors.

use std::{
    env,
    error::Error,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_lambda::{
    config::{ConfigBag, Intercept, RuntimeComponents},
    error::SdkError,
};
use aws_smithy_runtime_api::{
    box_error::BoxError, client::interceptors::context::BeforeTransmitInterceptorContextRef,
};
use hyper_util::client::legacy::Error as ClientError;

use super::error::ErrorKind;

/// Remembers the endpoint that a client of the AWS SDK calls, because the SDK's errors do not
/// contain it. Add a clone to the client's configuration as an interceptor.
#[derive(Debug, Clone, Default)]
pub struct Called(Arc<Mutex<Option<String>>>);

impl Intercept for Called {
    fn name(&self) -> &'static str {
        "powertune's endpoint"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.note(context);
        Ok(())
    }
}

impl Called {
    /// Remembers the endpoint of a request.
    pub(super) fn note(&self, context: &BeforeTransmitInterceptorContextRef<'_>) {
        let uri = context.request().uri();
        let mut called = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = |known: &String| {
            uri.strip_prefix(known.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        if !called.as_ref().is_some_and(is_known) {
            *called = Some(endpoint(uri));
        }
    }

    /// The scheme, host and port that was called last.
    pub(super) fn endpoint(&self) -> String {
        let called = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        called.clone().unwrap_or_else(|| "the endpoint".to_owned())
    }

    /// The class and text of an error without an answer from AWS; `None` if AWS answered with an
    /// error.
    pub fn unanswered<E, R>(&self, error: &SdkError<E, R>) -> Option<(ErrorKind, String)>
    where
        E: Error + 'static,
        R: std::fmt::Debug + 'static,
    {
        let at = self.endpoint();
        Some(match error {
            SdkError::ServiceError(_) => return None,
            SdkError::ConstructionFailure(_) => (ErrorKind::NotSent, innermost(error)),
            SdkError::DispatchFailure(_) => undispatched(error, &at),
            SdkError::TimeoutError(_) => {
                (ErrorKind::Unknown, format!("{at} has not answered in time ({})", reason(error)))
            }
            _ => {
                let why = innermost(error);
                (ErrorKind::Unknown, format!("the answer of {at} can't be understood: {why}"))
            }
        })
    }
}

/// The class and text of a request without any answer.
fn undispatched(error: &(dyn Error + 'static), at: &str) -> (ErrorKind, String) {
    if let Some(why) = without_credentials(error) {
        return (ErrorKind::Credentials, why);
    }
    let why = reason(error);
    if never_connected(error) {
        return (ErrorKind::NotSent, format!("cannot reach {at}: {why}{}", proxies()));
    }
    (ErrorKind::Unknown, format!("the connection to {at} broke before the answer: {why}"))
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn without_credentials(error: &(dyn Error + 'static)) -> Option<String> {
    let found = causes(error).find_map(|cause| cause.downcast_ref::<CredentialsError>())?;
    Some(match found {
        // Every source reports that it is not set up; that is one fault, not six.
        CredentialsError::CredentialsNotLoaded(_) => {
            "no usable AWS credentials were found".to_owned()
        }
        other => format!("no usable AWS credentials were found: {}", innermost(other)),
    })
}

/// True if the request was never given to a connection, so nothing can have run. Examples: too many
/// open files, no local address, a refused connection, DNS, TLS, a proxy, or a timeout of these.
///
/// hyper's client, under the SDK, attaches the connection to every later error.
fn never_connected(error: &(dyn Error + 'static)) -> bool {
    causes(error)
        .filter_map(|cause| cause.downcast_ref::<ClientError>())
        .any(|error| error.is_connect() || error.connect_info().is_none())
}

/// The proxies in the environment, for messages: an error does not tell that it came from a proxy.
pub fn proxies() -> String {
    let names =
        ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    let set = names.into_iter().filter_map(|name| Some((name, env::var(name).ok()?)));
    let set = set.filter(|(_, url)| !url.is_empty());
    let said = set.map(|(name, url)| format!("; {name} names the proxy {}", host_and_port(&url)));
    said.collect::<Vec<_>>().concat()
}

/// The reason why a connection failed, in one clause.
pub fn reason(error: &(dyn Error + 'static)) -> String {
    let said: Vec<String> = causes(error).map(ToString::to_string).collect();
    if said.iter().any(|text| text.contains("dns error")) {
        let why = innermost(error);
        let why = why.strip_prefix("failed to lookup address information: ").unwrap_or(&why);
        return format!("its name can't be looked up ({why})");
    }
    if said.iter().any(|text| text.contains("InvalidContentType")) {
        return "it does not speak TLS; its URL may have to begin with http://".to_owned();
    }
    let kinds = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>());
    match kinds.map(io::Error::kind).last() {
        Some(io::ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
            "connection reset".to_owned()
        }
        Some(io::ErrorKind::TimedOut) => "no answer to the attempt to connect".to_owned(),
        _ => innermost(error),
    }
}

/// The text of the innermost cause, without the error number of the operating system.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    let text = causes(error).map(ToString::to_string).filter(|text| !text.is_empty()).last();
    let text = text.unwrap_or_default();
    let text = text.split(" (os error ").next().unwrap_or_default();
    text.to_owned()
}

/// The scheme, host and port of a URL.
pub(super) fn endpoint(url: &str) -> String {
    let scheme = url.find("://").map_or(0, |scheme| scheme + "://".len());
    format!("{}{}", &url[..scheme], host_and_port(url))
}

/// The host and port of a URL, without a password.
pub(super) fn host_and_port(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::result::ConnectorError;

    use super::*;

    type Failed = SdkError<io::Error, ()>;

    fn words(error: &Failed) -> Option<(ErrorKind, String)> {
        let called = Called(Arc::new(Mutex::new(Some("http://127.0.0.1:9001".to_owned()))));
        called.unanswered(error)
    }

    #[test]
    fn a_connection_that_breaks_may_have_carried_the_request() {
        // ECONNRESET on Linux.
        let reset = io::Error::from_raw_os_error(104);
        let broken = Failed::dispatch_failure(ConnectorError::io(reset.into()));
        let why =
            "the connection to http://127.0.0.1:9001 broke before the answer: connection reset";
        assert_eq!(words(&broken), Some((ErrorKind::Unknown, why.to_owned())));
    }

    #[test]
    fn the_sources_of_credentials_are_not_listed_but_what_failed_is_said() {
        let failed = |error: CredentialsError| {
            words(&Failed::dispatch_failure(ConnectorError::other(error.into(), None)))
        };
        let none = failed(CredentialsError::not_loaded("no credentials in chain"));
        let text = "no usable AWS credentials were found";
        assert_eq!(none, Some((ErrorKind::Credentials, text.to_owned())));
        let expired = failed(CredentialsError::provider_error("the sign-in has expired"));
        let text = "no usable AWS credentials were found: the sign-in has expired";
        assert_eq!(expired, Some((ErrorKind::Credentials, text.to_owned())));
    }

    #[test]
    fn an_error_that_aws_has_answered_with_is_none_of_these() {
        assert_eq!(words(&Failed::service_error(io::Error::other("no"), ())), None);
    }

    #[test]
    fn numbers_of_the_operating_system_are_left_out() {
        assert_eq!(innermost(&io::Error::from_raw_os_error(28)), "No space left on device");
    }

    #[test]
    fn an_endpoint_is_what_stands_before_the_path() {
        assert_eq!(
            endpoint("http://127.0.0.1:9001/2015-03-31/functions/fn"),
            "http://127.0.0.1:9001"
        );
        assert_eq!(
            endpoint("https://lambda.us-east-1.amazonaws.com?a=/"),
            "https://lambda.us-east-1.amazonaws.com"
        );
        assert_eq!(endpoint("http://user:p@ss@proxy:8080/"), "http://proxy:8080");
        assert_eq!(host_and_port("user:pass@proxy:8080"), "proxy:8080");
    }
}
