//! An execution environment: one process that runs one version of a function, one invocation at a
//! time.

use std::{io, process::Stdio, sync::Arc, time::Duration};

use bytes::Bytes;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    interpreters::{Interpreters, NoProgram},
    lease::{CpuLease, LeaseInstant},
    limits::{Limiter, Limits},
    log::Output,
    process::{Exit, Process, Spawner},
    registry::{Registration, Registry},
    runtime_api::{Dispatch, RuntimeApi, RuntimeEvent},
    variables::{Places, variables},
};
use crate::{credentials::Credentials, folder, version::FunctionVersion};

/// Pause between two checks that the cgroup of killed processes is empty, and the number of checks.
const GONE_POLL: Duration = Duration::from_millis(2);
const GONE_POLLS: u32 = 500;

/// Everything that the environments of a server share.
#[derive(Debug)]
pub(super) struct EnvironmentFactory {
    pub(super) endpoint: String,
    pub(super) limiter: Limiter,
    pub(super) interpreters: Interpreters,
    pub(super) spawner: Spawner,
    pub(super) registry: Registry,
    /// Holds the environments' own folders and the functions' code.
    pub(super) folder: TempDir,
    /// Cancelled when the server stops.
    pub(super) closing: CancellationToken,
}

#[derive(Debug)]
pub(super) struct ExecutionEnvironment {
    /// The first field, so that it is dropped before the process: it finds descendants outside the
    /// process group through the leader.
    limits: Limits,
    process: Process,
    api: RuntimeApi,
    output: Output,
    registration: Registration,
    closing: CancellationToken,
    last_used: Instant,
    _home: TempDir,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum EnvironmentStartError {
    #[error(transparent)]
    NoProgram(#[from] NoProgram),
    #[error("fork/exec {program}: {source}")]
    Exec { program: String, source: io::Error },
    #[error("{what}: {source}")]
    Host { what: &'static str, source: io::Error },
}

/// The failure of an environment in its init or in an invocation. The environment has ended or has
/// to be ended.
#[derive(Debug)]
pub(super) enum EnvironmentFailure {
    NotStarted(EnvironmentStartError),
    /// The runtime reported that it can't initialise.
    InitFailed {
        error_type: String,
        payload: Bytes,
    },
    Exited {
        exit: Exit,
        out_of_memory: bool,
    },
    TimedOut,
    Closing,
}

/// The function's answer to an event.
#[derive(Debug)]
pub(super) enum Answer {
    Response(Bytes),
    TooLarge,
    Error { error_type: String, payload: Bytes },
}

#[derive(Debug)]
pub(super) struct InvocationOutcome {
    pub(super) answer: Result<Answer, EnvironmentFailure>,
    /// A failure after the answer. The answer stands.
    pub(super) afterwards: Option<EnvironmentFailure>,
    pub(super) duration: Duration,
}

impl InvocationOutcome {
    pub(super) fn failed(failure: EnvironmentFailure, duration: Duration) -> Self {
        Self { answer: Err(failure), afterwards: None, duration }
    }

    /// True if the environment can take another invocation.
    pub(super) fn leaves_it_usable(&self) -> bool {
        self.answer.is_ok() && self.afterwards.is_none()
    }
}

impl EnvironmentFactory {
    pub(super) async fn start(
        &self,
        version: &Arc<FunctionVersion>,
        lease: &Arc<CpuLease>,
    ) -> Result<ExecutionEnvironment, EnvironmentStartError> {
        let host = |what| move |source| EnvironmentStartError::Host { what, source };
        let mut command = self.interpreters.command(version).await?;
        let api = RuntimeApi::listen().await.map_err(host("opening a port for the Runtime API"))?;
        let home = folder::private(self.folder.path(), "environment-")
            .map_err(host("making a folder for the environment"))?;
        let (output, writer) = Output::open().map_err(host("opening a pipe for the log"))?;
        let credentials = Credentials::temporary();
        let task_root = version.code.path();
        let places = Places {
            task_root: &task_root,
            runtime_folder: self.interpreters.folder(),
            home: home.path(),
            runtime_api: api.address(),
            endpoint: &self.endpoint,
        };
        let stderr = writer.try_clone().map_err(host("opening a pipe for the log"))?;
        command.env_clear().envs(variables(version, &credentials, &places));
        command.current_dir(&task_root).stdin(Stdio::null()).stdout(writer).stderr(stderr);

        let share = lease.share();
        let mut prepared = self
            .limiter
            .prepare(version.memory_mb, share)
            .map_err(host("limiting the environment"))?;
        let program = command.get_program().to_string_lossy().into_owned();
        let registration =
            self.registry.register(credentials, version.function_name.clone(), lease);
        let process = self
            .spawner
            .spawn(command, prepared.take_procs())
            .await
            .map_err(|source| EnvironmentStartError::Exec { program, source })?;
        let limits =
            prepared.attach(process.group(), share).map_err(host("limiting the environment"))?;
        Ok(ExecutionEnvironment {
            limits,
            process,
            api,
            output,
            registration,
            closing: self.closing.clone(),
            last_used: Instant::now(),
            _home: home,
        })
    }
}

impl ExecutionEnvironment {
    /// The time at which its process began to run.
    pub(super) fn started(&self) -> Instant {
        self.process.started()
    }

    pub(super) fn last_used(&self) -> Instant {
        self.last_used
    }

    /// A frozen process does not end by itself, but another user may have killed it.
    pub(super) fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    pub(super) fn take_output(&self) -> Vec<u8> {
        self.output.take()
    }

    pub(super) fn max_memory_mb(&self) -> Option<u32> {
        self.limits.max_memory_mb()
    }

    /// Waits until the runtime asks for its first event, at most `limit` after `from`. Returns the
    /// time of that call.
    pub(super) async fn initialise(
        &mut self,
        lease: &CpuLease,
        from: LeaseInstant,
        limit: Duration,
    ) -> Result<Instant, EnvironmentFailure> {
        tokio::select! {
            biased;
            event = self.api.event() => match event {
                RuntimeEvent::Ready { at } => {
                    self.limits.freeze();
                    Ok(at)
                }
                RuntimeEvent::InitError { error_type, payload }
                | RuntimeEvent::Error { error_type, payload } => {
                    Err(EnvironmentFailure::InitFailed { error_type, payload })
                }
                RuntimeEvent::Response { .. } | RuntimeEvent::ResponseTooLarge => {
                    unreachable!("the Runtime API takes no response before it gave an event")
                }
            },
            exit = self.process.ended() => Err(self.exited(exit)),
            () = lease.expired(from, limit) => Err(EnvironmentFailure::TimedOut),
            () = self.closing.cancelled() => Err(EnvironmentFailure::Closing),
        }
    }

    /// Passes the event to the function and waits for the end of the invocation, at most `limit`
    /// after `from`.
    pub(super) async fn invoke(
        &mut self,
        dispatch: Dispatch,
        lease: &CpuLease,
        from: LeaseInstant,
        limit: Duration,
    ) -> InvocationOutcome {
        self.api.dispatch(dispatch);
        let mut answer = None;
        let (failure, at) = loop {
            tokio::select! {
                biased;
                event = self.api.event() => match event {
                    RuntimeEvent::Response { payload } => answer = Some(Answer::Response(payload)),
                    RuntimeEvent::ResponseTooLarge => answer = Some(Answer::TooLarge),
                    RuntimeEvent::Error { error_type, payload }
                    | RuntimeEvent::InitError { error_type, payload } => {
                        answer = Some(Answer::Error { error_type, payload });
                    }
                    RuntimeEvent::Ready { at } => break (None, at),
                },
                exit = self.process.ended() => break (Some(self.exited(exit)), Instant::now()),
                () = lease.expired(from, limit) => break (Some(EnvironmentFailure::TimedOut), Instant::now()),
                () = self.closing.cancelled() => break (Some(EnvironmentFailure::Closing), Instant::now()),
            }
        };
        if self.is_running() {
            self.limits.freeze();
        }
        self.last_used = Instant::now();
        let duration = match failure {
            Some(EnvironmentFailure::TimedOut) => limit,
            _ => lease.elapsed(from, at),
        };
        match (answer, failure) {
            (Some(answer), afterwards) => {
                InvocationOutcome { answer: Ok(answer), afterwards, duration }
            }
            (None, Some(failure)) => InvocationOutcome::failed(failure, duration),
            (None, None) => unreachable!("the Runtime API lets no runtime skip its answer"),
        }
    }

    /// Lets the environment run with the share of `lease`.
    pub(super) fn thaw(&mut self, lease: &Arc<CpuLease>) -> Result<(), EnvironmentFailure> {
        self.registration.hold(lease);
        self.limits.run(lease.share()).map_err(|source| {
            let what = "giving the environment its share of CPU";
            EnvironmentFailure::NotStarted(EnvironmentStartError::Host { what, source })
        })
    }

    /// Ends the invocation: a call that still arrives suspends nothing.
    pub(super) fn release(&self) {
        self.registration.release();
    }

    fn exited(&self, exit: Exit) -> EnvironmentFailure {
        EnvironmentFailure::Exited {
            exit,
            out_of_memory: exit.is_kill() && self.limits.ran_out_of_memory(),
        }
    }

    /// Kills all processes of the environment and waits until they have ended.
    pub(super) async fn end(mut self) {
        self.limits.kill();
        self.process.kill();
        self.process.ended().await;
        for _ in 0..GONE_POLLS {
            if self.limits.try_remove() {
                return;
            }
            self.limits.kill();
            sleep(GONE_POLL).await;
        }
    }
}
