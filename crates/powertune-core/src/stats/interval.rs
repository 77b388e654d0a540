//! How far a mean of few and skewed samples can be trusted.

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde::{Deserialize, Serialize};

use super::{
    percentile,
    reweighting::{Reweighting, Rounding},
};

/// Draws behind an interval, as far as [`WORK`] allows.
const DRAWS: usize = 2_000;
/// Draws times samples, so that long lists of samples, which need the draws least, stay cheap.
const WORK: usize = 200_000;
/// The least draws of all.
const LEAST_DRAWS: usize = 400;

/// A mean with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean of the samples.
    pub mean: f64,
    /// The interval's lower end; missing where one sample tells nothing of the spread.
    pub low: Option<f64>,
    /// The interval's upper end; missing where one sample tells nothing of the spread.
    pub high: Option<f64>,
}

/// The mean with its 95 % interval; `None` of nothing.
pub fn mean_interval(samples: &[f64]) -> Option<Estimate> {
    estimate(samples, Rounding::None)
}

/// The mean of billed milliseconds with its 95 % interval; `None` of nothing.
///
/// As [`mean_interval`], but for whole numbers.
pub fn billed_mean_interval(samples: &[f64]) -> Option<Estimate> {
    estimate(samples, Rounding::WholeMilliseconds)
}

fn estimate(samples: &[f64], rounding: Rounding) -> Option<Estimate> {
    let mean = super::mean(samples)?;
    if samples.len() < 2 {
        return Some(Estimate { mean, low: None, high: None });
    }
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut drawn = Reweighting::draw(samples.len(), &mut rng);
    let draws = (WORK / samples.len()).clamp(LEAST_DRAWS, DRAWS);
    // The same samples in another order are the same samples.
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let farthest = sorted[sorted.len() - 1] - mean;
    let deviations: Vec<f64> = (0..draws)
        .map(|_| {
            drawn.redraw(&mut rng);
            drawn.mean_deviation(&sorted, mean, farthest, rounding.step())
        })
        .collect();
    Some(within(mean, rounding, &deviations))
}

/// The middle 95 % of what the mean may be.
fn within(mean: f64, rounding: Rounding, deviations: &[f64]) -> Estimate {
    let end = |p| {
        let deviation = percentile(deviations, p)?;
        // On the log scale: a duration is wrong by a factor.
        Some(if mean > 0.0 { mean * (deviation / mean).exp() } else { mean + deviation })
    };
    let low = end(0.025).map(|low| low.max(rounding.least()).min(mean));
    let high = end(0.975).map(|high| high.max(mean));
    Estimate { mean, low, high }
}
