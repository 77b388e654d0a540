//! Refusals before any change.

use aws_sdk_lambda::types::{LogFormat, LoggingConfig, SystemLogLevel};
use powertune_engine::error::{Refusal, TuneError};
use serde_json::json;

use crate::bench::{Bench, FUNCTION};

async fn refusal(bench: &Bench, fields: serde_json::Value) -> Refusal {
    let before = bench.footprint().await;
    let refusal = match bench.tune(fields).await {
        Err(TuneError::Refused(refusal)) => refusal,
        other => panic!("a refusal was expected, not {other:?}"),
    };
    assert_eq!(bench.footprint().await, before);
    refusal
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_not_there() {
    let bench = Bench::new("return 1").await;
    let refusal = refusal(&bench, json!({"lambdaARN": "nobody"})).await;
    assert!(refusal.to_string().contains("ResourceNotFoundException"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_level_that_sends_no_report() {
    let bench = Bench::new("return 1").await;
    let logging = LoggingConfig::builder()
        .log_format(LogFormat::Json)
        .system_log_level(SystemLogLevel::Warn)
        .build();
    let update = bench.client.update_function_configuration().function_name(FUNCTION);
    update.logging_config(logging).send().await.expect("UpdateFunctionConfiguration");
    let refusal = refusal(&bench, json!({})).await;
    assert!(refusal.to_string().contains("SystemLogLevel"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_concurrency_at_all() {
    let bench = Bench::new("return 1").await;
    let put = bench.client.put_function_concurrency().function_name(FUNCTION);
    put.reserved_concurrent_executions(0).send().await.expect("PutFunctionConcurrency");
    assert_eq!(refusal(&bench, json!({})).await, Refusal::NothingMayRun);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_without_room_for_tags() {
    let bench = Bench::new("return 1").await;
    let tags = |numbers: std::ops::Range<u32>| {
        Some(numbers.map(|number| (format!("tag-{number}"), "mine".to_owned())).collect())
    };
    let tag = || bench.client.tag_resource().resource(&bench.arn);
    tag().set_tags(tags(0..47)).send().await.expect("TagResource");
    bench.result(json!({})).await;
    tag().set_tags(tags(47..48)).send().await.expect("TagResource");
    assert_eq!(refusal(&bench, json!({})).await, Refusal::TooManyTags { has: 48 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_with_other_settings() {
    let bench = Bench::new("return 1").await;
    bench.client.publish_version().function_name(FUNCTION).send().await.expect("PublishVersion");
    let update = bench.client.update_function_configuration().function_name(FUNCTION);
    update.timeout(9).send().await.expect("UpdateFunctionConfiguration");
    let refusal = refusal(&bench, json!({"lambdaARN": format!("{FUNCTION}:1")})).await;
    assert_eq!(refusal, Refusal::QualifierDiffers { qualifier: "1".to_owned() });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_that_no_invocation_is_sure_to_keep() {
    let bench = Bench::new("return 1").await;
    let refusal = refusal(&bench, json!({"maxCost": 0.0001})).await;
    let Refusal::MaxCost { power, needed, .. } = refusal else { panic!("{refusal:?}") };
    assert_eq!(power.mb(), 256);
    assert!(refusal.to_string().contains("maxCost: 0.0001 USD"), "{refusal}");
    // The amount in the message is enough.
    let text = refusal.to_string();
    let asked = text.split("at least ").nth(1).and_then(|rest| rest.split(',').next());
    let asked: f64 = asked.and_then(|asked| asked.parse().ok()).expect("an amount");
    assert!(asked >= needed && asked < needed * 1.02, "{text}");
    bench.result(json!({"maxCost": asked})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_of_hardly_anything_is_written_in_short() {
    let bench = Bench::new("return 1").await;
    let text = refusal(&bench, json!({"maxCost": 1e-300})).await.to_string();
    assert!(text.contains("maxCost: 1e-300 USD does not cover"), "{text}");
}
