//! Aliases, tags and processors in the steps of the state machine, which remember nothing but the
//! state.

use std::time::{Duration, Instant};

use powertune_core::workflow::state::{Execution, InitializeInput, RunState};
use powertune_engine::{
    gateway::Connection,
    steps::{
        DeploymentSettings, StepError, StepErrorKind, apply, clean, clean_after, initialize,
        publish,
    },
};
use serde_json::{Value, json};

use crate::{
    aliases::{ALIAS, begin_canary, create, points_to, publish_version, released, roll_back},
    aliases::{delete, take_tags},
    bench::{Bench, FUNCTION},
};

fn connection(bench: &Bench) -> Connection {
    bench.connection(bench.lambda.endpoint_url())
}

/// Begins an execution that will release the choice by the alias.
async fn begin(bench: &Bench, more: &Value) -> Result<RunState, StepError> {
    let mut request = json!({
        "lambdaARN": FUNCTION, "num": 5, "powerValues": [128, 256],
        "autoOptimize": true, "autoOptimizeAlias": ALIAS,
    });
    let fields = request.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    let id = format!("arn:aws:states:us-east-1:123456789012:execution:powertune:{}", bench.arn);
    let execution = Execution { id, start_time: "2026-11-26T12:00:00Z".to_owned() };
    let start = InitializeInput { execution, request: fields.clone() };
    let settings =
        DeploymentSettings { processors: "*".to_owned(), ..DeploymentSettings::default() };
    initialize(&connection(bench), &settings, start).await
}

/// Publishes the versions and chooses 128 MB without measuring.
async fn decided(bench: &Bench, state: RunState) -> RunState {
    let deadline = Instant::now() + Duration::from_mins(5);
    let state = publish(&connection(bench), state, deadline).await.expect("it is published");
    RunState { result: Some(json!({ "power": 128 })), ..state }
}

/// The error of Apply after `change` by somebody else. Clean then puts everything back.
async fn refusal(bench: &Bench, change: impl AsyncFn()) -> String {
    let before = bench.footprint().await;
    let state = begin(bench, &json!({})).await.expect("it can begin");
    // In the form in which it travels between the steps.
    let json = serde_json::to_string(&state).expect("JSON");
    let state = serde_json::from_str(&json).expect("a state");
    let state = decided(bench, state).await;
    change().await;
    let others = points_to(bench).await;
    let error = apply(&connection(bench), state.clone()).await.expect_err("nothing is applied");
    assert_eq!(error.kind, StepErrorKind::Failed, "{error}");
    assert_eq!(points_to(bench).await, others, "{error}");
    clean(&connection(bench), &state).await.expect("everything is put back");
    let after = bench.footprint().await;
    assert_eq!(after.without_aliases(), before.without_aliases());
    error.message
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_is_moved_from_where_initialize_has_found_it() {
    let bench = released().await;
    let state = begin(&bench, &json!({})).await.expect("it can begin");
    assert_eq!(state.run.alias_at.as_deref(), Some("2"));
    let state = decided(&bench, state).await;
    let state = apply(&connection(&bench), state).await.expect("it is applied");
    let applied = state.applied.expect("it was applied");
    assert_eq!(points_to(&bench).await, applied.version.map(|version| (version, vec![])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_end_leaves_a_choice_that_the_owner_has_rolled_back() {
    let bench = released().await;
    let state = begin(&bench, &json!({})).await.expect("it can begin");
    let state = decided(&bench, state).await;
    let state = apply(&connection(&bench), state).await.expect("it is applied");
    clean(&connection(&bench), &state).await.expect("everything is put back");
    let applied = bench.footprint().await;
    roll_back(bench.client.clone()).await;
    let end = json!({ "detail": {
        "executionArn": state.run.execution.id, "status": "FAILED",
        "input": json!({ "lambdaARN": FUNCTION }).to_string(),
    } });
    let end = serde_json::from_value(end).expect("an event");
    clean_after(&connection(&bench), &end).await.expect("there is nothing to put back");
    assert_eq!(bench.footprint().await.without_aliases(), applied.without_aliases());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_have_made_of_an_alias_stays() {
    let bench = released().await;
    let client = || bench.client.clone();
    let said = Box::pin(refusal(&bench, async || roll_back(client()).await)).await;
    assert!(said.contains("points to version 1 now, and to version 2 before"), "{said}");
    let said = Box::pin(refusal(&bench, async || delete(client()).await)).await;
    assert!(said.contains("it was deleted"), "{said}");
    let said = Box::pin(refusal(&bench, async || create(&client(), "2").await)).await;
    assert!(said.contains("was created meanwhile"), "{said}");
    let said = Box::pin(refusal(&bench, async || begin_canary(client()).await)).await;
    assert!(said.contains("two versions"), "{said}");
    let error = begin(&bench, &json!({})).await.expect_err("a canary is going on");
    assert_eq!(error.kind, StepErrorKind::Refused, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_whose_tags_were_taken_away_applies_nothing() {
    let bench = released().await;
    let said = Box::pin(refusal(&bench, async || take_tags(bench.client.clone()).await)).await;
    assert!(said.contains("removed the run's tags"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_alias_does_not_have_is_released_with_a_warning_unless_that_is_refused() {
    let bench = released().await;
    roll_back(bench.client.clone()).await;
    let state = begin(&bench, &json!({})).await.expect("aws-lambda-power-tuning releases $LATEST");
    let noted = state.run.notes.join("\n");
    assert!(noted.contains("the configuration of $LATEST differs"), "{noted}");
    let state = begin(&bench, &json!({"releaseLatest": true})).await.expect("it is meant");
    assert_eq!(state.run.notes, Vec::<String>::new());
    let error = begin(&bench, &json!({"releaseLatest": false})).await.expect_err("it is not");
    assert_eq!(error.kind, StepErrorKind::Refused, "{error}");
    assert_eq!(publish_version(&bench).await, "2", "nothing was published");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_processor_that_can_not_be_read_is_refused() {
    let bench = released().await;
    let elsewhere = "arn:aws:lambda:us-east-1:210987654321:function:pre";
    for (function, said) in [("nobody", "ResourceNotFound"), (elsewhere, "but only *")] {
        let begun = begin(&bench, &json!({ "preProcessorARN": function })).await;
        let error = begun.expect_err("it can't be read");
        assert_eq!(error.kind, StepErrorKind::Refused, "{error}");
        assert!(error.message.contains("preProcessorARN") && error.message.contains(said));
    }
}
