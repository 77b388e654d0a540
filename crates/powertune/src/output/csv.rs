//! A result as comma-separated values: a row for each memory size, under the names of the JSON. A
//! missing value is empty.

use csv::Writer;
use powertune_core::{
    result::{PowerStats, TuningResult},
    stats::Estimate,
};

use super::{figures::state_name, text::harmless};

const HEADER: [&str; 22] = [
    "value",
    "averagePrice",
    "averageDuration",
    "invocations",
    "coldStarts",
    "failures",
    "costMean",
    "costLow",
    "costHigh",
    "durationMean",
    "durationLow",
    "durationHigh",
    "p50",
    "p90",
    "p95",
    "p99",
    "initDuration",
    "maxMemoryUsed",
    "state",
    "reason",
    "recommended",
    "currency",
];

pub(super) fn csv(result: &TuningResult) -> String {
    let currency = serde_json::to_value(result.currency).ok();
    let currency = currency.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
    written(
        &HEADER,
        result.stats.iter().map(|row| {
            let recommended = row.value == result.power;
            record(row, recommended, currency)
        }),
    )
}

fn record(row: &PowerStats, recommended: bool, currency: &str) -> Vec<String> {
    let ends = |estimate: Option<Estimate>| {
        let ends = estimate.map(|Estimate { mean, low, high }| [Some(mean), low, high]);
        ends.unwrap_or_default().map(optional)
    };
    let duration = row.duration;
    let percentile = |of: fn(&powertune_core::result::DurationStats) -> Option<f64>| {
        optional(duration.as_ref().and_then(of))
    };
    let mut record = vec![
        row.value.mb().to_string(),
        optional(row.average_price),
        optional(row.average_duration),
        row.invocations.to_string(),
        row.cold_starts.to_string(),
        row.failures.to_string(),
    ];
    record.extend(ends(row.cost));
    record.extend(ends(duration.map(|duration| duration.mean)));
    record.extend([
        percentile(|duration| duration.p50),
        percentile(|duration| duration.p90),
        percentile(|duration| duration.p95),
        percentile(|duration| duration.p99),
        optional(row.init_duration),
        optional(row.max_memory_used),
        state_name(row.state).to_owned(),
        row.reason.as_deref().map(harmless).unwrap_or_default(),
        recommended.to_string(),
        currency.to_owned(),
    ]);
    record
}

/// All digits of a number; empty without a number.
pub(super) fn optional<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

pub(super) fn written(header: &[&str], records: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer = Writer::from_writer(Vec::new());
    writer.write_record(header).expect("memory takes everything");
    for record in records {
        writer.write_record(&record).expect("every record has the header's length");
    }
    let bytes = writer.into_inner().expect("memory takes everything");
    String::from_utf8(bytes).expect("every field is UTF-8")
}
