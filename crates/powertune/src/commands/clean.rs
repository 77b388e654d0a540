//! `powertune clean`: puts back what an interrupted run left behind.

use clap::Args;
use powertune_core::arn::FunctionRef;
use powertune_engine::{
    Cleaned, clean,
    error::TuneError,
    event::Events,
    gateway::{Connection, Gateway},
    mark::Mark,
    state_machine,
};

use super::{
    connection::{ConnectionOptions, connect_failure},
    interrupt,
    journals::journals,
};
use crate::{
    console::{print, say},
    error::CommandError,
    output::plain,
    progress::{self, ProgressMode},
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  powertune clean my-function
  powertune clean my-function --force")]
pub(crate) struct CleanCommand {
    /// Name, partial ARN or ARN of the function
    function: String,
    /// Clean up even if the run looks alive
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    connection: ConnectionOptions,
}

impl CleanCommand {
    pub(crate) async fn run(self) -> Result<(), CommandError> {
        let function: FunctionRef =
            self.function.parse().map_err(|error: powertune_core::arn::ArnError| {
                CommandError::input("FUNCTION", error.to_string())
            })?;
        let gateway = connect(&self.connection, &function).await?;
        let cancelled = interrupt::on_signal();
        let told = tokio::select! {
            told = put_back(&gateway, &function, &self.connection, self.force) => told?,
            () = cancelled.cancelled() => {
                let text = "interrupted; something may not be put back yet: run powertune clean again";
                return Err(CommandError::Stopped(text.to_owned()));
            }
        };
        print(&(told + "\n"))
    }
}

/// Cleans up, and describes the changes.
pub(super) async fn put_back(
    gateway: &Gateway,
    function: &FunctionRef,
    options: &ConnectionOptions,
    force: bool,
) -> Result<String, CommandError> {
    let connection = options.connection()?;
    let is_over = async |mark: &Mark| is_over(&connection, &mark.by).await;
    let journals = journals();
    for odd in journals.odd() {
        say(&format!("warning: {}", plain(&odd.to_string())));
    }
    let (events, heard) = Events::channel();
    // The display ends when the sender of the events is gone.
    drop(progress::show(heard, ProgressMode::Lines { verbose: false }));
    gateway.on_wait(events.tell_of_waits());
    let cleaned = clean(gateway, function, &journals, force, is_over).await?;
    let told = told(&cleaned);
    if cleaned.left.is_empty() {
        return Ok(told);
    }
    let left = TuneError::LeftBehind { cause: None, left: cleaned.left };
    if let Err(failure) = print(&(told + "\n")) {
        failure.print();
    }
    Err(left.into())
}

/// True if the run `by` was an execution of a state machine that has ended; `None` if it was no
/// execution, or if Step Functions does not answer.
async fn is_over(connection: &Connection, by: &str) -> Option<bool> {
    state_machine::is_over(connection, by)
        .await?
        .inspect_err(|error| {
            let text = format!("warning: cannot find out whether {by} has ended: {error}");
            say(&plain(&text));
        })
        .ok()
}

/// Makes a client; an error of the options is bad input.
pub(crate) async fn connect(
    options: &ConnectionOptions,
    function: &FunctionRef,
) -> Result<Gateway, CommandError> {
    let connected = Gateway::connect(&options.connection()?, function).await;
    connected.map_err(|error| connect_failure(&error))
}

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
        lines.push("removed the powertune tags".to_owned());
    }
    if lines.is_empty() {
        lines.push(format!("nothing to clean up: no run has left anything on {function_arn}"));
    }
    // The marks are tags, which others can write too.
    plain(&lines.join("\n")) + "\n"
}
