//! Strategies to choose among the measured powers.
//!
//! Cost, speed and balanced, and their rules for ties, come from aws-lambda-power-tuning. The
//! tolerance and the limit on the duration are powertune's own.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// The goal of the choice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Strategy {
    /// The cheapest power, and the faster of equally cheap ones.
    Cost,
    /// The fastest power, and the cheaper of equally fast ones.
    Speed,
    /// The lowest weighted sum of cost and duration, each as a share of the highest measured one.
    Balanced {
        /// The weight of the cost, from 0 (speed alone) to 1 (cost alone).
        weight: f64,
    },
    /// The cheapest power whose duration, at a percentile, stays within a limit.
    MaxDuration {
        /// The limit in milliseconds.
        limit_ms: f64,
        /// The percentile, between 0 and 100.
        percentile: f64,
    },
}

impl Strategy {
    /// The strategy without its parameters, as a result names it.
    pub fn name(self) -> StrategyName {
        match self {
            Self::Cost => StrategyName::Cost,
            Self::Speed => StrategyName::Speed,
            Self::Balanced { .. } => StrategyName::Balanced,
            Self::MaxDuration { .. } => StrategyName::MaxDuration,
        }
    }
}

/// The name of a [`Strategy`] in a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StrategyName {
    /// `cost`
    Cost,
    /// `speed`
    Speed,
    /// `balanced`
    Balanced,
    /// `max-duration`
    MaxDuration,
}

/// The figures of one power that strategies compare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The cost of one invocation.
    pub cost: f64,
    /// The duration of one invocation in milliseconds.
    pub duration_ms: f64,
    /// The duration at the percentile of the limit, in milliseconds. Missing with too few samples.
    pub limited_ms: Option<f64>,
}

/// The index of the best candidate. `None` without candidates.
///
/// `tolerance` is a share, 0.03 for 3 %. Among the candidates that are worse than the best by at
/// most this share, [`Strategy::Cost`] and [`Strategy::MaxDuration`] take the fastest, and
/// [`Strategy::Speed`] takes the cheapest. [`Strategy::Balanced`] weighs both figures already and
/// ignores it. The first of equal candidates wins.
pub fn choose(strategy: Strategy, tolerance: f64, candidates: &[Candidate]) -> Option<usize> {
    let badness = badness(strategy, candidates);
    let best = badness.iter().copied().min_by(f64::total_cmp)?;
    let other = |index: usize| match strategy {
        Strategy::Speed => candidates[index].cost,
        Strategy::Cost | Strategy::Balanced { .. } | Strategy::MaxDuration { .. } => {
            candidates[index].duration_ms
        }
    };
    let tolerance = if matches!(strategy, Strategy::Balanced { .. }) { 0.0 } else { tolerance };
    (0..candidates.len())
        .filter(|&index| badness[index] <= best * (1.0 + tolerance))
        .min_by(|&a, &b| other(a).total_cmp(&other(b)).then(badness[a].total_cmp(&badness[b])))
}

/// The badness of each candidate by this strategy alone: positive, lower is better, and comparable
/// only within one call.
///
/// A candidate above a limit is infinitely bad. If every candidate is above it, they rank by the
/// distance to the limit, so the closest is chosen.
pub fn badness(strategy: Strategy, candidates: &[Candidate]) -> Vec<f64> {
    match strategy {
        Strategy::Cost => candidates.iter().map(|c| c.cost).collect(),
        Strategy::Speed => candidates.iter().map(|c| c.duration_ms).collect(),
        Strategy::Balanced { weight } => {
            let highest_cost = highest(candidates.iter().map(|c| c.cost));
            let highest_duration = highest(candidates.iter().map(|c| c.duration_ms));
            candidates
                .iter()
                .map(|c| {
                    weight * share(c.cost, highest_cost)
                        + (1.0 - weight) * share(c.duration_ms, highest_duration)
                })
                .collect()
        }
        Strategy::MaxDuration { limit_ms, .. } => {
            if candidates.iter().any(|c| keeps(c, limit_ms)) {
                let cost = |c: &Candidate| if keeps(c, limit_ms) { c.cost } else { f64::INFINITY };
                candidates.iter().map(cost).collect()
            } else {
                candidates.iter().map(|c| c.limited_ms.unwrap_or(f64::INFINITY)).collect()
            }
        }
    }
}

/// True if the candidate is known to stay within the limit.
pub fn keeps(candidate: &Candidate, limit_ms: f64) -> bool {
    candidate.limited_ms.is_some_and(|duration_ms| duration_ms <= limit_ms)
}

fn highest(values: impl Iterator<Item = f64>) -> f64 {
    values.max_by(f64::total_cmp).unwrap_or(0.0)
}

/// `value` as a share of `whole`. The share of zero is zero.
fn share(value: f64, whole: f64) -> f64 {
    match whole.partial_cmp(&0.0) {
        Some(Ordering::Greater) => value / whole,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(cost: f64, duration_ms: f64) -> Candidate {
        Candidate { cost, duration_ms, limited_ms: Some(duration_ms) }
    }

    #[test]
    fn cost_takes_the_cheapest_and_of_equals_the_faster() {
        let candidates = [candidate(2.0, 9.0), candidate(1.0, 8.0), candidate(1.0, 3.0)];
        assert_eq!(choose(Strategy::Cost, 0.0, &candidates), Some(2));
    }

    #[test]
    fn speed_takes_the_fastest_and_of_equals_the_cheaper() {
        let candidates = [candidate(9.0, 3.0), candidate(5.0, 3.0), candidate(1.0, 8.0)];
        assert_eq!(choose(Strategy::Speed, 0.0, &candidates), Some(1));
    }

    #[test]
    fn balanced_at_its_ends_is_speed_and_cost() {
        let candidates = [candidate(1.0, 10.0), candidate(1.5, 4.0), candidate(6.0, 2.0)];
        let chosen = |weight| choose(Strategy::Balanced { weight }, 0.0, &candidates);
        assert_eq!(chosen(0.0), Some(2));
        assert_eq!(chosen(1.0), Some(0));
        // 0.5*1/6+0.5*1 = 0.583; 0.5*1.5/6+0.5*0.4 = 0.325; 0.5*1+0.5*0.2 = 0.6
        assert_eq!(chosen(0.5), Some(1));
    }

    #[test]
    fn a_limit_takes_the_cheapest_that_keeps_to_it() {
        let strategy = Strategy::MaxDuration { limit_ms: 5.0, percentile: 95.0 };
        let candidates = [candidate(1.0, 9.0), candidate(3.0, 4.0), candidate(2.0, 5.0)];
        assert_eq!(choose(strategy, 0.0, &candidates), Some(2));
    }

    #[test]
    fn a_limit_that_nothing_keeps_takes_the_closest() {
        let strategy = Strategy::MaxDuration { limit_ms: 1.0, percentile: 95.0 };
        let mut candidates = [candidate(1.0, 9.0), candidate(3.0, 4.0)];
        assert_eq!(choose(strategy, 0.0, &candidates), Some(1));
        candidates[1].limited_ms = None;
        assert_eq!(choose(strategy, 0.0, &candidates), Some(0));
    }

    #[test]
    fn a_tolerance_buys_speed_for_little_money() {
        let candidates = [candidate(1.0, 100.0), candidate(1.02, 9.0), candidate(1.2, 5.0)];
        assert_eq!(choose(Strategy::Cost, 0.0, &candidates), Some(0));
        assert_eq!(choose(Strategy::Cost, 0.03, &candidates), Some(1));
        assert_eq!(choose(Strategy::Cost, 0.5, &candidates), Some(2));
    }

    #[test]
    fn nothing_to_choose_from_is_no_choice() {
        assert_eq!(choose(Strategy::Cost, 0.0, &[]), None);
    }
}
