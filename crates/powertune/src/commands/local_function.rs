//! Tunes a function on this machine, on a local Lambda of its own.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use powertune_core::{
    arn::FunctionRef,
    power::{Power, PowerValues, default_values},
    price::Prices,
    region::Region,
    request::Request,
    warning::Warning,
};
use powertune_engine::{
    Journals,
    gateway::{Connection, Gateway},
    run::{Context, tune},
};
use powertune_local::{CreateError, LocalLambda, NewFunction, Settings};
use tokio_util::sync::CancellationToken;

use super::{busy, display::DisplayOptions, interrupt, whoami::whoami};
use crate::{
    error::CommandError,
    prices::{self, PriceFile},
};

/// The default region: its prices are those of most regions.
const DEFAULT_REGION: &str = "us-east-1";

#[derive(Debug)]
pub(crate) struct LocalFunction {
    pub(crate) name: String,
    /// A folder or a .zip.
    pub(crate) code: PathBuf,
    pub(crate) runtime: String,
    pub(crate) handler: String,
    pub(crate) timeout_s: u32,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) architecture: Option<String>,
    pub(crate) region: Option<Region>,
    /// The file of `--prices`.
    pub(crate) prices: Option<PriceFile>,
    /// The longest time of measuring.
    pub(crate) most_time: Option<Duration>,
}

impl LocalFunction {
    /// Tunes the function and prints the result.
    pub(crate) async fn tune(
        mut self,
        mut request: Request,
        display: &DisplayOptions,
    ) -> Result<(), CommandError> {
        let region = self.region()?;
        let prices = self.prices.take();
        let prices = prices::of_run(prices, &region, |text| display.warn(text))?;
        // Before there is anything to clean up.
        let cancelled = interrupt::on_signal();
        let settings = Settings { region: region.as_str().to_owned(), ..Settings::default() };
        let (busy, lambda) = tokio::join!(busy::warning(), LocalLambda::start(settings));
        let lambda = lambda.map_err(|error| CommandError::Other(error.to_string()))?;
        request.warnings.extend(busy);
        request.warnings.extend(beyond_host(&request, lambda.largest_memory_mb()));
        match other_runtime(&lambda, &self.runtime).await {
            Ok(other) => request.warnings.extend(other),
            Err(failure) => {
                lambda.shutdown().await;
                return Err(failure);
            }
        }
        let tuned = self.tune_on(&lambda, (region, prices), request, display, cancelled).await;
        lambda.shutdown().await;
        tuned
    }

    async fn tune_on(
        self,
        lambda: &LocalLambda,
        (region, prices): (Region, Prices),
        mut request: Request,
        display: &DisplayOptions,
        cancelled: CancellationToken,
    ) -> Result<(), CommandError> {
        let most_time = self.most_time;
        let arn = lambda
            .create_function(self.into_new())
            .await
            .map_err(|error| create_failure(&error))?;
        request.function = arn.parse::<FunctionRef>().map_err(|error| {
            CommandError::Other(format!("the local Lambda gave a bad ARN: {error}"))
        })?;
        let credentials = lambda.credentials();
        let connection = Connection {
            region: Some(region),
            profile: None,
            endpoint_url: Some(lambda.endpoint_url()),
            credentials: Some((
                credentials.access_key_id.clone(),
                credentials.secret_access_key.clone(),
            )),
        };
        let gateway = Gateway::connect(&connection, &request.function)
            .await
            .map_err(|error| CommandError::Other(error.to_string()))?;
        display.say(&format!("CPU and memory in proportion by {}", lambda.cpu_control()));
        let (events, shown) = display.begin();
        let context = Context {
            by: whoami(),
            events,
            cancelled,
            // Nothing is to be put back: the function is gone after the run.
            journals: Journals::default(),
            keep: display.keep(),
            prices,
            most_time,
        };
        let tuned = Box::pin(tune(&gateway, &request, &context)).await;
        drop(context);
        display.finish(shown, tuned).await
    }

    fn region(&self) -> Result<Region, CommandError> {
        let from_environment = || {
            ["AWS_REGION", "AWS_DEFAULT_REGION"]
                .into_iter()
                .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        };
        match &self.region {
            Some(region) => Ok(region.clone()),
            None => Region::new(from_environment().unwrap_or_else(|| DEFAULT_REGION.to_owned()))
                .map_err(|error| CommandError::input("AWS_REGION", error.to_string())),
        }
    }

    fn into_new(self) -> NewFunction {
        NewFunction {
            name: self.name,
            code: self.code,
            runtime: self.runtime,
            handler: self.handler,
            // Lambda's default.
            memory_mb: 128,
            timeout_s: self.timeout_s,
            environment: self.environment,
            architecture: self.architecture,
        }
    }
}

fn create_failure(error: &CreateError) -> CommandError {
    CommandError::input("--local", error.to_string())
}

/// The warning if this machine runs the function by another version of the runtime.
async fn other_runtime(lambda: &LocalLambda, asked: &str) -> Result<Option<Warning>, CommandError> {
    match lambda.other_runtime(asked).await {
        Ok(runs) => Ok(runs.map(|runs| Warning::OtherRuntime { asked: asked.to_owned(), runs })),
        Err(why) => Err(CommandError::input("--runtime", format!("{why}; install it"))),
    }
}

/// The warning of memory sizes that come with more CPU than this machine has.
fn beyond_host(request: &Request, largest_memory_mb: u32) -> Option<Warning> {
    // If Lambda has no such size, the machine is large enough for all sizes.
    let largest = Power::new(largest_memory_mb).ok()?;
    let powers: PowerValues = request.powers.clone().unwrap_or_else(default_values);
    let beyond: Vec<_> = powers.iter().filter(|&power| power > largest).collect();
    (!beyond.is_empty()).then(|| Warning::BeyondHost { powers: beyond, vcpus: largest.vcpus() })
}
