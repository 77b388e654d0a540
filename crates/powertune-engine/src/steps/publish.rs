//! Publish: announces the run, publishes a version for each task that has none, and puts `$LATEST`
//! back.

use std::time::{Duration, Instant};

use powertune_core::{
    observation::Skipped,
    workflow::state::{State, Task},
};
use tokio_util::sync::CancellationToken;

use super::{StepError, baseline, gateway, left_behind, mark};
use crate::{
    announce::announce,
    error::Cause,
    gateway::{Connection, Gateway},
    journal::Journal,
    mark::Mark,
    publish::{Baseline, Clock, Publisher, Unpublished},
    put_back::Basis,
    restore::{Undo, restore},
    round::own_last,
};

/// What is kept of the time for putting `$LATEST` back.
const RESERVE: Duration = Duration::from_mins(2);

/// Publishes what `state` has no versions for. What there is no time for stays without one.
///
/// # Errors
/// When another run goes on, the function was changed by somebody else, or a call failed; what the
/// step did was taken back where that was possible.
pub async fn publish(
    connection: &Connection,
    mut state: State,
    deadline: Instant,
) -> Result<State, StepError> {
    let mut mark = mark(&state.run);
    let mut queue = std::mem::take(&mut state.tasks);
    queue.append(&mut state.waiting);
    let powers = queue.iter().filter(|task| task.version.is_none()).map(|task| task.rest.power);
    if let Some(sets) = mark.sets.with(powers) {
        mark.sets = sets;
    }
    let journal = Journal::in_memory(mark.clone());
    let gateway = gateway(connection, &state.run).await?.with_journal(journal.clone());
    let baseline = baseline(&gateway, &state).await?;
    queue.sort_by_key(|task| own_last(task.rest.power, baseline.power));
    let until = deadline.checked_sub(RESERVE).unwrap_or_else(Instant::now);
    let published = publish_all(&gateway, &baseline, &mark, &mut state, queue, until).await;
    let queue = match published {
        Ok(queue) => queue,
        Err(cause) => return Err(taken_back(&gateway, &baseline, &mark, &journal, cause).await),
    };
    state.used.publish();
    state.line_up(queue)?;
    Ok(state)
}

/// The failure of a step. What the run did to the function is taken back at once where the step has
/// changed the memory size, because the step alone knows what it read since; and where the execution
/// was aborted and cleaned up while the step was still at work, because Clean may not come again.
pub(super) async fn taken_back(
    gateway: &Gateway,
    baseline: &Baseline,
    mark: &Mark,
    journal: &Journal,
    cause: Cause,
) -> StepError {
    let unsettled = journal.unsettled();
    let nobody_else_does = matches!(cause, Cause::MarksGone { .. } | Cause::Rival { .. });
    if unsettled.is_none() && !nobody_else_does {
        return cause.into();
    }
    let undo = Undo::of_run(mark, unsettled.map(Basis::Journal));
    let left = restore(gateway, &baseline.arn, &undo).await.left;
    if left.is_empty() { cause.into() } else { left_behind(left) }
}

/// A version for each task that has none; what became of the tasks.
async fn publish_all(
    gateway: &Gateway,
    baseline: &Baseline,
    mark: &Mark,
    state: &mut State,
    mut queue: Vec<Task>,
    until: Instant,
) -> Result<Vec<Task>, Cause> {
    let mut publisher = if state.is_untouched() {
        let powers = queue.iter().map(|task| task.rest.power);
        let target = powers.filter(|&power| power != baseline.power).min();
        let announced =
            announce(gateway, baseline, mark, target, &CancellationToken::new()).await?;
        let announced = announced.expect("nobody cancels it");
        let own = queue.iter_mut().find(|task| task.rest.power == baseline.power);
        if let Some(version) = announced.own_version(mark) {
            state.reference.get_or_insert_with(|| version.clone());
            if let Some(own) = own {
                own.version.get_or_insert(version);
            }
        }
        Publisher::first(gateway, baseline, mark, announced)
    } else {
        Publisher::again(gateway, baseline, mark, Clock::default()).await?
    };
    let published = each(&mut publisher, state, queue, until).await?;
    publisher.put_back().await?;
    Ok(published)
}

async fn each(
    publisher: &mut Publisher<'_>,
    state: &mut State,
    queue: Vec<Task>,
    until: Instant,
) -> Result<Vec<Task>, Cause> {
    let only_cold_starts = state.run.request().is_ok_and(|request| request.only_cold_starts);
    let mut tasks = Vec::with_capacity(queue.len());
    for mut task in queue {
        if task.version.is_some() || Instant::now() > until {
            tasks.push(task);
            continue;
        }
        // A version that was invoked before has warm environments.
        let used = state.used.version;
        let fresh = |version: &str| version.parse().is_ok_and(|number: u64| number > used);
        let wants_fresh = only_cold_starts || task.first > 0;
        let usable = |version: &crate::gateway::Version| !wants_fresh || fresh(&version.version);
        match publisher.publish_marked(task.rest.power, usable).await {
            Ok(version) => {
                state.reference.get_or_insert_with(|| version.version.clone());
                task.version = Some(version.version);
                tasks.push(task);
            }
            Err(Unpublished::BeyondAccount(reason)) => {
                state.seen.skipped.push(Skipped { power: task.rest.power, reason });
            }
            Err(Unpublished::Failed(cause)) => return Err(cause),
        }
    }
    Ok(tasks)
}
