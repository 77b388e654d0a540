//! A function on this machine: served by a local Lambda of its own for as long as it is tuned.

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
};
use powertune_local::{CreateError, LocalLambda, NewFunction, Settings};
use tokio_util::sync::CancellationToken;

use super::{busy, display::DisplayOptions, interrupt};
use crate::{
    failure::Failure,
    prices::{self, ListFile},
};

/// Where nothing names a region, its prices are those of most regions.
const DEFAULT_REGION: &str = "us-east-1";

/// A function to tune on this machine.
#[derive(Debug)]
pub(crate) struct LocalFunction {
    pub(crate) name: String,
    /// A folder, or a .zip.
    pub(crate) code: PathBuf,
    pub(crate) runtime: String,
    pub(crate) handler: String,
    pub(crate) timeout_s: u32,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) architecture: Option<String>,
    pub(crate) region: Option<Region>,
    /// The file that has its prices.
    pub(crate) prices: Option<ListFile>,
    /// How long it is measured at most.
    pub(crate) most_time: Option<Duration>,
}

impl LocalFunction {
    /// Tunes it and prints the result.
    pub(crate) async fn tune(
        mut self,
        mut request: Request,
        display: &DisplayOptions,
    ) -> Result<(), Failure> {
        let region = self.region()?;
        let prices = self.prices.take();
        let prices = prices::of_run(prices, &region, |text| display.warn(text))?;
        // Before there is anything to leave behind.
        let cancelled = interrupt::on_signal();
        let settings = Settings { region: region.as_str().to_owned(), ..Settings::default() };
        let (busy, lambda) = tokio::join!(busy::warning(), LocalLambda::start(settings));
        let lambda = lambda.map_err(|error| Failure::Other(error.to_string()))?;
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
    ) -> Result<(), Failure> {
        let most_time = self.most_time;
        let arn = lambda
            .create_function(self.into_new())
            .await
            .map_err(|error| create_failure(&error))?;
        request.function = arn
            .parse::<FunctionRef>()
            .map_err(|error| Failure::Other(format!("the local Lambda gave a bad ARN: {error}")))?;
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
            .map_err(|error| Failure::Other(error.to_string()))?;
        display.say(&format!("CPU and memory in proportion by {}", lambda.cpu_control()));
        // What this function is changed by goes with it.
        display.tune(&gateway, &request, (Journals::default(), prices), cancelled, most_time).await
    }

    fn region(&self) -> Result<Region, Failure> {
        let from_environment = || {
            ["AWS_REGION", "AWS_DEFAULT_REGION"]
                .into_iter()
                .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        };
        match &self.region {
            Some(region) => Ok(region.clone()),
            None => Region::new(from_environment().unwrap_or_else(|| DEFAULT_REGION.to_owned()))
                .map_err(|error| Failure::input("AWS_REGION", error.to_string())),
        }
    }

    fn into_new(self) -> NewFunction {
        NewFunction {
            name: self.name,
            code: self.code,
            runtime: self.runtime,
            handler: self.handler,
            // What Lambda gives a function when nobody asks for anything else.
            memory_mb: 128,
            timeout_s: self.timeout_s,
            environment: self.environment,
            architecture: self.architecture,
        }
    }
}

fn create_failure(error: &CreateError) -> Failure {
    Failure::input("--local", error.to_string())
}

/// What is to be said where this machine runs the function by another version than was asked for.
async fn other_runtime(lambda: &LocalLambda, asked: &str) -> Result<Option<Warning>, Failure> {
    match lambda.other_runtime(asked).await {
        Ok(runs) => Ok(runs.map(|runs| Warning::OtherRuntime { asked: asked.to_owned(), runs })),
        Err(why) => Err(Failure::input("--runtime", format!("{why}; install it"))),
    }
}

/// The powers that this machine does not have the CPU for.
fn beyond_host(request: &Request, largest_memory_mb: u32) -> Option<Warning> {
    // A machine whose largest power is none of Lambda's can show them all.
    let largest = Power::new(largest_memory_mb).ok()?;
    let powers: PowerValues = request.powers.clone().unwrap_or_else(default_values);
    let beyond: Vec<_> = powers.iter().filter(|&power| power > largest).collect();
    (!beyond.is_empty()).then(|| Warning::BeyondHost { powers: beyond, vcpus: largest.vcpus() })
}
