//! The handler of each step: from an event to an answer.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use powertune_core::workflow::Step;
use powertune_engine::{
    gateway::Connection,
    steps::{self, PutBack, StepError, StepErrorKind},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::environment;

/// The wait between two tries of Clean without a state machine; later waits are longer.
const FIRST_WAIT: Duration = Duration::from_secs(12);
/// The part of an invocation's time that is kept for the answer.
const RETURN: Duration = Duration::from_secs(10);

pub(crate) async fn handle(step: Step, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    // Also log the error, for the owner of the deployment.
    Box::pin(answer(step, event)).await.map_err(|error| {
        eprintln!("{}: {error}", error.kind.name());
        Diagnostic { error_type: error.kind.name().to_owned(), error_message: error.message }
    })
}

async fn answer(step: Step, event: LambdaEvent<Value>) -> Result<Value, StepError> {
    let LambdaEvent { payload: event, context } = event;
    // The region is that of the function to tune; the rest is the deployment's.
    let connection = Connection::default();
    let deadline = deadline(&context);
    match step {
        Step::Initialize => {
            let settings = environment::settings()?;
            json(&steps::initialize(&connection, &settings, read(event)?).await?)
        }
        Step::Publish => json(&steps::publish(&connection, read(event)?, deadline).await?),
        Step::Measure => json(&steps::measure(&connection, read(event)?, deadline).await?),
        Step::Decide => json(&steps::decide(&environment::settings()?, read(event)?)?),
        Step::Apply => json(&steps::apply(&connection, read(event)?).await?),
        // From the state machine, or from the rule on the end of its executions.
        Step::Clean if event.get("detail").is_some() => {
            let end = read(event)?;
            let clean = async || Box::pin(steps::clean_after(&connection, &end)).await;
            patiently(deadline, clean).await
        }
        // The state machine retries by itself.
        Step::Clean => in_time(deadline, Box::pin(steps::clean(&connection, &read(event)?))).await,
    }
}

/// Repeats a step until it succeeds or Lambda is about to end this invocation. (Lambda itself then
/// calls it twice more.)
async fn patiently(
    deadline: Instant,
    clean: impl AsyncFn() -> Result<PutBack, StepError>,
) -> Result<Value, StepError> {
    let mut wait = FIRST_WAIT;
    loop {
        match in_time(deadline, clean()).await {
            Err(error)
                if error.kind == StepErrorKind::NotYet
                    && Instant::now() + wait + RETURN < deadline =>
            {
                eprintln!("next try in {} s: {error}", wait.as_secs());
                tokio::time::sleep(wait).await;
                wait = wait.mul_f64(1.5);
            }
            ended => return ended,
        }
    }
}

/// Stops a step before Lambda would end the invocation, so that the caller gets an error message.
async fn in_time(
    deadline: Instant,
    clean: impl Future<Output = Result<PutBack, StepError>>,
) -> Result<Value, StepError> {
    let until = deadline.checked_sub(RETURN).unwrap_or(deadline);
    match tokio::time::timeout_at(until.into(), clean).await {
        Ok(cleaned) => json(&cleaned?),
        Err(_) => Err(StepErrorKind::NotYet.error(
            &"this invocation's time ended before the function was put back, because Lambda was \
              still working on it; put it back with: powertune clean FUNCTION",
        )),
    }
}

fn read<T: DeserializeOwned>(event: Value) -> Result<T, StepError> {
    serde_json::from_value(event).map_err(|error| {
        let message = format!("the event does not come from the state machine: {error}");
        StepErrorKind::BadInput.error(&message)
    })
}

fn json(answer: &impl Serialize) -> Result<Value, StepError> {
    serde_json::to_value(answer).map_err(|error| StepErrorKind::Failed.error(&error))
}

/// The time at which Lambda ends this invocation.
fn deadline(context: &Context) -> Instant {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Instant::now() + Duration::from_millis(context.deadline).saturating_sub(now)
}
