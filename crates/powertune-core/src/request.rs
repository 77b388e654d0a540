//! The request: the function to tune, and the options, in the input format of
//! aws-lambda-power-tuning and with powertune's own fields.
//!
//! Fields of aws-lambda-power-tuning (and of its 2017 design) have the same names and meanings
//! here. [`parse`] checks every field before any call and reports all faults at once. A value that
//! aws-lambda-power-tuning clamps is clamped here too, with a warning.

mod auto_optimize;
mod fields;
mod parse;

use std::sync::Arc;

use self::parse::most_invocations;
pub use self::{
    auto_optimize::{AutoOptimize, ReleaseLatest},
    fields::{Fault, Faults},
    parse::{FIELDS, parse, parse_with_options},
};
use crate::{
    arn::FunctionRef, payload::Payloads, power::PowerValues, strategy::Strategy, warning::Warning,
};

/// The minimum number of invocations per power, as in aws-lambda-power-tuning.
pub const MIN_NUM: u32 = 5;
/// The maximum number of invocations per power. It is far beyond any need, and guards against an
/// expensive typing error.
pub const MAX_NUM: u32 = 100_000;
/// The maximum number of invocations per power with `num: auto`.
pub const AUTO_MOST: u32 = 60;
/// The usual number of invocations per power with `num: auto`: about 40 for six powers.
const AUTO_EXPECTED: u32 = 7;

/// A checked request.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The function to tune.
    pub function: FunctionRef,
    /// The powers to measure. `None` means the default ones and the function's own.
    pub powers: Option<PowerValues>,
    /// The number of invocations per power.
    pub num: Num,
    /// True for one invocation per power, to see that it works.
    pub dry_run: bool,
    /// The source of the payload.
    pub payload: PayloadSource,
    /// One invocation at a time at each power, or many.
    pub pace: Pace,
    /// True if only cold starts count.
    pub only_cold_starts: bool,
    /// The goal of the choice.
    pub strategy: Strategy,
    /// The share by which a choice may be worse than the best in its goal, if it is better in the
    /// other figure.
    pub tolerance: f64,
    /// The share of samples to trim at each end for averagePrice and averageDuration.
    pub discard_top_bottom: f64,
    /// Invoked before each invocation. Its answer replaces the payload.
    pub pre_processor: Option<FunctionRef>,
    /// Invoked after each invocation, with the answer of that.
    pub post_processor: Option<FunctionRef>,
    /// The `errorType`s of failures that count as results.
    pub allowed_exceptions: Vec<String>,
    /// The share of a power's invocations that may end with an error. A power fails if the lower 95
    /// % bound of its error rate exceeds it.
    pub max_error_rate: f64,
    /// The required confidence in percent. Below it, nothing is applied.
    pub min_confidence: Option<f64>,
    /// The way to apply the choice. `None` applies nothing.
    pub auto_optimize: Option<AutoOptimize>,
    /// True if messages must not show payloads.
    pub disable_payload_logs: bool,
    /// The cost limit of the invocations, in the currency of the function's region. Invocations of
    /// pre- and post-processors are not counted.
    pub max_cost: Option<f64>,
    /// The seed of every random number in the analysis.
    pub seed: u64,
    /// Advice for the author of the request.
    pub warnings: Vec<Warning>,
}

/// The number of invocations per power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Num {
    /// As many as the answer needs.
    Auto,
    /// A fixed number, cold starts included.
    Fixed(u32),
}

/// The source of the payload.
#[derive(Debug, Clone, PartialEq)]
pub enum PayloadSource {
    /// The request itself.
    Inline(Payloads),
    /// An object in S3, to fetch and to read with [`Payloads::parse`].
    S3 {
        /// The name of the bucket.
        bucket: String,
        /// The key of the object.
        key: String,
    },
}

/// The order of the invocations at one power. Powers are measured side by side in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// One after the other.
    Series {
        /// The pause between two invocations, in milliseconds.
        sleep_ms: u64,
    },
    /// Many at a time.
    Parallel {
        /// The maximum over all powers. `None` means the account's free concurrency.
        limit: Option<u32>,
    },
}

impl Request {
    /// The usual number of invocations per power, warm-ups included.
    pub(crate) fn expected_invocations(&self) -> u32 {
        match self.num {
            Num::Fixed(num) => num,
            Num::Auto => AUTO_EXPECTED,
        }
    }

    /// The maximum number of invocations per power, warm-ups included.
    pub fn most_invocations(&self) -> u32 {
        most_invocations(self.num, self.strategy)
    }

    /// The same maximum with `num: auto`, otherwise `None`.
    pub fn open_end(&self) -> Option<u32> {
        (self.num == Num::Auto && !self.dry_run).then(|| self.most_invocations())
    }

    /// The number of invocations that send every payload once. It is 1 for a payload in S3, which
    /// is not known yet.
    pub(crate) fn payload_cycle(&self) -> u32 {
        let PayloadSource::Inline(payloads) = &self.payload else { return 1 };
        let all = payloads.expand(self.most_invocations() as usize).unwrap_or_default();
        let mut met = std::collections::HashSet::new();
        let firsts = all.iter().zip(1..).filter(|(payload, _)| met.insert(Arc::as_ptr(payload)));
        firsts.map(|(_, number)| number).last().unwrap_or(1)
    }
}

/// The minimum number of samples for a percentile (0 to 100, exclusive): n >= 1/(1-p).
pub(crate) fn samples_for(percentile: f64) -> u32 {
    (1..=MAX_NUM).find(|&n| f64::from(n) * (100.0 - percentile) >= 100.0 - 1e-9).unwrap_or(MAX_NUM)
}

#[cfg(test)]
mod tests;
