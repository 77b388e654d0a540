//! Who is heard at all: programs that call this machine by one of its own names.
//!
//! Loopback keeps other machines out, but not the pages in this machine's browsers: a page can send
//! requests to any port, and under a name of its own (DNS rebinding) it may even read the answers.
//! What it can't do is to choose `Host`, or to go without what browsers add: `Origin` where it posts
//! or wants to read the answer, `Sec-Fetch-Site` in any case (an image has no `Origin`), and the
//! question that OPTIONS asks beforehand.

use axum::http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{HOST, ORIGIN},
};

/// The names of loopback.
const NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];
/// Clients leave this port out of `Host`.
const DEFAULT_PORT: u16 = 80;
/// Where a browser's request comes from. Other programs don't send it; of its relatives Node's
/// `fetch` does send `Sec-Fetch-Mode`.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// From no page, but from the user, who may have pasted a download link.
const NO_SITE: &str = "none";

/// A port of this machine that web pages are kept away from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loopback {
    port: u16,
}

/// Why a request is not heard.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LoopbackRefusal {
    #[error("Host '{host}' is not served here: call 127.0.0.1:{port} or localhost:{port}.")]
    Host { host: String, port: u16 },
    #[error(
        "Web pages are not served here: a request that says by Origin or Sec-Fetch-Site that a page sent it is refused."
    )]
    WebPage,
    #[error("OPTIONS is not served here: no web page is allowed to call.")]
    Options,
}

impl Loopback {
    pub(crate) fn new(port: u16) -> Self {
        Self { port }
    }

    /// Refuses what a web page may have sent.
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

/// A header's value, if the header is there once: of two, two programs could each read another.
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
