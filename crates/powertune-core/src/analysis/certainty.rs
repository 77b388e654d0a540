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
        Reach, at_least,
        resample::{
            DEFAULT_DRAWS, Draw, Sample, Statistic, draws, winsorised, winsorised_and_widened,
        },
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
pub(crate) struct Drawn {
    draws: Vec<Vec<Candidate>>,
    /// The candidates as they are shown and chosen among.
    shown: Vec<Candidate>,
    /// Whether too few invocations tell if a candidate keeps to the limit.
    open: Vec<bool>,
}

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

    /// What the candidates may truly be, as far as the result claims to know it.
    pub(crate) fn draw(&self, rows: &[&Row<'_>]) -> Drawn {
        self.draw_from(rows, winsorised_and_widened)
    }

    /// The same for a race, which decides what to measure next: it makes up its mind sooner, since
    /// another round costs more than a claim that is checked afterwards.
    pub(crate) fn draw_for_race(&self, rows: &[&Row<'_>]) -> Drawn {
        self.draw_from(rows, winsorised)
    }

    /// What the candidates may truly be, drawn together: a list for each draw. `evened` is what is
    /// done about the rare slow invocations.
    fn draw_from(&self, rows: &[&Row<'_>], evened: fn(&[Sample]) -> Vec<Sample>) -> Drawn {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let (samples, reach): (Vec<Vec<Sample>>, Reach) = match self.decided_by {
            DecidedBy::AveragePrice => {
                (rows.iter().map(|row| row.samples()).collect(), Reach::default())
            }
            DecidedBy::CostMean => {
                let samples: Vec<_> =
                    rows.iter().map(|row| evened(&row.steady_samples())).collect();
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
        let shown = rows.iter().map(|row| self.candidate(row)).collect();
        Drawn { draws, shown, open: rows.iter().map(|row| self.leaves_limit_open(row)).collect() }
    }

    /// Whether the samples are sure to break the limit on the duration, if there is one: so many
    /// above it would be found in one of forty cases at most if it were kept.
    pub(crate) fn breaks_limit(&self, row: &Row<'_>) -> bool {
        let Strategy::MaxDuration { limit_ms, percentile } = self.strategy else {
            return false;
        };
        let durations = row.steady_durations();
        let above = durations.iter().filter(|&&duration_ms| duration_ms > limit_ms).count();
        at_least(above, durations.len(), 1.0 - percentile / 100.0) < TAIL
    }

    /// Whether a power has too few samples to tell if it keeps to the limit.
    fn leaves_limit_open(&self, row: &Row<'_>) -> bool {
        let missing =
            self.percentile().is_some_and(|percentile| row.duration_at(percentile).is_none());
        missing && !self.breaks_limit(row)
    }

    /// How sure it is that the candidate `chosen` is the one to choose.
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

    /// How sure it is that even a candidate that is better than `index` by the factor `allowance`
    /// is worse than the best.
    pub(crate) fn certainty_of_worse(&self, drawn: &Drawn, index: usize, allowance: f64) -> f64 {
        let worse = drawn.draws.iter().filter(|candidates| {
            let badness = badness(self.strategy, candidates);
            let best = badness.iter().copied().fold(f64::INFINITY, f64::min);
            badness[index] * allowance > best
        });
        worse.count() as f64 / drawn.draws.len() as f64
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

/// Whether the candidate `index`, better than the chosen one in the share `better` of the draws, is
/// told apart from it: nearly all draws agree, and the badness of the figures that are `shown` says
/// the same. The draws even out rare slow invocations and the figures do not, so that they can
/// contradict each other; then nothing is told. Nor is anything where it is not known whether a limit
/// is kept, unless the candidate is dearer all the same.
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{super::row::Counting, *};
    use crate::{
        architecture::Architecture,
        observation::Outcome,
        power::Power,
        price,
        region::Region,
        report::{Report, Start, Status},
        request,
    };

    fn warm(mb: u32, duration_ms: f64) -> Outcome {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
        let billed_ms = duration_ms.ceil() as u64;
        Outcome::Counted(Report {
            duration_ms,
            billed_ms,
            memory_mb: mb,
            max_memory_mb: Some(40),
            start: Start::Warm,
            status: Status::Success,
        })
    }

    /// Which of some powers, given by their durations, is chosen, and which are its ties.
    fn decided(fields: Value, powers: &[(u32, Vec<f64>)]) -> (u32, Vec<u32>) {
        let Value::Object(mut fields) = fields else { panic!("a request is an object") };
        fields.insert("lambdaARN".to_owned(), "fn".into());
        let request = request::parse(&fields).expect("a good request");
        let region = Region::new("us-east-1").expect("a region");
        let price = price::on_demand(&region, Architecture::X86_64).expect("a known price");
        let rule = Rule::of(&request, price);
        let outcomes: Vec<(u32, Vec<Outcome>)> = powers
            .iter()
            .map(|(mb, durations)| (*mb, durations.iter().map(|ms| warm(*mb, *ms)).collect()))
            .collect();
        let counting = Counting { only_cold_starts: false, max_error_rate: 0.1 };
        let row = |(mb, outcomes)| Row::new(Power::new(mb).expect("a power"), outcomes, counting);
        let rows: Vec<Row<'_>> =
            outcomes.iter().map(|(mb, outcomes)| row((*mb, outcomes.iter()))).collect();
        let rows: Vec<&Row<'_>> = rows.iter().collect();
        let candidates: Vec<Candidate> = rows.iter().map(|row| rule.candidate(row)).collect();
        let chosen = rule.choose(&candidates).expect("something is measured");
        let ties = rule.certainty(&rule.draw(&rows), chosen).ties;
        (rows[chosen].power.mb(), ties.into_iter().map(|index| rows[index].power.mb()).collect())
    }

    fn around(ms: f64, count: u32) -> Vec<f64> {
        (0..count).map(|i| ms * (0.99 + 0.002 * f64::from(i % 10))).collect()
    }

    #[test]
    fn what_the_draws_and_the_means_contradict_each_other_about_is_a_tie() {
        // 128 MB is cheaper but for one slow invocation, which the draws even out.
        let slow = [around(100.0, 11), vec![500.0]].concat();
        let auto = json!({ "num": "auto", "tolerance": 0 });
        let powers = [(128, slow), (256, around(60.0, 12)), (512, around(90.0, 12))];
        assert_eq!(decided(auto, &powers), (256, vec![128]));
    }

    #[test]
    fn a_size_that_may_keep_to_the_limit_is_a_tie_until_it_has_a_percentile() {
        let limit = |few: Vec<f64>| {
            let fields = json!({ "num": "auto", "tolerance": 0, "maxDuration": 100 });
            decided(fields, &[(128, few), (512, around(60.0, 30)), (1024, around(50.0, 30))])
        };
        assert_eq!(limit(vec![90.0, 91.0]), (512, vec![128]));
        // It takes far too long, and that is sure: no percentile is needed.
        assert_eq!(limit(vec![300.0; 3]), (512, vec![]));
        // It costs more than 512 MB, whether it keeps to the limit or not.
        assert_eq!(limit(vec![900.0]), (512, vec![]));
    }
}
