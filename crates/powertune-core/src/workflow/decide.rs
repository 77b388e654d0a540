//! Decide: takes in what was measured and says what comes next; at the end, what the result is.

use serde_json::Value;

use super::state::{Measured, Next, Run, State, Task};
use crate::{
    analysis::{NothingMeasured, analyse},
    dry_run::{DryRun, changes, expected_cost, trials},
    observation::Failure,
    plan::{MOST_BARREN, Step as Planned, Stopped},
    price::{self, UnknownPrice},
    request::{Faults, Request},
    visualization,
    warning::Warning,
};

use super::Digest;

/// Portions in a row that may come to nothing, because a version gets ready slowly, say.
const IDLE_PORTIONS: u32 = 3;

/// Why nothing can be decided.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Undecided {
    /// The request is no request any more.
    #[error("{0}")]
    Request(#[from] Faults),
    /// The function's price is not known any more.
    #[error("{0}")]
    Price(#[from] UnknownPrice),
    /// No power could be measured.
    #[error("{0}")]
    NothingMeasured(#[from] NothingMeasured),
    /// A portion could not go on, and with it the run.
    #[error("{0}")]
    Failed(String),
}

/// Takes `state.measured` in and says what comes next. `elapsed_ms` is how long the execution has
/// been running; `visualization` is the page that the result's link points to.
pub fn decide(mut state: State, elapsed_ms: u64, visualization: &str) -> Result<State, Undecided> {
    let request = state.run.request()?;
    let measured = std::mem::take(&mut state.measured);
    let lost = measured.iter().filter(|measured| measured.lost.is_some()).count() as u64;
    state.used.wave(measured.len() as u64, lost);
    let mut queue = std::mem::take(&mut state.waiting);
    state.tasks.clear();
    for measured in measured {
        queue.extend(take_in(&mut state, &request, measured)?);
    }
    if queue.is_empty() {
        state.seen.rounds += 1;
        match state.run.planner(&request)?.next(&state.seen.evidence()) {
            Planned::Measure(round) => queue = state.tasks_of(&round, &request),
            Planned::Done(stopped) => {
                return finish(state, &request, stopped, elapsed_ms, visualization);
            }
        }
    }
    let unpublished = queue.iter().any(|task| task.version.is_none());
    state.line_up(queue)?;
    let stopped = if state.tasks.is_empty() {
        Some(Stopped::CostReached)
    } else if state.used.has_room_for(state.tasks.len() as u64) {
        None
    } else {
        Some(Stopped::HistoryFull)
    };
    if let Some(stopped) = stopped {
        return finish(state, &request, stopped, elapsed_ms, visualization);
    }
    state.next = Some(if unpublished { Next::Publish } else { Next::Measure });
    Ok(state)
}

/// The result of what was seen until an execution ended before its time, as [`decide`] would make
/// it: of the last `state`, and of what has been `measured` since. `None` where nothing was.
pub fn cut_off(
    mut state: State,
    measured: Vec<Measured>,
    stopped: Stopped,
    elapsed_ms: u64,
) -> Option<Value> {
    let request = state.run.request().ok()?;
    let tasks = state.tasks.iter().chain(&state.waiting);
    let planned: Vec<_> = tasks.map(|task| task.rest.power).collect();
    let lost = measured.iter().filter(|measured| measured.lost.is_some()).count() as u64;
    state.used.wave(measured.len() as u64, lost);
    for measured in measured {
        // Why the run could not go on is said elsewhere; what was seen before counts.
        take_in(&mut state, &request, Measured { failed: None, ..measured }).ok()?;
    }
    let mut seen = state.seen.evidence();
    if seen.observations.is_empty() {
        return None;
    }
    seen.skip_unseen(planned);
    state.seen.skipped = seen.skipped;
    finish(state, &request, stopped, elapsed_ms, visualization::BASE).ok()?.result
}

/// Takes one portion in; what of the power is left to be measured.
fn take_in(
    state: &mut State,
    request: &Request,
    measured: Measured,
) -> Result<Option<Task>, Undecided> {
    let Measured { task, digest, failed, lost } = measured;
    if let Some(failed) = failed {
        return Err(Undecided::Failed(failed));
    }
    let tariff = state.run.tariff()?;
    let power = task.rest.power;
    if let Some(version) = task.version.clone().filter(|_| !request.only_cold_starts) {
        state.versions.retain(|known| known.0 != power);
        state.versions.push((power, version));
    }
    let mut digest = digest.unwrap_or_else(|| Digest::empty(power));
    if let Some(caught) = lost {
        // Of an unknown number of these it is unknown whether they ran, and what they cost: none
        // is sent again.
        let why = format!("the portion ended with {}", caught.told());
        let count = portion(&state.run, request, &task);
        let failure = if caught.ran_nothing() {
            Failure::Refused { why }
        } else {
            let worst = tariff.worst(power) * f64::from(count);
            state.spent += task.budget.map_or(worst, |budget| budget.min(worst));
            Failure::Lost { why }
        };
        digest.lose(u64::from(count), failure);
        state.seen.take(digest, state.run.digest_bytes);
        return Ok(None);
    }
    let idle = if digest.invocations() == 0 { task.idle + 1 } else { 0 };
    let observations = digest.observations();
    state.spent +=
        observations.iter().map(|seen| tariff.charged(power, &seen.outcome)).sum::<f64>();
    let rest = task.rest.after(&observations, request.only_cold_starts);
    let is_barren = rest.is_some_and(|rest| rest.sent == task.rest.sent);
    let barren = if is_barren { task.barren + 1 } else { 0 };
    let task = Task { barren, idle, ..task };
    let rest = rest.filter(|_| !given_up(request, &task, &mut digest));
    if let Some(number) = task.version.as_deref().and_then(|version| version.parse().ok()) {
        state.used.version = state.used.version.max(number);
    }
    state.seen.take(digest, state.run.digest_bytes);
    Ok(rest.map(|rest| Task {
        rest,
        // A version that was invoked has warm environments.
        version: task.version.filter(|_| !request.only_cold_starts || idle > 0),
        ..task
    }))
}

/// Whether it is no use to go on with a power.
fn given_up(request: &Request, task: &Task, digest: &mut Digest) -> bool {
    if task.idle >= IDLE_PORTIONS {
        let why = "its version did not get ready, or Lambda let nothing through, for as long as \
                   three portions last";
        digest.lose(u64::from(task.rest.left()), Failure::Refused { why: why.to_owned() });
        return true;
    }
    request.only_cold_starts && task.barren >= MOST_BARREN
}

/// How many invocations a portion sends at most: where cold starts alone count, only as many as
/// can run at the same time, since every later one would find a warm environment.
pub fn portion(run: &Run, request: &Request, task: &Task) -> u32 {
    if request.only_cold_starts { task.rest.left().min(run.in_flight) } else { task.rest.left() }
}

/// The result, and what is to be done with it.
fn finish(
    mut state: State,
    request: &Request,
    stopped: Stopped,
    elapsed_ms: u64,
    visualization: &str,
) -> Result<State, Undecided> {
    let subject = state.run.subject()?;
    let mut warnings = request.warnings.clone();
    warnings.extend(state.run.notes.iter().cloned().map(Warning::Note));
    warnings.extend(stopped.warning(state.run.max_cost, subject.price.currency));
    let seen = state.seen.evidence();
    state.tasks.clear();
    state.waiting.clear();
    state.seen = super::state::Seen::default();
    if request.dry_run {
        let dry_run = DryRun {
            dry_run: true,
            function_arn: subject.function_arn,
            current_power: subject.current,
            currency: subject.price.currency,
            expected_cost: expected_cost(request, &subject.price, &seen),
            worst_cost: state.run.worst_cost,
            changes: changes(request, state.run.function.power, &state.run.powers),
            warnings: warnings.iter().map(ToString::to_string).collect(),
            stats: trials(&seen),
        };
        state.next = Some(Next::Clean);
        state.result = Some(as_json(&dry_run));
        return Ok(state);
    }
    let mut result = analyse(request, &subject, &seen, stopped, warnings)?;
    let apply = request.auto_optimize.is_some() && result.is_applicable();
    let transitions = state.used.transitions_to_the_end(apply);
    result.elapsed_ms = elapsed_ms;
    result.state_machine.execution_cost = price::of_transitions(&subject.region, transitions);
    result.show_at(visualization);
    state.next = Some(if apply { Next::Apply } else { Next::Clean });
    state.result = Some(as_json(&result));
    Ok(state)
}

fn as_json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("a result has nothing JSON can't hold")
}

#[cfg(test)]
mod tests;
