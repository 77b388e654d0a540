//! Apply: gives the function the chosen power, or publishes it and points an alias to it.

use std::iter;

use powertune_core::{
    power::Power,
    workflow::state::{Applied, State},
};
use serde::Deserialize;

use super::{
    StepError, StepErrorKind, baseline, gateway, mark,
    publish::{announce, still_ours},
};
use crate::{apply, gateway::Connection};

/// What of a result is applied.
#[derive(Debug, Deserialize)]
struct Chosen {
    power: Power,
}

/// Applies the choice in `state.result`.
///
/// # Errors
/// When there is none, the function was changed by somebody else, or a call failed; also when
/// somebody has cleaned up meanwhile, as happens when the execution is aborted.
pub async fn apply(connection: &Connection, mut state: State) -> Result<State, StepError> {
    let request = state.run.request()?;
    let chosen = state.result.clone().and_then(|result| serde_json::from_value(result).ok());
    let (Some(Chosen { power }), Some(optimize)) = (chosen, &request.auto_optimize) else {
        return Err(StepErrorKind::Failed.error(&"there is no choice to apply"));
    };
    let gateway = gateway(connection, &state.run).await?;
    let (baseline, mut mark) = (baseline(&state), mark(&state.run));
    // Its tags name the choice: it was measured.
    announce(&gateway, &baseline.arn, &mut mark, iter::empty(), false).await?;
    let applied = apply::apply(&gateway, &baseline, &mark, optimize, power).await;
    let alias = still_ours(&gateway, &baseline, &mark, applied).await?;
    let (alias, version) = alias.unzip();
    state.applied = Some(Applied { power, alias, version });
    Ok(state)
}
