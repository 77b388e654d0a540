//! `clean` after somebody has settled the memory size, or while another run begins.

use std::{fs, time::Duration};

use aws_sdk_lambda::{Client, types::LastUpdateStatus};
use powertune_engine::{
    Journals,
    error::{Cause, TuneError},
};
use serde_json::json;
use tokio::sync::oneshot;

use crate::{
    bench::{Bench, FUNCTION, ORIGINAL},
    door::door_at,
};

/// The memory size that a killed run leaves, in MB.
const TEST: i32 = 512;

/// A run that is killed after its change to [`TEST`] and before the answer: its journal and its
/// tags stay.
async fn killed_run() -> Bench {
    let bench = Bench::new("return 1").await;
    let client = bench.client.clone();
    let (made, is_made) = oneshot::channel();
    let door = door_at(&bench, "PUT", "/configuration", 1, move || async move {
        let update = client.update_function_configuration().function_name(FUNCTION);
        update.memory_size(TEST).send().await.expect("the run's change");
        has_memory(&client, TEST).await;
        made.send(()).expect("the test waits");
        std::future::pending::<()>().await;
    });
    tokio::select! {
        ending = bench.tune_at(door.url(), json!({"powerValues": [TEST]})) => panic!("{ending:?}"),
        made = is_made => made.expect("the change is made"),
    }
    bench
}

/// Waits until `$LATEST` has this memory size.
async fn has_memory(client: &Client, memory_mb: i32) {
    loop {
        let function = client.get_function_configuration().function_name(FUNCTION).send().await;
        let function = function.expect("GetFunctionConfiguration");
        let is_settled = function.last_update_status == Some(LastUpdateStatus::Successful);
        if function.memory_size == Some(memory_mb) && is_settled {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Deploys a timeout and a memory size.
async fn deploy(bench: &Bench, timeout_s: i32, memory_mb: i32) {
    let update = bench.client.update_function_configuration().function_name(FUNCTION);
    update.timeout(timeout_s).memory_size(memory_mb).send().await.expect("a deploy");
    has_memory(&bench.client, memory_mb).await;
}

/// The keys of runs' tags with this ending.
async fn keys(bench: &Bench, end: &str) -> Vec<String> {
    let tags = bench.client.list_tags().resource(&bench.arn).send().await.expect("ListTags").tags;
    let keys = tags.unwrap_or_default().into_keys();
    keys.filter(|key| key.starts_with("powertune:") && key.ends_with(end)).collect()
}

async fn untag(bench: &Bench, keys: Vec<String>) {
    assert!(!keys.is_empty(), "the run has left tags");
    let untag = bench.client.untag_resource().resource(&bench.arn).set_tag_keys(Some(keys));
    untag.send().await.expect("UntagResource");
}

async fn memory(bench: &Bench) -> Option<i32> {
    let read = bench.client.get_function_configuration().function_name(FUNCTION).send().await;
    read.expect("GetFunctionConfiguration").memory_size
}

#[tokio::test(flavor = "multi_thread")]
async fn a_size_that_its_owner_keeps_is_kept_where_the_journal_is() {
    let bench = killed_run().await;
    deploy(&bench, 17, TEST).await;
    let cleaned = bench.clean_here().await.expect("it says what is left");
    let left = cleaned.left.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(left.contains("if so, keep it with: aws lambda untag-resource"), "{left}");

    untag(&bench, keys(&bench, ":memory").await).await;
    let cleaned = bench.clean_here().await.expect("it cleans");
    assert_eq!((cleaned.left, cleaned.memory), (Vec::new(), None));
    assert_eq!((memory(&bench).await, keys(&bench, "").await), (Some(TEST), Vec::new()));
    assert_eq!(bench.clean_here().await.expect("it cleans").marks, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_does_not_undo_a_deploy_after_others_have_cleaned_up() {
    let bench = killed_run().await;
    // Another machine has no journal, and its user puts the size back by hand.
    untag(&bench, keys(&bench, ":memory").await).await;
    deploy(&bench, 20, ORIGINAL).await;
    bench.clean(true).await.expect("it cleans");
    assert_eq!(keys(&bench, "").await, Vec::<String>::new());
    bench.client.publish_version().function_name(FUNCTION).send().await.expect("the owner's");
    deploy(&bench, 20, TEST).await;

    let cleaned = bench.clean_here().await.expect("there is nothing to clean");
    assert_eq!((cleaned.marks, cleaned.memory, cleaned.left), (Vec::new(), None, Vec::new()));
    assert_eq!(memory(&bench).await, Some(TEST), "the owner's size stays");
}

/// Sets the tags of a run that has just begun, and publishes its version.
async fn begin(client: Client, arn: String) {
    let run = "fedcba9876543210fedcba9876543210";
    let tag = client.tag_resource().resource(arn);
    let tag = tag
        .tags(format!("powertune:{run}"), "since=2020-01-01T00:00:00Z until=2999-01-01T00:00:00Z");
    tag.tags(format!("powertune:{run}:by"), "somebody@else").send().await.expect("TagResource");
    publish(&client, run).await;
}

async fn publish(client: &Client, run: &str) {
    let publish = client.publish_version().function_name(FUNCTION);
    publish.description(format!("powertune run {run}")).send().await.expect("PublishVersion");
}

/// A function with a version that a run has left without tags, and the result of `clean` if another
/// run begins just before the `nth` list of versions.
async fn clean_beside(nth: usize) -> (Bench, Result<Vec<String>, TuneError>) {
    let bench = Bench::new("return 1").await;
    publish(&bench.client, "0123456789abcdef0123456789abcdef").await;
    deploy(&bench, 17, ORIGINAL).await;
    let (client, arn) = (bench.client.clone(), bench.arn.clone());
    let door = door_at(&bench, "GET", "/versions", nth, || begin(client, arn));
    let cleaned = bench.clean_at(door.url(), &Journals::default(), false).await;
    (bench, cleaned.map(|cleaned| cleaned.versions))
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_of_a_run_that_begins_meanwhile_stay() {
    let (bench, cleaned) = clean_beside(1).await;
    let error = cleaned.expect_err("a run lives");
    assert!(matches!(error, TuneError::NotBegun(Cause::Alive { .. })), "{error:?}");
    drop(bench);

    let (bench, cleaned) = clean_beside(2).await;
    assert_eq!(cleaned.expect("it cleans"), ["1"]);
    let versions = bench.client.list_versions_by_function().function_name(FUNCTION).send().await;
    let versions = versions.expect("ListVersionsByFunction").versions.unwrap_or_default();
    assert!(versions.iter().any(|version| version.version() == Some("2")), "{versions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_function_that_is_deleted_nothing_is_left_to_put_back() {
    let bench = Bench::new("time.sleep(0.2)\nreturn 1").await;
    let client = bench.client.clone();
    let somebody = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        client.delete_function().function_name(FUNCTION).send().await.expect("DeleteFunction");
    });
    let error = bench.tune(json!({"num": 40})).await.expect_err("the function is gone");
    somebody.await.expect("it is deleted");
    assert!(!matches!(error, TuneError::LeftBehind { .. }), "{error:?}");
}

/// A run whose `nth` change of the memory size succeeds and is then refused: a proxy sends it twice
/// and returns the second answer. Returns the function and the error of the run.
async fn change_sent_twice(nth: usize) -> (Bench, TuneError) {
    let bench = Bench::new("return 1").await;
    let client = bench.client.clone();
    let door = door_at(&bench, "PUT", "/configuration", nth, move || async move {
        let read = client.get_function_configuration().function_name(FUNCTION).send().await;
        let other =
            if read.expect("a configuration").memory_size == Some(TEST) { 1024 } else { TEST };
        let update = client.update_function_configuration().function_name(FUNCTION);
        update.memory_size(other).send().await.expect("the first of the two calls");
        has_memory(&client, other).await;
    });
    let ending = bench.tune_at(door.url(), json!({"powerValues": [TEST, 1024]})).await;
    (bench, ending.expect_err("the change was refused").error)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_size_that_is_set_and_refused_all_the_same_is_not_forgotten() {
    for nth in [1, 2] {
        let (bench, error) = change_sent_twice(nth).await;
        let said = error.to_string();
        assert!(matches!(error, TuneError::LeftBehind { .. }), "{said}");
        assert!(said.contains("--memory-size 256") && said.contains("keep it with"), "{said}");
        assert_ne!(memory(&bench).await, Some(ORIGINAL));
        deploy(&bench, 20, ORIGINAL).await;
        let cleaned = bench.clean_here().await.expect("it cleans");
        assert_eq!((cleaned.left, keys(&bench, "").await), (Vec::new(), Vec::new()), "{nth}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_whose_last_line_is_cut_leaves_the_tags_to_speak() {
    let bench = killed_run().await;
    let mut journals = fs::read_dir(bench.journals_folder()).expect("the journals");
    let journal = journals.next().expect("there is one").expect("it is read").path();
    let length = fs::metadata(&journal).expect("the journal").len();
    let file = fs::OpenOptions::new().write(true).open(&journal).expect("the journal");
    file.set_len(length - 20).expect("it is cut");

    let cleaned = bench.clean_here().await.expect("it says what is left");
    let left = cleaned.left.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert_eq!((cleaned.memory, cleaned.kept), (None, None));
    assert!(left.contains("--memory-size 256") && left.contains("keep it with"), "{left}");
}

/// A later round sets the memory tag again, just after somebody has removed all tags.
#[tokio::test(flavor = "multi_thread")]
async fn a_later_round_does_not_take_its_own_tag_for_its_announcement() {
    // Each size costs the same, so the run continues to the largest one.
    let alike = "import os\ntime.sleep(64 / int(os.environ['AWS_LAMBDA_FUNCTION_MEMORY_SIZE']))";
    let bench = Bench::new(alike).await;
    let before = bench.footprint().await;
    let (client, arn) = (bench.client.clone(), bench.arn.clone());
    let door = door_at(&bench, "POST", "/tags/", 2, move || async move {
        let tags = client.list_tags().resource(&arn).send().await.expect("ListTags").tags;
        let keys = tags.unwrap_or_default().into_keys().collect();
        let untag = client.untag_resource().resource(&arn).set_tag_keys(Some(keys));
        untag.send().await.expect("UntagResource");
    });
    let fields = json!({"num": "auto", "powerValues": [256, 512, 1024, 2048]});
    let ended = bench.tune_at(door.url(), fields).await.expect_err("the tags are gone");
    assert!(ended.error.to_string().contains("removed the run's tags"), "{}", ended.error);
    assert_eq!(bench.footprint().await, before);
}
