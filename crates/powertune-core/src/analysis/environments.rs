//! Whether invocations differ more from one environment to the next than within one.
//!
//! A slow host, or memory laid out badly, makes every invocation of an environment slow, and a
//! power that is measured in it looks slow: more invocations there tell nothing new.

use super::row::Row;
use crate::stats;

/// How much more the environments' means have to differ than their invocations explain: a little
/// above the 95th percentile of the F distributions with one or two, and about eight, degrees of
/// freedom.
const TOLD_APART: f64 = 6.0;

/// How much environments differ.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Environments {
    /// The standard deviation of an environment's mean, by the power's mean, beyond what its own
    /// invocations explain; 0 where they explain it all.
    pub(crate) spread: f64,
    /// How many comparisons of environments that rests on.
    pub(crate) freedom: usize,
}

/// How much environments differ, pooled over all powers: the variance components of a one-way
/// analysis of variance with unequal groups (Searle, Casella and McCulloch, "Variance Components",
/// 1992, chapter 3).
pub(crate) fn environments(rows: &[&Row<'_>]) -> Environments {
    let (mut between, mut within) = (0.0, 0.0);
    let (mut between_freedom, mut within_freedom, mut size) = (0_usize, 0_usize, 0.0);
    for row in rows {
        let groups = logarithms(row);
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
        size += count as f64 - squares / count as f64;
    }
    if between_freedom == 0 || within_freedom == 0 {
        return Environments::default();
    }
    let between = between / between_freedom as f64;
    let within = within / within_freedom as f64;
    if between <= TOLD_APART * within {
        return Environments { spread: 0.0, freedom: between_freedom };
    }
    let variance = (between - within) * between_freedom as f64 / size;
    Environments { spread: variance.sqrt(), freedom: between_freedom }
}

/// A power's durations by environment, on the log scale: rare slow invocations are not to pass for
/// a slow environment.
fn logarithms(row: &Row<'_>) -> Vec<Vec<f64>> {
    let logarithm = |duration_ms: f64| duration_ms.max(1e-3).ln();
    row.environments()
        .iter()
        .map(|group| group.iter().map(|sample| logarithm(sample.duration_ms)).collect())
        .collect()
}
