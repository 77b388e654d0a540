//! The `bootstrap` of every Lambda function that powertune's state machine calls.
//!
//! The name of the function's `Handler` selects the step. This binary decides nothing: it converts
//! an event to types of the engine or core, and their results to an answer.

mod environment;
mod handler;

use std::{env, process::ExitCode};

use lambda_runtime::{Error, service_fn};
use powertune_core::workflow::Step;

fn main() -> ExitCode {
    let handler = env::var("_HANDLER").unwrap_or_default();
    let Some(step) = Step::of_handler(&handler) else {
        let known = Step::ALL.map(Step::handler).join(", ");
        eprintln!("there is no handler {handler:?}; set the function's Handler to one of {known}");
        return ExitCode::FAILURE;
    };
    match serve(step) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the step {handler} can't continue: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves invocations until Lambda ends the process. One thread is enough, because the steps mostly
/// wait.
fn serve(step: Step) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(lambda_runtime::run(service_fn(|event| handler::handle(step, event))))
}
