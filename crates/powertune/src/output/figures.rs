//! The figures that the choice was made by, and their ratios to those of the current memory size.

use powertune_core::{
    power::Power,
    result::{PowerStats, State, TuningResult},
    stats::Estimate,
    strategy::StrategyName,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    /// The chosen memory size.
    Best,
    /// A size that can't be told apart from the chosen one.
    Tie,
    /// A worse size.
    Other,
}

pub(super) fn rank(result: &TuningResult, power: Power) -> Rank {
    if power == result.power {
        Rank::Best
    } else if result.ties.contains(&power) {
        Rank::Tie
    } else {
        Rank::Other
    }
}

/// True if the function has this memory size now.
pub(super) fn is_current(result: &TuningResult, power: Power) -> bool {
    result.current.as_ref().is_some_and(|current| current.power == power)
}

/// The memory sizes that took part in the decision.
pub(super) fn measured(result: &TuningResult) -> impl Iterator<Item = &PowerStats> {
    result.stats.iter().filter(|row| row.state == State::Measured)
}

pub(super) fn row(result: &TuningResult, power: Power) -> Option<&PowerStats> {
    measured(result).find(|row| row.value == power)
}

/// The name of a state in the JSON.
pub(super) fn state_name(state: State) -> &'static str {
    match state {
        State::Measured => "measured",
        State::Failed => "failed",
        State::Skipped => "skipped",
    }
}

/// The cost and the duration that decide.
pub(super) fn deciding(row: &PowerStats) -> Option<(f64, f64)> {
    row.deciding.map(|figures| (figures.cost.mean, figures.duration.mean))
}

/// A figure of one memory size, and the same figure of the current one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct FigureRatio {
    own: Estimate,
    current: Estimate,
}

impl FigureRatio {
    pub(super) fn ratio(self) -> f64 {
        self.own.mean / self.current.mean
    }

    /// True if the intervals overlap, or one of them is unknown.
    pub(super) fn open(self) -> bool {
        let overlap = |own: Option<f64>, current: Option<f64>| {
            own.zip(current).is_none_or(|(high, low)| high >= low)
        };
        overlap(self.own.high, self.current.low) && overlap(self.current.high, self.own.low)
    }
}

/// The ratios of cost and duration at `power` to those at the current memory size; `None` if that
/// was not measured, or is `power` itself.
pub(super) fn versus(result: &TuningResult, power: Power) -> Option<(FigureRatio, FigureRatio)> {
    let current = result.current.as_ref().map(|current| current.power)?;
    let (own, current) = (row(result, power)?, row(result, current)?);
    let beside = |own: Estimate, current: Estimate| {
        (current.mean > 0.0).then_some(FigureRatio { own, current })
    };
    let (figures, today) = (own.deciding?, current.deciding?);
    let cost = beside(figures.cost, today.cost)?;
    let duration = beside(figures.duration, today.duration)?;
    (own.value != current.value).then_some((cost, duration))
}

/// The column that decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Criterion {
    Cost,
    Time,
    /// The weighted sum of cost and time.
    Balance,
}

pub(super) fn decides(result: &TuningResult) -> Criterion {
    match result.strategy {
        StrategyName::Cost | StrategyName::MaxDuration => Criterion::Cost,
        StrategyName::Speed => Criterion::Time,
        StrategyName::Balanced => Criterion::Balance,
    }
}

/// The figure in the column that decides.
pub(super) fn criterion(result: &TuningResult, row: &PowerStats) -> Option<f64> {
    let figures = row.deciding?;
    match decides(result) {
        Criterion::Cost => Some(figures.cost.mean),
        Criterion::Time => Some(figures.duration.mean),
        Criterion::Balance => figures.score,
    }
}

/// The duration at the percentile of the limit; at the 95th without a limit.
pub(super) fn percentile(result: &TuningResult, row: &PowerStats) -> Option<f64> {
    if result.percentile.is_some() { row.deciding?.limited } else { row.duration?.p95 }
}

pub(super) fn percentile_name(result: &TuningResult) -> String {
    format!("p{}", result.percentile.unwrap_or(95.0))
}

/// The number of failed invocations, and of those with an allowed exception.
pub(super) fn failures(row: &PowerStats) -> Option<String> {
    let failed = (row.failures > 0).then(|| format!("{} of {}", row.failures, row.invocations));
    let allowed =
        (row.allowed_exceptions > 0).then(|| format!("{} allowed", row.allowed_exceptions));
    let told: Vec<String> = failed.into_iter().chain(allowed).collect();
    (!told.is_empty()).then(|| told.join(", "))
}
