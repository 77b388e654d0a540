//! The platform's own lines in a function's log: START, END and REPORT, or `platform.*` records if
//! the log format is JSON.

use std::{
    fmt::{self, Display, Formatter},
    time::Duration,
};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::version::{LogFormat, Logging};

/// Milliseconds with two decimals, as on Lambda.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Millis {
    hundredths: u64,
}

impl From<Duration> for Millis {
    fn from(duration: Duration) -> Self {
        let hundredths = (duration.as_nanos() + 5_000) / 10_000;
        Self { hundredths: u64::try_from(hundredths).unwrap_or(u64::MAX) }
    }
}

impl Display for Millis {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.hundredths / 100, self.hundredths % 100)
    }
}

impl Millis {
    fn to_json(self) -> Value {
        json!(self.hundredths as f64 / 100.0)
    }
}

/// The end of an invocation or an init.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReportStatus {
    Success,
    /// The runtime lives and reported the function's error.
    Failed {
        error_type: String,
    },
    /// The runtime ended.
    Crashed {
        error_type: String,
    },
    TimedOut,
}

impl ReportStatus {
    fn name(&self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed { .. } | Self::Crashed { .. } => "error",
            Self::TimedOut => "timeout",
        }
    }

    fn error_type(&self) -> Option<&str> {
        match self {
            Self::Failed { error_type } | Self::Crashed { error_type } => Some(error_type),
            Self::Success | Self::TimedOut => None,
        }
    }
}

/// The phase in which an init ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InitPhase {
    Init,
    /// The second init, inside an invocation, after the first one failed.
    Invoke,
}

impl InitPhase {
    fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Invoke => "invoke",
        }
    }
}

#[derive(Debug)]
pub(super) struct ReportFigures {
    pub(super) status: ReportStatus,
    pub(super) duration: Duration,
    /// Only for a cold start. A second init counts as duration.
    pub(super) init: Option<Duration>,
    pub(super) memory_mb: u32,
    pub(super) max_memory_mb: Option<u32>,
}

impl ReportFigures {
    /// Billed milliseconds. The init is billed too.
    fn billed_ms(&self) -> u64 {
        let init = self.init.map_or(0, |init| Millis::from(init).hundredths);
        (Millis::from(self.duration).hundredths + init).div_ceil(100)
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct PlatformLog<'a> {
    pub(super) logging: Logging,
    pub(super) request_id: Uuid,
    pub(super) version: &'a str,
}

impl PlatformLog<'_> {
    /// The lines before the function gets its event.
    pub(super) fn start(&self) -> String {
        match self.logging.format {
            LogFormat::Text => {
                format!("START RequestId: {} Version: {}\n", self.request_id, self.version)
            }
            LogFormat::Json => self.record(
                "platform.start",
                json!({"requestId": self.request_id.to_string(), "version": self.version}),
            ),
        }
    }

    /// The lines after the function's last output.
    pub(super) fn end(&self, report: &ReportFigures) -> String {
        match self.logging.format {
            LogFormat::Text => {
                format!("END RequestId: {}\n{}", self.request_id, self.report_line(report))
            }
            LogFormat::Json => self.runtime_done(report) + &self.report_record(report),
        }
    }

    /// The line for an init that failed or took too long.
    pub(super) fn init_report(
        &self,
        phase: InitPhase,
        took: Duration,
        status: &ReportStatus,
    ) -> String {
        let took = Millis::from(took);
        match self.logging.format {
            LogFormat::Text => {
                let phase = phase.name();
                let status = status_fields(status);
                format!("INIT_REPORT Init Duration: {took} ms\tPhase: {phase}{status}\n")
            }
            LogFormat::Json => {
                let record = json!({
                    "initializationType": "on-demand",
                    "phase": phase.name(),
                    "status": status.name(),
                    "errorType": status.error_type(),
                    "metrics": {"durationMs": took.to_json()},
                });
                self.record("platform.initReport", record)
            }
        }
    }

    fn report_line(&self, report: &ReportFigures) -> String {
        use fmt::Write;

        let mut line = format!(
            "REPORT RequestId: {}\tDuration: {} ms\tBilled Duration: {} ms\tMemory Size: {} MB",
            self.request_id,
            Millis::from(report.duration),
            report.billed_ms(),
            report.memory_mb,
        );
        if let Some(mb) = report.max_memory_mb {
            write!(line, "\tMax Memory Used: {mb} MB").expect("writing to a string");
        }
        if let Some(init) = report.init {
            write!(line, "\tInit Duration: {} ms", Millis::from(init))
                .expect("writing to a string");
        }
        match &report.status {
            // On Lambda a line without a status ends in a tab.
            ReportStatus::Success | ReportStatus::Failed { .. } => line.push('\t'),
            status @ (ReportStatus::Crashed { .. } | ReportStatus::TimedOut) => {
                line.push_str(&status_fields(status));
            }
        }
        line.push('\n');
        line
    }

    /// At the level INFO, Lambda sends this record only if the invocation did not succeed.
    fn runtime_done(&self, report: &ReportFigures) -> String {
        if report.status == ReportStatus::Success {
            return String::new();
        }
        let record = json!({
            "requestId": self.request_id.to_string(),
            "status": report.status.name(),
            "errorType": report.status.error_type(),
            "metrics": {"durationMs": Millis::from(report.duration).to_json()},
        });
        self.record("platform.runtimeDone", record)
    }

    fn report_record(&self, report: &ReportFigures) -> String {
        let record = json!({
            "requestId": self.request_id.to_string(),
            "status": report.status.name(),
            "errorType": report.status.error_type(),
            "metrics": {
                "durationMs": Millis::from(report.duration).to_json(),
                "billedDurationMs": report.billed_ms(),
                "memorySizeMB": report.memory_mb,
                "maxMemoryUsedMB": report.max_memory_mb,
                "initDurationMs": report.init.map(|init| Millis::from(init).to_json()),
            },
        });
        self.record("platform.report", record)
    }

    fn record(&self, kind: &str, record: Value) -> String {
        if !self.logging.platform_reports {
            return String::new();
        }
        let time = format!("{:.3}", jiff::Timestamp::now());
        format!("{}\n", json!({"time": time, "type": kind, "record": without_nulls(record)}))
    }
}

fn status_fields(status: &ReportStatus) -> String {
    match status.error_type() {
        Some(error_type) => format!("\tStatus: {}\tError Type: {error_type}", status.name()),
        None => format!("\tStatus: {}", status.name()),
    }
}

/// Leaves out the figures and the error type that are not known.
fn without_nulls(value: Value) -> Value {
    let Value::Object(members) = value else { return value };
    let known = members.into_iter().filter(|(_, member)| !member.is_null());
    known.map(|(name, member)| (name, without_nulls(member))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Uuid = Uuid::from_u128(0x6f3b_4d52_0f7c_4c3d_8a55_9d3e_2f10_77aa);

    fn platform(format: LogFormat, platform_reports: bool) -> PlatformLog<'static> {
        let logging = Logging { format, platform_reports };
        PlatformLog { logging, request_id: ID, version: "$LATEST" }
    }

    fn report(duration_us: u64, init_us: Option<u64>, status: ReportStatus) -> ReportFigures {
        ReportFigures {
            status,
            duration: Duration::from_micros(duration_us),
            init: init_us.map(Duration::from_micros),
            memory_mb: 128,
            max_memory_mb: Some(31),
        }
    }

    fn crash(error_type: &str) -> ReportStatus {
        ReportStatus::Crashed { error_type: error_type.to_owned() }
    }

    #[test]
    fn billed_duration_holds_the_init_as_on_lambda() {
        for (duration_us, init_us, billed) in [
            (3_016_780, Some(84_000), 3101),
            (133_610, Some(80_000), 214),
            (3_004_920, Some(111_230), 3117),
            (1_049_630, Some(1_293_830), 2344),
            (2_000, None, 2),
            (2_010, None, 3),
            (2_004, None, 2),
        ] {
            let report = report(duration_us, init_us, ReportStatus::Success);
            assert_eq!(report.billed_ms(), billed, "{duration_us} + {init_us:?}");
        }
    }

    #[test]
    fn text_lines() {
        let platform = platform(LogFormat::Text, true);
        assert_eq!(platform.start(), format!("START RequestId: {ID} Version: $LATEST\n"));
        let cases = [
            (
                report(1_234, None, ReportStatus::Success),
                "Duration: 1.23 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: \
                 31 MB\t",
            ),
            (
                report(133_610, Some(80_000), ReportStatus::Success),
                "Duration: 133.61 ms\tBilled Duration: 214 ms\tMemory Size: 128 MB\tMax Memory \
                 Used: 31 MB\tInit Duration: 80.00 ms\t",
            ),
            (
                report(3_000_000, Some(84_000), ReportStatus::TimedOut),
                "Duration: 3000.00 ms\tBilled Duration: 3084 ms\tMemory Size: 128 MB\tMax Memory \
                 Used: 31 MB\tInit Duration: 84.00 ms\tStatus: timeout",
            ),
            (
                report(5_000, None, crash("Runtime.ExitError")),
                "Duration: 5.00 ms\tBilled Duration: 5 ms\tMemory Size: 128 MB\tMax Memory Used: \
                 31 MB\tStatus: error\tError Type: Runtime.ExitError",
            ),
        ];
        for (report, fields) in cases {
            let lines = format!("END RequestId: {ID}\nREPORT RequestId: {ID}\t{fields}\n");
            assert_eq!(platform.end(&report), lines);
        }
    }

    #[test]
    fn a_metric_that_is_not_known_is_left_out() {
        let report =
            ReportFigures { max_memory_mb: None, ..report(1_000, None, ReportStatus::Success) };
        let text = platform(LogFormat::Text, true).end(&report);
        assert!(text.ends_with("Memory Size: 128 MB\t\n"), "{text}");
        let record = last_record(&platform(LogFormat::Json, true).end(&report));
        let metrics = record["record"]["metrics"].as_object().unwrap();
        let mut names: Vec<_> = metrics.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["billedDurationMs", "durationMs", "memorySizeMB"]);
    }

    #[test]
    fn json_records() {
        let platform = platform(LogFormat::Json, true);
        let lines = platform.end(&report(1_234, Some(80_000), ReportStatus::Success));
        assert_eq!(lines.lines().count(), 1, "{lines}");
        let record = last_record(&lines);
        assert_eq!(record["type"], "platform.report");
        assert_eq!(
            record["record"],
            json!({
                "requestId": ID.to_string(),
                "status": "success",
                "metrics": {
                    "durationMs": 1.23,
                    "billedDurationMs": 82,
                    "memorySizeMB": 128,
                    "maxMemoryUsedMB": 31,
                    "initDurationMs": 80.0,
                },
            })
        );
        let lines = platform.end(&report(1_234, None, crash("Runtime.OutOfMemory")));
        assert_eq!(lines.lines().count(), 2, "{lines}");
        assert_eq!(last_record(&lines)["record"]["status"], "error");
        assert_eq!(last_record(&lines)["record"]["errorType"], "Runtime.OutOfMemory");
    }

    #[test]
    fn a_log_level_above_info_silences_the_platform() {
        let platform = platform(LogFormat::Json, false);
        let report = report(1_000, None, ReportStatus::TimedOut);
        let init = platform.init_report(InitPhase::Init, Duration::ZERO, &ReportStatus::TimedOut);
        assert_eq!(platform.start() + &platform.end(&report) + &init, "");
    }

    #[test]
    fn init_reports() {
        let platform = platform(LogFormat::Text, true);
        let took = Duration::from_micros(1_236_040);
        assert_eq!(
            platform.init_report(InitPhase::Init, took, &ReportStatus::TimedOut),
            "INIT_REPORT Init Duration: 1236.04 ms\tPhase: init\tStatus: timeout\n"
        );
        assert_eq!(
            platform.init_report(InitPhase::Invoke, took, &crash("Runtime.ExitError")),
            "INIT_REPORT Init Duration: 1236.04 ms\tPhase: invoke\tStatus: error\tError Type: \
             Runtime.ExitError\n"
        );
    }

    fn last_record(lines: &str) -> Value {
        serde_json::from_str(lines.lines().last().unwrap()).unwrap()
    }
}
