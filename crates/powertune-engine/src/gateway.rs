//! The part of the Lambda API that a run needs.
//!
//! One concrete client serves real AWS and the local Lambda. It returns types of this crate; those
//! of the AWS SDK stay inside.

mod alias;
mod bounded;
mod change;
mod connection;
mod error;
mod function;
mod invoke;
mod object;
mod secrets;
mod transport;
mod waiting;

use std::{env, time::Duration};

use aws_config::{SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_lambda::{Client, config::Builder};
use powertune_core::{arn::FunctionRef, region::Region};
use tokio::time::Instant;

pub(crate) use self::{
    alias::AliasConfig,
    change::PublishedVersion,
    function::{FunctionConfig, Readiness},
};
use self::{
    bounded::Bounded,
    waiting::{Waits, Watch},
};
pub use self::{
    connection::{ConnectError, Connection, check_endpoint},
    error::{ApiError, ErrorKind, kind_of_code},
    invoke::{Invoked, NotInvoked},
    secrets::without_secrets,
    transport::{Called, proxies, reason},
    waiting::{Wait, WaitsOn},
};
use crate::journal::{Journal, JournalEntry};

/// Lambda's longest timeout.
const LONGEST_TIMEOUT: Duration = Duration::from_mins(15);
/// The client's timeout exceeds the function's by this: cold starts come on top.
const GRACE: Duration = Duration::from_mins(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const CONTROL_TIMEOUT: Duration = Duration::from_secs(30);
/// The number of tries of a control-plane call, including the first. These calls are safe to
/// repeat: reads, changes with a RevisionId, publishing the same state, deleting a missing version.
const CONTROL_ATTEMPTS: u32 = 6;
/// The time that putting a function back may take, unless [`PATIENCE_VARIABLE`] is set.
const PATIENCE: Duration = Duration::from_mins(15);
/// The environment variable for this time, in seconds.
const PATIENCE_VARIABLE: &str = "POWERTUNE_PATIENCE";
/// The longest time for retries of a change that conflicts with other runs. A run that leaves makes
/// only a few changes.
const LONGEST_MEETING: Duration = Duration::from_mins(2);
/// The wait before the second try; each wait is twice the one before.
const CONTROL_BACKOFF: Duration = Duration::from_millis(200);

/// The Lambda API of one account and region.
#[derive(Debug, Clone)]
pub struct Gateway {
    control: Client,
    config: SdkConfig,
    endpoint_url: Option<String>,
    /// The journal. Every change that needs an undo is written there first.
    journal: Option<Journal>,
    /// The time that putting a function back may take.
    patience: Duration,
    waits: Waits,
    called: Called,
}

impl Gateway {
    /// Makes a client for the region of `function`. It makes no call to Lambda.
    pub async fn connect(
        connection: &Connection,
        function: &FunctionRef,
    ) -> Result<Self, ConnectError> {
        let config = connection.load(connection.region_of(function)?).await?;
        let endpoint_url = connection.endpoint_url.clone();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(CONTROL_TIMEOUT)
            .build();
        let waits = Waits::new(connection.named_profile());
        let called = Called::default();
        let control = lambda_config(&config, endpoint_url.as_deref())
            .interceptor(Watch { waits: waits.clone(), called: called.clone(), is_patient: false })
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(CONTROL_ATTEMPTS)
                    .with_initial_backoff(CONTROL_BACKOFF),
            )
            .timeout_config(timeouts)
            .build();
        let control = Client::from_conf(control);
        let patience = patience();
        Ok(Self { control, config, endpoint_url, journal: None, patience, waits, called })
    }

    /// The region of this client.
    pub fn region(&self) -> Option<Region> {
        Region::new(self.config.region()?.to_string()).ok()
    }

    /// The same client with another time limit for putting a function back.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// The deadline for retries of a call that conflicts with changes of others.
    pub(crate) fn meets_until(&self) -> Instant {
        Instant::now() + self.patience.min(LONGEST_MEETING)
    }

    pub(crate) fn with_journal(&self, journal: Journal) -> Self {
        Self { journal: Some(journal), ..self.clone() }
    }

    /// Journals a change that is about to be made. Without its entry the change must not be made.
    async fn record(&self, operation: &'static str, entry: JournalEntry) -> Result<(), ApiError> {
        let Some(journal) = &self.journal else { return Ok(()) };
        journal.record(entry).await.map_err(|error| {
            let path = journal.path().map(|path| path.display().to_string()).unwrap_or_default();
            let message = format!(
                "the call was not made, because its undo could not be written to the journal \
                 {path}: {error}"
            );
            ApiError { operation, kind: ErrorKind::NotRecorded, message }
        })
    }

    /// A client that invokes functions with timeouts up to this one.
    ///
    /// It waits longer than the function may run, and never retries a call: every invocation is
    /// billed.
    pub fn invoker(&self, timeout: Duration) -> Invoker {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(timeout.min(LONGEST_TIMEOUT) + GRACE)
            .build();
        let config = lambda_config(&self.config, self.endpoint_url.as_deref())
            .interceptor(Watch {
                waits: self.waits.clone(),
                called: self.called.clone(),
                is_patient: true,
            })
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .build();
        Invoker { client: Client::from_conf(config), called: self.called.clone() }
    }
}

fn patience() -> Duration {
    let said = env::var(PATIENCE_VARIABLE).ok().and_then(|seconds| seconds.parse().ok());
    said.map_or(PATIENCE, Duration::from_secs)
}

/// Invokes functions; see [`Gateway::invoker`].
#[derive(Debug, Clone)]
pub struct Invoker {
    client: Client,
    called: Called,
}

/// Without an endpoint URL here, the SDK uses AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL and the
/// profile.
fn lambda_config(config: &SdkConfig, endpoint_url: Option<&str>) -> Builder {
    let builder = Builder::from(config).interceptor(Bounded);
    match endpoint_url {
        Some(url) => builder.endpoint_url(url),
        None => builder,
    }
}
