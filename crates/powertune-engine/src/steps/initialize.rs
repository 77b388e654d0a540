//! Initialize: checks the request, reads the function and refuses a run that can't work. It changes
//! nothing, so a failure needs no clean-up.

use std::time::Duration;

use powertune_core::{
    plan::most_unnamed,
    price::Prices,
    request::{Pace, Request, parse},
    workflow::{
        check_event, digest_bytes,
        state::{InitializeInput, RunContext, RunState, TunedFunction},
    },
};

use super::{DeploymentSettings, StepError, StepErrorKind, measure::MARGIN, processors};
use crate::{
    baseline::Baseline,
    gateway::{Connection, Gateway, Readiness},
    journal::Journals,
    limits, mark,
    prepare::{LONGEST_INIT, PreparedRun, deadline, milliseconds, prepare},
};

/// The longest timeout of a function that the Measure step, itself a Lambda function, can wait for.
const LONGEST_TIMEOUT: Duration = Duration::from_mins(13);

/// Lambda's longest timeout, that of a step.
const LONGEST_STEP: Duration = Duration::from_mins(15);

/// The warning of a deployment without a limit.
const TUNES_ANY: &str = "this state machine may tune any function (its lambdaResource is *): \
                         every caller that may start it can use it to invoke and change any \
                         function; deploy it with lambdaResource, the ARN of the functions that \
                         it may tune, or an ARN pattern";

/// Begins a run.
///
/// # Errors
/// `BadInput` for a wrong request, `Refused` if the run can't work, `NotBegun` for a failed call.
pub async fn initialize(
    connection: &Connection,
    settings: &DeploymentSettings,
    start: InitializeInput,
) -> Result<RunState, StepError> {
    let request = parse(&start.request)?;
    processors::check_any(&request, &settings.processors)?;
    let gateway = Gateway::connect(connection, &request.function).await?;
    let prepared =
        prepare(&gateway, &request, &settings.powers, &Journals::default(), &Prices::default())
            .await?;
    // One invocation with its cold start and its processors.
    let longest = prepared.latest.timeout
        + LONGEST_INIT
        + processors::longest(&prepared.processors, &settings.processors)?;
    check_timeouts(prepared.latest.timeout, longest, settings.measure_timeout)?;
    let mut run = run(start, &request, &prepared, longest)?;
    run.notes.extend(settings.tunes_any.then(|| TUNES_ANY.to_owned()));
    Ok(RunState::begin(run, &prepared.plan.measurements)?)
}

fn check_timeouts(
    function: Duration,
    longest: Duration,
    measure: Duration,
) -> Result<(), StepError> {
    let refused = |text: String| Err(StepErrorKind::Refused.error(&text));
    if function > LONGEST_TIMEOUT {
        return refused(format!(
            "the function's timeout of {} s is longer than the {} s that this state machine can \
             wait; tune it with `powertune tune`, which has no such limit, or lower the timeout",
            function.as_secs(),
            LONGEST_TIMEOUT.as_secs()
        ));
    }
    let needed = longest + MARGIN;
    if needed > measure {
        let deploy = if needed > LONGEST_STEP {
            String::new()
        } else {
            format!(
                "deploy with totalExecutionTimeout={} or more (900 at most), ",
                needed.as_secs()
            )
        };
        return refused(format!(
            "an invocation with its cold start and its processors may take {} s, and the measure \
             step has {} s: {deploy}lower the timeout, or use `powertune tune`, which has no such \
             limit",
            longest.as_secs(),
            measure.as_secs()
        ));
    }
    Ok(())
}

fn run(
    start: InitializeInput,
    request: &Request,
    prepared: &PreparedRun,
    longest: Duration,
) -> Result<RunContext, StepError> {
    let PreparedRun { latest, powers, plan, .. } = prepared;
    let until = deadline(request, prepared);
    let baseline = Baseline::of(latest);
    let (width, in_flight) = shares(request, prepared);
    let as_json = serde_json::to_string(&start.request).unwrap_or_default();
    check_event(&as_json).map_err(|error| StepErrorKind::Refused.error(&error))?;
    let request_bytes = as_json.len() as u64;
    let longest_ms = milliseconds(longest);
    let most_powers = (powers.len() + most_unnamed(request)) as u64;
    let most_invocations = request.most_invocations();
    let digest_bytes =
        digest_bytes(request_bytes, most_powers, most_invocations, longest_ms as f64)
            .map_err(|error| StepErrorKind::Refused.error(&error))?;
    Ok(RunContext {
        mark: mark::run_of(&start.execution.id),
        execution: start.execution,
        request: start.request,
        function: TunedFunction {
            arn: latest.arn.clone(),
            region: latest.region.clone(),
            architecture: latest.architecture,
            power: latest.power,
            current: prepared.subject.current,
            ephemeral_storage_mb: latest.ephemeral_storage_mb,
            code_sha256: baseline.code_sha256,
            revision_id: latest
                .revision_id
                .clone()
                .filter(|_| latest.readiness == Readiness::Ready),
        },
        powers: powers.clone(),
        until: until.to_string(),
        width,
        in_flight,
        longest_ms,
        longest_billed_ms: milliseconds(latest.timeout + LONGEST_INIT),
        worst_cost: plan.worst_cost,
        max_cost: request.max_cost,
        digest_bytes,
        alias_at: prepared.alias_at.clone(),
        // Each reading of the request repeats its own warnings.
        notes: prepared.notes.iter().map(ToString::to_string).collect(),
    })
}

/// The number of powers measured at the same time, and the invocations in flight of each. Together
/// with the Measure steps they stay within the account's concurrency.
fn shares(request: &Request, prepared: &PreparedRun) -> (u32, u32) {
    let powers = u32::try_from(prepared.powers.len()).unwrap_or(u32::MAX);
    let allowed = prepared.concurrency.max(1);
    let serial = matches!(request.pace, Pace::Series { .. }) && !request.only_cold_starts;
    if serial {
        return (powers.min(allowed / 2).max(1), 1);
    }
    let account = prepared.unreserved.unwrap_or(limits::SMALLEST_ACCOUNT);
    let beside = account.saturating_sub(allowed).max(1);
    let width = powers.min(allowed).min(beside).max(1);
    // Each Measure step is a process of its own, with the same limit of open files as this one.
    (width, (allowed / width).min(limits::most_connections()).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_step_is_advised_where_there_is_one() {
        let said = |longest: u64| {
            let seconds = Duration::from_secs;
            check_timeouts(seconds(700), seconds(longest), seconds(600)).unwrap_err().message
        };
        assert!(said(800).contains("totalExecutionTimeout="), "{}", said(800));
        assert!(!said(1_000).contains("totalExecutionTimeout"), "{}", said(1_000));
        assert!(said(1_000).contains("lower the timeout"), "{}", said(1_000));
    }
}
