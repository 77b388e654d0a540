//! The commands, each with its arguments beside the code that runs them.

mod busy;
mod clean;
mod completions;
mod confirm;
mod connection;
mod demo;
mod display;
mod generate;
mod interrupt;
mod journals;
mod local;
mod local_function;
mod man;
mod options;
mod payload;
mod prices;
mod run;
mod save;
mod suggested;
mod tune;

use std::time::Duration;

use clap::Subcommand;
use powertune_engine::raise_open_files;

use crate::failure::Failure;

/// How long threads may take to end when a command has ended.
const SHUTDOWN: Duration = Duration::from_secs(1);

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tune a bundled sample function on this machine; needs no account and no arguments
    Demo(demo::Demo),
    /// Tune a function: on AWS by name or ARN, or a folder or zip on this machine
    Tune(Box<tune::Tune>),
    /// Tune a function by the state machine in your account
    Run(Box<run::Run>),
    /// Serve AWS Lambda on this machine
    Local(local::Local),
    /// Print what deploys the state machine: a template, a module, policies
    Generate(generate::Generate),
    /// Put back and delete what an interrupted run left behind
    Clean(clean::Clean),
    Prices(prices::PricesCommand),
    /// Print the completions for a shell
    Completions(completions::Completions),
    /// Print the manual pages
    Man(man::Man),
}

impl Command {
    /// Runs the command to its end.
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Completions(command) => command.run(),
            Self::Generate(command) => command.run(),
            Self::Man(command) => command.run(),
            other => other.run_in_runtime(),
        }
    }

    fn run_in_runtime(self) -> Result<(), Failure> {
        // An invocation in flight is a connection. `local` leaves the limit to its functions, which
        // inherit it.
        if matches!(self, Self::Demo(_) | Self::Tune(_)) {
            raise_open_files();
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::Other(format!("no threads to run on: {error}")))?;
        let ended = runtime.block_on(async {
            match self {
                Self::Demo(command) => command.run().await,
                // A run is a large future.
                Self::Tune(command) => Box::pin(command.run()).await,
                Self::Run(command) => Box::pin(command.run()).await,
                Self::Local(command) => command.run().await,
                Self::Clean(command) => command.run().await,
                Self::Prices(command) => command.run().await,
                Self::Completions(_) | Self::Generate(_) | Self::Man(_) => Ok(()),
            }
        });
        // What still goes on there, such as looking up a name, is of no use to anybody.
        runtime.shutdown_timeout(SHUTDOWN);
        ended
    }
}
