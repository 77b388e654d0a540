use serde_json::{Value, json};

use super::*;
use crate::{
    architecture::Architecture,
    observation::{Failure, Observation, Outcome},
    price,
    region::Region,
    report::{Report, Start, Status},
    request::{AUTO_MOST, parse},
};

fn planner(fields: Value) -> Planner {
    planner_at(128, fields)
}

fn planner_at(current: u32, fields: Value) -> Planner {
    let mut request = json!({ "lambdaARN": "fn" });
    let (Value::Object(map), Value::Object(more)) = (&mut request, fields) else {
        panic!("both are objects");
    };
    map.extend(more);
    let request = parse(map).expect("a good request");
    let region = Region::new("us-east-1").expect("a region");
    let price = price::on_demand(&region, Architecture::X86_64).expect("a known price");
    let powers = request.powers.clone().unwrap_or_else(crate::power::default_values);
    Planner::new(&request, price, power(current), powers)
}

fn power(mb: u32) -> Power {
    Power::new(mb).expect("a power")
}

fn warm(mb: u32, duration_ms: f64, max_memory_mb: u32) -> Observation {
    start(mb, duration_ms, max_memory_mb, Start::Warm)
}

fn start(mb: u32, duration_ms: f64, max_memory_mb: u32, start: Start) -> Observation {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
    let billed_ms = duration_ms.ceil() as u64;
    let report = Report {
        duration_ms,
        billed_ms,
        memory_mb: mb,
        max_memory_mb: Some(max_memory_mb),
        start,
        status: Status::Success,
    };
    Observation { power: power(mb), outcome: Outcome::Counted(report) }
}

/// A warm-up and four invocations at each power, within half a percent of its duration.
fn looked_at(durations: &[(u32, f64)]) -> Evidence {
    let cold = Start::Cold { init_ms: 100.0 };
    let observations = durations.iter().flat_map(|&(mb, ms)| {
        let warm = [0.995, 1.0, 1.005, 1.0].map(|noise| warm(mb, ms * noise, 40));
        std::iter::once(start(mb, 3.0 * ms, 40, cold)).chain(warm)
    });
    Evidence { rounds: 1, observations: observations.collect(), skipped: Vec::new() }
}

const SURE: Decision = Decision::Done(Stopped::Confident);

fn measured(decision: Decision) -> Vec<(u32, u32)> {
    let Decision::Measure(round) = decision else {
        panic!("there is something to measure, not {decision:?}")
    };
    round.measurements.iter().map(|m| (m.power.mb(), m.invocations)).collect()
}

#[test]
fn fixed_measures_every_power_once_and_is_done() {
    let planner = planner(json!({ "num": 7, "powerValues": [128, 512] }));
    assert_eq!(measured(planner.next(&Evidence::default())), [(128, 7), (512, 7)]);
    let seen = Evidence { rounds: 1, ..Evidence::default() };
    assert_eq!(planner.next(&seen), Decision::Done(Stopped::NumReached));
}

#[test]
fn auto_looks_at_the_cheap_powers_first_with_a_warm_up_each() {
    let first = |fields| measured(planner_at(1024, fields).next(&Evidence::default()));
    assert_eq!(first(json!({ "powerValues": [128, 256, 512] })), [(128, 5), (256, 5), (512, 5)]);
    assert_eq!(first(json!({ "onlyColdStarts": true })), [(128, 4), (256, 4), (512, 4), (1024, 4)]);
    assert_eq!(first(json!({ "strategy": "speed" })), [(1024, 5), (1536, 5), (3008, 5)]);
    assert_eq!(first(json!({ "powerValues": [1024] })), [(1024, 5)]);
}

#[test]
fn what_the_function_has_now_is_measured_too() {
    let planner = planner_at(3008, json!({ "tolerance": 0 }));
    let first = measured(planner.next(&Evidence::default()));
    assert_eq!(first, [(128, 5), (256, 5), (512, 5), (3008, 5)]);
    // The powers between them are looked at or ruled out as usual.
    let rising = looked_at(&[(128, 800.0), (256, 700.0), (512, 600.0), (3008, 500.0)]);
    assert_eq!(planner.next(&rising), SURE);
    let flat = looked_at(&[(128, 800.0), (256, 400.0), (512, 201.0), (3008, 100.0)]);
    assert_eq!(measured(planner.next(&flat)), [(1024, 5)]);
    // The function's own power is not among the powers to choose from.
    let planner = planner_at(3008, json!({ "powerValues": [128, 256] }));
    assert_eq!(measured(planner.next(&Evidence::default())), [(128, 5), (256, 5)]);
}

#[test]
fn dearer_powers_are_looked_at_until_they_can_not_win() {
    let planner = planner(json!({ "tolerance": 0 }));
    let flat = looked_at(&[(128, 800.0), (256, 400.0), (512, 201.0)]);
    assert_eq!(measured(planner.next(&flat)), [(1024, 5)]);
    let rising = looked_at(&[(128, 800.0), (256, 700.0), (512, 600.0)]);
    assert_eq!(planner.next(&rising), SURE);
}

#[test]
fn scarce_memory_makes_no_bound() {
    let planner = planner(json!({ "tolerance": 0, "powerValues": [128, 256, 512, 1024] }));
    let mut seen = looked_at(&[(128, 800.0), (256, 700.0)]);
    seen.observations.extend((0..5).map(|_| warm(512, 600.0, 500)));
    assert_eq!(measured(planner.next(&seen)), [(1024, 5)]);
}

#[test]
fn what_came_back_cold_is_asked_for_again() {
    let mut seen = looked_at(&[(128, 800.0), (256, 700.0)]);
    let cold = || start(512, 600.0, 40, Start::Cold { init_ms: 9.0 });
    seen.observations.extend((0..5).map(|_| cold()));
    let planner = planner(json!({ "powerValues": [128, 256, 512] }));
    assert_eq!(measured(planner.next(&seen)), [(512, 4)]);
    // A power without warm invocations is judged by its cold ones after the maximum number.
    seen.observations.extend((5..AUTO_MOST).map(|_| cold()));
    assert_eq!(planner.next(&seen), SURE);
}

#[test]
fn a_power_that_fails_or_is_skipped_is_left_alone() {
    let planner = planner(json!({ "powerValues": [128, 256, 512] }));
    let mut seen = looked_at(&[(256, 400.0)]);
    seen.observations.push(Observation {
        power: power(128),
        outcome: Outcome::Failed { failure: Failure::OutOfMemory, report: None },
    });
    let reason = "beyond the account".to_owned();
    seen.skipped.push(crate::observation::Skipped { power: power(512), reason });
    assert_eq!(planner.next(&seen), SURE);
}

#[test]
fn a_limit_takes_as_many_as_its_percentile_where_it_may_be_kept() {
    let planner = planner(json!({ "maxDuration": 500, "powerValues": [128, 1024] }));
    // All four exceed the limit, so the 95th percentile does too.
    let seen = looked_at(&[(128, 800.0), (1024, 300.0)]);
    assert_eq!(measured(planner.next(&seen)), [(1024, 16)]);
}

#[test]
fn a_sure_choice_is_confirmed_in_another_environment_where_a_rival_is_close() {
    let confirmed = |durations: &[(u32, f64)], parallel: bool| -> Option<Vec<(u32, u32, bool)>> {
        let fields =
            json!({ "tolerance": 0, "powerValues": [128, 256], "parallelInvocation": parallel });
        let step = planner(fields).next(&looked_at(durations));
        let Decision::Measure(round) = step else { return None };
        let all = round.measurements.iter();
        Some(all.map(|m| (m.power.mb(), m.invocations, m.fresh)).collect())
    };
    let close = [(128, 800.0), (256, 440.0)];
    assert_eq!(confirmed(&close, false), Some(vec![(128, 2, true)]));
    // In parallel they have many environments already, and nobody knows which.
    assert_eq!(confirmed(&close, true), None);
    // No environment is so slow that 256 MB would be better.
    assert_eq!(confirmed(&[(128, 800.0), (256, 700.0)], false), None);
}

#[test]
fn close_rivals_are_raced() {
    let planner = planner(json!({ "tolerance": 0, "powerValues": [128, 256] }));
    let noisy = |mb, ms: f64| [0.8, 1.2, 0.9, 1.1].map(|noise| warm(mb, ms * noise, 40));
    let observations = noisy(128, 800.0).into_iter().chain(noisy(256, 410.0)).collect();
    let seen = Evidence { rounds: 1, observations, skipped: Vec::new() };
    assert_eq!(measured(planner.next(&seen)), [(128, 2), (256, 2)]);
}

#[test]
fn what_is_lost_again_and_again_is_given_up() {
    let planner = planner(json!({ "powerValues": [128, 256] }));
    let mut seen = looked_at(&[(256, 400.0)]);
    let lost = Outcome::Failed { failure: Failure::Lost { why: "gone".to_owned() }, report: None };
    for _ in 0..4 {
        seen.observations.push(Observation { power: power(128), outcome: lost.clone() });
    }
    assert_eq!(measured(planner.next(&seen))[0].0, 128);
    seen.observations.push(Observation { power: power(128), outcome: lost });
    assert_eq!(planner.next(&seen), Decision::Done(Stopped::MostReached));
}
