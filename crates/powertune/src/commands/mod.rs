//! The commands, each with its arguments beside the code that runs them.

mod clean;
mod completions;
mod connection;
mod demo;
mod display;
mod interrupt;
mod local;
mod local_function;
mod options;
mod tune;

use clap::Subcommand;

use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tune a bundled sample function on this machine; needs no account and no arguments
    Demo(demo::Demo),
    /// Tune a function: on AWS by name or ARN, or a folder or zip on this machine
    Tune(Box<tune::Tune>),
    /// Serve AWS Lambda on this machine
    Local(local::Local),
    /// Put back and delete what an interrupted run left behind
    Clean(clean::Clean),
    /// Print the completions for a shell
    Completions(completions::Completions),
}

impl Command {
    /// Runs the command to its end.
    pub(crate) fn run(self) -> Result<(), Failure> {
        if let Self::Completions(command) = self {
            command.run();
            return Ok(());
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::Other(format!("no threads to run on: {error}")))?;
        runtime.block_on(async {
            match self {
                Self::Demo(command) => command.run().await,
                // A run is a large future.
                Self::Tune(command) => Box::pin(command.run()).await,
                Self::Local(command) => command.run().await,
                Self::Clean(command) => command.run().await,
                Self::Completions(_) => Ok(()),
            }
        })
    }
}
