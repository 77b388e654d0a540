//! How sure a choice is: what the strategy would say of each of many draws of what the powers'
//! figures may truly be.

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use super::row::Row;
use crate::{
    price::Price,
    stats::resample::{DEFAULT_DRAWS, Draw, Statistic, draws},
    strategy::{Candidate, Strategy, badness},
};

/// Differences of up to 3 % are nothing to choose by.
const INDIFFERENCE: f64 = 0.03;
/// Of two powers told apart at 95 %, one is better in less than this share of the draws.
const TAIL: f64 = 0.025;

/// How sure a choice is.
#[derive(Debug, PartialEq)]
pub(super) struct Certainty {
    /// The probability that no other candidate is better by more than the indifference zone.
    pub(super) confidence: f64,
    /// The indices of the candidates that are not told apart from the chosen one.
    pub(super) ties: Vec<usize>,
}

/// How a certainty is computed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule<'a> {
    pub(super) strategy: Strategy,
    pub(super) tolerance: f64,
    pub(super) discard: f64,
    pub(super) price: &'a Price,
    pub(super) seed: u64,
}

/// How sure it is that `rows[chosen]` is the one to choose.
pub(super) fn certainty(rule: Rule<'_>, rows: &[&Row<'_>], chosen: usize) -> Certainty {
    let mut rng = ChaCha8Rng::seed_from_u64(rule.seed);
    let drawn: Vec<Vec<Candidate>> =
        rows.iter().map(|row| candidates(rule, row, &mut rng)).collect();
    // A power that is always better, never better, or told apart in neither direction.
    let mut better = vec![0.0; rows.len()];
    let mut right = 0_u32;
    let zone = 1.0 + rule.tolerance.max(INDIFFERENCE);
    for index in 0..DEFAULT_DRAWS {
        let candidates: Vec<Candidate> = drawn.iter().map(|draws| draws[index]).collect();
        let badness = badness(rule.strategy, &candidates);
        let own = badness[chosen];
        right += u32::from(badness.iter().all(|&other| own <= other * zone));
        for (better, &other) in better.iter_mut().zip(&badness) {
            *better += if other < own {
                1.0
            } else if other > own {
                0.0
            } else {
                0.5
            };
        }
    }
    let count = DEFAULT_DRAWS as f64;
    let told_apart = |better: f64| better / count < TAIL || better / count > 1.0 - TAIL;
    Certainty {
        confidence: f64::from(right) / count,
        ties: (0..rows.len()).filter(|&i| i != chosen && !told_apart(better[i])).collect(),
    }
}

/// Draws of one power's candidate.
fn candidates(rule: Rule<'_>, row: &Row<'_>, rng: &mut ChaCha8Rng) -> Vec<Candidate> {
    let discard = rule.discard;
    let billed = Statistic::CeilTrimmedMean { discard };
    let power = row.power;
    let candidate = |draw: Draw, limited_ms| Candidate {
        cost: rule.price.duration_cost(power, draw.billed_ms),
        duration_ms: draw.duration_ms,
        limited_ms,
    };
    let plain =
        draws(&row.samples(), billed, Statistic::TrimmedMean { discard }, DEFAULT_DRAWS, rng);
    let plain = plain.expect("a measured power has samples, and no statistic here needs more");
    let Strategy::MaxDuration { percentile, .. } = rule.strategy else {
        return plain.into_iter().map(|draw| candidate(draw, None)).collect();
    };
    let at = Statistic::Percentile(percentile / 100.0);
    match draws(&row.steady_samples(), billed, at, DEFAULT_DRAWS, rng) {
        Some(limited) => plain
            .into_iter()
            .zip(limited)
            .map(|(draw, limited)| candidate(draw, Some(limited.duration_ms)))
            .collect(),
        None => plain.into_iter().map(|draw| candidate(draw, None)).collect(),
    }
}
