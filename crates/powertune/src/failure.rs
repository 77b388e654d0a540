//! How a command fails: what is said, and the exit code.

use std::{
    ffi::OsStr,
    io::{self, Write},
    process::ExitCode,
};

use powertune_core::request::{Fault, Faults};
use powertune_engine::{
    error::TuneError,
    gateway::without_secrets,
    steps::{StepError, StepErrorKind},
};

use crate::{
    console::{say, written},
    output::{is_harmless, plain},
};

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something is wrong with what was asked; nothing was called.
    Input(Faults),
    /// The run did not do all that it was asked to.
    Tune(TuneError),
    /// An execution of the state machine ended without a result.
    Execution(StepErrorKind, String),
    /// The user stopped it, and something may still be to be put back.
    Stopped(String),
    /// Anything else: nothing was changed that is not put back.
    Other(String),
}

impl Failure {
    /// A fault of one field.
    pub(crate) fn input(field: &str, problem: impl Into<String>) -> Self {
        Self::Input(Faults(vec![Fault { field: field.to_owned(), problem: problem.into() }]))
    }

    /// Says on stderr what went wrong.
    pub(crate) fn print(&self) {
        match self {
            Self::Input(Faults(faults)) => {
                for fault in faults {
                    say(&format!("error: {}", plain(&fault.to_string())));
                }
                let command = command();
                // It calls nothing in any case.
                let done = if command == "generate " {
                    "nothing was written"
                } else {
                    "no request was sent to AWS"
                };
                say(&format!("{done}; see powertune {command}--help"));
            }
            Self::Tune(error) => say(&format!("error: {}", plain(&error.to_string()))),
            Self::Execution(_, text) | Self::Stopped(text) | Self::Other(text) => {
                say(&format!("error: {}", plain(&without_secrets(text))));
            }
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Input(_)
            | Self::Tune(TuneError::Refused(_))
            | Self::Execution(StepErrorKind::BadInput | StepErrorKind::Refused, _) => 2,
            Self::Tune(
                TuneError::NotBegun(_) | TuneError::Failed(_) | TuneError::Outdated { .. },
            )
            | Self::Execution(StepErrorKind::NotBegun | StepErrorKind::Failed, _)
            | Self::Other(_) => 1,
            Self::Tune(TuneError::LeftBehind { .. })
            | Self::Execution(StepErrorKind::NotYet | StepErrorKind::LeftBehind, _) => 4,
            Self::Tune(TuneError::Interrupted) | Self::Stopped(_) => 130,
        })
    }
}

/// The command that was given, and a blank after it.
fn command() -> String {
    // It is the first argument, or else nothing would have been run.
    let given = std::env::args_os().nth(1).map(|name| name.to_string_lossy().into_owned());
    given.map_or(String::new(), |name| format!("{} ", plain(&name)))
}

/// Whether an argument is the one that a secret follows, or is in.
fn holds_secret(argument: &OsStr) -> bool {
    argument.to_string_lossy().starts_with("--key-pair")
}

/// Says what is wrong with the arguments; or what they ask for, help or the version.
pub(crate) fn of_arguments(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        return match written(error.print().and_then(|()| io::stdout().flush())) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                failure.print();
                failure.exit_code()
            }
        };
    }
    // It quotes what it does not understand, and behind a key pair that may be a piece of it.
    if std::env::args_os().any(|argument| holds_secret(&argument)) {
        say(&format!(
            "error: the arguments can't be understood ({}); they are not shown here, because a key \
             pair is among them\n\nFor more information, try '--help'.\n",
            error.kind()
        ));
        return ExitCode::from(2);
    }
    let mut given = std::env::args_os();
    // It quotes what was given, and that may have come from anywhere.
    if given.all(|argument| is_harmless(&argument.to_string_lossy())) {
        // Where stderr is gone there is nobody to tell.
        let _ = error.print();
    } else {
        say(&plain(&error.render().to_string()));
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Self::Input(faults)
    }
}

impl From<StepError> for Failure {
    fn from(error: StepError) -> Self {
        Self::Execution(error.kind, error.message)
    }
}

impl From<TuneError> for Failure {
    fn from(error: TuneError) -> Self {
        Self::Tune(error)
    }
}
