//! A server of price lists.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Command, Output},
    sync::{Arc, Mutex},
    thread,
};

use jiff::{Timestamp, ToSpan};
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
    Status(u16, &'static str),
    Endless,
    Nothing,
}

/// A price list server, and the folder of a user.
pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) url: String,
    pub(crate) answer: Arc<Mutex<Answer>>,
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let answer = Arc::new(Mutex::new(Answer::Json(list(REGION, &day(0)))));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answers, asks) = (Arc::clone(&answer), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let answer = answers.lock().expect("no test panics with it").clone();
                asks.lock().expect("no test panics with it").push(request(&stream));
                // The client may have closed the connection.
                let _ = write(stream, &answer);
            }
        });
        Self { folder: tempfile::tempdir().expect("a folder"), url, answer, asked }
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

fn request(mut stream: &TcpStream) -> String {
    let mut text = Vec::new();
    let mut part = [0; 1024];
    while !text.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut part) {
            Ok(length) if length > 0 => text.extend(&part[..length]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned()
}

fn write(mut stream: TcpStream, answer: &Answer) -> std::io::Result<()> {
    let (status, header, body) = match answer {
        Answer::Json(list) => (200, "", list.to_string()),
        Answer::Text(text) => (200, "", (*text).to_owned()),
        Answer::Status(status, header) => (*status, *header, "<html>".to_owned()),
        Answer::Endless => {
            write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
            let blanks = vec![b' '; 65536];
            loop {
                stream.write_all(&blanks)?;
            }
        }
        Answer::Nothing => return Ok(()),
    };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status} It\r\n{header}content-length: {length}\r\n")?;
    write!(stream, "connection: close\r\n\r\n{body}")
}
