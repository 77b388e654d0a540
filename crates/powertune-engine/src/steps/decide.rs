//! Decide: the decision of `powertune-core`, with the present time.

use jiff::Timestamp;
use powertune_core::workflow::{self, state::RunState};

use super::{DeploymentSettings, StepError};

/// Takes in the measurements and decides the next action.
///
/// # Errors
/// If nothing could be measured, or a portion reports that the run can't continue.
pub fn decide(settings: &DeploymentSettings, state: RunState) -> Result<RunState, StepError> {
    let started: Option<Timestamp> = state.run.execution.start_time.parse().ok();
    let elapsed_ms = started.map_or(0, |started| {
        let elapsed = Timestamp::now().as_millisecond() - started.as_millisecond();
        u64::try_from(elapsed).unwrap_or_default()
    });
    Ok(workflow::decide(state, elapsed_ms, &settings.visualization)?)
}
