//! `powertune tune` killed at every change that it makes, and `powertune clean` after it; and runs
//! in which a single call goes wrong.
//!
//! A proxy in front of the local Lambda counts the requests that change something. At one of them
//! it has the process killed: just before the request reaches Lambda, or just after Lambda has
//! carried it out, with the answer still on its way. So the product needs no hook for it.

mod ask;
mod bench;
mod fault;
mod footprint;
mod kind;
mod operation;
mod point;
mod process;
mod proxy;
mod strike;
mod upstream;

use std::{
    process::ExitCode,
    sync::{Mutex, PoisonError},
};

use futures::{StreamExt, stream};
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;

use crate::{
    bench::Bench,
    kind::{KINDS, Kind},
    point::{Outcome, Point},
    proxy::Moment,
    strike::Ending,
};

/// How many runs of one test go on at the same time: most of what they do is wait.
const AT_ONCE: usize = 4;
/// With fewer points than this the proxy has not counted what it should.
const FEWEST_POINTS: usize = 6;
/// The name of the test of single faults.
const FAULTS: &str = "single_faults";

/// What a test has come to, for people to read.
static FIGURES: Mutex<Vec<Figures>> = Mutex::new(Vec::new());

#[derive(Debug, Default)]
struct Figures {
    test: &'static str,
    tried: usize,
    problems: Vec<String>,
    note: String,
}

fn main() -> ExitCode {
    let points = KINDS.iter().map(|kind| Trial::test(kind.name, || every_point(kind)));
    let faults = Trial::test(FAULTS, every_fault);
    let asks = Trial::test("a_marked_function_is_asked_about", asked);
    let trials = points.chain([faults, asks]).collect();
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    print_figures();
    conclusion.exit_code()
}

/// Kills a run of this kind at each change that it makes, until one ends before its time has come.
fn every_point(kind: &'static Kind) -> Result<(), Failed> {
    Runtime::new()?
        .block_on(async {
            let bench = Bench::start().await;
            let figures = points_of(kind, &bench).await;
            bench.stop().await;
            figures
        })
        .conclude()
}

async fn points_of(kind: &'static Kind, bench: &Bench) -> Figures {
    let mut figures = Figures { test: kind.name, ..Figures::default() };
    let points = (1..).flat_map(|nth| Moment::BOTH.map(|moment| Point { kind, nth, moment }));
    let outcomes = stream::iter(points).map(|point| point.outcome(bench)).buffered(AT_ONCE);
    let mut outcomes = std::pin::pin!(outcomes);
    while let Some((point, outcome)) = outcomes.next().await {
        let (is_last, problem) = match outcome {
            Outcome::Crashed(survived) => (false, survived.err()),
            Outcome::Over(well) => (true, well.err()),
        };
        figures.problems.extend(problem.map(|problem| format!("{point}: {problem}")));
        if is_last {
            break;
        }
        figures.tried += 1;
    }
    figures
}

fn asked() -> Result<(), Failed> {
    let asked = Runtime::new()?.block_on(async {
        let bench = Bench::start().await;
        let asked = ask::ask(&bench).await;
        bench.stop().await;
        asked
    });
    asked.map_err(Failed::from)
}

/// Strikes a run with each fault at each call.
fn every_fault() -> Result<(), Failed> {
    Runtime::new()?
        .block_on(async {
            let bench = Bench::start().await;
            let figures = strikes(&bench).await;
            bench.stop().await;
            figures
        })
        .conclude()
}

async fn strikes(bench: &Bench) -> Figures {
    let mut figures = Figures { test: FAULTS, ..Figures::default() };
    let (mut answers, mut errors, mut left) = (0, 0, 0);
    let outcomes = stream::iter(strike::all()).map(|strike| strike.outcome(bench));
    let mut outcomes = std::pin::pin!(outcomes.buffered(AT_ONCE));
    while let Some((strike, outcome)) = outcomes.next().await {
        figures.tried += 1;
        match outcome {
            Ok(Ending::Answer) => answers += 1,
            Ok(Ending::Error) => errors += 1,
            Ok(Ending::LeftBehind) => left += 1,
            Err(problem) => figures.problems.push(format!("{strike}: {problem}")),
        }
    }
    figures.note =
        format!(": {answers} with the answer, {errors} with an error, {left} to be cleaned up");
    figures
}

impl Figures {
    /// Keeps the figures; fails if something is wrong with them.
    fn conclude(self) -> Result<(), Failed> {
        let failed = match self.problems.as_slice() {
            [] if self.tried < FEWEST_POINTS => Err(format!("only {} were found", self.tried)),
            [] => Ok(()),
            problems => Err(problems.join("\n")),
        };
        FIGURES.lock().unwrap_or_else(PoisonError::into_inner).push(self);
        failed.map_err(Failed::from)
    }
}

fn print_figures() {
    let figures = FIGURES.lock().unwrap_or_else(PoisonError::into_inner);
    if figures.is_empty() {
        return;
    }
    for Figures { test, tried, problems, note } in figures.iter() {
        let survived = tried - problems.len();
        println!("figure: {test}: {survived} of {tried} survived{note}");
    }
}
