//! `powertune clean`: puts back what an interrupted run left behind.

use clap::Args;
use powertune_core::arn::FunctionRef;
use powertune_engine::{
    Cleaned, clean,
    error::TuneError,
    event::Events,
    gateway::{Connection, Gateway},
    mark::Mark,
};

use super::{
    connection::{ConnectionOptions, connect_failure},
    interrupt,
    journals::journals,
};
use crate::{
    console::{print, say},
    execution::{self, StepFunctions},
    failure::Failure,
    output::plain,
    progress::{self, Mode},
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  powertune clean my-function
  powertune clean my-function --force")]
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
        let cancelled = interrupt::on_signal();
        let told = tokio::select! {
            told = put_back(&gateway, &function, &self.connection, self.force) => told?,
            () = cancelled.cancelled() => {
                let text = "interrupted; something may still be to be put back: clean again";
                return Err(Failure::Stopped(text.to_owned()));
            }
        };
        print(&(told + "\n"))
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
    let journals = journals();
    for odd in journals.odd() {
        say(&format!("warning: {}", plain(&odd.to_string())));
    }
    let (events, heard) = Events::channel();
    // It ends with the events.
    drop(progress::show(heard, Mode::Lines { verbose: false }));
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

/// Whether a run is over that was an execution of a state machine; `None` where it was none, or
/// where that can't be asked.
async fn is_over(connection: &Connection, by: &str) -> Option<bool> {
    let region = execution::region(by, "execution")?;
    let connection = Connection { endpoint_url: None, ..connection.clone() };
    let config = connection.load(Some(region)).await.ok()?;
    match StepFunctions::new(&config, None).is_running(by).await {
        Ok(running) => Some(!running),
        Err(error) => {
            let text = format!("warning: whether {by} is over could not be asked: {error}");
            say(&plain(&text));
            None
        }
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
