//! The bundled sample function: this binary, started as the `bootstrap` of a Lambda function.
//!
//! It counts primes, which takes CPU and nothing else. So its duration falls with more memory, up
//! to one vCPU, while its cost stays about the same. Beyond one vCPU it only gets dearer. With the
//! payload `{"below": 0, "waitMs": 50}` it waits instead.

use std::{process::ExitCode, time::Duration};

use lambda_runtime::{Error, LambdaEvent, service_fn};
use powertune_sample::count_primes;
use serde_json::{Value, json};

use crate::console::say;

/// The name of the handler. It marks a process as the sample function.
pub(crate) const HANDLER: &str = "powertune.sample";
/// The default bound: the function counts the primes below it.
const BOUND: u32 = 2_200_000;

/// True if a Lambda runtime has started this process as the sample function.
pub(crate) fn is_invoked() -> bool {
    let is_sample = std::env::var("_HANDLER").is_ok_and(|handler| handler == HANDLER);
    is_sample && std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some()
}

/// Serves invocations until the runtime ends the process.
pub(crate) fn serve() -> ExitCode {
    let served = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::from)
        .and_then(|runtime| runtime.block_on(lambda_runtime::run(service_fn(handle))));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("the sample function failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let bound = event.payload.get("below").and_then(Value::as_u64);
    let bound = bound.and_then(|bound| u32::try_from(bound).ok()).unwrap_or(BOUND);
    if let Some(wait_ms) = event.payload.get("waitMs").and_then(Value::as_u64) {
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    }
    Ok(json!({ "below": bound, "primes": count_primes(bound) }))
}
