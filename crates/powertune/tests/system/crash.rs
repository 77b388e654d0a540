//! Kills `powertune tune` at every change that it makes, and runs `powertune clean` after it; makes
//! calls fail, once or for good; and a soak: many runs with any of these faults, drawn from a seed.
//!
//! A proxy in front of the local Lambda records every request. At some requests it spoils the
//! answer or kills the process: just before the request reaches Lambda, or just after Lambda has
//! carried it out, before the answer arrives. So the product needs no hook for the tests.
//!
//! `cargo test -p powertune --test system -- --seed 7` soaks 500 runs; `--run 12` repeats one. `--
//! --every-machine` tries every point of every kind of execution of the state machine, instead of
//! some points of one kind.

mod answer;
mod ask;
mod bench;
mod bill;
mod by_hand;
mod fault;
mod figures;
mod footprint;
mod function;
mod kind;
mod lasting;
mod machine;
mod operation;
mod point;
mod policies;
mod process;
mod proxy;
mod single;
mod soak;
mod strike;
mod trap;

use std::process::ExitCode;

use futures::{StreamExt, stream};
use libtest_mimic::{Completion, Failed, Trial};
use tokio::runtime::Runtime;

pub(crate) use self::figures::print as print_figures;
use self::{
    bench::Bench,
    figures::Figures,
    kind::{KINDS, Kind},
    point::{Outcome, Point},
    soak::Options,
    strike::{Ending, Remedy, Strike},
    trap::Moment,
};
use crate::bootstrap::skipped;

/// The number of runs of one test at the same time: most of the time they wait.
const AT_ONCE: usize = 8;
/// The argument for every kind of execution of the state machine, and nothing else.
pub(crate) const EVERY_MACHINE: &str = "--every-machine";
/// The least number of crash points: with fewer, the proxy has missed some.
const FEWEST_POINTS: usize = 6;
/// The soak that runs with the other tests.
const SMALL_SOAK: Options = Options { seed: 20_261_125, runs: 15, run: None };

/// Serves the function under test if Lambda has started this program, and soaks if the command line
/// asks for it. `None` otherwise: then the tests run.
pub(crate) fn instead_of_tests() -> Option<ExitCode> {
    if function::is_started_by_lambda() {
        return Some(function::serve());
    }
    let options = Options::given()?;
    let soaked = on_a_bench(async |bench| soak::soak(&options, bench).await);
    figures::print();
    Some(match soaked {
        Ok(()) => ExitCode::SUCCESS,
        Err(problems) => {
            println!("{}", problems.message().unwrap_or_default());
            ExitCode::FAILURE
        }
    })
}

/// The tests of every kind of execution of the state machine.
pub(crate) fn every_machine() -> Vec<Trial> {
    machine::trials(true).collect()
}

pub(crate) fn trials() -> Vec<Trial> {
    // The longest tests first, so that others run beside them.
    let first = [
        Trial::test("single_faults", || {
            struck("single faults", AT_ONCE, single::all(), Remedy::Clean)
        }),
        Trial::ignorable_test("by_hand", by_hand),
        // All at the same time: they only wait.
        Trial::test("silences", || {
            struck("silences", usize::MAX, single::silences(), Remedy::Clean)
        }),
        Trial::test("lasting_faults", || {
            struck("lasting faults", AT_ONCE, lasting::all(), Remedy::Clean)
        }),
    ];
    let points = KINDS.iter().map(|kind| Trial::test(kind.name, || every_point(kind)));
    let others = [
        Trial::test("a_marked_function_is_asked_about", || {
            on_a_bench(async |bench| ask::ask(bench).await.map_err(Failed::from))
        }),
        Trial::test("least_policies", || {
            on_a_bench(async |bench| policies::check(bench).await.map_err(Failed::from))
        }),
        Trial::test("soak", || on_a_bench(async |bench| soak::soak(&SMALL_SOAK, bench).await)),
    ];
    first.into_iter().chain(machine::trials(false)).chain(points).chain(others).collect()
}

fn on_a_bench(test: impl AsyncFnOnce(&Bench) -> Result<(), Failed>) -> Result<(), Failed> {
    Runtime::new()?.block_on(async {
        let bench = Bench::start().await;
        let ended = test(&bench).await;
        bench.stop().await;
        ended
    })
}

/// Kills a run of this kind at each of its changes, until one ends first.
fn every_point(kind: &'static Kind) -> Result<(), Failed> {
    on_a_bench(async |bench| points_of(kind, bench).await.conclude())
}

async fn points_of(kind: &'static Kind, bench: &Bench) -> Figures {
    let (mut tried, mut problems) = (0, Vec::new());
    let points = (1..).flat_map(|nth| Moment::BOTH.map(|moment| Point { kind, nth, moment }));
    let outcomes = stream::iter(points).map(|point| point.outcome(bench)).buffered(AT_ONCE);
    let mut outcomes = std::pin::pin!(outcomes);
    while let Some((point, outcome)) = outcomes.next().await {
        let (is_last, problem) = match outcome {
            Outcome::Crashed(survived) => (false, survived.err()),
            Outcome::Over(well) => (true, well.err()),
        };
        // The last run was not killed. It counts if it has a problem.
        tried += usize::from(!is_last || problem.is_some());
        problems.extend(problem.map(|problem| format!("{point}: {problem}")));
        if is_last {
            break;
        }
    }
    Figures {
        name: format!("crash points, {}", kind.name),
        tried,
        fewest: FEWEST_POINTS,
        problems,
        verdict: "survived",
        note: String::new(),
    }
}

/// Puts right what lasting faults have left, by the commands that the run names.
fn by_hand() -> Result<Completion, Failed> {
    if !by_hand::aws_cli().exists() {
        return skipped("the AWS CLI is not installed: run `cargo xtask peers`");
    }
    struck("put right by hand", AT_ONCE, lasting::leaving(), Remedy::ByHand)?;
    Ok(Completion::Completed)
}

/// Tries each of these faults in a run.
fn struck(name: &str, at_once: usize, strikes: Vec<Strike>, remedy: Remedy) -> Result<(), Failed> {
    on_a_bench(async |bench| {
        let fewest = strikes.len();
        let at_once = at_once.min(fewest);
        let (mut tried, mut problems, mut endings) = (0, Vec::new(), Vec::new());
        let outcomes = stream::iter(strikes).map(|strike| strike.outcome(bench, remedy));
        let mut outcomes = std::pin::pin!(outcomes.buffered(at_once));
        while let Some((strike, outcome)) = outcomes.next().await {
            tried += 1;
            match outcome {
                Ok(ending) => endings.push(ending),
                Err(problem) => problems.push(format!("{strike}: {problem}")),
            }
        }
        let count = |wanted| endings.iter().filter(|ending| **ending == wanted).count();
        let note = format!(
            "; {} answers, {} errors, {} cleaned up afterwards",
            count(Ending::Answer),
            count(Ending::Error),
            count(Ending::LeftBehind)
        );
        let name = name.to_owned();
        Figures { name, tried, fewest, problems, verdict: "met", note }.conclude()
    })
}
