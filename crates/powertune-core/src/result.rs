//! The result of a run, as JSON: everything that aws-lambda-power-tuning gives under its names, and
//! what powertune adds.
//!
//! Money is in the region's currency per invocation, durations are in milliseconds, memory is in
//! MB, intervals are at 95 %. What was not measured is absent (or null inside a statistic), never 0.

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

/// The version of this schema; it changes when a field changes its meaning or goes.
pub const SCHEMA_VERSION: u32 = 1;

/// The result of a tuning run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TuningResult {
    /// The power to choose.
    pub power: Power,
    /// Cost of one invocation at it, by the rule in `decidedBy`.
    pub cost: f64,
    /// Duration of one invocation at it, by the rule in `decidedBy`.
    pub duration: f64,
    /// What the run cost, and a link to its picture.
    pub state_machine: StateMachine,
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The function, unqualified.
    pub function_arn: String,
    /// Its instruction set architecture.
    pub architecture: Architecture,
    /// Its region.
    pub region: Region,
    /// The currency of every amount.
    pub currency: Currency,
    /// The date of the price list that the costs are computed with.
    pub prices_published: String,
    /// Where that list is from; left out where it is built in.
    #[serde(default, skip_serializing_if = "is_built_in")]
    pub prices_from: PricesFrom,
    /// When that list was fetched, in the form of RFC 3339; absent where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices_fetched: Option<String>,
    /// The file that has the list; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices_file: Option<String>,
    /// The strategy of the choice: `cost`, `speed`, `balanced` or `max-duration`.
    pub strategy: StrategyName,
    /// The weight of the cost, for `balanced`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balanced_weight: Option<f64>,
    /// The limit in milliseconds, for `max-duration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_duration: Option<f64>,
    /// The percentile (0 to 100) at which the limit is to be kept, for `max-duration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percentile: Option<f64>,
    /// Whether the chosen power is known to keep to the limit, for `max-duration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_kept: Option<bool>,
    /// Which figures decided.
    pub decided_by: DecidedBy,
    /// The probability that no other measured power is better by more than the indifference zone;
    /// absent where `unmeasured` names a power, since that one may be better by any amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// By how much another power may be better, as a share, without anything to choose by: `confidence`
    /// says how likely it is that none is better by more.
    #[serde(default)]
    pub indifference: f64,
    /// Powers that were tried and could not be measured for reasons outside of the function:
    /// invocations that were refused, not sent, lost, or came back without a REPORT.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmeasured: Vec<Power>,
    /// Powers that were to be chosen from and never invoked: they could not win any more, or the run
    /// ended before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_tried: Vec<Power>,
    /// The confidence, in percent, below which nothing is applied, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_confidence: Option<f64>,
    /// Powers not told apart from the chosen one by what the strategy compares.
    pub ties: Vec<Power>,
    /// The function's own power, where it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Current>,
    /// What choosing saves, as a share of the current cost; negative = dearer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub savings: Option<f64>,
    /// How many invocations were sent to the function.
    pub invocations: u64,
    /// What they were billed, requests included, as far as known.
    pub exploration_cost: f64,
    /// How long the run took, from the first call to the last.
    pub elapsed_ms: u64,
    /// Why measuring ended.
    pub stopped: Stopped,
    /// Whether measuring came to its end; left out where it did.
    #[serde(default = "complete", skip_serializing_if = "is_complete")]
    pub complete: bool,
    /// What was applied, once that is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<Applied>,
    /// What a user should know.
    pub warnings: Vec<String>,
    /// One row a power, smallest first.
    pub stats: Vec<PowerStats>,
}

impl TuningResult {
    /// Whether the choice is one to apply: the limit on the duration is kept, if there is one, and
    /// no power is left out that may be better, and it is as sure as was asked for.
    pub fn is_applicable(&self) -> bool {
        self.limit_kept != Some(false) && self.unmeasured.is_empty() && self.is_sure_enough()
    }

    /// Whether the choice is as sure as was asked for.
    pub fn is_sure_enough(&self) -> bool {
        self.min_confidence.is_none_or(|percent| {
            self.confidence.is_some_and(|confidence| confidence * 100.0 >= percent)
        })
    }

    /// Where the prices are from, and from when.
    pub fn origin(&self) -> Origin {
        Origin {
            published: self.prices_published.clone(),
            from: self.prices_from,
            fetched: self.prices_fetched.clone(),
            file: self.prices_file.clone(),
        }
    }

    /// Has the picture shown by another page than [`visualization::BASE`].
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

/// Results of before the field was there are of runs that came to their end.
fn complete() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_complete(complete: &bool) -> bool {
    *complete
}

/// What the function, or an alias of it, was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// The power.
    pub power: Power,
    /// The alias that points to it; absent where `$LATEST` has the power.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The version that the alias points to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// aws-lambda-power-tuning's part about the run itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StateMachine {
    /// What the state transitions cost; 0 where no state machine ran.
    pub execution_cost: f64,
    /// What the invocations cost.
    pub lambda_cost: f64,
    /// The picture of the result.
    pub visualization: String,
}

/// Which figures decide between powers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DecidedBy {
    /// aws-lambda-power-tuning's: `averagePrice` and `averageDuration`.
    AveragePrice,
    /// What is really paid and waited for: the means in `cost` and `duration`, warm-ups aside.
    CostMean,
}

/// The power that the function has now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Current {
    /// The power.
    pub power: Power,
    /// Cost of one invocation at it.
    pub cost: f64,
    /// Duration of one invocation at it.
    pub duration: f64,
}

/// What was measured at one power.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PowerStats {
    /// The power.
    pub value: Power,
    /// aws-lambda-power-tuning's: price of the trimmed mean of the billed time, rounded up, without
    /// the request charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_price: Option<f64>,
    /// aws-lambda-power-tuning's: trimmed mean of duration, init and restore together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_duration: Option<f64>,
    /// How many invocations were sent to it.
    pub invocations: u32,
    /// How many of those that count were cold starts.
    pub cold_starts: u32,
    /// How many failed, and do not count.
    pub failures: u32,
    /// How many of those that count ended with an allowed exception.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub allowed_exceptions: u32,
    /// What an invocation costs, the request included: of warm ones, or of cold ones where there
    /// are no others or cold ones alone were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Estimate>,
    /// The figures that the choice was made by; absent where the power takes no part in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deciding: Option<Deciding>,
    /// How long an invocation takes; of the same ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<DurationStats>,
    /// How long a cold start's Init or Restore took, on average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_duration: Option<f64>,
    /// The most memory that an invocation used, in MB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_memory_used: Option<u32>,
    /// Whether it takes part in the decision.
    pub state: State,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The figures that a choice is made by: those of `decidedBy`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deciding {
    /// Cost of one invocation.
    pub cost: Estimate,
    /// Duration of one invocation, in milliseconds.
    pub duration: Estimate,
    /// Duration at the percentile of the limit, for `max-duration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limited: Option<f64>,
    /// The weighted sum of cost and duration, each as a share of the highest measured, for
    /// `balanced`; lower is better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
}

/// How long invocations take, in milliseconds. A percentile is null with too few samples for it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DurationStats {
    /// Mean, and its interval.
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

/// What became of a power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// It was measured and takes part in the decision.
    Measured,
    /// The function does not work at it, or it is among the `unmeasured`.
    Failed,
    /// It could not be tried.
    Skipped,
}
