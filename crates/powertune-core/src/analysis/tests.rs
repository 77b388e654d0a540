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

mod failures;

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
