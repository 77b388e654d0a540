//! Publish: announces the run, publishes a version for each task that has none, and puts `$LATEST`
//! back.

use std::time::{Duration, Instant};

use powertune_core::{
    observation::Skipped,
    power::Power,
    workflow::state::{State, Task},
};

use super::{StepError, baseline, gateway, left_behind, mark};
use crate::{
    conflict::repeated,
    error::Cause,
    gateway::{Connection, Gateway},
    mark::Mark,
    publish::{Baseline, Publisher, Unpublished},
    restore::{Undo, restore},
};

/// What is kept of the time for putting `$LATEST` back.
const RESERVE: Duration = Duration::from_mins(2);

/// Publishes what `state` has no versions for. What there is no time for stays without one.
///
/// # Errors
/// When the function was changed by somebody else, or a call failed; `$LATEST` was put back where
/// that was possible.
pub async fn publish(
    connection: &Connection,
    mut state: State,
    deadline: Instant,
) -> Result<State, StepError> {
    let gateway = gateway(connection, &state.run).await?;
    let (baseline, mut mark) = (baseline(&state), mark(&state.run));
    let mut queue = std::mem::take(&mut state.tasks);
    queue.append(&mut state.waiting);
    let powers = queue.iter().filter(|task| task.version.is_none()).map(|task| task.rest.power);
    announce(&gateway, &baseline.arn, &mut mark, powers, state.is_untouched()).await?;
    // The function's own power first: $LATEST has it, so that one change less is needed.
    queue.sort_by_key(|task| (task.rest.power != baseline.power, task.rest.power));
    let until = deadline.checked_sub(RESERVE).unwrap_or_else(Instant::now);
    let published = publish_all(&gateway, &baseline, &mark, &mut state, queue, until).await;
    let queue = still_ours(&gateway, &baseline, &mark, published).await?;
    state.used.publish();
    state.line_up(queue)?;
    Ok(state)
}

/// Puts the run's tags on the function, unless they are there, and sees to it that they name every
/// power that `$LATEST` is about to be given.
pub(super) async fn announce(
    gateway: &Gateway,
    arn: &str,
    mark: &mut Mark,
    powers: impl Iterator<Item = Power>,
    untouched: bool,
) -> Result<(), StepError> {
    let tags = gateway.tags(arn).await.map_err(Cause::from)?;
    match (Mark::find(&mark.run, &tags), Mark::find_other(&mark.run, &tags)) {
        (Some(found), _) => match found.sets.with(powers) {
            None => return Ok(()),
            Some(sets) => mark.sets = sets,
        },
        (None, Some(other)) => {
            let (function, mark) = (arn.to_owned(), Box::new(other));
            return Err(Cause::Marked { function, is_alive: false, mark }.into());
        }
        (None, None) if untouched => {}
        (None, None) => return Err(cleaned_meanwhile().into()),
    }
    let tagged = repeated(|| gateway.tag(arn, mark.tags())).await;
    Ok(tagged.map_err(Cause::from)?)
}

fn cleaned_meanwhile() -> Cause {
    Cause::Changed { what: "the run's tags were taken away".to_owned() }
}

/// A version for each task that has none; what became of the tasks.
async fn publish_all(
    gateway: &Gateway,
    baseline: &Baseline,
    mark: &Mark,
    state: &mut State,
    queue: Vec<Task>,
    until: Instant,
) -> Result<Vec<Task>, Cause> {
    let is_first = state.is_untouched();
    let mut publisher = Publisher::open(gateway, baseline, mark, is_first).await?;
    // Where that fails, Clean puts $LATEST back, unless somebody else has changed it.
    let published = each(&mut publisher, state, queue, until).await?;
    let put_back = publisher.set_power(baseline.power).await;
    put_back.map_err(|unpublished| unpublished.into_cause("putting $LATEST back"))?;
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

/// Makes sure that nobody has cleaned up after this run while a step was still at work, as happens
/// when the execution is aborted: then nobody else will take away what the step did since.
pub(super) async fn still_ours<T>(
    gateway: &Gateway,
    baseline: &Baseline,
    mark: &Mark,
    done: Result<T, Cause>,
) -> Result<T, StepError> {
    let tags = gateway.tags(&baseline.arn).await.map_err(Cause::from)?;
    if Mark::find(&mark.run, &tags).is_some() {
        return Ok(done?);
    }
    let mut undo = Undo::of_run(mark, mark.sets.clone());
    if Mark::find_other(&mark.run, &tags).is_some() {
        // Whoever has begun since then has found $LATEST as it was, and may be changing it.
        undo.memory = None;
    }
    let left = restore(gateway, &baseline.arn, &undo).await.left;
    if left.is_empty() { Err(cleaned_meanwhile().into()) } else { Err(left_behind(left)) }
}
