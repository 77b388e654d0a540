//! `powertune prices`, and results with other prices than the built-in ones.

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

const REGION: &str = "eu-west-1";
/// With this price of a GB-second, a millisecond at 128 MB costs a round number.
const PER_GB_SECOND: &str = "0.0008192000";
const PER_MS_AT_128_MB: f64 = 0.000_000_102_4;

/// The date this many days from now.
fn day(days: i64) -> String {
    (Timestamp::now() + (24 * days).hours()).strftime("%F").to_string()
}

/// AWS's list of a region, as its documentation describes the format.
fn list(region: &str, published: &str) -> Value {
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
enum Answer {
    Json(Value),
    Text(&'static str),
    Status(u16, &'static str),
    Endless,
    Nothing,
}

/// A price list server, and the folder of a user.
struct Bench {
    folder: TempDir,
    url: String,
    answer: Arc<Mutex<Answer>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    fn new() -> Self {
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

    /// `powertune` of this user.
    fn powertune(&self, arguments: &[&str]) -> Command {
        let mut command = powertune(arguments);
        command.env("XDG_DATA_HOME", self.folder.path()).env("HOME", self.folder.path());
        for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
            command.env_remove(name);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.powertune(arguments).output().expect("powertune runs")
    }

    /// `prices --update`, from the server.
    fn update(&self, answer: Answer) -> Output {
        *self.answer.lock().expect("no test panics with it") = answer;
        self.run(&["prices", "--update", "--region", REGION, "--endpoint-url", &self.url])
    }

    /// The file of the prices that were kept.
    fn kept(&self) -> PathBuf {
        self.folder.path().join("powertune/prices/eu-west-1.json")
    }

    /// A file of this user's.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("it is written");
        path.display().to_string()
    }

    /// Tunes a sample function quickly, at one memory size.
    fn tune(&self, more: &[&str]) -> Output {
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

    fn result(&self, more: &[&str]) -> Value {
        let output = self.tune(&[&["--output", "json"], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        serde_json::from_str(&stdout(&output)).expect("JSON")
    }
}

/// The first line of a request.
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

/// AWS's list with a change at one place.
fn changed(pointer: &str, value: Value) -> Answer {
    let mut list = list(REGION, &day(0));
    *list.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value;
    Answer::Json(list)
}

#[track_caller]
fn failed(output: &Output, code: i32, words: &[&str]) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(stdout(output), "", "{said}");
    for word in words {
        assert!(said.contains(word), "{word} is not in: {said}");
    }
}

#[test]
fn the_built_in_prices_are_shown() {
    let bench = Bench::new();
    let mut shown = stdout(&bench.run(&["prices", "--region", "ap-southeast-5"]));
    shown += &stdout(&bench.run(&["prices", "--region", "cn-north-1", "--output", "csv"]));
    shown += &stdout(&bench.run(&["prices", "--region", "il-central-1"]));
    insta::assert_snapshot!(shown);
    let all = stdout(&bench.run(&["prices", "--output", "csv"]));
    assert_eq!(all.lines().count(), 1 + 2 * 38, "{all}");
    let configured =
        bench.powertune(&["prices", "--output", "csv"]).env("AWS_REGION", REGION).output();
    assert_eq!(stdout(&configured.expect("it runs")).lines().count(), 3);
    let all_the_same =
        bench.powertune(&["prices", "--all", "--output", "csv"]).env("AWS_REGION", REGION).output();
    assert_eq!(stdout(&all_the_same.expect("it runs")), all);
    let config = bench.file("config", "[default]\nregion = ap-southeast-5\n");
    let of_profile = bench.powertune(&["prices"]).env("AWS_CONFIG_FILE", config).output();
    assert!(stdout(&of_profile.expect("it runs")).contains("0.000015 "), "the profile's region");
}

#[test]
fn fetched_prices_are_kept_and_gone_by() {
    let bench = Bench::new();
    let output = bench.update(Answer::Json(list(REGION, &day(0))));
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let (today, path) = (day(0), bench.kept().display().to_string());
    assert!(said.contains(&format!(
        "fetched the prices of {today} for eu-west-1; they are kept in {path}"
    )));
    assert!(stdout(&output).contains("0.0008192"), "{}", stdout(&output));
    let asked = bench.asked.lock().expect("no test panics with it").clone();
    assert_eq!(asked, ["GET /offers/v1.0/aws/AWSLambda/current/eu-west-1/index.json HTTP/1.1"]);

    let shown = stdout(&bench.run(&["prices", "--region", REGION, "--output", "csv"]));
    let row = format!("eu-west-1,x86_64,USD,0.0008192,0.0000004,,{today},fetched,{today}T");
    assert!(shown.lines().any(|line| line.starts_with(&row)), "{shown}");
    let all = stdout(&bench.run(&["prices", "--output", "csv"]));
    assert!(all.contains(&row) && all.contains(",built-in,"), "{all}");

    let result = bench.result(&[]);
    assert_eq!(result["pricesPublished"], today.as_str());
    assert_eq!(result["pricesFrom"], "fetched");
    assert!(result["pricesFetched"].as_str().is_some_and(|at| at.starts_with(&today)), "{result}");
    let price = result["stats"][0]["averagePrice"].as_f64().expect("a price");
    let billed_ms = price / PER_MS_AT_128_MB;
    assert!((billed_ms - billed_ms.round()).abs() < 1e-6, "{price} is of other prices");
    let table = stdout(&bench.tune(&[])).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(table.contains(&format!("prices of {today} fetched on {today}")), "{table}");

    let elsewhere = bench.result(&["--region", "eu-west-2"]);
    assert_eq!(elsewhere["pricesPublished"], "2026-09-19");
    assert_eq!(elsewhere.get("pricesFrom"), None, "{elsewhere}");
}

#[test]
fn strange_answers_change_nothing() {
    let bench = Bench::new();
    assert!(bench.update(Answer::Json(list(REGION, &day(-1)))).status.success());
    let kept = fs::read_to_string(bench.kept()).expect("it is kept");
    let whole = list(REGION, &day(0)).to_string();
    let cut: &'static str = Box::leak(whole[..whole.len() / 2].to_owned().into_boxed_str());
    let none = "no place to be";
    let group = "/products/R2/attributes/group";
    let price = "/terms/OnDemand/D1/D1.JRTCKXETXF/priceDimensions/D1.JRTCKXETXF.6YS6EN2CT7";
    for (answer, words) in [
        (Answer::Text("{\"offerCode\": "), ["not the JSON", "EOF"]),
        (Answer::Text(cut), ["not the JSON", "EOF"]),
        (Answer::Text(""), ["not the JSON", "EOF"]),
        (Answer::Text("[]"), ["no price list", "offerCode"]),
        (Answer::Text("<html>log in</html>"), ["not the JSON", "expected value"]),
        (changed("/offerCode", json!("AmazonEC2")), ["another service", "AmazonEC2"]),
        (Answer::Json(list("eu-west-2", &day(0))), ["of eu-west-2", "not of eu-west-1"]),
        (changed(group, json!(none)), ["AWS-Lambda-Requests-ARM", "0 times"]),
        (changed(group, json!("AWS-Lambda-Requests")), ["AWS-Lambda-Requests", "2 times"]),
        (changed(&format!("{price}/pricePerUnit"), json!({ "EUR": "1" })), ["EUR", "not in USD"]),
        (changed(&format!("{price}/pricePerUnit/USD"), json!("0.1")), ["0.1", "factor of 100"]),
        (
            changed(&format!("{price}/beginRange"), json!("6")),
            ["AWS-Lambda-Duration", "begins at 6"],
        ),
        (
            Answer::Json(list(REGION, "2026-09-18")),
            ["2026-09-18", "built-in prices are of 2026-09-19"],
        ),
        (
            Answer::Json(list(REGION, &day(-2))),
            ["older than the one that is kept", &*day(-2).leak()],
        ),
        (Answer::Json(list(REGION, &day(60))), ["in the future", &*day(60).leak()]),
        (Answer::Status(404, ""), ["there is no list", "404"]),
        (Answer::Status(500, ""), ["HTTP status 500", "later"]),
        (Answer::Status(302, "location: http://127.0.0.1:1/\r\n"), ["302", "127.0.0.1:1"]),
        (Answer::Endless, ["longer than 32 MB", "URL"]),
        (Answer::Nothing, ["connection", "network"]),
    ] {
        let output = bench.update(answer);
        failed(&output, 1, &words);
        failed(&output, 1, &["eu-west-1", &bench.url, "Nothing was changed"]);
        assert_eq!(fs::read_to_string(bench.kept()).expect("it is there"), kept, "{words:?}");
    }
    let files = fs::read_dir(bench.kept().parent().expect("a folder")).expect("it is there");
    assert_eq!(files.count(), 1, "something was left behind");
}

#[test]
fn an_update_that_can_not_work_is_refused_before_anything_is_called() {
    let bench = Bench::new();
    let update = ["prices", "--update", "--endpoint-url", &bench.url];
    failed(&bench.run(&update), 2, &["--region", "is missing", "--region us-east-1"]);
    let in_euros = [&update[..], &["--region", "eusc-de-east-1"]].concat();
    failed(&bench.run(&in_euros), 2, &["eusc-de-east-1", "EUR"]);
    failed(&bench.run(&[&update[..], &["--region", "Ireland"]].concat()), 2, &["Ireland"]);
    let nowhere = ["prices", "--update", "--region", REGION, "--endpoint-url", "nowhere"];
    failed(&bench.run(&nowhere), 2, &["--endpoint-url", "http://"]);
    failed(&bench.run(&["prices", "--region", "us-east-9"]), 2, &["us-east-9", "--update"]);
    assert!(bench.asked.lock().expect("no test panics with it").is_empty());
}

#[test]
fn a_folder_that_takes_no_file_is_named() {
    let bench = Bench::new();
    let arguments = ["prices", "--update", "--region", REGION, "--endpoint-url", &bench.url];
    for folder in ["/proc/1", "/dev/null/data"] {
        let output = bench.powertune(&arguments).env("XDG_DATA_HOME", folder).output();
        let words = [folder, "could not be kept", "XDG_DATA_HOME", "Nothing was changed"];
        failed(&output.expect("it runs"), 1, &words);
    }
}

#[test]
fn the_proxy_of_the_environment_is_asked() {
    let bench = Bench::new();
    let url = "http://prices.invalid";
    let arguments = ["prices", "--update", "--region", REGION, "--endpoint-url", url];
    let output = bench.powertune(&arguments).env("HTTP_PROXY", &bench.url).output();
    let output = output.expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let asked = bench.asked.lock().expect("no test panics with it").clone();
    assert!(asked[0].starts_with("GET http://prices.invalid/offers/"), "{asked:?}");
}

#[test]
fn kept_prices_that_can_not_be_used_are_told_of() {
    let bench = Bench::new();
    assert!(bench.update(Answer::Json(list(REGION, &day(0)))).status.success());
    let kept = fs::read_to_string(bench.kept()).expect("it is kept");
    let old =
        kept.replace(&format!("\"published\": \"{}\"", day(0)), "\"published\": \"2026-01-01\"");
    for (text, words) in [
        (old.as_str(), "they are of 2026-01-01, and the built-in ones are of 2026-09-19"),
        ("{", "eu-west-1.json can't be read: it is not the JSON"),
        ("\u{1b}[31m", "eu-west-1.json can't be read"),
        (&kept.replace(REGION, "eu-west-2"), "it is the price list of eu-west-2"),
    ] {
        fs::write(bench.kept(), text).expect("it is written");
        for arguments in [["prices", "--region", REGION].as_slice(), &["prices", "--all"]] {
            let output = bench.run(arguments);
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(0), "{said}");
            assert!(said.starts_with("warning: ") && said.contains(words), "{said}");
            assert!(said.contains("`powertune prices --update --region eu-west-1`"), "{said}");
            assert!(!said.contains('\u{1b}') && !stdout(&output).contains("fetched"), "{said}");
        }
    }
    let output = bench.tune(&["--output", "json"]);
    let said = stderr(&output);
    assert!(said.contains("warning: the prices that were fetched for eu-west-1"), "{said}");
    let result: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(result["pricesPublished"], "2026-09-19");
    // The next update replaces it.
    assert!(bench.update(Answer::Json(list(REGION, &day(0)))).status.success());
    assert_eq!(stderr(&bench.run(&["prices", "--region", REGION])), "");
}

#[test]
fn a_result_goes_by_the_prices_of_a_file() {
    let bench = Bench::new();
    let aws = bench.file("aws.json", &list(REGION, "2026-08-01").to_string());
    let result = bench.result(&["--prices", &aws]);
    assert_eq!(result["pricesPublished"], "2026-08-01");
    assert_eq!((&result["pricesFrom"], &result["pricesFile"]), (&json!("file"), &json!(aws)));
    let price = result["stats"][0]["averagePrice"].as_f64().expect("a price");
    let billed_ms = price / PER_MS_AT_128_MB;
    assert!((billed_ms - billed_ms.round()).abs() < 1e-6, "{price} is of other prices");

    let own = stdout(&bench.run(&["prices", "--prices", &aws, "--output", "json"]));
    let own = bench.file("own.json", &own);
    let shown = stdout(&bench.run(&["prices", "--prices", &own, "--output", "csv"]));
    assert!(shown.contains("eu-west-1,arm64,USD,0.0008192,0.0000004,,2026-08-01,file,"), "{shown}");
    let all = stdout(&bench.run(&["prices", "--all", "--output", "json"]));
    let all = bench.file("all.json", &all);
    let demo = bench.run(&["demo", "--prices", &all]);
    assert_eq!(demo.status.code(), Some(0), "{}", stderr(&demo));
    let table = stdout(&demo).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(table.contains(&format!("prices of 2026-09-19 from {all}")), "{table}");
}

#[test]
fn a_file_that_is_no_price_list_of_the_region_is_bad_input() {
    let bench = Bench::new();
    let text = list(REGION, "2026-08-01").to_string();
    let file = |name: &str, text: &str| bench.file(name, text);
    let absent = bench.folder.path().join("absent.json").display().to_string();
    let folder = bench.folder.path().display().to_string();
    for (path, words) in [
        (file("cut.json", &text[..99]), "not the JSON"),
        (file("other.json", &text.replace("AWSLambda", "AmazonEC2")), "AmazonEC2"),
        (file("dear.json", &text.replace("0.0008192000", "8192")), "factor of 100"),
        (absent, "No such file"),
        (folder, "not a file"),
    ] {
        failed(
            &bench.tune(&["--prices", &path]),
            2,
            &["--prices", &path, words, "no request was sent to AWS"],
        );
        failed(&bench.run(&["demo", "--prices", &path]), 2, &["--prices", &path, words]);
        failed(&bench.run(&["prices", "--prices", &path]), 2, &["--prices", &path, words]);
    }
    let good = file("good.json", &text);
    let elsewhere = bench.tune(&["--prices", &good, "--region", "eu-west-2"]);
    failed(
        &elsewhere,
        2,
        &["no prices of eu-west-2", "only of eu-west-1", "no request was sent to AWS"],
    );
    let on_aws = ["tune", "fn", "--region", "eu-west-2", "--endpoint-url", &bench.url];
    let on_aws = [&on_aws[..], &["--prices", &good]].concat();
    failed(&bench.run(&on_aws), 2, &["no prices of eu-west-2", "no request was sent to AWS"]);
    assert!(bench.asked.lock().expect("no test panics with it").is_empty());
}
