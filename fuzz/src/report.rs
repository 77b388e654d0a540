//! REPORT lines and events in the tail of a log, and the tail in base64.

use base64::{Engine, prelude::BASE64_STANDARD as BASE64};
use powertune_core::report::{Report, ReportError, Start, Status, find, log_tail};

use super::text as lossy;

/// The invocation that is looked for.
const ID: &str = "8f507cfc-d211-4e9b-a0b2-1f3c5c1e4d0a";
/// One that nobody looks for.
const OTHER: &str = "11111111-2222-3333-4444-555555555555";

/// Lambda's last line in the text format, without its end.
const TEXT: &str = "REPORT RequestId: 8f507cfc-d211-4e9b-a0b2-1f3c5c1e4d0a\tDuration: 12.34 ms\t\
                    Billed Duration: 97 ms\tMemory Size: 128 MB\tMax Memory Used: 31 MB\t\
                    Init Duration: 84.00 ms\tStatus: error\tError Type: Runtime.ExitError";
/// The same in the JSON format.
const JSON: &str = r#"{"time":"2024-01-09T01:00:00.000Z","type":"platform.report","record":{"requestId":"8f507cfc-d211-4e9b-a0b2-1f3c5c1e4d0a","status":"error","errorType":"Runtime.ExitError","metrics":{"durationMs":12.34,"billedDurationMs":97,"memorySizeMB":128,"maxMemoryUsedMB":31,"initDurationMs":84.0}}}"#;

/// The figures that both contain.
fn expected() -> Report {
    Report {
        duration_ms: 12.34,
        billed_ms: 97,
        memory_mb: 128,
        max_memory_mb: Some(31),
        start: Start::Cold { init_ms: 84.0 },
        status: Status::Error { error_type: Some("Runtime.ExitError".to_owned()) },
    }
}

/// A tail in the text format.
pub(super) fn text(bytes: &[u8]) {
    let tail = lossy(bytes);
    holds(&tail, ID);
    hides_nothing(&tail, TEXT);
    // Nothing but JSON can say the id in other letters than its own.
    if !tail.contains('\\') {
        not_of_another(&tail);
    }
}

/// A tail in the JSON format.
pub(super) fn json(bytes: &[u8]) {
    let tail = lossy(bytes);
    holds(&tail, ID);
    hides_nothing(&tail, JSON);
    if !tail.contains('\\') {
        not_of_another(&tail);
    }
}

/// A request id in the first line, and a `LogResult` in the others; and what would be one.
pub(super) fn log_result(bytes: &[u8]) {
    let both = lossy(bytes);
    let (id, log_result) = both.split_once('\n').unwrap_or((ID, &both));
    if let Some(tail) = log_tail(log_result) {
        holds(&tail, id);
    }
    let tail = log_tail(&BASE64.encode(bytes)).expect("base64 is read");
    assert_eq!(tail, both);
    holds(&tail, id);
}

/// A report is measured, and a missing one is named.
fn holds(tail: &str, id: &str) {
    match find(tail, id) {
        Ok(report) => {
            let before = match report.start {
                Start::Warm => 0.0,
                Start::Cold { init_ms } => init_ms,
                Start::Restored { restore_ms, .. } => restore_ms,
            };
            for metric in [report.duration_ms, before, report.total_ms()] {
                assert!(metric.is_finite() && metric >= 0.0, "{report:?}");
            }
            assert!(tail.contains(id) || tail.contains('\\'), "{report:?} is not of {id:?}");
        }
        Err(ReportError::NotFound { request_id }) => assert_eq!(request_id, id),
        Err(ReportError::Unreadable { request_id, field }) => {
            assert_eq!(request_id, id);
            assert!(tail.contains(id) || tail.contains('\\'), "{field} of {id:?}");
        }
    }
}

/// Whatever the function wrote, and wherever it was cut, Lambda's own report behind it counts:
/// whether or not the output ends its line, and whatever comes after it of another invocation.
fn hides_nothing(tail: &str, real: &str) {
    let others = real.replace(ID, OTHER);
    for log in [
        format!("{tail}\n{real}\n"),
        format!("{tail}{real}"),
        format!("{tail}\r\n{real}\r\n{others}\n"),
    ] {
        assert_eq!(find(&log, ID), Ok(expected()), "{log:?}");
    }
}

/// Reports of other invocations are nobody's.
fn not_of_another(tail: &str) {
    let others = tail.replace(ID, OTHER);
    let not_found = ReportError::NotFound { request_id: ID.to_owned() };
    // The replacement may have made an id of what stood around it.
    if !others.contains(ID) {
        assert_eq!(find(&others, ID), Err(not_found));
    }
}
