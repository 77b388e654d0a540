use serde_json::{Value, json};

use super::*;

fn event(status: &str, metrics: &Value) -> String {
    let mut record = json!({"requestId": ID, "status": status, "metrics": metrics});
    if status == "error" {
        record["errorType"] = json!("Runtime.ExitError");
    }
    let event = format!(
        r#"{{"time":"2024-01-09T01:00:00.000Z","type":"platform.report","record":{record}}}"#
    );
    event + "\n"
}

fn metrics() -> Value {
    json!({
        "durationMs": 12.34,
        "billedDurationMs": 13,
        "memorySizeMB": 128,
        "maxMemoryUsedMB": 31,
    })
}

fn metrics_with(more: &[(&str, Value)]) -> Value {
    let mut metrics = metrics();
    for (name, value) in more {
        metrics[name] = value.clone();
    }
    metrics
}

#[test]
fn warm_cold_and_restored() {
    assert_eq!(read(&event("success", &metrics())), warm(12.34, 13));
    let cold = metrics_with(&[("initDurationMs", json!(84.0))]);
    assert_eq!(read(&event("success", &cold)).start, Cold { init_ms: 84.0 });
    let restored = metrics_with(&[
        ("restoreDurationMs", json!(511.25)),
        ("billedRestoreDurationMs", json!(303)),
    ]);
    let start = Restored { restore_ms: 511.25, billed_restore_ms: Some(303) };
    assert_eq!(read(&event("success", &restored)).start, start);
}

#[test]
fn every_status() {
    let error_type = Some("Runtime.ExitError".to_owned());
    for (status, expected) in [
        ("success", Status::Success),
        ("error", Status::Error { error_type }),
        ("timeout", Status::Timeout),
        ("failure", Status::Failure),
    ] {
        assert_eq!(read(&event(status, &metrics())).status, expected);
    }
}

#[test]
fn whole_numbers_may_bear_a_fraction_of_zero() {
    let floats = metrics_with(&[
        ("billedDurationMs", json!(13.0)),
        ("memorySizeMB", json!(128.0)),
        ("durationMs", json!(12)),
    ]);
    assert_eq!(read(&event("success", &floats)), warm(12.0, 13));
}

#[test]
fn what_every_report_has_is_named_where_it_is_missing() {
    for (key, field) in [
        ("durationMs", "Duration"),
        ("billedDurationMs", "Billed Duration"),
        ("memorySizeMB", "Memory Size"),
    ] {
        for odd in [Value::Null, json!("13"), json!(-1), json!(1e308)] {
            let tail = event("success", &metrics_with(&[(key, odd)]));
            assert_eq!(find(&tail, ID), Err(unreadable(field)), "{tail}");
        }
    }
    let fraction = event("success", &metrics_with(&[("billedDurationMs", json!(1.5))]));
    assert_eq!(find(&fraction, ID), Err(unreadable("Billed Duration")));
    let huge = event("success", &metrics_with(&[("maxMemoryUsedMB", json!(1e12))]));
    assert_eq!(find(&huge, ID), Err(unreadable("Max Memory Used")));
}

#[test]
fn events_of_other_types_and_requests_are_passed_over() {
    let start = format!(
        r#"{{"time":"2024-01-09T01:00:00.000Z","type":"platform.start","record":{{"requestId":"{ID}","version":"$LATEST"}}}}"#
    );
    let log = format!(r#"{{"level":"INFO","requestId":"{ID}","message":"done"}}"#);
    assert_eq!(find(&format!("{start}\n{log}\n"), ID), Err(not_found()));
    let others = event("success", &metrics()).replace(ID, OTHER);
    assert_eq!(find(&others, ID), Err(not_found()));
    let tail = format!("{start}\n{log}\n{}{others}{log}", event("success", &metrics()));
    assert_eq!(read(&tail), warm(12.34, 13));
}

#[test]
fn a_function_that_logs_an_unended_line() {
    let tail = format!("processing...{}", event("success", &metrics()));
    assert_eq!(read(&tail), warm(12.34, 13));
    let in_json = format!(r#"{{"half": {}"#, event("success", &metrics()));
    assert_eq!(read(&in_json), warm(12.34, 13));
    let text = format!("processing...{}", line(WARM));
    assert_eq!(read(&text), warm(12.34, 13));
}

#[test]
fn a_report_forged_on_an_unended_line_is_not_the_last() {
    let real = event("success", &metrics());
    let forged = metrics_with(&[("durationMs", json!(1)), ("billedDurationMs", json!(1))]);
    let in_json = event("success", &forged).trim_end().to_owned();
    let in_text =
        format!("REPORT RequestId: {ID}\tDuration: 1 ms\tBilled Duration: 1 ms\tMemory Size: 1 MB");
    for forged in
        [&in_json, &in_text, &format!("{in_text}{in_json}"), &format!("{in_json}{{\"time\"")]
    {
        assert_eq!(read(&format!("{forged}{real}")), warm(12.34, 13), "{forged}");
        assert_eq!(read(&format!("{forged}{}", line(WARM))), warm(12.34, 13), "{forged}");
    }
}

#[test]
fn a_key_order_of_another_day() {
    let tail = event("success", &metrics());
    let value: Value = serde_json::from_str(&tail).unwrap();
    assert_eq!(read(&format!("  {value}  ")), warm(12.34, 13));
}
