//! Draws of what a power's figures may truly be, for comparing powers with each other.

use rand_chacha::ChaCha8Rng;

use super::{
    Reach, mean, percentile,
    reweighting::{Reweighting, Rounding, Spread, by_factor},
    summary::trimmed_count,
    trimmed_mean,
};

/// How many draws give a probability to within about one hundredth.
pub const DEFAULT_DRAWS: usize = 2_000;

/// One invocation, as it counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Milliseconds that are billed.
    pub billed_ms: f64,
    /// Milliseconds that it took.
    pub duration_ms: f64,
}

/// Which figure of a power's samples decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// The mean: of billed milliseconds, what is really paid.
    Mean,
    /// The mean without the share `discard` at each end, as [`trimmed_mean`] has it.
    TrimmedMean {
        /// The share cut off each end.
        discard: f64,
    },
    /// The trimmed mean rounded up to whole milliseconds, as aws-lambda-power-tuning prices it.
    CeilTrimmedMean {
        /// The share cut off each end.
        discard: f64,
    },
    /// The percentile (0.95 for the 95th), as [`percentile`] has it.
    Percentile(f64),
}

/// What a power's two figures may truly be, drawn together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draw {
    /// The billed figure.
    pub billed_ms: f64,
    /// The duration figure.
    pub duration_ms: f64,
}

/// `count` draws of what the two figures may truly be, or `None` where the samples are too few to
/// have them (none at all, or a percentile beyond them).
///
/// Both figures of a draw come from the same reweighting of the same invocations, so they vary
/// together as the samples do. Draws of several powers are independent of each other: the share of
/// draws in which one power is cheaper is the probability that it truly is. See `reweighting.rs`
/// for the model.
///
/// That probability errs on the careful side. Over pairs of memory sizes within a factor of two in
/// cost, resampled from published measurements of 14 functions with 5 to 50 invocations a size:
/// of claims of 83 % (mean of 75 to 90), 82 to 96 % were right, of 93 % 89 to 99, of 97 % 96 to
/// 100, and of those above 99 %, 99 to 100 - but 95 to 97 with 5 invocations of functions that are
/// now and then 50 times slower, which few samples cannot show.
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

/// The share of the slowest samples that [`winsorised`] evens out.
const EVENED: f64 = 0.05;

/// The samples, the slowest twentieth of them (at least one of three) replaced by the next.
///
/// A mean of few samples of a skewed distribution is closer to the truth so: Rivest, "Statistical
/// Properties of Winsorized Means for Skewed Distributions" (Biometrika 81(2), 1994). Two powers of
/// one function share their rare slow invocations, so that what a comparison loses is less still:
/// of them, the one that happened to meet such an invocation looks worse than it is.
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

/// The winsorised samples, spread out about their mean so that a mean that is drawn from them
/// varies as much as it should.
///
/// Evening out hides how much samples vary, and of few samples it hides a large part. Tukey and
/// McLaughlin ("Less Vulnerable Confidence and Significance Procedures for Location Based on a
/// Single Sample", Sankhya A 25(3), 1963) widen the deviation of a winsorised mean by the number of
/// samples less 1 over the number left untouched less 1. That is twice as wide with 3 samples, half
/// as wide again with 4, and a twentieth wider with 20.
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

/// How many of so many samples [`winsorised`] evens out.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below count")]
fn evened_count(count: usize) -> usize {
    if count < 3 { 0 } else { (EVENED * count as f64).ceil() as usize }
}

/// A statistic of some values, ready to be drawn many times.
struct Figure {
    statistic: Statistic,
    values: Vec<f64>,
    rounding: Rounding,
    /// The statistic of the values as they are.
    sampled: f64,
    /// The values' indices from the lowest.
    order: Vec<usize>,
    /// How far the highest is above the mean, here or as it typically is.
    farthest: f64,
    /// What is known of the values' spread from elsewhere.
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

    /// What the statistic is under a reweighting.
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
            // A whole number is not to become the next one by an error of rounding.
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

    /// A trimmed mean is not about the rare and the unseen: equal values leave it in no doubt.
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

    /// Draws whose seed matters to no test.
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
        // Of claims of 75 to 95 %, and of more: how many, how many right, the sum of what they say.
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
        // Evened to 1, 2, 2, 2 with a mean of 1.75; 3 degrees of freedom over 2.
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
        // Tukey and McLaughlin's: the deviation with the 10 at each end set to the next one inside.
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
        // Billed equals duration here, but for what rounding may hide.
        assert!(drawn.iter().all(|draw| apart(draw) <= 1.0 + 1e-9));
        assert!(drawn.iter().any(|draw| (draw.billed_ms - 109.0).abs() > 10.0));
    }

    #[test]
    fn a_tail_that_was_not_seen_is_drawn() {
        let durations: Vec<f64> = (1..=20).map(f64::from).collect();
        let drawn = drawn(&sampled(&durations), Statistic::Percentile(0.95)).unwrap();
        let beyond = drawn.iter().filter(|draw| draw.duration_ms > 20.0).count();
        // That all 20 lie below the 95th percentile: 0.95^20 = 36 %.
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
