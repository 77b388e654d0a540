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

fn widen(samples: &mut [Sample], factor: f64, figure: impl Fn(&mut Sample) -> &mut f64) {
    let values: Vec<f64> = samples.iter_mut().map(|sample| *figure(sample)).collect();
    let Some(mean) = mean(&values) else { return };
    for sample in samples {
        let value = figure(sample);
        *value = mean + factor * (*value - mean);
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below count")]
fn evened_count(count: usize) -> usize {
    if count < 3 { 0 } else { (EVENED * count as f64).ceil() as usize }
}

/// A statistic of some values, prepared for many draws.
struct Figure {
    statistic: Statistic,
    values: Vec<f64>,
    rounding: Rounding,
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
mod tests;
