//! How sure a choice is: what the strategy would say of each of many draws of what the powers'
//! figures may truly be.

use std::cmp::Ordering;

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use super::{
    environments::{Environments, environments},
    row::Row,
};
use crate::{
    price::Price,
    request::{Num, Request},
    result::DecidedBy,
    stats::{
        Reach,
        resample::{DEFAULT_DRAWS, Draw, Sample, Statistic, draws, winsorised},
        students_t,
    },
    strategy::{Candidate, Strategy, badness, choose},
};

/// Differences of up to 3 % are nothing to choose by.
const INDIFFERENCE: f64 = 0.03;
/// Of two powers told apart at 95 %, one is better in less than this share of the draws.
const TAIL: f64 = 0.025;

/// By what figures powers are compared, and how.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rule {
    pub(crate) strategy: Strategy,
    pub(crate) tolerance: f64,
    pub(crate) decided_by: DecidedBy,
    pub(crate) discard: f64,
    pub(crate) price: Price,
    pub(crate) seed: u64,
}

/// What the candidates may truly be, in many draws.
#[derive(Debug)]
pub(crate) struct Drawn(Vec<Vec<Candidate>>);

/// How sure a choice is.
#[derive(Debug, PartialEq)]
pub(crate) struct Certainty {
    /// The probability that no other candidate is better by more than the indifference zone.
    pub(crate) confidence: f64,
    /// For each candidate, the probability that it is better by more than that.
    pub(crate) better: Vec<f64>,
    /// The indices of the candidates that are not told apart from the chosen one.
    pub(crate) ties: Vec<usize>,
}

impl Rule {
    /// The rule that a request asks for.
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

    /// What all powers together tell of how a power's invocations vary.
    pub(crate) fn reach(&self, rows: &[&Row<'_>]) -> Reach {
        let durations: Vec<Vec<f64>> = rows.iter().map(|row| row.steady_durations()).collect();
        let durations = durations.iter().map(Vec::as_slice);
        match self.decided_by {
            DecidedBy::AveragePrice => Reach::typical(durations),
            DecidedBy::CostMean => Reach::pooled(durations),
        }
    }

    /// What is known of one power that was measured.
    pub(crate) fn candidate(&self, row: &Row<'_>) -> Candidate {
        let measured = "a measured power has samples";
        let limited_ms = self.percentile().and_then(|percentile| row.duration_at(percentile));
        match self.decided_by {
            DecidedBy::AveragePrice => Candidate {
                cost: row.average_price(self.discard, &self.price).expect(measured),
                duration_ms: row.average_duration(self.discard).expect(measured),
                limited_ms,
            },
            DecidedBy::CostMean => {
                let billed_ms = row.steady_billed().expect(measured);
                Candidate {
                    cost: self.price.invocation_cost(row.power, billed_ms),
                    duration_ms: row.steady_duration().expect(measured),
                    limited_ms,
                }
            }
        }
    }

    /// The index of the candidate to choose.
    pub(crate) fn choose(&self, candidates: &[Candidate]) -> Option<usize> {
        choose(self.strategy, self.tolerance, candidates)
    }

    fn percentile(&self) -> Option<f64> {
        match self.strategy {
            Strategy::MaxDuration { percentile, .. } => Some(percentile),
            Strategy::Cost | Strategy::Speed | Strategy::Balanced { .. } => None,
        }
    }

    /// By how much another one may be better without anything to choose by.
    pub(crate) fn zone(&self) -> f64 {
        match self.decided_by {
            DecidedBy::AveragePrice => 1.0 + self.tolerance.max(INDIFFERENCE),
            DecidedBy::CostMean => (1.0 + self.tolerance) * (1.0 + INDIFFERENCE),
        }
    }

    /// What the candidates may truly be, drawn together: a list for each draw.
    pub(crate) fn draw(&self, rows: &[&Row<'_>]) -> Drawn {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let (samples, reach): (Vec<Vec<Sample>>, Reach) = match self.decided_by {
            DecidedBy::AveragePrice => {
                (rows.iter().map(|row| row.samples()).collect(), Reach::default())
            }
            DecidedBy::CostMean => {
                let samples: Vec<_> =
                    rows.iter().map(|row| winsorised(&row.steady_samples())).collect();
                let durations: Vec<Vec<f64>> = samples.iter().map(|row| durations(row)).collect();
                (samples, Reach::pooled(durations.iter().map(Vec::as_slice)))
            }
        };
        let by_row: Vec<Vec<Candidate>> = rows
            .iter()
            .zip(&samples)
            .map(|(row, samples)| self.draws(row, samples, reach, &mut rng))
            .collect();
        let draws = (0..DEFAULT_DRAWS).map(|draw| by_row.iter().map(|row| row[draw]).collect());
        let mut draws: Vec<Vec<Candidate>> = draws.collect();
        if self.decided_by == DecidedBy::CostMean {
            vary_environments(rows, &mut draws, &mut rng);
        }
        Drawn(draws)
    }

    /// How sure it is that the candidate `chosen` is the one to choose.
    pub(crate) fn certainty(&self, drawn: &Drawn, chosen: usize) -> Certainty {
        let powers = drawn.0.first().map_or(0, Vec::len);
        let mut better_at_all = vec![0.0; powers];
        let mut better = vec![0.0; powers];
        let mut right = 0_u32;
        let zone = self.zone();
        for candidates in &drawn.0 {
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
        let count = drawn.0.len() as f64;
        let told_apart = |better: f64| better / count < TAIL || better / count > 1.0 - TAIL;
        Certainty {
            confidence: f64::from(right) / count,
            better: better.into_iter().map(|better| better / count).collect(),
            ties: (0..powers).filter(|&i| i != chosen && !told_apart(better_at_all[i])).collect(),
        }
    }

    /// How sure it is that even a candidate that is better than `index` by the factor `allowance`
    /// is worse than the best.
    pub(crate) fn certainty_of_worse(&self, drawn: &Drawn, index: usize, allowance: f64) -> f64 {
        let worse = drawn.0.iter().filter(|candidates| {
            let badness = badness(self.strategy, candidates);
            let best = badness.iter().copied().fold(f64::INFINITY, f64::min);
            badness[index] * allowance > best
        });
        worse.count() as f64 / drawn.0.len() as f64
    }

    /// Draws of one power's candidate; `samples` are those that its means are drawn from.
    fn draws(
        &self,
        row: &Row<'_>,
        samples: &[Sample],
        reach: Reach,
        rng: &mut ChaCha8Rng,
    ) -> Vec<Candidate> {
        let power = row.power;
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
            draws(&row.steady_samples(), billed, at, reach, DEFAULT_DRAWS, rng)
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

fn durations(samples: &[Sample]) -> Vec<f64> {
    samples.iter().map(|sample| sample.duration_ms).collect()
}

/// Has the candidates vary by how much environments do, where that is more than their invocations
/// explain: a power is as slow as the few environments that it was measured in.
fn vary_environments(rows: &[&Row<'_>], draws: &mut [Vec<Candidate>], rng: &mut ChaCha8Rng) {
    let Environments { spread, freedom } = environments(rows);
    if spread <= 0.0 {
        return;
    }
    // A power's environments weigh as much as they have invocations.
    let deviations: Vec<f64> = rows
        .iter()
        .map(|row| {
            let groups = row.environments();
            let count = row.steady_count().max(1);
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
