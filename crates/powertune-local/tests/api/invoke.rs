//! Invoke over HTTP, with functions that really run.

use std::time::Duration;

use aws_sdk_lambda::{
    operation::invoke::builders::InvokeFluentBuilder,
    primitives::Blob,
    types::{InvocationType, LogType},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use powertune_local::Settings;
use serde_json::{Value, json};

use crate::bed::{Bed, appears, code};

fn invoke(bed: &Bed, name: &str, event: &Value) -> InvokeFluentBuilder {
    bed.client.invoke().function_name(name).payload(Blob::new(event.to_string()))
}

async fn result(invoke: InvokeFluentBuilder) -> Value {
    let output = invoke.send().await.unwrap();
    assert_eq!(output.function_error(), None);
    serde_json::from_slice(output.payload().unwrap().as_ref()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_synchronous_invocation_answers_with_result_version_and_log() {
    let bed = Bed::start(Settings::default()).await;
    bed.function("f", 256).await;
    let event = json!({"lines": 1000});
    let output = invoke(&bed, "f", &event).log_type(LogType::Tail).send().await.unwrap();
    let returned: Value = serde_json::from_slice(output.payload().unwrap().as_ref()).unwrap();
    assert_eq!((&returned["event"], &returned["memory"]), (&event, &json!("256")));
    assert_eq!((output.status_code(), output.executed_version()), (200, Some("$LATEST")));
    let log = BASE64.decode(output.log_result().unwrap()).unwrap();
    assert_eq!(log.len(), 4096);
    let log = String::from_utf8(log).unwrap();
    let request_id = returned["request_id"].as_str().unwrap();
    assert!(log.contains(&format!("REPORT RequestId: {request_id}\t")), "{log}");
    assert!(log.contains("line 000999") && !log.contains("line 000000"), "the end, not the start");

    let quiet = invoke(&bed, "f", &json!({})).send().await.unwrap();
    assert_eq!(quiet.log_result(), None);
    let bare = bed.call("POST", "/2015-03-31/functions/f/invocations", "").await;
    assert_eq!(bare.json()["event"], json!({}), "no payload is an empty event");
    assert_eq!(bare.json()["request_id"], json!(bare.headers["x-amzn-requestid"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_function_is_an_answer() {
    let bed = Bed::start(Settings::default()).await;
    bed.function("f", 256).await;
    let output = invoke(&bed, "f", &json!({"fail": true})).send().await.unwrap();
    assert_eq!((output.status_code(), output.function_error()), (200, Some("Unhandled")));
    let error: Value = serde_json::from_slice(output.payload().unwrap().as_ref()).unwrap();
    assert_eq!(
        (&error["errorType"], &error["errorMessage"]),
        (&json!("ValueError"), &json!("as asked"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn events_run_later_and_dry_runs_never() {
    let bed = Bed::start(Settings::default()).await;
    bed.function("f", 256).await;
    let (event, dry) = (bed.folder.path().join("event"), bed.folder.path().join("dry"));
    let dry_run = invoke(&bed, "f", &json!({"write": dry}));
    let output = dry_run.invocation_type(InvocationType::DryRun).send().await.unwrap();
    assert_eq!(output.status_code(), 204);
    let asynchronous = invoke(&bed, "f", &json!({"write": event}));
    let output = asynchronous.invocation_type(InvocationType::Event).send().await.unwrap();
    assert_eq!((output.status_code(), output.executed_version()), (202, None));
    appears(&event).await;
    assert!(!dry.exists());
    let nowhere = invoke(&bed, "none", &json!({})).invocation_type(InvocationType::Event);
    assert_eq!(code(nowhere.send().await), "ResourceNotFoundException");
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_have_their_limits() {
    let bed = Bed::start(Settings::default()).await;
    bed.function("f", 512).await;
    let of_length = |length: usize| {
        let payload = format!("\"{}\"", "x".repeat(length - 2));
        bed.client.invoke().function_name("f").payload(Blob::new(payload))
    };
    assert_eq!(code(of_length(6_291_457).send().await), "RequestTooLargeException");
    let event = of_length(1_048_577).invocation_type(InvocationType::Event);
    assert_eq!(code(event.send().await), "RequestTooLargeException");

    let output = invoke(&bed, "f", &json!({"bytes": 6_291_000})).send().await.unwrap();
    assert_eq!(output.payload().unwrap().as_ref().len(), 6_291_002);
    let output = invoke(&bed, "f", &json!({"bytes": 6_300_000})).send().await.unwrap();
    assert_eq!(output.function_error(), Some("Unhandled"));
    let error: Value = serde_json::from_slice(output.payload().unwrap().as_ref()).unwrap();
    assert_eq!(error["errorType"], json!("Function.ResponseSizeTooLarge"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn invocations_beyond_a_limit_are_throttled() {
    let bed = Bed::start(Settings { concurrency: 101, ..Settings::default() }).await;
    bed.function("f", 256).await;
    let reserve = bed.client.put_function_concurrency().function_name("f");
    reserve.reserved_concurrent_executions(1).send().await.unwrap();
    let (started, end) = (bed.folder.path().join("started"), bed.folder.path().join("end"));
    let first = invoke(&bed, "f", &json!({"write": started, "await": end})).send();
    let first = tokio::spawn(first);
    appears(&started).await;

    let second = bed.call("POST", "/2015-03-31/functions/f/invocations", "{}").await;
    assert_eq!((second.status, second.error_type()), (429, "TooManyRequestsException"));
    let reason = "ReservedFunctionConcurrentInvocationLimitExceeded";
    let told = json!({"Type": "User", "message": "Rate Exceeded.", "Reason": reason});
    assert_eq!(second.json(), told);
    assert!(!second.headers.contains_key("retry-after"), "as recorded");
    std::fs::write(&end, "").unwrap();
    first.await.unwrap().unwrap();
    result(invoke(&bed, "f", &json!({}))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_has_a_limit_too() {
    let bed = Bed::start(Settings { concurrency: 1, ..Settings::default() }).await;
    bed.function("f", 256).await;
    bed.function("g", 256).await;
    let (started, end) = (bed.folder.path().join("started"), bed.folder.path().join("end"));
    let first = invoke(&bed, "f", &json!({"write": started, "await": end})).send();
    let first = tokio::spawn(first);
    appears(&started).await;
    let second = bed.call("POST", "/2015-03-31/functions/g/invocations", "{}").await;
    assert_eq!(second.json()["Reason"], json!("ConcurrentInvocationLimitExceeded"));
    assert!(second.headers.contains_key("retry-after"));

    let later = bed.folder.path().join("later");
    let event = invoke(&bed, "g", &json!({"write": later}));
    event.invocation_type(InvocationType::Event).send().await.unwrap();
    std::fs::write(&end, "").unwrap();
    first.await.unwrap().unwrap();
    appears(&later).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invocations_run_the_version_that_was_asked_for() {
    let bed = Bed::start(Settings::default()).await;
    let arn = bed.function("f", 256).await;
    let client = &bed.client;
    client.publish_version().function_name("f").send().await.unwrap();
    let update = client.update_function_configuration().function_name("f").memory_size(512);
    update.send().await.unwrap();
    bed.settled("f").await;
    let alias = client.create_alias().function_name("f").name("live").function_version("1");
    alias.send().await.unwrap();
    for (name, memory, version) in [
        ("f", "512", "$LATEST"),
        ("f:$LATEST", "512", "$LATEST"),
        ("f:1", "256", "1"),
        ("f:live", "256", "1"),
    ] {
        let ran = result(invoke(&bed, name, &json!({}))).await;
        assert_eq!((&ran["memory"], &ran["version"]), (&json!(memory), &json!(version)), "{name}");
        let qualifier = name.strip_prefix('f').unwrap();
        assert_eq!(ran["arn"], json!(format!("{arn}{qualifier}")));
    }
    let by_parameter = invoke(&bed, &arn, &json!({})).qualifier("live").send().await.unwrap();
    assert_eq!(by_parameter.executed_version(), Some("1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_in_progress_leaves_invocations_as_they_were() {
    let delay = Duration::from_secs(2);
    let bed = Bed::start(Settings { update_delay: delay, ..Settings::default() }).await;
    bed.function("f", 256).await;
    assert_eq!(result(invoke(&bed, "f", &json!({}))).await["memory"], json!("256"));
    let update = bed.client.update_function_configuration().function_name("f").memory_size(512);
    update.send().await.unwrap();
    assert_eq!(result(invoke(&bed, "f", &json!({}))).await["memory"], json!("256"));
    bed.settled("f").await;
    assert_eq!(result(invoke(&bed, "f", &json!({}))).await["memory"], json!("512"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_invokes_another_gives_its_cpu_share_back_meanwhile() {
    let bed = Bed::start(Settings::default()).await;
    // Both need the whole machine. If the outer function kept its share, the inner one would never
    // start.
    bed.function("outer", 10_240).await;
    bed.function("inner", 10_240).await;
    let event = json!({"call": "inner", "with": {"call": "inner", "with": {"depth": 2}}});
    let returned = result(invoke(&bed, "outer", &event)).await;
    assert_eq!(returned["event"], json!({"depth": 2}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_context_reaches_the_function() {
    let bed = Bed::start(Settings::default()).await;
    bed.function("f", 256).await;
    let context = BASE64.encode(json!({"custom": {"k": "v"}}).to_string());
    let returned = result(invoke(&bed, "f", &json!({})).client_context(context)).await;
    assert_eq!(returned["client"], json!({"k": "v"}));
    let broken = invoke(&bed, "f", &json!({})).client_context("?").send().await;
    assert_eq!(code(broken), "InvalidRequestContentException");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_beyond_the_machine_is_told() {
    let bed = Bed::start(Settings::default()).await;
    let largest = bed.lambda.largest_memory_mb();
    bed.function("within", largest.min(10_240)).await;
    bed.function("beyond", 10_240).await;
    for (name, told) in [("within", false), ("beyond", largest < 10_240)] {
        let path = format!("/2015-03-31/functions/{name}/invocations");
        let response = bed.call("POST", &path, "{}").await;
        assert_eq!(response.headers.contains_key("x-powertune-beyond-host"), told, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_what_runs() {
    let bed = Bed::start(Settings::default()).await;
    bed.function("f", 256).await;
    let started = bed.folder.path().join("started");
    let running = invoke(&bed, "f", &json!({"write": started, "await": "/nowhere"})).send();
    let running = tokio::spawn(running);
    appears(&started).await;
    let endpoint = bed.lambda.endpoint_url().replace("http://", "");
    bed.lambda.shutdown().await;
    let ending = running.await.unwrap();
    assert!(ending.map_or(true, |output| output.function_error().is_some()));
    assert!(tokio::net::TcpStream::connect(endpoint).await.is_err(), "nobody listens any more");
}
