//! Each field of a request with each kind of fault, with the real binary: exit code 2, the field in
//! the message, and no call.

mod table;

use std::{
    fs,
    io::ErrorKind,
    net::TcpListener,
    process::{Command, Output},
};

use powertune_core::request::FIELDS;
use serde_json::{Value, json};

use self::table::table;
use crate::stdin::with_stdin;

/// An endpoint that nobody may call.
struct Untouched(TcpListener);

impl Untouched {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket that does not wait");
        Self(listener)
    }

    fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().expect("an address"))
    }

    /// Runs `powertune` with these arguments and this stdin, and checks that nothing was called.
    fn powertune(&self, arguments: &[&str], stdin: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_powertune"));
        command
            .args(arguments)
            .env_clear()
            .env("AWS_ENDPOINT_URL", self.url())
            .env("AWS_ACCESS_KEY_ID", "key")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        let output = with_stdin(&mut command, stdin);
        let called = self.0.accept().map(|_| ()).map_err(|error| error.kind());
        assert_eq!(called, Err(ErrorKind::WouldBlock), "{arguments:?} {stdin} made a call");
        output
    }

    /// Checks that bad input in a request file is refused, with the field in the message.
    fn refuses_request(&self, request: &Value, field: &str) {
        let output = self.powertune(&["tune", "--input", "-"], &request.to_string());
        refused(&output, field, &request.to_string());
    }

    /// Checks that bad options are refused, with this word in the message.
    fn refuses_options(&self, arguments: &[&str], named: &str) {
        let output = self.powertune(arguments, "");
        refused(&output, named, &arguments.join(" "));
    }
}

fn refused(output: &Output, named: &str, what: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{what}: {stderr}");
    assert!(stderr.contains(named), "{what} does not name {named}: {stderr}");
    assert!(output.stdout.is_empty(), "{what}: stdout is for results");
}

#[test]
fn every_field_of_a_request_against_every_value_that_it_cannot_have() {
    let endpoint = Untouched::new();
    for (field, values) in table() {
        for value in values {
            let mut request = json!({ "lambdaARN": "fn" });
            request[field] = value;
            endpoint.refuses_request(&request, &format!("error: {field}: "));
        }
    }
}

#[test]
fn every_field_but_the_percentile_is_in_the_table() {
    let table = table();
    let missing: Vec<&str> = FIELDS
        .into_iter()
        .filter(|field| table.iter().all(|(listed, _)| listed != field))
        .collect();
    assert_eq!(missing, ["percentile"], "it needs a limit on the duration, and has its own test");
}

#[test]
fn a_percentile_is_checked_with_its_limit() {
    let endpoint = Untouched::new();
    for percentile in [json!(0), json!(100), json!(-1), json!("high"), json!([]), json!(true)] {
        let request = json!({ "lambdaARN": "fn", "maxDuration": 9, "percentile": percentile });
        endpoint.refuses_request(&request, "error: percentile: ");
    }
}

#[test]
fn what_is_missing_contradictory_or_unknown() {
    let endpoint = Untouched::new();
    for (request, field) in [
        (json!({}), "lambdaARN"),
        (json!({ "lambdaARN": null }), "lambdaARN"),
        (json!({ "lambdaARN": "fn", "percentile": 90 }), "percentile"),
        (json!({ "lambdaARN": "fn", "maxDuration": 9, "strategy": "speed" }), "maxDuration"),
        (json!({ "lambdaARN": "fn", "maxDuration": 9, "num": 10 }), "num"),
        (json!({ "lambdaARN": "fn", "parallelInvocation": false, "parallel": 9 }), "parallel"),
        (
            json!({ "lambdaARN": "fn", "parallelInvocation": false, "enableParallel": true }),
            "enableParallel",
        ),
        (json!({ "lambdaARN": "fn", "powervalues": [128] }), "powervalues"),
        (json!({ "lambdaARN": "fn", "lambdaArn": "fn" }), "lambdaArn"),
        (json!({ "lambdaARN": "fn", "colour": "red" }), "colour"),
    ] {
        endpoint.refuses_request(&request, &format!("error: {field}: "));
    }
}

#[test]
fn every_fault_is_reported_at_once() {
    let endpoint = Untouched::new();
    let request = json!({ "num": 1, "strategy": "cheap", "powerValues": [1], "dryRun": 0, "x": 0 });
    let output = endpoint.powertune(&["tune", "--input", "-"], &request.to_string());
    for field in ["lambdaARN", "num", "strategy", "powerValues", "dryRun", "x"] {
        refused(&output, &format!("error: {field}: "), &request.to_string());
    }
}

#[test]
fn request_files_that_cannot_be_read() {
    let endpoint = Untouched::new();
    for (stdin, named) in [("", "input"), ("{", "input"), ("[1]", "input"), ("\"fn\"", "input")] {
        refused(&endpoint.powertune(&["tune", "--input", "-"], stdin), named, stdin);
    }
    endpoint.refuses_options(&["tune", "--input", "/nowhere/request.json"], "input");
    endpoint.refuses_options(&["tune", "fn", "--payload", "@/nowhere/event.json"], "payload");
    endpoint.refuses_options(&["tune", "fn", "--payload", "{\"half\":"], "payload");
}

#[test]
fn options_name_the_option_too() {
    let endpoint = Untouched::new();
    for (option, value, field) in [
        ("--num", "4", "num (--num)"),
        ("--num", "many", "num (--num)"),
        ("--power-values", "64", "powerValues (--power-values)"),
        ("--payload", "s3://bucket", "payloadS3"),
        ("--strategy", "cheap", "strategy (--strategy)"),
        ("--balanced-weight", "x", "balancedWeight (--balanced-weight)"),
        ("--discard-top-bottom", "0.5", "0.5 is out of range; it must be from 0 to 0.4"),
        ("--max-duration", "-1", "maxDuration (--max-duration)"),
        ("--percentile", "90", "percentile (--percentile)"),
        ("--tolerance", "-1", "tolerance (--tolerance)"),
        ("--max-cost", "-1", "maxCost (--max-cost)"),
        ("--parallel", "0", "parallel (--parallel)"),
        ("--discard-top-bottom", "x", "discardTopBottom (--discard-top-bottom)"),
        ("--sleep-between-runs-ms", "-1", "sleepBetweenRunsMs (--sleep-between-runs-ms)"),
        ("--pre-processor", "a b", "preProcessorARN (--pre-processor)"),
        ("--post-processor", "a b", "postProcessorARN (--post-processor)"),
        ("--allowed-exceptions", ",", "allowedExceptions (--allowed-exceptions)"),
        ("--auto-optimize-alias", "12", "autoOptimizeAlias (--auto-optimize-alias)"),
        ("--seed", "-1", "seed (--seed)"),
        ("--seed", "18446744073709551616", "too large; it must be at most 18446744073709551615"),
        ("--region", "nowhere", "--region"),
        ("--endpoint-url", "nowhere", "--endpoint-url"),
        ("--endpoint-url", "http://127.0.0.1:99999", "--endpoint-url"),
        ("--output", "pdf", "--output"),
        ("--save", "/nowhere/result.json", "--save"),
        ("--colour", "red", "--colour"),
    ] {
        endpoint.refuses_options(&["tune", "fn", option, value], field);
    }
    let output = endpoint.powertune(&["tune", "fn", "--endpoint-url", "ftp://me:s3cr3t@host"], "");
    refused(&output, "--endpoint-url", "ftp");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("s3cr3t"));
    for command in ["tune", "clean", "run"] {
        let named = "--profile: the profile \"nobody\" is not in the AWS configuration files";
        endpoint.refuses_options(&[command, "fn", "--profile", "nobody"], named);
    }
    endpoint.refuses_options(&["tune"], "lambdaARN");
    endpoint.refuses_options(&["tune", "a b"], "lambdaARN");
    endpoint.refuses_options(&["clean", "a b"], "FUNCTION");
    endpoint.refuses_options(&["demo", "--num", "4"], "num (--num)");
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:fn";
    endpoint.refuses_options(&["tune", arn, "--region", "us-east-1"], "--region");
}

/// Options without effect: the arguments, the option, and the other option or value in the message.
const IDLE: [(&[&str], &str, &str); 13] = [
    (&["--balanced-weight", "0.3"], "balancedWeight (--balanced-weight)", "--strategy balanced"),
    (
        &["--balanced-weight", "0.3", "--strategy", "speed"],
        "balancedWeight (--balanced-weight)",
        "--strategy balanced",
    ),
    (
        &["--balanced-weight", "1.5", "--strategy", "balanced"],
        "balancedWeight (--balanced-weight)",
        "1.5 is out of range; it must be from 0 to 1",
    ),
    (
        &["--tolerance", "5", "--strategy", "balanced"],
        "tolerance (--tolerance)",
        "--strategy balanced",
    ),
    (&["--percentile", "90"], "percentile (--percentile)", "--max-duration"),
    (
        &["--max-duration", "90", "--strategy", "speed"],
        "maxDuration (--max-duration)",
        "--strategy cost",
    ),
    (
        &["--auto-optimize-alias", "live"],
        "autoOptimizeAlias (--auto-optimize-alias)",
        "goes with --auto-optimize,",
    ),
    (
        &["--release-latest", "--auto-optimize"],
        "releaseLatest (--release-latest)",
        "--auto-optimize-alias",
    ),
    (
        &["--sleep-between-runs-ms", "5", "--parallel", "3"],
        "sleepBetweenRunsMs (--sleep-between-runs-ms)",
        "--parallel",
    ),
    (
        &["--discard-top-bottom", "0.1", "--only-cold-starts"],
        "discardTopBottom (--discard-top-bottom)",
        "--only-cold-starts",
    ),
    (&["--save", "result.json", "--dry-run"], "--save", "--dry-run"),
    (&["--quiet", "--verbose"], "--quiet", "--verbose"),
    (&["--num", "5", "--max-duration", "9"], "num (--num)", "20 invocations"),
];

#[test]
fn an_option_that_can_have_no_effect_names_the_other() {
    let endpoint = Untouched::new();
    for (arguments, option, other) in IDLE {
        for command in ["tune", "run"] {
            let output = endpoint.powertune(&[&[command, "fn"], arguments].concat(), "");
            refused(&output, option, &arguments.join(" "));
            refused(&output, other, &arguments.join(" "));
        }
    }
    for local in ["--runtime", "--handler", "--env", "--timeout", "--architecture"] {
        let output = endpoint.powertune(&["tune", "fn", local, "1"], "");
        refused(&output, &format!("error: {local}: "), local);
        refused(&output, "without --local", local);
    }
    let all = ["tune", "fn", "--runtime", "python3.11", "--handler", "app.handler"];
    let output = endpoint.powertune(&all, "");
    refused(&output, "error: --runtime: ", "--runtime");
    refused(&output, "error: --handler: ", "--handler");
    let local = ["tune", "--local", "/", "--runtime", "python3.11", "--handler", "a.b"];
    for (more, option) in [
        (&["--auto-optimize"][..], "autoOptimize (--auto-optimize)"),
        (&["--profile", "p"], "--profile"),
        (&["--endpoint-url", "http://127.0.0.1:1"], "--endpoint-url"),
        (&["fn"], "[FUNCTION]"),
    ] {
        let output = endpoint.powertune(&[&local, more].concat(), "");
        refused(&output, option, option);
        refused(&output, "--local", option);
    }
}

#[test]
fn an_option_beside_a_file_is_held_against_what_the_file_says() {
    let endpoint = Untouched::new();
    let with = |request: Value, more: &[&str], named: &str| {
        let arguments = [&["tune", "--input", "-"], more].concat();
        refused(&endpoint.powertune(&arguments, &request.to_string()), named, named);
    };
    let parallel = json!({ "lambdaARN": "fn", "parallelInvocation": true });
    with(parallel, &["--sleep-between-runs-ms", "5"], "(--sleep-between-runs-ms): has no effect");
    let cost = json!({ "lambdaARN": "fn", "strategy": "cost" });
    with(cost, &["--balanced-weight", "0.5"], "(--balanced-weight): has no effect");
    let dry = json!({ "lambdaARN": "fn", "dryRun": true });
    with(dry, &["--save", "result.json"], "--save: has no effect");
}

#[test]
fn a_region_has_to_be_known() {
    let output = Command::new(env!("CARGO_BIN_EXE_powertune"))
        .args(["tune", "fn"])
        .env_clear()
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ACCESS_KEY_ID", "key")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .output()
        .expect("powertune ends");
    refused(&output, "--region", "no region");
}

#[test]
fn an_environment_that_means_somebody_else_is_refused() {
    let endpoint = Untouched::new();
    let cases: [(&[(&str, &str)], &str); 4] = [
        (&[("AWS_PROFILE", "nobody")], "AWS_PROFILE: the profile \"nobody\" is not in the AWS"),
        (&[("AWS_DEFAULT_PROFILE", "nobody")], "AWS_DEFAULT_PROFILE: the profile \"nobody\" is"),
        (
            &[("AWS_SECRET_ACCESS_KEY", "")],
            "AWS_SECRET_ACCESS_KEY: is not set, and AWS_ACCESS_KEY_ID is; set both or neither",
        ),
        (&[("AWS_REGION", "us east")], "--region: `us east` is not the code of an AWS region"),
    ];
    for (variables, named) in cases {
        for command in ["tune", "clean", "run"] {
            let output = Command::new(env!("CARGO_BIN_EXE_powertune"))
                .args([command, "fn"])
                .env_clear()
                .env("AWS_ENDPOINT_URL", endpoint.url())
                .env("AWS_ACCESS_KEY_ID", "key")
                .env("AWS_SECRET_ACCESS_KEY", "secret")
                .env("AWS_REGION", "us-east-1")
                .env("AWS_EC2_METADATA_DISABLED", "true")
                .envs(variables.iter().copied())
                .output()
                .expect("powertune ends");
            refused(&output, named, command);
        }
    }
    let called = endpoint.0.accept().map(|_| ()).map_err(|error| error.kind());
    assert_eq!(called, Err(ErrorKind::WouldBlock));
}

#[test]
fn functions_on_this_machine() {
    let endpoint = Untouched::new();
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("app.py"), "def handler(event, context): pass").expect("code");
    let path = folder.path().display().to_string();
    let tune = |more: &[&'static str], named: &str| {
        let mut arguments = vec!["tune", "--local", &path];
        arguments.extend(more);
        endpoint.refuses_options(&arguments, named);
    };
    tune(&[], "--runtime");
    tune(&["--runtime", "python3.11"], "--handler");
    let whole = ["--runtime", "python3.11", "--handler", "app.handler"];
    let with = |more: &[&'static str]| [&whole, more].concat();
    for runtime in ["cobol", "python3.99", "java21", "python3", "nodejs"] {
        let named =
            format!("--runtime: {runtime} is no runtime that runs on this machine; these do");
        let arguments = ["tune", "--local", &path, "--runtime", runtime, "--handler", "a.b"];
        endpoint.refuses_options(&arguments, &named);
    }
    tune(&with(&["--timeout", "0"]), "--timeout");
    tune(&with(&["--timeout", "901"]), "--timeout");
    tune(&with(&["--timeout", "soon"]), "--timeout");
    tune(&with(&["--env", "secret"]), "--env");
    tune(&with(&["--env", "1=2"]), "--env");
    tune(&with(&["--architecture", "vax"]), "vax");
    tune(&with(&["--num", "1"]), "num");
    tune(&with(&["fn"]), "--local");
    tune(&with(&["--endpoint-url", "http://127.0.0.1:1"]), "--endpoint-url");
    let nowhere = ["tune", "--local", "/nowhere", "--runtime", "python3.11", "--handler", "a.b"];
    endpoint.refuses_options(&nowhere, "--local");
    endpoint.refuses_options(&["tune", "fn", "--runtime", "python3.11"], "--local");
}

#[test]
fn an_execution_is_not_started_with_bad_input() {
    let untouched = Untouched::new();
    untouched.refuses_options(&["run", "fn", "--num", "3"], "num");
    untouched.refuses_options(&["run", "--stack", "powertune"], "lambdaARN");
    untouched.refuses_options(&["run", "fn", "--endpoint-url", "ftp://x"], "endpoint-url");
    let output = untouched.powertune(&["run", "--input", "-"], r#"{"lambdaARN": "fn", "nmu": 1}"#);
    refused(&output, "nmu", "a request file");
    refused(&output, "see powertune run --help", "a request file");
    // A variable of a script that is not set.
    untouched.refuses_options(&["run", "fn", "--state-machine", ""], "--state-machine");
    untouched.refuses_options(&["run", "fn", "--stack", " "], "--stack");
    untouched.refuses_options(&["run", ""], "lambdaARN");
    let machine = "arn:aws:states:us-east-1:123456789012:stateMachine:machine";
    let elsewhere = ["run", "fn", "--state-machine", machine, "--region", "eu-west-1"];
    untouched.refuses_options(&elsewhere, "--region");
    for arn in ["arn:aws:states:us-east-1:123456789012:execution:machine:name", "arn:machine"] {
        untouched.refuses_options(&["run", "fn", "--state-machine", arn], "--state-machine");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("event.json");
    fs::write(&path, format!("{:?}", "x".repeat(300_000))).expect("the payload");
    let payload = format!("@{}", path.display());
    untouched.refuses_options(&["run", "fn", "--payload", &payload], "payloadS3");
}
