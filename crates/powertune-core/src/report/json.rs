//! Reports in the JSON log format: events of type `platform.report`, one per line.

use serde::Deserialize;
use serde_json::Value;

use super::{Missing, ReportFields, is_time};

pub(super) fn read(line: &str, request_id: &str) -> Option<(usize, Result<ReportFields, Missing>)> {
    let behind = line.rmatch_indices("{\"time\"").map(|(at, _)| at);
    // An object at the start of the line may begin with any key.
    let whole = line.len() - line.trim_start().len();
    behind
        .chain(line[whole..].starts_with('{').then_some(whole))
        .find_map(|at| Some((at, read_event(&line[at..], request_id)?)))
}

fn read_event(text: &str, request_id: &str) -> Option<Result<ReportFields, Missing>> {
    // Text after the first value on the line is not Lambda's.
    let event: PlatformReport =
        serde_json::Deserializer::from_str(text).into_iter().next()?.ok()?;
    (event.kind == "platform.report" && event.record.request_id == request_id)
        .then(|| event.record.fields())
}

#[derive(Deserialize)]
struct PlatformReport {
    #[serde(rename = "type")]
    kind: String,
    record: ReportRecord,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReportRecord {
    request_id: String,
    status: Option<String>,
    error_type: Option<String>,
    #[serde(default)]
    metrics: Metrics,
}

/// The metrics as untyped values, so that a changed metric leads to an error with its name. A typed
/// field would hide the whole report.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Metrics {
    #[serde(rename = "durationMs")]
    duration: Value,
    #[serde(rename = "billedDurationMs")]
    billed: Value,
    #[serde(rename = "memorySizeMB")]
    memory: Value,
    #[serde(rename = "maxMemoryUsedMB")]
    max_memory: Value,
    #[serde(rename = "initDurationMs")]
    init: Value,
    #[serde(rename = "restoreDurationMs")]
    restore: Value,
    #[serde(rename = "billedRestoreDurationMs")]
    billed_restore: Value,
}

impl ReportRecord {
    fn fields(self) -> Result<ReportFields, Missing> {
        let metrics = &self.metrics;
        Ok(ReportFields {
            duration_ms: ms("Duration", &metrics.duration)?,
            billed_ms: whole_ms("Billed Duration", &metrics.billed)?,
            memory_mb: mb("Memory Size", &metrics.memory)?,
            max_memory_mb: mb("Max Memory Used", &metrics.max_memory)?,
            init_ms: ms("Init Duration", &metrics.init)?,
            restore_ms: ms("Restore Duration", &metrics.restore)?,
            billed_restore_ms: whole_ms("Billed Restore Duration", &metrics.billed_restore)?,
            status: self.status,
            error_type: self.error_type,
        })
    }
}

fn ms(field: &'static str, value: &Value) -> Result<Option<f64>, Missing> {
    let ms = number(field, value)?;
    if ms.is_none_or(is_time) { Ok(ms) } else { Err(Missing::Field(field)) }
}

fn whole_ms(field: &'static str, value: &Value) -> Result<Option<u64>, Missing> {
    ms(field, value)?.map(|ms| whole(field, ms)).transpose()
}

fn mb(field: &'static str, value: &Value) -> Result<Option<u32>, Missing> {
    number(field, value)?.map(|mb| whole(field, mb)).transpose()
}

fn number(field: &'static str, value: &Value) -> Result<Option<f64>, Missing> {
    match value {
        Value::Null => Ok(None),
        _ => value.as_f64().map(Some).ok_or(Missing::Field(field)),
    }
}

/// A whole number, written as `3101` or as `3101.0`.
fn whole<T: TryFrom<i64>>(field: &'static str, number: f64) -> Result<T, Missing> {
    #[expect(clippy::cast_possible_truncation, reason = "whole; what is beyond i64 saturates")]
    let whole = (number.fract() == 0.0).then_some(number as i64);
    whole.and_then(|whole| T::try_from(whole).ok()).ok_or(Missing::Field(field))
}
