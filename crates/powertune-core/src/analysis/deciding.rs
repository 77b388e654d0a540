//! The deciding figures in a result.

use super::{certainty::Rule, size_samples::SizeSamples};
use crate::{
    result::{DecidedBy, Deciding, PowerStats},
    strategy::{Candidate, Strategy, badness},
};

/// Adds the deciding figures to the `stats` of each measured size. `candidates` have the order of
/// the sizes.
pub(super) fn decide(
    rule: &Rule,
    sizes: &[&SizeSamples<'_>],
    candidates: &[Candidate],
    stats: &mut [PowerStats],
) {
    let scores = badness(rule.strategy, candidates);
    let is_balanced = matches!(rule.strategy, Strategy::Balanced { .. });
    for ((size, candidate), score) in sizes.iter().zip(candidates).zip(scores) {
        let own = stats.iter_mut().find(|stats| stats.value == size.power);
        let own = own.expect("every size is in the result");
        let figures = match rule.decided_by {
            DecidedBy::AveragePrice => Some(size.trimmed_estimates(rule.discard, &rule.price)),
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
