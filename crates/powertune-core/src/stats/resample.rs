//! Draws of a power's true figures, for the comparison of powers.

use rand_chacha::ChaCha8Rng;

use super::{
    Reach, mean, percentile,
    reweighting::{Reweighting, Rounding, Spread, by_factor},
    summary::trimmed_count,
    trimmed_mean,
};

/// The number of draws that gives a probability to about one hundredth.
pub const DEFAULT_DRAWS: usize = 2_000;

/// One invocation that counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// The billed duration in milliseconds.
    pub billed_ms: f64,
    /// The duration in milliseconds, start included.
    pub duration_ms: f64,
}

/// The statistic of a power's samples that decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// The mean. Of billed milliseconds, it is the really paid amount.
    Mean,
    /// The mean without the share `discard` at each end, as in [`trimmed_mean`].
    TrimmedMean {
        /// The share to trim at each end.
        discard: f64,
    },
    /// The trimmed mean, rounded up to whole milliseconds for the price as in
    /// aws-lambda-power-tuning.
    CeilTrimmedMean {
        /// The share to trim at each end.
        discard: f64,
    },
    /// The percentile (0.95 for the 95th), as in [`percentile`].
    Percentile(f64),
}

/// One draw of a power's two true figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draw {
    /// The figure of the billed durations, in milliseconds.
    pub billed_ms: f64,
    /// The figure of the durations, in milliseconds.
    pub duration_ms: f64,
}

/// `count` draws of the two true figures. `None` without samples, or with too few for a percentile.
///
/// Both figures of a draw come from the same reweighting of the same invocations, so they vary
/// together like the samples. Draws of several powers are independent: the share of draws in which
/// one power is cheaper is the probability that it truly is. `reweighting.rs` has the model.
///
/// That probability is cautious. It was checked on pairs of memory sizes within a factor of two in
/// cost, resampled from published measurements of 14 functions with 5 to 50 invocations per size.
/// Of claims of 83 % (mean of 75 to 90), 82 to 96 % were right; of 93 %, 89 to 99; of 97 %, 96 to
/// 100; above 99 %, 99 to 100. With 5 invocations of functions that are now and then 50 times
/// slower, the last figure is 95 to 97, because few samples cannot show that.
pub fn draws(
    samples: &[Sample],
    billed: Statistic,
    duration: Statistic,
    reach: Reach,
    count: usize,
    rng: &mut ChaCha8Rng,
) -> Option<Vec<Draw>> {
    let billed_ms = samples.iter().map(|sample| sample.billed_ms).collect();
    let duration_ms = samples.iter().map(|sample| sample.duration_ms).collect();
    let billed = Figure::new(billed, billed_ms, Rounding::WholeMilliseconds, reach)?;
    let duration = Figure::new(duration, duration_ms, Rounding::None, reach)?;
    let mut drawn = Reweighting::draw(samples.len(), reach.spread.worth, rng);
    let draw = |_| {
        drawn.redraw(rng);
        Draw { billed_ms: billed.under(&drawn), duration_ms: duration.under(&drawn) }
    };
    Some((0..count).map(draw).collect())
}

/// The share of the slowest samples that [`winsorised`] replaces.
const EVENED: f64 = 0.05;

/// Replaces the slowest twentieth of the samples (at least one of three) with the next slowest.
///
/// The mean of few samples of a skewed distribution comes closer to the truth like that: Rivest,
/// "Statistical Properties of Winsorized Means for Skewed Distributions" (Biometrika 81(2), 1994).
/// A comparison loses even less, because two powers of one function share their rare slow
/// invocations. Without this, a power that happened to meet one looks worse than it is.
pub fn winsorised(samples: &[Sample]) -> Vec<Sample> {
    let mut samples = samples.to_vec();
    samples.sort_by(|a, b| a.duration_ms.total_cmp(&b.duration_ms));
    let count = samples.len();
    let evened = evened_count(count);
    if evened > 0 {
        let next = samples[count - 1 - evened];
        samples[count - evened..].fill(next);
    }
    samples
}

/// The winsorised samples, spread out about their mean, so that a mean drawn from them varies
/// enough.
///
/// Winsorising hides variation, and of few samples it hides a large part. Tukey and McLaughlin
/// ("Less Vulnerable Confidence and Significance Procedures for Location Based on a Single Sample",
/// Sankhya A 25(3), 1963) widen the deviation of a winsorised mean by (n - 1) / (h - 1), where h of
/// n samples are untouched. That is twice as wide with 3 samples, 1.5 times with 4, and 1.05 times
/// with 20.
pub fn winsorised_and_widened(samples: &[Sample]) -> Vec<Sample> {
    let mut evened = winsorised(samples);
    let untouched = evened.len() - evened_count(evened.len());
    let Some(freedom) = untouched.checked_sub(1).filter(|&freedom| freedom > 0) else {
        return evened;
    };
    let factor = (evened.len() - 1) as f64 / freedom as f64;
    widen(&mut evened, factor, |sample| &mut sample.billed_ms);
    widen(&mut evened, factor, |sample| &mut sample.duration_ms);
    evened
}

/// Moves a figure of every sample away from the figure's mean, by a factor.
fn widen(samples: &mut [Sample], factor: f64, figure: impl Fn(&mut Sample) -> &mut f64) {
    let values: Vec<f64> = samples.iter_mut().map(|sample| *figure(sample)).collect();
    let Some(mean) = mean(&values) else { return };
    for sample in samples {
        let value = figure(sample);
        *value = mean + factor * (*value - mean);
    }
}

/// The number of samples that [`winsorised`] replaces.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below count")]
fn evened_count(count: usize) -> usize {
    if count < 3 { 0 } else { (EVENED * count as f64).ceil() as usize }
}

/// A statistic of some values, prepared for many draws.
struct Figure {
    statistic: Statistic,
    values: Vec<f64>,
    rounding: Rounding,
    /// The statistic of the unweighted values.
    sampled: f64,
    /// The indices of the values in ascending order.
    order: Vec<usize>,
    /// The distance of the highest value from the mean: the observed or the typical one.
    farthest: f64,
    /// The spread that the other powers show.
    spread: Spread,
}

impl Figure {
    fn new(
        statistic: Statistic,
        values: Vec<f64>,
        rounding: Rounding,
        reach: Reach,
    ) -> Option<Self> {
        let mean = mean(&values)?;
        let sampled = match statistic {
            Statistic::Mean => mean,
            Statistic::TrimmedMean { discard } | Statistic::CeilTrimmedMean { discard } => {
                trimmed_mean(&values, discard)?
            }
            Statistic::Percentile(p) => percentile(&values, p)?,
        };
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
        let farthest = (values[*order.last()?] - mean).max(reach.farthest * mean);
        let spread = reach.spread;
        Some(Self { statistic, values, rounding, sampled, order, farthest, spread })
    }

    /// The statistic under a reweighting.
    fn under(&self, drawn: &Reweighting) -> f64 {
        let value = if self.values.len() == 1 && self.spread.worth == 0 {
            drawn.around_one(self.sampled)
        } else {
            match self.statistic {
                Statistic::Mean => self.mean(drawn, self.rounding.step()),
                Statistic::TrimmedMean { discard } | Statistic::CeilTrimmedMean { discard } => {
                    self.trimmed_mean(drawn, trimmed_count(self.values.len(), discard))
                }
                Statistic::Percentile(p) => {
                    drawn.percentile(&self.values, &self.order, p, self.farthest)
                }
            }
        };
        let value = value.max(self.rounding.least());
        match self.statistic {
            // A rounding error must not lift a whole number to the next one.
            Statistic::CeilTrimmedMean { .. } => (value - 1e-9).ceil(),
            _ => value,
        }
    }

    fn mean(&self, drawn: &Reweighting, step: f64) -> f64 {
        let Spread { relative, worth } = self.spread;
        let Self { values, sampled, farthest, .. } = self;
        let deviation = drawn.mean_deviation(values, *sampled, *farthest, step, relative);
        if worth > 0 { by_factor(*sampled, deviation) } else { sampled + deviation }
    }

    /// A trimmed mean ignores rare and unseen values, so equal values leave no doubt about it.
    fn trimmed_mean(&self, drawn: &Reweighting, cut: usize) -> f64 {
        if cut == 0 {
            return self.mean(drawn, 0.0);
        }
        let deviation = drawn.trimmed_mean_deviation(&self.values, &self.order, cut, self.sampled);
        self.sampled + deviation
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use rand::RngExt;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    const STATISTICS: [Statistic; 4] = [
        Statistic::Mean,
        Statistic::TrimmedMean { discard: 0.2 },
        Statistic::CeilTrimmedMean { discard: 0.2 },
        Statistic::Percentile(0.5),
    ];

    fn sampled(durations: &[f64]) -> Vec<Sample> {
        let sample = |&duration_ms: &f64| Sample { billed_ms: duration_ms.ceil(), duration_ms };
        durations.iter().map(sample).collect()
    }

    /// Draws with a fixed seed, which no test depends on.
    fn drawn(samples: &[Sample], statistic: Statistic) -> Option<Vec<Draw>> {
        draws(
            samples,
            statistic,
            statistic,
            Reach::default(),
            400,
            &mut ChaCha8Rng::seed_from_u64(7),
        )
    }

    fn lognormal(scale: f64, rng: &mut ChaCha8Rng) -> f64 {
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        scale * (0.3 * radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()).exp()
    }

    #[test]
    fn claims_that_one_power_is_better_are_right_as_often_as_they_say_or_more() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        // For claims of 75 to 95 %, and for higher ones: their number, the right ones, and the sum
        // of the claimed probabilities.
        let mut claims = [(0, 0, 0.0); 2];
        for _ in 0..1_000 {
            let ratio = rng.random_range(-1.0_f64..1.0).exp();
            let mut drawn = |scale: f64| {
                let durations: Vec<f64> = (0..5).map(|_| lognormal(scale, &mut rng)).collect();
                let statistic = Statistic::Mean;
                draws(&sampled(&durations), statistic, statistic, Reach::default(), 200, &mut rng)
                    .unwrap()
            };
            let (one, other) = (drawn(1_000.0), drawn(1_000.0 * ratio));
            let better = one.iter().zip(&other).filter(|(a, b)| a.billed_ms < b.billed_ms).count();
            let claim = better as f64 / 200.0;
            let (claim, right) =
                if claim > 0.5 { (claim, ratio > 1.0) } else { (1.0 - claim, ratio < 1.0) };
            if claim >= 0.75 {
                let (made, hits, said) = &mut claims[usize::from(claim >= 0.95)];
                *made += 1;
                *hits += i32::from(right);
                *said += claim;
            }
        }
        for (made, hits, said) in claims {
            let (right, said) = (f64::from(hits) / f64::from(made), said / f64::from(made));
            assert!(made > 150, "{made} claims");
            let margin = right - said;
            assert!((-0.02..0.08).contains(&margin), "{right} right of {made} that say {said}");
        }
    }

    #[test]
    fn draws_lie_around_the_statistic() {
        let samples = sampled(&[98.2, 101.3, 99.7, 100.4, 104.9, 97.0, 100.8, 102.2, 99.1, 100.6]);
        for statistic in STATISTICS {
            let drawn = drawn(&samples, statistic).unwrap();
            let durations: Vec<f64> = drawn.iter().map(|draw| draw.duration_ms).collect();
            let middle = percentile(&durations, 0.5).unwrap();
            assert!((99.0..=102.0).contains(&middle), "{middle} of {statistic:?}");
            let spread = durations.iter().map(|d| (d - middle).abs()).sum::<f64>() / 400.0;
            assert!((0.2..2.0).contains(&spread), "{spread} of {statistic:?}");
        }
    }

    #[test]
    fn the_slowest_twentieth_is_evened_out() {
        let evened = |durations: &[f64]| -> Vec<f64> {
            winsorised(&sampled(durations)).iter().map(|sample| sample.duration_ms).collect()
        };
        assert_eq!(evened(&[9.0, 1.0, 2.0]), [1.0, 2.0, 2.0]);
        assert_eq!(evened(&[9.0, 1.0]), [1.0, 9.0]);
        let many: Vec<f64> = (1..=40).map(f64::from).collect();
        assert_eq!(evened(&many)[36..], [37.0, 38.0, 38.0, 38.0]);
    }

    #[test]
    fn what_evening_out_hides_is_given_back() {
        let widened = |durations: &[f64]| -> Vec<f64> {
            let widened = winsorised_and_widened(&sampled(durations));
            widened.iter().map(|sample| sample.duration_ms).collect()
        };
        // Winsorised to 1, 2, 2, 2 with a mean of 1.75. Degrees of freedom: 3 over 2.
        assert_eq!(widened(&[2.0, 9.0, 1.0, 2.0]), [0.625, 2.125, 2.125, 2.125]);
        assert_eq!(widened(&[1.0, 9.0]), [1.0, 9.0]);
        assert_eq!(widened(&[]), [0.0; 0]);
    }

    #[test]
    fn a_spread_known_from_elsewhere_makes_a_pair_of_samples_tell_more() {
        let samples = sampled(&[100.0, 103.0]);
        let width = |reach| {
            let mut rng = ChaCha8Rng::seed_from_u64(7);
            let drawn = draws(&samples, Statistic::Mean, Statistic::Mean, reach, 400, &mut rng);
            let ms: Vec<f64> = drawn.unwrap().iter().map(|draw| draw.duration_ms).collect();
            percentile(&ms, 0.95).unwrap() - percentile(&ms, 0.05).unwrap()
        };
        let others = [[98.0, 102.0, 100.0], [50.0, 51.0, 49.0]];
        let known = Reach::pooled(others.iter().map(|samples| &samples[..]));
        assert!(width(known) < width(Reach::default()) / 2.0);
    }

    #[test]
    fn a_trimmed_mean_varies_as_its_standard_error_says() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut durations: Vec<f64> = (0..50).map(|_| lognormal(100.0, &mut rng)).collect();
        let statistic = Statistic::TrimmedMean { discard: 0.2 };
        let drawn =
            draws(&sampled(&durations), statistic, statistic, Reach::default(), 2_000, &mut rng)
                .unwrap();
        let deviation = |values: &[f64], divisor: f64| {
            let mean = mean(values).unwrap();
            (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / divisor).sqrt()
        };
        // Tukey and McLaughlin: the deviation after the 10 at each end are set to the next one
        // inside.
        durations.sort_by(f64::total_cmp);
        let (low, high) = (durations[10], durations[39]);
        let winsorised: Vec<f64> = durations.iter().map(|d| d.clamp(low, high)).collect();
        let expected = deviation(&winsorised, 49.0) / (0.6 * 50.0_f64.sqrt());
        let drawn: Vec<f64> = drawn.iter().map(|draw| draw.duration_ms).collect();
        let ratio = deviation(&drawn, 2_000.0) / expected;
        assert!((0.85..1.2).contains(&ratio), "{ratio}");
    }

    #[test]
    fn the_figures_of_a_draw_vary_together() {
        let samples = sampled(&[80.0, 95.0, 100.0, 120.0, 150.0]);
        let drawn = drawn(&samples, Statistic::Mean).unwrap();
        let apart = |draw: &Draw| (draw.billed_ms - draw.duration_ms).abs();
        // Billed equals duration here, except for the effect of rounding.
        assert!(drawn.iter().all(|draw| apart(draw) <= 1.0 + 1e-9));
        assert!(drawn.iter().any(|draw| (draw.billed_ms - 109.0).abs() > 10.0));
    }

    #[test]
    fn a_tail_that_was_not_seen_is_drawn() {
        let durations: Vec<f64> = (1..=20).map(f64::from).collect();
        let drawn = drawn(&sampled(&durations), Statistic::Percentile(0.95)).unwrap();
        let beyond = drawn.iter().filter(|draw| draw.duration_ms > 20.0).count();
        // The probability that all 20 lie below the 95th percentile: 0.95^20 = 36 %.
        assert!((110..180).contains(&beyond), "{beyond} of 400");
    }

    #[test]
    fn equal_billed_milliseconds_leave_what_rounding_hides_to_the_mean_only() {
        let samples = sampled(&[1.4; 10]);
        let billed = |statistic| -> Vec<f64> {
            drawn(&samples, statistic).unwrap().iter().map(|draw| draw.billed_ms).collect()
        };
        let mean = billed(Statistic::Mean);
        assert!(mean.iter().any(|ms| *ms > 2.1) && mean.iter().any(|ms| *ms < 1.9));
        assert!(mean.iter().all(|ms| (1.0..=3.0).contains(ms)));
        let trimmed = billed(Statistic::CeilTrimmedMean { discard: 0.2 });
        assert!(trimmed.iter().all(|ms| (*ms - 2.0).abs() < 1e-9));
    }

    #[test]
    fn few_samples_are_drawn_widely_or_not_at_all() {
        for statistic in STATISTICS {
            assert_eq!(drawn(&[], statistic), None);
        }
        let one = drawn(&sampled(&[50.0]), Statistic::Mean).unwrap();
        let within_two =
            one.iter().filter(|draw| (25.0..100.0).contains(&draw.duration_ms)).count();
        assert!((160..240).contains(&within_two), "{within_two} of 400");
        assert_eq!(drawn(&sampled(&[50.0]), Statistic::Percentile(0.5)), None);
        assert!(drawn(&sampled(&[50.0, 60.0]), Statistic::Mean).is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn draws_are_figures_that_exist(durations in vec(0.01..1e6_f64, 2..30)) {
            for statistic in STATISTICS {
                let drawn = drawn(&sampled(&durations), statistic).unwrap();
                prop_assert_eq!(drawn.len(), 400);
                for draw in drawn {
                    prop_assert!(draw.billed_ms >= 1.0 && draw.billed_ms.is_finite());
                    prop_assert!(draw.duration_ms >= 0.0 && draw.duration_ms.is_finite());
                }
            }
        }

        #[test]
        fn the_same_seed_draws_the_same(durations in vec(0.01..1e6_f64, 1..30)) {
            let samples = sampled(&durations);
            prop_assert_eq!(drawn(&samples, Statistic::Mean), drawn(&samples, Statistic::Mean));
        }

        #[test]
        fn draws_scale_with_their_samples(
            durations in vec(1.0..1e3_f64, 2..20),
            scale in 0.001..1e3_f64,
        ) {
            let scaled: Vec<f64> = durations.iter().map(|duration| duration * scale).collect();
            for statistic in STATISTICS.into_iter().filter(|s| !matches!(s, Statistic::CeilTrimmedMean { .. })) {
                let one = drawn(&sampled(&durations), statistic).unwrap();
                let other = drawn(&sampled(&scaled), statistic).unwrap();
                for (one, other) in one.iter().zip(&other) {
                    let error = one.duration_ms * scale - other.duration_ms;
                    prop_assert!(error.abs() <= 1e-6 * other.duration_ms.max(scale));
                }
            }
        }
    }
}
