//! The data plane: runs invocations of function versions in execution environments.
//!
//! An environment is a process that speaks the Runtime API. It stays warm between invocations, and
//! is frozen meanwhile. It runs under the limits of its memory size ([`limits`]), and only while
//! the host has the CPU for it ([`admission`]). After a crash or a timeout the environment ends,
//! and the next invocation is a cold start. Lambda would initialise the environment again without a
//! record of it.

mod admission;
mod environment;
mod interpreters;
mod invocation;
mod invocation_log;
mod lease;
mod limits;
mod log;
mod pool;
mod process;
mod registry;
mod report;
mod runtime_api;
mod variables;

use std::{
    io,
    num::NonZero,
    path::Path,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

pub use self::limits::CpuControl;
use self::{
    admission::Admission,
    environment::{EnvironmentFactory, ExecutionEnvironment},
    interpreters::Interpreters,
    invocation::{Scheduler, end_all},
    limits::Limiter,
    pool::Pool,
    process::Spawner,
    registry::Registry,
};
pub(crate) use self::{
    invocation::{Invocation, InvocationRequest},
    lease::Suspension,
    limits::CgroupError,
    registry::EnvironmentId,
};
use crate::{credentials::Credentials, folder, runtimes::RuntimeKind, version::FunctionVersion};

/// Time after which an idle environment ends.
const IDLE_LIMIT: Duration = Duration::from_mins(5);
const IDLE_CHECK: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub(crate) enum DataPlaneError {
    #[error("cgroups can't be used: {0}; choose signals to run functions without cgroups")]
    Cgroup(#[from] CgroupError),
    #[error("preparing to run functions, {what}: {source}")]
    Io { what: &'static str, source: io::Error },
}

/// The running data plane. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct DataPlane {
    scheduler: Arc<Scheduler>,
    tasks: TaskTracker,
}

impl DataPlane {
    /// Starts the data plane inside a tokio runtime. Functions find the Lambda API at `endpoint`.
    pub(crate) fn start(cpu: CpuControl, endpoint: &str) -> Result<Self, DataPlaneError> {
        let io = |what| move |source| DataPlaneError::Io { what, source };
        let limiter = Limiter::choose(cpu)?;
        let folder = folder::of_the_server().map_err(io("making a temporary folder"))?;
        let factory = EnvironmentFactory {
            endpoint: endpoint.to_owned(),
            limiter,
            interpreters: Interpreters::install(folder.path())
                .map_err(io("writing the runtimes"))?,
            spawner: Spawner::start().map_err(io("starting a thread"))?,
            registry: Registry::default(),
            folder,
            closing: CancellationToken::new(),
        };
        let scheduler = Arc::new(Scheduler {
            admission: match cpu {
                CpuControl::Unlimited => Admission::lifted(host_vcpus()),
                _ => Admission::new(host_vcpus()),
            },
            pool: Pool::default(),
            factory,
        });
        tokio::spawn(end_idle(Arc::downgrade(&scheduler)));
        Ok(Self { scheduler, tasks: TaskTracker::new() })
    }

    /// The CPU control in use and the host's cores, for users.
    pub(crate) fn describe(&self) -> String {
        let (limiter, vcpus) = (&self.scheduler.factory.limiter, self.scheduler.admission.vcpus());
        let cores = if vcpus == 1 { "core" } else { "cores" };
        format!("{limiter}; {vcpus} {cores}")
    }

    /// Runs one invocation. The time before its admission does not count. As on Lambda, it goes on
    /// after its caller has gone.
    pub(crate) async fn invoke(
        &self,
        version: &Arc<FunctionVersion>,
        request: InvocationRequest,
    ) -> Invocation {
        let (scheduler, version) = (Arc::clone(&self.scheduler), Arc::clone(version));
        let run = self.tasks.spawn(async move { scheduler.invoke(&version, request).await });
        match run.await {
            Ok(invocation) => invocation,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Ends the environments of a snapshot, busy environments after their invocations.
    pub(crate) fn retire(&self, snapshot: Uuid) {
        let environments = self.scheduler.pool.retire(snapshot);
        if !environments.is_empty() {
            self.tasks.spawn(end_all(environments));
        }
    }

    /// The name and version of the program that runs `runtime` here, `None` if it is the version
    /// that the runtime asks for.
    ///
    /// # Errors
    ///
    /// If no program runs the runtime: the programs that were looked for.
    pub(crate) async fn other_runtime(
        &self,
        runtime: RuntimeKind,
    ) -> Result<Option<String>, String> {
        let other = self.scheduler.factory.interpreters.other_version(runtime).await;
        other.map_err(|error| error.to_string())
    }

    /// A private folder, removed when the server ends.
    pub(crate) fn folder(&self) -> &Path {
        self.scheduler.factory.folder.path()
    }

    /// The environment that signs with this key, and its key pair.
    pub(crate) fn caller(&self, access_key_id: &str) -> Option<(EnvironmentId, Credentials)> {
        self.scheduler.factory.registry.caller(access_key_id)
    }

    /// The name of the function that an environment runs, while the environment exists.
    pub(crate) fn function_of(&self, environment: EnvironmentId) -> Option<String> {
        self.scheduler.factory.registry.function(environment)
    }

    /// Suspends an environment that waits in an Invoke on this endpoint. Its share of CPU is free
    /// until [`Suspension::resume`] takes it again. The time between counts neither as duration nor
    /// against the time limit.
    pub(crate) fn suspend(&self, caller: EnvironmentId) -> Suspension {
        self.scheduler.factory.registry.suspend(caller)
    }

    /// Kills every environment and removes its traces. Running invocations get an error.
    pub(crate) async fn shutdown(&self) {
        self.scheduler.factory.closing.cancel();
        self.scheduler.admission.close();
        self.tasks.close();
        self.tasks.wait().await;
        end_all(self.scheduler.pool.expire(Duration::ZERO)).await;
        let scheduler = Arc::clone(&self.scheduler);
        let removed = tokio::task::spawn_blocking(move || scheduler.factory.limiter.remove()).await;
        // It can only fail by a panic, which is printed already.
        drop(removed);
    }
}

/// The largest memory size, in MB, whose whole share of CPU this host has.
pub(crate) fn host_memory_mb() -> u32 {
    host_vcpus().saturating_mul(admission::MB_PER_VCPU)
}

/// Cores that this process may use.
fn host_vcpus() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    u32::try_from(cores).unwrap_or(u32::MAX / admission::MB_PER_VCPU)
}

async fn end_idle(scheduler: Weak<Scheduler>) {
    let mut ticks = interval(IDLE_CHECK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(scheduler) = scheduler.upgrade() else { return };
        let expired: Vec<ExecutionEnvironment> = scheduler.pool.expire(IDLE_LIMIT);
        drop(scheduler);
        end_all(expired).await;
    }
}
