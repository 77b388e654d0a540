//! How a command fails: what is said, and the exit code.

use std::{ffi::OsStr, process::ExitCode};

use powertune_core::request::{Fault, Faults};
use powertune_engine::{error::TuneError, steps::StepErrorKind};

use crate::output::{is_harmless, plain};

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something is wrong with what was asked; nothing was called.
    Input(Faults),
    /// The run ended without a result.
    Tune(TuneError),
    /// An execution of the state machine ended without a result.
    Execution(StepErrorKind, String),
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
                    eprintln!("error: {}", plain(&fault.to_string()));
                }
                eprintln!("nothing was called; see powertune tune --help");
            }
            Self::Tune(error) => eprintln!("error: {}", plain(&error.to_string())),
            Self::Execution(_, text) | Self::Other(text) => eprintln!("error: {}", plain(text)),
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Input(_)
            | Self::Tune(TuneError::Refused(_))
            | Self::Execution(StepErrorKind::BadInput | StepErrorKind::Refused, _) => 2,
            Self::Tune(
                TuneError::NotBegun(_)
                | TuneError::Failed(_)
                | TuneError::Outdated { .. }
                | TuneError::NotApplied { .. },
            )
            | Self::Execution(StepErrorKind::NotBegun | StepErrorKind::Failed, _)
            | Self::Other(_) => 1,
            Self::Tune(TuneError::LeftBehind { .. })
            | Self::Execution(StepErrorKind::NotYet | StepErrorKind::LeftBehind, _) => 4,
            Self::Tune(TuneError::Interrupted) => 130,
        })
    }
}

/// Whether an argument is the one that a secret follows, or is in.
fn holds_secret(argument: &OsStr) -> bool {
    argument.to_string_lossy().starts_with("--key-pair")
}

/// Says what is wrong with the arguments; or what they ask for, help or the version.
pub(crate) fn of_arguments(error: &clap::Error) -> ExitCode {
    // It quotes what it does not understand, and behind a key pair that may be a piece of it.
    if error.use_stderr() && std::env::args_os().any(|argument| holds_secret(&argument)) {
        eprintln!(
            "error: the arguments can't be understood ({}); they are not shown here, because a key \
             pair is among them\n\nFor more information, try '--help'.",
            error.kind()
        );
        return ExitCode::from(2);
    }
    let mut given = std::env::args_os();
    // It quotes what was given, and that may have come from anywhere.
    if error.use_stderr() && !given.all(|argument| is_harmless(&argument.to_string_lossy())) {
        eprintln!("{}", plain(&error.render().to_string()));
    } else {
        // Nobody is left to be told that nobody reads it.
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Self::Input(faults)
    }
}

impl From<TuneError> for Failure {
    fn from(error: TuneError) -> Self {
        Self::Tune(error)
    }
}
