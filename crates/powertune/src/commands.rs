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
mod whoami;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Commands {
    /// Tune a bundled sample function on this machine; needs no account and no arguments
    Demo(demo::DemoCommand),
    /// Tune a function: on AWS by name or ARN, or a folder or zip on this machine
    Tune(Box<tune::TuneCommand>),
    /// Tune a function by the state machine in your account
    Run(Box<run::RunCommand>),
    /// Serve AWS Lambda on this machine
    Local(local::LocalCommand),
    /// Print a template, a module or policies that deploy the state machine
    Generate(generate::GenerateCommand),
    /// Put the function back, and delete test versions, after an interrupted run
    Clean(clean::CleanCommand),
    Prices(prices::PricesCommand),
    /// Print the completions for a shell
    Completions(completions::CompletionsCommand),
    /// Print the manual pages
    Man(man::ManCommand),
}
