//! The figures that a choice is made by, as they stand in a result.

use super::{certainty::Rule, row::Row};
use crate::{
    result::{DecidedBy, Deciding, PowerStats},
    strategy::{Candidate, Strategy, badness},
};

/// Puts the deciding figures into the `stats` of each measured row; `candidates` are in the order of
/// the rows.
pub(super) fn decide(
    rule: &Rule,
    rows: &[&Row<'_>],
    candidates: &[Candidate],
    stats: &mut [PowerStats],
) {
    let scores = badness(rule.strategy, candidates);
    let is_balanced = matches!(rule.strategy, Strategy::Balanced { .. });
    for ((row, candidate), score) in rows.iter().zip(candidates).zip(scores) {
        let own = stats.iter_mut().find(|stats| stats.value == row.power);
        let own = own.expect("every row is in the result");
        let figures = match rule.decided_by {
            DecidedBy::AveragePrice => Some(row.trimmed_estimates(rule.discard, &rule.price)),
            DecidedBy::CostMean => own.cost.zip(own.duration.map(|duration| duration.mean)),
        };
        own.deciding = figures.map(|(cost, duration)| Deciding {
            cost,
            duration,
            limited: candidate.limited_ms,
            score: is_balanced.then_some(score),
        });
    }
}
