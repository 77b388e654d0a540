//! Distributions of the duration at one size.

use std::cmp::Ordering;

/// The 99th percentile of the standard normal distribution.
const Z99: f64 = 2.3263;

/// The durations at one size, in milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Distribution {
    /// The recorded durations in ascending order, at least one.
    Samples(Vec<f64>),
    /// A distribution known only by its mean and 99th percentile.
    Lognormal {
        /// The mean of the logarithm.
        mu: f64,
        /// The standard deviation of the logarithm.
        sigma: f64,
    },
}

impl Distribution {
    /// A distribution of recorded durations, at least one.
    pub(crate) fn of_samples(mut durations_ms: Vec<f64>) -> Self {
        durations_ms.sort_by(f64::total_cmp);
        Self::Samples(durations_ms)
    }

    /// The lognormal distribution with this mean and 99th percentile.
    pub(crate) fn lognormal(mean_ms: f64, p99_ms: f64) -> Self {
        let sigma = sigma(p99_ms / mean_ms);
        Self::Lognormal { mu: mean_ms.ln() - sigma * sigma / 2.0, sigma }
    }

    /// The quantile at `u`, from 0 to below 1.
    ///
    /// A quantile of recorded durations is one of them, so that a uniform `u` draws with
    /// replacement.
    pub(crate) fn quantile(&self, u: f64) -> f64 {
        match self {
            Self::Samples(sorted) => sorted[place(u, sorted.len())],
            Self::Lognormal { mu, sigma } => (mu + sigma * standard_normal(u)).exp(),
        }
    }
}

/// floor(u * n), and the last one if rounding has lifted `u` to 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a length lies within it"
)]
fn place(u: f64, n: usize) -> usize {
    ((u * n as f64) as usize).min(n - 1)
}

/// The sigma of the lognormal distribution whose 99th percentile is `ratio` times its mean.
///
/// That ratio is exp(z sigma - sigma^2 / 2), and two values of sigma give it. The smaller one
/// belongs to the distribution whose mean is near its middle. A higher ratio than exp(z^2 / 2) is
/// clamped, because no sigma gives it. A percentile below the mean is taken as no spread.
fn sigma(ratio: f64) -> f64 {
    match ratio.partial_cmp(&1.0) {
        Some(Ordering::Greater) => Z99 - (Z99 * Z99 - 2.0 * ratio.ln()).max(0.0).sqrt(),
        _ => 0.0,
    }
}

/// The quantile function of the standard normal distribution: Peter J. Acklam's rational
/// approximation ("An algorithm for computing the inverse normal cumulative distribution function",
/// 2003), with a relative error below 1.15e-9.
fn standard_normal(u: f64) -> f64 {
    const CENTRE: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const CENTRE_BELOW: [f64; 6] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
        1.0,
    ];
    const TAIL: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const TAIL_BELOW: [f64; 5] = [
        7.784_695_709_041_462e-3,
        3.224_671_290_700_398e-1,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
        1.0,
    ];
    const TAIL_FROM: f64 = 0.024_25;

    if u > 0.5 {
        return -standard_normal(1.0 - u);
    }
    if u < TAIL_FROM {
        // A draw of exactly 0 has no quantile.
        let q = (-2.0 * u.max(f64::EPSILON).ln()).sqrt();
        return polynomial(&TAIL, q) / polynomial(&TAIL_BELOW, q);
    }
    let q = u - 0.5;
    q * polynomial(&CENTRE, q * q) / polynomial(&CENTRE_BELOW, q * q)
}

/// A polynomial with these coefficients, the highest power first.
fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().fold(0.0, |value, coefficient| value * x + coefficient)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_close(actual: f64, expected: f64, within: f64) {
        assert!((actual - expected).abs() <= within, "{actual} is not {expected}");
    }

    #[test]
    fn a_quantile_of_samples_is_one_of_them() {
        let samples = Distribution::of_samples(vec![30.0, 10.0, 20.0, 40.0]);
        for (u, expected) in [(0.0, 10.0), (0.249, 10.0), (0.25, 20.0), (0.5, 30.0), (1.0, 40.0)] {
            assert_close(samples.quantile(u), expected, 0.0);
        }
    }

    #[test]
    fn sigma_gives_the_ratio_back_and_is_the_smaller_root() {
        for expected in [0.01, 0.3, 1.0, 2.3] {
            let ratio = (Z99 * expected - expected * expected / 2.0).exp();
            assert_close(sigma(ratio), expected, 1e-9);
        }
    }

    #[test]
    fn sigma_without_a_root_is_held_to_the_nearest() {
        assert_close(sigma(1.0), 0.0, 0.0);
        assert_close(sigma(0.5), 0.0, 0.0);
        assert_close(sigma(1e6), Z99, 0.0);
    }

    #[test]
    fn a_lognormal_has_its_mean_and_percentile() {
        let lognormal = Distribution::lognormal(200.0, 500.0);
        assert_close(lognormal.quantile(0.99), 500.0, 0.1);
        let count = 100_000_u32;
        let sum: f64 =
            (0..count).map(|i| lognormal.quantile((f64::from(i) + 0.5) / f64::from(count))).sum();
        assert_close(sum / f64::from(count), 200.0, 0.1);
        assert_close(Distribution::lognormal(200.0, 150.0).quantile(0.9), 200.0, 1e-9);
    }

    #[test]
    fn the_normal_quantiles_are_those_of_the_tables() {
        for (u, expected) in [
            (0.5, 0.0),
            (0.841_344_746_068_542_9, 1.0),
            (0.975, 1.959_963_984_540_054),
            (0.99, 2.326_347_874_040_841),
            (0.999, 3.090_232_306_167_813),
            (1e-6, -4.753_424_308_822_899),
        ] {
            assert_close(standard_normal(u), expected, 1e-8);
        }
        assert!(standard_normal(0.0).is_finite());
    }
}
