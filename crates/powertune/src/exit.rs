//! The end of a command: prints its error, and gives its exit code.

use std::{
    ffi::OsStr,
    io::{self, Write},
    process::ExitCode,
};

use powertune_core::request::Faults;
use powertune_engine::{gateway::without_secrets, steps::StepError};

use crate::{
    console::{say, written},
    error::CommandError,
    output::{is_harmless, plain},
};

impl CommandError {
    pub(crate) fn print(&self) {
        match self {
            Self::Input(Faults(faults)) => {
                for fault in faults {
                    say(&format!("error: {}", plain(&fault.to_string())));
                }
                let command = command();
                // `generate` never sends a request.
                let done = if command == "generate " {
                    "nothing was written"
                } else {
                    "no request was sent to AWS"
                };
                say(&format!("{done}; see powertune {command}--help"));
            }
            Self::Tune(error) => say(&format!("error: {}", plain(&error.to_string()))),
            Self::Execution(StepError { message: text, .. })
            | Self::Stopped(text)
            | Self::Other(text) => {
                say(&format!("error: {}", plain(&without_secrets(text))));
            }
        }
    }
}

/// Prints the error of a command, if it has one, and returns its exit code.
pub(crate) fn exit_code(ended: Result<(), CommandError>) -> ExitCode {
    let Err(error) = ended else { return ExitCode::SUCCESS };
    error.print();
    ExitCode::from(error.exit_code())
}

/// The name of the command and a blank; empty without a command.
fn command() -> String {
    // The command is the first argument; without one, nothing was run.
    let given = std::env::args_os().nth(1).map(|name| name.to_string_lossy().into_owned());
    given.map_or(String::new(), |name| format!("{} ", plain(&name)))
}

/// True for the option whose value is a secret.
fn holds_secret(argument: &OsStr) -> bool {
    argument.to_string_lossy().starts_with("--key-pair")
}

/// Prints the error of the arguments, or the help or version that they ask for.
pub(crate) fn of_arguments(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        return exit_code(written(error.print().and_then(|()| io::stdout().flush())));
    }
    // clap quotes the arguments that it does not understand: one may be a part of the key pair.
    if std::env::args_os().any(|argument| holds_secret(&argument)) {
        say(&format!(
            "error: the arguments can't be understood ({}); they are not shown here, because a key \
             pair is among them\n\nFor more information, try '--help'.\n",
            error.kind()
        ));
        return ExitCode::from(2);
    }
    let mut given = std::env::args_os();
    // clap quotes the arguments, which may have come from anywhere.
    if given.all(|argument| is_harmless(&argument.to_string_lossy())) {
        // If stderr is closed, there is no other place to report it.
        let _ = error.print();
    } else {
        say(&plain(&error.render().to_string()));
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}
