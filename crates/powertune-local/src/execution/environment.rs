//! An execution environment: one process that runs one version of a function, one invocation at a
//! time, from its start to its end.

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
use crate::{folder, settings::Credentials, version::FunctionVersion};

/// How often to look whether killed processes have left their cgroup, and for how long.
const GONE_POLL: Duration = Duration::from_millis(2);
const GONE_POLLS: u32 = 500;

/// What all environments of a server are made with.
#[derive(Debug)]
pub(super) struct EnvironmentFactory {
    pub(super) endpoint: String,
    pub(super) limiter: Limiter,
    pub(super) interpreters: Interpreters,
    pub(super) spawner: Spawner,
    pub(super) registry: Registry,
    /// Holds the environments' own folders and the functions' code.
    pub(super) folder: TempDir,
    /// Ends everything that runs.
    pub(super) closing: CancellationToken,
}

/// See the module.
#[derive(Debug)]
pub(super) struct ExecutionEnvironment {
    /// Before the process: it finds what left the process group through the leader.
    limits: Limits,
    process: Process,
    api: RuntimeApi,
    output: Output,
    registration: Registration,
    closing: CancellationToken,
    last_used: Instant,
    _home: TempDir,
}

/// Why there is no environment.
#[derive(Debug, thiserror::Error)]
pub(super) enum EnvironmentStartError {
    #[error(transparent)]
    NoProgram(#[from] NoProgram),
    #[error("fork/exec {program}: {source}")]
    Exec { program: String, source: io::Error },
    #[error("{what}: {source}")]
    Host { what: &'static str, source: io::Error },
}

/// Why an environment did not do what was asked of it. It has ended, or must be.
#[derive(Debug)]
pub(super) enum EnvironmentFailure {
    NotStarted(EnvironmentStartError),
    /// The runtime's own report that it can't initialise.
    InitFailed {
        error_type: String,
        payload: Bytes,
    },
    Exited {
        exit: Exit,
        out_of_memory: bool,
    },
    TimedOut,
    /// The server shuts down.
    Closing,
}

/// What the function had to say about an event.
#[derive(Debug)]
pub(super) enum Answer {
    Response(Bytes),
    TooLarge,
    Error { error_type: String, payload: Bytes },
}

/// How an invocation went.
#[derive(Debug)]
pub(super) struct InvocationOutcome {
    pub(super) answer: Result<Answer, EnvironmentFailure>,
    /// What went wrong after the answer, which stands nevertheless.
    pub(super) afterwards: Option<EnvironmentFailure>,
    pub(super) duration: Duration,
}

impl InvocationOutcome {
    /// Without an answer.
    pub(super) fn failed(fault: EnvironmentFailure, duration: Duration) -> Self {
        Self { answer: Err(fault), afterwards: None, duration }
    }

    /// Whether the environment can take another invocation.
    pub(super) fn leaves_it_usable(&self) -> bool {
        self.answer.is_ok() && self.afterwards.is_none()
    }
}

impl EnvironmentFactory {
    /// Starts the process of a new environment.
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
    /// When its process began to run.
    pub(super) fn started(&self) -> Instant {
        self.process.started()
    }

    pub(super) fn last_used(&self) -> Instant {
        self.last_used
    }

    /// Frozen processes don't end by themselves, but somebody may have killed this one.
    pub(super) fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    pub(super) fn take_output(&self) -> Vec<u8> {
        self.output.take()
    }

    pub(super) fn max_memory_mb(&self) -> Option<u32> {
        self.limits.max_memory_mb()
    }

    /// Waits until the runtime asks for its first event, for no longer than `limit` after `from`;
    /// tells when it did.
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

    /// Hands the event to the function and waits until it is done with it, for no longer than
    /// `limit` after `from`.
    pub(super) async fn invoke(
        &mut self,
        dispatch: Dispatch,
        lease: &CpuLease,
        from: LeaseInstant,
        limit: Duration,
    ) -> InvocationOutcome {
        self.api.dispatch(dispatch);
        let mut answer = None;
        let (fault, at) = loop {
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
        let duration = match fault {
            Some(EnvironmentFailure::TimedOut) => limit,
            _ => lease.elapsed(from, at),
        };
        match (answer, fault) {
            (Some(answer), afterwards) => {
                InvocationOutcome { answer: Ok(answer), afterwards, duration }
            }
            (None, Some(fault)) => InvocationOutcome::failed(fault, duration),
            (None, None) => unreachable!("the Runtime API lets no runtime skip its answer"),
        }
    }

    /// Lets the environment run with the share that `lease` holds.
    pub(super) fn thaw(&mut self, lease: &Arc<CpuLease>) -> Result<(), EnvironmentFailure> {
        self.registration.hold(lease);
        self.limits.run(lease.share()).map_err(|source| {
            let what = "giving the environment its share of CPU";
            EnvironmentFailure::NotStarted(EnvironmentStartError::Host { what, source })
        })
    }

    /// The invocation is over: a call that still comes in suspends nothing.
    pub(super) fn release(&self) {
        self.registration.release();
    }

    fn exited(&self, exit: Exit) -> EnvironmentFailure {
        EnvironmentFailure::Exited {
            exit,
            out_of_memory: exit.is_kill() && self.limits.ran_out_of_memory(),
        }
    }

    /// Kills everything of the environment and waits until it is gone.
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
