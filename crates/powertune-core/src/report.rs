//! The REPORT of one invocation, read from the tail of its log.
//!
//! The tail is the last 4 KB of the log. The function writes to the same log, so the first line may
//! be cut, and any line may imitate a report. Lambda writes its report after the answer of the
//! function. So the *last* report with the request id counts. Only a later line of an extension
//! with the same id cannot be told from Lambda's.

use base64::{Engine, prelude::BASE64_STANDARD as BASE64};
use serde::{Deserialize, Serialize};

use self::Start::{Cold, Restored, Warm};

mod json;
mod text;

/// The maximum plausible time in milliseconds: one day, longer than anything in Lambda. A larger
/// number is not Lambda's, and sums of such numbers could overflow.
pub(crate) const LONGEST_MS: u64 = 24 * 60 * 60 * 1000;

/// Lambda's report on one invocation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The duration of the handler in milliseconds, with a repeated initialisation if there was
    /// one.
    pub duration_ms: f64,
    /// The billed duration in milliseconds, initialisation and restore included.
    pub billed_ms: u64,
    /// The memory size in MB.
    pub memory_mb: u32,
    /// The maximum memory used, in MB.
    pub max_memory_mb: Option<u32>,
    /// The kind of start.
    pub start: Start,
    /// The status at the end.
    pub status: Status,
}

/// The start of an invocation: in an existing environment or in a new one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Start {
    /// In an existing environment.
    Warm,
    /// In a new, initialised environment.
    Cold {
        /// The duration of the initialisation in milliseconds.
        init_ms: f64,
    },
    /// In a new environment, restored from a SnapStart snapshot.
    Restored {
        /// The duration of the restore in milliseconds.
        restore_ms: f64,
        /// The part of [`Report::billed_ms`] for the restore.
        billed_restore_ms: Option<u64>,
    },
}

impl Start {
    /// True if the invocation waited for a new environment.
    pub const fn is_cold(self) -> bool {
        match self {
            Warm => false,
            Cold { .. } | Restored { .. } => true,
        }
    }
}

/// The status of an invocation, as the platform sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Status {
    /// The handler returned. In the text format this includes a returned error, which only the
    /// answer to the invocation shows.
    Success,
    /// The runtime crashed, or the handler failed.
    Error {
        /// The platform's name of the error, like `Runtime.ExitError`.
        error_type: Option<String>,
    },
    /// The invocation reached the function's timeout.
    Timeout,
    /// Lambda failed, or the status is unknown to powertune.
    Failure,
}

impl Report {
    /// The time in milliseconds that a caller waited: start and handler.
    pub fn total_ms(&self) -> f64 {
        let before = match self.start {
            Warm => 0.0,
            Cold { init_ms } => init_ms,
            Restored { restore_ms, .. } => restore_ms,
        };
        self.duration_ms + before
    }
}

/// The reason why a log has no usable report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// No report has this request id.
    #[error(
        "the log of request {request_id} has no REPORT: if the function logs in JSON, its system \
         log level has to be INFO"
    )]
    NotFound {
        /// The request id of the invocation.
        request_id: String,
    },
    /// The report lacks a required field, or the field has another form.
    #[error(
        "the REPORT of request {request_id} has no readable `{field}`: AWS may have changed the \
         format; please report this with the function's last log line"
    )]
    Unreadable {
        /// The request id of the invocation.
        request_id: String,
        /// The name of the field in the text format.
        field: &'static str,
    },
}

/// Decodes the log tail from `LogResult`, the base64 field in Invoke's answer.
pub fn log_tail(log_result: &str) -> Option<String> {
    let tail = BASE64.decode(log_result).ok()?;
    // The tail may begin inside a character, and a function may write any bytes.
    Some(String::from_utf8_lossy(&tail).into_owned())
}

/// The report of the invocation `request_id`, from the tail of its log.
pub fn find(log_tail: &str, request_id: &str) -> Result<Report, ReportError> {
    let found = log_tail.lines().rev().find_map(|line| last_of(line, request_id));
    match found {
        Some(Ok(fields)) => fields.report(log_tail, request_id),
        Some(Err(field)) => Err(field),
        None => Err(Missing::Report),
    }
    .map_err(|missing| missing.of(request_id))
}

/// The last report of `request_id` in this line. Output without a line break may precede it, and
/// may imitate a report in the other format.
fn last_of(line: &str, request_id: &str) -> Option<Result<ReportFields, Missing>> {
    let both = [text::read(line, request_id), json::read(line, request_id)];
    both.into_iter().flatten().max_by_key(|(at, _)| *at).map(|(_, fields)| fields)
}

#[derive(Debug, Clone, Copy)]
enum Missing {
    Report,
    Field(&'static str),
}

impl Missing {
    fn of(self, request_id: &str) -> ReportError {
        let request_id = request_id.to_owned();
        match self {
            Self::Report => ReportError::NotFound { request_id },
            Self::Field(field) => ReportError::Unreadable { request_id, field },
        }
    }
}

pub(crate) fn is_time(ms: f64) -> bool {
    (0.0..=LONGEST_MS as f64).contains(&ms)
}

#[derive(Debug, Default)]
struct ReportFields {
    duration_ms: Option<f64>,
    billed_ms: Option<u64>,
    memory_mb: Option<u32>,
    max_memory_mb: Option<u32>,
    init_ms: Option<f64>,
    restore_ms: Option<f64>,
    billed_restore_ms: Option<u64>,
    status: Option<String>,
    error_type: Option<String>,
}

impl ReportFields {
    fn report(self, log_tail: &str, request_id: &str) -> Result<Report, Missing> {
        let duration_ms = self.duration_ms.ok_or(Missing::Field("Duration"))?;
        Ok(Report {
            duration_ms,
            billed_ms: self.billed_ms.ok_or(Missing::Field("Billed Duration"))?,
            memory_mb: self.memory_mb.ok_or(Missing::Field("Memory Size"))?,
            max_memory_mb: self.max_memory_mb,
            start: self.start(),
            status: match self.status.as_deref() {
                Some("success") => Status::Success,
                Some("error") => Status::Error { error_type: self.error_type },
                Some("timeout") => Status::Timeout,
                Some(_) => Status::Failure,
                None if text::timed_out(log_tail, request_id, duration_ms) => Status::Timeout,
                None => Status::Success,
            },
        })
    }

    fn start(&self) -> Start {
        match (self.restore_ms, self.init_ms) {
            (Some(restore_ms), _) => {
                Restored { restore_ms, billed_restore_ms: self.billed_restore_ms }
            }
            (None, Some(init_ms)) => Cold { init_ms },
            (None, None) => Warm,
        }
    }
}

#[cfg(test)]
mod tests;
