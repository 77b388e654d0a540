//! The Lambda API, as far as a run needs it.
//!
//! One concrete client for real AWS and the local Lambda alike. What it returns are this crate's
//! types; the AWS SDK's stay inside.

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

pub use self::{
    alias::Alias,
    change::{AccountConcurrency, Version},
    connection::{ConnectError, Connection, check_endpoint},
    error::{ApiError, ErrorKind, kind_of_code},
    function::{Function, Readiness},
    invoke::{Invoked, NotInvoked},
    secrets::without_secrets,
    transport::{Called, proxies, reason},
    waiting::{Wait, WaitsOn},
};
use self::{
    bounded::Bounded,
    waiting::{Waits, Watch},
};
use crate::journal::{Entry, Journal};

/// How long Lambda itself may run a function; a client has to wait longer.
const LONGEST_TIMEOUT: Duration = Duration::from_mins(15);
/// How much longer than a function's timeout the client waits: cold starts come on top of it.
const GRACE: Duration = Duration::from_mins(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const CONTROL_TIMEOUT: Duration = Duration::from_secs(30);
/// Tries of a control-plane call, the first included. Those calls are safe to repeat: reads,
/// changes guarded by a RevisionId, publishing the same thing, deleting what is gone.
const CONTROL_ATTEMPTS: u32 = 6;
/// How long putting a function back goes on trying, where [`PATIENCE_VARIABLE`] does not say it.
const PATIENCE: Duration = Duration::from_mins(15);
/// The environment variable that says it, in seconds.
const PATIENCE_VARIABLE: &str = "POWERTUNE_PATIENCE";
/// How long a change of a run that goes on is tried again, where it meets others: those that leave
/// again make a few changes each.
const LONGEST_MEETING: Duration = Duration::from_mins(2);
/// The first wait between two tries; it doubles from there.
const CONTROL_BACKOFF: Duration = Duration::from_millis(200);

/// The Lambda API of one account and region.
#[derive(Debug, Clone)]
pub struct Gateway {
    control: Client,
    config: SdkConfig,
    endpoint_url: Option<String>,
    /// Where every change that is to be undone is written down before it is made.
    journal: Option<Journal>,
    /// How long putting back goes on trying.
    patience: Duration,
    /// The calls that wait for something.
    waits: Waits,
    /// Where Lambda is called.
    called: Called,
}

impl Gateway {
    /// Makes a client for the region that `function` is in; calls nothing on Lambda.
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

    /// The region that it calls.
    pub fn region(&self) -> Option<Region> {
        Region::new(self.config.region()?.to_string()).ok()
    }

    /// The same, for callers that can't wait as long for putting back to succeed.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// Until when a call of a run that goes on is made again, where it meets others' changes.
    pub(crate) fn meets_until(&self) -> Instant {
        Instant::now() + self.patience.min(LONGEST_MEETING)
    }

    /// The same, for a run that writes down what it changes.
    pub(crate) fn with_journal(&self, journal: Journal) -> Self {
        Self { journal: Some(journal), ..self.clone() }
    }

    /// Writes down what is about to be done by an operation: without that it is not done.
    async fn record(&self, operation: &'static str, entry: Entry) -> Result<(), ApiError> {
        let Some(journal) = &self.journal else { return Ok(()) };
        journal.record(entry).await.map_err(|error| {
            let path = journal.path().map(|path| path.display().to_string()).unwrap_or_default();
            let message = format!(
                "it was not called, since how to undo it could not be written to {path}: {error}"
            );
            ApiError { operation, kind: ErrorKind::NotRecorded, message }
        })
    }

    /// A client that invokes functions of up to this timeout.
    ///
    /// It waits longer than the function may run, and never repeats a call by itself: whoever
    /// invokes twice is billed twice.
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

/// How long putting back goes on trying, as far as the environment says it.
fn patience() -> Duration {
    let said = env::var(PATIENCE_VARIABLE).ok().and_then(|seconds| seconds.parse().ok());
    said.map_or(PATIENCE, Duration::from_secs)
}

/// Invokes functions; made by [`Gateway::invoker`].
#[derive(Debug, Clone)]
pub struct Invoker {
    client: Client,
    called: Called,
}

/// Without an endpoint of our own the SDK goes by AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL and the
/// profile.
fn lambda_config(config: &SdkConfig, endpoint_url: Option<&str>) -> Builder {
    let builder = Builder::from(config).interceptor(Bounded);
    match endpoint_url {
        Some(url) => builder.endpoint_url(url),
        None => builder,
    }
}
