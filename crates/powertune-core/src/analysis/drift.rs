//! Detects a drift of the durations during the run.

use super::size_samples::SizeSamples;
use crate::stats;

/// The z-score from which a trend is significant.
const SURE: f64 = 3.0;
/// The minimum number of invocations for a trend.
const FEWEST: usize = 4;

/// The drift as a share: the difference between the last and the first third of the powers'
/// invocations. `None` if it may be chance.
///
/// The test is the seasonal Kendall test with powers as seasons: Hirsch, Slack and Smith,
/// "Techniques of Trend Analysis for Monthly Water Quality Data" (Water Resources Research 18(1),
/// 1982).
pub(super) fn drift(sizes: &[&SizeSamples<'_>]) -> Option<f64> {
    let (mut score, mut variance) = (0.0, 0.0);
    let mut ratios = Vec::new();
    for durations in sizes.iter().map(|size| size.steady_durations()) {
        let count = durations.len();
        if count < FEWEST {
            continue;
        }
        let n = count as f64;
        score += kendall(&durations);
        variance += n * (n - 1.0) * (2.0 * n + 5.0) / 18.0;
        let third = count / 3;
        let (first, last) = (&durations[..third.max(1)], &durations[count - third.max(1)..]);
        ratios.extend(stats::mean(last).zip(stats::mean(first)).map(|(last, first)| last / first));
    }
    let z = if variance > 0.0 { score / variance.sqrt() } else { 0.0 };
    let change = stats::mean(&ratios)? - 1.0;
    (z.abs() > SURE && z * change > 0.0).then_some(change)
}

/// The number of rising pairs minus the number of falling pairs.
fn kendall(values: &[f64]) -> f64 {
    let mut score = 0.0;
    for (index, earlier) in values.iter().enumerate() {
        for later in &values[index + 1..] {
            score += match later.total_cmp(earlier) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.0,
                std::cmp::Ordering::Less => -1.0,
            };
        }
    }
    score
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kendalls_score_counts_pairs() {
        assert!((kendall(&[1.0, 2.0, 3.0]) - 3.0).abs() < f64::EPSILON);
        assert!((kendall(&[3.0, 2.0, 2.0]) + 2.0).abs() < f64::EPSILON);
        assert!(kendall(&[2.0, 2.0, 2.0]).abs() < f64::EPSILON);
    }
}
