//! Whether durations drifted while the run went on.

use super::row::Row;
use crate::stats;

/// How many standard deviations a trend has to be away from none.
const SURE: f64 = 3.0;
/// Fewer invocations than this make no trend.
const FEWEST: usize = 4;

/// How much longer, as a share, the last third of the powers' invocations took than the first
/// third, where that is no chance.
///
/// The test is the seasonal Kendall test, with powers for seasons: Hirsch, Slack and Smith,
/// "Techniques of Trend Analysis for Monthly Water Quality Data" (Water Resources Research 18(1),
/// 1982).
pub(super) fn drift(rows: &[&Row<'_>]) -> Option<f64> {
    let (mut score, mut variance) = (0.0, 0.0);
    let mut ratios = Vec::new();
    for durations in rows.iter().map(|row| row.steady_durations()) {
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

/// How many pairs rise, less those that fall.
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
