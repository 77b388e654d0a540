//! Fields without effect in a request file: the warnings come before any invocation.

use std::{fs, net::TcpListener, sync::Arc};

use serde_json::{Value, json};

use crate::{
    binary::{powertune, stderr, stdout},
    stage::{FUNCTION, Rule, Spoilt, Stage, invocations},
};

/// A file in the format of aws-lambda-power-tuning, and its warnings.
fn file() -> (Value, [&'static str; 3]) {
    let request = json!({
        "lambdaARN": FUNCTION, "powerValues": [256], "num": 5, "strategy": "cost",
        "balancedWeight": 0.7, "autoOptimizeAlias": "live", "discardTopBottom": 0.9,
    });
    let warnings = [
        "warning: balancedWeight has no effect: it goes with the strategy balanced",
        "warning: autoOptimizeAlias has no effect: it goes with autoOptimize",
        "warning: discardTopBottom: 0.9 is outside its range, 0.4 is used",
    ];
    (request, warnings)
}

#[test]
fn tune_warns_before_it_invokes() {
    let stage = Stage::new("return 1");
    let (request, warnings) = file();
    let path = stage.path("request.json");
    fs::write(&path, request.to_string()).expect("the request");
    // The first invocation fails, and is answered only after the warnings.
    let rule: Rule = Arc::new(|seen| {
        (invocations(seen) > 0).then_some(Spoilt::Refused(403, "AccessDeniedException"))
    });
    let arguments = ["tune", "--input", &path.display().to_string(), "--verbose"];
    let output = stage.spoilt(&arguments, rule).output().expect("powertune runs");
    let said = stderr(&output);
    let invoked = said.find("AccessDeniedException").expect("the invocation is told of");
    for warning in warnings {
        let warned = said.find(warning);
        assert!(warned.is_some_and(|warned| warned < invoked), "{warning}: {said}");
        assert_eq!(said.matches(warning).count(), 1, "{warning}: {said}");
    }
}

#[test]
fn run_warns_before_it_starts_an_execution() {
    let folder = tempfile::tempdir().expect("a folder");
    let (request, warnings) = file();
    let path = folder.path().join("request.json");
    fs::write(&path, request.to_string()).expect("the request");
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let url = format!("http://{}", port.expect("an address"));
    let machine = "arn:aws:states:us-east-1:123456789012:stateMachine:machine";
    let path = path.display().to_string();
    let output = powertune(&["run", "--input", &path, "--state-machine", machine])
        .env("AWS_ENDPOINT_URL", url)
        .env("AWS_ACCESS_KEY_ID", "key")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .output()
        .expect("powertune runs");
    let said = stderr(&output);
    assert_ne!(output.status.code(), Some(0), "{said}");
    for warning in warnings {
        assert!(said.contains(warning), "{warning}: {said}");
    }
}

#[test]
fn a_function_of_this_machine_has_nothing_applied_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("app.py"), "def handler(event, context): return 1").expect("code");
    fs::write(folder.path().join("request.json"), r#"{"autoOptimize": true}"#).expect("a file");
    let arguments = ["tune", "--local", ".", "--runtime", "python3.11", "--handler", "app.handler"];
    let more =
        ["--input", "request.json", "--power-values", "1024", "--num", "5", "--output", "json"];
    let output = powertune(&[&arguments[..], &more].concat())
        .current_dir(folder.path())
        .output()
        .expect("powertune runs");
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    let warning = "autoOptimize has no effect: --local tunes a function that is gone after the run";
    assert!(said.contains(&format!("warning: {warning}")), "{said}");
    let result: Value = serde_json::from_str(&stdout(&output)).expect("a result");
    assert!(result.get("applied").is_none(), "{result}");
    assert!(result["warnings"].to_string().contains(warning), "{result}");
}

#[test]
fn a_dry_run_says_what_would_be_applied() {
    let stage = Stage::new("return 1");
    let dry_run = |more: &[&str]| {
        let arguments = ["tune", FUNCTION, "--dry-run", "--power-values", "512", "--quiet"];
        let output = stage.powertune(&[&arguments, more].concat()).output();
        let output = output.expect("powertune runs");
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let stays = "gives $LATEST the memory size that was chosen, and leaves it there";
    assert!(!dry_run(&[]).contains(stays));
    assert!(dry_run(&["--auto-optimize"]).contains(stays));
    let alias = ["--auto-optimize", "--auto-optimize-alias", "live"];
    assert!(dry_run(&alias).contains("points the alias live to it"));
    stage.must_be_clean();
}
