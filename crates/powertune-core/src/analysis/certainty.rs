//! The certainty of a choice: the strategy chooses again in many draws of the powers' true figures.

use std::cmp::Ordering;

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use super::{
    environments::{Environments, environments},
    size_samples::SizeSamples,
};
use crate::{
    price::Price,
    request::{Num, Request},
    result::DecidedBy,
    stats::{
        Reach, at_least,
        resample::{
            DEFAULT_DRAWS, Draw, Sample, Statistic, draws, winsorised, winsorised_and_widened,
        },
        students_t,
    },
    strategy::{Candidate, Strategy, badness, choose},
};

/// A difference of up to 3 % is not worth a choice.
const INDIFFERENCE: f64 = 0.03;
/// Two powers differ at 95 % if one of them is better in less than this share of the draws.
const TAIL: f64 = 0.025;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rule {
    pub(crate) strategy: Strategy,
    pub(crate) tolerance: f64,
    pub(crate) decided_by: DecidedBy,
    pub(crate) discard: f64,
    pub(crate) price: Price,
    pub(crate) seed: u64,
}

#[derive(Debug)]
pub(crate) struct Drawn {
    draws: Vec<Vec<Candidate>>,
    /// The candidates with the figures that the result shows and chooses by.
    shown: Vec<Candidate>,
    /// For each candidate, true if it has too few invocations to check the limit.
    open: Vec<bool>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Certainty {
    /// The probability that no other candidate is better by more than the indifference zone.
    pub(crate) confidence: f64,
    /// For each candidate, the probability that it is better by more than the indifference zone.
    pub(crate) better: Vec<f64>,
    /// The indices of the candidates that the figures do not tell apart from the chosen one.
    pub(crate) ties: Vec<usize>,
}

impl Rule {
    pub(crate) fn of(request: &Request, price: Price) -> Self {
        Self {
            strategy: request.strategy,
            tolerance: request.tolerance,
            decided_by: match request.num {
                Num::Auto => DecidedBy::CostMean,
                Num::Fixed(_) => DecidedBy::AveragePrice,
            },
            discard: request.discard_top_bottom,
            price,
            seed: request.seed,
        }
    }

    /// The variation of invocations, as all powers together show it.
    pub(crate) fn reach(&self, sizes: &[&SizeSamples<'_>]) -> Reach {
        let durations: Vec<Vec<f64>> = sizes.iter().map(|size| size.steady_durations()).collect();
        let durations = durations.iter().map(Vec::as_slice);
        match self.decided_by {
            DecidedBy::AveragePrice => Reach::typical(durations),
            DecidedBy::CostMean => Reach::pooled(durations),
        }
    }

    /// The figures of one measured power.
    pub(crate) fn candidate(&self, size: &SizeSamples<'_>) -> Candidate {
        let measured = "a measured power has samples";
        let limited_ms = self.percentile().and_then(|percentile| size.duration_at(percentile));
        match self.decided_by {
            DecidedBy::AveragePrice => Candidate {
                cost: size.average_price(self.discard, &self.price).expect(measured),
                duration_ms: size.average_duration(self.discard).expect(measured),
                limited_ms,
            },
            DecidedBy::CostMean => {
                let billed_ms = size.steady_billed().expect(measured);
                Candidate {
                    cost: self.price.invocation_cost(size.power, billed_ms),
                    duration_ms: size.steady_duration().expect(measured),
                    limited_ms,
                }
            }
        }
    }

    pub(crate) fn choose(&self, candidates: &[Candidate]) -> Option<usize> {
        choose(self.strategy, self.tolerance, candidates)
    }

    fn percentile(&self) -> Option<f64> {
        match self.strategy {
            Strategy::MaxDuration { percentile, .. } => Some(percentile),
            Strategy::Cost | Strategy::Speed | Strategy::Balanced { .. } => None,
        }
    }

    /// The indifference zone as a factor: a candidate must be better by more than this.
    pub(crate) fn zone(&self) -> f64 {
        match self.decided_by {
            DecidedBy::AveragePrice => 1.0 + self.tolerance.max(INDIFFERENCE),
            DecidedBy::CostMean => (1.0 + self.tolerance) * (1.0 + INDIFFERENCE),
        }
    }

    /// Draws the candidates' true figures, as far as the result may claim to know them.
    pub(crate) fn draw(&self, sizes: &[&SizeSamples<'_>]) -> Drawn {
        self.draw_from(sizes, winsorised_and_widened)
    }

    /// Draws the figures for a race, which decides what to measure next. These draws vary less,
    /// because another round costs more than a claim that is checked afterwards.
    pub(crate) fn draw_for_race(&self, sizes: &[&SizeSamples<'_>]) -> Drawn {
        self.draw_from(sizes, winsorised)
    }

    /// Draws the candidates' figures together: one list per draw. `evened` treats the rare slow
    /// invocations.
    fn draw_from(&self, sizes: &[&SizeSamples<'_>], evened: fn(&[Sample]) -> Vec<Sample>) -> Drawn {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let (samples, reach): (Vec<Vec<Sample>>, Reach) = match self.decided_by {
            DecidedBy::AveragePrice => {
                (sizes.iter().map(|size| size.samples()).collect(), Reach::default())
            }
            DecidedBy::CostMean => {
                let samples: Vec<_> =
                    sizes.iter().map(|size| evened(&size.steady_samples())).collect();
                let durations: Vec<Vec<f64>> = samples.iter().map(|size| durations(size)).collect();
                (samples, Reach::pooled(durations.iter().map(Vec::as_slice)))
            }
        };
        let by_row: Vec<Vec<Candidate>> = sizes
            .iter()
            .zip(&samples)
            .map(|(size, samples)| self.draws(size, samples, reach, &mut rng))
            .collect();
        let draws = (0..DEFAULT_DRAWS).map(|draw| by_row.iter().map(|size| size[draw]).collect());
        let mut draws: Vec<Vec<Candidate>> = draws.collect();
        if self.decided_by == DecidedBy::CostMean {
            vary_environments(sizes, &mut draws, &mut rng);
        }
        let shown = sizes.iter().map(|size| self.candidate(size)).collect();
        Drawn {
            draws,
            shown,
            open: sizes.iter().map(|size| self.leaves_limit_open(size)).collect(),
        }
    }

    /// True if the samples surely exceed the limit on the duration. If the power kept the limit, at
    /// most one case in forty would have as many samples above it.
    pub(crate) fn breaks_limit(&self, size: &SizeSamples<'_>) -> bool {
        let Strategy::MaxDuration { limit_ms, percentile } = self.strategy else {
            return false;
        };
        let durations = size.steady_durations();
        let above = durations.iter().filter(|&&duration_ms| duration_ms > limit_ms).count();
        at_least(above, durations.len(), 1.0 - percentile / 100.0) < TAIL
    }

    /// True if a power has too few samples to check the limit.
    fn leaves_limit_open(&self, size: &SizeSamples<'_>) -> bool {
        let missing =
            self.percentile().is_some_and(|percentile| size.duration_at(percentile).is_none());
        missing && !self.breaks_limit(size)
    }

    pub(crate) fn certainty(&self, drawn: &Drawn, chosen: usize) -> Certainty {
        let powers = drawn.shown.len();
        let mut better_at_all = vec![0.0; powers];
        let mut better = vec![0.0; powers];
        let mut right = 0_u32;
        let zone = self.zone();
        for candidates in &drawn.draws {
            let badness = badness(self.strategy, candidates);
            let own = badness[chosen];
            right += u32::from(badness.iter().all(|&other| own <= other * zone));
            for (index, &other) in badness.iter().enumerate() {
                better[index] += f64::from(u8::from(own > other * zone));
                better_at_all[index] += match other.total_cmp(&own) {
                    Ordering::Less => 1.0,
                    Ordering::Equal => 0.5,
                    Ordering::Greater => 0.0,
                };
            }
        }
        let count = drawn.draws.len() as f64;
        let shown = badness(self.strategy, &drawn.shown);
        let is_tie = |index: usize| {
            let better = better_at_all[index] / count;
            index != chosen && !told_apart(drawn, &shown, chosen, index, better)
        };
        Certainty {
            confidence: f64::from(right) / count,
            better: better.into_iter().map(|better| better / count).collect(),
            ties: (0..powers).filter(|&index| is_tie(index)).collect(),
        }
    }

    /// The probability that candidate `index`, even if it were better by the factor `allowance`, is
    /// worse than the best.
    pub(crate) fn certainty_of_worse(&self, drawn: &Drawn, index: usize, allowance: f64) -> f64 {
        let worse = drawn.draws.iter().filter(|candidates| {
            let badness = badness(self.strategy, candidates);
            let best = badness.iter().copied().fold(f64::INFINITY, f64::min);
            badness[index] * allowance > best
        });
        worse.count() as f64 / drawn.draws.len() as f64
    }

    /// The draws of one power's figures. Its means are drawn from `samples`.
    fn draws(
        &self,
        size: &SizeSamples<'_>,
        samples: &[Sample],
        reach: Reach,
        rng: &mut ChaCha8Rng,
    ) -> Vec<Candidate> {
        let power = size.power;
        let discard = self.discard;
        let (billed, duration) = match self.decided_by {
            DecidedBy::AveragePrice => {
                (Statistic::CeilTrimmedMean { discard }, Statistic::TrimmedMean { discard })
            }
            DecidedBy::CostMean => (Statistic::Mean, Statistic::Mean),
        };
        let cost = |billed_ms| match self.decided_by {
            DecidedBy::AveragePrice => self.price.duration_cost(power, billed_ms),
            DecidedBy::CostMean => self.price.invocation_cost(power, billed_ms),
        };
        let candidate = |draw: Draw, limited_ms| Candidate {
            cost: cost(draw.billed_ms),
            duration_ms: draw.duration_ms,
            limited_ms,
        };
        let plain = draws(samples, billed, duration, reach, DEFAULT_DRAWS, rng);
        let plain = plain.expect("a measured power has samples, and no statistic here needs more");
        let limited = self.percentile().and_then(|percentile| {
            let at = Statistic::Percentile(percentile / 100.0);
            draws(&size.steady_samples(), billed, at, reach, DEFAULT_DRAWS, rng)
        });
        match limited {
            Some(limited) => plain
                .into_iter()
                .zip(limited)
                .map(|(draw, limited)| candidate(draw, Some(limited.duration_ms)))
                .collect(),
            None => plain.into_iter().map(|draw| candidate(draw, None)).collect(),
        }
    }
}

/// True if candidate `index` differs from the chosen one. `better` is the share of the draws in
/// which it is better.
///
/// Nearly all draws must agree, and so must the `shown` figures: the draws even out rare slow
/// invocations and the figures do not, so they can contradict each other. If the limit could not be
/// checked, the candidate must also cost more.
fn told_apart(drawn: &Drawn, shown: &[f64], chosen: usize, index: usize, better: f64) -> bool {
    if drawn.open[index] {
        let dearer =
            |candidates: &&Vec<Candidate>| candidates[index].cost > candidates[chosen].cost;
        let dearer = drawn.draws.iter().filter(dearer).count() as f64;
        return !drawn.open[chosen] && dearer / drawn.draws.len() as f64 > 1.0 - TAIL;
    }
    if better < TAIL {
        shown[index] >= shown[chosen]
    } else {
        better > 1.0 - TAIL && shown[index] <= shown[chosen]
    }
}

fn durations(samples: &[Sample]) -> Vec<f64> {
    samples.iter().map(|sample| sample.duration_ms).collect()
}

/// Adds the variation between environments, if it exceeds the variation of the invocations. A power
/// is measured in few environments, and its figures are as slow as those.
fn vary_environments(
    sizes: &[&SizeSamples<'_>],
    draws: &mut [Vec<Candidate>],
    rng: &mut ChaCha8Rng,
) {
    let Environments { spread, freedom } = environments(sizes);
    if spread <= 0.0 {
        return;
    }
    // Environments weigh as much as they have invocations.
    let deviations: Vec<f64> = sizes
        .iter()
        .map(|size| {
            let groups = size.environments();
            let count = size.steady_count().max(1);
            let shares = groups.iter().map(|group| (group.len() as f64 / f64::from(count)).powi(2));
            spread * shares.sum::<f64>().sqrt()
        })
        .collect();
    for candidates in draws {
        for (candidate, deviation) in candidates.iter_mut().zip(&deviations) {
            let factor = (deviation * students_t(freedom, rng)).exp();
            candidate.cost *= factor;
            candidate.duration_ms *= factor;
            candidate.limited_ms = candidate.limited_ms.map(|limited_ms| limited_ms * factor);
        }
    }
}

#[cfg(test)]
mod tests;
