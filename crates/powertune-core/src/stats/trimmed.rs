use super::{Estimate, summary::trimmed_count, trimmed_mean};

/// The mean without the share `discard` of the samples at each end, with its 95 % interval. `None`
/// without samples. The interval is unknown if fewer than two samples are left.
///
/// The interval is Tukey's and McLaughlin's ("Less Vulnerable Confidence and Significance
/// Procedures for Location Based on a Single Sample: Trimming/Winsorization 1", Sankhya A 25(3),
/// 1963): the variance of the winsorised samples, and Student's t with the degrees of freedom of
/// the samples that are left. Trimming removes a cold start, so it does not widen the interval.
pub(crate) fn trimmed_interval(samples: &[f64], discard: f64) -> Option<Estimate> {
    let mean = trimmed_mean(samples, discard)?;
    let count = samples.len();
    let cut = trimmed_count(count, discard);
    let left = count - 2 * cut;
    if left < 2 {
        return Some(Estimate { mean, low: None, high: None });
    }
    let mut winsorised = samples.to_vec();
    winsorised.sort_by(f64::total_cmp);
    let (first, last) = (winsorised[cut], winsorised[count - 1 - cut]);
    winsorised[..cut].fill(first);
    winsorised[count - cut..].fill(last);
    let centre = winsorised.iter().sum::<f64>() / count as f64;
    let squares: f64 = winsorised.iter().map(|sample| (sample - centre).powi(2)).sum();
    let deviation = (squares / (count - 1) as f64).sqrt();
    let kept = left as f64 / count as f64;
    let half = t_975(left - 1) * deviation / (kept * (count as f64).sqrt());
    Some(Estimate { mean, low: Some(mean - half), high: Some(mean + half) })
}

/// The 97.5th percentile of Student's t: exact for one and two degrees of freedom, otherwise the
/// expansion of Cornish and Fisher (Abramowitz and Stegun, "Handbook of Mathematical Functions",
/// 26.7.5), with an error below 1 %.
fn t_975(freedom: usize) -> f64 {
    const Z: f64 = 1.959_964;
    match freedom {
        0 | 1 => 12.706_205,
        2 => 4.302_653,
        _ => {
            let n = freedom as f64;
            let first = (Z.powi(3) + Z) / 4.0;
            let second = (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / 96.0;
            let third = (3.0 * Z.powi(7) + 19.0 * Z.powi(5) + 17.0 * Z.powi(3) - 15.0 * Z) / 384.0;
            Z + first / n + second / n.powi(2) + third / n.powi(3)
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;
    use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

    use super::*;

    #[test]
    fn students_t_is_that_of_the_tables() {
        for (freedom, table) in [(1, 12.706), (2, 4.303), (3, 3.182), (5, 2.571), (29, 2.045)] {
            let error = (t_975(freedom) / table - 1.0).abs();
            assert!(error < 0.01, "{freedom}: {}", t_975(freedom));
        }
    }

    #[test]
    fn an_interval_by_hand() {
        // Winsorised: 2 2 3 4 4, mean 3, variance 1, deviation 1. Three of five are left.
        let estimate = trimmed_interval(&[1.0, 2.0, 3.0, 4.0, 100.0], 0.2).expect("samples");
        let half = 4.302_653 / (0.6 * 5.0_f64.sqrt());
        assert!((estimate.mean - 3.0).abs() < 1e-12);
        assert!((estimate.high.expect("an end") - 3.0 - half).abs() < 1e-6);
        assert_eq!(trimmed_interval(&[7.0], 0.2).expect("a sample").low, None);
        assert_eq!(trimmed_interval(&[], 0.2), None);
    }

    #[test]
    fn intervals_hold_the_truth_as_often_as_they_say() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for count in [5, 10, 20] {
            let held = (0..2_000).filter(|_| {
                // The mean of twelve uniform draws is nearly normal around 0.5.
                let mut sample = || (0..12).map(|_| rng.random::<f64>()).sum::<f64>() / 12.0;
                let samples: Vec<f64> = (0..count).map(|_| sample()).collect();
                let estimate = trimmed_interval(&samples, 0.2).expect("samples");
                estimate.low.is_some_and(|low| low <= 0.5)
                    && estimate.high.is_some_and(|high| high >= 0.5)
            });
            let held = held.count();
            assert!((1_850..=1_970).contains(&held), "{held} of 2000 with {count}");
        }
    }
}
