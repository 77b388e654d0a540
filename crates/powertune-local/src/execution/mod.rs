//! The data plane: runs invocations of function versions in execution environments.
//!
//! An environment is a process that speaks the Runtime API, kept warm between invocations and
//! frozen meanwhile. Each runs under the limits that its memory size gives it ([`limits`]), and
//! only while the host has the CPU for it ([`admission`]). The environment of a crash or a timeout
//! is ended: the next invocation is a cold start, where Lambda would initialise again silently.

mod admission;
mod ending;
mod environment;
mod invocation;
mod limits;
mod log;
mod pool;
mod process;
mod registry;
mod report;
mod runtime_api;
mod runtimes;
mod tenure;
mod variables;

use std::{
    fmt::{self, Display, Formatter},
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
    environment::{Environment, Workshop},
    invocation::{Invoker, end_all},
    limits::Limiter,
    pool::Pool,
    process::Spawner,
    registry::Registry,
    runtimes::Runtimes,
};
pub(crate) use self::{
    ending::FunctionErrorKind,
    invocation::{Invocation, InvocationRequest},
    limits::CgroupError,
    registry::EnvironmentId,
    tenure::Suspension,
};
use crate::{
    folder,
    settings::Credentials,
    version::{FunctionVersion, Runtime},
};

/// An environment that was idle for so long is ended.
const IDLE_LIMIT: Duration = Duration::from_mins(5);
const IDLE_CHECK: Duration = Duration::from_secs(10);

/// What the data plane is to use of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Host {
    pub(crate) cpu: CpuControl,
}

/// Why the data plane can't start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExecutionError {
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

/// Which CPU control runs and what the host has, for people.
#[derive(Debug, Clone)]
pub(crate) struct HostDescription {
    limiter: String,
    vcpus: u32,
}

impl Display for HostDescription {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let cores = if self.vcpus == 1 { "core" } else { "cores" };
        write!(f, "{}; {} {cores}", self.limiter, self.vcpus)
    }
}

/// The running data plane. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Execution {
    invoker: Arc<Invoker>,
    tasks: TaskTracker,
}

impl Execution {
    /// Begins to run functions, which find the Lambda API at `endpoint`. Inside a tokio runtime.
    pub(crate) fn start(host: Host, endpoint: &str) -> Result<Self, ExecutionError> {
        let io = |what| move |source| ExecutionError::Io { what, source };
        let limiter = Limiter::choose(host.cpu)?;
        let folder = folder::of_the_server().map_err(io("making a temporary folder"))?;
        let workshop = Workshop {
            endpoint: endpoint.to_owned(),
            limiter,
            runtimes: Runtimes::install(folder.path()).map_err(io("writing the runtimes"))?,
            spawner: Spawner::start().map_err(io("starting a thread"))?,
            registry: Registry::default(),
            folder,
            closing: CancellationToken::new(),
        };
        let invoker = Arc::new(Invoker {
            admission: match host.cpu {
                CpuControl::Unlimited => Admission::lifted(host_vcpus()),
                _ => Admission::new(host_vcpus()),
            },
            pool: Pool::default(),
            workshop,
        });
        tokio::spawn(end_idle(Arc::downgrade(&invoker)));
        Ok(Self { invoker, tasks: TaskTracker::new() })
    }

    /// Which CPU control runs and what the host has.
    pub(crate) fn describe(&self) -> HostDescription {
        HostDescription {
            limiter: self.invoker.workshop.limiter.to_string(),
            vcpus: self.invoker.admission.vcpus(),
        }
    }

    /// Runs one invocation to its end; the time until it is admitted is not counted. It runs to
    /// its end even if the caller goes away, as on Lambda.
    pub(crate) async fn invoke(
        &self,
        version: &Arc<FunctionVersion>,
        request: InvocationRequest,
    ) -> Invocation {
        let (invoker, version) = (Arc::clone(&self.invoker), Arc::clone(version));
        let run = self.tasks.spawn(async move { invoker.invoke(&version, request).await });
        match run.await {
            Ok(invocation) => invocation,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// No more invocations for this snapshot: ends its environments, busy ones when they are done.
    pub(crate) fn retire(&self, snapshot: Uuid) {
        let environments = self.invoker.pool.retire(snapshot);
        if !environments.is_empty() {
            self.tasks.spawn(end_all(environments));
        }
    }

    /// What runs here where a function asks for `runtime`; `None` where that is what it asks for.
    ///
    /// # Errors
    /// When nothing does, and where it was looked for.
    pub(crate) async fn other_runtime(&self, runtime: Runtime) -> Result<Option<String>, String> {
        let other = self.invoker.workshop.runtimes.other(runtime).await;
        other.map_err(|error| error.to_string())
    }

    /// A private folder that is gone when the server is.
    pub(crate) fn folder(&self) -> &Path {
        self.invoker.workshop.folder.path()
    }

    /// Which environment signs with this key, and all that it signs with.
    pub(crate) fn caller(&self, access_key_id: &str) -> Option<(EnvironmentId, Credentials)> {
        self.invoker.workshop.registry.caller(access_key_id)
    }

    /// The name of the function that an environment runs, while it is there.
    pub(crate) fn function_of(&self, environment: EnvironmentId) -> Option<String> {
        self.invoker.workshop.registry.function(environment)
    }

    /// The environment waits in an Invoke on this endpoint. Its share of CPU is given back until
    /// [`Suspension::resume`] has taken it again; the time between counts neither into its
    /// duration nor against its time limit.
    pub(crate) fn suspend(&self, caller: EnvironmentId) -> Suspension {
        self.invoker.workshop.registry.suspend(caller)
    }

    /// Kills every environment and leaves nothing behind. Invocations that run get an error.
    pub(crate) async fn shutdown(&self) {
        self.invoker.workshop.closing.cancel();
        self.invoker.admission.close();
        self.tasks.close();
        self.tasks.wait().await;
        end_all(self.invoker.pool.expire(Duration::ZERO)).await;
        let invoker = Arc::clone(&self.invoker);
        let removed = tokio::task::spawn_blocking(move || invoker.workshop.limiter.remove()).await;
        // It can only fail by a panic, which has been printed.
        drop(removed);
    }
}

/// The cores that this process may use.
pub(crate) fn host_vcpus() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    u32::try_from(cores).unwrap_or(u32::MAX / admission::MB_PER_VCPU)
}

async fn end_idle(invoker: Weak<Invoker>) {
    let mut ticks = interval(IDLE_CHECK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(invoker) = invoker.upgrade() else { return };
        let expired: Vec<Environment> = invoker.pool.expire(IDLE_LIMIT);
        drop(invoker);
        end_all(expired).await;
    }
}
