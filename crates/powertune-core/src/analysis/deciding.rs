//! The figures that a choice is made by, as they stand in a result.

use super::{
    certainty::{Drawn, Rule},
    row::Row,
};
use crate::{
    result::{DecidedBy, Deciding},
    stats::{Estimate, Reach, percentile},
    strategy::{Candidate, Strategy, badness},
};

/// The deciding figures of each measured row, in order.
pub(super) fn deciding(
    rule: &Rule,
    rows: &[&Row<'_>],
    candidates: &[Candidate],
    drawn: &Drawn,
    reach: Reach,
) -> Vec<Deciding> {
    let scores = badness(rule.strategy, candidates);
    let is_balanced = matches!(rule.strategy, Strategy::Balanced { .. });
    (0..rows.len())
        .map(|index| {
            let (row, candidate) = (rows[index], candidates[index]);
            let (cost, duration) = match rule.decided_by {
                DecidedBy::AveragePrice => (
                    interval(candidate.cost, row, drawn.of(index).map(|drawn| drawn.cost)),
                    interval(
                        candidate.duration_ms,
                        row,
                        drawn.of(index).map(|drawn| drawn.duration_ms),
                    ),
                ),
                DecidedBy::CostMean => row.estimates(&rule.price, reach),
            };
            Deciding {
                cost,
                duration,
                limited: candidate.limited_ms,
                score: is_balanced.then_some(scores[index]),
            }
        })
        .collect()
}

/// The middle 95 % of the draws; one sample tells nothing of the spread.
fn interval(mean: f64, row: &Row<'_>, drawn: impl Iterator<Item = f64>) -> Estimate {
    if row.counted.len() < 2 {
        return Estimate { mean, low: None, high: None };
    }
    let drawn: Vec<f64> = drawn.collect();
    let (low, high) = (percentile(&drawn, 0.025), percentile(&drawn, 0.975));
    // A rounded figure may lie outside of what its unrounded draws come to.
    Estimate { mean, low: low.map(|low| low.min(mean)), high: high.map(|high| high.max(mean)) }
        .usable()
}
