//! powertune: the power tuner for AWS Lambda.
//!
//! This crate parses arguments, prints and exits; what is measured and decided, and how, is in the
//! crates below it.

// All that is said goes through `console`.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod children;
mod commands;
mod console;
mod execution;
mod failure;
mod output;
mod prices;
mod progress;
mod sample;

use std::process::ExitCode;

use clap::Parser;

use crate::commands::Command;

/// The version, and the commit where it is known.
const VERSION: &str = env!("POWERTUNE_VERSION");

/// The power tuner for AWS Lambda: runs a function at several memory sizes, and says which to
/// choose, how sure that is, and what it saves.
#[derive(Debug, Parser)]
#[command(version = VERSION, propagate_version = true)]
#[command(after_help = "\
Examples:
  powertune demo
  powertune tune my-function --payload '{\"id\": 7}'
  powertune tune --local ./function --runtime python3.13 --handler app.handler")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    // The bundled sample function is this very binary, started by a Lambda runtime.
    if sample::is_invoked() {
        return sample::serve();
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return failure::of_arguments(&error),
    };
    let exit_code = match arguments.command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            failure.exit_code()
        }
    };
    children::end();
    exit_code
}
