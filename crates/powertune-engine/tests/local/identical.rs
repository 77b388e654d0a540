//! The command line and the state machine decide identically: the real `tune` and the real steps
//! measure the same recorded observations.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::Full;
use hyper::{Response, http::request::Parts};
use powertune_core::workflow::state::Next;
use powertune_engine::{run::Ending, steps};
use powertune_testing::Server;
use serde_json::{Value, json};

use crate::{
    bench::{Bench, FUNCTION},
    door::answered,
    steps::Execution,
};

/// Durations in milliseconds at 1,024 MB, in the order of their measurement on AWS.
const RECORDED: [f64; 20] = [
    104.2, 98.7, 131.9, 97.3, 99.8, 102.4, 96.1, 187.5, 100.9, 98.2, 95.7, 103.3, 109.6, 97.9,
    99.1, 142.0, 96.8, 101.5, 98.4, 106.7,
];

/// Recorded answers to invocations, in place of the local Lambda's.
#[derive(Default)]
struct Recording {
    memory_of: HashMap<String, u32>,
    /// The number of invocations at each memory size.
    sent: HashMap<u32, usize>,
    /// Versions with a warm environment: they were invoked before.
    warm: HashSet<String>,
    /// Below this memory size the function runs out of memory.
    works_from_mb: u32,
    /// True if every invocation starts cold.
    cold_only: bool,
}

impl Recording {
    fn answer(&mut self, version: &str) -> Response<Full<hyper::body::Bytes>> {
        let mb = self.memory_of[version];
        let number = self.sent.entry(mb).or_default();
        let duration = RECORDED[*number % RECORDED.len()] * 1024.0 / f64::from(mb.min(1024));
        *number += 1;
        let is_cold = self.warm.insert(version.to_owned()) || self.cold_only;
        let init = if is_cold { 211.4 } else { 0.0 };
        let init_text = if is_cold { format!("Init Duration: {init} ms\t") } else { String::new() };
        let fails = mb < self.works_from_mb;
        let status = if fails { "Status: error\tError Type: Runtime.OutOfMemory\t" } else { "" };
        let id = "5d4a3f6e-0c1b-4d2a-9e8f-7a6b5c4d3e2f";
        let billed = (duration + init).ceil();
        let used = if fails { mb } else { 70 };
        let log = format!(
            "START RequestId: {id} Version: {version}\nEND RequestId: {id}\nREPORT RequestId: \
             {id}\tDuration: {duration:.2} ms\tBilled Duration: {billed} ms\tMemory Size: {mb} MB\t\
             Max Memory Used: {used} MB\t{init_text}{status}\n"
        );
        let mut response = Response::builder()
            .header("x-amzn-requestid", id)
            .header("x-amz-executed-version", version)
            .header("x-amz-log-result", STANDARD.encode(log));
        if fails {
            response = response.header("x-amz-function-error", "Unhandled");
        }
        let body = if fails {
            r#"{"errorType":"Runtime.OutOfMemory","errorMessage":"signal: killed"}"#
        } else {
            "1"
        };
        response.body(Full::new(body.into())).expect("a response")
    }
}

/// A bench, and a server in front of it that answers its function's invocations from a recording.
async fn recorded(works_from_mb: u32, cold_only: bool) -> (Bench, Server) {
    let mut bench = Bench::new("return 1").await;
    let client = bench.client.clone();
    let recording =
        Arc::new(Mutex::new(Recording { works_from_mb, cold_only, ..Recording::default() }));
    let door = answered(&bench, move |head: &Parts| {
        let is_invoke = head.uri.path().ends_with("/invocations");
        let version = head.uri.query().and_then(|query| query.strip_prefix("Qualifier="));
        let version = version.filter(|_| is_invoke).map(str::to_owned);
        let (recording, client) = (Arc::clone(&recording), client.clone());
        async move {
            let version = version?;
            let read = client.get_function_configuration().function_name(FUNCTION);
            let read = read.qualifier(&version).send().await.expect("the version is there");
            let mb = u32::try_from(read.memory_size.expect("a size")).expect("it is positive");
            let mut recording = recording.lock().expect("nobody panics");
            recording.memory_of.insert(version.clone(), mb);
            Some(recording.answer(&version))
        }
    });
    bench.endpoint_url = Some(door.url());
    (bench, door)
}

/// The result of the real `tune`.
async fn by_command(works_from_mb: u32, fields: &Value) -> Value {
    let (bench, _door) = recorded(works_from_mb, fields["onlyColdStarts"] == true).await;
    match bench.tune(fields.clone()).await.expect("it has a result") {
        Ending::Tuned(result) => serde_json::to_value(result),
        Ending::Dry(dry_run) => serde_json::to_value(dry_run),
    }
    .expect("JSON")
}

/// The result of the real steps, in the state machine's order.
async fn by_steps(works_from_mb: u32, fields: &Value) -> Value {
    let (bench, _door) = recorded(works_from_mb, fields["onlyColdStarts"] == true).await;
    let mut execution = Execution::new(&bench);
    let mut state = execution.initialize(fields.clone()).await.expect("it begins");
    state = execution.publish(state).await.expect("it publishes");
    loop {
        state = execution.measure(state).await;
        match state.next {
            Some(Next::Publish) => state = execution.publish(state).await.expect("it publishes"),
            Some(Next::Measure) => {}
            _ => break,
        }
    }
    let connection = bench.connection(bench.endpoint());
    steps::clean(&connection, &state).await.expect("it cleans");
    state.result.expect("there is a result")
}

/// A result without the fields that only one side has: the duration of the run, the price of the
/// state machine, and the link to the picture.
fn decided(mut result: Value) -> Value {
    let fields = result.as_object_mut().expect("an object");
    fields.remove("elapsedMs");
    if let Some(state_machine) = fields.get_mut("stateMachine").and_then(Value::as_object_mut) {
        state_machine.remove("executionCost");
    }
    rounded(&result)
}

/// The value with all numbers rounded to 12 digits. The last digits depend on the order in which
/// simultaneous invocations end.
fn rounded(value: &Value) -> Value {
    match value {
        Value::Number(number) => format!("{:.11e}", number.as_f64().expect("a number")).into(),
        Value::Array(items) => items.iter().map(rounded).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, field)| (name.clone(), rounded(field))).collect()
        }
        other => other.clone(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tune_and_the_state_machine_decide_identically() {
    let cases = [
        (0, json!({ "num": 12, "powerValues": [128, 256, 512, 1024] })),
        (0, json!({ "num": "auto", "powerValues": [256, 512, 1024, 1536] })),
        (0, json!({ "num": "auto", "powerValues": null })),
        (200, json!({ "num": "auto", "powerValues": [128, 256, 320, 384] })),
        (200, json!({ "num": 7, "powerValues": [128, 512], "strategy": "speed" })),
        (0, json!({ "num": 6, "powerValues": [512, 1024], "onlyColdStarts": true })),
        (0, json!({ "dryRun": true, "powerValues": [512, 1024] })),
    ];
    for (works_from_mb, fields) in cases {
        let command = decided(Box::pin(by_command(works_from_mb, &fields)).await);
        let machine = decided(Box::pin(by_steps(works_from_mb, &fields)).await);
        for (field, value) in command.as_object().expect("an object") {
            assert_eq!(value, &machine[field], "{field} of {fields}");
        }
        assert_eq!(command, machine, "{fields}");
    }
}
