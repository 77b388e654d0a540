//! Measure: one power's invocations, or as many as there is time for.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use powertune_core::{
    observation::Observation,
    request::Request,
    workflow::{
        self, Digest,
        state::{Measured, Portion, Run, Task},
    },
};
use tokio_util::sync::CancellationToken;

use super::{StepError, gateway};
use crate::{
    budget::Budget,
    error::Cause,
    event::Events,
    gate::Gate,
    gateway::{Connection, Gateway},
    measure::{self, Bench},
    prepare,
    publish::wait,
};

/// What a portion needs beside its invocations: to start, to wait for its version, and to return
/// what it has.
pub(super) const MARGIN: Duration = Duration::from_secs(20);
/// The part of it that is kept for returning.
const RETURN: Duration = Duration::from_secs(5);

/// Measures until `deadline` at the latest: no invocation begins that may outlast it.
///
/// # Errors
/// When the state is not one; what else goes wrong is in what it returns, beside what was measured.
pub async fn measure(
    connection: &Connection,
    portion: Portion,
    deadline: Instant,
) -> Result<Measured, StepError> {
    let Portion { run, task } = portion;
    let gateway = gateway(connection, &run).await?;
    let request = run.request()?;
    let budget = Budget::new(task.budget, run.tariff()?);
    let last_start = deadline
        .checked_sub(Duration::from_millis(run.longest_ms) + RETURN)
        .unwrap_or_else(Instant::now);
    let observed = observe(&gateway, &run, &request, &task, budget, last_start).await;
    let (digest, failed) = match observed {
        Ok(observations) => {
            let digest = Digest::of(task.rest.power, &observations).within(run.digest_bytes);
            (Some(digest), None)
        }
        Err(cause) => (None, Some(cause.to_string())),
    };
    Ok(Measured { task, digest, failed, lost: None })
}

async fn observe(
    gateway: &Gateway,
    run: &Run,
    request: &Request,
    task: &Task,
    budget: Arc<Budget>,
    last_start: Instant,
) -> Result<Vec<Observation>, Cause> {
    let Some(version) = task.version.clone() else { return Ok(Vec::new()) };
    let arn = &run.function.arn;
    let payloads = prepare::payloads(gateway, request).await.map_err(prepare::into_cause)?;
    let portion = measure::Portion {
        power: task.rest.power,
        version,
        first: task.first + task.rest.sent,
        invocations: workflow::portion(run, request, task),
    };
    let ready = wait(gateway, arn, Some(&portion.version));
    let Ok(ready) = tokio::time::timeout_at(last_start.into(), ready).await else {
        // The next portion goes on waiting.
        return Ok(Vec::new());
    };
    ready.map_err(|cause| portion.not_ready(cause))?;
    let bench = Bench {
        invoker: gateway.invoker(Duration::from_millis(run.longest_ms)),
        function_arn: arn.clone(),
        request: request.clone(),
        payloads: payloads
            .expand(request.most_invocations() as usize)
            .expect("the payloads were expanded when they were read"),
        gate: Gate::new(run.in_flight),
        concurrency: run.in_flight.max(1),
        budget,
        events: Events::unheard(),
        cancelled: CancellationToken::new(),
        last_start: Some(last_start.into()),
        out_of_time: AtomicBool::new(false),
    };
    Arc::new(bench).measure(&portion).await
}
