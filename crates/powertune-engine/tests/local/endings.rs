//! Runs that fail: their errors, and their clean-up.

use std::time::Duration;

use aws_sdk_lambda::primitives::Blob;
use powertune_core::{result::State, stopped::Stopped};
use powertune_engine::{
    Keep,
    error::{Cause, TuneError, Unfinished},
    event::Event,
    run::Ending,
};
use serde_json::json;

use powertune_local::Settings;

use crate::bench::{Bench, FUNCTION};

#[tokio::test(flavor = "multi_thread")]
async fn a_power_that_runs_out_of_memory_is_a_failed_row() {
    let bench = Bench::new("x = bytearray(200 * 1024 * 1024)\nreturn len(x)").await;
    let before = bench.footprint().await;
    let result = bench.result(json!({"powerValues": [128, 512]})).await;
    let row = &result.stats[0];
    assert_eq!((row.value.mb(), row.state), (128, State::Failed));
    assert_eq!(row.reason.as_deref(), Some("the function ran out of memory"));
    assert_eq!(result.power.mb(), 512);
    assert_eq!(bench.footprint().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_that_times_out_is_a_failed_row() {
    let body = "if int(context.memory_limit_in_mb) < 300: time.sleep(30)\nreturn 1";
    let bench = Bench::new(body).await;
    let update = bench.client.update_function_configuration().function_name(FUNCTION).timeout(1);
    update.send().await.expect("UpdateFunctionConfiguration");
    tokio::time::sleep(Duration::from_millis(100)).await;
    let result = bench.result(json!({})).await;
    let row = &result.stats[0];
    assert_eq!((row.value.mb(), row.state), (256, State::Failed));
    assert_eq!(row.reason.as_deref(), Some("the function ran into its timeout"));
    assert_eq!(row.invocations, 1, "the same timeout is not paid for again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_always_fails_fails_the_run() {
    let bench = Bench::new("raise ValueError('no')").await;
    let before = bench.footprint().await;
    let error = bench.tune(json!({})).await.expect_err("nothing can be measured");
    let TuneError::Failed(Cause::NothingMeasured(_)) = &error else { panic!("{error:?}") };
    assert!(error.to_string().contains("ValueError"), "{error}");
    assert_eq!(bench.footprint().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn allowed_exceptions_count() {
    let bench = Bench::new("raise ValueError('no')").await;
    let result = bench.result(json!({"allowedExceptions": ["ValueError"]})).await;
    assert_eq!(result.stats[0].state, State::Measured);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_processor_that_fails_fails_the_run() {
    let bench = Bench::new("return 1").await;
    let pre = bench.create("pre", "raise KeyError('lost')").await;
    let before = bench.footprint().await;
    let error = bench.tune(json!({"preProcessorARN": pre})).await.expect_err("it fails");
    let text = error.to_string();
    assert!(text.contains("preProcessorARN") && text.contains("KeyError"), "{text}");
    assert_eq!(bench.footprint().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_puts_everything_back() {
    let bench = Bench::new("time.sleep(10)").await;
    let before = bench.footprint().await;
    let stop = bench.cancelled.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(700)).await;
        stop.cancel();
    });
    let error = bench.tune(json!({})).await.expect_err("it was interrupted");
    assert_eq!(error, TuneError::Interrupted);
    assert_eq!(bench.footprint().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_says_what_it_has_measured_and_what_was_cut_off() {
    let bench = Bench::new("time.sleep(0.4)\nreturn 1").await;
    let before = bench.footprint().await;
    let stop = bench.cancelled.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(2500)).await;
        stop.cancel();
    });
    let fields = json!({"powerValues": [256, 512], "num": 100});
    let (ending, events) = bench.tune_and_hear(fields).await;
    let Unfinished { error, measured } = ending.expect_err("it was interrupted");
    assert_eq!(error, TuneError::Interrupted);
    let Some(Ending::Tuned(result)) = measured else { panic!("{measured:?}") };
    assert!(!result.complete && result.stopped == Stopped::Interrupted, "{result:?}");
    let count = |wanted: fn(&Event) -> bool| events.iter().filter(|event| wanted(event)).count();
    let sent = count(|event| matches!(event, Event::Sent(_)));
    let observed = count(|event| matches!(event, Event::Observed(_)));
    let failures: u32 = result.stats.iter().map(|row| row.failures).sum();
    let invocations = usize::try_from(result.invocations).expect("a few");
    assert!(observed > 1 && observed < sent, "{observed} of {sent}");
    assert_eq!((invocations, failures as usize), (sent, sent - observed));
    assert!(result.stats.iter().all(|row| row.state == State::Measured), "{:?}", result.stats);
    assert_eq!(bench.footprint().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_can_not_be_kept_is_not_applied() {
    let mut bench = Bench::new("return 1").await;
    let before = bench.footprint().await;
    bench.keep = Keep::by(|_| Err(std::io::Error::other("the disk is full")));
    let fields = json!({"powerValues": [128, 512], "autoOptimize": true});
    let (ending, _) = bench.tune_and_hear(fields).await;
    let Unfinished { error, measured } = ending.expect_err("it was not kept");
    assert!(matches!(error, TuneError::Failed(Cause::NotKept(_))), "{error:?}");
    let Some(Ending::Tuned(result)) = measured else { panic!("{measured:?}") };
    assert!(result.complete && result.applied.is_none(), "{result:?}");
    assert_eq!(bench.footprint().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn powers_that_the_account_does_not_have_are_skipped() {
    let settings = Settings { largest_memory_mb: 3008, ..Settings::default() };
    let bench = Bench::with("return 1", settings).await;
    let before = bench.footprint().await;
    let result = bench.result(json!({"powerValues": [512, 3008, 4096, 10240]})).await;
    let states: Vec<_> = result.stats.iter().map(|row| (row.value.mb(), row.state)).collect();
    assert_eq!(
        states,
        [
            (512, State::Measured),
            (3008, State::Measured),
            (4096, State::Skipped),
            (10_240, State::Skipped)
        ]
    );
    assert!(result.stats[3].reason.as_deref().is_some_and(|reason| reason.contains("3008")));
    assert_eq!(bench.footprint().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_is_waited_out_and_nothing_is_counted_twice() {
    let code = "while event and not os.path.exists(event['until']):\n    \
                time.sleep(0.02)\nreturn 1";
    let bench = Bench::new(code).await;
    let put = bench.client.put_function_concurrency().function_name(FUNCTION);
    put.reserved_concurrent_executions(3).send().await.expect("PutFunctionConcurrency");
    // Somebody else uses the whole reserved concurrency until two seconds after a version is
    // published.
    let folder = tempfile::tempdir().expect("a folder");
    let end = folder.path().join("end");
    let event = json!({ "until": end }).to_string();
    let client = bench.client.clone();
    let others = tokio::spawn(async move {
        let invoke =
            || client.invoke().function_name(FUNCTION).payload(Blob::new(event.as_str())).send();
        let published = async {
            let list = || client.list_versions_by_function().function_name(FUNCTION).send();
            while list().await.expect("ListVersionsByFunction").versions().len() < 2 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
            std::fs::write(end, "").expect("a file");
        };
        let ((), one, two, three) = futures::join!(published, invoke(), invoke(), invoke());
        for invoked in [one, two, three] {
            invoked.expect("the others were first");
        }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (ending, events) = bench.tune_and_hear(json!({"powerValues": [512]})).await;
    others.await.expect("the others end");
    let Ok(Ending::Tuned(result)) = ending else { panic!("a result was expected, not {ending:?}") };
    assert!(events.iter().any(|event| matches!(event, Event::Throttled { .. })));
    assert_eq!((result.invocations, result.stats[0].failures), (5, 0));
}
