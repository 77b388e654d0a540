//! Reports in the text log format: `REPORT RequestId: <id>`, then a `Name: value` after each tab.

use std::str::FromStr;

use super::{LONGEST_MS, Missing, ReportFields, is_time};

/// The last report of `request_id` in this line, and its position.
pub(super) fn read(line: &str, request_id: &str) -> Option<(usize, Result<ReportFields, Missing>)> {
    let start = format!("REPORT RequestId: {request_id}\t");
    let at = line.rfind(&start)?;
    Some((at, fields(&line[at + start.len()..])))
}

/// The start of an X-Ray trace, which can follow a report on the same line.
const TRACE: &str = "XRAY TraceId:";

fn fields(text: &str) -> Result<ReportFields, Missing> {
    let mut fields = ReportFields::default();
    let text = text.find(TRACE).map_or(text, |end| &text[..end]);
    for (name, value) in text.split('\t').filter_map(|field| field.split_once(':')) {
        // The first field of each name counts. A function can write further ones in its error type,
        // and that comes after Lambda's metrics.
        match name.trim() {
            "Duration" => set(&mut fields.duration_ms, ms("Duration", value)?),
            "Billed Duration" => set(&mut fields.billed_ms, whole_ms("Billed Duration", value)?),
            "Memory Size" => set(&mut fields.memory_mb, mb("Memory Size", value)?),
            "Max Memory Used" => {
                set(&mut fields.max_memory_mb, mb("Max Memory Used", value)?);
            }
            "Init Duration" => set(&mut fields.init_ms, ms("Init Duration", value)?),
            "Restore Duration" => set(&mut fields.restore_ms, ms("Restore Duration", value)?),
            "Billed Restore Duration" => {
                set(&mut fields.billed_restore_ms, whole_ms("Billed Restore Duration", value)?);
            }
            "Status" => set(&mut fields.status, value.trim().to_owned()),
            "Error Type" => set(&mut fields.error_type, value.trim().to_owned()),
            _ => {}
        }
    }
    Ok(fields)
}

fn set<T>(field: &mut Option<T>, value: T) {
    field.get_or_insert(value);
}

fn ms(field: &'static str, value: &str) -> Result<f64, Missing> {
    number(value, "ms").filter(|ms| is_time(*ms)).ok_or(Missing::Field(field))
}

fn whole_ms(field: &'static str, value: &str) -> Result<u64, Missing> {
    number(value, "ms").filter(|ms| *ms <= LONGEST_MS).ok_or(Missing::Field(field))
}

fn mb(field: &'static str, value: &str) -> Result<u32, Missing> {
    number(value, "MB").ok_or(Missing::Field(field))
}

/// The number of `<number> <unit>`. Tracing data may follow on the same line.
fn number<T: FromStr>(value: &str, unit: &str) -> Option<T> {
    let mut words = value.split_ascii_whitespace();
    let number = words.next()?;
    (words.next()? == unit).then_some(())?;
    number.parse().ok()
}

/// True if the log has the separate line with which Lambda reported timeouts in the past.
///
/// A function can print such a line too. A timeout longer than the invocation is not Lambda's.
pub(super) fn timed_out(log_tail: &str, request_id: &str, duration_ms: f64) -> bool {
    // The line rounds to hundredths of a second.
    const ROUNDING_MS: f64 = 10.0;
    let limit_seconds = |line: &str| -> Option<f64> {
        let (head, tail) = line.trim_end().split_once(" Task timed out after ")?;
        head.ends_with(request_id).then_some(())?;
        tail.strip_suffix(" seconds")?.parse().ok()
    };
    log_tail
        .lines()
        .filter_map(limit_seconds)
        .any(|seconds| seconds > 0.0 && duration_ms + ROUNDING_MS >= seconds * 1000.0)
}
