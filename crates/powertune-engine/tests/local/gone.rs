//! A version of the run that somebody deletes meanwhile: the run ends and chooses no other size.

use std::time::{Duration, Instant};

use aws_sdk_lambda::Client;
use powertune_core::{
    result::State as RowState,
    workflow::state::{Execution, InitializeInput, MeasureInput},
};
use powertune_engine::{
    error::{Cause, TuneError},
    run::Ending,
    steps::{self, DeploymentSettings},
};
use serde_json::{Value, json};

use crate::bench::{Bench, FUNCTION};

/// Waits for a version with this memory size and returns its number.
async fn version_of(client: &Client, memory_mb: i32) -> String {
    loop {
        let versions = client.list_versions_by_function().function_name(FUNCTION).send().await;
        let versions = versions.expect("ListVersionsByFunction").versions.unwrap_or_default();
        let mut numbered = versions
            .into_iter()
            .filter(|listed| listed.version() != Some("$LATEST"))
            .filter(|listed| listed.memory_size == Some(memory_mb));
        if let Some(found) = numbered.next() {
            return found.version.expect("a number");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn delete(client: &Client, version: &str) {
    let delete = client.delete_function().function_name(FUNCTION).qualifier(version);
    delete.send().await.expect("DeleteFunction");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_somebody_deletes_ends_the_run() {
    let bench = Bench::new("time.sleep(0.1)\nreturn 1").await;
    let before = bench.footprint().await;
    let client = bench.client.clone();
    let somebody = tokio::spawn(async move {
        let version = version_of(&client, 512).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        delete(&client, &version).await;
        version
    });
    let fields = json!({"num": 30, "autoOptimize": true});
    let error = bench.tune(fields).await.expect_err("its version is gone");
    let deleted = somebody.await.expect("it is deleted");
    let TuneError::Failed(Cause::VersionGone { version, power }) = &error else {
        panic!("{error:?}");
    };
    assert_eq!((version, power.mb()), (&deleted, 512));
    let said = error.to_string();
    assert!(
        said.contains("was deleted while") && said.contains("everything was put back"),
        "{said}"
    );
    assert_eq!(bench.footprint().await, before, "nothing was applied");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_somebody_deletes_ends_an_execution() {
    let bench = Bench::new("return 1").await;
    let connection = bench.connection(bench.lambda.endpoint_url());
    let request = json!({"lambdaARN": FUNCTION, "num": 5, "powerValues": [256, 512]});
    let Value::Object(request) = request else { panic!("a request is an object") };
    let execution = Execution {
        id: "arn:aws:states:us-east-1:000000000000:execution:machine:one".to_owned(),
        start_time: "2026-01-01T00:00:00Z".to_owned(),
    };
    let start = InitializeInput { execution, request };
    let settings = DeploymentSettings::default();
    let deadline = Instant::now() + Duration::from_mins(10);
    let state = steps::initialize(&connection, &settings, start).await.expect("it begins");
    let mut state = steps::publish(&connection, state, deadline).await.expect("it publishes");
    for task in state.backlog.tasks.clone() {
        let deleted = task.power.mb() == 512;
        if deleted {
            delete(&bench.client, task.version.as_deref().expect("a version")).await;
        }
        let portion = MeasureInput { run: state.run.clone(), task };
        let measured = steps::measure(&connection, portion, deadline).await.expect("an answer");
        assert_eq!(measured.failed.is_some(), deleted, "{measured:?}");
        state.measured.push(measured);
    }
    let error = steps::decide(&settings, state).expect_err("it can't go on");
    assert!(error.message.contains("(512 MB) was deleted while the run measured it"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_fails_at_a_size_does_not_end_the_run() {
    // This error must not be taken for a deleted version.
    let body = "if int(context.memory_limit_in_mb) > 300: raise KeyError('gone')\nreturn 1";
    let bench = Bench::new(body).await;
    let ending = bench.tune(json!({})).await;
    let Ok(Ending::Tuned(result)) = ending else { panic!("{ending:?}") };
    assert_eq!(result.stats[1].state, RowState::Failed);
    assert!(result.unmeasured.is_empty() && result.confidence.is_some(), "{result:?}");
}
