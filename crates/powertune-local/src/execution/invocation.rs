//! One invocation from its request to its answer: admission, a warm environment or a cold start,
//! and the function's run.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    admission::{Admission, Closed, Grant, Share},
    ending::InvocationLog,
    environment::{
        EnvironmentFactory, EnvironmentFailure, ExecutionEnvironment, InvocationOutcome,
    },
    lease::{CpuLease, LeaseInstant},
    pool::Pool,
    report::InitPhase,
    runtime_api::Dispatch,
};
use crate::version::FunctionVersion;

/// How long an init may take before it is begun again inside the invocation, as on Lambda.
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// One request to run a function.
#[derive(Debug)]
pub(crate) struct InvocationRequest {
    pub(crate) request_id: Uuid,
    /// Qualified as the caller asked for it.
    pub(crate) invoked_arn: String,
    pub(crate) payload: Bytes,
    pub(crate) client_context: Option<String>,
}

/// How an invocation ended.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) payload: Bytes,
    pub(crate) failed: bool,
    /// What the function and the platform logged: from START to REPORT, on a cold start what the
    /// init wrote before. Of long output the end.
    pub(crate) log: Vec<u8>,
    /// The function's share of CPU is more than this machine has: its duration says nothing about
    /// this memory size.
    pub(crate) beyond_host: bool,
}

/// What all invocations share.
#[derive(Debug)]
pub(super) struct Scheduler {
    pub(super) admission: Admission,
    pub(super) pool: Pool,
    pub(super) factory: EnvironmentFactory,
}

impl Scheduler {
    /// Runs one invocation.
    pub(super) async fn invoke(
        &self,
        version: &Arc<FunctionVersion>,
        request: InvocationRequest,
    ) -> Invocation {
        self.pool.enter(version.snapshot);
        let mut transcript = InvocationLog::begin(version, request.request_id);
        let (outcome, environment, lease) = match self.admit(version).await {
            Ok((warm, grant)) => {
                let lease = CpuLease::begin(&self.admission, grant);
                let (outcome, used) =
                    self.run(version, request, warm, &lease, &mut transcript).await;
                (outcome, used, Some(lease))
            }
            Err(Closed) => {
                (InvocationOutcome::failed(EnvironmentFailure::Closing, Duration::ZERO), None, None)
            }
        };
        let usable = outcome.leaves_it_usable();
        let beyond_host = self.admission.exceeds_host(Share::of_memory(version.memory_mb));
        let invocation = transcript.conclude(outcome, environment.as_ref(), beyond_host);

        // Back first, then the share: whoever gets the share next finds the environment.
        let (back, broken) = if usable { (environment, None) } else { (None, environment) };
        let unwanted = self.pool.leave(version.snapshot, back);
        lease.as_deref().map(CpuLease::end);
        end_all(unwanted.into_iter().chain(broken)).await;
        invocation
    }

    /// Waits for the CPU. An environment that is idle by then is used, else one has to be made,
    /// for which more CPU is taken at first. Nothing is held while waiting for more of it.
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

    /// From admission to the outcome. Gives back the environment that was used last, if it exists.
    async fn run(
        &self,
        version: &Arc<FunctionVersion>,
        request: InvocationRequest,
        warm: Option<ExecutionEnvironment>,
        lease: &Arc<CpuLease>,
        transcript: &mut InvocationLog<'_>,
    ) -> (InvocationOutcome, Option<ExecutionEnvironment>) {
        let ready = match warm {
            Some(environment) => Some(environment),
            None => self.start_cold(version, lease, transcript).await,
        };
        lease.shrink_to(Share::of_memory(version.memory_mb));
        if let Some(environment) = ready {
            transcript.push(&environment.take_output());
            transcript.start();
            return call(version, request, environment, None, lease).await;
        }
        // The init failed. It begins again inside the invocation, within the function's time limit.
        transcript.start();
        let (from, limit) = (lease.mark(), version.timeout);
        match self.initialise(version, Some(from), limit, lease, transcript).await {
            Ok((environment, _part_of_the_duration)) => {
                call(version, request, environment, Some(from), lease).await
            }
            Err((fault, took)) => {
                transcript.init_failed(InitPhase::Invoke, took, &fault);
                (InvocationOutcome::failed(fault, took), None)
            }
        }
    }

    /// The init phase, with the boost and the time limit that it has.
    async fn start_cold(
        &self,
        version: &Arc<FunctionVersion>,
        lease: &Arc<CpuLease>,
        transcript: &mut InvocationLog<'_>,
    ) -> Option<ExecutionEnvironment> {
        match self.initialise(version, None, INIT_LIMIT, lease, transcript).await {
            Ok((environment, took)) => {
                transcript.initialised(took);
                Some(environment)
            }
            Err((fault, took)) => {
                transcript.init_failed(InitPhase::Init, took, &fault);
                None
            }
        }
    }

    /// Starts an environment and sees it through its init, which may take `limit` after `from` (or
    /// after its process runs). Tells how long it took. One that fails is ended.
    async fn initialise(
        &self,
        version: &Arc<FunctionVersion>,
        from: Option<LeaseInstant>,
        limit: Duration,
        lease: &Arc<CpuLease>,
        transcript: &mut InvocationLog<'_>,
    ) -> Result<(ExecutionEnvironment, Duration), (EnvironmentFailure, Duration)> {
        let mut environment = match self.factory.start(version, lease).await {
            Ok(environment) => environment,
            Err(error) => return Err((EnvironmentFailure::NotStarted(error), Duration::ZERO)),
        };
        let from = from.unwrap_or_else(|| lease.mark_at(environment.started()));
        match environment.initialise(lease, from, limit).await {
            Ok(at) => Ok((environment, lease.elapsed(from, at))),
            Err(fault) => {
                let took = match fault {
                    EnvironmentFailure::TimedOut => limit,
                    _ => lease.elapsed(from, Instant::now()),
                };
                transcript.observe(&environment);
                environment.end().await;
                Err((fault, took))
            }
        }
    }
}

/// Hands the event to the function. `from` is when its time began, if not now.
async fn call(
    version: &FunctionVersion,
    request: InvocationRequest,
    mut environment: ExecutionEnvironment,
    from: Option<LeaseInstant>,
    lease: &Arc<CpuLease>,
) -> (InvocationOutcome, Option<ExecutionEnvironment>) {
    if let Err(fault) = environment.thaw(lease) {
        return (InvocationOutcome::failed(fault, Duration::ZERO), Some(environment));
    }
    let limit = version.timeout;
    let from = from.unwrap_or_else(|| lease.mark());
    let left = limit.saturating_sub(lease.elapsed(from, Instant::now()));
    let dispatch = Dispatch {
        request_id: request.request_id,
        invoked_arn: request.invoked_arn,
        deadline: SystemTime::now() + left,
        client_context: request.client_context,
        payload: request.payload,
    };
    let outcome = environment.invoke(dispatch, lease, from, limit).await;
    environment.release();
    (outcome, Some(environment))
}

/// Ends environments that nobody will use again.
pub(super) async fn end_all(environments: impl IntoIterator<Item = ExecutionEnvironment>) {
    futures::future::join_all(environments.into_iter().map(ExecutionEnvironment::end)).await;
}
