//! Publish: announces the run, publishes a version for each task that has none, and puts `$LATEST`
//! back.

use std::time::{Duration, Instant};

use powertune_core::workflow::state::RunState;
use tokio_util::sync::CancellationToken;

use super::{StepError, baseline, gateway, left_behind, mark};
use crate::{
    announce::{Announced, announce},
    baseline::{Baseline, ModifiedClock},
    error::Cause,
    gateway::{Connection, Gateway},
    journal::Journal,
    mark::Mark,
    publish::{Publisher, publish_missing},
    put_back::Basis,
    restore::{Undo, restore},
};

/// The time kept for putting `$LATEST` back.
const RESERVE: Duration = Duration::from_mins(2);

/// Publishes the missing versions of `state`, as many as the time allows.
///
/// # Errors
/// If another run wins, somebody else has changed the function, or a call fails. The step has then
/// undone its changes as far as possible.
pub async fn publish(
    connection: &Connection,
    mut state: RunState,
    deadline: Instant,
) -> Result<RunState, StepError> {
    let mut mark = mark(&state.run);
    let missing = state.backlog.unpublished(state.run.function.power);
    mark.add_sizes(&missing);
    let journal = Journal::in_memory(mark.clone());
    let gateway = gateway(connection, &state.run).await?.with_journal(journal.clone());
    let baseline = baseline(&gateway, &state).await?;
    let until = deadline.checked_sub(RESERVE).unwrap_or_else(Instant::now);
    if let Err(cause) = publish_all(&gateway, &baseline, &mark, &mut state, until).await {
        return Err(taken_back(&gateway, &baseline, &mark, &journal, cause).await);
    }
    state.used.publish();
    state.line_up()?;
    Ok(state)
}

/// The error of a step, after undoing its changes. The step does this itself in two cases. If it
/// has changed the memory size, only the step knows what it read since. If the execution was
/// aborted and cleaned up during the step, Clean may not come again.
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

/// Publishes a version for each power that has none, as long as there is time.
async fn publish_all(
    gateway: &Gateway,
    baseline: &Baseline,
    mark: &Mark,
    state: &mut RunState,
    until: Instant,
) -> Result<(), Cause> {
    let mut publisher = if state.is_untouched() {
        let announced = announce_first(gateway, baseline, mark, state).await?;
        Publisher::first(gateway, baseline, mark, announced)
    } else {
        Publisher::again(gateway, baseline, mark, ModifiedClock::default()).await?
    };
    for power in state.backlog.unpublished(baseline.power) {
        if Instant::now() > until {
            break;
        }
        match publish_missing(&mut publisher, &mut state.backlog, power).await? {
            Ok(task) => state.reference = state.reference.take().or(task.version),
            Err(skip) => state.seen.skipped.push(skip),
        }
    }
    publisher.put_back().await
}

/// Announces the run. This publishes the reference version, which is also the test version for the
/// function's own power.
async fn announce_first(
    gateway: &Gateway,
    baseline: &Baseline,
    mark: &Mark,
    state: &mut RunState,
) -> Result<Announced, Cause> {
    let missing = state.backlog.unpublished(baseline.power);
    let target = missing.into_iter().find(|&power| power != baseline.power);
    let announced = announce(gateway, baseline, mark, target, &CancellationToken::new()).await?;
    let announced = announced.expect("nobody cancels it");
    if let Some(version) = announced.own_version(mark) {
        state.reference.get_or_insert_with(|| version.clone());
        state.backlog.know(baseline.power, version);
    }
    Ok(announced)
}
