//! `powertune clean`: puts back what an interrupted run left behind.

use clap::Args;
use powertune_core::{arn::FunctionRef, region::Region};
use powertune_engine::{
    Cleaned, clean,
    error::TuneError,
    gateway::{Connection, Gateway},
    mark::Mark,
};

use super::{
    connection::{ConnectionOptions, connect_failure},
    journals::journals,
};
use crate::{execution::StepFunctions, failure::Failure, output::plain};

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
        let told = put_back(&gateway, &function, &self.connection, self.force).await?;
        println!("{}", plain(&told));
        Ok(())
    }
}

/// Cleans up, and says what was done.
pub(super) async fn put_back(
    gateway: &Gateway,
    function: &FunctionRef,
    options: &ConnectionOptions,
    force: bool,
) -> Result<String, Failure> {
    let connection = options.connection()?;
    let is_over = async |mark: &Mark| is_over(&connection, &mark.by).await;
    let cleaned = clean(gateway, function, &journals(), force, is_over).await?;
    let told = told(&cleaned);
    if cleaned.left.is_empty() {
        return Ok(told);
    }
    println!("{}", plain(&told));
    Err(TuneError::LeftBehind { cause: None, left: cleaned.left, result: None }.into())
}

/// Whether a run is over that was an execution of a state machine; `None` where it was none, or
/// where that can't be asked.
async fn is_over(connection: &Connection, by: &str) -> Option<bool> {
    let parts: Vec<&str> = by.split(':').collect();
    let ["arn", _, "states", region, _, "execution", ..] = parts.as_slice() else {
        return None;
    };
    let connection = Connection { endpoint_url: None, ..connection.clone() };
    let config = connection.load(Region::new(*region).ok()).await.ok()?;
    let running = StepFunctions::new(&config, None).is_running(by).await;
    running.ok().map(|running| !running)
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
    let Cleaned { function_arn, marks, memory, kept, versions, left } = cleaned;
    let mut lines = Vec::new();
    lines.extend(marks.iter().map(|mark| format!("found what {mark} left behind")));
    lines.extend(memory.map(|(from, to)| format!("put $LATEST back from {from} to {to}")));
    lines.extend(
        kept.map(|power| format!("left $LATEST at {power}, which somebody else has set since")),
    );
    if !versions.is_empty() {
        lines.push(format!("deleted the test versions {}", versions.join(", ")));
    }
    if !marks.is_empty() && left.is_empty() {
        lines.push("took the powertune tags away".to_owned());
    }
    if lines.is_empty() {
        lines.push(format!("nothing to clean up: no run has left anything on {function_arn}"));
    }
    // The marks are tags, which others can write, too.
    plain(&lines.join("\n")) + "\n"
}
