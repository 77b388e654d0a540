//! Tests of failed invocations, and of sizes at which the function fails.

use super::*;

#[test]
fn a_failing_power_is_a_row_and_not_the_end() {
    let mut observations = all(&[(256, 40.0), (512, 30.0)]);
    observations.push(failed(128, Failure::OutOfMemory));
    let result = analysed(json!({}), observations).expect("a result");
    assert_eq!(result.power, power(256));
    let row = &result.stats[0];
    assert_eq!((row.value, row.state, row.failures), (power(128), State::Failed, 1));
    assert_eq!(row.average_price, None);
    assert_eq!(result.current, None);
    assert_eq!(result.savings, None);
    assert!(result.warnings.iter().any(|warning| warning.contains("may have run")));
}

#[test]
fn a_lost_invocation_is_counted_and_told() {
    let mut observations = all(&[(256, 40.0)]);
    observations.push(failed(256, Failure::Lost { why: "reset".to_owned() }));
    let result = analysed(json!({}), observations).expect("a result");
    assert_eq!(result.stats[0].state, State::Measured);
    assert_eq!((result.invocations, result.stats[0].failures), (11, 1));
    assert_eq!(result.warnings.len(), 2);
}

fn outside() -> [Failure; 3] {
    [
        Failure::Refused { why: "too many files are open".to_owned() },
        Failure::Lost { why: "reset".to_owned() },
        Failure::NoReport { why: "the answer has no LogResult".to_owned() },
    ]
}

#[test]
fn a_size_that_failed_for_reasons_outside_of_the_function_is_never_outdone_for_sure() {
    let rows = [(128, 100.0), (256, 40.0)];
    for failure in outside() {
        let mut observations = all(&rows);
        observations.extend((0..10).map(|_| failed(512, failure.clone())));
        // A few good invocations do not make it a measurement either.
        observations.extend((0..9).map(|_| counted(512, 10.0)));
        let result = analysed(json!({"autoOptimize": true}), observations).expect("a result");
        assert_eq!((result.confidence, result.unmeasured.as_slice()), (None, &[power(512)][..]));
        assert!(!result.is_applicable(), "{failure:?}");
        let told = result.warnings.iter().find(|warning| warning.contains("512 MB could not be"));
        assert!(told.is_some_and(|told| told.contains("nothing was applied")), "{result:?}");
        let json = serde_json::to_value(&result).expect("results are JSON");
        assert_eq!((&json["confidence"], &json["unmeasured"]), (&Value::Null, &json!([512])));
        assert_eq!(serde_json::from_value::<TuningResult>(json).expect("it reads back"), result);
    }
}

#[test]
fn a_size_at_which_the_function_fails_by_itself_leaves_the_choice_sure() {
    let mut observations = all(&[(128, 100.0), (256, 40.0)]);
    observations.extend(outside().map(|failure| failed(512, failure)));
    observations.push(failed(512, Failure::OutOfMemory));
    let result = analysed(json!({"autoOptimize": true}), observations).expect("a result");
    assert!(result.confidence > Some(0.99) && result.unmeasured.is_empty(), "{result:?}");
    assert!(result.is_applicable());
    assert!(!serde_json::to_string(&result).expect("results are JSON").contains("unmeasured"));
}

#[test]
fn cold_starts_that_never_came_leave_a_size_unmeasured() {
    let mut observations: Vec<_> = (0..5).map(|_| cold(128, 20.0, 100.0)).collect();
    observations.extend((0..5).map(|_| counted(256, 1.0)));
    let result = analysed(json!({"onlyColdStarts": true, "num": 5}), observations);
    let result = result.expect("a result");
    assert_eq!((result.confidence, result.unmeasured), (None, vec![power(256)]));
}

#[test]
fn nothing_measured_says_why_at_each_power() {
    let failure = || Failure::FunctionError {
        error_type: Some("Teapot".to_owned()),
        message: None,
        trace: Vec::new(),
    };
    let error = analysed(json!({}), vec![failed(128, failure()), failed(256, failure())]);
    let text = error.expect_err("nothing was measured").to_string();
    assert!(text.contains("128, 256 MB: the function failed with Teapot"), "{text}");
    assert!(text.contains("--payload"), "{text}");
}

fn some_failing(mb: u32, good: u32, failures: u32, error_type: &str) -> Vec<Observation> {
    let failure = || Failure::FunctionError {
        error_type: Some(error_type.to_owned()),
        message: None,
        trace: vec!["brew (handler.py:3)".to_owned()],
    };
    let good = (0..good).map(|i| counted(mb, 50.0 + 0.1 * f64::from(i)));
    good.chain((0..failures).map(|_| failed(mb, failure()))).collect()
}

#[test]
fn one_error_among_good_samples_is_counted_and_no_more() {
    let mut observations = some_failing(128, 19, 1, "Teapot");
    observations.extend(some_failing(256, 19, 1, "Teapot"));
    let result = analysed(json!({"num": 20}), observations).expect("a result");
    let states: Vec<State> = result.stats.iter().map(|row| row.state).collect();
    assert_eq!(states, [State::Measured; 2]);
    assert_eq!((result.stats[0].failures, result.stats[0].invocations), (1, 20));
    let told: Vec<&String> = result.warnings.iter().filter(|it| it.contains("Teapot")).collect();
    assert_eq!(told.len(), 1, "one cause is told once: {told:?}");
    assert!(told[0].contains("128 MB and 256 MB") && told[0].contains("handler.py:3"), "{told:?}");
}

#[test]
fn an_error_rate_that_is_too_high_takes_a_size_out() {
    let mut observations = some_failing(128, 14, 6, "Teapot");
    observations.extend(some_failing(256, 20, 0, "Teapot"));
    let result = analysed(json!({"num": 20}), observations.clone()).expect("a result");
    assert_eq!(result.power, power(256));
    let reason = result.stats[0].reason.as_deref().expect("a reason");
    assert!(reason.starts_with("6 of 20 invocations failed"), "{reason}");
    let allowed = analysed(json!({"num": 20, "maxErrorRate": 30}), observations).expect("a result");
    assert_eq!(allowed.stats[0].state, State::Measured);
}

#[test]
fn where_errors_take_every_size_the_rate_to_give_is_named() {
    let mut observations = some_failing(128, 14, 6, "Teapot");
    observations.extend(some_failing(256, 13, 7, "Teapot"));
    let error = analysed(json!({"num": 20}), observations.clone()).expect_err("no size is left");
    assert!(error.to_string().contains("--max-error-rate 40"), "{error}");
    assert!(analysed(json!({"num": 20, "maxErrorRate": 40}), observations).is_ok());
}

#[test]
fn allowed_exceptions_count_and_are_told() {
    let mut observations = around(128, 40.0);
    let outcome = Outcome::Allowed(report(128, 40.0, Start::Warm));
    observations.push(Observation { power: power(128), outcome });
    let result = analysed(json!({"num": 11}), observations).expect("a result");
    let row = &result.stats[0];
    assert_eq!((row.allowed_exceptions, row.failures, row.invocations), (1, 0, 11));
}
