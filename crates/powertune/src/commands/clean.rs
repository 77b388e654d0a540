//! `powertune clean`: puts back what an interrupted run left behind.

use clap::Args;
use powertune_core::{arn::FunctionRef, region::Region};
use powertune_engine::{
    Cleaned, clean,
    error::{Cause, TuneError},
    gateway::{Connection, Gateway},
};

use super::connection::{ConnectionOptions, connect_failure};
use crate::{execution::StepFunctions, failure::Failure};

#[derive(Debug, Args)]
pub(crate) struct Clean {
    /// Name, partial ARN or ARN of the function
    function: String,
    /// Clean up even if the run looks alive
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    connection: ConnectionOptions,
}

impl Clean {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let function: FunctionRef =
            self.function.parse().map_err(|error: powertune_core::arn::ArnError| {
                Failure::input("FUNCTION", error.to_string())
            })?;
        let gateway = connect(&self.connection, &function).await?;
        let cleaned = match clean(&gateway, &function, self.force).await {
            // Of an execution of the state machine it is known whether it is still going on.
            Err(TuneError::NotBegun(Cause::Alive { mark })) if self.has_ended(&mark.by).await? => {
                clean(&gateway, &function, true).await
            }
            cleaned => cleaned,
        }?;
        print!("{}", told(&cleaned));
        if cleaned.left.is_empty() {
            return Ok(());
        }
        Err(TuneError::LeftBehind { cause: None, left: cleaned.left, result: None }.into())
    }
}

impl Clean {
    /// Whether the run was an execution of a state machine, and it has ended. Where that can't be
    /// asked, the run may be alive.
    async fn has_ended(&self, by: &str) -> Result<bool, Failure> {
        let parts: Vec<&str> = by.split(':').collect();
        let ["arn", _, "states", region, _, "execution", ..] = parts.as_slice() else {
            return Ok(false);
        };
        let connection = Connection { endpoint_url: None, ..self.connection.connection()? };
        let Ok(config) = connection.load(Region::new(*region).ok()).await else {
            return Ok(false);
        };
        let running = StepFunctions::new(&config, None).is_running(by).await;
        Ok(running.is_ok_and(|running| !running))
    }
}

/// Connects; what is wrong with the options is bad input.
pub(crate) async fn connect(
    options: &ConnectionOptions,
    function: &FunctionRef,
) -> Result<Gateway, Failure> {
    let connected = Gateway::connect(&options.connection()?, function).await;
    connected.map_err(|error| connect_failure(&error))
}

/// What was done, for people.
fn told(cleaned: &Cleaned) -> String {
    let Cleaned { function_arn, mark, memory, versions, left } = cleaned;
    let mut lines = Vec::new();
    lines.extend(mark.as_ref().map(|mark| format!("found what {mark} left behind")));
    lines.extend(memory.map(|(from, to)| format!("put $LATEST back from {from} to {to}")));
    if !versions.is_empty() {
        lines.push(format!("deleted the test versions {}", versions.join(", ")));
    }
    if mark.is_some() && left.is_empty() {
        lines.push("took the powertune tags away".to_owned());
    }
    if lines.is_empty() {
        lines.push(format!("nothing to clean up: no run has left anything on {function_arn}"));
    }
    lines.join("\n") + "\n"
}
