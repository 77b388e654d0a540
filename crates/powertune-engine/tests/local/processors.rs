//! Processors are read before any change, and their time is part of the run's.

use std::time::Duration;

use powertune_engine::{
    error::{Cause, Refusal, TuneError},
    event::Event,
};
use serde_json::{Value, json};

use crate::bench::{Bench, FUNCTION};

#[tokio::test(flavor = "multi_thread")]
async fn a_processor_that_is_not_there_is_refused_before_anything_is_changed() {
    let bench = Bench::new("return 1").await;
    let post = bench.create("post", "return event").await;
    let before = bench.footprint().await;
    for (named, function) in
        [("preProcessorARN", "nobody".to_owned()), ("postProcessorARN", format!("{post}:7"))]
    {
        let ending = bench.tune(json!({ named: function })).await;
        let Err(TuneError::Refused(refusal)) = &ending else { panic!("{named}: {ending:?}") };
        assert!(matches!(refusal, Refusal::Processor { field, .. } if *field == named));
        let said = refusal.to_string();
        assert!(said.contains(&function) && said.contains("ResourceNotFound"), "{said}");
        assert_eq!(bench.footprint().await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_processor_that_may_not_be_read_is_warned_of() {
    let bench = Bench::new("return 1").await;
    let before = bench.footprint().await;
    // The run can't know whether a function in another account may be invoked.
    let elsewhere = "arn:aws:lambda:us-east-1:210987654321:function:post";
    let (ending, events) = bench.tune_and_hear(json!({"postProcessorARN": elsewhere})).await;
    let told = events.iter().find_map(|event| match event {
        Event::Planned(plan) => plan.warnings.first().map(ToString::to_string),
        _ => None,
    });
    let told = told.expect("a warning");
    assert!(told.starts_with("postProcessorARN: powertune may not read"), "{told}");
    assert!(told.contains(elsewhere), "{told}");
    assert!(told.contains("lambda:GetFunction"), "{told}");
    let error = ending.as_ref().map_err(|unfinished| &unfinished.error).err();
    let failed = matches!(error, Some(TuneError::Failed(Cause::Processor { .. })));
    assert!(failed, "the local Lambda has one account: {ending:?}");
    assert_eq!(bench.footprint().await, before);
}

/// The announced duration of a run in seconds.
async fn announced_for(more: Value) -> i64 {
    let bench = Bench::new("time.sleep(0.2)\nreturn 1").await;
    for processor in ["pre", "post"] {
        bench.create(processor, "return event").await;
    }
    let run = bench.tune(more);
    let look = async {
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let tags = bench.client.list_tags().resource(&bench.arn).send().await;
            if tags.expect("ListTags").tags.is_some_and(|tags| !tags.is_empty()) {
                break;
            }
        }
        match bench.clean(false).await {
            Err(TuneError::NotBegun(Cause::Alive { mark })) => {
                let (since, until) = mark.since.zip(mark.until).expect("both are announced");
                until.as_second() - since.as_second()
            }
            other => panic!("{FUNCTION} is being tuned: {other:?}"),
        }
    };
    let (ending, seconds) = tokio::join!(run, look);
    ending.expect("the run goes well");
    seconds
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_announced_for_the_time_of_its_processors_too() {
    let fields = |pre: Value, post: Value| json!({"num": 6, "preProcessorARN": pre, "postProcessorARN": post});
    let alone = Box::pin(announced_for(fields(Value::Null, Value::Null))).await;
    let one = Box::pin(announced_for(fields(json!("pre"), Value::Null))).await;
    let both = Box::pin(announced_for(fields(json!("pre"), json!("post")))).await;
    // Six calls of each, with a timeout of 20 s; one second may pass between the two readings of
    // the clock.
    for (more, expected) in [(one - alone, 120), (both - alone, 240)] {
        assert!((more - expected).abs() <= 1, "{more} s, and not {expected} s");
    }
}
