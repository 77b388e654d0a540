//! The cost of invocations by the requests at the proxy: a result has to have the same sums.
//!
//! Nothing of the product is used here; prices and rules are stated once more.

use base64::{Engine, prelude::BASE64_STANDARD};
use hyper::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::crash::{fault::Fault, proxy::Seen};

/// The price of a GB-second in us-east-1, and of a request, in USD.
const GB_SECOND_X86_64: f64 = 0.000_016_666_7;
const GB_SECOND_ARM64: f64 = 0.000_013_333_4;
const REQUEST: f64 = 0.000_000_2;
/// A longer Init is repeated within the timeout. So an invocation is billed for at most this long
/// beyond it.
const LONGEST_INIT_S: f64 = 10.0;
/// The smallest size that is measured.
const SMALLEST_MB: f64 = 128.0;
/// The errors, besides 409 and 429, after which Lambda has not run the invocation yet.
const NOT_YET: &[&str] =
    &["ResourceNotReadyException", "EC2ThrottledException", "ENILimitReachedException"];
/// The error after which Lambda will never run it.
const NOT_EVER: &str = "KMSAccessDeniedException";
/// The largest difference between sums of the same amounts in another order.
const ROUNDING: f64 = 1e-9;

/// Lambda's report of one invocation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Report {
    memory_mb: f64,
    billed_ms: f64,
    is_failure: bool,
}

/// The outcome of an invocation for the client.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Charge {
    /// Lambda has not run it: it is sent again, and not counted.
    Later,
    /// Lambda will never run it: it has failed, at no cost.
    Never,
    /// It may have run, for an unknown time.
    Unknown,
    Known(Report),
}

/// The sums of all invocations of a run.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Bill {
    /// The invocations, without those that were not run and sent again.
    pub(crate) invocations: u64,
    /// The invocations without a measurement.
    pub(crate) failures: u64,
    /// The invocations that may have been billed an unknown amount.
    unknown: u64,
    /// The known cost.
    known_cost: f64,
    /// The cost that Lambda has really billed.
    real_cost: f64,
    /// The known cost, and at least the worst cost of a small invocation for the rest.
    charged: f64,
}

impl Report {
    /// Reads the report in an answer to Invoke.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        let log = BASE64_STANDARD.decode(headers.get("x-amz-log-result")?).ok()?;
        let log = String::from_utf8_lossy(&log).into_owned();
        let line = log.lines().rfind(|line| line.starts_with("REPORT "))?;
        let field = |name: &str| -> Option<f64> {
            let value = line.split('\t').find_map(|field| field.strip_prefix(name))?;
            value.split_whitespace().next()?.parse().ok()
        };
        Some(Self {
            memory_mb: field("Memory Size:")?,
            billed_ms: field("Billed Duration:")?,
            is_failure: headers.contains_key("x-amz-function-error"),
        })
    }

    fn cost(self) -> f64 {
        let gb_second =
            if cfg!(target_arch = "aarch64") { GB_SECOND_ARM64 } else { GB_SECOND_X86_64 };
        self.memory_mb / 1024.0 * self.billed_ms / 1000.0 * gb_second + REQUEST
    }
}

impl Charge {
    /// The outcome, as the client knows it.
    fn of(seen: &Seen) -> Self {
        match seen.fault {
            None | Some(Fault::Slow(_)) => match (seen.report, seen.status) {
                (Some(report), _) => Self::Known(report),
                (None, Some(StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS)) => Self::Later,
                (None, Some(status)) if status.is_client_error() => Self::Never,
                (None, _) => Self::Unknown,
            },
            Some(Fault::Exception { status, name, .. })
                if matches!(status, 409 | 429) || NOT_YET.contains(&name) =>
            {
                Self::Later
            }
            Some(
                Fault::Exception { name: NOT_EVER, .. }
                | Fault::Exception { status: 400..=499, .. },
            ) => Self::Never,
            Some(_) => Self::Unknown,
        }
    }
}

impl Bill {
    /// The bill of these invocations of a function with this timeout.
    pub(crate) fn of<'a>(invocations: impl Iterator<Item = &'a Seen>, timeout_s: i32) -> Self {
        let longest_ms = (f64::from(timeout_s) + LONGEST_INIT_S) * 1000.0;
        let mut bill = Self::default();
        for seen in invocations {
            bill.real_cost += seen.report.map_or(0.0, Report::cost);
            match Charge::of(seen) {
                Charge::Later => continue,
                Charge::Never => bill.failures += 1,
                Charge::Unknown => {
                    let memory_mb = seen.report.map_or(SMALLEST_MB, |report| report.memory_mb);
                    bill.failures += 1;
                    bill.unknown += 1;
                    let worst = Report { memory_mb, billed_ms: longest_ms, is_failure: true };
                    bill.charged += worst.cost();
                }
                Charge::Known(report) => {
                    bill.failures += u64::from(report.is_failure);
                    bill.known_cost += report.cost();
                    bill.charged += report.cost();
                }
            }
            bill.invocations += 1;
        }
        bill
    }

    /// Checks the account in a result.
    ///
    /// A run that was cut off may not have received some answers. For the run such an invocation
    /// has an unknown cost, or the proxy has not seen it.
    pub(crate) fn check(&self, result: &Value) -> Result<(), String> {
        let rows: Vec<&Value> = result["stats"].as_array().into_iter().flatten().collect();
        let sum = |field: &str| rows.iter().filter_map(|row| row[field].as_u64()).sum::<u64>();
        let warned = result["warnings"].as_array().into_iter().flatten();
        let warned = warned
            .filter_map(Value::as_str)
            .find_map(|warning| warning.split_once(" invocations may have run without"))
            .map_or(Ok(0), |(count, _)| count.parse::<u64>());
        let cost = result["explorationCost"].as_f64().unwrap_or(f64::NAN);
        let is_cut = result["complete"] == false;
        let unheard = warned.clone().unwrap_or(0).saturating_sub(self.unknown);
        // The proxy may have counted an invocation without an answer as a failure, too.
        let may_be = |more: u64, than: u64| (than..=than + unheard).contains(&more);
        let total = result["invocations"].as_u64().unwrap_or(u64::MAX);
        let (in_rows, failures) = (sum("invocations"), sum("failures"));
        let rounding = ROUNDING * self.known_cost;
        let is_right = total == in_rows
            && warned.as_ref().is_ok_and(|unknown| *unknown >= self.unknown)
            && if is_cut {
                may_be(total, self.invocations)
                    && may_be(failures, self.failures)
                    && cost <= self.known_cost + rounding
                    && (unheard > 0 || cost >= self.known_cost - rounding)
            } else {
                unheard == 0
                    && (total, failures) == (self.invocations, self.failures)
                    && (cost - self.known_cost).abs() <= rounding
            };
        if is_right {
            return Ok(());
        }
        Err(format!(
            "the result has {total} invocations ({in_rows} in its rows), {failures} failures, \
             {warned:?} of unknown cost, and cost {cost}; by the proxy it should be {self:?}",
        ))
    }

    /// Checks that a cap was kept, by Lambda's bill and by the worst case.
    pub(crate) fn check_cap(&self, most: Option<f64>) -> Result<(), String> {
        match most {
            Some(most) if self.real_cost.max(self.charged) > most * (1.0 + ROUNDING) => {
                Err(format!("maxCost {most} was exceeded: {self:?}"))
            }
            _ => Ok(()),
        }
    }
}
