//! The steps of the state machine in their order, with changes by somebody else in between.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use aws_sdk_lambda::types::Environment;
use powertune_core::workflow::state::{
    InitializeInput, MeasureInput, MeasureOutput, Next, RunState,
};
use powertune_engine::{
    gateway::Connection,
    steps::{self, DeploymentSettings, StepError, StepErrorKind},
};
use powertune_local::Settings;
use serde::Serialize;
use serde_json::{Value, json};

use crate::bench::{Bench, FUNCTION, LOGGING};

/// The shortest text that may be a digest, in characters.
const DIGEST: usize = 16;

/// An execution on a bench, with every state of its history.
pub(crate) struct Execution<'a> {
    bench: &'a Bench,
    connection: Connection,
    history: Vec<Value>,
}

impl<'a> Execution<'a> {
    pub(crate) fn new(bench: &'a Bench) -> Self {
        Self { bench, connection: bench.connection(bench.endpoint()), history: Vec::new() }
    }

    fn keep<T: Serialize>(&mut self, state: T) -> T {
        self.history.push(serde_json::to_value(&state).expect("a state is JSON"));
        state
    }

    pub(crate) async fn initialize(&mut self, more: Value) -> Result<RunState, StepError> {
        let settings = DeploymentSettings::default();
        initialize(self.bench, &settings, more).await.map(|state| self.keep(state))
    }

    pub(crate) async fn publish(&mut self, state: RunState) -> Result<RunState, StepError> {
        steps::publish(&self.connection, state, soon()).await.map(|state| self.keep(state))
    }

    /// Measures and decides.
    pub(crate) async fn measure(&mut self, mut state: RunState) -> RunState {
        let mut measured: Vec<MeasureOutput> = Vec::new();
        for task in &state.backlog.tasks {
            let portion = self.keep(MeasureInput { run: state.run.clone(), task: task.clone() });
            let seen = steps::measure(&self.connection, portion, soon()).await;
            measured.push(self.keep(seen.expect("it measures")));
        }
        state.measured = measured;
        self.keep(steps::decide(&DeploymentSettings::default(), state).expect("it decides"))
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_mins(15)
}

/// Initialize, with a request that has these fields beside the few that it needs.
async fn initialize(
    bench: &Bench,
    settings: &DeploymentSettings,
    more: Value,
) -> Result<RunState, StepError> {
    let mut request = json!({ "lambdaARN": FUNCTION, "num": 5, "powerValues": [256, 512] });
    let fields = request.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    let start = json!({
        "execution": {
            "id": "arn:aws:states:us-east-1:123456789012:execution:machine:name",
            "startTime": "2026-11-26T12:00:00.000Z",
        },
        "request": request,
    });
    let start: InitializeInput =
        serde_json::from_value(start).expect("what the state machine sends");
    steps::initialize(&bench.connection(bench.endpoint()), settings, start).await
}

/// Sets the function's secret, and waits until the update is done.
async fn set_secret(bench: &Bench, secret: &str) {
    let variables = Environment::builder().variables("PASSWORD", secret).build();
    let update = bench.client.update_function_configuration().function_name(FUNCTION);
    update.environment(variables).send().await.expect("UpdateFunctionConfiguration");
    bench.footprint().await;
}

/// Every text of a history that is long enough for a digest, by its path.
fn texts(history: &[Value]) -> BTreeMap<String, String> {
    fn walk(path: String, value: &Value, into: &mut BTreeMap<String, String>) {
        match value {
            Value::String(text) if text.len() >= DIGEST => {
                into.insert(path, text.clone());
            }
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    walk(format!("{path}/{at}"), item, into);
                }
            }
            Value::Object(fields) => {
                for (name, field) in fields {
                    walk(format!("{path}/{name}"), field, into);
                }
            }
            _ => {}
        }
    }
    let mut into = BTreeMap::new();
    walk(String::new(), &Value::Array(history.to_vec()), &mut into);
    into
}

/// The history of a whole execution with a function that has this secret. Everything else is the
/// same each time.
async fn history_with(secret: &str) -> Vec<Value> {
    let bench = Bench::new("return 1").await;
    set_secret(&bench, secret).await;
    let mut execution = Execution::new(&bench);
    let begun = execution.initialize(json!({ "autoOptimize": true })).await.expect("it begins");
    let published = execution.publish(begun).await.expect("it publishes");
    let decided = execution.measure(published).await;
    assert_eq!(decided.next, Some(Next::Apply));
    let applied = steps::apply(&execution.connection, decided).await.expect("it applies");
    let applied = execution.keep(applied);
    let put_back = steps::clean(&execution.connection, &applied).await.expect("it cleans");
    execution.keep(put_back);
    execution.history
}

/// A reader of a history may know the whole configuration except for a weak secret, and try words
/// of a dictionary. Then the right word would give the same texts as this history. So no text may
/// be the same for equal secrets and differ for others.
#[tokio::test(flavor = "multi_thread")]
async fn no_dictionary_finds_a_secret_in_an_executions_history() {
    let secret = "correct-horse";
    let known = texts(&Box::pin(history_with(secret)).await);
    let again = texts(&Box::pin(history_with(secret)).await);
    // The end of a run depends on the clock, so two runs may have the same by chance.
    let is_time = |path: &str| path.ends_with("/until");
    let repeated: BTreeMap<_, _> = known
        .into_iter()
        .filter(|(path, text)| again.get(path) == Some(text) && !is_time(path))
        .collect();
    assert!(repeated.len() > 10, "{repeated:?}");
    for guess in ["battery-staple", "hunter2"] {
        let history = Box::pin(history_with(guess)).await;
        assert!(!json!(history).to_string().contains(guess));
        let guessed = texts(&history);
        for (path, text) in &repeated {
            assert_eq!(guessed.get(path), Some(text), "{path} depends on the secret");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_changed_between_two_steps_is_noticed() {
    let bench = Bench::new("return 1").await;
    let mut execution = Execution::new(&bench);

    // Before Publish: nothing is changed.
    let begun = execution.initialize(json!({})).await.expect("it begins");
    set_secret(&bench, "new").await;
    let before = bench.footprint().await;
    let error = execution.publish(begun).await.expect_err("the function was changed");
    assert_eq!(error.kind, StepErrorKind::Failed);
    assert!(error.message.contains("RevisionId"), "{error}");
    assert_eq!(bench.footprint().await, before);

    // During the measurement: nothing is applied, and Clean reports it after putting everything
    // back.
    let begun = execution.initialize(json!({ "autoOptimize": true })).await.expect("it begins");
    let published = execution.publish(begun).await.expect("it publishes");
    set_secret(&bench, "newer").await;
    let decided = execution.measure(published).await;
    let error = steps::apply(&execution.connection, decided.clone()).await.expect_err("changed");
    assert!(error.message.contains("its configuration"), "{error}");
    let error = steps::clean(&execution.connection, &decided).await.expect_err("changed");
    assert_eq!(error.kind, StepErrorKind::Failed);
    assert!(error.message.contains("the result applies to the function before"), "{error}");
    let after = bench.footprint().await;
    set_secret(&bench, "new").await;
    assert_eq!(bench.footprint().await, before);
    assert_ne!(after, before, "the new secret stayed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_others_delete_ends_the_run_before_anything_is_applied() {
    let bench = Bench::new("return 1").await;
    let before = bench.footprint().await;
    let mut execution = Execution::new(&bench);
    let begun = execution.initialize(json!({ "autoOptimize": true })).await.expect("it begins");
    let published = execution.publish(begun).await.expect("it publishes");
    let decided = execution.measure(published).await;
    let version = decided.reference.clone().expect("Publish has made one");
    let delete = bench.client.delete_function().function_name(FUNCTION).qualifier(&version);
    delete.send().await.expect("DeleteFunction");
    let error = steps::apply(&execution.connection, decided.clone()).await.expect_err("it is gone");
    assert!(error.message.contains(&format!("version {version} was deleted")), "{error}");
    steps::clean(&execution.connection, &decided).await.expect("the rest is put back");
    assert_eq!(bench.footprint().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_that_reaches_nobody_asks_to_be_called_again() {
    let bench = Bench::new("return 1").await;
    let before = bench.footprint().await;
    let mut execution = Execution::new(&bench);
    let begun = execution.initialize(json!({})).await.expect("it begins");
    let published = execution.publish(begun).await.expect("it publishes");
    // Nobody listens on the discard port.
    let nobody = Connection {
        endpoint_url: Some("http://127.0.0.1:9".to_owned()),
        ..execution.connection.clone()
    };
    let error = steps::clean(&nobody, &published).await.expect_err("nobody answers");
    assert_eq!(error.kind, StepErrorKind::NotYet, "{error}");
    // A second try, after one that deleted the versions but not the tags, succeeds.
    for _ in 0..2 {
        steps::clean(&execution.connection, &published).await.expect("it cleans");
        assert_eq!(bench.footprint().await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processors_are_those_that_the_deployment_allows() {
    let bench = Bench::with("return 1", Settings::default()).await;
    let hook = bench.create("hook", LOGGING).await;
    let request = json!({ "postProcessorARN": "hook" });
    let deployed = |processors: &str| DeploymentSettings {
        processors: processors.to_owned(),
        ..DeploymentSettings::default()
    };
    let pattern = hook.replace("hook", "ho*");
    for allowed in [&*hook, &*pattern, "*"] {
        let begun = initialize(&bench, &deployed(allowed), request.clone()).await;
        assert!(begun.is_ok(), "{allowed}: {begun:?}");
    }
    let others = hook.replace("hook", "other-*");
    for allowed in ["", others.as_str()] {
        let error = initialize(&bench, &deployed(allowed), request.clone()).await;
        let error = error.expect_err("it is not allowed");
        assert_eq!(error.kind, StepErrorKind::Refused);
        assert!(error.message.starts_with("postProcessorARN"), "{error}");
        assert!(error.message.contains("processorResource"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_may_tune_anything_says_so_in_every_result() {
    let bench = Bench::new("return 1").await;
    let open = DeploymentSettings { tunes_any: true, ..DeploymentSettings::default() };
    let begun = initialize(&bench, &open, json!({})).await.expect("it begins");
    assert!(begun.run.notes.iter().any(|note| note.contains("lambdaResource is *")));
    let begun =
        initialize(&bench, &DeploymentSettings::default(), json!({})).await.expect("it begins");
    assert_eq!(begun.run.notes, Vec::<String>::new());
}
