//! `clean` after a run that died without putting anything back.

use std::time::Duration;

use powertune_core::power::Power;
use powertune_engine::error::{Cause, TuneError};
use serde_json::json;

use crate::bench::{Bench, FUNCTION, ORIGINAL};

const RUN: &str = "0123456789abcdef0123456789abcdef";

/// Leaves what a run that died in the middle leaves.
async fn die_in_the_middle(bench: &Bench, until: &str) {
    let mark = format!("memory={ORIGINAL} since=2019-12-31T00:00:00Z until={until} sets=1024");
    let tag = bench.client.tag_resource().resource(&bench.arn);
    let tag = tag.tags(format!("powertune:{RUN}"), mark);
    let tag = tag.tags(format!("powertune:{RUN}:by"), "somebody@else");
    tag.send().await.expect("TagResource");
    let update = bench.client.update_function_configuration().function_name(FUNCTION);
    update.memory_size(1024).send().await.expect("UpdateFunctionConfiguration");
    tokio::time::sleep(Duration::from_millis(100)).await;
    let publish = bench.client.publish_version().function_name(FUNCTION);
    publish.description(format!("powertune run {RUN}")).send().await.expect("PublishVersion");
}

#[tokio::test(flavor = "multi_thread")]
async fn cleaning_puts_back_and_twice_is_once() {
    let bench = Bench::new("return 1").await;
    bench.client.publish_version().function_name(FUNCTION).send().await.expect("the user's own");
    let before = bench.footprint().await;
    die_in_the_middle(&bench, "2020-01-01T00:00:00Z").await;

    let error = bench.tune(json!({})).await.expect_err("marks of another run are there");
    assert!(matches!(error, TuneError::NotBegun(Cause::Marked { .. })), "{error:?}");
    assert!(error.to_string().contains("powertune clean"), "{error}");

    let cleaned = bench.clean(false).await.expect("it cleans");
    assert_eq!(cleaned.versions, ["2"]);
    assert_eq!(cleaned.memory.map(|(from, to)| (from.mb(), to.mb())), Some((1024, 256)));
    assert_eq!(cleaned.left, []);
    assert_eq!(bench.footprint().await, before);

    let again = bench.clean(false).await.expect("it cleans");
    assert_eq!((again.marks, again.memory, again.versions), (Vec::new(), None, Vec::new()));
    assert_eq!(bench.footprint().await, before);
}

/// Publishes a version of another power with this description.
async fn publish(bench: &Bench, memory_mb: i32, description: &str) -> String {
    let update = bench.client.update_function_configuration().function_name(FUNCTION);
    update.memory_size(memory_mb).send().await.expect("UpdateFunctionConfiguration");
    tokio::time::sleep(Duration::from_millis(100)).await;
    let publish = bench.client.publish_version().function_name(FUNCTION).description(description);
    publish.send().await.expect("PublishVersion").version.expect("a version")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_goes_unless_an_alias_points_to_it() {
    let bench = Bench::new("return 1").await;
    let other = "128 MB, chosen by powertune run fedcba9876543210fedcba9876543210";
    publish(&bench, 128, other).await;
    let own = format!("192 MB, chosen by powertune run {RUN}");
    let pointed_to = publish(&bench, 192, &own).await;
    let alias = bench.client.create_alias().function_name(FUNCTION).name("live");
    alias.function_version(pointed_to).send().await.expect("CreateAlias");
    publish(&bench, ORIGINAL, "the user's").await;
    let before = bench.footprint().await;

    let unapplied = publish(&bench, 192, &own).await;
    die_in_the_middle(&bench, "2020-01-01T00:00:00Z").await;
    let cleaned = bench.clean(false).await.expect("it cleans");
    assert_eq!(cleaned.versions, [unapplied, "5".to_owned()]);
    assert_eq!(cleaned.left, []);
    assert_eq!(bench.footprint().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_may_be_alive_is_left_alone_unless_forced() {
    let bench = Bench::new("return 1").await;
    let before = bench.footprint().await;
    die_in_the_middle(&bench, "2999-01-01T00:00:00Z").await;
    let error = bench.clean(false).await.expect_err("it may be alive");
    assert!(error.to_string().contains("--force"), "{error}");
    bench.clean(true).await.expect("it is forced to");
    assert_eq!(bench.footprint().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_size_that_no_run_has_set_stays() {
    let bench = Bench::new("return 1").await;
    die_in_the_middle(&bench, "2020-01-01T00:00:00Z").await;
    let deploy = bench.client.update_function_configuration().function_name(FUNCTION);
    deploy.memory_size(2048).send().await.expect("UpdateFunctionConfiguration");
    let cleaned = bench.clean(false).await.expect("it cleans");
    assert_eq!((cleaned.memory, cleaned.kept.map(Power::mb)), (None, Some(2048)));
    assert_eq!(cleaned.versions, ["1"]);
    assert_eq!(bench.clean(false).await.expect("it cleans").marks, []);
}
