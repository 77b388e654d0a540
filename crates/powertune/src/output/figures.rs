//! The figures of a result that people look at: those that the choice was made by, and how they
//! compare with the function's memory size now.

use powertune_core::{
    power::Power,
    result::{PowerStats, State, TuningResult},
    stats::Estimate,
};

/// A row's place in the choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is the power to choose.
    Best,
    /// It was not told apart from that.
    Tie,
    /// It is worse.
    Other,
}

pub(super) fn standing(result: &TuningResult, power: Power) -> Standing {
    if power == result.power {
        Standing::Best
    } else if result.ties.contains(&power) {
        Standing::Tie
    } else {
        Standing::Other
    }
}

/// Whether `power` is what the function has now.
pub(super) fn is_current(result: &TuningResult, power: Power) -> bool {
    result.current.as_ref().is_some_and(|current| current.power == power)
}

/// The powers that took part in the decision.
pub(super) fn measured(result: &TuningResult) -> impl Iterator<Item = &PowerStats> {
    result.stats.iter().filter(|row| row.state == State::Measured)
}

pub(super) fn row(result: &TuningResult, power: Power) -> Option<&PowerStats> {
    measured(result).find(|row| row.value == power)
}

/// The cost and the duration by which a power is compared with others.
pub(super) fn deciding(row: &PowerStats) -> Option<(f64, f64)> {
    row.deciding.map(|figures| (figures.cost.mean, figures.duration.mean))
}

/// One power's figure beside the current power's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Versus {
    own: Estimate,
    current: Estimate,
}

impl Versus {
    /// The figure as a multiple of the current one.
    pub(super) fn ratio(self) -> f64 {
        self.own.mean / self.current.mean
    }

    /// Whether the intervals leave open which of the two is higher; where one is unknown, they do.
    pub(super) fn open(self) -> bool {
        let overlap = |own: Option<f64>, current: Option<f64>| {
            own.zip(current).is_none_or(|(high, low)| high >= low)
        };
        overlap(self.own.high, self.current.low) && overlap(self.current.high, self.own.low)
    }
}

/// The cost and the duration at `power` beside those at the current power, where that was measured
/// and is another one.
pub(super) fn versus(result: &TuningResult, power: Power) -> Option<(Versus, Versus)> {
    let current = result.current.as_ref().map(|current| current.power)?;
    let (own, current) = (row(result, power)?, row(result, current)?);
    let beside =
        |own: Estimate, current: Estimate| (current.mean > 0.0).then_some(Versus { own, current });
    let (figures, today) = (own.deciding?, current.deciding?);
    let cost = beside(figures.cost, today.cost)?;
    let duration = beside(figures.duration, today.duration)?;
    (own.value != current.value).then_some((cost, duration))
}

/// Which column the choice was made by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decides {
    /// Cost per invocation.
    Cost,
    /// Duration.
    Time,
    /// The weighted sum of both.
    Balance,
}

pub(super) fn decides(result: &TuningResult) -> Decides {
    match result.strategy.as_str() {
        "speed" => Decides::Time,
        "balanced" => Decides::Balance,
        _ => Decides::Cost,
    }
}

/// The figure of that column.
pub(super) fn criterion(result: &TuningResult, row: &PowerStats) -> Option<f64> {
    let figures = row.deciding?;
    match decides(result) {
        Decides::Cost => Some(figures.cost.mean),
        Decides::Time => Some(figures.duration.mean),
        Decides::Balance => figures.score,
    }
}

/// A power's duration at the percentile of the limit, or at the 95th where there is no limit.
pub(super) fn percentile(result: &TuningResult, row: &PowerStats) -> Option<f64> {
    if result.percentile.is_some() { row.deciding?.limited } else { row.duration?.p95 }
}

/// The name of that percentile: `p95`.
pub(super) fn percentile_name(result: &TuningResult) -> String {
    format!("p{}", result.percentile.unwrap_or(95.0))
}

/// How many of a power's invocations failed, and how many ended with an allowed exception.
pub(super) fn failures(row: &PowerStats) -> Option<String> {
    let failed = (row.failures > 0).then(|| format!("{} of {}", row.failures, row.invocations));
    let allowed =
        (row.allowed_exceptions > 0).then(|| format!("{} allowed", row.allowed_exceptions));
    let told: Vec<String> = failed.into_iter().chain(allowed).collect();
    (!told.is_empty()).then(|| told.join(", "))
}
