//! The running local Lambda, as the rest of the product sees it.

use std::{collections::BTreeMap, io, net::Ipv4Addr, path::PathBuf, sync::Arc, time::Duration};

use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    api::{self, ConfigurationInput, CreateFunctionRequest, EnvironmentInput},
    calls::CallLog,
    connections,
    exception::Exception,
    execution::{DataPlane, DataPlaneError, host_memory_mb},
    latency::delayed,
    loopback::Loopback,
    package::{self, PackageError},
    platform::Platform,
    reference::{Account, FunctionReference, READ},
    runtimes::Runtime,
    settings::{Credentials, Settings},
    store::{Rules, Store, VersionPhase},
};

/// How long open requests may take to end once everything is told to stop.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// Lambda on this machine, running.
///
/// Functions, versions and everything else live in memory and in temporary folders, and are gone
/// when it stops. It listens on 127.0.0.1 only.
#[derive(Debug)]
pub struct LocalLambda {
    platform: Arc<Platform>,
    server: JoinHandle<io::Result<()>>,
    stop: DropGuard,
}

/// Why the local Lambda could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The port could not be bound.
    #[error("cannot listen on 127.0.0.1:{port}: {source}; choose another port, or 0 for any")]
    Listen {
        /// The port asked for.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The file for the calls can't be written.
    #[error("cannot write calls to {}: {source}", path.display())]
    CallLog {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The account's id is not one.
    #[error("account id {0:?}: give twelve digits")]
    AccountId(String),
    /// Functions cannot be run on this machine as asked.
    #[error("cannot run functions here: {0}")]
    DataPlane(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A function to create without going over HTTP.
#[derive(Debug, Clone)]
pub struct NewFunction {
    /// Its name.
    pub name: String,
    /// A folder with the code, or a `.zip` file.
    pub code: PathBuf,
    /// AWS's identifier: `python3.13`, `nodejs22.x`, `provided.al2023`, ...
    pub runtime: String,
    /// The handler, as AWS writes it for the runtime.
    pub handler: String,
    /// Memory size in MB.
    pub memory_mb: u32,
    /// Timeout in seconds.
    pub timeout_s: u32,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// `x86_64` or `arm64`; that of this machine if it is not given.
    pub architecture: Option<String>,
}

/// Why a function could not be created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The code could not be read or packed.
    #[error("cannot take the function's code from {}: {reason}", path.display())]
    Code {
        /// Where it was looked for.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Lambda's own refusal.
    #[error("{code}: {message}")]
    Refused {
        /// The exception that AWS would answer with.
        code: &'static str,
        /// Its message.
        message: String,
    },
}

impl LocalLambda {
    /// Starts listening on 127.0.0.1.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let id = &settings.account_id;
        if id.len() != 12 || !id.bytes().all(|b| b.is_ascii_digit()) {
            return Err(StartError::AccountId(id.clone()));
        }
        let listen_error = |source| StartError::Listen { port: settings.port, source };
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, settings.port)).await.map_err(listen_error)?;
        let port = listener.local_addr().map_err(listen_error)?.port();
        let endpoint = format!("http://127.0.0.1:{port}");
        let data_plane = DataPlane::start(settings.cpu, &endpoint)?;
        let account = Account {
            id: settings.account_id,
            region: settings.region,
            largest_memory_mb: settings.largest_memory_mb,
            memory_refusal: settings.memory_refusal,
        };
        let rules = Rules {
            concurrency_limit: settings.concurrency,
            update_delay: settings.update_delay,
            revisions: settings.revisions,
            version_start: settings.version_start,
        };
        let store = Store::new(account, rules);
        let mut credentials = settings.credentials;
        if credentials.is_empty() {
            credentials.push(Credentials::random());
        }
        let calls = settings.call_log.map(|path| {
            CallLog::open(&path).map_err(|source| StartError::CallLog { path, source })
        });
        let calls = calls.transpose()?;
        let stopping = CancellationToken::new();
        let token = stopping.child_token();
        let platform = Platform::new(store, data_plane, endpoint, credentials, calls, token);
        let router = api::router(Arc::clone(&platform), Loopback::new(port));
        let router = delayed(router, settings.latency);
        let server = tokio::spawn(connections::serve(listener, router, stopping.child_token()));
        Ok(Self { platform, server, stop: stopping.drop_guard() })
    }

    /// Where clients find it: `http://127.0.0.1:PORT`.
    pub fn endpoint_url(&self) -> String {
        self.platform.endpoint.clone()
    }

    /// The region it plays.
    pub fn region(&self) -> &str {
        &self.platform.account.region
    }

    /// A key pair to call it with.
    pub fn credentials(&self) -> &Credentials {
        self.platform.credentials.first().expect("a pair is made where none is given")
    }

    /// What holds functions to their CPU share and what this machine has, for people to read.
    pub fn cpu_control(&self) -> String {
        self.platform.data_plane.describe()
    }

    /// The largest memory size whose whole share of CPU this machine has. Durations measured above
    /// it say nothing about the memory size.
    pub fn largest_memory_mb(&self) -> u32 {
        host_memory_mb()
    }

    /// The environment variables that point AWS tools here.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let (credentials, region) = (self.credentials(), self.region());
        let mut variables = vec![
            ("AWS_ENDPOINT_URL_LAMBDA", self.endpoint_url()),
            ("AWS_ACCESS_KEY_ID", credentials.access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.clone()),
            ("AWS_REGION", region.to_owned()),
            ("AWS_DEFAULT_REGION", region.to_owned()),
        ];
        variables.extend(credentials.session_token.clone().map(|it| ("AWS_SESSION_TOKEN", it)));
        variables
    }

    /// Creates a function from a folder or a zip file and returns its ARN; it is active then.
    pub async fn create_function(&self, function: NewFunction) -> Result<String, CreateError> {
        let path = function.code;
        let unusable = |reason| CreateError::Code { path: path.clone(), reason };
        let packed = path.clone();
        let zip = tokio::task::spawn_blocking(move || package::zip_from(&packed))
            .await
            .map_err(|error| unusable(error.to_string()))?
            .map_err(|error: PackageError| unusable(error.to_string()))?;
        let name = function.name.clone();
        let architecture = function.architecture.unwrap_or_else(|| this_architecture().to_owned());
        let account = &self.platform.account;
        let request = CreateFunctionRequest {
            function_name: Some(function.name),
            architectures: Some(vec![architecture]),
            configuration: ConfigurationInput {
                runtime: Some(function.runtime),
                handler: Some(function.handler),
                role: Some(format!("arn:{}:iam::{}:role/local", account.partition(), account.id)),
                timeout: Some(function.timeout_s.into()),
                memory_size: Some(function.memory_mb.into()),
                environment: Some(EnvironmentInput { variables: Some(function.environment) }),
                ..ConfigurationInput::default()
            },
            ..CreateFunctionRequest::default()
        };
        let created = api::create(&self.platform, request, Some(zip)).await?;
        self.wait_until_active(&name).await?;
        Ok(created.arn().to_owned())
    }

    /// What this machine runs where a function asks for `runtime`, AWS's identifier: `Python 3.11.2`
    /// for `python3.12`, for one. `None` where it is the version that the function asks for.
    ///
    /// # Errors
    /// When this machine has nothing that runs it.
    pub async fn other_runtime(&self, runtime: &str) -> Result<Option<String>, String> {
        match Runtime::parse(runtime) {
            Some(runtime) => self.platform.data_plane.other_runtime(runtime.kind).await,
            None => Err(format!("{runtime} does not run here")),
        }
    }

    async fn wait_until_active(&self, name: &str) -> Result<(), Exception> {
        let reference = FunctionReference::parse(name, None, &READ, &self.platform.account)?;
        loop {
            let phase = self
                .platform
                .with_store(|store, _| store.version(&reference).map(|version| version.phase))?;
            match phase {
                VersionPhase::Settled => return Ok(()),
                VersionPhase::Creating { until }
                | VersionPhase::Updating { until }
                | VersionPhase::Starting { until, .. } => {
                    tokio::time::sleep_until(until.into()).await;
                }
            }
        }
    }

    /// Stops: no more requests, and every process of a function ends.
    pub async fn shutdown(self) {
        drop(self.stop);
        self.platform.data_plane.shutdown().await;
        let abort = self.server.abort_handle();
        if tokio::time::timeout(LAST_REQUESTS, self.server).await.is_err() {
            abort.abort();
        }
    }
}

fn this_architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }
}

impl From<DataPlaneError> for StartError {
    fn from(error: DataPlaneError) -> Self {
        Self::DataPlane(Box::new(error))
    }
}

impl From<Exception> for CreateError {
    fn from(exception: Exception) -> Self {
        Self::Refused { code: exception.kind.name(), message: exception.message }
    }
}
