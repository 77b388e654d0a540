//! A server of price lists.

use std::{
    convert::Infallible,
    fs, io,
    path::PathBuf,
    process::{Command, Output},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{Response, body::Frame, header::LOCATION};
use jiff::{Timestamp, ToSpan};
use powertune_testing::Server;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary::{example, powertune, stderr, stdout};

pub(crate) const REGION: &str = "eu-west-1";
/// With this price of a GB-second, a millisecond at 128 MB costs a round number.
pub(crate) const PER_GB_SECOND: &str = "0.0008192000";
pub(crate) const PER_MS_AT_128_MB: f64 = 0.000_000_102_4;

/// The date this many days from now.
pub(crate) fn day(days: i64) -> String {
    (Timestamp::now() + (24 * days).hours()).strftime("%F").to_string()
}

/// AWS's list of a region, as its documentation describes the format.
pub(crate) fn list(region: &str, published: &str) -> Value {
    let product = |sku: &str, group: &str, location: &str, region: &str| {
        json!({ "sku": sku, "productFamily": "Serverless", "attributes": {
            "servicecode": "AWSLambda", "location": location, "locationType": "AWS Region",
            "group": group, "groupDescription": "as AWS says it", "usagetype": "EU-Request",
            "operation": "", "regionCode": region, "servicename": "AWS Lambda" } })
    };
    let here = |sku: &str, group: &str| product(sku, group, "EU (Ireland)", region);
    let term = |sku: &str, price: &str| {
        let offer = format!("{sku}.JRTCKXETXF");
        let rate = format!("{offer}.6YS6EN2CT7");
        json!({ offer: { "offerTermCode": "JRTCKXETXF", "sku": sku,
            "effectiveDate": "2026-10-01T00:00:00Z", "termAttributes": {},
            "priceDimensions": { rate.as_str(): { "rateCode": rate, "description": "a price",
                "beginRange": "0", "endRange": "Inf", "unit": "Lambda-GB-Second",
                "pricePerUnit": { "USD": price }, "appliesTo": [] } } } })
    };
    json!({
        "formatVersion": "v1.0", "disclaimer": "none", "offerCode": "AWSLambda",
        "version": "20261005135802", "publicationDate": format!("{published}T13:58:02Z"),
        "products": {
            "D1": here("D1", "AWS-Lambda-Duration"),
            "D2": here("D2", "AWS-Lambda-Duration-ARM"),
            "R1": here("R1", "AWS-Lambda-Requests"),
            "R2": here("R2", "AWS-Lambda-Requests-ARM"),
            "E1": here("E1", "AWS-Lambda-Edge-Requests"),
            "F1": product("F1", "AWS-Lambda-Duration", "Any", ""),
        },
        "terms": { "OnDemand": {
            "D1": term("D1", PER_GB_SECOND), "D2": term("D2", PER_GB_SECOND),
            "R1": term("R1", "0.0000004000"), "R2": term("R2", "0.0000004000"),
            "E1": term("E1", "0.0000006000"), "F1": term("F1", "0.0000000000"),
        } },
        "attributesList": {},
    })
}

/// The answer of the price list server.
#[derive(Clone)]
pub(crate) enum Answer {
    Json(Value),
    Text(&'static str),
    Status(u16),
    Elsewhere(&'static str),
    Endless,
    Nothing,
}

/// A price list server, and the folder of a user.
pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) url: String,
    pub(crate) answer: Arc<Mutex<Answer>>,
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
    _server: Server,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let answer = Arc::new(Mutex::new(Answer::Json(list(REGION, &day(0)))));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answers, asks) = (Arc::clone(&answer), Arc::clone(&asked));
        let server = Server::alone(move |head, _| {
            let asked = format!("{} {} {:?}", head.method, head.uri, head.version);
            asks.lock().expect("no test panics with it").push(asked);
            let answer = answers.lock().expect("no test panics with it").response();
            async { answer }
        });
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder, url: server.url(), answer, asked, _server: server }
    }

    pub(crate) fn powertune(&self, arguments: &[&str]) -> Command {
        let mut command = powertune(arguments);
        command.env("XDG_DATA_HOME", self.folder.path()).env("HOME", self.folder.path());
        for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.powertune(arguments).output().expect("powertune runs")
    }

    /// `prices --update`, from the server.
    pub(crate) fn update(&self, answer: Answer) -> Output {
        *self.answer.lock().expect("no test panics with it") = answer;
        self.run(&["prices", "--update", "--region", REGION, "--endpoint-url", &self.url])
    }

    pub(crate) fn kept(&self) -> PathBuf {
        self.folder.path().join("powertune/prices/eu-west-1.json")
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("it is written");
        path.display().to_string()
    }

    /// Tunes a sample function quickly, at one memory size.
    pub(crate) fn tune(&self, more: &[&str]) -> Output {
        let path = example("order-report");
        let payload = format!("@{}", path.join("event.json").display());
        let path = path.display().to_string();
        let mut arguments = vec!["tune", "--local", &path, "--runtime", "python3.11"];
        arguments.extend(["--handler", "handler.handler", "--payload", &payload]);
        arguments.extend(["--power-values", "128,256", "--num", "5"]);
        arguments.extend(more);
        if !more.contains(&"--region") {
            arguments.extend(["--region", REGION]);
        }
        self.run(&arguments)
    }

    pub(crate) fn result(&self, more: &[&str]) -> Value {
        let output = self.tune(&[&["--output", "json"], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        serde_json::from_str(&stdout(&output)).expect("JSON")
    }
}

impl Answer {
    fn response(&self) -> io::Result<Response<BoxBody<Bytes, Infallible>>> {
        let (status, body) = match self {
            Self::Json(list) => (200, list.to_string()),
            Self::Text(text) => (200, (*text).to_owned()),
            Self::Status(status) => (*status, "<html>".to_owned()),
            Self::Elsewhere(_) => (302, "<html>".to_owned()),
            Self::Endless => {
                let blanks = Bytes::from(vec![b' '; 1 << 16]);
                let blanks = stream::repeat_with(move || Ok(Frame::data(blanks.clone())));
                return Ok(Response::new(BodyExt::boxed(StreamBody::new(blanks))));
            }
            Self::Nothing => return Err(io::ErrorKind::ConnectionReset.into()),
        };
        let mut response = Response::builder().status(status);
        if let Self::Elsewhere(location) = self {
            response = response.header(LOCATION, *location);
        }
        response.body(Full::from(body).boxed()).map_err(io::Error::other)
    }
}
