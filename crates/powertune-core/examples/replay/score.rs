//! The figures over many repetitions.

use std::collections::BTreeMap;

use powertune_core::{power::Power, stats::mean};
use serde::Serialize;

use crate::repetition::Repetition;

/// The confidence of a sure result.
const CONFIDENT: f64 = 0.95;
/// The regret above which a sure result is wrong.
const INDIFFERENT: f64 = 0.03;
/// The regret up to which a result is as good as the best.
const CLOSE: f64 = 0.05;

/// The quality of the choices, and their price. A figure without data is null.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figures {
    pub(crate) regret_mean: f64,
    pub(crate) regret_median: f64,
    pub(crate) regret_p95: f64,
    pub(crate) regret_max: f64,
    pub(crate) within5: f64,
    pub(crate) invocations: f64,
    pub(crate) units_median: f64,
    pub(crate) units_mean: f64,
    pub(crate) coverage: Option<f64>,
    pub(crate) confident: f64,
    pub(crate) confident_wrong: Option<f64>,
    pub(crate) agreement: Option<f64>,
    pub(crate) agreement_or_tie: Option<f64>,
}

impl Figures {
    /// The figures over functions and their repetitions, at least one.
    pub(crate) fn over(functions: &[&[Repetition]]) -> Self {
        let all: Vec<&Repetition> = functions.iter().copied().flatten().collect();
        let regrets = sorted(all.iter().map(|run| run.regret));
        let units = sorted(all.iter().map(|run| run.units));
        let invocations: Vec<f64> = all.iter().map(|run| f64::from(run.invocations)).collect();
        let sum = |of: fn(&Repetition) -> u32| all.iter().map(|run| f64::from(of(run))).sum();
        let (intervals, holding): (f64, f64) = (sum(|run| run.intervals), sum(|run| run.holding));
        let sure: Vec<bool> = all
            .iter()
            .filter(|run| run.confidence >= CONFIDENT)
            .map(|run| run.regret > INDIFFERENT)
            .collect();
        let or_ties: Vec<f64> =
            functions.iter().filter_map(|runs| agreement_or_tie(runs)).collect();
        let agreements: Vec<f64> = functions.iter().filter_map(|runs| agreement(runs)).collect();
        Self {
            regret_mean: mean_of(&regrets),
            regret_median: nearest_rank(&regrets, 50),
            regret_p95: nearest_rank(&regrets, 95),
            regret_max: nearest_rank(&regrets, 100),
            within5: share(&regrets.iter().map(|&regret| regret <= CLOSE).collect::<Vec<_>>()),
            invocations: mean_of(&invocations),
            units_median: nearest_rank(&units, 50),
            units_mean: mean_of(&units),
            coverage: (intervals > 0.0).then(|| holding / intervals),
            confident: sure.len() as f64 / all.len() as f64,
            confident_wrong: (!sure.is_empty()).then(|| share(&sure)),
            agreement: mean(&agreements),
            agreement_or_tie: mean(&or_ties),
        }
    }
}

/// The number of recommendations for each power.
pub(crate) fn recommended(runs: &[Repetition]) -> BTreeMap<Power, u32> {
    let mut counts = BTreeMap::new();
    for run in runs {
        *counts.entry(run.recommended).or_default() += 1;
    }
    counts
}

/// The probability that two different repetitions recommend the same power.
fn agreement(runs: &[Repetition]) -> Option<f64> {
    let pairs = |count: f64| count * (count - 1.0);
    let all = pairs(runs.len() as f64);
    let same: f64 = recommended(runs).into_values().map(|count| pairs(f64::from(count))).sum();
    (all > 0.0).then(|| same / all)
}

/// The same, but two repetitions also agree if each names the other's recommendation as a tie.
fn agreement_or_tie(runs: &[Repetition]) -> Option<f64> {
    let names = |one: &Repetition, other: &Repetition| one.ties.contains(&other.recommended);
    let agree = |one: &Repetition, other: &Repetition| {
        one.recommended == other.recommended || names(one, other) && names(other, one)
    };
    let pairs = || {
        runs.iter().enumerate().flat_map(|(i, one)| runs[..i].iter().map(move |other| (one, other)))
    };
    let agreeing = pairs().filter(|(one, other)| agree(one, other)).count();
    (runs.len() > 1).then(|| agreeing as f64 / pairs().count() as f64)
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The lowest value that `percent` percent of the values don't exceed.
fn nearest_rank(sorted: &[f64], percent: usize) -> f64 {
    sorted[(percent * sorted.len()).div_ceil(100).max(1) - 1]
}

/// The mean of at least one value.
fn mean_of(values: &[f64]) -> f64 {
    mean(values).expect("there is at least one repetition")
}

fn share(holding: &[bool]) -> f64 {
    holding.iter().filter(|&&holds| holds).count() as f64 / holding.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(mb: u32, regret: f64, confidence: f64) -> Repetition {
        Repetition {
            recommended: Power::new(mb).unwrap(),
            ties: Vec::new(),
            regret,
            confidence,
            invocations: 10,
            units: f64::from(mb),
            intervals: 0,
            holding: 0,
        }
    }

    #[track_caller]
    fn assert_close(actual: impl Into<Option<f64>>, expected: f64) {
        let actual: Option<f64> = actual.into();
        assert!(actual.is_some_and(|it| (it - expected).abs() < 1e-12), "{actual:?}, {expected}");
    }

    #[test]
    fn agreement_is_that_of_two_different_repetitions() {
        let runs = |mbs: &[u32]| mbs.iter().map(|&mb| run(mb, 0.0, 1.0)).collect::<Vec<_>>();
        assert_close(agreement(&runs(&[128, 128, 128])), 1.0);
        assert_close(agreement(&runs(&[128, 256])), 0.0);
        // 3 of 4 are equal: 3 * 2 ordered pairs of 4 * 3.
        assert_close(agreement(&runs(&[128, 256, 128, 128])), 0.5);
        assert_eq!(agreement(&runs(&[128])), None);
    }

    #[test]
    fn ties_agree_where_each_names_the_other() {
        let tied = |mb: u32, ties: &[u32]| {
            let ties = ties.iter().map(|&mb| Power::new(mb).unwrap()).collect();
            Repetition { ties, ..run(mb, 0.0, 1.0) }
        };
        let all = |runs: &[Repetition]| agreement_or_tie(runs);
        assert_close(all(&[tied(128, &[256]), tied(256, &[128])]), 1.0);
        assert_close(all(&[tied(128, &[256]), tied(256, &[])]), 0.0);
        assert_close(all(&[tied(128, &[]), tied(128, &[]), tied(256, &[512])]), 1.0 / 3.0);
        assert_eq!(all(&[tied(128, &[])]), None);
    }

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let values = sorted((1..=20).rev().map(f64::from));
        assert_close(nearest_rank(&values, 50), 10.0);
        assert_close(nearest_rank(&values, 95), 19.0);
        assert_close(nearest_rank(&values, 100), 20.0);
        assert_close(nearest_rank(&[7.0], 50), 7.0);
    }

    #[test]
    fn figures_are_pooled_and_agreement_is_averaged() {
        let first = [run(128, 0.0, 0.99), run(128, 0.0, 0.5)];
        let second = [run(256, 0.04, 0.96), run(512, 0.4, 0.2)];
        let figures = Figures::over(&[&first, &second]);
        assert_close(figures.regret_mean, 0.11);
        assert_close(figures.regret_median, 0.0);
        assert_close(figures.regret_max, 0.4);
        assert_close(figures.within5, 0.75);
        assert_close(figures.units_median, 128.0);
        assert_close(figures.confident, 0.5);
        assert_close(figures.confident_wrong, 0.5);
        assert_close(figures.agreement, 0.5);
        assert_eq!(figures.coverage, None);
        let unsure = Figures::over(&[&second[1..]]);
        assert_eq!((unsure.confident_wrong, unsure.agreement), (None, None));
    }

    #[test]
    fn coverage_counts_intervals() {
        let mut runs = [run(128, 0.0, 1.0), run(128, 0.0, 1.0)];
        (runs[0].intervals, runs[0].holding) = (6, 6);
        (runs[1].intervals, runs[1].holding) = (2, 1);
        assert_close(Figures::over(&[&runs]).coverage, 0.875);
    }
}
