//! `clean` after a run that died without a clean-up.

use std::time::Duration;

use powertune_core::power::Power;
use powertune_engine::error::{Cause, TuneError};
use serde_json::json;

use crate::bench::{Bench, FUNCTION, ORIGINAL};

const RUN: &str = "0123456789abcdef0123456789abcdef";

/// Leaves the traces of a run that died in the middle: its tags, a version with the function's own
/// memory size, and a version with a test size that `$LATEST` still has.
async fn die_in_the_middle(bench: &Bench, until: &str) {
    announce(bench, until, ORIGINAL).await;
    publish_as_run(bench).await;
    set_memory(bench, 1024).await;
    publish_as_run(bench).await;
}

/// Sets the tags of a run that found this memory size.
async fn announce(bench: &Bench, until: &str, memory_mb: i32) {
    let tag = bench.client.tag_resource().resource(&bench.arn);
    let tag =
        tag.tags(format!("powertune:{RUN}"), format!("since=2019-12-31T00:00:00Z until={until}"));
    let tag = tag.tags(format!("powertune:{RUN}:by"), "somebody@else");
    let tag = tag.tags(format!("powertune:{RUN}:memory"), format!("memory={memory_mb} sets=1024"));
    tag.send().await.expect("TagResource");
}

async fn publish_as_run(bench: &Bench) {
    let publish = bench.client.publish_version().function_name(FUNCTION);
    publish.description(format!("powertune run {RUN}")).send().await.expect("PublishVersion");
}

async fn set_memory(bench: &Bench, memory_mb: i32) {
    let update = bench.client.update_function_configuration().function_name(FUNCTION);
    update.memory_size(memory_mb).send().await.expect("UpdateFunctionConfiguration");
    tokio::time::sleep(Duration::from_millis(100)).await;
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
    set_memory(bench, memory_mb).await;
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
    set_memory(&bench, 2048).await;
    let cleaned = bench.clean(false).await.expect("it cleans");
    assert_eq!((cleaned.memory, cleaned.kept.map(Power::mb)), (None, Some(2048)));
    assert_eq!(cleaned.versions, ["1", "2"]);
    assert_eq!(bench.clean(false).await.expect("it cleans").marks, []);
}

/// The leftovers in the answer of `clean`, as text.
async fn left(bench: &Bench) -> String {
    let cleaned = bench.clean(true).await.expect("it says what is left");
    assert_eq!(cleaned.memory, None);
    cleaned.left.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_alone_do_not_change_the_memory_size() {
    let bench = Bench::new("return 1").await;
    set_memory(&bench, 1024).await;
    announce(&bench, "2020-01-01T00:00:00Z", 10_240).await;
    let before = bench.footprint().await;
    let left = left(&bench).await;
    assert!(left.contains("--memory-size 10240") && left.contains("untag-resource"), "{left}");
    assert_eq!(bench.footprint().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_original_size_is_not_set_although_a_version_shows_a_test_size() {
    let bench = Bench::new("return 1").await;
    announce(&bench, "2020-01-01T00:00:00Z", 10_240).await;
    set_memory(&bench, 1024).await;
    publish_as_run(&bench).await;
    let before = bench.footprint().await;
    assert!(left(&bench).await.contains("if so, keep it"));
    assert_eq!(bench.footprint().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_size_that_a_run_has_left_behind_itself_is_the_owners() {
    let bench = Bench::new("return 1").await;
    announce(&bench, "2020-01-01T00:00:00Z", ORIGINAL).await;
    for memory_mb in [ORIGINAL, 1024, 1023] {
        set_memory(&bench, memory_mb).await;
        publish_as_run(&bench).await;
    }
    // Another size follows, so the run is not the source of 1024 MB.
    set_memory(&bench, 1024).await;
    let before = bench.footprint().await;
    let left = left(&bench).await;
    assert!(left.contains("somebody may have deployed the same size"), "{left}");
    assert_eq!(bench.footprint().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_of_code_alone_does_not_leave_a_test_size_behind() {
    let bench = Bench::new("return 1").await;
    die_in_the_middle(&bench, "2020-01-01T00:00:00Z").await;
    bench.deploy_code("return 2").await;
    let cleaned = bench.clean(false).await.expect("it cleans");
    assert_eq!(cleaned.memory.map(|(from, to)| (from.mb(), to.mb())), Some((1024, 256)));
    assert_eq!(cleaned.left, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_of_configuration_makes_the_size_the_owners_to_judge() {
    let bench = Bench::new("return 1").await;
    die_in_the_middle(&bench, "2020-01-01T00:00:00Z").await;
    let update = bench.client.update_function_configuration().function_name(FUNCTION);
    update.timeout(17).send().await.expect("UpdateFunctionConfiguration");
    tokio::time::sleep(Duration::from_millis(100)).await;
    let before = bench.footprint().await;
    let left = left(&bench).await;
    assert!(left.contains("--memory-size 256"), "{left}");
    assert_eq!(bench.footprint().await, before, "nothing goes before the memory size is settled");
}
