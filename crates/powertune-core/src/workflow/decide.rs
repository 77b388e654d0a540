//! The step Decide: it takes in the measurements, and returns the next step or the result.

use serde_json::Value;

use super::{
    Digest,
    state::{DigestedEvidence, MeasureOutput, Next, RunState},
};
use crate::{
    analysis::NothingMeasured,
    backlog::{Backlog, batch},
    ending::{Ending, Setup},
    observation::Failure,
    plan::Decision,
    price::{self, UnknownPrice},
    request::{Faults, Request},
    stopped::Stopped,
    visualization,
    warning::Warning,
};

/// The reason why Decide fails.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Undecided {
    /// The request is not valid any more.
    #[error("{0}")]
    Request(#[from] Faults),
    /// The price of the function is not known any more.
    #[error("{0}")]
    Price(#[from] UnknownPrice),
    /// No power could be measured.
    #[error("{0}")]
    NothingMeasured(#[from] NothingMeasured),
    /// A batch could not go on, which ends the run.
    #[error("{0}")]
    Failed(String),
}

/// Takes in `state.measured` and decides the next step. `elapsed_ms` is the age of the execution.
/// `visualization` is the page of the chart in the result.
pub fn decide(
    mut state: RunState,
    elapsed_ms: u64,
    visualization: &str,
) -> Result<RunState, Undecided> {
    let request = state.run.request()?;
    let measured = std::mem::take(&mut state.measured);
    state.used.measured(&measured);
    for measured in measured {
        take_in(&mut state, &request, measured)?;
    }
    if state.backlog.is_done() {
        state.seen.rounds += 1;
        match state.run.planner(&request)?.next(&state.seen.evidence()) {
            Decision::Measure(round) => {
                let seen = &state.seen;
                state.backlog.open(&round.measurements, |power| seen.invocations(power));
            }
            Decision::Done(stopped) => {
                return finish(state, &request, stopped, elapsed_ms, visualization);
            }
        }
    }
    let is_published = state.backlog.unpublished(state.run.function.power).is_empty();
    state.line_up()?;
    let stopped = if state.backlog.tasks.is_empty() {
        Some(Stopped::CostReached)
    } else if state.used.has_room_for(state.backlog.tasks.len() as u64) {
        None
    } else {
        Some(Stopped::HistoryFull)
    };
    if let Some(stopped) = stopped {
        return finish(state, &request, stopped, elapsed_ms, visualization);
    }
    state.next = Some(if is_published { Next::Measure } else { Next::Publish });
    Ok(state)
}

/// The result of an execution that ended early, as [`decide`] would make it from the last `state`
/// and from everything `measured` since. `None` without measurements.
pub fn cut_off(
    mut state: RunState,
    measured: Vec<MeasureOutput>,
    stopped: Stopped,
    elapsed_ms: u64,
) -> Option<Value> {
    let request = state.run.request().ok()?;
    let planned: Vec<_> = state.backlog.all().map(|task| task.power).collect();
    state.used.measured(&measured);
    for measured in measured {
        // The reason of a failure is reported elsewhere. Earlier measurements count.
        take_in(&mut state, &request, MeasureOutput { failed: None, ..measured }).ok()?;
    }
    let mut seen = state.seen.evidence();
    if seen.observations.is_empty() {
        return None;
    }
    seen.skip_unseen(planned);
    state.seen.skipped = seen.skipped;
    finish(state, &request, stopped, elapsed_ms, visualization::BASE).ok()?.result
}

fn take_in(
    state: &mut RunState,
    request: &Request,
    measured: MeasureOutput,
) -> Result<(), Undecided> {
    let MeasureOutput { task, digest, failed, lost } = measured;
    if let Some(failed) = failed {
        return Err(Undecided::Failed(failed));
    }
    let tariff = state.run.tariff()?;
    let (power, cold) = (task.power, request.only_cold_starts);
    let mut digest = digest.unwrap_or_else(|| Digest::empty(power));
    if let Some(caught) = lost {
        // Nobody knows how many of these invocations ran and what they cost, so none is sent again.
        let why = format!("the batch ended with {}", caught.told());
        let count = batch(&task, state.run.in_flight, cold);
        let failure = if caught.ran_nothing() {
            Failure::Refused { why }
        } else {
            let worst = tariff.worst(power) * f64::from(count);
            state.spent += task.budget.map_or(worst, |budget| budget.min(worst));
            Failure::Lost { why }
        };
        digest.lose(u64::from(count), failure);
        state.backlog.close(&task, cold);
    } else {
        let observations = digest.observations();
        state.spent +=
            observations.iter().map(|seen| tariff.charged(power, &seen.outcome)).sum::<f64>();
        if let Some(given_up) = state.backlog.take(task, &observations, cold) {
            digest.lose(u64::from(given_up.invocations), given_up.failure);
        }
    }
    state.seen.take(digest, state.run.digest_bytes);
    Ok(())
}

fn finish(
    mut state: RunState,
    request: &Request,
    stopped: Stopped,
    elapsed_ms: u64,
    visualization: &str,
) -> Result<RunState, Undecided> {
    let mut warnings = request.warnings.clone();
    warnings.extend(state.run.notes.iter().cloned().map(Warning::Note));
    let setup = Setup {
        request: request.clone(),
        subject: state.run.subject()?,
        original: state.run.function.power,
        worst_cost: state.run.worst_cost,
        warnings,
    };
    let seen = state.seen.evidence();
    state.backlog = Backlog::default();
    state.seen = DigestedEvidence::default();
    let mut result = match setup.ending(&seen, stopped)? {
        Ending::Tuned(result) => result,
        Ending::Dry(dry_run) => {
            state.next = Some(Next::Clean);
            state.result = Some(as_json(&dry_run));
            return Ok(state);
        }
    };
    let apply = request.auto_optimize.is_some() && result.is_applicable();
    let transitions = state.used.transitions_to_the_end(apply);
    result.elapsed_ms = elapsed_ms;
    result.state_machine.execution_cost = price::of_transitions(&setup.subject.region, transitions);
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
