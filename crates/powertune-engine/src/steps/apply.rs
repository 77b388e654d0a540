//! Apply: gives the function the chosen power, or publishes it and points an alias to it.

use powertune_core::{power::Power, result::Applied, workflow::state::RunState};
use serde::Deserialize;

use super::{StepError, StepErrorKind, baseline, gateway, mark, publish::taken_back};
use crate::{apply, gateway::Connection, journal::Journal};

/// The fields of a result that Apply needs.
#[derive(Debug, Deserialize)]
struct Chosen {
    power: Power,
}

pub(super) fn chosen(state: &RunState) -> Option<Power> {
    let result = state.result.clone()?;
    serde_json::from_value(result).ok().map(|Chosen { power }| power)
}

/// Applies the choice in `state.result`.
///
/// # Errors
/// If there is no choice, somebody else has changed the function, or a call fails; also if somebody
/// has cleaned up meanwhile, for example after the execution was aborted.
pub async fn apply(connection: &Connection, mut state: RunState) -> Result<RunState, StepError> {
    let request = state.run.request()?;
    let (Some(power), Some(optimize)) = (chosen(&state), &request.auto_optimize) else {
        return Err(StepErrorKind::Failed.error(&"there is no choice to apply"));
    };
    let mark = mark(&state.run);
    let journal = Journal::in_memory(mark.clone());
    let gateway = gateway(connection, &state.run).await?.with_journal(journal.clone());
    let baseline = baseline(&gateway, &state).await?;
    let alias_at = state.run.alias_at.as_deref();
    let applied = apply::apply(&gateway, &baseline, &mark, optimize, alias_at, power).await;
    let alias = match applied {
        Ok(alias) => alias,
        Err(cause) => return Err(taken_back(&gateway, &baseline, &mark, &journal, cause).await),
    };
    let (alias, version) = alias.unzip();
    state.applied = Some(Applied { power, alias, version });
    Ok(state)
}
