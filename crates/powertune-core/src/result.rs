//! The result of a run, as JSON: every field of aws-lambda-power-tuning under its name, and the
//! fields of powertune.
//!
//! Money is in the currency of the region and per invocation. Durations are in milliseconds, memory
//! is in MB, intervals are at 95 %. A figure that was not measured is absent (or null inside a
//! statistic), never 0.

use serde::{Deserialize, Serialize};

use crate::{
    architecture::Architecture,
    power::Power,
    price::{Origin, PricesFrom},
    region::{Currency, Region},
    stats::Estimate,
    stopped::Stopped,
    strategy::StrategyName,
    visualization,
};

/// The version of this schema. It rises when a field changes its meaning or disappears.
pub const SCHEMA_VERSION: u32 = 1;

/// The result of a tuning run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TuningResult {
    /// The chosen power.
    pub power: Power,
    /// The cost of one invocation at the chosen power, by the rule in `decidedBy`.
    pub cost: f64,
    /// The duration of one invocation at the chosen power, by the rule in `decidedBy`.
    pub duration: f64,
    /// The cost of the run, and the link to the chart.
    pub state_machine: StateMachine,
    /// Equal to [`SCHEMA_VERSION`] in a new result.
    pub schema_version: u32,
    /// The unqualified ARN.
    pub function_arn: String,
    /// The instruction set architecture.
    pub architecture: Architecture,
    /// The region of the function.
    pub region: Region,
    /// The currency of every amount.
    pub currency: Currency,
    /// The date of the price list, as year, month and day.
    pub prices_published: String,
    /// The source of the price list. Left out if it is built in.
    #[serde(default, skip_serializing_if = "is_built_in")]
    pub prices_from: PricesFrom,
    /// The time at which the list was fetched, in RFC 3339. Absent if it was not fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices_fetched: Option<String>,
    /// The file with the list. Absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices_file: Option<String>,
    /// The goal: `cost`, `speed`, `balanced` or `max-duration`.
    pub strategy: StrategyName,
    /// The weight of the cost from 0 to 1, for `balanced`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balanced_weight: Option<f64>,
    /// The limit in milliseconds, for `max-duration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_duration: Option<f64>,
    /// The percentile (0 to 100) that must stay within the limit, for `max-duration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percentile: Option<f64>,
    /// True if the chosen power is known to stay within the limit, for `max-duration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_kept: Option<bool>,
    /// The figures that decided.
    pub decided_by: DecidedBy,
    /// The probability (0 to 1) that no other measured power is better by more than `indifference`.
    /// Absent if `unmeasured` names a power, because that power may be better by any amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// The indifference zone, as a share: a smaller difference is not worth a choice.
    #[serde(default)]
    pub indifference: f64,
    /// The powers that could not be measured for reasons outside of the function: invocations were
    /// refused, not sent or lost, or came back without a REPORT.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmeasured: Vec<Power>,
    /// The powers without an invocation: they could not win any more, or the run ended first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_tried: Vec<Power>,
    /// The required confidence in percent. Below it, nothing is applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_confidence: Option<f64>,
    /// The powers that the figures do not tell apart from the chosen one.
    pub ties: Vec<Power>,
    /// The function's own power, if it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Current>,
    /// The saving as a share of the current cost. Negative if the choice costs more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub savings: Option<f64>,
    /// The number of invocations of the function.
    pub invocations: u64,
    /// The cost of all invocations, request charges included, as far as it is known.
    pub exploration_cost: f64,
    /// The time from the first call of the run to the last.
    pub elapsed_ms: u64,
    /// The reason why measuring ended.
    pub stopped: Stopped,
    /// False if measuring was cut short. Left out if true.
    #[serde(default = "complete", skip_serializing_if = "is_complete")]
    pub complete: bool,
    /// The applied power, after it was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<Applied>,
    /// Advice for the user.
    pub warnings: Vec<String>,
    /// One row per power, in ascending order.
    pub stats: Vec<PowerStats>,
}

impl TuningResult {
    /// True if the choice may be applied: it stays within the limit on the duration, no better
    /// power was left out, and it has the required confidence.
    pub fn is_applicable(&self) -> bool {
        self.limit_kept != Some(false) && self.unmeasured.is_empty() && self.is_sure_enough()
    }

    /// True if the choice has the required confidence.
    pub fn is_sure_enough(&self) -> bool {
        self.min_confidence.is_none_or(|percent| {
            self.confidence.is_some_and(|confidence| confidence * 100.0 >= percent)
        })
    }

    /// The source and date of the prices.
    pub fn origin(&self) -> Origin {
        Origin {
            published: self.prices_published.clone(),
            from: self.prices_from,
            fetched: self.prices_fetched.clone(),
            file: self.prices_file.clone(),
        }
    }

    /// Replaces the page of the chart, which is [`visualization::BASE`] at first.
    pub fn show_at(&mut self, page: &str) {
        let link = &mut self.state_machine.visualization;
        if let Some(data) = link.strip_prefix(visualization::BASE) {
            *link = format!("{page}{data}");
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_built_in(from: &PricesFrom) -> bool {
    *from == PricesFrom::BuiltIn
}

/// Results without this field come from older versions, and their runs were complete.
fn complete() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_complete(complete: &bool) -> bool {
    *complete
}

/// The change that was applied to the function or to an alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// The chosen power.
    pub power: Power,
    /// The alias that points to the new version. Absent if `$LATEST` has the power.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The version that the alias points to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// The part of aws-lambda-power-tuning about the run itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StateMachine {
    /// The cost of the state transitions. 0 without a state machine.
    pub execution_cost: f64,
    /// The cost of the invocations.
    pub lambda_cost: f64,
    /// The link to the chart of the result.
    pub visualization: String,
}

/// The figures that decide between powers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DecidedBy {
    /// The figures of aws-lambda-power-tuning: `averagePrice` and `averageDuration`.
    AveragePrice,
    /// The means in `cost` and `duration`, which users really pay and wait for, without warm-ups.
    CostMean,
}

/// The figures at the power that the function has now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Current {
    /// The power of the function, or of the named version or alias.
    pub power: Power,
    /// The cost of one invocation.
    pub cost: f64,
    /// The duration of one invocation.
    pub duration: f64,
}

/// The measurements at one power.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PowerStats {
    /// The memory size in MB.
    pub value: Power,
    /// As in aws-lambda-power-tuning: the price of the trimmed mean of the billed duration, rounded
    /// up, without the request charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_price: Option<f64>,
    /// As in aws-lambda-power-tuning: the trimmed mean of the duration, init and restore included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_duration: Option<f64>,
    /// The number of invocations.
    pub invocations: u32,
    /// The number of cold starts among the invocations that count.
    pub cold_starts: u32,
    /// The number of failed invocations, which do not count.
    pub failures: u32,
    /// The number of invocations that count and ended with an allowed exception.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub allowed_exceptions: u32,
    /// The mean cost of a warm invocation, request charge included. Of a cold one if there are only
    /// cold ones, or if only cold starts count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Estimate>,
    /// The figures that decided. Absent if the power takes no part in the decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deciding: Option<Deciding>,
    /// The durations of the same invocations as `cost`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<DurationStats>,
    /// The mean duration of Init or Restore in the cold starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_duration: Option<f64>,
    /// The maximum memory that an invocation used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_memory_used: Option<u32>,
    /// The part of this power in the decision.
    pub state: State,
    /// The reason of a `state` other than `measured`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The figures that decide, by the rule in `decidedBy`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deciding {
    /// The cost of one invocation.
    pub cost: Estimate,
    /// The duration of one invocation.
    pub duration: Estimate,
    /// The duration at the percentile of the limit, for `max-duration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limited: Option<f64>,
    /// The weighted sum of cost and duration, each as a share of the highest measured one, for
    /// `balanced`. Lower is better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
}

/// The durations of invocations. A percentile is null if there are too few samples for it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DurationStats {
    /// The mean with its interval.
    #[serde(flatten)]
    pub mean: Estimate,
    /// Median.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// 95th percentile.
    pub p95: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
}

/// The part of a power in the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// The power was measured and takes part.
    Measured,
    /// The function does not work at this power, or the power is in `unmeasured`.
    Failed,
    /// The power could not be tried.
    Skipped,
}
