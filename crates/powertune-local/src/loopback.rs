//! The check that a request comes from a program on this machine, and not from a web page.
//!
//! Loopback keeps other machines out, but not web pages in a browser on this machine. A page can
//! send requests to any port, and under a name of its own (DNS rebinding) it can even read the
//! answers. But a page can't choose `Host`, and it can't leave out what browsers add: `Origin` in a
//! POST or if the page wants to read the answer, `Sec-Fetch-Site` always (an image has no
//! `Origin`), and the OPTIONS request before another request.

use axum::http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{HOST, ORIGIN},
};

const NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];
/// Clients leave this port out of `Host`.
const DEFAULT_PORT: u16 = 80;
/// The origin of a browser's request. Other programs do not send it, but Node's `fetch` sends its
/// relative `Sec-Fetch-Mode`.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The request comes from the user, for example from a pasted download link.
const NO_SITE: &str = "none";

/// A port that web pages can't use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loopback {
    port: u16,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LoopbackRefusal {
    #[error("Host '{host}' is not served here: call 127.0.0.1:{port} or localhost:{port}.")]
    Host { host: String, port: u16 },
    #[error(
        "Web pages are not served here: the header Origin or Sec-Fetch-Site says that a page sent this request."
    )]
    WebPage,
    #[error("OPTIONS is not served here: no web page is allowed to call.")]
    Options,
}

impl Loopback {
    pub(crate) fn new(port: u16) -> Self {
        Self { port }
    }

    /// Refuses requests that a web page may have sent.
    pub(crate) fn admit(self, method: &Method, headers: &HeaderMap) -> Result<(), LoopbackRefusal> {
        let host = the_only(headers, &HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        if !self.is_named(host) {
            return Err(LoopbackRefusal::Host { host: host.to_owned(), port: self.port });
        }
        let from_page = headers.get_all(SITE).iter().any(|site| site != NO_SITE);
        if from_page || headers.contains_key(ORIGIN) {
            return Err(LoopbackRefusal::WebPage);
        }
        if method == Method::OPTIONS { Err(LoopbackRefusal::Options) } else { Ok(()) }
    }

    fn is_named(self, host: &str) -> bool {
        NAMES.iter().any(|name| {
            host.eq_ignore_ascii_case(&format!("{name}:{}", self.port))
                || (self.port == DEFAULT_PORT && host.eq_ignore_ascii_case(name))
        })
    }
}

/// The value of a header that is there once. If it is there twice, two programs could read
/// different values.
pub(crate) fn the_only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(
        port: u16,
        method: &Method,
        headers: &[(HeaderName, &'static str)],
    ) -> Result<(), LoopbackRefusal> {
        let headers = headers.iter().cloned();
        let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        Loopback::new(port).admit(method, &map)
    }

    #[test]
    fn only_loopback_with_the_own_port_is_served() {
        for served in ["127.0.0.1:9001", "localhost:9001", "LOCALHOST:9001", "[::1]:9001"] {
            assert_eq!(admit(9001, &Method::GET, &[(HOST, served)]), Ok(()), "{served}");
        }
        for other in [
            "",
            "127.0.0.1",
            "localhost",
            "127.0.0.1:9002",
            "localhost:80",
            "localhost.:9001",
            "rebound.example:9001",
            "127.0.0.1.rebound.example:9001",
            "127.0.0.1:9001.rebound.example:9001",
            "user@127.0.0.1:9001",
            "[::1]",
            "0.0.0.0:9001",
        ] {
            let refused = LoopbackRefusal::Host { host: other.to_owned(), port: 9001 };
            assert_eq!(admit(9001, &Method::GET, &[(HOST, other)]), Err(refused), "{other}");
        }
        assert_eq!(admit(80, &Method::GET, &[(HOST, "localhost")]), Ok(()));
        let twice = [(HOST, "localhost:9001"), (HOST, "localhost:9001")];
        assert!(admit(9001, &Method::GET, &twice).is_err());
        assert!(admit(9001, &Method::GET, &[]).is_err());
    }

    #[test]
    fn web_pages_are_refused() {
        let own = (HOST, "localhost:9001");
        for origin in ["http://page.example", "http://localhost:9001", "null", ""] {
            let headers = [own.clone(), (ORIGIN, origin)];
            assert_eq!(
                admit(9001, &Method::POST, &headers),
                Err(LoopbackRefusal::WebPage),
                "{origin}"
            );
        }
        for site in ["cross-site", "same-site", "same-origin", ""] {
            let headers = [own.clone(), (SITE, site)];
            assert_eq!(
                admit(9001, &Method::GET, &headers),
                Err(LoopbackRefusal::WebPage),
                "{site}"
            );
        }
        let both = [own.clone(), (SITE, NO_SITE), (SITE, "cross-site")];
        assert_eq!(admit(9001, &Method::GET, &both), Err(LoopbackRefusal::WebPage));
        assert_eq!(admit(9001, &Method::GET, &[own.clone(), (SITE, NO_SITE)]), Ok(()));
        assert_eq!(admit(9001, &Method::OPTIONS, &[own]), Err(LoopbackRefusal::Options));
    }
}
