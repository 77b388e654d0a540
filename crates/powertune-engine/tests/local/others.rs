//! Changes of the function by others during a run: deployments and other runs.

use std::time::Duration;

use aws_sdk_lambda::types::LastUpdateStatus;
use powertune_engine::{
    error::{Cause, TuneError, Unfinished},
    run::Ending,
};
use powertune_local::Settings;
use serde_json::{Value, json};

use crate::bench::{Bench, FUNCTION, ORIGINAL};

fn powers() -> Value {
    json!({"powerValues": [128, 192, 256, 320, 384, 448, 512, 640, 768, 896, 1024]})
}

/// Deploys once the run has announced itself, as soon as no update is in progress.
fn deploy(
    bench: &Bench,
    delay: Duration,
    timeout: Option<i32>,
    memory_mb: Option<i32>,
) -> tokio::task::JoinHandle<()> {
    let client = bench.client.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let function = client.get_function().function_name(FUNCTION).send().await;
            if function.expect("GetFunction").tags.is_some_and(|tags| !tags.is_empty()) {
                break;
            }
        }
        tokio::time::sleep(delay).await;
        loop {
            let update = client.update_function_configuration().function_name(FUNCTION);
            let update = update.set_timeout(timeout).set_memory_size(memory_mb);
            if update.send().await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
}

/// True if a run ended because somebody else changed the function, before or after the run's first
/// change.
fn was_changed(error: &TuneError) -> bool {
    matches!(
        error,
        TuneError::Failed(Cause::Changed { .. }) | TuneError::NotBegun(Cause::Changed { .. })
    )
}

async fn settings(bench: &Bench) -> (Option<i32>, Option<i32>) {
    let configuration = bench.client.get_function_configuration().function_name(FUNCTION);
    let configuration = configuration.send().await.expect("a configuration");
    (configuration.timeout, configuration.memory_size)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_while_versions_are_published_stops_the_run_and_stays() {
    let bench = Bench::new("time.sleep(0.2)\nreturn 1").await;
    let deployed = deploy(&bench, Duration::ZERO, Some(17), None);
    let error = bench.tune(powers()).await.expect_err("the function was changed");
    deployed.await.expect("the deploy went through");
    let (timeout, memory_mb) = settings(&bench).await;
    assert_eq!(timeout, Some(17));
    if let TuneError::LeftBehind { cause: Some(Cause::Changed { .. }), left, .. } = &error {
        // The deployment found a test size, and nothing tells whether it was meant to stay.
        assert!(left[0].by_hand.ends_with("--memory-size 256"), "{left:?}");
        assert!(left[0].why.contains("if so, keep it with"), "{left:?}");
        assert_ne!(memory_mb, Some(ORIGINAL));
        return;
    }
    assert!(was_changed(&error), "{error:?}");
    assert_eq!(memory_mb, Some(ORIGINAL));
    assert_eq!(bench.clean(false).await.expect("there is nothing to clean").marks, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_size_that_a_deploy_sets_stays() {
    let bench = Bench::new("time.sleep(0.2)\nreturn 1").await;
    let deployed = deploy(&bench, Duration::ZERO, Some(17), Some(2048));
    let error = bench.tune(powers()).await.expect_err("the function was changed");
    assert!(was_changed(&error), "{error:?}");
    deployed.await.expect("the deploy went through");
    assert_eq!(settings(&bench).await, (Some(17), Some(2048)));
    assert_eq!(bench.clean(false).await.expect("there is nothing to clean").marks, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_while_versions_are_invoked_is_told_with_what_was_measured() {
    let bench = Bench::new("time.sleep(0.3)\nreturn 1").await;
    let deployed = deploy(&bench, Duration::from_secs(1), Some(17), None);
    let fields = json!({"powerValues": [128, 256], "num": 8, "autoOptimize": true});
    let (ending, _) = bench.tune_and_hear(fields).await;
    let Unfinished { error, measured } = ending.expect_err("the function was changed");
    assert!(matches!(error, TuneError::Outdated(Cause::Changed { .. })), "{error:?}");
    let Some(Ending::Tuned(result)) = measured else { panic!("{measured:?}") };
    assert_eq!((result.invocations, result.complete), (16, true));
    deployed.await.expect("the deploy went through");
    assert_eq!(settings(&bench).await, (Some(17), Some(ORIGINAL)), "nothing was applied");
}

/// The owner deploys 192 MB while the run has set the same size.
#[tokio::test(flavor = "multi_thread")]
async fn the_very_size_that_the_run_has_set_stays_where_the_owner_deploys_it() {
    // Slow calls make sure that the deployment comes while $LATEST has a size of the run.
    let latency = Duration::from_millis(50);
    let settings = Settings { latency, ..Settings::default() };
    let bench = Bench::with("return 1", settings).await;
    let deployed = deploy_test_size(&bench);
    let error = bench.tune(json!({"powerValues": [128, 192, 512]})).await.expect_err("a deploy");
    deployed.await.expect("the deploy went through");
    let TuneError::LeftBehind { left, .. } = &error else { panic!("{error:?}") };
    let said = left.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(said.contains("--memory-size 256") && said.contains("if so, keep it"), "{said}");
    assert_eq!(self::settings(&bench).await.1, Some(192), "what the owner deployed stays");
}

/// Deploys 192 MB as soon as the run's own change to it is in force.
fn deploy_test_size(bench: &Bench) -> tokio::task::JoinHandle<()> {
    let client = bench.client.clone();
    tokio::spawn(async move {
        loop {
            let function = client.get_function_configuration().function_name(FUNCTION).send().await;
            let function = function.expect("GetFunctionConfiguration");
            let is_settled = function.last_update_status == Some(LastUpdateStatus::Successful);
            if function.memory_size == Some(192) && is_settled {
                let update = client.update_function_configuration().function_name(FUNCTION);
                if update.memory_size(192).send().await.is_ok() {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
}

/// The owner deploys a size that the run has used, after the run has put the memory size back.
#[tokio::test(flavor = "multi_thread")]
async fn a_size_that_the_run_has_used_stays_where_the_owner_deploys_it_afterwards() {
    let bench = Bench::new("time.sleep(0.3)\nreturn 1").await;
    let deployed = deploy(&bench, Duration::from_secs(1), None, Some(512));
    let fields = json!({"powerValues": [128, 512], "num": 8});
    let error = bench.tune(fields).await.expect_err("the function was changed");
    deployed.await.expect("the deploy went through");
    assert!(matches!(error, TuneError::Outdated { .. }), "{error:?}");
    assert_eq!(settings(&bench).await.1, Some(512));
}
