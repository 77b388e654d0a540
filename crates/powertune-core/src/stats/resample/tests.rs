use proptest::{collection::vec, prelude::*};
use rand::RngExt;
use rand_chacha::rand_core::SeedableRng;

use super::*;

const STATISTICS: [Statistic; 4] = [
    Statistic::Mean,
    Statistic::TrimmedMean { discard: 0.2 },
    Statistic::CeilTrimmedMean { discard: 0.2 },
    Statistic::Percentile(0.5),
];

fn sampled(durations: &[f64]) -> Vec<Sample> {
    let sample = |&duration_ms: &f64| Sample { billed_ms: duration_ms.ceil(), duration_ms };
    durations.iter().map(sample).collect()
}

/// Draws with a fixed seed, which no test depends on.
fn drawn(samples: &[Sample], statistic: Statistic) -> Option<Vec<Draw>> {
    draws(samples, statistic, statistic, Reach::default(), 400, &mut ChaCha8Rng::seed_from_u64(7))
}

fn lognormal(scale: f64, rng: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    scale * (0.3 * radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()).exp()
}

#[test]
fn claims_that_one_power_is_better_are_right_as_often_as_they_say_or_more() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    // For claims of 75 to 95 %, and for higher ones: their number, the right ones, and the sum
    // of the claimed probabilities.
    let mut claims = [(0, 0, 0.0); 2];
    for _ in 0..1_000 {
        let ratio = rng.random_range(-1.0_f64..1.0).exp();
        let mut drawn = |scale: f64| {
            let durations: Vec<f64> = (0..5).map(|_| lognormal(scale, &mut rng)).collect();
            let statistic = Statistic::Mean;
            draws(&sampled(&durations), statistic, statistic, Reach::default(), 200, &mut rng)
                .unwrap()
        };
        let (one, other) = (drawn(1_000.0), drawn(1_000.0 * ratio));
        let better = one.iter().zip(&other).filter(|(a, b)| a.billed_ms < b.billed_ms).count();
        let claim = better as f64 / 200.0;
        let (claim, right) =
            if claim > 0.5 { (claim, ratio > 1.0) } else { (1.0 - claim, ratio < 1.0) };
        if claim >= 0.75 {
            let (made, hits, said) = &mut claims[usize::from(claim >= 0.95)];
            *made += 1;
            *hits += i32::from(right);
            *said += claim;
        }
    }
    for (made, hits, said) in claims {
        let (right, said) = (f64::from(hits) / f64::from(made), said / f64::from(made));
        assert!(made > 150, "{made} claims");
        let margin = right - said;
        assert!((-0.02..0.08).contains(&margin), "{right} right of {made} that say {said}");
    }
}

#[test]
fn draws_lie_around_the_statistic() {
    let samples = sampled(&[98.2, 101.3, 99.7, 100.4, 104.9, 97.0, 100.8, 102.2, 99.1, 100.6]);
    for statistic in STATISTICS {
        let drawn = drawn(&samples, statistic).unwrap();
        let durations: Vec<f64> = drawn.iter().map(|draw| draw.duration_ms).collect();
        let middle = percentile(&durations, 0.5).unwrap();
        assert!((99.0..=102.0).contains(&middle), "{middle} of {statistic:?}");
        let spread = durations.iter().map(|d| (d - middle).abs()).sum::<f64>() / 400.0;
        assert!((0.2..2.0).contains(&spread), "{spread} of {statistic:?}");
    }
}

#[test]
fn the_slowest_twentieth_is_evened_out() {
    let evened = |durations: &[f64]| -> Vec<f64> {
        winsorised(&sampled(durations)).iter().map(|sample| sample.duration_ms).collect()
    };
    assert_eq!(evened(&[9.0, 1.0, 2.0]), [1.0, 2.0, 2.0]);
    assert_eq!(evened(&[9.0, 1.0]), [1.0, 9.0]);
    let many: Vec<f64> = (1..=40).map(f64::from).collect();
    assert_eq!(evened(&many)[36..], [37.0, 38.0, 38.0, 38.0]);
}

#[test]
fn what_evening_out_hides_is_given_back() {
    let widened = |durations: &[f64]| -> Vec<f64> {
        let widened = winsorised_and_widened(&sampled(durations));
        widened.iter().map(|sample| sample.duration_ms).collect()
    };
    // Winsorised to 1, 2, 2, 2 with a mean of 1.75. Degrees of freedom: 3 over 2.
    assert_eq!(widened(&[2.0, 9.0, 1.0, 2.0]), [0.625, 2.125, 2.125, 2.125]);
    assert_eq!(widened(&[1.0, 9.0]), [1.0, 9.0]);
    assert_eq!(widened(&[]), [0.0; 0]);
}

#[test]
fn a_spread_known_from_elsewhere_makes_a_pair_of_samples_tell_more() {
    let samples = sampled(&[100.0, 103.0]);
    let width = |reach| {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let drawn = draws(&samples, Statistic::Mean, Statistic::Mean, reach, 400, &mut rng);
        let ms: Vec<f64> = drawn.unwrap().iter().map(|draw| draw.duration_ms).collect();
        percentile(&ms, 0.95).unwrap() - percentile(&ms, 0.05).unwrap()
    };
    let others = [[98.0, 102.0, 100.0], [50.0, 51.0, 49.0]];
    let known = Reach::pooled(others.iter().map(|samples| &samples[..]));
    assert!(width(known) < width(Reach::default()) / 2.0);
}

#[test]
fn a_trimmed_mean_varies_as_its_standard_error_says() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut durations: Vec<f64> = (0..50).map(|_| lognormal(100.0, &mut rng)).collect();
    let statistic = Statistic::TrimmedMean { discard: 0.2 };
    let drawn =
        draws(&sampled(&durations), statistic, statistic, Reach::default(), 2_000, &mut rng)
            .unwrap();
    let deviation = |values: &[f64], divisor: f64| {
        let mean = mean(values).unwrap();
        (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / divisor).sqrt()
    };
    // Tukey and McLaughlin: the deviation after the 10 at each end are set to the next one
    // inside.
    durations.sort_by(f64::total_cmp);
    let (low, high) = (durations[10], durations[39]);
    let winsorised: Vec<f64> = durations.iter().map(|d| d.clamp(low, high)).collect();
    let expected = deviation(&winsorised, 49.0) / (0.6 * 50.0_f64.sqrt());
    let drawn: Vec<f64> = drawn.iter().map(|draw| draw.duration_ms).collect();
    let ratio = deviation(&drawn, 2_000.0) / expected;
    assert!((0.85..1.2).contains(&ratio), "{ratio}");
}

#[test]
fn the_figures_of_a_draw_vary_together() {
    let samples = sampled(&[80.0, 95.0, 100.0, 120.0, 150.0]);
    let drawn = drawn(&samples, Statistic::Mean).unwrap();
    let apart = |draw: &Draw| (draw.billed_ms - draw.duration_ms).abs();
    // Billed equals duration here, except for the effect of rounding.
    assert!(drawn.iter().all(|draw| apart(draw) <= 1.0 + 1e-9));
    assert!(drawn.iter().any(|draw| (draw.billed_ms - 109.0).abs() > 10.0));
}

#[test]
fn a_tail_that_was_not_seen_is_drawn() {
    let durations: Vec<f64> = (1..=20).map(f64::from).collect();
    let drawn = drawn(&sampled(&durations), Statistic::Percentile(0.95)).unwrap();
    let beyond = drawn.iter().filter(|draw| draw.duration_ms > 20.0).count();
    // The probability that all 20 lie below the 95th percentile: 0.95^20 = 36 %.
    assert!((110..180).contains(&beyond), "{beyond} of 400");
}

#[test]
fn equal_billed_milliseconds_leave_what_rounding_hides_to_the_mean_only() {
    let samples = sampled(&[1.4; 10]);
    let billed = |statistic| -> Vec<f64> {
        drawn(&samples, statistic).unwrap().iter().map(|draw| draw.billed_ms).collect()
    };
    let mean = billed(Statistic::Mean);
    assert!(mean.iter().any(|ms| *ms > 2.1) && mean.iter().any(|ms| *ms < 1.9));
    assert!(mean.iter().all(|ms| (1.0..=3.0).contains(ms)));
    let trimmed = billed(Statistic::CeilTrimmedMean { discard: 0.2 });
    assert!(trimmed.iter().all(|ms| (*ms - 2.0).abs() < 1e-9));
}

#[test]
fn few_samples_are_drawn_widely_or_not_at_all() {
    for statistic in STATISTICS {
        assert_eq!(drawn(&[], statistic), None);
    }
    let one = drawn(&sampled(&[50.0]), Statistic::Mean).unwrap();
    let within_two = one.iter().filter(|draw| (25.0..100.0).contains(&draw.duration_ms)).count();
    assert!((160..240).contains(&within_two), "{within_two} of 400");
    assert_eq!(drawn(&sampled(&[50.0]), Statistic::Percentile(0.5)), None);
    assert!(drawn(&sampled(&[50.0, 60.0]), Statistic::Mean).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn draws_are_figures_that_exist(durations in vec(0.01..1e6_f64, 2..30)) {
        for statistic in STATISTICS {
            let drawn = drawn(&sampled(&durations), statistic).unwrap();
            prop_assert_eq!(drawn.len(), 400);
            for draw in drawn {
                prop_assert!(draw.billed_ms >= 1.0 && draw.billed_ms.is_finite());
                prop_assert!(draw.duration_ms >= 0.0 && draw.duration_ms.is_finite());
            }
        }
    }

    #[test]
    fn the_same_seed_draws_the_same(durations in vec(0.01..1e6_f64, 1..30)) {
        let samples = sampled(&durations);
        prop_assert_eq!(drawn(&samples, Statistic::Mean), drawn(&samples, Statistic::Mean));
    }

    #[test]
    fn draws_scale_with_their_samples(
        durations in vec(1.0..1e3_f64, 2..20),
        scale in 0.001..1e3_f64,
    ) {
        let scaled: Vec<f64> = durations.iter().map(|duration| duration * scale).collect();
        for statistic in STATISTICS.into_iter().filter(|s| !matches!(s, Statistic::CeilTrimmedMean { .. })) {
            let one = drawn(&sampled(&durations), statistic).unwrap();
            let other = drawn(&sampled(&scaled), statistic).unwrap();
            for (one, other) in one.iter().zip(&other) {
                let error = one.duration_ms * scale - other.duration_ms;
                prop_assert!(error.abs() <= 1e-6 * other.duration_ms.max(scale));
            }
        }
    }
}
