//! A soak: runs of all kinds with all faults, drawn from a seed.

mod case;
mod schedule;
mod trial;

use std::env;

use clap::Parser;
use futures::{StreamExt, stream};
use libtest_mimic::Failed;

use self::{
    case::Case,
    trial::{Ended, Problem},
};
use crate::crash::{AT_ONCE, bench::Bench, figures};

/// The options of a soak on its own.
#[derive(Debug, Clone, Copy, Parser)]
pub(crate) struct Options {
    /// Seed of all runs
    #[arg(long)]
    pub(crate) seed: u64,
    /// Number of runs
    #[arg(long, default_value_t = 500)]
    pub(crate) runs: u64,
    /// Only this run
    #[arg(long)]
    pub(crate) run: Option<u64>,
}

/// The outcomes of the runs so far.
#[derive(Debug, Default)]
struct Tally {
    runs: usize,
    faults: usize,
    ended: Vec<Ended>,
    leftovers: usize,
    wrong_accounts: usize,
    problems: Vec<String>,
}

impl Options {
    /// The options on the command line, if it asks for a soak.
    pub(crate) fn given() -> Option<Self> {
        let is_asked_for = env::args().any(|argument| argument.starts_with("--seed"));
        is_asked_for.then(Self::parse)
    }
}

/// Draws the runs, runs a few at a time, and reports the outcomes.
pub(crate) async fn soak(options: &Options, bench: &Bench) -> Result<(), Failed> {
    let Options { seed, runs, run } = *options;
    let numbers = run.map_or(1..=runs, |run| run..=run);
    let ended = stream::iter(numbers).map(|number| async move {
        let case = Case::draw(seed, number);
        let ended = case.run(bench).await;
        (case, ended)
    });
    let mut ended = std::pin::pin!(ended.buffered(AT_ONCE));
    let mut tally = Tally::default();
    while let Some((case, (faults, outcome))) = ended.next().await {
        tally.runs += 1;
        tally.faults += faults;
        match outcome {
            Ok(ended) => tally.ended.push(ended),
            Err(problem) => tally.add(&problem, &case, seed),
        }
        if run.is_some() {
            println!("{case}");
        }
    }
    tally.conclude(seed)
}

impl Tally {
    fn add(&mut self, problem: &Problem, case: &Case, seed: u64) {
        match problem {
            Problem::Leftover(_) => self.leftovers += 1,
            Problem::Account(_) => self.wrong_accounts += 1,
            Problem::Other(_) => {}
        }
        self.problems.push(format!(
            "{problem}\n  in {case}\n  again: cargo test -p powertune --test system -- --seed {seed} \
             --run {}",
            case.number
        ));
    }

    fn conclude(self, seed: u64) -> Result<(), Failed> {
        let Self { runs, faults, ended, leftovers, wrong_accounts, problems } = self;
        let count = |wanted| ended.iter().filter(|ended| **ended == wanted).count();
        let others = problems.len() - leftovers - wrong_accounts;
        figures::keep(format!(
            "soak, seed {seed}: {runs} runs, {leftovers} leftovers, {wrong_accounts} wrong \
             accounts, {others} other problems, {faults} faults injected; {} answers, {} errors, \
             {} refusals, {} cleaned up after an error, {} killed and cleaned up",
            count(Ended::Answer),
            count(Ended::Error),
            count(Ended::Refusal),
            count(Ended::LeftBehind),
            count(Ended::Killed),
        ));
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
    }
}
