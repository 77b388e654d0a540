//! What a deployment sets up by environment variables.

use std::{env, time::Duration};

use powertune_engine::steps::{Settings, StepError, StepErrorKind};

/// The powers of a request that names none, as `powerValues` takes them.
const POWER_VALUES: &str = "POWER_VALUES";
/// The timeout of the measure step in seconds.
const MEASURE_TIMEOUT: &str = "MEASURE_TIMEOUT";
/// The page that shows a result's picture.
const VISUALIZATION_URL: &str = "VISUALIZATION_URL";

/// The functions that may be tuned, as the deployment's parameter `lambdaResource` has them.
const LAMBDA_RESOURCE: &str = "LAMBDA_RESOURCE";
/// The functions that may be processors: ARN or pattern.
const PROCESSOR_RESOURCE: &str = "PROCESSOR_RESOURCE";

/// How this deployment is set up.
pub(crate) fn settings() -> Result<Settings, StepError> {
    let mut settings = Settings::default();
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
