//! Measure: one batch of invocations of one power, as many as the time allows.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use powertune_core::{
    backlog::{Task, batch},
    observation::Observation,
    request::Request,
    workflow::{
        Digest,
        state::{MeasureInput, MeasureOutput, RunContext},
    },
};

use super::{StepError, gateway};
use crate::{
    baseline::wait,
    budget::Budget,
    error::Cause,
    gateway::{Connection, Gateway},
    measure::{Batch, Measurer},
    prepare,
};

/// The time of a batch beside its invocations: start, wait for the version, return.
pub(super) const MARGIN: Duration = Duration::from_secs(20);
/// The part of the margin for returning.
const RETURN: Duration = Duration::from_secs(5);

/// Measures until `deadline`: no invocation starts that may end later.
///
/// # Errors
/// If the state is malformed. Other errors are in the returned portion, beside the measurements.
pub async fn measure(
    connection: &Connection,
    input: MeasureInput,
    deadline: Instant,
) -> Result<MeasureOutput, StepError> {
    let MeasureInput { run, task } = input;
    let gateway = gateway(connection, &run).await?;
    let request = run.request()?;
    let budget = Budget::new(task.budget, run.tariff()?);
    let last_start = deadline
        .checked_sub(Duration::from_millis(run.longest_ms) + RETURN)
        .unwrap_or_else(Instant::now);
    let observed = observe(&gateway, &run, &request, &task, budget, last_start).await;
    let (digest, failed) = match observed {
        Ok(observations) => {
            let digest = Digest::of(task.power, &observations).within(run.digest_bytes);
            (Some(digest), None)
        }
        Err(cause) => (None, Some(cause.to_string())),
    };
    Ok(MeasureOutput { task, digest, failed, lost: None })
}

async fn observe(
    gateway: &Gateway,
    run: &RunContext,
    request: &Request,
    task: &Task,
    budget: Arc<Budget>,
    last_start: Instant,
) -> Result<Vec<Observation>, Cause> {
    let Some(version) = task.version.clone() else { return Ok(Vec::new()) };
    let arn = &run.function.arn;
    let payloads = prepare::payloads(gateway, request).await.map_err(prepare::into_cause)?;
    let batch = Batch {
        power: task.power,
        version,
        first: task.next_number(),
        invocations: batch(task, run.in_flight, request.only_cold_starts),
    };
    let ready = wait(gateway, arn, Some(&batch.version));
    let Ok(ready) = tokio::time::timeout_at(last_start.into(), ready).await else {
        // The next batch waits again.
        return Ok(Vec::new());
    };
    ready.map_err(|cause| batch.not_ready(cause))?;
    let measurer = Measurer {
        last_start: Some(last_start.into()),
        ..Measurer::new(
            gateway.invoker(Duration::from_millis(run.longest_ms)),
            arn.clone(),
            request,
            &payloads,
            run.in_flight,
            budget,
        )
    };
    measurer.measure(&batch).await
}
