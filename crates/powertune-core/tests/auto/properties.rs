//! Properties that hold for every function.

use powertune_core::{
    observation::{Failure, Outcome},
    power::Power,
    request::{AUTO_MOST, Request},
    stopped::Stopped,
};
use proptest::{collection::vec, prelude::*};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::{
    families::{ALL, Family},
    run::{Function, Invocation, counted, request, run},
};

/// A function with arbitrary behaviour.
#[derive(Debug, Clone)]
struct Wild {
    /// The scale of the duration at each power, in milliseconds, and its spread.
    scales: Vec<(f64, f64)>,
    /// The probability that an invocation is lost.
    lost: f64,
    /// Below this size the function runs out of memory.
    needs_mb: u32,
}

impl Function for Wild {
    fn invoke(&self, invocation: Invocation, rng: &mut ChaCha8Rng) -> Outcome {
        let power = invocation.power;
        if power.mb() < self.needs_mb {
            return Outcome::Failed { failure: Failure::OutOfMemory, report: None };
        }
        if rng.random::<f64>() < self.lost {
            let failure = Failure::Lost { why: "gone".to_owned() };
            return Outcome::Failed { failure, report: None };
        }
        let (scale, spread) = self.scales[power.mb() as usize % self.scales.len()];
        let duration_ms = scale * (spread * (rng.random::<f64>() - 0.5)).exp();
        counted(invocation, duration_ms)
    }
}

fn wild() -> impl Strategy<Value = Wild> {
    let scales = vec((0.5..20_000.0_f64, 0.0..8.0_f64), 1..8);
    let lost = prop_oneof![3 => Just(0.0), 1 => 0.0..1.0_f64];
    let needs_mb = prop_oneof![3 => Just(0_u32), 1 => 0_u32..4_000];
    (scales, lost, needs_mb).prop_map(|(scales, lost, needs_mb)| Wild { scales, lost, needs_mb })
}

fn asked() -> impl Strategy<Value = Value> {
    let strategy = prop_oneof![
        Just(json!({ "strategy": "cost" })),
        Just(json!({ "strategy": "speed" })),
        Just(json!({ "strategy": "balanced", "balancedWeight": 0.3 })),
        (1.0..20_000.0_f64).prop_map(|limit_ms| json!({ "maxDuration": limit_ms })),
    ];
    let powers = prop_oneof![
        Just(Value::Null),
        Just(json!("ALL")),
        vec(128_i64..=10_240, 1..12).prop_map(|powers| json!(powers)),
    ];
    (strategy, powers, 0.0..10.0_f64, any::<bool>()).prop_map(
        |(mut fields, powers, tolerance, only_cold_starts)| {
            if !powers.is_null() {
                fields["powerValues"] = powers;
            }
            fields["tolerance"] = tolerance.into();
            fields["onlyColdStarts"] = only_cold_starts.into();
            fields
        },
    )
}

/// Checks that a run ends within its limits, and with a winner if any power works.
fn check(request: &Request, function: &dyn Function, seed: u64) -> Result<(), TestCaseError> {
    let run = run(request, function, seed);
    let most = request.most_invocations();
    for round in &run.rounds {
        for measurement in &round.measurements {
            let sent = run.invocations(measurement.power.mb());
            prop_assert!(sent <= most, "{sent} of {most} at {}", measurement.power);
        }
    }
    let Ok(result) = &run.result else { return Ok(()) };
    prop_assert_eq!(result.confidence.is_none(), !result.unmeasured.is_empty());
    prop_assert!(result.confidence.is_none_or(|known| (0.0..=1.0).contains(&known)));
    if run.stopped == Stopped::Confident {
        prop_assert!(result.confidence >= Some(0.95), "{:?}", result.confidence);
    }
    let named = |power: Power| request.powers.as_ref().is_none_or(|powers| powers.contains(power));
    prop_assert!(run.seen.observations.iter().all(|seen| named(seen.power)));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn it_ends_within_its_caps_whatever_happens(
        function in wild(),
        fields in asked(),
        seed in any::<u64>(),
    ) {
        check(&request(fields), &function, seed)?;
    }

    #[test]
    fn the_same_evidence_gives_the_same_steps(
        family in prop::sample::select(&ALL[..]),
        seed in any::<u64>(),
    ) {
        let request = request(json!({ "seed": 3 }));
        let (one, other) = (run(&request, &family, seed), run(&request, &family, seed));
        prop_assert_eq!(one.rounds, other.rounds);
        prop_assert_eq!(one.result, other.result);
    }
}

#[test]
fn every_family_gets_a_winner_by_every_strategy() {
    for family in ALL {
        for fields in [
            json!({ "strategy": "cost" }),
            json!({ "strategy": "speed" }),
            json!({ "strategy": "balanced" }),
            json!({ "maxDuration": 300 }),
        ] {
            let run = run(&request(fields.clone()), &family, 5);
            assert!(run.result.is_ok(), "{family:?} {fields}");
        }
    }
}

#[test]
fn a_function_that_never_works_ends_the_run_at_once() {
    let never = Wild { scales: vec![(1.0, 0.0)], lost: 0.0, needs_mb: 20_000 };
    let run = run(&request(json!({})), &never, 1);
    assert!(run.result.is_err());
    assert!(run.seen.observations.len() < 60, "{}", run.seen.observations.len());
    let lost = Wild { scales: vec![(1.0, 0.0)], lost: 1.0, needs_mb: 0 };
    let run = super::run::run(&request(json!({})), &lost, 1);
    assert!(run.result.is_err() && run.invocations(128) <= AUTO_MOST);
}

#[test]
fn a_drift_is_told() {
    let told = |family: Family| {
        let runs = (0..20).map(|seed| run(&request(json!({ "seed": seed })), &family, seed));
        let warned = |warnings: &[String]| warnings.iter().any(|w| w.contains("drift"));
        runs.filter(|run| warned(&run.result().warnings)).count()
    };
    let (drifting, steady) = (told(Family::Drifting), told(Family::CpuBound));
    assert!(drifting >= 16 && steady <= 1, "{drifting} of 20, and {steady} where there is none");
}

#[test]
fn uneven_environments_are_told_and_make_it_less_sure() {
    let runs = |family: Family| {
        (0..20).map(move |seed| run(&request(json!({ "seed": seed })), &family, seed))
    };
    let told = |family| {
        let warned =
            |warnings: &[String]| warnings.iter().any(|w| w.contains("instances of the same size"));
        runs(family).filter(|run| warned(&run.result().warnings)).count()
    };
    let (uneven, even) = (told(Family::UnevenHosts), told(Family::CpuBound));
    assert!(uneven >= 10 && even <= 2, "{uneven} of 20, and {even} where there are none");
    let confident = |family| runs(family).filter(|run| run.stopped == Stopped::Confident).count();
    assert!(confident(Family::UnevenHosts) < confident(Family::CpuBound));
}
