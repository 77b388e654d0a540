//! The figures of a result that people look at: what is really paid and waited for, requests
//! included, and how that compares with the function's power now.

use powertune_core::{
    power::Power,
    result::{DecidedBy, PowerStats, State, TuningResult},
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
pub(super) fn deciding(result: &TuningResult, row: &PowerStats) -> Option<(f64, f64)> {
    match result.decided_by {
        DecidedBy::AveragePrice => row.average_price.zip(row.average_duration),
        DecidedBy::CostMean => {
            row.cost.zip(row.duration).map(|(cost, duration)| (cost.mean, duration.mean.mean))
        }
    }
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

    /// Whether the intervals leave open which of the two is higher.
    pub(super) fn open(self) -> bool {
        let overlap = |own: Option<f64>, current: Option<f64>| {
            own.zip(current).is_some_and(|(high, low)| high >= low)
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
    let cost = beside(own.cost?, current.cost?)?;
    let duration = beside(own.duration?.mean, current.duration?.mean)?;
    (own.value != current.value).then_some((cost, duration))
}

/// A power's duration at the percentile of the limit, if the result has that percentile.
pub(super) fn limited_duration(result: &TuningResult, row: &PowerStats) -> Option<f64> {
    let duration = row.duration?;
    let percentile = result.percentile?;
    let is = |other: f64| (percentile - other).abs() < 1e-9;
    match percentile {
        _ if is(50.0) => duration.p50,
        _ if is(90.0) => duration.p90,
        _ if is(95.0) => duration.p95,
        _ if is(99.0) => duration.p99,
        _ => None,
    }
}
