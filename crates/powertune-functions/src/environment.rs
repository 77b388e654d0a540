//! The settings of a deployment, from environment variables.

use std::{env, time::Duration};

use powertune_engine::steps::{DeploymentSettings, StepError, StepErrorKind};

/// The powers of a request that names none, in the form of `powerValues`.
const POWER_VALUES: &str = "POWER_VALUES";
/// The timeout of the Measure step in seconds.
const MEASURE_TIMEOUT: &str = "MEASURE_TIMEOUT";
/// The URL of the page that draws a result.
const VISUALIZATION_URL: &str = "VISUALIZATION_URL";

/// The functions that may be tuned: the deployment's parameter `lambdaResource`.
const LAMBDA_RESOURCE: &str = "LAMBDA_RESOURCE";
/// The ARN or ARN pattern of the functions that may be processors.
const PROCESSOR_RESOURCE: &str = "PROCESSOR_RESOURCE";

pub(crate) fn settings() -> Result<DeploymentSettings, StepError> {
    let mut settings = DeploymentSettings::default();
    if let Some(powers) = set(POWER_VALUES) {
        settings.powers = powers.parse().map_err(|error| wrong(POWER_VALUES, error))?;
    }
    if let Some(seconds) = set(MEASURE_TIMEOUT) {
        let seconds = seconds.parse().map_err(|error| wrong(MEASURE_TIMEOUT, error))?;
        settings.measure_timeout = Duration::from_secs(seconds);
    }
    if let Some(page) = set(VISUALIZATION_URL) {
        settings.visualization = page;
    }
    settings.tunes_any = set(LAMBDA_RESOURCE).is_some_and(|resource| resource == "*");
    if let Some(processors) = set(PROCESSOR_RESOURCE) {
        settings.processors = processors;
    }
    Ok(settings)
}

fn set(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}

fn wrong(name: &str, error: impl std::fmt::Display) -> StepError {
    StepErrorKind::BadInput.error(&format!(
        "the environment variable {name} of the deployed function: {error}; deploy again with \
         another value"
    ))
}
