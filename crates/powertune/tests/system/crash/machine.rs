//! The state machine: every task fails, dies, times out or is aborted, and its own Catch, the rule
//! on its end or `powertune clean` puts everything back.
//!
//! The interpreter is a program of others; the steps are the real functions on the local Lambda. A
//! door between them counts their calls, and makes one of them fail.

mod door;
mod ending;
mod execution;
mod interpreter;
mod kind;
mod point;
mod stage;
mod watch;

use std::{collections::BTreeMap, path::Path, time::Duration};

use futures::{StreamExt, stream};
use libtest_mimic::{Completion, Failed, Trial};
use tokio::runtime::Runtime;

use self::{
    ending::Expected,
    execution::Execution,
    kind::{MACHINES, Machine},
    point::{Outcome, Point},
    stage::Stage,
};
use crate::{
    bootstrap::{bootstrap, skipped},
    crash::figures,
};

/// The number of executions at the same time: most of the time they wait.
const AT_ONCE: usize = 10;

/// The kind of execution that has every step.
const USUAL: &str = "auto_optimize_new_alias";

/// One of this many points is tried, unless all kinds are tried. It is no divisor of the number of
/// faults of a call or a change, so that each fault is tried.
const SPARSE: usize = 5;

/// A test for each kind of execution, or for some points of the usual kind.
pub(crate) fn trials(every: bool) -> impl Iterator<Item = Trial> {
    MACHINES.iter().filter(move |machine| every || machine.name == USUAL).map(move |machine| {
        let name = format!("state_machine_{}", machine.name);
        let step = if every { 1 } else { SPARSE };
        Trial::ignorable_test(name, move || every_point(machine, step))
    })
}

/// Tries every fault in an execution of this kind, one at a time; or only every `step`-th.
fn every_point(machine: &'static Machine, step: usize) -> Result<Completion, Failed> {
    if let Some(missing) = interpreter::missing() {
        return skipped(missing);
    }
    let bootstrap = bootstrap()?;
    let problems = Runtime::new()?.block_on(points_of(machine, step, &bootstrap))?;
    if problems.is_empty() { Ok(Completion::Completed) } else { Err(problems.join("\n").into()) }
}

async fn points_of(
    machine: &'static Machine,
    step: usize,
    bootstrap: &Path,
) -> Result<Vec<String>, String> {
    let stage = Stage::start(bootstrap).await;
    let problems = try_all(machine, step, &stage).await;
    stage.stop().await;
    problems
}

async fn try_all(
    machine: &'static Machine,
    step: usize,
    stage: &Stage,
) -> Result<Vec<String>, String> {
    let points = points(machine, stage).await?;
    let outcomes = stream::iter(points.into_iter().step_by(step)).map(|point| point.outcome(stage));
    let mut outcomes = std::pin::pin!(outcomes.buffer_unordered(AT_ONCE));
    let mut tried: BTreeMap<&'static str, (usize, usize)> = BTreeMap::new();
    let mut problems = Vec::new();
    while let Some((point, outcome)) = outcomes.next().await {
        let checked = match outcome {
            Outcome::Struck(checked) => {
                let (survived, of) = tried.entry(point.way()).or_default();
                *survived += usize::from(checked.is_ok());
                *of += 1;
                checked
            }
            Outcome::Missed(checked) => checked,
        };
        problems.extend(checked.err().map(|problem| format!("{point}: {problem}")));
    }
    keep_figures(machine, step, &tried);
    Ok(problems)
}

/// The points of an execution without faults, whose end is checked, too.
async fn points(machine: &'static Machine, stage: &Stage) -> Result<Vec<Point>, String> {
    let mut execution = Execution::start(stage, machine, None, Duration::MAX).await;
    let ended = execution.end().await?;
    let expected = Expected::of(stage, machine, None);
    expected.check_end(&ended, &execution.watch.seen())?;
    let after = execution.footprint().await;
    expected.check_footprint(&ended, &execution.before, &after)?;
    let points = Point::all(machine, &execution.watch.seen());
    execution.close().await;
    Ok(points)
}

fn keep_figures(machine: &Machine, step: usize, tried: &BTreeMap<&'static str, (usize, usize)>) {
    for (way, (survived, of)) in tried {
        let name = machine.name;
        let sparse = if step > 1 { format!(", one in {step}") } else { String::new() };
        figures::keep(format!(
            "state machine, {name}, {way}{sparse}: {survived} of {of} points survived"
        ));
    }
}
