//! One invocation: admission, a warm environment or a cold start, and the function's run.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    admission::{Admission, Closed, Grant, Share},
    environment::{
        EnvironmentFactory, EnvironmentFailure, ExecutionEnvironment, InvocationOutcome,
    },
    invocation_log::InvocationLog,
    lease::{CpuLease, LeaseInstant},
    pool::Pool,
    report::InitPhase,
    runtime_api::Dispatch,
};
use crate::version::FunctionVersion;

/// Longest init. After it, as on Lambda, the init begins again inside the invocation.
const INIT_LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
pub(crate) struct InvocationRequest {
    pub(crate) request_id: Uuid,
    /// With the qualifier of the call.
    pub(crate) invoked_arn: String,
    pub(crate) payload: Bytes,
    pub(crate) client_context: Option<String>,
}

/// The result of an invocation.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) payload: Bytes,
    pub(crate) failed: bool,
    /// The log of function and platform from START to REPORT, after the output of the init on a
    /// cold start. Only the end of long output.
    pub(crate) log: Vec<u8>,
    /// The function's share of CPU exceeds this machine. The duration then says nothing about the
    /// memory size.
    pub(crate) beyond_host: bool,
}

#[derive(Debug)]
pub(super) struct Scheduler {
    pub(super) admission: Admission,
    pub(super) pool: Pool,
    pub(super) factory: EnvironmentFactory,
}

impl Scheduler {
    pub(super) async fn invoke(
        &self,
        version: &Arc<FunctionVersion>,
        request: InvocationRequest,
    ) -> Invocation {
        self.pool.enter(version.snapshot);
        let mut log = InvocationLog::begin(version, request.request_id);
        let (outcome, environment, lease) = match self.admit(version).await {
            Ok((warm, grant)) => {
                let lease = CpuLease::begin(&self.admission, grant);
                let (outcome, used) = self.run(version, request, warm, &lease, &mut log).await;
                (outcome, used, Some(lease))
            }
            Err(Closed) => {
                (InvocationOutcome::failed(EnvironmentFailure::Closing, Duration::ZERO), None, None)
            }
        };
        let usable = outcome.leaves_it_usable();
        let beyond_host = self.admission.exceeds_host(Share::of_memory(version.memory_mb));
        let invocation = log.conclude(outcome, environment.as_ref(), beyond_host);

        // The environment returns to the pool before the share is free, so that the next invocation
        // finds it.
        let (back, broken) = if usable { (environment, None) } else { (None, environment) };
        let unwanted = self.pool.leave(version.snapshot, back);
        lease.as_deref().map(CpuLease::end);
        end_all(unwanted.into_iter().chain(broken)).await;
        invocation
    }

    /// Waits for the CPU. Uses an environment that is idle by then, and else gets the larger share
    /// of an init. It holds no share while it waits for a larger one.
    async fn admit(
        &self,
        version: &FunctionVersion,
    ) -> Result<(Option<ExecutionEnvironment>, Grant), Closed> {
        let share = Share::of_memory(version.memory_mb);
        loop {
            let reserved = self.pool.take(version.snapshot);
            let wanted = if reserved.is_some() { share } else { share.during_init() };
            let mut grant = self.admission.admit(wanted).await?;
            let Some(mut environment) = reserved.or_else(|| self.pool.take(version.snapshot))
            else {
                return Ok((None, grant));
            };
            if environment.is_running() {
                grant.shrink_to(share);
                return Ok((Some(environment), grant));
            }
            environment.end().await;
        }
    }

    /// Runs an admitted invocation. Returns the environment that was used last, if it exists.
    async fn run(
        &self,
        version: &Arc<FunctionVersion>,
        request: InvocationRequest,
        warm: Option<ExecutionEnvironment>,
        lease: &Arc<CpuLease>,
        log: &mut InvocationLog<'_>,
    ) -> (InvocationOutcome, Option<ExecutionEnvironment>) {
        let ready = match warm {
            Some(environment) => Some(environment),
            None => self.start_cold(version, lease, log).await,
        };
        lease.shrink_to(Share::of_memory(version.memory_mb));
        if let Some(environment) = ready {
            log.push(&environment.take_output());
            log.start();
            return call(version, request, environment, None, lease).await;
        }
        // The init failed. It begins again inside the invocation, within the function's time limit.
        log.start();
        let (from, limit) = (lease.now(), version.timeout);
        match self.initialise(version, Some(from), limit, lease, log).await {
            Ok((environment, _part_of_the_duration)) => {
                call(version, request, environment, Some(from), lease).await
            }
            Err((failure, took)) => {
                log.init_failed(InitPhase::Invoke, took, &failure);
                (InvocationOutcome::failed(failure, took), None)
            }
        }
    }

    /// The init phase, with its larger share of CPU and its own time limit.
    async fn start_cold(
        &self,
        version: &Arc<FunctionVersion>,
        lease: &Arc<CpuLease>,
        log: &mut InvocationLog<'_>,
    ) -> Option<ExecutionEnvironment> {
        match self.initialise(version, None, INIT_LIMIT, lease, log).await {
            Ok((environment, took)) => {
                log.initialised(took);
                Some(environment)
            }
            Err((failure, took)) => {
                log.init_failed(InitPhase::Init, took, &failure);
                None
            }
        }
    }

    /// Starts an environment and waits for its init, at most `limit` after `from`, or after the
    /// start of its process. Returns the time that the init took. A failed environment is ended.
    async fn initialise(
        &self,
        version: &Arc<FunctionVersion>,
        from: Option<LeaseInstant>,
        limit: Duration,
        lease: &Arc<CpuLease>,
        log: &mut InvocationLog<'_>,
    ) -> Result<(ExecutionEnvironment, Duration), (EnvironmentFailure, Duration)> {
        let mut environment = match self.factory.start(version, lease).await {
            Ok(environment) => environment,
            Err(error) => return Err((EnvironmentFailure::NotStarted(error), Duration::ZERO)),
        };
        let from = from.unwrap_or_else(|| lease.instant_at(environment.started()));
        match environment.initialise(lease, from, limit).await {
            Ok(at) => Ok((environment, lease.elapsed(from, at))),
            Err(failure) => {
                let took = match failure {
                    EnvironmentFailure::TimedOut => limit,
                    _ => lease.elapsed(from, Instant::now()),
                };
                log.observe(&environment);
                environment.end().await;
                Err((failure, took))
            }
        }
    }
}

/// Passes the event to the function. Its time begins at `from`, or else now.
async fn call(
    version: &FunctionVersion,
    request: InvocationRequest,
    mut environment: ExecutionEnvironment,
    from: Option<LeaseInstant>,
    lease: &Arc<CpuLease>,
) -> (InvocationOutcome, Option<ExecutionEnvironment>) {
    if let Err(failure) = environment.thaw(lease) {
        return (InvocationOutcome::failed(failure, Duration::ZERO), Some(environment));
    }
    let limit = version.timeout;
    let from = from.unwrap_or_else(|| lease.now());
    let left = limit.saturating_sub(lease.elapsed(from, Instant::now()));
    let dispatch = Dispatch { request, deadline: SystemTime::now() + left };
    let outcome = environment.invoke(dispatch, lease, from, limit).await;
    environment.release();
    (outcome, Some(environment))
}

/// Ends environments that nobody will use again.
pub(super) async fn end_all(environments: impl IntoIterator<Item = ExecutionEnvironment>) {
    futures::future::join_all(environments.into_iter().map(ExecutionEnvironment::end)).await;
}
