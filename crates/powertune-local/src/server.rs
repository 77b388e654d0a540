//! The running local Lambda, for the other crates.

use std::{collections::BTreeMap, io, net::Ipv4Addr, path::PathBuf, sync::Arc, time::Duration};

use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    api::{self, ConfigurationInput, CreateFunctionRequest, EnvironmentInput},
    calls::CallLog,
    connections,
    credentials::Credentials,
    exception::Exception,
    execution::{DataPlane, DataPlaneError, host_memory_mb},
    latency::delayed,
    loopback::Loopback,
    package::{self, PackageError},
    platform::Platform,
    reference::{AwsAccount, FunctionReference, READ},
    runtimes::Runtime,
    settings::Settings,
    store::{Rules, Store, VersionPhase},
};

/// Time for open requests to end after the stop.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// A running local Lambda.
///
/// Functions, versions and all other data are in memory and in temporary folders, and are gone when
/// it stops. It listens on 127.0.0.1 only.
#[derive(Debug)]
pub struct LocalLambda {
    platform: Arc<Platform>,
    server: JoinHandle<io::Result<()>>,
    stop: DropGuard,
}

/// The local Lambda could not start. The message says why.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct StartError(#[from] StartFailure);

#[derive(Debug, thiserror::Error)]
enum StartFailure {
    #[error("cannot listen on 127.0.0.1:{port}: {source}; choose another port, or 0 for any")]
    Listen { port: u16, source: io::Error },
    #[error("cannot write calls to {}: {source}", path.display())]
    CallLog { path: PathBuf, source: io::Error },
    #[error("account id {0:?}: give twelve digits")]
    AccountId(String),
    #[error("cannot run functions here: {0}")]
    DataPlane(#[from] DataPlaneError),
}

/// A function to create without HTTP.
#[derive(Debug, Clone)]
pub struct NewFunction {
    /// The name, in the form of AWS's `FunctionName`.
    pub name: String,
    /// A folder with the code, or a `.zip` file.
    pub code: PathBuf,
    /// AWS's identifier, one of [`runtimes()`](crate::runtimes).
    pub runtime: String,
    /// The handler, in AWS's form for the runtime.
    pub handler: String,
    /// Memory size in MB.
    pub memory_mb: u32,
    /// Timeout in seconds.
    pub timeout_s: u32,
    /// Names and values of environment variables.
    pub environment: BTreeMap<String, String>,
    /// `x86_64` or `arm64`. `None` is the architecture of this machine.
    pub architecture: Option<String>,
}

/// A function could not be created. The message says why.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct CreateError(#[from] CreateFailure);

#[derive(Debug, thiserror::Error)]
enum CreateFailure {
    #[error("cannot take the function's code from {}: {reason}", path.display())]
    Code { path: PathBuf, reason: String },
    #[error("{}: {}", .0.kind.name(), .0.message)]
    Refused(Exception),
}

impl LocalLambda {
    /// Starts to listen on 127.0.0.1.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let id = &settings.account_id;
        if id.len() != 12 || !id.bytes().all(|b| b.is_ascii_digit()) {
            return Err(StartFailure::AccountId(id.clone()).into());
        }
        let listen_error = |source| StartFailure::Listen { port: settings.port, source };
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, settings.port)).await.map_err(listen_error)?;
        let port = listener.local_addr().map_err(listen_error)?.port();
        let endpoint = format!("http://127.0.0.1:{port}");
        let data_plane = DataPlane::start(settings.cpu, &endpoint)?;
        let account = AwsAccount {
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
            CallLog::open(&path).map_err(|source| StartFailure::CallLog { path, source })
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

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint_url(&self) -> String {
        self.platform.endpoint.clone()
    }

    /// The region in ARNs.
    pub fn region(&self) -> &str {
        &self.platform.account.region
    }

    /// The first of the server's key pairs.
    pub fn credentials(&self) -> &Credentials {
        self.platform.credentials.first().expect("a pair is made where none is given")
    }

    /// The CPU control in use and the cores of this machine, for users.
    pub fn cpu_control(&self) -> String {
        self.platform.data_plane.describe()
    }

    /// The largest memory size, in MB, whose whole share of CPU this machine has. Durations above
    /// it say nothing about the memory size.
    pub fn largest_memory_mb(&self) -> u32 {
        host_memory_mb()
    }

    /// The environment variables with which AWS tools call this Lambda.
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

    /// Creates a function, waits until it is active, and returns its ARN.
    pub async fn create_function(&self, function: NewFunction) -> Result<String, CreateError> {
        let path = function.code;
        let unusable = |reason| CreateFailure::Code { path: path.clone(), reason };
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

    /// The name and version of the program that runs `runtime` (AWS's identifier) on this machine,
    /// for example `Python 3.11.2` for `python3.12`. `None` if it is the version that the runtime
    /// asks for.
    ///
    /// # Errors
    ///
    /// If no program on this machine runs it.
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

    /// Stops the server and ends every process of a function.
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
        Self(error.into())
    }
}

impl From<Exception> for CreateError {
    fn from(exception: Exception) -> Self {
        Self(CreateFailure::Refused(exception))
    }
}
