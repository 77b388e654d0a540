//! Functions with misleading or harmful output, and texts of others with escape codes. Every run
//! ends with a right answer or a clear error, and `powertune` prints nothing that a terminal obeys.

mod bench;
mod functions;
mod run;
mod server;
mod texts;

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use futures::{StreamExt, stream};
use libtest_mimic::{Failed, Trial};
use tokio::runtime::Runtime;

use self::{bench::Bench, functions::FUNCTIONS};

/// The number of runs at the same time: most of the time they wait.
const AT_ONCE: usize = 3;

static TRIED: AtomicUsize = AtomicUsize::new(0);
static MET: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("outputs_of_functions", outputs_of_functions),
        Trial::test("texts_of_others", texts_of_others),
    ]
}

pub(crate) fn print_figure() {
    let (met, tried) = (MET.load(Ordering::Relaxed), TRIED.load(Ordering::Relaxed));
    if tried > 0 {
        println!("figure: hostile outputs met: {met} of {tried}");
    }
}

/// Tunes every function, and checks all its output.
fn outputs_of_functions() -> Result<(), Failed> {
    let problems = Mutex::new(Vec::new());
    Runtime::new()?.block_on(async {
        let bench = Bench::start().await;
        let runs = stream::iter(&FUNCTIONS).map(|function| async {
            let outcome = function.tune(&bench).await;
            note(&problems, function.name, outcome);
        });
        runs.buffer_unordered(AT_ONCE).collect::<()>().await;
        bench.stop().await;
    });
    concluded(problems)
}

/// Makes `powertune` repeat texts of a user, of AWS and of others who write tags.
fn texts_of_others() -> Result<(), Failed> {
    let problems = Mutex::new(Vec::new());
    for (name, outcome) in texts::all()? {
        note(&problems, &name, outcome);
    }
    concluded(problems)
}

fn note(problems: &Mutex<Vec<String>>, name: &str, outcome: Result<(), String>) {
    TRIED.fetch_add(1, Ordering::Relaxed);
    match outcome {
        Ok(()) => {
            MET.fetch_add(1, Ordering::Relaxed);
        }
        Err(problem) => problems
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(format!("{name}: {problem}")),
    }
}

fn concluded(problems: Mutex<Vec<String>>) -> Result<(), Failed> {
    let problems = problems.into_inner().unwrap_or_else(PoisonError::into_inner);
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
}
