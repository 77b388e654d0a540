//! The function under test: this program itself, which the local Lambda starts. It starts in a few
//! milliseconds, and thousands of environments are started.

use std::{env, fs, os::unix::fs::PermissionsExt, path::Path, process::ExitCode, time::Duration};

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::crash::kind::CHEAPEST_MB;

/// The error message of the function, if it is to fail.
pub(crate) const FAILURE: &str = "as it was asked to";

/// The duration at [`CHEAPEST_MB`], and that at every other size. They are so far apart that a busy
/// machine does not change the choice.
const SHORT: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_millis(250);

/// Writes the function's code into a folder: a script that starts this program.
pub(crate) fn write(folder: &Path) {
    let program = env::current_exe().expect("this program has a path");
    let bootstrap = folder.join("bootstrap");
    let script = format!("#!/bin/sh\nexec '{}'\n", program.display());
    fs::write(&bootstrap, script).expect("the code");
    fs::set_permissions(&bootstrap, fs::Permissions::from_mode(0o755)).expect("a program");
}

/// True if Lambda has started this program.
pub(crate) fn is_started_by_lambda() -> bool {
    env::var_os("AWS_LAMBDA_RUNTIME_API").is_some()
}

pub(crate) fn serve() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime.expect("a runtime").block_on(lambda_runtime::run(service_fn(answer)));
    if served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The handler: by far the cheapest at [`CHEAPEST_MB`], and it fails if the payload says so.
async fn answer(event: LambdaEvent<Value>) -> Result<Value, Error> {
    if event.payload["fail"] == json!(true) {
        return Err(FAILURE.into());
    }
    let memory_mb = event.context.env_config.memory;
    sleep(if memory_mb.unsigned_abs() == CHEAPEST_MB { SHORT } else { LONG }).await;
    Ok(Value::Null)
}
