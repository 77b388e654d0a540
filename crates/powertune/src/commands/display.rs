//! The options of the output: how a run is shown, and where its result goes.

use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueHint};
use powertune_core::{
    dry_run::{DryRun, TrialState},
    request::Request,
    result::TuningResult,
};
use powertune_engine::{Keep, event::Events, run::Ending};
use tokio::task::JoinHandle;

use super::save::Destination;
use crate::{
    console::{print, say},
    error::{CommandError, FailedRun},
    output::{self, Color, OutputFormat, Style},
    progress::{self, ProgressMode},
};

/// The time that the display has for the last events when the run is over.
const LAST_WORDS: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct DisplayOptions {
    /// Format of the result
    #[arg(long, value_enum, default_value_t = OutputFormat::Table)]
    output: OutputFormat,
    /// Also write the result to this file, as JSON
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    save: Option<PathBuf>,
    /// Print nothing but the result and errors
    #[arg(long, short)]
    quiet: bool,
    /// Say more about what happens
    #[arg(long, short, conflicts_with = "quiet")]
    verbose: bool,
    /// No progress bars
    #[arg(long)]
    no_progress: bool,
    /// When to colour text for people; NO_COLOR and CLICOLOR_FORCE have an effect, too
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    color: Color,
}

impl DisplayOptions {
    /// Checks the options before the run: a result that can't be saved would be lost.
    pub(crate) fn check(&self, request: &Request) -> Result<(), CommandError> {
        let Some(path) = &self.save else { return Ok(()) };
        if request.dry_run {
            let problem = "has no effect: --dry-run (dryRun) has no result to save; leave one of \
                           them out";
            return Err(CommandError::input("--save", problem));
        }
        Destination::of(path).map(|_| ()).map_err(|error| {
            CommandError::input("--save", format!("{} can't be written: {error}", path.display()))
        })
    }

    /// Says something on stderr, unless the user wants quiet.
    pub(crate) fn say(&self, text: &str) {
        if !self.quiet {
            say(&output::plain(text));
        }
    }

    /// Warns of something that is not among the warnings of a result.
    pub(crate) fn warn(&self, text: &str) {
        self.say(&format!("warning: {text}"));
    }

    /// Starts to show events; the display ends when every sender of them is gone.
    pub(crate) fn begin(&self) -> (Events, JoinHandle<()>) {
        let (events, receiver) = Events::channel();
        let terminal = io::stderr().is_terminal();
        let mode = ProgressMode::choose(self.quiet, self.verbose, self.no_progress, terminal);
        let mode = match mode {
            ProgressMode::Bars { .. } => ProgressMode::Bars { color: self.color != Color::Never },
            other => other,
        };
        (events, progress::show(receiver, mode))
    }

    /// Waits for the display, and prints the result of the run. Measurements are paid for, so they
    /// are printed also if the run failed after them.
    ///
    /// # Errors
    /// The error of the run, or else that of printing.
    pub(crate) async fn finish(
        &self,
        display: JoinHandle<()>,
        ended: Result<Ending, impl Into<FailedRun>>,
    ) -> Result<(), CommandError> {
        // A terminal that takes nothing (Ctrl-S) would stop the display forever.
        let _ = tokio::time::timeout(LAST_WORDS, display).await;
        match ended.map_err(Into::into) {
            Ok(ending) => self.print(&ending),
            Err(FailedRun { error, measured }) => {
                if let Some(Err(unprinted)) = measured.map(|ending| self.print(&ending)) {
                    unprinted.print();
                }
                Err(error)
            }
        }
    }

    /// The copy of the result in the file of `--save`. The engine makes it before it applies
    /// anything.
    pub(crate) fn keep(&self) -> Keep {
        let Some(path) = self.save.clone() else { return Keep::default() };
        Keep::by(move |result| {
            let early = |destination: Destination| destination.write_early(&json(result));
            let written = Destination::of(&path).and_then(early);
            written.map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
        })
    }

    fn print(&self, ending: &Ending) -> Result<(), CommandError> {
        match ending {
            Ending::Tuned(result) => self.print_result(result),
            Ending::Dry(dry_run) => self.print_dry_run(dry_run),
        }
    }

    /// Prints a dry run.
    ///
    /// # Errors
    /// When the function works at no memory size.
    fn print_dry_run(&self, dry_run: &DryRun) -> Result<(), CommandError> {
        print(&output::dry_run(dry_run, self.output, &Style::of_stdout(self.color)))?;
        if dry_run.stats.iter().any(|trial| trial.state == TrialState::Works) {
            return Ok(());
        }
        Err(CommandError::Other(
            "the function works at none of these memory sizes, so that it cannot be tuned"
                .to_owned(),
        ))
    }

    /// Saves a result if `--save` was given, and prints it.
    fn print_result(&self, result: &TuningResult) -> Result<(), CommandError> {
        let saved = self.save.as_deref().map(|path| save(path, result));
        let printed = print(&output::result(result, self.output, &Style::of_stdout(self.color)));
        match (saved, printed) {
            (None, printed) => printed,
            (Some(Ok(path)), Err(unprinted)) => {
                unprinted.print();
                Err(CommandError::Other(format!("the result is in {}", path.display())))
            }
            (Some(Err(unsaved)), Err(unprinted)) => {
                unprinted.print();
                Err(unsaved)
            }
            (Some(saved), Ok(())) => saved.map(|_| ()),
        }
    }
}

fn save<'a>(path: &'a Path, result: &TuningResult) -> Result<&'a Path, CommandError> {
    let written = Destination::of(path).and_then(|destination| destination.write(&json(result)));
    written.map(|()| path).map_err(|error| {
        CommandError::Other(format!("the result was not saved to {}: {error}", path.display()))
    })
}

fn json(result: &TuningResult) -> String {
    output::result(result, OutputFormat::Json, &Style::of_stdout(Color::Never))
}
