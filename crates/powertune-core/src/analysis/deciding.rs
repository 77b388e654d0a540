//! The figures that a choice is made by, as they stand in a result.

use super::{certainty::Rule, row::Row};
use crate::{
    result::{DecidedBy, Deciding},
    stats::Reach,
    strategy::{Candidate, Strategy, badness},
};

/// The deciding figures of each measured row, in order.
pub(super) fn deciding(
    rule: &Rule,
    rows: &[&Row<'_>],
    candidates: &[Candidate],
    reach: Reach,
) -> Vec<Deciding> {
    let scores = badness(rule.strategy, candidates);
    let is_balanced = matches!(rule.strategy, Strategy::Balanced { .. });
    let figures = rows.iter().zip(candidates).zip(scores).map(|((row, candidate), score)| {
        let (cost, duration) = match rule.decided_by {
            DecidedBy::AveragePrice => row.trimmed_estimates(rule.discard, &rule.price),
            DecidedBy::CostMean => row.estimates(&rule.price, reach),
        };
        Deciding {
            cost,
            duration,
            limited: candidate.limited_ms,
            score: is_balanced.then_some(score),
        }
    });
    figures.collect()
}
