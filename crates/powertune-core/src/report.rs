//! What Lambda reports about one invocation, read out of the tail of its log.
//!
//! The tail is the last 4 KB of a log that the function writes to as well, so that its first line
//! may be cut and any line may be the function's own, made to look like a report or not. The
//! report that counts is the *last* one that bears the invocation's request id: Lambda writes its
//! own after the function has answered. What an extension writes later still, under the same id,
//! cannot be told from Lambda's.

use base64::{Engine, prelude::BASE64_STANDARD as BASE64};
use serde::{Deserialize, Serialize};

use self::Start::{Cold, Restored, Warm};

mod json;
mod text;

/// The longest that a report can speak of, in milliseconds: a day, which nothing in Lambda lasts. A
/// larger figure is a function's own, and sums of such would be none.
pub(crate) const LONGEST_MS: u64 = 24 * 60 * 60 * 1000;

/// What Lambda reports about one invocation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The time that the handler took, a suppressed second initialisation included.
    pub duration_ms: f64,
    /// What is billed, initialisation and restore included.
    pub billed_ms: u64,
    /// The memory that the environment had.
    pub memory_mb: u32,
    /// The most memory that was in use.
    pub max_memory_mb: Option<u32>,
    /// What came before the handler.
    pub start: Start,
    /// How the invocation ended.
    pub status: Status,
}

/// What it took to get an environment ready for the invocation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Start {
    /// Nothing: the environment was there.
    Warm,
    /// A new environment was initialised.
    Cold {
        /// The time that initialisation took.
        init_ms: f64,
    },
    /// A new environment was restored from a SnapStart snapshot.
    Restored {
        /// The time that the restore took.
        restore_ms: f64,
        /// The part of [`Report::billed_ms`] that the restore is billed with.
        billed_restore_ms: Option<u64>,
    },
}

impl Start {
    /// Whether the invocation had to wait for a new environment.
    pub const fn is_cold(self) -> bool {
        match self {
            Warm => false,
            Cold { .. } | Restored { .. } => true,
        }
    }
}

/// How the platform saw the invocation end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Status {
    /// The handler returned. In the text format an error that the handler returned is one too:
    /// only the answer to the invocation tells it.
    Success,
    /// The runtime crashed, or the handler failed.
    Error {
        /// The platform's name of the error, like `Runtime.ExitError`.
        error_type: Option<String>,
    },
    /// The function's timeout ended it.
    Timeout,
    /// Lambda itself failed, or reported a status that is not known here.
    Failure,
}

impl Report {
    /// All that a caller waited for: the handler and what came before it.
    pub fn total_ms(&self) -> f64 {
        let before = match self.start {
            Warm => 0.0,
            Cold { init_ms } => init_ms,
            Restored { restore_ms, .. } => restore_ms,
        };
        self.duration_ms + before
    }
}

/// Why a log holds no report of an invocation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// No report with this request id.
    #[error(
        "the log of request {request_id} has no REPORT: if the function logs in JSON, its system \
         log level has to be INFO"
    )]
    NotFound {
        /// The invocation looked for.
        request_id: String,
    },
    /// The report lacks something that every report has, or has it in another form.
    #[error(
        "the REPORT of request {request_id} has no readable `{field}`: AWS may have changed the \
         format; please report this with the function's last log line"
    )]
    Unreadable {
        /// The invocation looked for.
        request_id: String,
        /// What could not be read, as the report calls it.
        field: &'static str,
    },
}

/// The tail of a log out of `LogResult`, which Lambda's Invoke answers in base64.
pub fn log_tail(log_result: &str) -> Option<String> {
    let tail = BASE64.decode(log_result).ok()?;
    // It may begin in the middle of a character, and hold anything that a function writes.
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

/// The last report of `request_id` in this line: in front of it there may be output that did not
/// end its line, made to look like a report of the other format.
fn last_of(line: &str, request_id: &str) -> Option<Result<Fields, Missing>> {
    let both = [text::read(line, request_id), json::read(line, request_id)];
    both.into_iter().flatten().max_by_key(|(at, _)| *at).map(|(_, fields)| fields)
}

/// What a report is found to lack, before the invocation is named.
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

/// A number of milliseconds that can have been measured.
pub(crate) fn is_time(ms: f64) -> bool {
    (0.0..=LONGEST_MS as f64).contains(&ms)
}

/// The fields of a report in either format; an absent one is `None`.
#[derive(Debug, Default)]
struct Fields {
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

impl Fields {
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
