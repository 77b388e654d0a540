//! Single figures of a list of samples.

/// The arithmetic mean. `None` without samples.
pub fn mean(samples: &[f64]) -> Option<f64> {
    if samples.is_empty() {
        return None;
    }
    Some(samples.iter().sum::<f64>() / samples.len() as f64)
}

/// The mean after trimming `floor(n * discard)` samples at each end. `None` without samples.
///
/// This is the definition of aws-lambda-power-tuning 4.4.0 for `averageDuration` and
/// `averagePrice`. As there, `discard` is clamped to 0 to 0.4.
pub fn trimmed_mean(samples: &[f64], discard: f64) -> Option<f64> {
    let cut = trimmed_count(samples.len(), discard);
    let sorted = sorted(samples);
    mean(sorted.get(cut..samples.len() - cut)?)
}

/// The percentile `p` (0.95 for the 95th). `None` with fewer than `1 / (1 - p)` samples, which do
/// not reach into that tail.
///
/// Between samples it is interpolated by definition 8 of Hyndman and Fan, "Sample Quantiles in
/// Statistical Packages" (The American Statistician 50(4), 1996). They recommend it, because it is
/// too low about as often as too high for any distribution. The more common definition 7 (R, NumPy,
/// spreadsheets) is too low in the upper tail of few samples, so a power could pass a limit that it
/// breaks.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // within 1 to n
pub fn percentile(samples: &[f64], p: f64) -> Option<f64> {
    let count = samples.len() as f64;
    if !has_percentile(samples.len(), p) {
        return None;
    }
    let sorted = sorted(samples);
    let rank = ((count + 1.0 / 3.0) * p + 1.0 / 3.0).clamp(1.0, count);
    let below = sorted[rank.floor() as usize - 1];
    let above = sorted[rank.ceil() as usize - 1];
    Some(below + rank.fract() * (above - below))
}

pub(super) fn has_percentile(count: usize, p: f64) -> bool {
    // Floating point: 10 * (1 - 0.9) is slightly less than 1.
    (0.0..1.0).contains(&p) && count as f64 * (1.0 - p) > 1.0 - 1e-9
}

/// The probability of at least `successes` in `count` independent trials, each with the probability
/// `chance`.
pub(crate) fn at_least(successes: usize, count: usize, chance: f64) -> f64 {
    let odds = chance / (1.0 - chance);
    let mut term = (1.0 - chance).powf(count as f64);
    let mut fewer = 0.0;
    for k in 0..successes {
        fewer += term;
        term *= odds * (count - k) as f64 / (k + 1) as f64;
    }
    1.0 - fewer
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // at most 0.4 of the count
pub(super) fn trimmed_count(count: usize, discard: f64) -> usize {
    (count as f64 * discard.clamp(0.0, 0.4)).floor() as usize
}

fn sorted(samples: &[f64]) -> Vec<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn a_binomial_tail_is_the_tables() {
        assert!((at_least(0, 4, 0.05) - 1.0).abs() < 1e-12);
        assert!((at_least(2, 4, 0.05) - 0.014_018_75).abs() < 1e-9);
        assert!((at_least(4, 4, 0.5) - 0.0625).abs() < 1e-12);
    }

    #[test]
    fn the_trimmed_mean_is_upstreams() {
        let samples = [9.0, 1.0, 100.0, 3.0, 2.0];
        // floor(5 * 0.2) = 1 is trimmed at each end of 1 2 3 9 100.
        assert_eq!(trimmed_mean(&samples, 0.2), Some(14.0 / 3.0));
        assert_eq!(trimmed_mean(&samples, 0.19), Some(23.0));
        assert_eq!(trimmed_mean(&samples, 0.4), Some(3.0));
        assert_eq!(trimmed_mean(&samples, 0.5), trimmed_mean(&samples, 0.4));
        assert_eq!(trimmed_mean(&[7.0], 0.4), Some(7.0));
        assert_eq!(trimmed_mean(&[], 0.2), None);
    }

    #[test]
    fn a_percentile_is_interpolated_by_definition_8() {
        // (n + 1/3) p + 1/3, by hand. R's quantile(1:10, .9, type = 8) gives the same.
        let to_10: Vec<f64> = (1..=10).map(f64::from).collect();
        let to_20: Vec<f64> = (1..=20).map(f64::from).collect();
        let close = |got: Option<f64>, wanted: f64| (got.unwrap() - wanted).abs() < 1e-9;
        assert!(close(percentile(&to_10, 0.5), 5.5));
        assert!(close(percentile(&to_10, 0.9), 9.633_333_333_333));
        assert!(close(percentile(&to_20, 0.95), 19.65));
    }

    #[test]
    fn a_percentile_of_too_few_samples_is_missing() {
        let samples = |count: usize| vec![1.0; count];
        for (p, enough) in [(0.5, 2), (0.9, 10), (0.95, 20), (0.99, 100), (0.999, 1_000)] {
            assert_eq!(percentile(&samples(enough - 1), p), None, "{p} of {}", enough - 1);
            assert_eq!(percentile(&samples(enough), p), Some(1.0), "{p} of {enough}");
        }
        assert_eq!(percentile(&samples(1_000), 1.0), None);
        assert_eq!(percentile(&[], 0.5), None);
    }

    proptest! {
        #[test]
        fn figures_lie_within_the_samples(
            samples in vec(0.01..1e6_f64, 1..60),
            p in 0.0..1.0_f64,
            discard in 0.0..0.5_f64,
        ) {
            let low = samples.iter().copied().fold(f64::INFINITY, f64::min) * (1.0 - 1e-12);
            let high = samples.iter().copied().fold(0.0, f64::max) * (1.0 + 1e-12);
            let figures = [mean(&samples), trimmed_mean(&samples, discard), percentile(&samples, p)];
            for figure in figures.into_iter().flatten() {
                prop_assert!((low..=high).contains(&figure));
            }
        }

        #[test]
        fn percentiles_rise(samples in vec(0.01..1e6_f64, 100..120)) {
            let at: Vec<_> = [0.0, 0.25, 0.5, 0.9, 0.99]
                .map(|p| percentile(&samples, p).unwrap())
                .into();
            prop_assert!(at.is_sorted());
        }
    }
}
