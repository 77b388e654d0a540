//! Calls that Lambda never finishes or never accepts. The clock is tokio's, paused: it jumps ahead
//! whenever everybody waits.

use std::{
    io::{Cursor, Write},
    time::Duration,
};

use aws_sdk_lambda::{
    primitives::Blob,
    types::{FunctionCode, Runtime},
};
use powertune_engine::{
    error::{Cause, TuneError},
    event::Event,
    gateway::WaitsOn,
};
use powertune_local::Settings;
use serde_json::json;
use tokio::time::Instant;
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::bench::{Bench, FUNCTION};

#[tokio::test(start_paused = true)]
async fn what_stays_in_progress_is_given_up() {
    let settings = Settings { update_delay: Duration::from_hours(9), ..Settings::default() };
    let bench = Bench::empty(settings).await;
    let create = bench.client.create_function().function_name(FUNCTION);
    let code = FunctionCode::builder().zip_file(Blob::new(package())).build();
    let create = create.runtime(Runtime::Python311).handler("app.handler").code(code);
    let created = create.role("arn:aws:iam::000000000000:role/fn").send().await;
    created.expect("CreateFunction");
    let started = Instant::now();
    let error = bench.tune(json!({})).await.expect_err("it is Pending for hours");
    let TuneError::NotBegun(Cause::TooSlow { minutes: 15, .. }) = &error else {
        panic!("{error:?}")
    };
    assert!(error.to_string().contains("try again later"), "{error}");
    // Nothing was changed, so nothing waits for the update in order to put something back.
    let waited = started.elapsed();
    let expected = Duration::from_mins(15);
    assert!(waited > expected && waited < expected + Duration::from_mins(1), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_never_let_through_is_given_up() {
    let bench = Bench::with("return 1", Settings { concurrency: 0, ..Settings::default() }).await;
    let before = bench.footprint().await;
    let error = bench.tune(json!({})).await.expect_err("nothing may run");
    let TuneError::Failed(Cause::NothingMeasured(_)) = &error else { panic!("{error:?}") };
    assert!(error.to_string().contains("Lambda refused it for 120 s"), "{error}");
    assert_eq!(bench.footprint().await, before);
}

/// A deployment package that is never run.
fn package() -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("app.py", SimpleFileOptions::default()).expect("a file");
    zip.write_all(b"def handler(event, context): pass\n").expect("its content");
    zip.finish().expect("a zip").into_inner()
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_does_not_answer_is_given_up_after_a_minute() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let mut bench = Bench::empty(Settings::default()).await;
    bench.endpoint_url = Some(url.clone());
    let started = Instant::now();
    let (ending, events) = bench.tune_and_hear(json!({})).await;
    let error = ending.expect_err("nobody answers").error;
    let TuneError::NotBegun(Cause::Silent(wait)) = &error else { panic!("{error:?}") };
    assert_eq!((wait.operation.as_str(), &wait.on), ("GetFunction", &WaitsOn::Endpoint(url)));
    let waited = started.elapsed();
    let expected = Duration::from_mins(1);
    assert!(waited >= expected && waited < expected + Duration::from_secs(1), "{waited:?}");
    let told: Vec<_> = events.iter().filter(|event| matches!(event, Event::Waiting(_))).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    let cleaning = bench.clean(false).await.expect_err("nobody answers");
    assert!(matches!(cleaning, TuneError::NotBegun(Cause::Silent(_))), "{cleaning:?}");
}
