//! Publish: announces the run, publishes a version for each task that has none, and puts `$LATEST`
//! back.

use std::time::{Duration, Instant};

use powertune_core::{
    observation::Skipped,
    workflow::state::{State, Task},
};

use super::{StepError, baseline, gateway, left_behind, mark};
use crate::{
    conflict::repeated,
    error::Cause,
    gateway::{Connection, Gateway},
    mark::Mark,
    publish::{Baseline, Publisher, Unpublished},
    restore::restore,
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
    let (baseline, mark) = (baseline(&state), mark(&state.run));
    announce(&gateway, &baseline.arn, &mark, state.is_untouched()).await?;
    let mut queue = std::mem::take(&mut state.tasks);
    queue.append(&mut state.waiting);
    // The function's own power first: $LATEST has it, so that one change less is needed.
    queue.sort_by_key(|task| (task.rest.power != baseline.power, task.rest.power));
    let until = deadline.checked_sub(RESERVE).unwrap_or_else(Instant::now);
    let published = publish_all(&gateway, &baseline, &mark, &mut state, queue, until).await;
    let queue = still_ours(&gateway, &baseline, &mark, published).await?;
    state.used.publish();
    state.line_up(queue)?;
    Ok(state)
}

/// Puts the run's tags on the function, unless they are there.
async fn announce(
    gateway: &Gateway,
    arn: &str,
    mark: &Mark,
    untouched: bool,
) -> Result<(), StepError> {
    let tags = gateway.tags(arn).await.map_err(Cause::from)?;
    match Mark::read(&tags) {
        Some(found) if found.run == mark.run => Ok(()),
        Some(found) => {
            Err(Cause::Marked { function: arn.to_owned(), mark: Box::new(found) }.into())
        }
        None if untouched => {
            let tagged = repeated(|| gateway.tag(arn, mark.tags())).await;
            Ok(tagged.map_err(Cause::from)?)
        }
        None => Err(cleaned_meanwhile().into()),
    }
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
    let mut publisher = Publisher::open(gateway, baseline, mark).await?;
    let published = each(&mut publisher, state, queue, until).await;
    // Whatever happened, $LATEST goes back to its power: that is what others see.
    let put_back = publisher
        .set_power(baseline.power)
        .await
        .map_err(|unpublished| unpublished.into_cause("putting $LATEST back"));
    let published = published?;
    put_back.map(|()| published)
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

/// Makes sure that nobody has cleaned up after this run while it was still publishing, as happens
/// when the execution is aborted: then nobody else will take away what was published since.
async fn still_ours(
    gateway: &Gateway,
    baseline: &Baseline,
    mark: &Mark,
    published: Result<Vec<Task>, Cause>,
) -> Result<Vec<Task>, StepError> {
    let tags = gateway.tags(&baseline.arn).await.map_err(Cause::from)?;
    match Mark::read(&tags) {
        Some(found) if found.run == mark.run => return Ok(published?),
        // Whoever has begun since then has found the function clean, and cleans up after all.
        Some(_) => return Err(cleaned_meanwhile().into()),
        None => {}
    }
    let left = restore(gateway, &baseline.arn, mark.original, None).await.left;
    if left.is_empty() { Err(cleaned_meanwhile().into()) } else { Err(left_behind(left)) }
}
