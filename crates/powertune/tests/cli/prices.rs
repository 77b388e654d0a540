//! `powertune prices`, and results with other prices than the built-in ones.

use std::{fs, process::Output};

use serde_json::{Value, json};

use crate::{
    binary::{stderr, stdout},
    price_lists::{Answer, Bench, PER_MS_AT_128_MB, REGION, day, list},
};

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
        (Answer::Status(404), ["there is no list", "404"]),
        (Answer::Status(500), ["HTTP status 500", "later"]),
        (Answer::Elsewhere("http://127.0.0.1:1/"), ["302", "127.0.0.1:1"]),
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
