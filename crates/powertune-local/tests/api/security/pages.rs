//! Web pages in a browser on this machine. They can reach every port and sign nothing, and the
//! headers that browsers add show them.

use std::time::Duration;

use serde_json::Value;

use super::{INVOKE, LIST, has_run, refusal, with_function};
use crate::bed::{Bed, Draft, RawResponse, Wire, send};

/// Kind of page, method and headers.
type Page = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// The requests of a browser for a page. PORT in a header is the server's port.
const REQUESTS: [Page; 16] = [
    ("fetch", "POST", &[("origin", "http://page.example"), ("sec-fetch-site", "cross-site")]),
    ("fetch by a browser without Sec-Fetch-Site", "POST", &[("origin", "http://page.example")]),
    ("fetch by a page of this machine", "POST", &[("origin", "http://localhost:3000")]),
    ("form", "POST", &[("origin", "http://page.example"), ("sec-fetch-mode", "navigate")]),
    ("form in a sandbox", "POST", &[("origin", "null")]),
    ("page that says it is ours", "POST", &[("origin", "http://127.0.0.1:PORT")]),
    ("read", "GET", &[("origin", "http://page.example")]),
    ("image", "GET", &[("sec-fetch-site", "cross-site"), ("sec-fetch-dest", "image")]),
    ("script", "GET", &[("sec-fetch-site", "same-site"), ("sec-fetch-dest", "script")]),
    ("link", "GET", &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")]),
    ("request without an answer", "HEAD", &[("sec-fetch-site", "cross-site")]),
    (
        "WebSocket",
        "GET",
        &[
            ("origin", "http://page.example"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ],
    ),
    ("question", "OPTIONS", &[("access-control-request-method", "POST")]),
    (
        "question about a private network",
        "OPTIONS",
        &[
            ("origin", "http://page.example"),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization"),
            ("access-control-request-private-network", "true"),
        ],
    ),
    ("rebound read", "GET", &[("host", "page.example:PORT")]),
    ("rebound write", "POST", &[("host", "page.example:PORT"), ("content-type", "text/plain")]),
];

/// Other names that can resolve to this machine.
const NAMES: [&str; 5] = [
    "rebound.example:PORT",
    "rebound.example",
    "localhost",
    "127.0.0.1:1",
    "127.0.0.1.rebound.example:PORT",
];

/// A function that returns the address of its Runtime API and its process id.
const TELLING: &str = "
import os
def handler(event, context):
    return [os.environ['AWS_LAMBDA_RUNTIME_API'], os.getpid()]
";

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_web_pages_are_refused() {
    let (bed, draft) = with_function().await;
    let told = telling(&bed).await;
    let runtime_api = told[0].as_str().unwrap().to_owned();
    let link = download_link(&bed).await;
    let mut refused = 0;
    for (what, method, headers) in REQUESTS {
        let posts = method == "POST";
        // Signed, as if the page had a key.
        let path = if posts { INVOKE } else { LIST };
        let call = Draft { method: method.to_owned(), path: path.to_owned(), ..draft.clone() };
        let call = as_page(call, headers).signed();
        refused += denied(what, &bed.send(&call).await, "AccessDeniedException");

        let download = as_page(bed.draft(method, &link, ""), headers).unsigned();
        refused += denied(what, &bed.send(&download).await, "AccessDeniedException");

        let path = if posts { "init/error" } else { "invocation/next" };
        let mut event = bed.draft(method, &format!("/2018-06-01/runtime/{path}"), "");
        event.host.clone_from(&runtime_api);
        let event = as_page(event, headers).unsigned();
        refused += denied(what, &answer(&runtime_api, &event).await, "");
        assert!(!has_run(&bed), "{what}");
    }
    let all = 3 * REQUESTS.len();
    println!("figure: requests of a web page refused: {refused} of {all}");
    assert_eq!(telling(&bed).await, told, "the function's events are still its own");
    let pasted = [("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")];
    let pasted = as_page(bed.draft("GET", &link, ""), &pasted).unsigned();
    assert_eq!(bed.send(&pasted).await.status, 200, "a link that the user opens is served");
    let fetched = as_page(bed.draft("GET", LIST, ""), &[("sec-fetch-mode", "cors")]).signed();
    let fetched = bed.send(&fetched).await;
    assert_eq!(fetched.status, 200, "so is a program that calls with Node's fetch");
    assert!(fetched.headers.keys().all(|name| !name.starts_with("access-control")));
}

/// The draft, as a browser sends it for a page.
fn as_page(mut draft: Draft, headers: &[(&str, &str)]) -> Draft {
    let port = draft.host.rsplit(':').next().unwrap().to_owned();
    for (name, value) in headers {
        let value = value.replace("PORT", &port);
        if *name == "host" {
            draft.host = value;
        } else {
            draft.headers.push(((*name).to_owned(), value));
        }
    }
    draft
}

/// One refusal with a reason, unless the answer has no body.
fn denied(what: &str, response: &RawResponse, exception: &str) -> usize {
    assert_eq!((response.status, response.error_type()), (403, exception), "{what}");
    if !response.body.is_empty() {
        let message = refusal(response);
        assert!(message.contains("not served here"), "{what}: {message}");
    }
    1
}

/// The answer of the Runtime API. It would block if it took the request for the runtime's.
async fn answer(address: &str, request: &Wire) -> RawResponse {
    let answer = tokio::time::timeout(Duration::from_secs(30), send(address, request)).await;
    answer.unwrap_or_else(|_| panic!("taken for a runtime: {request:?}"))
}

/// The answer of the function `telling`, which is created once.
async fn telling(bed: &Bed) -> Value {
    if bed.client.get_function().function_name("telling").send().await.is_err() {
        let zip = crate::bed::zip_of("app.py", TELLING);
        let code = aws_sdk_lambda::types::FunctionCode::builder().zip_file(zip.into()).build();
        bed.create("telling").code(code).send().await.unwrap();
        bed.settled("telling").await;
    }
    bed.call("POST", &INVOKE.replace("/f/", "/telling/"), "{}").await.json()
}

async fn download_link(bed: &Bed) -> String {
    let read = bed.client.get_function().function_name("f").send().await.unwrap();
    let location = read.code().unwrap().location().unwrap();
    location.strip_prefix(&bed.lambda.endpoint_url()).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_names_of_loopback_are_served() {
    let (bed, draft) = with_function().await;
    let port = draft.host.rsplit(':').next().unwrap().to_owned();
    for name in NAMES {
        let host = name.replace("PORT", &port);
        let response = bed.send(&Draft { host, ..draft.clone() }.signed()).await;
        assert_eq!((response.status, response.error_type()), (403, "AccessDeniedException"));
        let message = refusal(&response);
        assert!(message.contains(&format!("call 127.0.0.1:{port}")), "{message}");
    }
    assert!(!has_run(&bed));
    for host in [format!("localhost:{port}"), format!("[::1]:{port}")] {
        assert_eq!(bed.send(&Draft { host, ..draft.clone() }.signed()).await.status, 200);
    }
}
