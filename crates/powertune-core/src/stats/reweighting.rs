//! The distribution of a figure's true value, given few samples.
//!
//! Rubin's Bayesian bootstrap ("The Bayesian Bootstrap", The Annals of Statistics 9(1), 1981) gives
//! the samples random weights in place of equal ones, and looks at the change of the figure. In its
//! plain form it is too sure of few samples. Two changes correct that:
//!
//! - It knows nothing beyond the farthest sample. The next sample falls into each of the n + 1
//!   gaps between n samples with the same probability (Hill, "Posterior Distribution of
//!   Percentiles", Journal of the American Statistical Association 63, 1968). So one more weight
//!   goes to unseen values. Gaffke's bound for the mean is made the same way (Learned-Miller and
//!   Thomas, "A New Confidence Interval for the Mean of a Bounded Random Variable", 2019). The
//!   place of the unseen values is exponentially distributed, on average as far above the mean as
//!   the farthest sample. They add zero to a mean on average, so that a power with few samples is
//!   uncertain and not bad.
//! - Its spread lacks the uncertainty of the spread itself. Every deviation is stretched by
//!   `sqrt((n + 1) / chi^2(n - 1))`, so that the mean of normal samples varies as Student's t says.
//!
//! The other powers of the function can show the spread too. They give a prior for the spread with
//! the weight of `d` samples. The mean of normal samples then varies as Student's t with `n - 1 +
//! d` degrees of freedom and the moderated variance of Smyth ("Linear Models and Empirical Bayes
//! Methods for Assessing Differential Expression in Microarray Experiments", Statistical
//! Applications in Genetics and Molecular Biology 3(1), 2004).
//!
//! Logarithms come from `libm` and not from the system. So the draws are the same on every
//! platform. And glibc's logarithm uses AVX: beside code without AVX it took ten times as long in a
//! process whose other code had left the upper halves of these registers in use.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    /// No relevant rounding: durations are reported to a hundredth of a millisecond.
    None,
    /// Rounding up to whole milliseconds, at least one, as in billing.
    WholeMilliseconds,
}

impl Rounding {
    pub(super) fn step(self) -> f64 {
        match self {
            Self::None => 0.0,
            Self::WholeMilliseconds => 1.0,
        }
    }

    pub(super) fn least(self) -> f64 {
        match self {
            Self::None => 0.0,
            Self::WholeMilliseconds => 1.0,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Reweighting {
    /// The weight of each sample among the seen values.
    seen: Vec<f64>,
    /// The weight of the unseen values among all.
    unseen: f64,
    /// The distance of the unseen values above the mean, as a multiple of the farthest sample's
    /// distance.
    reach: f64,
    /// The unseen neighbour of a rounded value: the one above (1) or below (-1).
    side: f64,
    /// The factor on a deviation for the uncertainty of the spread.
    stretch: f64,
    /// The deviation of the mean because of the prior, in standard deviations of the prior.
    prior: f64,
    /// The weight of the prior, in samples.
    worth: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Spread {
    /// The standard deviation as a share of the mean.
    pub(super) relative: f64,
    /// The weight in samples. 0 means no prior.
    pub(super) worth: usize,
}

impl Reweighting {
    /// A draw for `count` samples, with a prior of the weight `worth`.
    pub(super) fn draw(count: usize, worth: usize, rng: &mut ChaCha8Rng) -> Self {
        let seen = vec![0.0; count];
        let mut drawn =
            Self { seen, unseen: 0.0, reach: 0.0, side: 0.0, stretch: 0.0, prior: 0.0, worth };
        drawn.redraw(rng);
        drawn
    }

    /// Replaces this draw with another one, without new memory.
    pub(super) fn redraw(&mut self, rng: &mut ChaCha8Rng) {
        for share in &mut self.seen {
            *share = exponential(rng);
        }
        let seen: f64 = self.seen.iter().sum();
        for share in &mut self.seen {
            *share /= seen;
        }
        let unseen = exponential(rng);
        self.unseen = unseen / (seen + unseen);
        self.reach = exponential(rng);
        self.side = if rng.random() { 1.0 } else { -1.0 };
        let (count, worth) = (self.seen.len(), self.worth);
        self.stretch = match (count + worth).checked_sub(1) {
            Some(freedom @ 1..) => ((count + 1) as f64 / chi_squared(freedom, rng)).sqrt(),
            _ => 0.0,
        };
        if worth > 0 {
            // The normal part of Student's t. `stretch` has the root of n + 1 already.
            let scale = (worth as f64 / (count * (count + 1)) as f64).sqrt();
            self.prior = normal(rng) * scale * self.stretch;
        }
    }

    /// A draw of the deviation between the true mean and `mean`, the mean of `values`. `farthest`
    /// is the distance of the highest value from the mean. `step` is the rounding of the values, 0
    /// for none. `spread` is the standard deviation of the prior, as a share of the mean.
    ///
    /// The neighbour of a rounded value, one step away, can be missing even if all values are
    /// equal, so a part of the unseen weight goes there.
    pub(super) fn mean_deviation(
        &self,
        values: &[f64],
        mean: f64,
        farthest: f64,
        step: f64,
        spread: f64,
    ) -> f64 {
        let seen: f64 =
            self.seen.iter().zip(values).map(|(share, value)| share * (value - mean)).sum();
        let expected = 1.0 / (self.seen.len() + 1) as f64;
        let beyond = (self.unseen * self.reach - expected) * farthest;
        let prior = self.prior * spread * mean;
        seen * self.stretch + prior + beyond + self.unseen * self.side * step
    }

    /// A draw of the deviation between the true trimmed mean and `trimmed_mean`, which leaves out
    /// `cut` of the `values` at each end. `order` has their indices in ascending order.
    pub(super) fn trimmed_mean_deviation(
        &self,
        values: &[f64],
        order: &[usize],
        cut: usize,
        trimmed_mean: f64,
    ) -> f64 {
        let cut = cut as f64 / values.len() as f64;
        let (mut below, mut sum) = (0.0_f64, 0.0);
        for &index in order {
            let up_to = below + self.seen[index];
            let kept = up_to.clamp(cut, 1.0 - cut) - below.clamp(cut, 1.0 - cut);
            sum += kept * (values[index] - trimmed_mean);
            below = up_to;
        }
        sum / (1.0 - 2.0 * cut) * self.stretch
    }

    /// A draw of the true percentile `p` of `values`. `order` has their indices in ascending order.
    /// `farthest` is the distance of the highest value from the mean.
    ///
    /// The weights belong to the gaps below each sample (Banks, "Histospline Smoothing the Bayesian
    /// Bootstrap", Biometrika 75(4), 1988). Above the highest value lies an exponential tail.
    pub(super) fn percentile(&self, values: &[f64], order: &[usize], p: f64, farthest: f64) -> f64 {
        let (mut below, mut previous) = (0.0, None);
        for &index in order {
            let share = self.seen[index] * (1.0 - self.unseen);
            let value = values[index];
            if below + share > p {
                let previous = previous.unwrap_or(value);
                return previous + (p - below) / share * (value - previous);
            }
            below += share;
            previous = Some(value);
        }
        previous.unwrap_or_default() + farthest * libm::log(self.unseen / (1.0 - p)).max(0.0)
    }

    /// A draw for a single sample, which tells nothing of its spread: half of the draws lie within
    /// a factor of two.
    pub(super) fn around_one(&self, value: f64) -> f64 {
        value * libm::exp(self.side * self.reach)
    }
}

/// Moves a mean by a deviation on the log scale, because errors of durations are factors.
pub(super) fn by_factor(mean: f64, deviation: f64) -> f64 {
    if mean > 0.0 { mean * libm::exp(deviation / mean) } else { mean + deviation }
}

fn exponential(rng: &mut ChaCha8Rng) -> f64 {
    -libm::log(uniform(rng))
}

/// A draw from the chi-squared distribution. Each pair of its normal squares is twice an
/// exponential, and an odd one comes from Box and Muller.
fn chi_squared(freedom: usize, rng: &mut ChaCha8Rng) -> f64 {
    let (mut sum, mut product) = (0.0, 1.0_f64);
    for _ in 0..freedom / 2 {
        product *= uniform(rng);
        // One logarithm serves many factors, and is taken before they underflow.
        if product < 1e-200 {
            sum -= libm::log(product);
            product = 1.0;
        }
    }
    sum -= libm::log(product);
    if freedom % 2 == 1 {
        let angle = std::f64::consts::TAU * uniform(rng);
        sum += exponential(rng) * libm::cos(angle).powi(2);
    }
    // This limit is far below any relevant draw. Zero would make a stretch infinite.
    (2.0 * sum).max(1e-12)
}

pub(crate) fn students_t(freedom: usize, rng: &mut ChaCha8Rng) -> f64 {
    let freedom = freedom.max(1);
    normal(rng) * (freedom as f64 / chi_squared(freedom, rng)).sqrt()
}

/// A draw from the standard normal distribution, by Box and Muller.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    (2.0 * exponential(rng)).sqrt() * libm::cos(std::f64::consts::TAU * uniform(rng))
}

/// Uniform over (0, 1], so that a logarithm exists.
fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    1.0 - rng.random::<f64>()
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn chi_squared_has_its_mean_and_variance() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for freedom in [1, 2, 5, 1_500] {
            let drawn: Vec<f64> = (0..4_000).map(|_| chi_squared(freedom, &mut rng)).collect();
            let mean = drawn.iter().sum::<f64>() / 4_000.0;
            let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 4_000.0;
            let freedom = freedom as f64;
            assert!((mean / freedom - 1.0).abs() < 0.07, "mean {mean} of {freedom}");
            assert!((variance / (2.0 * freedom) - 1.0).abs() < 0.2, "variance of {freedom}");
        }
    }

    #[test]
    fn a_deviation_of_the_mean_is_zero_on_average() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 55.0];
        let sum: f64 = (0..20_000)
            .map(|_| {
                Reweighting::draw(10, 4, &mut rng).mean_deviation(&values, 10.0, 45.0, 1.0, 0.5)
            })
            .sum();
        // The standard error of the mean is 5, and that of 20,000 draws 0.05.
        assert!((sum / 20_000.0).abs() < 0.2);
    }

    #[test]
    fn equal_shares_would_change_nothing() {
        let values = [5.0, 1.0, 9.0, 3.0, 2.0];
        let order = [1, 4, 3, 0, 2];
        let equal = Reweighting {
            seen: vec![0.2; 5],
            unseen: 1.0 / 6.0,
            reach: 1.0,
            side: 1.0,
            stretch: 1.0,
            prior: 0.0,
            worth: 0,
        };
        assert!(equal.mean_deviation(&values, 4.0, 5.0, 0.0, 0.3).abs() < 1e-12);
        assert!(equal.trimmed_mean_deviation(&values, &order, 1, 10.0 / 3.0).abs() < 1e-12);
        assert!((equal.percentile(&values, &order, 0.5, 5.0) - 3.0).abs() < 1e-9);
    }
}
