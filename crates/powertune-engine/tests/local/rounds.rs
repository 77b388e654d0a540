//! Runs of several rounds, and runs with a `maxCost`.

use std::collections::BTreeMap;

use powertune_core::{
    architecture::Architecture,
    budget::Tariff,
    power::Power,
    price,
    result::{DecidedBy, State},
    stopped::Stopped,
};
use powertune_engine::{event::Event, run::Ending};
use serde_json::json;

use crate::bench::{Bench, LOGGING, log_to};

/// Takes the same time at any power.
const SLEEPS: &str = "time.sleep(0.02)\nreturn 1";
/// The function's timeout and the longest Init, in milliseconds.
const LONGEST_MS: f64 = 30_000.0;

/// The worst-case cost of an invocation.
fn worst(mb: u32) -> f64 {
    let region = "us-east-1".parse().expect("a region");
    let price = price::on_demand(&region, Architecture::X86_64).expect("a price");
    let power = Power::new(mb).expect("a power");
    Tariff { price, longest_ms: LONGEST_MS }.worst(power)
}

#[tokio::test(flavor = "multi_thread")]
async fn auto_measures_in_rounds_and_a_power_in_two_environments_at_most() {
    let bench = Bench::new("time.sleep(0.1)\nreturn 1").await;
    let before = bench.footprint().await;
    // 300 MB is close enough for an environment to matter.
    let fields = json!({"num": "auto", "tolerance": 0, "powerValues": [256, 300, 1024, 2048]});
    let (ending, events) = bench.tune_and_hear(fields).await;
    let Ok(Ending::Tuned(result)) = ending else { panic!("{ending:?}") };
    assert_eq!(result.power.mb(), 256);
    assert_eq!((result.stopped, result.decided_by), (Stopped::Confident, DecidedBy::CostMean));
    let rounds = events.iter().filter(|event| matches!(event, Event::RoundStarted(_))).count();
    assert!(rounds > 1, "{rounds}");
    let mut versions: BTreeMap<Power, u32> = BTreeMap::new();
    for event in &events {
        if let Event::Published { power, .. } = event {
            *versions.entry(*power).or_default() += 1;
        }
    }
    assert!(versions.values().all(|&versions| versions <= 2), "{versions:?}");
    assert_eq!(versions[&result.power], 2, "the choice is confirmed in another one");
    // Every other invocation finds a warm environment.
    let each_once = result.stats.iter().all(|row| row.cold_starts == versions[&row.value]);
    assert!(each_once, "{versions:?} {:?}", result.stats);
    assert_eq!(bench.footprint().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn weighted_payloads_go_on_in_turn_from_round_to_round() {
    // Every second one takes much longer, so a sure choice needs more than one round.
    let bench = Bench::new("time.sleep(0.02 * event['a'])\nreturn event").await;
    let log = bench.create("log", LOGGING).await;
    let seen = tempfile::NamedTempFile::new().expect("a file");
    log_to(&bench, "log", seen.path()).await;
    let payload = json!([{"payload": {"a": 1}, "weight": 1}, {"payload": {"a": 5}, "weight": 1}]);
    let fields = json!({
        "num": "auto", "powerValues": [256], "payload": payload, "postProcessorARN": log,
    });
    let (ending, events) = bench.tune_and_hear(fields).await;
    assert!(matches!(ending, Ok(Ending::Tuned(_))), "{ending:?}");
    let rounds = events.iter().filter(|event| matches!(event, Event::RoundStarted(_))).count();
    assert!(rounds > 1, "{rounds}");
    let seen = std::fs::read_to_string(seen.path()).expect("the log");
    for (number, line) in seen.lines().enumerate() {
        assert_eq!(line, format!("{{\"a\": {}}}", number % 2 * 4 + 1), "{seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_ends_the_run_early_and_is_kept() {
    for pace in [json!({}), json!({"parallelInvocation": true})] {
        let bench = Bench::new(SLEEPS).await;
        let before = bench.footprint().await;
        // After the first costs, the budget does not cover 1024 MB.
        let most = worst(1024) + 1e-6;
        let mut fields = json!({"powerValues": [256, 1024], "num": 12, "maxCost": most});
        fields.as_object_mut().expect("an object").extend(pace.as_object().cloned().unwrap());
        let result = bench.result(fields).await;
        assert_eq!(result.stopped, Stopped::CostReached);
        assert!(result.exploration_cost <= most, "{} of {most}", result.exploration_cost);
        assert!(result.invocations < 24, "{}", result.invocations);
        assert_eq!(result.stats[0].invocations, 12, "256 MB had room");
        assert!(result.warnings.iter().any(|warning| warning.contains("maxCost")));
        assert_eq!(bench.footprint().await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_room_side_by_side_goes_one_after_the_other() {
    let bench = Bench::new(SLEEPS).await;
    let most = 1.2 * worst(1024);
    let fields = json!({"powerValues": [512, 768, 1024], "maxCost": most});
    let result = bench.result(fields).await;
    assert_eq!(result.stopped, Stopped::NumReached);
    assert!(result.stats.iter().all(|row| (row.state, row.invocations) == (State::Measured, 5)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_holds_in_a_run_of_several_rounds() {
    let bench = Bench::new(SLEEPS).await;
    let before = bench.footprint().await;
    let most = worst(256) + 1e-7;
    let fields = json!({"num": "auto", "powerValues": [256, 512], "maxCost": most});
    let result = bench.result(fields).await;
    assert_eq!(result.stopped, Stopped::CostReached);
    assert!(result.exploration_cost <= most);
    assert_eq!(result.power.mb(), 256);
    assert_eq!(bench.footprint().await, before);
}
