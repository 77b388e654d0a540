//! The alias that releases the choice: it stays as others have set it, and releases no code without
//! consent.

use std::{io::Write, time::Duration};

use aws_sdk_lambda::{
    Client,
    primitives::Blob,
    types::{AliasRoutingConfiguration, LastUpdateStatus},
};
use powertune_core::{result::TuningResult, warning::Warning};
use powertune_engine::{
    error::{Cause, Refusal, TuneError, Unfinished},
    event::Event,
    run::Ending,
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::{
    bench::{Bench, FUNCTION, ORIGINAL},
    door::door,
};

pub(crate) const ALIAS: &str = "live";
/// Slow enough for a change during the measurement.
const SLOW: &str = "time.sleep(0.3)\nreturn 1";
/// After all versions are published, and long before the last invocation.
const MEASURING: Duration = Duration::from_secs(1);

/// A request that measures for more than two seconds and then releases by the alias.
#[expect(clippy::needless_pass_by_value, reason = "every caller makes the fields in place")]
fn to_alias(more: Value) -> Value {
    let mut fields = json!({
        "powerValues": [128, 256], "num": 8, "autoOptimize": true, "autoOptimizeAlias": ALIAS,
    });
    fields.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
    fields
}

/// A function with two versions. The second equals `$LATEST`, and an alias points to it.
pub(crate) async fn released() -> Bench {
    let bench = Bench::new(SLOW).await;
    assert_eq!(publish_version(&bench).await, "1");
    set_timeout(&bench, 21).await;
    assert_eq!(publish_version(&bench).await, "2");
    create(&bench.client, "2").await;
    bench
}

pub(crate) async fn publish_version(bench: &Bench) -> String {
    let published = bench.client.publish_version().function_name(FUNCTION).send().await;
    published.expect("PublishVersion").version.expect("a version")
}

async fn set_timeout(bench: &Bench, timeout_s: i32) {
    let update = bench.client.update_function_configuration().function_name(FUNCTION);
    update.timeout(timeout_s).send().await.expect("UpdateFunctionConfiguration");
    settled(bench).await;
}

async fn settled(bench: &Bench) {
    loop {
        let read = bench.client.get_function_configuration().function_name(FUNCTION).send().await;
        let status = read.expect("a configuration").last_update_status;
        if status != Some(LastUpdateStatus::InProgress) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) async fn create(client: &Client, version: &str) {
    let create = client.create_alias().function_name(FUNCTION).name(ALIAS);
    create.function_version(version).send().await.expect("CreateAlias");
}

pub(crate) async fn roll_back(client: Client) {
    let update = client.update_alias().function_name(FUNCTION).name(ALIAS);
    update.function_version("1").send().await.expect("UpdateAlias");
}

/// Sends a share of the alias's calls to version 1.
pub(crate) async fn begin_canary(client: Client) {
    let update = client.update_alias().function_name(FUNCTION).name(ALIAS);
    let routing = AliasRoutingConfiguration::builder().additional_version_weights("1", 0.1);
    update.routing_config(routing.build()).send().await.expect("UpdateAlias");
}

pub(crate) async fn delete(client: Client) {
    let delete = client.delete_alias().function_name(FUNCTION).name(ALIAS);
    delete.send().await.expect("DeleteAlias");
}

/// Makes `change` while versions are invoked.
fn meanwhile<F>(bench: &Bench, change: impl FnOnce(Client) -> F + Send + 'static) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send,
{
    let client = bench.client.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let function = client.get_function().function_name(FUNCTION).send().await;
            if function.expect("GetFunction").tags.is_some_and(|tags| !tags.is_empty()) {
                break;
            }
        }
        tokio::time::sleep(MEASURING).await;
        change(client).await;
    })
}

/// The version of the alias, and the versions that get a share of its calls.
pub(crate) async fn points_to(bench: &Bench) -> Option<(String, Vec<String>)> {
    let alias = bench.client.get_alias().function_name(FUNCTION).name(ALIAS).send().await.ok()?;
    let weights = alias.routing_config.and_then(|routing| routing.additional_version_weights);
    let others = weights.unwrap_or_default().into_keys().collect();
    Some((alias.function_version?, others))
}

/// The error and the result of a run that could not apply its choice.
fn not_applied(ending: Result<Ending, Unfinished>) -> (Cause, TuningResult) {
    match ending {
        Err(Unfinished {
            error: TuneError::Failed(cause),
            measured: Some(Ending::Tuned(result)),
        }) => (cause, *result),
        other => panic!("nothing should have been applied: {other:?}"),
    }
}

/// Checks that the run noticed the changed alias and left everything as it was then.
async fn must_stay(bench: &Bench, ending: Result<Ending, Unfinished>, said: &str) {
    let (cause, result) = not_applied(ending);
    assert!(matches!(&cause, Cause::AliasChanged { alias, .. } if alias == ALIAS), "{cause:?}");
    assert!(cause.to_string().contains(said), "{cause}");
    assert_eq!(result.invocations, 16, "the result is kept");
    let configuration = bench.client.get_function_configuration().function_name(FUNCTION);
    let configuration = configuration.send().await.expect("a configuration");
    assert_eq!(configuration.memory_size, Some(ORIGINAL));
    assert_eq!(bench.clean(false).await.expect("there is nothing to clean").marks, []);
}

/// The number of versions beside `$LATEST`.
async fn versions(bench: &Bench) -> usize {
    let listed = bench.client.list_versions_by_function().function_name(FUNCTION).send().await;
    listed.expect("ListVersionsByFunction").versions().len() - 1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_made_meanwhile_stays() {
    let bench = released().await;
    let rolled_back = meanwhile(&bench, roll_back);
    let ending = bench.tune_and_hear(to_alias(json!({}))).await.0;
    rolled_back.await.expect("it is rolled back");
    must_stay(&bench, ending, "points to version 1 now, and to version 2 before").await;
    assert_eq!(points_to(&bench).await, Some(("1".to_owned(), vec![])));
    assert_eq!(versions(&bench).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_at_the_very_last_moment_stays() {
    let bench = released().await;
    let client = bench.client.clone();
    let door = door(&bench, "PUT", "/aliases/", move || roll_back(client));
    let ending = bench.tune_at(door.url(), to_alias(json!({}))).await;
    must_stay(&bench, ending, "points to version 1 now, and to version 2 before").await;
    assert_eq!(points_to(&bench).await, Some(("1".to_owned(), vec![])));
    assert_eq!(versions(&bench).await, 2, "the version that was chosen is deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_description_does_not_stop_a_release() {
    let bench = released().await;
    let client = bench.client.clone();
    let describe = move || async move {
        let update = client.update_alias().function_name(FUNCTION).name(ALIAS);
        update.description("what customers call").send().await.expect("UpdateAlias");
    };
    let door = door(&bench, "PUT", "/aliases/", describe);
    let ending = bench.tune_at(door.url(), to_alias(json!({}))).await;
    assert!(matches!(ending, Ok(Ending::Tuned(_))), "{ending:?}");
    let alias = bench.client.get_alias().function_name(FUNCTION).name(ALIAS).send().await;
    let alias = alias.expect("GetAlias");
    assert_eq!(alias.description(), Some("what customers call"));
    assert!(!matches!(alias.function_version(), Some("1" | "2")), "{alias:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_is_refused_before_anything_is_changed() {
    let bench = released().await;
    begin_canary(bench.client.clone()).await;
    let before = bench.footprint().await;
    let ending = bench.tune(to_alias(json!({}))).await;
    let canary = Refusal::Canary { alias: ALIAS.to_owned() };
    assert!(
        matches!(&ending, Err(TuneError::Refused(refusal)) if *refusal == canary),
        "{ending:?}"
    );
    assert_eq!(bench.footprint().await, before);
    assert_eq!(points_to(&bench).await, Some(("2".to_owned(), vec!["1".to_owned()])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_begins_meanwhile_goes_on() {
    let bench = released().await;
    let begun = meanwhile(&bench, begin_canary);
    let ending = bench.tune_and_hear(to_alias(json!({}))).await.0;
    begun.await.expect("the canary has begun");
    must_stay(&bench, ending, "two versions").await;
    assert_eq!(points_to(&bench).await, Some(("2".to_owned(), vec!["1".to_owned()])));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_that_is_deleted_meanwhile_stays_deleted() {
    let bench = released().await;
    let deleted = meanwhile(&bench, delete);
    let ending = bench.tune_and_hear(to_alias(json!({}))).await.0;
    deleted.await.expect("the alias is deleted");
    must_stay(&bench, ending, "it was deleted, and pointed to version 2 before").await;
    assert_eq!(points_to(&bench).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_that_is_made_meanwhile_stays() {
    let bench = released().await;
    delete(bench.client.clone()).await;
    let made = meanwhile(&bench, |client| async move { create(&client, "1").await });
    let ending = bench.tune_and_hear(to_alias(json!({}))).await.0;
    made.await.expect("the alias is made");
    must_stay(&bench, ending, "was created meanwhile, and points to version 1").await;
    assert_eq!(points_to(&bench).await, Some(("1".to_owned(), vec![])));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_that_is_made_at_the_very_last_moment_stays() {
    let bench = released().await;
    delete(bench.client.clone()).await;
    let client = bench.client.clone();
    let make = move || async move { create(&client, "1").await };
    let door = door(&bench, "POST", "/aliases", make);
    let ending = bench.tune_at(door.url(), to_alias(json!({}))).await;
    must_stay(&bench, ending, "was created meanwhile, and points to version 1").await;
    assert_eq!(points_to(&bench).await, Some(("1".to_owned(), vec![])));
}

/// Checks the runs that would release a deployment to `$LATEST`; `what` is its new part.
async fn release(deploy: impl AsyncFn(&Bench), what: &'static str) {
    let bench = released().await;
    deploy(&bench).await;
    let before = bench.footprint().await;
    let refused = bench.tune(to_alias(json!({"releaseLatest": false}))).await;
    let (alias, version) = (ALIAS.to_owned(), "2".to_owned());
    let refusal = Refusal::ReleasesLatest { alias, version, what };
    assert!(matches!(&refused, Err(TuneError::Refused(told)) if *told == refusal), "{refused:?}");
    assert!(refusal.to_string().contains("--release-latest"), "{refusal}");
    assert_eq!(bench.footprint().await, before);

    // As in a file for aws-lambda-power-tuning, which has no such field.
    let (ending, events) = bench.tune_and_hear(to_alias(json!({}))).await;
    let Ok(Ending::Tuned(result)) = ending else { panic!("it is released: {ending:?}") };
    let planned = events.iter().find_map(|event| match event {
        Event::Planned(plan) => Some(plan.warnings.clone()),
        _ => None,
    });
    let warnings = planned.expect("a plan");
    let warns = |warning: &&Warning| matches!(warning, Warning::ReleasesLatest { .. });
    assert_eq!(warnings.iter().filter(warns).count(), 1, "{warnings:?}");
    assert!(result.warnings.iter().any(|told| told.contains(what)), "{:?}", result.warnings);
    let (first, _) = points_to(&bench).await.expect("the alias");

    // Now the alias has what $LATEST has, so no warning is needed.
    let result = bench.result(to_alias(json!({"releaseLatest": false}))).await;
    assert!(!result.warnings.iter().any(|told| told.contains(what)), "{:?}", result.warnings);

    roll_back(bench.client.clone()).await;
    let result = bench.result(to_alias(json!({"releaseLatest": true}))).await;
    assert!(!result.warnings.iter().any(|told| told.contains(what)), "{:?}", result.warnings);
    let (last, _) = points_to(&bench).await.expect("the alias");
    assert!(first != "2" && last != "1", "it was not released: {first}, {last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_configuration_is_released_only_where_that_is_meant() {
    Box::pin(release(async |bench| set_timeout(bench, 22).await, "the configuration")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_code_is_released_only_where_that_is_meant() {
    let deploy = async |bench: &Bench| {
        let update = bench.client.update_function_code().function_name(FUNCTION);
        update.zip_file(Blob::new(package())).send().await.expect("UpdateFunctionCode");
        settled(bench).await;
    };
    Box::pin(release(deploy, "the code")).await;
}

/// A deployment package with another handler.
fn package() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("app.py", zip::write::SimpleFileOptions::default()).expect("a file");
    let code = "import time\ndef handler(event, context):\n    time.sleep(0.3)\n    return 2\n";
    zip.write_all(code.as_bytes()).expect("the code");
    zip.finish().expect("a package").into_inner()
}

/// Removes the run's tags, like `powertune clean --force` on another machine.
pub(crate) async fn take_tags(client: Client) {
    let function = client.get_function().function_name(FUNCTION).send().await;
    let function = function.expect("GetFunction");
    let keys: Vec<String> = function.tags.expect("the run's tags").into_keys().collect();
    let configuration = function.configuration.expect("a configuration");
    let untag = client.untag_resource().resource(configuration.function_arn().expect("an ARN"));
    untag.set_tag_keys(Some(keys)).send().await.expect("UntagResource");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_tags_were_taken_away_applies_nothing() {
    for fields in [to_alias(json!({})), to_alias(json!({"autoOptimizeAlias": null}))] {
        let bench = released().await;
        let before = bench.footprint().await;
        let taken = meanwhile(&bench, take_tags);
        let (cause, result) = not_applied(bench.tune_and_hear(fields).await.0);
        taken.await.expect("the tags are taken away");
        assert_eq!(cause, Cause::MarksGone { function: bench.arn.clone() });
        assert_eq!(result.invocations, 16, "the result is kept");
        assert_eq!(bench.footprint().await, before);
    }
}
