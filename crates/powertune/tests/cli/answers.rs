//! The output of a run agrees with its actions: errors, cold starts, and the applied choice.

use serde_json::Value;

use crate::{
    binary::{stderr, stdout},
    stage::{FUNCTION, Stage},
};

/// Runs `powertune tune` on the stage's function; returns exit code, stdout and stderr.
fn tune(stage: &Stage, more: &[&str]) -> (Option<i32>, String, String) {
    let arguments = [&["tune", FUNCTION, "--power-values", "512,1024"], more].concat();
    let output = stage.powertune(&arguments).output().expect("powertune runs");
    (output.status.code(), stdout(&output), stderr(&output))
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A handler that fails at every n-th invocation of an environment.
fn failing_each(n: u32) -> String {
    format!(
        "handler.count = getattr(handler, 'count', 0) + 1\n    \
         if handler.count % {n} == 0: raise RuntimeError('no luck')"
    )
}

#[test]
fn one_error_in_ten_is_counted_and_shown() {
    let stage = Stage::new(&failing_each(10));
    let (code, table, error) = tune(&stage, &["--num", "10"]);
    assert_eq!(code, Some(0), "{error}");
    assert_eq!(table.matches("1 of 10").count(), 2, "{table}");
    assert_eq!(
        table.matches("RuntimeError: no luck").count(),
        1,
        "one cause is told once: {table}"
    );
    assert!(table.contains("app.py"), "the stack trace's first frame: {table}");
    let allowed = ["--num", "10", "--allowed-exceptions", "RuntimeError"];
    let (code, table, error) = tune(&stage, &allowed);
    assert_eq!(code, Some(0), "{error}");
    assert_eq!(table.matches("1 allowed").count(), 2, "{table}");
    stage.must_be_clean();
}

#[test]
fn a_third_of_errors_takes_the_rate_that_the_message_names() {
    let stage = Stage::new(&failing_each(3));
    let (code, table, error) = tune(&stage, &["--num", "15"]);
    assert_eq!((code, table.as_str()), (Some(1), ""), "{error}");
    assert!(error.contains("5 of 15 invocations failed"), "{error}");
    assert!(error.contains("--max-error-rate 35"), "{error}");
    assert!(error.contains("--payload"), "no payload was given: {error}");
    let (code, table, error) = tune(&stage, &["--num", "15", "--max-error-rate", "35"]);
    assert_eq!(code, Some(0), "{error}");
    assert_eq!(table.matches("5 of 15").count(), 2, "{table}");
    stage.must_be_clean();
}

#[test]
fn the_same_error_at_each_of_the_first_three_ends_it() {
    let stage = Stage::new("raise RuntimeError('no luck')");
    let (code, _, error) = tune(&stage, &["--num", "20", "--verbose", "--max-error-rate", "90"]);
    assert_eq!(code, Some(1), "{error}");
    // Three at each of two sizes, and the message once for both.
    assert_eq!(error.matches("MB: the function failed with RuntimeError").count(), 7, "{error}");
    assert!(error.contains("512, 1024 MB: the function failed"), "{error}");
    stage.must_be_clean();
}

#[test]
fn as_many_cold_starts_happen_as_were_asked_for() {
    let stage = Stage::new("time.sleep(0.02)");
    let (code, json, error) =
        tune(&stage, &["--only-cold-starts", "--num", "10", "--output", "json"]);
    assert_eq!(code, Some(0), "{error}");
    for row in parsed(&json)["stats"].as_array().expect("rows") {
        assert_eq!(row["coldStarts"], 10, "{row}");
    }
    stage.must_be_clean();
}

#[test]
fn a_dry_run_of_a_function_that_works_nowhere_fails() {
    let stage = Stage::new("raise RuntimeError('no luck')");
    let (code, table, error) = tune(&stage, &["--dry-run"]);
    assert_eq!(code, Some(1), "{error}");
    assert!(table.contains("0 of 2 memory sizes") && error.contains("works at none"), "{error}");
    let (code, table, error) = tune(&Stage::new("return 1"), &["--dry-run"]);
    assert_eq!(code, Some(0), "{error}");
    assert!(table.contains("costs about") && table.contains("simulated"), "{table}");
}

#[test]
fn what_was_applied_is_said_also_where_all_is_quiet() {
    let stage = Stage::new("time.sleep(0.15)");
    let applied = ["--num", "5", "--auto-optimize", "--quiet"];
    let (code, table, error) = tune(&stage, &applied);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    assert!(table.contains("Applied: the function has 512 MB now."), "{table}");
    let (_, markdown, _) = tune(&stage, &[&applied[..], &["--output", "markdown"]].concat());
    assert!(markdown.contains("Applied: the function has 512 MB now."), "{markdown}");
    let (_, json, _) = tune(&stage, &[&applied[..], &["--output", "json"]].concat());
    let json = parsed(&json);
    assert_eq!(json["applied"]["power"], json["power"]);
    let (_, _, told) = tune(&stage, &applied[..3]);
    assert!(told.contains("deleting the test versions"), "{told}");
    assert!(!told.contains("putting the function back as it was"), "{told}");
}

#[test]
fn nothing_is_applied_below_the_least_confidence() {
    // Sleeping takes the same time at each size: the smaller one is cheaper for sure.
    let stage = Stage::new("time.sleep(0.02 + 0.02 * (time.time_ns() // 1000 % 7))");
    let applied = ["--num", "5", "--strategy", "speed", "--auto-optimize"];
    let unsure = [&applied[..], &["--min-confidence", "100"]].concat();
    let (code, table, error) = tune(&stage, &unsure);
    assert_eq!(code, Some(0), "{error}");
    assert!(table.contains("nothing was applied: the choice is"), "{table}");
    assert!(!table.contains("Applied:"), "{table}");
    stage.must_be_clean();
    for (least, told) in [("0.9", "write 90 for 90 %"), ("101", "out of range")] {
        let wrong = [&applied[..], &["--min-confidence", least]].concat();
        let (code, _, error) = tune(&stage, &wrong);
        assert_eq!(code, Some(2), "{error}");
        assert!(error.contains(told) && error.contains("no request was sent to AWS"), "{error}");
    }
}
