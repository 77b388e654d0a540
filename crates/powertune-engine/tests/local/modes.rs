//! Every way of measuring, without leftovers.

use std::time::Duration;

use powertune_core::{power::Power, result::State, stopped::Stopped};
use powertune_engine::{event::Event, run::Ending};
use serde_json::json;

use crate::bench::{Bench, FUNCTION, LOGGING, log_to};

const SLEEPS: &str = "time.sleep(0.02)\nreturn event";

#[tokio::test(flavor = "multi_thread")]
async fn series_measures_every_power_and_puts_everything_back() {
    let bench = Bench::new(SLEEPS).await;
    let before = bench.footprint().await;
    let result = bench.result(json!({"powerValues": [256, 2048]})).await;
    // Waiting takes the same time at any power, so the smaller one is cheaper.
    assert_eq!(result.power.mb(), 256);
    assert!(result.confidence > Some(0.95), "{:?}", result.confidence);
    assert_eq!(result.invocations, 10);
    for row in &result.stats {
        assert_eq!((row.state, row.invocations, row.cold_starts), (State::Measured, 5, 1));
        let mean_ms = row.duration.expect("durations").mean.mean;
        assert!(mean_ms >= 20.0, "{mean_ms}");
        assert!(row.max_memory_used.is_some_and(|mb| mb > 0));
    }
    assert_eq!(result.current.expect("256 MB was measured").power.mb(), 256);
    assert!(result.exploration_cost > 0.0);
    assert_eq!(bench.footprint().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_runs_more_than_one_environment() {
    let bench = Bench::new("time.sleep(0.3)\nreturn calls").await;
    let before = bench.footprint().await;
    let result = bench.result(json!({"parallelInvocation": true})).await;
    assert!(result.stats.iter().all(|row| row.cold_starts > 1), "{:?}", result.stats);
    assert_eq!(bench.footprint().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn cold_starts_alone_come_from_fresh_versions() {
    let bench = Bench::new(SLEEPS).await;
    let before = bench.footprint().await;
    // Three at a time for five cold starts: more than one version is needed, and with a single
    // power Lambda has to be made to publish the same configuration again.
    let fields = json!({"onlyColdStarts": true, "parallel": 3, "powerValues": [512]});
    let result = bench.result(fields).await;
    assert!(result.stats[0].cold_starts >= 5, "{:?}", result.stats);
    assert!(result.stats[0].init_duration.is_some_and(|init_ms| init_ms > 0.0));
    assert_eq!(bench.footprint().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn weighted_payloads_are_sent_by_their_weights() {
    let bench = Bench::new("return event").await;
    let payload = json!([{"payload": {"a": 1}, "weight": 3}, {"payload": {"a": 2}, "weight": 2}]);
    let log = bench.create("log", LOGGING).await;
    let seen = tempfile::NamedTempFile::new().expect("a file");
    log_to(&bench, "log", seen.path()).await;
    let fields = json!({"payload": payload, "powerValues": [256], "postProcessorARN": log});
    bench.result(fields).await;
    let seen = std::fs::read_to_string(seen.path()).expect("the log");
    let mut lines: Vec<&str> = seen.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, [r#"{"a": 1}"#, r#"{"a": 1}"#, r#"{"a": 1}"#, r#"{"a": 2}"#, r#"{"a": 2}"#]);
}

#[tokio::test(flavor = "multi_thread")]
async fn processors_run_around_each_invocation_and_are_not_measured() {
    let bench = Bench::new("return {'got': event}").await;
    let pre = bench.create("pre", "time.sleep(0.1)\nreturn {'from': 'pre'}").await;
    let post = bench.create("post", LOGGING).await;
    let seen = tempfile::NamedTempFile::new().expect("a file");
    log_to(&bench, "post", seen.path()).await;
    let fields = json!({
        "powerValues": [1024], "payload": {"mine": 1}, "preProcessorARN": pre, "postProcessorARN": post,
    });
    let result = bench.result(fields).await;
    assert_eq!(result.invocations, 5);
    let duration = result.stats[0].duration.expect("durations").mean.mean;
    assert!(duration < 100.0, "the pre-processor's 100 ms are not the function's: {duration}");
    let seen = std::fs::read_to_string(seen.path()).expect("the log");
    assert_eq!(seen.lines().collect::<Vec<_>>(), [r#"{"got": {"from": "pre"}}"#; 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_invokes_each_power_once_and_decides_nothing() {
    let bench = Bench::new(SLEEPS).await;
    let before = bench.footprint().await;
    let Ok(Ending::Dry(dry_run)) = bench.tune(json!({"dryRun": true})).await else {
        panic!("a dry run was asked for");
    };
    assert_eq!(dry_run.stats.len(), 2);
    assert!(dry_run.worst_cost > 0.0);
    assert_eq!(bench.footprint().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chosen_power_is_applied_to_latest() {
    let bench = Bench::new(SLEEPS).await;
    let result = bench.result(json!({"powerValues": [128, 512], "autoOptimize": true})).await;
    assert_eq!(result.power.mb(), 128);
    let configuration =
        bench.client.get_function_configuration().function_name(FUNCTION).send().await;
    assert_eq!(configuration.expect("a configuration").memory_size, Some(128));
    let versions = bench.client.list_versions_by_function().function_name(FUNCTION).send().await;
    assert_eq!(versions.expect("versions").versions().len(), 1, "$LATEST alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chosen_power_is_applied_to_an_alias_and_latest_put_back() {
    let bench = Bench::new(SLEEPS).await;
    let before = bench.client.get_function_configuration().function_name(FUNCTION).send().await;
    let fields = json!({
        "powerValues": [128, 512], "autoOptimize": true, "autoOptimizeAlias": "live",
    });
    let (ending, events) = bench.tune_and_hear(fields).await;
    assert!(matches!(ending, Ok(Ending::Tuned(_))), "{ending:?}");
    let applied = events.iter().find_map(|event| match event {
        Event::Applied { power, alias: Some((alias, version)) } => {
            Some((*power, alias.clone(), version.clone()))
        }
        _ => None,
    });
    let (power, alias, version) = applied.expect("it was applied");
    assert_eq!((power, alias.as_str()), (Power::MIN, "live"));
    let live = bench.client.get_function_configuration().function_name(FUNCTION);
    let live = live.qualifier("live").send().await.expect("the alias");
    assert_eq!((live.memory_size, live.version), (Some(128), Some(version)));
    let after = bench.client.get_function_configuration().function_name(FUNCTION).send().await;
    assert_eq!(
        after.expect("a configuration").memory_size,
        before.expect("a configuration").memory_size
    );
    let versions = bench.client.list_versions_by_function().function_name(FUNCTION).send().await;
    assert_eq!(versions.expect("versions").versions().len(), 2, "$LATEST and the alias's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_of_the_users_is_measured_and_kept() {
    let bench = Bench::new(SLEEPS).await;
    let published = bench.client.publish_version().function_name(FUNCTION).send().await;
    let version = published.expect("PublishVersion").version.expect("a version");
    let before = bench.footprint().await;
    let (ending, events) = bench.tune_and_hear(json!({})).await;
    assert!(matches!(ending, Ok(Ending::Tuned(_))), "{ending:?}");
    let reused = events.iter().any(
        |event| matches!(event, Event::Published { version: reused, .. } if *reused == version),
    );
    assert!(reused, "an unchanged $LATEST publishes nothing new");
    assert_eq!(bench.footprint().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_differs_in_its_memory_alone_can_be_named() {
    let bench = Bench::new(SLEEPS).await;
    let published = bench.client.publish_version().function_name(FUNCTION).send().await;
    let version = published.expect("PublishVersion").version.expect("a version");
    let result = bench.result(json!({"lambdaARN": format!("{FUNCTION}:{version}")})).await;
    assert_eq!(result.current.expect("measured").power.mb(), 256);
}

#[tokio::test(flavor = "multi_thread")]
async fn time_that_is_up_ends_measuring_with_what_there_is() {
    let mut bench = Bench::new("time.sleep(0.2)\nreturn 1").await;
    let before = bench.footprint().await;
    // This needs 10 s, or at least a second round.
    for (num, most_ms) in [(json!(50), 2000), (json!("auto"), 300)] {
        bench.most_time = Some(Duration::from_millis(most_ms));
        let result = bench.result(json!({"powerValues": [256, 512], "num": num})).await;
        assert_eq!(result.stopped, Stopped::TimeReached, "{num}");
        assert!((2..60).contains(&result.invocations), "{num}: {}", result.invocations);
        // A size that got ready late may have had only a cold start.
        let is_about_time = |warning: &String| !warning.contains("cold start");
        assert!(result.complete, "{num}");
        assert!(!result.warnings.iter().any(is_about_time), "{:?}", result.warnings);
        assert_eq!(bench.footprint().await, before);
    }
}
