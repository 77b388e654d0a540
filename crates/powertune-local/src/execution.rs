//! The data plane: runs invocations of function versions in execution environments.
//!
//! An environment is a process that speaks the Runtime API, kept warm between invocations and
//! frozen meanwhile. Each runs under the limits that its memory size gives it ([`limits`]), and
//! only while the host has the CPU for it ([`admission`]). The environment of a crash or a timeout
//! is ended: the next invocation is a cold start, where Lambda would initialise again silently.

mod admission;
mod ending;
mod environment;
mod interpreters;
mod invocation;
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
use crate::{folder, runtimes::RuntimeKind, settings::Credentials, version::FunctionVersion};

/// An environment that was idle for so long is ended.
const IDLE_LIMIT: Duration = Duration::from_mins(5);
const IDLE_CHECK: Duration = Duration::from_secs(10);

/// Why the data plane can't start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataPlaneError {
    /// Cgroups were asked for.
    #[error("cgroups can't be used: {0}; without them functions are held by signals")]
    Cgroup(#[from] CgroupError),
    /// The host's resources.
    #[error("preparing to run functions, {what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// The running data plane. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct DataPlane {
    scheduler: Arc<Scheduler>,
    tasks: TaskTracker,
}

impl DataPlane {
    /// Begins to run functions, which find the Lambda API at `endpoint`. Inside a tokio runtime.
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

    /// Runs one invocation to its end; the time until it is admitted is not counted. It runs to
    /// its end even if the caller goes away, as on Lambda.
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

    /// No more invocations for this snapshot: ends its environments, busy ones when they are done.
    pub(crate) fn retire(&self, snapshot: Uuid) {
        let environments = self.scheduler.pool.retire(snapshot);
        if !environments.is_empty() {
            self.tasks.spawn(end_all(environments));
        }
    }

    /// What runs here where a function asks for `runtime`; `None` where that is what it asks for.
    ///
    /// # Errors
    /// When nothing does, and where it was looked for.
    pub(crate) async fn other_runtime(
        &self,
        runtime: RuntimeKind,
    ) -> Result<Option<String>, String> {
        let other = self.scheduler.factory.interpreters.other_version(runtime).await;
        other.map_err(|error| error.to_string())
    }

    /// A private folder that is gone when the server is.
    pub(crate) fn folder(&self) -> &Path {
        self.scheduler.factory.folder.path()
    }

    /// Which environment signs with this key, and all that it signs with.
    pub(crate) fn caller(&self, access_key_id: &str) -> Option<(EnvironmentId, Credentials)> {
        self.scheduler.factory.registry.caller(access_key_id)
    }

    /// The name of the function that an environment runs, while it is there.
    pub(crate) fn function_of(&self, environment: EnvironmentId) -> Option<String> {
        self.scheduler.factory.registry.function(environment)
    }

    /// The environment waits in an Invoke on this endpoint. Its share of CPU is given back until
    /// [`Suspension::resume`] has taken it again; the time between counts neither into its
    /// duration nor against its time limit.
    pub(crate) fn suspend(&self, caller: EnvironmentId) -> Suspension {
        self.scheduler.factory.registry.suspend(caller)
    }

    /// Kills every environment and leaves nothing behind. Invocations that run get an error.
    pub(crate) async fn shutdown(&self) {
        self.scheduler.factory.closing.cancel();
        self.scheduler.admission.close();
        self.tasks.close();
        self.tasks.wait().await;
        end_all(self.scheduler.pool.expire(Duration::ZERO)).await;
        let scheduler = Arc::clone(&self.scheduler);
        let removed = tokio::task::spawn_blocking(move || scheduler.factory.limiter.remove()).await;
        // It can only fail by a panic, which has been printed.
        drop(removed);
    }
}

/// The largest memory size, in MB, whose whole share of CPU this host has.
pub(crate) fn host_memory_mb() -> u32 {
    host_vcpus().saturating_mul(admission::MB_PER_VCPU)
}

/// The cores that this process may use.
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
