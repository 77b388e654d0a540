//! Results of real runs, in every form.

use std::process::Output;

use serde_json::Value;

use crate::{
    binary::{Local, example, powertune, run, stderr, stdout},
    functions::create,
    stage::{FUNCTION, Stage},
};

/// Tunes a sample function quickly, at two memory sizes.
fn tune(more: &[&str]) -> Output {
    let path = example("order-report");
    let payload = format!("@{}", path.join("event.json").display());
    let path = path.display().to_string();
    let mut arguments = vec!["tune", "--local", &path, "--runtime", "python3.11"];
    arguments.extend(["--handler", "handler.handler", "--payload", &payload]);
    arguments.extend(["--power-values", "512,1024", "--num", "5"]);
    arguments.extend(more);
    let output = run(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    output
}

/// Replaces the values that differ from run to run.
fn redacted(mut json: Value) -> Value {
    match &mut json {
        Value::Number(number) if number.is_f64() => Value::from("[number]"),
        Value::Array(items) => items.drain(..).map(redacted).collect(),
        Value::Object(fields) => {
            let names: Vec<String> = fields.keys().cloned().collect();
            for name in names {
                let value = fields[&name].take();
                fields[&name] = match name.as_str() {
                    "elapsedMs" | "maxMemoryUsed" => Value::from("[number]"),
                    "ties" | "warnings" => Value::from("[list]"),
                    "visualization" => Value::from("[url]"),
                    _ => redacted(value),
                };
            }
            json
        }
        _ => json,
    }
}

#[test]
fn json_is_the_whole_result_and_is_saved() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("result.json");
    let output = tune(&["--output", "json", "--save", &file.display().to_string()]);
    let json: Value = serde_json::from_str(&stdout(&output)).expect("stdout is JSON alone");
    let saved = std::fs::read_to_string(file).expect("it was saved");
    assert_eq!(serde_json::from_str::<Value>(&saved).expect("JSON"), json);
    insta::assert_json_snapshot!(redacted(json));
}

#[test]
fn a_table_without_a_terminal_has_no_escape_codes() {
    let output = tune(&[]);
    let text = stdout(&output) + &stderr(&output);
    assert!(!text.contains('\u{1b}'), "{text:?}");
    assert!(text.contains("512 MB") && text.contains("order-report"), "{text}");
}

#[test]
fn color_is_what_the_option_or_the_environment_asks_for() {
    let stage = Stage::new("return 1");
    let is_coloured = |option: Option<&str>, variables: &[(&str, &str)]| {
        let arguments = ["tune", FUNCTION, "--dry-run", "--power-values", "512", "--quiet"];
        let mut command = stage.powertune(&arguments);
        command.args(option.map(|when| format!("--color={when}")));
        command.env_remove("CLICOLOR_FORCE").envs(variables.iter().copied());
        let output = command.output().expect("powertune runs");
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output).contains('\u{1b}')
    };
    let (unwanted, forced) = (("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1"));
    // The output goes to no terminal.
    assert!(!is_coloured(None, &[]));
    assert!(!is_coloured(Some("auto"), &[("CLICOLOR_FORCE", "0")]));
    assert!(is_coloured(None, &[forced]));
    assert!(!is_coloured(None, &[forced, unwanted]));
    assert!(!is_coloured(Some("never"), &[forced]));
    assert!(is_coloured(Some("always"), &[unwanted]));
}

#[test]
fn quiet_prints_the_result_alone() {
    let output = tune(&["--quiet", "--output", "csv"]);
    assert_eq!(stderr(&output), "");
    let text = stdout(&output);
    let mut lines = text.lines();
    assert!(lines.next().is_some_and(|header| header.starts_with("value,averagePrice")), "{text}");
    assert_eq!(lines.count(), 2);
}

#[test]
fn a_dry_run_prints_the_plan_and_what_it_can_cost() {
    let output = tune(&["--dry-run"]);
    let text = stdout(&output);
    assert!(text.contains("at most"), "{text}");
}

#[test]
fn the_demo_recommends_a_power() {
    let output = run(&["demo", "--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let result: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    // The other memory sizes depend on the speed of the machine.
    let duration = |power: u32| {
        let mut rows = result["stats"].as_array().expect("a list").iter();
        let row = rows.find(|row| row["value"] == power).expect("it was measured");
        row["averageDuration"].as_f64().expect("a duration")
    };
    let (slow, fast) = (duration(128), duration(1024));
    assert!(slow > 5.0 * fast, "128 MB has an eighth of the CPU: {slow} ms, {fast} ms");
    assert_eq!(result["decidedBy"], "costMean");
}

#[test]
fn a_function_on_a_lambda_endpoint_is_tuned_by_name_and_by_request_file() {
    let local = Local::start();
    create(&local);
    let tuned = |arguments: &[&str]| {
        let output = local.powertune(arguments).output().expect("powertune runs");
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        serde_json::from_str::<Value>(&stdout(&output)).expect("JSON")
    };
    let few = ["--power-values", "512,1024", "--num", "5", "--output", "json"];
    let by_name = tuned(&[&["tune", "orders"], few.as_slice()].concat());
    assert_eq!(by_name["functionArn"], "arn:aws:lambda:us-east-1:000000000000:function:orders");

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("request.json");
    let request = r#"{"lambdaARN": "arn:aws:lambda:us-east-1:000000000000:function:orders",
        "powerValues": [512], "num": 5, "parallelInvocation": true, "payload": {"orders": []}}"#;
    std::fs::write(&file, request).expect("a request");
    let path = file.display().to_string();
    let by_file = tuned(&["tune", "--input", &path, "--output", "json"]);
    assert_eq!((&by_file["power"], &by_file["invocations"]), (&512.into(), &5.into()));

    let cleaned = local.powertune(&["clean", "orders"]).output().expect("powertune runs");
    assert!(stdout(&cleaned).contains("nothing to clean up"), "{}", stdout(&cleaned));
}

#[test]
fn output_that_nobody_reads_is_no_failure() {
    let path = example("order-report").display().to_string();
    let arguments = ["tune", "--local", &path, "--runtime", "python3.11", "--handler"];
    let arguments = [&arguments, ["handler.handler", "--power-values", "1024"].as_slice()].concat();
    let mut child = powertune(&[&arguments, ["--num", "5", "--payload", "{}"].as_slice()].concat())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("powertune starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("powertune ends");
    assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
}

#[test]
fn a_demo_makes_as_many_invocations_as_it_is_told_to_while_there_is_time() {
    let output = run(&["demo", "--num", "5", "--output", "json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("measuring ends after 25 s at the latest"));
    let result: Value = serde_json::from_str(&stdout(&output)).expect("a result");
    let stats = result["stats"].as_array().expect("a list");
    let each = stats.iter().map(|row| row["invocations"].as_u64().expect("a number"));
    match result["stopped"].as_str() {
        Some("numReached") => assert!(each.into_iter().all(|made| made == 5), "{result}"),
        // On a busy machine.
        Some("timeReached") => assert!(each.into_iter().all(|made| made <= 5), "{result}"),
        other => panic!("{other:?}: {result}"),
    }
}
