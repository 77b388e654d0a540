//! The output of a replay: a table and a JSON object.

use std::collections::BTreeMap;

use powertune_core::power::Power;
use serde::Serialize;

use crate::{
    contest::Contest,
    function::Name,
    repetition::Repetition,
    score::{Figures, recommended},
};

const HEADS: [&str; 16] = [
    "function",
    "regret %",
    "median",
    "p95",
    "max",
    "within 5 %",
    "invocations",
    "units median",
    "mean",
    "coverage %",
    "confident %",
    "and wrong %",
    "agreement %",
    "or tie %",
    "chosen",
    "best",
];

/// The replayed data, and the figures.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) policy: String,
    pub(crate) data: Vec<String>,
    pub(crate) current: &'static str,
    pub(crate) reps: u32,
    pub(crate) seed: u64,
    pub(crate) strategy: &'static str,
    pub(crate) overall: Figures,
    pub(crate) sources: Vec<Source>,
    pub(crate) functions: Vec<Line>,
}

/// All functions of one source.
#[derive(Debug, Serialize)]
pub(crate) struct Source {
    pub(crate) source: String,
    #[serde(flatten)]
    pub(crate) figures: Figures,
}

/// One function.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    #[serde(flatten)]
    name: Name,
    /// The truly best size.
    best: Power,
    /// The number of recommendations for each power.
    recommended: BTreeMap<u32, u32>,
    #[serde(flatten)]
    figures: Figures,
}

impl Line {
    pub(crate) fn of(contest: &Contest, runs: &[Repetition]) -> Self {
        let counts = recommended(runs).into_iter();
        Self {
            name: contest.function.name.clone(),
            best: contest.best,
            recommended: counts.map(|(power, count)| (power.mb(), count)).collect(),
            figures: Figures::over(&[runs]),
        }
    }

    fn cells(&self) -> Vec<String> {
        let chosen = most_often(&self.recommended).map_or_else(dash, |mb| mb.to_string());
        cells(self.name.to_string(), &self.figures, [chosen, self.best.mb().to_string()])
    }
}

impl Outcome {
    /// The table for people.
    pub(crate) fn table(&self) -> String {
        let heads = HEADS.map(str::to_owned).to_vec();
        let overall = cells("overall".to_owned(), &self.overall, [dash(), dash()]);
        let mut rows = vec![heads];
        rows.extend(self.functions.iter().map(Line::cells));
        if let [_, _, ..] = self.sources[..] {
            let of = |source: &Source| {
                cells(format!("all of {}", source.source), &source.figures, [dash(), dash()])
            };
            rows.extend(self.sources.iter().map(of));
        }
        rows.push(overall);
        format!(
            "policy {}, strategy {}, {} repetitions, seed {}, the current size is the {}; {}\n\n{}",
            self.policy,
            self.strategy,
            self.reps,
            self.seed,
            self.current,
            self.data.join(", "),
            aligned(&rows)
        )
    }
}

/// The power with the most recommendations, the smallest one of several.
fn most_often(recommended: &BTreeMap<u32, u32>) -> Option<u32> {
    let most = recommended.iter().rev().max_by_key(|(_, count)| **count);
    most.map(|(&mb, _)| mb)
}

fn cells(name: String, figures: &Figures, powers: [String; 2]) -> Vec<String> {
    let percent = |share: f64| format!("{:.2}", 100.0 * share);
    let rough = |share: f64| format!("{:.1}", 100.0 * share);
    let known = |share: Option<f64>| share.map_or_else(dash, rough);
    let mut cells = vec![
        name,
        percent(figures.regret_mean),
        percent(figures.regret_median),
        percent(figures.regret_p95),
        percent(figures.regret_max),
        rough(figures.within5),
        format!("{:.1}", figures.invocations),
        format!("{:.1}", figures.units_median),
        format!("{:.1}", figures.units_mean),
        known(figures.coverage),
        rough(figures.confident),
        known(figures.confident_wrong),
        known(figures.agreement),
        known(figures.agreement_or_tie),
    ];
    cells.extend(powers);
    cells
}

fn dash() -> String {
    "-".to_owned()
}

/// Lines of cells: the first cell is aligned to the left, the others to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let width =
        |column: usize| rows.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEADS.len()).map(width).collect();
    let line = |cells: &Vec<String>| {
        let mut line = vec![format!("{:<1$}", cells[0], widths[0])];
        line.extend(
            cells.iter().zip(&widths).skip(1).map(|(cell, width)| format!("{cell:>width$}")),
        );
        line.join("  ") + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_powers_recommended_equally_often_the_smallest_stands_for_all() {
        assert_eq!(most_often(&BTreeMap::from([(128, 3), (256, 4), (512, 4)])), Some(256));
        assert_eq!(most_often(&BTreeMap::new()), None);
    }

    #[test]
    fn every_head_has_its_cells() {
        let figures = Figures::over(&[&[Repetition {
            recommended: Power::MIN,
            ties: Vec::new(),
            regret: 0.0123,
            confidence: 1.0,
            invocations: 5,
            units: 7.0,
            intervals: 0,
            holding: 0,
        }]]);
        let cells = cells("f".to_owned(), &figures, [dash(), dash()]);
        assert_eq!(cells.len(), HEADS.len());
        let table = aligned(&[HEADS.map(str::to_owned).to_vec(), cells]);
        let lengths: Vec<usize> = table.lines().map(str::len).collect();
        assert_eq!(lengths, [lengths[0]; 2], "{table}");
    }
}
