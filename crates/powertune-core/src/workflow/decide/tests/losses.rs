//! Tests of lost batches, and of batches that cannot go on.

use super::*;

#[test]
fn a_lost_portion_has_spent_its_budget_at_most() {
    let mut state = begun(json!({"maxCost": 0.1}));
    let budget = state.backlog.tasks[1].budget.expect("a share");
    state.measured = state.backlog.tasks.iter().map(|task| measure(&state, task, 1)).collect();
    let lost = Caught { error: "States.Timeout".to_owned(), cause: String::new() };
    state.measured[1] =
        MeasureOutput { digest: None, lost: Some(lost), ..state.measured[1].clone() };
    let state = decide(state, 0, PAGE).expect("a decision");
    assert!(state.spent >= budget && state.spent < 0.1, "{} {budget}", state.spent);
    let shared: f64 = state.backlog.tasks.iter().filter_map(|task| task.budget).sum();
    assert!(shared <= 0.1 - state.spent + 1e-12, "{shared}");
}

#[test]
fn a_lost_portion_is_reported_and_never_repeated() {
    // These are AWS's names. After the first ones Measure may have run. Only the last two exclude
    // it.
    let open = [
        ("Lambda.ServiceException", "Service: AWSLambda; Status Code: 500"),
        ("Lambda.AWSLambdaException", "Service: AWSLambda; Status Code: 502"),
        ("Lambda.SdkClientException", "Unable to execute HTTP request"),
        ("Lambda.Unknown", "Lambda did not return an error type"),
        ("States.Timeout", ""),
        ("States.DataLimitExceeded", "returned a result with a size exceeding the maximum"),
        ("Sandbox.Timedout", r#"{"errorType":"Sandbox.Timedout","errorMessage":"timed out"}"#),
    ];
    for (error, cause) in open {
        let result = with_one_lost(error, cause);
        let row = &result["stats"][1];
        assert_eq!((&row["state"], &row["failures"]), (&json!("failed"), &json!(30)), "{error}");
        let reason = row["reason"].as_str().unwrap();
        assert!(reason.contains("may have run") && reason.contains(error), "{row}");
        assert!(!reason.contains(": )") && !reason.ends_with(": "), "{reason}");
        let warnings = result["warnings"].to_string();
        assert!(warnings.contains("30 invocations may have run"), "{warnings}");
    }
    for error in ["Lambda.TooManyRequestsException", "Lambda.ResourceNotFoundException"] {
        let result = with_one_lost(error, "Service: AWSLambda; Status Code: 4xx");
        let row = &result["stats"][1];
        assert!(row["reason"].as_str().unwrap().contains("did not run"), "{row}");
        let warnings = result["warnings"].to_string();
        assert!(!warnings.contains("may have run"), "{warnings}");
    }
}

/// The result of a round in which one batch of three ended with this error.
fn with_one_lost(error: &str, cause: &str) -> Value {
    let mut state = begun(json!({}));
    state.measured = state.backlog.tasks.iter().map(|task| measure(&state, task, 30)).collect();
    let lost = Some(Caught { error: error.to_owned(), cause: cause.to_owned() });
    state.measured[1] = MeasureOutput { digest: None, lost, ..state.measured[1].clone() };
    let result = decide(state, 0, PAGE).expect("a decision").result.expect("a result");
    assert_eq!(result["power"], 128);
    result
}

#[test]
fn what_a_failure_says_is_read_out_of_what_lambda_makes_of_it() {
    let told = |error: &str, cause: &str| {
        Caught { error: error.to_owned(), cause: cause.to_owned() }.told()
    };
    let thrown = r#"{"errorMessage": "no such table", "errorType": "LookupError", "requestId":
        "1b2c", "stackTrace": ["  File \"/var/task/app.py\", line 7, in handler\n"]}"#;
    assert_eq!(told("LookupError", thrown), "LookupError: no such table");
    // An error without a message, in Python and in Java.
    for silent in [
        r#"{"errorMessage": "", "errorType": "Quiet", "stackTrace": []}"#,
        r#"{"errorMessage": null, "errorType": "Quiet", "stackTrace": []}"#,
        r#"{"errorType": "Quiet"}"#,
    ] {
        assert_eq!(told("Quiet", silent), "Quiet");
    }
    assert_eq!(told("States.Timeout", ""), "States.Timeout");
    // JSON that is not Lambda's stays unchanged.
    assert_eq!(told("Odd", r#"{"code": 7}"#), r#"Odd: {"code": 7}"#);
    assert_eq!(told("Odd", r#""text""#), r#"Odd: "text""#);
}

#[test]
fn what_a_portion_can_not_go_on_with_ends_the_run() {
    let mut state = begun(json!({}));
    state.measured = vec![MeasureOutput {
        task: state.backlog.tasks[0].clone(),
        digest: None,
        failed: Some("preProcessorARN: it failed".to_owned()),
        lost: None,
    }];
    let error = decide(state, 0, PAGE).expect_err("it can't go on");
    assert_eq!(error, Undecided::Failed("preProcessorARN: it failed".to_owned()));
}

#[test]
fn a_choice_that_a_lost_portion_leaves_open_is_not_applied() {
    let mut state = begun(json!({"autoOptimize": true}));
    state.measured = state.backlog.tasks.iter().map(|task| measure(&state, task, 30)).collect();
    let lost = Caught { error: "States.Timeout".to_owned(), cause: "after 900 s".to_owned() };
    state.measured[1] =
        MeasureOutput { digest: None, lost: Some(lost), ..state.measured[1].clone() };
    let ended = decide(state, 0, PAGE).expect("a decision");
    assert_eq!(ended.next, Some(Next::Clean));
    let result = ended.result.expect("a result");
    assert_eq!((&result["confidence"], &result["unmeasured"]), (&Value::Null, &json!([512])));
    let warnings = result["warnings"].to_string();
    assert!(warnings.contains("512 MB could not be measured"), "{warnings}");
    assert!(warnings.contains("nothing was applied"), "{warnings}");
}
