//! powertune: the power tuner for AWS Lambda.
//!
//! This crate parses arguments, prints and exits. The crates below it measure and decide.

// All output goes through `console`.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod children;
mod commands;
mod console;
mod error;
mod exit;
mod output;
mod prices;
mod progress;
mod runtime;
mod sample;

use std::process::ExitCode;

use clap::Parser;

use crate::{commands::Commands, runtime::block_on};

/// The version, and the commit if the build script knows it.
const VERSION: &str = env!("POWERTUNE_VERSION");

/// The power tuner for AWS Lambda: runs a function at several memory sizes, and recommends one, with
/// its confidence and its savings.
#[derive(Debug, Parser)]
#[command(version = VERSION, propagate_version = true)]
#[command(after_help = "\
Examples:
  powertune demo
  powertune tune my-function --payload '{\"id\": 7}'
  powertune tune --local ./function --runtime python3.13 --handler app.handler")]
struct Arguments {
    #[command(subcommand)]
    command: Commands,
}

fn main() -> ExitCode {
    // The bundled sample function is this very binary, started by a Lambda runtime.
    if sample::is_invoked() {
        return sample::serve();
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return exit::of_arguments(&error),
    };
    let ended = match arguments.command {
        Commands::Demo(command) => block_on(command.run()),
        Commands::Tune(command) => block_on(command.run()),
        Commands::Run(command) => block_on(command.run()),
        Commands::Local(command) => block_on(command.run()),
        Commands::Generate(command) => command.run(),
        Commands::Clean(command) => block_on(command.run()),
        Commands::Prices(command) => block_on(command.run()),
        Commands::Completions(command) => command.run(),
        Commands::Man(command) => command.run(),
    };
    let exit_code = exit::exit_code(ended);
    children::end();
    exit_code
}
