//! Request files, payloads, and where these may lie.

use std::collections::HashSet;

use powertune_core::{
    arn::FunctionRef,
    payload::{MAX_BYTES, Payloads, of_text},
    request::{FIELDS, MAX_NUM, MIN_NUM, Num, PayloadSource, Request, parse},
    strategy::Strategy,
};
use serde::de::IgnoredAny;
use serde_json::{Map, Value, from_slice, from_str, json};

use super::text;

/// A request file.
pub(super) fn request(bytes: &[u8]) {
    let Ok(fields) = from_slice::<Map<String, Value>>(bytes) else { return };
    match parse(&fields) {
        Ok(request) => {
            keeps_to_its_limits(&request);
            let written = Value::Object(fields).to_string();
            let read = from_str(&written).expect("JSON is read back");
            assert_eq!(parse(&read).as_ref(), Ok(&request));
        }
        Err(faults) => {
            assert!(!faults.0.is_empty());
            for fault in faults.0 {
                let named = FIELDS.contains(&fault.field.as_str());
                assert!(named || fields.contains_key(&fault.field), "{fault:?}");
                assert!(!fault.problem.trim().is_empty(), "{fault:?}");
            }
        }
    }
}

/// The promises of every accepted request.
fn keeps_to_its_limits(request: &Request) {
    let functions = [&request.pre_processor, &request.post_processor];
    for function in functions.into_iter().flatten().chain([&request.function]) {
        assert_eq!(function.to_string().parse::<FunctionRef>().as_ref(), Ok(function));
    }
    if let Num::Fixed(num) = request.num {
        assert!((MIN_NUM..=MAX_NUM).contains(&num));
    }
    assert!((0.0..=1.0).contains(&request.tolerance));
    assert!((0.0..=0.4).contains(&request.discard_top_bottom));
    assert!(request.max_cost.is_none_or(|most| most > 0.0 && most.is_finite()));
    match request.strategy {
        Strategy::Cost | Strategy::Speed => {}
        Strategy::Balanced { weight } => assert!((0.0..=1.0).contains(&weight)),
        Strategy::MaxDuration { limit_ms, percentile } => {
            assert!(limit_ms > 0.0 && limit_ms <= 900_000.0);
            assert!((1.0..=99.99).contains(&percentile));
        }
    }
    assert!(request.powers.as_ref().is_none_or(|powers| powers.len() > 0));
    assert!(request.allowed_exceptions.iter().all(|name| !name.is_empty()));
    assert!(request.warnings.iter().all(|warning| !warning.to_string().is_empty()));
    if let PayloadSource::Inline(payloads) = &request.payload {
        can_be_sent(payloads, request.most_invocations() as usize);
    }
}

/// Every invocation has a payload that Lambda takes.
fn can_be_sent(payloads: &Payloads, invocations: usize) {
    let sent = payloads.expand(invocations).expect("it was checked");
    assert_eq!(sent.len(), invocations);
    let distinct: HashSet<&str> = sent.iter().map(AsRef::as_ref).collect();
    for payload in distinct {
        assert!(payload.len() <= MAX_BYTES);
        assert!(is_json(payload), "{payload:?}");
    }
}

/// JSON by its grammar: of a number that is too large for us the function may know what to do.
fn is_json(text: &str) -> bool {
    from_str::<IgnoredAny>(text).is_ok()
}

/// A payload as a file or an option has it.
pub(super) fn payload(bytes: &[u8]) {
    let text = text(bytes);
    let value = match of_text(&text) {
        Ok(value) => value,
        Err(problem) => return assert!(!problem.is_empty()),
    };
    let weighted = value.is_array();
    let Ok(payloads) = Payloads::parse(Some(&value)) else { return };
    for invocations in [0, 1, 5, 60] {
        if payloads.expand(invocations).is_ok() {
            can_be_sent(&payloads, invocations);
        }
    }
    if !weighted {
        let sent = payloads.expand(1).expect("a single payload can be sent once");
        if is_json(&text) {
            assert_eq!(&*sent[0], text, "JSON goes as it is");
        } else {
            assert_eq!(from_str::<Value>(&sent[0]).ok(), Some(Value::String(text)));
        }
    }
}

/// The URL of a payload in S3.
pub(super) fn s3_url(bytes: &[u8]) {
    let url = text(bytes);
    let fields = json!({ "lambdaARN": "f", "payloadS3": url });
    match parse(fields.as_object().expect("an object is an object")) {
        Ok(request) => {
            let PayloadSource::S3 { bucket, key } = request.payload else {
                panic!("{:?} is not in S3", request.payload);
            };
            assert!(!bucket.is_empty() && !bucket.contains('/') && !key.is_empty());
            assert_eq!(format!("s3://{bucket}/{key}"), url);
        }
        Err(faults) => assert!(faults.0.iter().all(|fault| fault.field == "payloadS3")),
    }
}
