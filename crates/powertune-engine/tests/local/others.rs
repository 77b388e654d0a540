//! What others do to the function during a run: they deploy, or tune it, too.

use std::time::Duration;

use powertune_engine::{
    error::{Cause, TuneError},
    run::Ending,
};
use serde_json::{Value, json};

use crate::bench::{Bench, FUNCTION, ORIGINAL};

/// How often two runs begin at the same time.
const RACES: u32 = 12;

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
    assert!(matches!(error, TuneError::Failed(Cause::Changed { .. })), "{error:?}");
    deployed.await.expect("the deploy went through");
    assert_eq!(settings(&bench).await, (Some(17), Some(ORIGINAL)));
    assert_eq!(bench.clean(false).await.expect("there is nothing to clean").marks, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_size_that_a_deploy_sets_stays() {
    let bench = Bench::new("time.sleep(0.2)\nreturn 1").await;
    let deployed = deploy(&bench, Duration::ZERO, Some(17), Some(2048));
    let error = bench.tune(powers()).await.expect_err("the function was changed");
    assert!(matches!(error, TuneError::Failed(Cause::Changed { .. })), "{error:?}");
    deployed.await.expect("the deploy went through");
    assert_eq!(settings(&bench).await, (Some(17), Some(2048)));
    assert_eq!(bench.clean(false).await.expect("there is nothing to clean").marks, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_while_versions_are_invoked_is_told_with_what_was_measured() {
    let bench = Bench::new("time.sleep(0.3)\nreturn 1").await;
    let deployed = deploy(&bench, Duration::from_secs(1), Some(17), None);
    let fields = json!({"powerValues": [128, 256], "num": 8, "autoOptimize": true});
    let error = bench.tune(fields).await.expect_err("the function was changed");
    let TuneError::Outdated { cause: Cause::Changed { .. }, result } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(result.invocations, 16);
    deployed.await.expect("the deploy went through");
    assert_eq!(settings(&bench).await, (Some(17), Some(ORIGINAL)), "nothing was applied");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_runs_at_the_same_time_one_goes_on() {
    let bench = Bench::new("return 1").await;
    let before = bench.footprint().await;
    let mut rivals = 0;
    for race in 0..RACES {
        let fields = || json!({"powerValues": [128, 192, 256, 320]});
        let later = async {
            tokio::time::sleep(Duration::from_millis(u64::from(race % 4))).await;
            bench.tune(fields()).await
        };
        let (one, other) = tokio::join!(bench.tune(fields()), later);
        let error = match (one, other) {
            (Ok(Ending::Tuned(_)), Err(error)) | (Err(error), Ok(Ending::Tuned(_))) => error,
            both => panic!("race {race}: {both:?}"),
        };
        match &error {
            TuneError::Failed(Cause::Rival { .. }) => rivals += 1,
            TuneError::NotBegun(Cause::Marked { .. }) => {}
            other => panic!("race {race}: {other:?}"),
        }
        let said = error.to_string();
        assert!(said.contains("test@host, since 20"), "{said}");
        assert_eq!(bench.footprint().await, before, "race {race}");
    }
    assert!(rivals > 0, "both must have begun before the other was announced");
    println!(
        "figure: two runs at the same time: in {RACES} of {RACES} races one went on and the other \
         left nothing ({rivals} met at the first change)"
    );
}
