//! Detects environments that differ more than the invocations within them.
//!
//! A slow host, or an unlucky memory layout, slows down every invocation of an environment. A power
//! measured there looks slow, and more invocations there tell nothing new.

use super::size_samples::SizeSamples;
use crate::stats;

/// The F statistic from which environments differ: a little above the 95th percentile of the F
/// distributions with one or two, and about eight, degrees of freedom.
const TOLD_APART: f64 = 6.0;

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Environments {
    /// The standard deviation of an environment's mean beyond what its own invocations explain, as
    /// a share of the power's mean. 0 if they explain it all.
    pub(crate) spread: f64,
    /// The degrees of freedom between environments.
    pub(crate) freedom: usize,
}

/// The variation between environments, pooled over all powers: the variance components of a one-way
/// analysis of variance with unequal groups (Searle, Casella and McCulloch, "Variance Components",
/// 1992, chapter 3).
pub(crate) fn environments(sizes: &[&SizeSamples<'_>]) -> Environments {
    let (mut between, mut within) = (0.0, 0.0);
    let (mut between_freedom, mut within_freedom, mut effective_size) = (0_usize, 0_usize, 0.0);
    for size in sizes {
        let groups = logarithms(size);
        let count: usize = groups.iter().map(Vec::len).sum();
        let all: Vec<f64> = groups.concat();
        let Some(mean) = stats::mean(&all) else { continue };
        for group in &groups {
            let Some(own) = stats::mean(group) else { continue };
            between += group.len() as f64 * (own - mean).powi(2);
            within += group.iter().map(|value| (value - own).powi(2)).sum::<f64>();
        }
        between_freedom += groups.len() - 1;
        within_freedom += count - groups.len();
        let squares: f64 = groups.iter().map(|group| (group.len() as f64).powi(2)).sum();
        effective_size += count as f64 - squares / count as f64;
    }
    if between_freedom == 0 || within_freedom == 0 {
        return Environments::default();
    }
    let between = between / between_freedom as f64;
    let within = within / within_freedom as f64;
    if between <= TOLD_APART * within {
        return Environments { spread: 0.0, freedom: between_freedom };
    }
    let variance = (between - within) * between_freedom as f64 / effective_size;
    Environments { spread: variance.sqrt(), freedom: between_freedom }
}

/// The logarithms of a power's durations by environment. On the log scale a rare slow invocation
/// does not look like a slow environment.
fn logarithms(size: &SizeSamples<'_>) -> Vec<Vec<f64>> {
    let logarithm = |duration_ms: f64| duration_ms.max(1e-3).ln();
    size.environments()
        .iter()
        .map(|group| group.iter().map(|sample| logarithm(sample.duration_ms)).collect())
        .collect()
}
