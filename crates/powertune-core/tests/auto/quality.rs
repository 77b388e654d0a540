//! The quality of the decisions and their price, with bounds that a change for the worse would
//! break.

use powertune_core::{
    plan::Round,
    power::{Power, default_values},
    stopped::Stopped,
};
use serde_json::json;

use super::{
    families::{ALL, Family},
    run::{Run, request, run},
};

const RUNS: u64 = 20;

/// The true regret of a choice: its extra cost over the best of the default powers.
fn regret(family: Family, power: Power) -> f64 {
    let costs = default_values().iter().map(|power| family.cost(power)).collect::<Vec<_>>();
    family.cost(power) / costs.into_iter().fold(f64::INFINITY, f64::min) - 1.0
}

fn runs(family: Family) -> Vec<Run> {
    let asked = |seed: u64| request(json!({ "tolerance": 0, "seed": seed }));
    (0..RUNS).map(|seed| run(&asked(seed), &family, seed)).collect()
}

/// The mean regret and the mean number of invocations.
fn figures(family: Family) -> (f64, usize) {
    let runs = runs(family);
    let regrets: f64 = runs.iter().map(|run| regret(family, run.result().power)).sum();
    let invocations: usize = runs.iter().map(|run| run.seen.observations.len()).sum();
    (regrets / RUNS as f64, invocations / runs.len())
}

#[test]
fn it_chooses_well_with_few_invocations() {
    let mut too_bad = Vec::new();
    for (family, most_regret, most_invocations) in [
        (Family::CpuBound, 0.01, 92),
        (Family::MultiThreaded, 0.01, 90),
        (Family::Waiting, 0.001, 20),
        (Family::Short, 0.03, 45),
        (Family::JvmLike, 0.02, 45),
        (Family::Bimodal, 0.03, 220),
        (Family::HeavyTailed, 0.06, 250),
        (Family::UnevenHosts, 0.05, 250),
        (Family::Drifting, 0.02, 330),
    ] {
        let (regret, invocations) = figures(family);
        if regret > most_regret || invocations > most_invocations {
            too_bad.push((family, regret, invocations));
        }
    }
    assert!(too_bad.is_empty(), "{too_bad:?}");
}

#[test]
fn what_it_is_sure_of_is_so() {
    let (mut sure, mut wrong) = (0, 0);
    for family in ALL {
        for run in runs(family) {
            if run.result().confidence >= Some(0.95) {
                sure += 1;
                wrong += u32::from(regret(family, run.result().power) > 0.03);
            }
        }
    }
    assert!(sure > 80 && wrong * 20 <= sure, "{wrong} of {sure} wrong");
}

#[test]
fn what_waits_is_not_measured_at_dear_powers() {
    let run = run(&request(json!({})), &Family::Waiting, 1);
    assert_eq!(run.stopped, Stopped::Confident);
    assert_eq!(run.result().power, Power::MIN);
    assert_eq!(run.invocations(1024) + run.invocations(1536) + run.invocations(3008), 0);
}

#[test]
fn a_knee_between_two_powers_is_found_by_measuring_it() {
    // One thread is no faster beyond 1,769 MB, so the cheapest of the fastest sizes lies between.
    let asked = request(json!({ "strategy": "speed", "tolerance": 3 }));
    let between = (0..RUNS).filter(|&seed| {
        let run = run(&asked, &Family::CpuBound, seed);
        let chosen = run.result().power.mb();
        assert!(run.invocations(chosen) >= 5, "{chosen} MB was measured");
        let measures = |round: &Round| round.measurements.iter().any(|m| m.power.mb() == chosen);
        let first = run.rounds.iter().position(measures);
        // The size has a round of its own after the named ones.
        (1_600..3_008).contains(&chosen) && first.is_some_and(|round| round > 0)
    });
    let between = between.count();
    assert!(between >= 15, "{between} of {RUNS}");
}

#[test]
fn a_named_power_is_the_only_kind_there_is() {
    let asked = request(json!({ "strategy": "speed", "powerValues": [512, 1536, 3008] }));
    let run = run(&asked, &Family::CpuBound, 1);
    assert!([1536, 3008].contains(&run.result().power.mb()));
    assert_eq!(run.result().stats.len(), 3);
}

#[test]
fn of_very_many_powers_few_are_measured() {
    let run = run(&request(json!({ "powerValues": "ALL" })), &Family::CpuBound, 1);
    assert!(run.result().stats.len() <= 12, "{}", run.result().stats.len());
}

#[test]
fn a_tolerance_takes_the_fastest_of_the_cheap() {
    let none = run(&request(json!({ "tolerance": 0 })), &Family::MultiThreaded, 3);
    let some = run(&request(json!({ "tolerance": 15 })), &Family::MultiThreaded, 3);
    assert!(some.result().duration < none.result().duration / 2.0);
    assert!(some.result().cost < none.result().cost * 1.16);
}
