//! Draws of what a power's figures may truly be, for comparing powers with each other.

use rand_chacha::ChaCha8Rng;

use super::{
    mean, percentile,
    reweighting::{Reweighting, Rounding},
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
/// for the model, and the tests here for how often such claims are right.
pub fn draws(
    samples: &[Sample],
    billed: Statistic,
    duration: Statistic,
    count: usize,
    rng: &mut ChaCha8Rng,
) -> Option<Vec<Draw>> {
    let billed_ms = samples.iter().map(|sample| sample.billed_ms).collect();
    let duration_ms = samples.iter().map(|sample| sample.duration_ms).collect();
    let billed = Figure::new(billed, billed_ms, Rounding::WholeMilliseconds)?;
    let duration = Figure::new(duration, duration_ms, Rounding::None)?;
    let mut drawn = Reweighting::draw(samples.len(), rng);
    let draw = |_| {
        drawn.redraw(rng);
        Draw { billed_ms: billed.under(&drawn), duration_ms: duration.under(&drawn) }
    };
    Some((0..count).map(draw).collect())
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
    /// How far the highest is above the mean.
    farthest: f64,
}

impl Figure {
    fn new(statistic: Statistic, values: Vec<f64>, rounding: Rounding) -> Option<Self> {
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
        let farthest = values[*order.last()?] - mean;
        Some(Self { statistic, values, rounding, sampled, order, farthest })
    }

    /// What the statistic is under a reweighting.
    fn under(&self, drawn: &Reweighting) -> f64 {
        let value = if self.values.len() == 1 {
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
        self.sampled + drawn.mean_deviation(&self.values, self.sampled, self.farthest, step)
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
