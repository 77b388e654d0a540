use serde_json::{Value, json};

use super::*;
use crate::{
    observation::{Failure, Outcome, Skipped},
    price,
    report::{Report, Start, Status},
    request::parse,
    result::DecidedBy,
    stats::Estimate,
};

const CURRENT: u32 = 128;

fn power(mb: u32) -> Power {
    Power::new(mb).expect("a valid power")
}

fn report(mb: u32, duration_ms: f64, start: Start) -> Report {
    let init_ms = if let Start::Cold { init_ms } = start { init_ms } else { 0.0 };
    Report {
        duration_ms,
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        billed_ms: (duration_ms + init_ms).ceil() as u64,
        memory_mb: mb,
        max_memory_mb: Some(60),
        start,
        status: Status::Success,
    }
}

fn counted(mb: u32, duration_ms: f64) -> Observation {
    let outcome = Outcome::Counted(report(mb, duration_ms, Start::Warm));
    Observation { power: power(mb), outcome }
}

fn cold(mb: u32, duration_ms: f64, init_ms: f64) -> Observation {
    let outcome = Outcome::Counted(report(mb, duration_ms, Start::Cold { init_ms }));
    Observation { power: power(mb), outcome }
}

fn failed(mb: u32, failure: Failure) -> Observation {
    Observation { power: power(mb), outcome: Outcome::Failed { failure, report: None } }
}

fn subject() -> Subject {
    let region = Region::new("us-east-1").expect("a region");
    let price = price::on_demand(&region, Architecture::X86_64).expect("a known price");
    Subject {
        function_arn: "arn:aws:lambda:us-east-1:123456789012:function:fn".to_owned(),
        region,
        architecture: Architecture::X86_64,
        current: power(CURRENT),
        powers: crate::power::default_values(),
        price,
        origin: Origin::default(),
    }
}

fn analysed(
    request: Value,
    observations: Vec<Observation>,
) -> Result<TuningResult, NothingMeasured> {
    let Value::Object(mut fields) = request else { panic!("a request is an object") };
    fields.insert("lambdaARN".to_owned(), "fn".into());
    fields.entry("num").or_insert(10.into());
    let request = parse(&fields).expect("a good request");
    let seen = Evidence { rounds: 1, observations, skipped: Vec::new() };
    let powers = request.powers.clone().unwrap_or_else(crate::power::default_values);
    let subject = Subject { powers, ..subject() };
    analyse(&request, &subject, &seen, Stopped::NumReached, Vec::new())
}

/// Ten invocations around a mean, with a spread of about one percent.
fn around(mb: u32, mean_ms: f64) -> Vec<Observation> {
    (0..10).map(|i| counted(mb, mean_ms * (0.99 + 0.002 * f64::from(i)))).collect()
}

fn all(rows: &[(u32, f64)]) -> Vec<Observation> {
    rows.iter().flat_map(|&(mb, mean_ms)| around(mb, mean_ms)).collect()
}

#[test]
fn upstreams_figures_are_upstreams() {
    let mut observations = vec![cold(512, 30.0, 170.0)];
    observations.extend([10.0, 11.5, 12.0, 10.2].map(|ms| counted(512, ms)));
    let result = analysed(json!({"num": 5}), observations).expect("a result");
    // Sorted: 10, 10.2, 11.5, 12, 200. floor(5 * 0.2) = 1 is trimmed at each end.
    let average = (10.2 + 11.5 + 12.0) / 3.0;
    assert!((result.duration - average).abs() < 1e-9);
    // Billed: 10, 11, 12, 12, 200. The mean of 11, 12, 12 is rounded up.
    let price = subject().price.duration_cost(power(512), 12.0);
    assert!((result.cost - price).abs() < 1e-18);
    assert_eq!(result.stats[0].average_price, Some(result.cost));
}

#[test]
fn warm_figures_leave_cold_starts_out() {
    let mut observations = around(512, 10.0);
    observations.push(cold(512, 30.0, 170.0));
    let result = analysed(json!({}), observations).expect("a result");
    let row = &result.stats[0];
    let mean = row.duration.expect("durations").mean.mean;
    assert!((mean - 9.99).abs() < 0.1, "{mean}");
    assert_eq!((row.invocations, row.cold_starts), (11, 1));
    assert_eq!(row.init_duration, Some(170.0));
    assert_eq!(row.duration.expect("durations").p95, None, "ten samples have no 95th percentile");
}

#[test]
fn a_clear_winner_is_certain_and_alone() {
    let rows = [(128, 100.0), (256, 40.0), (512, 30.0)];
    let result = analysed(json!({}), all(&rows)).expect("a result");
    assert_eq!(result.power, power(256));
    assert!(result.confidence > Some(0.99), "{:?}", result.confidence);
    assert_eq!(result.ties, []);
    let current = result.current.expect("128 MB was measured");
    assert_eq!(current.power, power(128));
    let savings = result.savings.expect("there is a current power");
    assert!((savings - (1.0 - result.cost / current.cost)).abs() < 1e-12);
}

#[test]
fn powers_that_noise_hides_are_ties() {
    let noisy = |mb, mean_ms: f64, shift: f64| {
        (0..10).map(move |i| counted(mb, mean_ms * (0.7 + 0.06 * f64::from(i)) + shift))
    };
    let mut observations: Vec<_> = noisy(128, 400.0, 1.0).collect();
    observations.extend(noisy(256, 200.0, 0.0));
    observations.extend(around(1024, 180.0));
    let result = analysed(json!({}), observations).expect("a result");
    assert_eq!(result.power, power(256));
    assert_eq!(result.ties, [power(128)]);
}

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

#[test]
fn every_invocation_is_paid_for_once() {
    let observations = vec![counted(128, 9.5), cold(128, 9.5, 100.2), counted(1024, 1.0)];
    let seen = Evidence { rounds: 1, observations, skipped: Vec::new() };
    let price = subject().price;
    let expected = price.invocation_cost(power(128), 10.0)
        + price.invocation_cost(power(128), 110.0)
        + price.invocation_cost(power(1024), 1.0);
    assert!((exploration_cost(&seen, &price) - expected).abs() < 1e-18);
}

#[test]
fn a_limit_chooses_the_cheapest_that_keeps_to_it() {
    let many = |mb, mean_ms: f64| (0..30).map(move |i| counted(mb, mean_ms + f64::from(i) * 0.1));
    let observations: Vec<_> =
        many(128, 100.0).chain(many(256, 60.0)).chain(many(512, 40.0)).collect();
    let limited = |limit| {
        analysed(json!({"maxDuration": limit, "num": 30}), observations.clone()).expect("a result")
    };
    let kept = limited(70);
    assert_eq!((kept.power, kept.limit_kept), (power(256), Some(true)));
    assert!(kept.confidence > Some(0.99));
    let broken = limited(20);
    assert_eq!((broken.power, broken.limit_kept), (power(512), Some(false)));
    assert!(
        broken.warnings.iter().any(|warning| warning.contains("no measured memory size keeps"))
    );
}

#[test]
fn only_cold_starts_leaves_warm_ones_out() {
    let mut observations: Vec<_> = (0..5).map(|i| cold(128, 20.0, 100.0 + f64::from(i))).collect();
    observations.push(counted(128, 1.0));
    let result =
        analysed(json!({"onlyColdStarts": true, "num": 6}), observations).expect("a result");
    assert!(result.duration > 100.0);
    assert_eq!(result.invocations, 6);
    assert!(
        result
            .warnings
            .iter()
            .any(|warning| warning.contains("only 5 of the 6 requested cold starts"))
    );
}

#[test]
fn skipped_powers_are_in_the_result() {
    let seen = Evidence {
        rounds: 1,
        observations: around(128, 10.0),
        skipped: vec![Skipped { power: power(4096), reason: "the account stops".to_owned() }],
    };
    let mut fields = serde_json::Map::new();
    fields.insert("lambdaARN".to_owned(), "fn".into());
    let request = parse(&fields).expect("a good request");
    let result = analyse(&request, &subject(), &seen, Stopped::NumReached, Vec::new());
    let stats = result.expect("a result").stats;
    assert_eq!((stats[1].value, stats[1].state), (power(4096), State::Skipped));
}

#[test]
fn the_json_has_upstreams_names_and_comes_back_the_same() {
    let result = analysed(json!({}), all(&[(128, 100.0), (256, 40.0)])).expect("a result");
    let json = serde_json::to_value(&result).expect("results are JSON");
    assert_eq!(json["power"], 256);
    assert!(json["stateMachine"]["visualization"].as_str().is_some_and(|url| url.contains('#')));
    assert_eq!(json["stateMachine"]["executionCost"], 0.0);
    assert_eq!(json["stats"][0]["value"], 128);
    assert!(json["stats"][0]["averagePrice"].is_number());
    assert_eq!(json["stats"][0]["duration"]["p95"], Value::Null);
    assert_eq!(json["decidedBy"], "averagePrice");
    assert_eq!(serde_json::from_value::<TuningResult>(json).expect("it reads back"), result);
}

#[test]
fn the_same_evidence_gives_the_same_result() {
    let rows = [(128, 100.0), (256, 49.0), (512, 25.5)];
    assert_eq!(analysed(json!({}), all(&rows)), analysed(json!({}), all(&rows)));
}

#[test]
fn auto_decides_by_what_is_really_paid() {
    // Dearer by the trimmed mean, cheaper by the mean. The cold start is in neither.
    let mut observations = vec![cold(256, 900.0, 3000.0)];
    observations.extend([50.0, 90.0, 90.0, 90.0, 50.0, 50.0].map(|ms| counted(256, ms)));
    observations.extend([145.0; 7].map(|ms| counted(128, ms)));
    let result = |num: Value, tolerance: f64| {
        analysed(json!({ "num": num, "tolerance": tolerance }), observations.clone()).unwrap()
    };
    let auto = result("auto".into(), 0.0);
    assert_eq!((auto.power, auto.decided_by), (power(256), DecidedBy::CostMean));
    assert!((auto.cost / auto.stats[1].cost.unwrap().mean - 1.0).abs() < 1e-12);
    assert!((auto.duration - 70.0).abs() < 1e-9);
    let fixed = result(7.into(), 0.0);
    assert_eq!((fixed.power, fixed.decided_by), (power(128), DecidedBy::AveragePrice));
}

#[test]
fn a_tolerance_is_room_beside_the_indifference_zone() {
    let close = all(&[(128, 1000.0), (1024, 130.0)]);
    let result = |tolerance: f64| {
        analysed(json!({ "num": "auto", "tolerance": tolerance }), close.clone()).unwrap()
    };
    // 4 % dearer and 8 times as fast: beyond a tolerance of 3 %, within one of 5 %.
    assert_eq!(result(3.0).power, power(128));
    let faster = result(5.0);
    assert_eq!(faster.power, power(1024));
    assert!(faster.confidence > Some(0.99), "{:?}", faster.confidence);
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

#[test]
fn deciding_figures_are_those_of_the_choice() {
    let rows = [(128, 100.0), (256, 40.0), (512, 30.0)];
    for (fields, chosen) in [
        (json!({}), 256),
        (json!({"strategy": "speed"}), 512),
        (json!({"num": "auto"}), 256),
        (json!({"strategy": "balanced"}), 256),
    ] {
        let result = analysed(fields.clone(), all(&rows)).expect("a result");
        assert_eq!(result.power, power(chosen), "{fields}");
        let own = result.stats.iter().find(|row| row.value == result.power).expect("its row");
        let figures = own.deciding.expect("a measured size has them");
        assert!((figures.cost.mean - result.cost).abs() < 1e-18, "{fields}");
        assert!((figures.duration.mean - result.duration).abs() < 1e-9, "{fields}");
        let within = |it: Estimate| it.low.unwrap() <= it.mean && it.mean <= it.high.unwrap();
        assert!(within(figures.cost) && within(figures.duration), "{fields}");
        assert_eq!(figures.score.is_some(), fields["strategy"] == "balanced");
    }
}

#[test]
fn nothing_is_applied_that_is_not_sure_enough() {
    let observations: Vec<_> = (0..5)
        .flat_map(|i| {
            [counted(128, 100.0 + 9.0 * f64::from(i)), counted(256, 52.0 + 5.0 * f64::from(i))]
        })
        .collect();
    let asked = |least: f64| {
        let fields = json!({"num": 5, "autoOptimize": true, "minConfidence": least});
        analysed(fields, observations.clone()).expect("a result")
    };
    let confidence = asked(50.0).confidence.expect("both are measured") * 100.0;
    assert!((3.0..99.0).contains(&confidence), "{confidence}");
    assert!(asked(confidence - 1.0).is_applicable());
    let refused = asked(confidence + 1.0);
    assert!(!refused.is_applicable());
    assert!(refused.warnings.iter().any(|it| it.contains("nothing was applied")), "{refused:?}");
}

#[test]
fn sizes_that_were_never_tried_are_listed() {
    let fields = json!({"num": "auto", "powerValues": [128, 256, 512, 1024]});
    let result = analysed(fields, all(&[(128, 100.0), (256, 40.0)])).expect("a result");
    assert_eq!(result.not_tried, [power(512), power(1024)]);
}
