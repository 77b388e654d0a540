//! Intervals of the mean of few and skewed samples.

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde::{Deserialize, Serialize};

use super::{
    mean, percentile,
    reweighting::{Reweighting, Rounding, Spread, by_factor},
};

/// The draws behind an interval, within the limit of [`WORK`].
const DRAWS: usize = 2_000;
/// The maximum of draws times samples. It keeps long lists of samples cheap, and those need fewer
/// draws.
const WORK: usize = 200_000;
const LEAST_DRAWS: usize = 400;

/// A mean with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean of the samples.
    pub mean: f64,
    /// The lower end of the interval. Missing if the samples tell too little.
    pub low: Option<f64>,
    /// The upper end. Missing if the lower one is.
    pub high: Option<f64>,
}

/// The maximum width of an interval, as a multiple of the mean. A wider one means that the figure
/// is unknown, and few readers would understand "± 2,000 %" like that.
const WIDEST: f64 = 2.0;

/// The distance of a function's rare slow invocations from the mean, as a share of the mean.
///
/// If the few samples of a power include no slow invocation, the power looks too certain. The
/// function's other powers correct that. The default knows of no other powers.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Reach {
    /// The distance of the slowest invocations from the mean, as a share of the mean.
    pub(super) farthest: f64,
    pub(super) spread: Spread,
}

impl Estimate {
    #[must_use]
    pub(crate) fn map(self, of: impl Fn(f64) -> f64) -> Self {
        Self { mean: of(self.mean), low: self.low.map(&of), high: self.high.map(&of) }
    }

    pub(crate) fn or_unknown(self) -> Self {
        let known = |(low, high): (f64, f64)| high - low <= WIDEST * self.mean;
        match self.low.zip(self.high).filter(|&ends| known(ends)) {
            Some(_) => self,
            None => Self { low: None, high: None, ..self },
        }
    }
}

/// The weight of the pooled spread at each power, in samples.
const SPREAD_WORTH: usize = 3;

impl Reach {
    /// The median of the powers' distances between the slowest sample and the mean. It is the
    /// median, because low memory alone can make some powers far more erratic than others.
    pub fn typical<'a>(powers: impl IntoIterator<Item = &'a [f64]>) -> Self {
        let relative = |samples: &[f64]| {
            let mean = mean(samples).filter(|mean| *mean > 0.0 && samples.len() > 1)?;
            Some(farthest(samples, mean) / mean)
        };
        let reaches: Vec<f64> = powers.into_iter().filter_map(relative).collect();
        let median = percentile(&reaches, 0.5).or(reaches.first().copied());
        Self { farthest: median.unwrap_or_default(), spread: Spread::default() }
    }

    /// The standard deviation of invocations as a share of the mean. 0 if it is not known.
    pub fn relative_spread(self) -> f64 {
        self.spread.relative
    }

    /// The distance of the slowest sample at any power, and the spread pooled over all powers. It
    /// suits few samples per power, and a run that stops by its samples: a power whose samples are
    /// alike by chance would end it too early.
    pub fn pooled<'a>(powers: impl IntoIterator<Item = &'a [f64]>) -> Self {
        let mut reach = Self::default();
        let (mut squares, mut freedom) = (0.0, 0.0);
        for samples in powers {
            let Some(mean) = mean(samples).filter(|mean| *mean > 0.0) else { continue };
            squares += samples.iter().map(|sample| (sample / mean - 1.0).powi(2)).sum::<f64>();
            freedom += samples.len() as f64 - 1.0;
            reach.farthest = reach.farthest.max(farthest(samples, mean) / mean);
        }
        if freedom > 0.0 {
            reach.spread = Spread { relative: (squares / freedom).sqrt(), worth: SPREAD_WORTH };
        }
        reach
    }

    /// The mean with its 95 % interval. `None` without samples.
    ///
    /// The interval is the middle 95 % of the means under the reweightings of `reweighting.rs`, on
    /// the log scale. Simulations compared it with Student's t, Johnson's and Hall's corrections of
    /// it for skewness, the studentised bootstrap, and Olsson's modified Cox method for lognormal
    /// samples. All of them cover fewer families or need far wider intervals. The table shows the
    /// coverage of the true mean in percent by number of samples. Each cell has three methods:
    /// Student's t, one power's samples alone, and the reach of six powers.
    ///
    /// | distribution | 5 | 10 | 20 | 50 | 100 |
    /// |---|--:|--:|--:|--:|--:|
    /// | normal | 95, 97, 98 | 95, 97, 98 | 95, 97, 97 | 95, 97, 98 | 95, 97, 97 |
    /// | lognormal, sigma 0.3 | 94, 96, 98 | 94, 97, 98 | 94, 97, 98 | 95, 98, 98 | 95, 98, 98 |
    /// | lognormal, sigma 1 | 82, 93, 97 | 84, 94, 98 | 87, 96, 98 | 90, 98, 99 | 92, 97, 98 |
    /// | exponential above a minimum | 88, 94, 98 | 90, 96, 99 | 92, 98, 99 | 93, 97, 98 | 94, 98, 98 |
    /// | Pareto, index 2.5, above a minimum | 78, 85, 94 | 79, 90, 97 | 83, 91, 98 | 87, 93, 99 | 88, 97, 99 |
    /// | one in ten 3 times slower | 40, 40, 59 | 65, 66, 91 | 87, 86, 98 | 91, 98, 98 | 93, 98, 98 |
    ///
    /// On resampled published measurements, the coverage by source is 83 to 95 with 5 samples, 87
    /// to 97 with 10, 90 to 96 with 20, and 96 to 98 from 50. No interval knows what no sample
    /// shows. If rare and far slower invocations dominate the mean, the interval needs some of them
    /// among the samples.
    ///
    /// If all samples are equal, at the other powers too, the interval has no width: durations are
    /// reported to a hundredth of a millisecond, and a smaller difference is not worth a choice.
    ///
    /// The ends are missing if the interval would be wider than twice the mean.
    pub fn mean_interval(self, samples: &[f64]) -> Option<Estimate> {
        self.estimate(samples, Rounding::None)
    }

    /// The mean of billed milliseconds with its 95 % interval. `None` without samples.
    ///
    /// It differs from [`Reach::mean_interval`] for whole numbers, which hide the variation of the
    /// durations behind them: equal samples may only have missed the next millisecond. The interval
    /// allows for that, from half a millisecond either way with 5 samples to 0.04 ms with 100. It
    /// never goes below the one millisecond that is always billed.
    pub fn billed_mean_interval(self, samples: &[f64]) -> Option<Estimate> {
        self.estimate(samples, Rounding::WholeMilliseconds)
    }

    fn estimate(self, samples: &[f64], rounding: Rounding) -> Option<Estimate> {
        let mean = mean(samples)?;
        if samples.len() < 2 {
            return Some(Estimate { mean, low: None, high: None });
        }
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let Spread { relative, worth } = self.spread;
        let mut drawn = Reweighting::draw(samples.len(), worth, &mut rng);
        let draws = (WORK / samples.len()).clamp(LEAST_DRAWS, DRAWS);
        // The order of the samples must not change the result.
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let farthest = self.farthest(&sorted, mean);
        let deviations: Vec<f64> = (0..draws)
            .map(|_| {
                drawn.redraw(&mut rng);
                drawn.mean_deviation(&sorted, mean, farthest, rounding.step(), relative)
            })
            .collect();
        Some(within(mean, rounding, &deviations).or_unknown())
    }

    /// The distance of the slowest sample from the mean: the observed or the typical one.
    fn farthest(self, samples: &[f64], mean: f64) -> f64 {
        farthest(samples, mean).max(self.farthest * mean)
    }
}

fn farthest(samples: &[f64], mean: f64) -> f64 {
    samples.iter().copied().fold(mean, f64::max) - mean
}

fn within(mean: f64, rounding: Rounding, deviations: &[f64]) -> Estimate {
    let end = |p| {
        let deviation = percentile(deviations, p)?;
        Some(by_factor(mean, deviation))
    };
    let low = end(0.025).map(|low| low.max(rounding.least()).min(mean));
    let high = end(0.975).map(|high| high.max(mean));
    Estimate { mean, low, high }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use rand::RngExt;

    use super::*;

    fn normal(rng: &mut ChaCha8Rng) -> f64 {
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
    }

    fn exponential(rng: &mut ChaCha8Rng) -> f64 {
        -(1.0 - rng.random::<f64>()).ln()
    }

    /// The share of samples of `count` whose interval contains `truth`. The reach comes from
    /// `powers` equal powers.
    fn coverage(
        count: usize,
        powers: usize,
        rounding: Rounding,
        truth: f64,
        sample: impl Fn(&mut ChaCha8Rng) -> f64,
    ) -> f64 {
        const RUNS: usize = 300;
        let mut rng = ChaCha8Rng::seed_from_u64(42);
        // All runs share the draws, which take the most time.
        let drawn: Vec<_> = (0..600).map(|_| Reweighting::draw(count, 0, &mut rng)).collect();
        let covered = (0..RUNS).filter(|_| {
            let run: Vec<Vec<f64>> =
                (0..powers).map(|_| (0..count).map(|_| sample(&mut rng)).collect()).collect();
            let reach = Reach::typical(run.iter().map(Vec::as_slice));
            let mean = mean(&run[0]).unwrap();
            let farthest = reach.farthest(&run[0], mean);
            let deviations: Vec<f64> = drawn
                .iter()
                .map(|drawn| drawn.mean_deviation(&run[0], mean, farthest, rounding.step(), 0.0))
                .collect();
            let estimate = within(mean, rounding, &deviations);
            (estimate.low.unwrap()..=estimate.high.unwrap()).contains(&truth)
        });
        covered.count() as f64 / RUNS as f64
    }

    /// Checks a coverage of 92 to 98 %. The limits allow for the standard error of 300 runs, over 1
    /// %.
    fn assert_covers(family: &str, truth: f64, sample: impl Fn(&mut ChaCha8Rng) -> f64) {
        for count in [5, 10, 20] {
            let covered = coverage(count, 1, Rounding::None, truth, &sample);
            assert!((0.91..=0.99).contains(&covered), "{covered} of {count} {family}");
        }
    }

    #[test]
    fn intervals_hold_for_skewed_samples() {
        assert_covers("normal", 100.0, |rng| 100.0 + 5.0 * normal(rng));
        assert_covers("lognormal", 0.045_f64.exp(), |rng| (0.3 * normal(rng)).exp());
        assert_covers("very skewed lognormal", 0.5_f64.exp(), |rng| normal(rng).exp());
        assert_covers("shifted exponential", 2.0, |rng| 1.0 + exponential(rng));
    }

    #[test]
    fn intervals_of_billed_milliseconds_hold_where_most_samples_are_equal() {
        // One in twenty takes a third millisecond. Of 5 samples, three lists in four have only 2.
        let sample = |rng: &mut ChaCha8Rng| if rng.random::<f64>() < 0.05 { 3.0 } else { 2.0 };
        for count in [5, 10, 20] {
            let covered = coverage(count, 1, Rounding::WholeMilliseconds, 2.05, sample);
            assert!(covered > 0.93, "{covered} of {count}");
        }
    }

    #[test]
    fn other_powers_tell_of_the_rare_and_slow() {
        let sample = |rng: &mut ChaCha8Rng| {
            let usual = 100.0 + 5.0 * normal(rng);
            if rng.random::<f64>() < 0.1 { 3.0 * usual } else { usual }
        };
        let covered = |powers| coverage(10, powers, Rounding::None, 120.0, sample);
        let (alone, together) = (covered(1), covered(6));
        assert!(alone < 0.75 && together > 0.9, "{alone} alone, {together} together");
    }

    fn reach(farthest: f64) -> Reach {
        Reach { farthest, ..Reach::default() }
    }

    #[test]
    fn the_reach_is_that_of_the_median_power() {
        let powers = [&[1.0, 1.0, 4.0][..], &[10.0, 10.0], &[2.0, 4.0], &[7.0], &[]];
        // 4 is 1.0 above a mean of 2, as a share of it. The others are 0.0 and 1/3.
        assert_eq!(Reach::typical(powers), reach(1.0 / 3.0));
        assert_eq!(Reach::typical([&[2.0, 6.0][..]]), reach(0.5));
        assert_eq!(Reach::typical([]), Reach::default());
        let samples = [2.9, 3.0, 3.1];
        let alone = Reach::default().mean_interval(&samples).unwrap();
        let wider = reach(0.2).mean_interval(&samples).unwrap();
        assert!(wider.low < alone.low && wider.high > alone.high);
        assert_eq!(reach(0.01).mean_interval(&samples).unwrap(), alone);
    }

    #[test]
    fn equal_samples_leave_only_what_rounding_hides() {
        let exact = Reach::default().mean_interval(&[7.5; 10]).unwrap();
        assert_eq!(exact, Estimate { mean: 7.5, low: Some(7.5), high: Some(7.5) });
        let billed = Reach::default().billed_mean_interval(&[8.0; 10]).unwrap();
        assert!((7.6..7.8).contains(&billed.low.unwrap()), "{billed:?}");
        assert!((8.2..8.4).contains(&billed.high.unwrap()), "{billed:?}");
        assert_eq!(Reach::default().billed_mean_interval(&[1.0; 10]).unwrap().low, Some(1.0));
    }

    #[test]
    fn few_samples_have_what_can_be_known_of_them() {
        assert_eq!(Reach::default().mean_interval(&[]), None);
        assert_eq!(
            Reach::default().mean_interval(&[3.0]),
            Some(Estimate { mean: 3.0, low: None, high: None })
        );
        let two = Reach::default().mean_interval(&[100.0, 104.0]).unwrap();
        assert!(two.low.unwrap() < 90.0 && two.high.unwrap() > 114.0, "{two:?}");
        let apart = Reach::default().mean_interval(&[100.0, 200.0]).unwrap();
        assert_eq!(apart, Estimate { mean: 150.0, low: None, high: None });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn an_interval_contains_its_mean(samples in vec(0.01..1e6_f64, 2..40)) {
            for estimate in [Reach::default().mean_interval(&samples), Reach::default().billed_mean_interval(&samples)] {
                let Estimate { mean, low, high } = estimate.unwrap();
                let Some((low, high)) = low.zip(high) else { continue };
                prop_assert!(0.0 <= low && low <= mean && mean <= high && high.is_finite());
            }
        }

        #[test]
        fn an_interval_is_usable_or_unknown(
            samples in vec(prop_oneof![1.0..10.0_f64, 1.0..1e6_f64], 2..12),
            farthest in 0.0..50.0_f64,
        ) {
            let reach = Reach { farthest, ..Reach::default() };
            for interval in [reach.mean_interval(&samples), reach.billed_mean_interval(&samples)] {
                let Estimate { mean, low, high } = interval.unwrap();
                prop_assert_eq!(low.is_some(), high.is_some());
                let width = high.zip(low).map_or(0.0, |(high, low)| high - low);
                prop_assert!(width <= 2.0 * mean, "{width} around {mean}");
            }
        }

        #[test]
        fn an_interval_scales_with_its_samples(
            samples in vec(1.0..1e3_f64, 2..20),
            scale in 0.001..1e3_f64,
        ) {
            let scaled: Vec<f64> = samples.iter().map(|sample| sample * scale).collect();
            let (one, other) = (Reach::default().mean_interval(&samples).unwrap(), Reach::default().mean_interval(&scaled).unwrap());
            for (one, other) in [(one.low, other.low), (one.high, other.high)] {
                let Some((one, other)) = one.zip(other) else { continue };
                prop_assert!((one * scale / other - 1.0).abs() < 1e-6);
            }
        }

        #[test]
        fn the_order_of_samples_does_not_matter(samples in vec(1_u16..1_000, 2..20)) {
            // The sum of whole numbers does not depend on their order.
            let samples: Vec<f64> = samples.into_iter().map(f64::from).collect();
            let reversed: Vec<f64> = samples.iter().rev().copied().collect();
            prop_assert_eq!(Reach::default().mean_interval(&samples), Reach::default().mean_interval(&reversed));
        }
    }
}
