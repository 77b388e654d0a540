//! Runs powertune's planner over recorded samples, and tells how well it chose.
//!
//! ```text
//! cargo run --release -p powertune-core --example replay -- --data FILE.csv
//! ```
//!
//! A file has one of two forms. Either it has a row for each invocation, with the columns `source`,
//! `function`, `arch`, `memory_mb`, `duration_ms` and `cold` (1 for a cold start). Or it has a row
//! for each size, with `mean_ms`, `p99_ms` and `n` in place of `duration_ms`. A *function* is one
//! source, function and arch. A file of `--data` gives the rows whose `cold` equals `--cold`. A
//! file of `--cold-data` gives its cold starts. A function recorded at a single size is left out,
//! because it leaves no choice. Several files are replayed together, with a line for each source.
//!
//! # Draws
//! - A size with recorded samples draws one of them: Q(u) = sorted\[floor(u n)\], for a uniform u.
//! - A size with mean and 99th percentile draws from the lognormal distribution of both. Its sigma
//!   is the smaller root of p99/mean = exp(2.3263 sigma - sigma²/2). Several rows of one size are
//!   averaged with the weights `n`.
//! - A size between recorded ones interpolates equal quantiles of its neighbours: ln Q(u) is linear
//!   in ln m between ln Q(u) at both.
//! - The first invocation at a size is a cold start, and so is the first one in each further
//!   environment that the planner asks for. Environments are alike. A cold start takes as long as a
//!   cold row of the nearest size (by ratio) with cold rows. If the function has no cold rows, or
//!   with `--warm-ups same`, it takes as long as any other invocation. If cold starts are replayed,
//!   every invocation is a cold start.
//! - Before it is tuned, the function has the smallest of the raced powers, or the one of
//!   `--current`.
//!
//! # Truth
//! - The true cost of a size is its MB times the mean of ceil(duration), at least 1 ms each. The
//!   mean is over all samples, or over 2,000 equidistant quantiles if there are none. The true
//!   duration is the mean duration over the same. Requests cost nothing here.
//! - The raced powers are the ones of `--powers`, or else the six default ones, within the recorded
//!   range. Without `--powers`, the planner may measure sizes between them.
//! - The value of a size is its true cost for the strategy cost, its true duration for speed, and
//!   half of each for balanced, as shares of the highest among the raced powers.
//! - The best size has the lowest value among the recorded sizes, the raced ones, and the multiples
//!   of 64 MB within the recorded range.
//!
//! # Figures
//! - Regret: the value of the recommended power over that of the best size, minus 1. It is negative
//!   if a size off the grid was measured and is better still. Its mean, median, 95th percentile and
//!   maximum (nearest rank) are over all repetitions. `within5` is the share up to 5 %.
//! - Invocations: all that were sent, warm-ups included. Units: the sum of MB times ceil(duration)
//!   over them, divided by the true cost of one invocation at the best size.
//! - Coverage: the share of the 95 % intervals of the cost that contain the true cost, for powers
//!   with at least 5 invocations behind their interval.
//! - Confident: the share of results with a confidence of at least 95 %. Confident and wrong: the
//!   share of these results with a regret above 3 %.
//! - Agreement: the probability that two repetitions of a function recommend the same power,
//!   averaged over the functions. Or tie: the same, but repetitions also agree if each names the
//!   other's recommendation as a tie.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "an example drives the planner, and may print and start threads"
)]

mod contest;
mod data;
mod distribution;
mod function;
mod output;
mod repetition;
mod score;

use std::{
    fmt,
    num::NonZero,
    path::{Path, PathBuf},
    process::ExitCode,
    str::FromStr,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use clap::{Parser, ValueEnum, value_parser};
use powertune_core::{
    power::{PowerValues, default_values},
    request::{MAX_NUM, MIN_NUM},
};
use serde_json::{Value, json};

use crate::{
    contest::{Contest, Current, Goal},
    data::{Format, Wanted},
    function::Function,
    output::{Line, Outcome, Source},
    repetition::{Manner, Repetition},
    score::Figures,
};

/// Run the planner over recorded samples, and tell how well it chose.
#[derive(Debug, Parser)]
struct Options {
    /// CSV file of recorded samples; can be given several times.
    #[arg(long, value_name = "FILE", required_unless_present = "cold_data")]
    data: Vec<PathBuf>,
    /// The same, but its cold starts are replayed, also with `--cold 0`.
    #[arg(long, value_name = "FILE")]
    cold_data: Vec<PathBuf>,
    /// The files have means and 99th percentiles; without it, the columns tell.
    #[arg(long)]
    summary: bool,
    /// The number of invocations: `auto`, or `fixed:N` for N at each power.
    #[arg(long, default_value = "auto")]
    policy: Policy,
    /// Powers to race, like `128,256,512` or `128-1024:64` [default: the planner's own].
    #[arg(long)]
    powers: Option<PowerValues>,
    /// The goal of the choice.
    #[arg(long, value_enum, default_value_t = Goal::Cost)]
    strategy: Goal,
    /// The power that the function has before it is tuned, among the raced powers.
    #[arg(long, value_enum, default_value_t = Current::Smallest)]
    current: Current,
    /// Replay cold starts (1) or warm invocations (0).
    #[arg(long, default_value_t = 0, value_parser = value_parser!(u8).range(0..=1))]
    cold: u8,
    /// The duration of the first invocation at a size.
    #[arg(long, value_enum, default_value_t = WarmUps::Recorded)]
    warm_ups: WarmUps,
    /// Runs of each function.
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..))]
    reps: u32,
    /// Seed of every random number.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// The number of invocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    Auto,
    Fixed(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WarmUps {
    /// A recorded cold start, if the function has any.
    #[value(alias = "cold")]
    Recorded,
    /// Any other invocation.
    Same,
}

impl FromStr for Policy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let num = text.strip_prefix("fixed:").and_then(|num| num.parse().ok());
        match num.filter(|num| (MIN_NUM..=MAX_NUM).contains(num)) {
            Some(num) => Ok(Self::Fixed(num)),
            None if text == "auto" => Ok(Self::Auto),
            None => {
                Err(format!("there are `auto`, and `fixed:N` with N from {MIN_NUM} to {MAX_NUM}"))
            }
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => write!(f, "auto"),
            Self::Fixed(num) => write!(f, "fixed:{num}"),
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    match replay(&options) {
        Ok(outcome) if options.json => println!("{}", json!(outcome)),
        Ok(outcome) => print!("{}", outcome.table()),
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn replay(options: &Options) -> Result<Outcome, String> {
    let contests = contests(options)?;
    let manner = Manner {
        num: match options.policy {
            Policy::Auto => Value::from("auto"),
            Policy::Fixed(num) => Value::from(num),
        },
        goal: options.strategy,
        current: options.current,
        named: options.powers.is_some(),
        seed: options.seed,
    };
    let runs = run_all(&contests, &manner, options.reps)?;
    let by_function: Vec<&[Repetition]> = runs.iter().map(Vec::as_slice).collect();
    let lines = contests.iter().zip(&runs).map(|(contest, runs)| Line::of(contest, runs));
    Ok(Outcome {
        policy: options.policy.to_string(),
        data: described(options),
        current: match options.current {
            Current::Smallest => "smallest",
            Current::Middle => "middle",
            Current::Largest => "largest",
        },
        reps: options.reps,
        seed: options.seed,
        strategy: options.strategy.name(),
        overall: Figures::over(&by_function),
        sources: sources(&contests, &by_function),
        functions: lines.collect(),
    })
}

/// Every file, with true if its cold starts are replayed.
fn files(options: &Options) -> impl Iterator<Item = (&Path, bool)> {
    let data = options.data.iter().map(|file| (file.as_path(), options.cold == 1));
    data.chain(options.cold_data.iter().map(|file| (file.as_path(), true)))
}

/// A description of each file.
fn described(options: &Options) -> Vec<String> {
    let kind = |cold| if cold { "cold starts" } else { "warm invocations" };
    files(options).map(|(file, cold)| format!("{} of {}", kind(cold), file.display())).collect()
}

/// The figures of each source, in the order of their first functions.
fn sources(contests: &[Contest], runs: &[&[Repetition]]) -> Vec<Source> {
    let mut by_source: Vec<(&str, Vec<&[Repetition]>)> = Vec::new();
    for (contest, runs) in contests.iter().zip(runs) {
        let source = contest.function.name.source.as_str();
        match by_source.iter_mut().find(|(known, _)| *known == source) {
            Some((_, all)) => all.push(runs),
            None => by_source.push((source, vec![runs])),
        }
    }
    let of = |(source, runs): (&str, Vec<&[Repetition]>)| Source {
        source: source.to_owned(),
        figures: Figures::over(&runs),
    };
    by_source.into_iter().map(of).collect()
}

/// The functions of all files, without those that leave no choice.
fn contests(options: &Options) -> Result<Vec<Contest>, String> {
    let mut all = Vec::new();
    for (file, cold) in files(options) {
        all.extend(contests_of(file, cold, options)?);
    }
    Ok(all)
}

fn contests_of(file: &Path, cold: bool, options: &Options) -> Result<Vec<Contest>, String> {
    let wanted = Wanted {
        format: options.summary.then_some(Format::Summary),
        cold,
        cold_warm_ups: options.warm_ups == WarmUps::Recorded,
    };
    let functions = data::read(file, wanted)?;
    let (several, single): (Vec<Function>, Vec<Function>) =
        functions.into_iter().partition(|function| function.recorded().len() > 1);
    if !single.is_empty() {
        let names: Vec<String> = single.iter().map(|function| function.name.to_string()).collect();
        eprintln!("left out, recorded at a single size: {}", names.join(", "));
    }
    if several.is_empty() {
        return Err(format!(
            "{} has no function with rows at two sizes whose cold is {}: add some, or try the \
             other --cold",
            file.display(),
            u8::from(cold)
        ));
    }
    let powers = options.powers.clone().unwrap_or_else(default_values);
    several
        .into_iter()
        .map(|function| {
            let mut contest = Contest::new(function, &powers, options.strategy)?;
            contest.only_cold_starts = cold;
            Ok(contest)
        })
        .collect::<Result<_, String>>()
        .map_err(|error| format!("{}: {error}", file.display()))
}

/// The repetitions of every function, in the same order for any number of threads.
fn run_all(
    contests: &[Contest],
    manner: &Manner,
    reps: u32,
) -> Result<Vec<Vec<Repetition>>, String> {
    let functions = 0..contests.len();
    let jobs: Vec<(usize, u32)> =
        functions.flat_map(|index| (0..reps).map(move |number| (index, number))).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done: Vec<((usize, u32), Repetition)> = Vec::new();
        while let Some(&job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (index, number) = job;
            done.push((job, repetition::run(&contests[index], manner, index, number)?));
        }
        Ok::<_, String>(done)
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let done: Result<Vec<_>, _> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().expect("no repetition panics")).collect()
    });
    let mut done = done?.concat();
    done.sort_by_key(|&(job, _)| job);
    let mut runs = vec![Vec::new(); contests.len()];
    for ((index, _), run) in done {
        runs[index].push(run);
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_reads_as_it_is_shown() {
        for text in ["auto", "fixed:5", "fixed:10"] {
            assert_eq!(text.parse::<Policy>().unwrap().to_string(), text);
        }
        for text in ["", "fixed", "fixed:", "fixed:4", "fixed:-5", "race", "auto:5"] {
            assert!(text.parse::<Policy>().is_err(), "{text}");
        }
    }
}
