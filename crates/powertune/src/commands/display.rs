//! How a run is shown and where its result goes.

use std::{
    fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueHint};
use powertune_core::{
    dry_run::{DryRun, TrialState},
    price::Prices,
    request::Request,
    result::TuningResult,
};
use powertune_engine::{
    Journals, Keep,
    error::Unfinished,
    event::{Event, Events},
    gateway::Gateway,
    run::{Context, Ending, tune},
};
use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::save::Destination;
use crate::{
    console::{print, say},
    failure::Failure,
    output::{self, Color, Format, Style},
    progress::{self, Mode},
};

/// How long the display may take for what it still has to say when the run is over.
const LAST_WORDS: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct DisplayOptions {
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    output: Format,
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
    /// Whether what people read is coloured; NO_COLOR and CLICOLOR_FORCE say so, too
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    color: Color,
}

impl DisplayOptions {
    /// Checks the options: a result that can't be saved would be lost.
    pub(crate) fn check(&self, request: &Request) -> Result<(), Failure> {
        let Some(path) = &self.save else { return Ok(()) };
        if request.dry_run {
            let problem = "has no effect: --dry-run (dryRun) has no result to save; leave one of \
                           them out";
            return Err(Failure::input("--save", problem));
        }
        Destination::of(path).map(|_| ()).map_err(|error| {
            Failure::input("--save", format!("{} can't be written: {error}", path.display()))
        })
    }

    /// Says something to people who want to hear it.
    pub(crate) fn say(&self, text: &str) {
        if !self.quiet {
            say(&output::plain(text));
        }
    }

    /// Warns of something that a result does not tell.
    pub(crate) fn warn(&self, text: &str) {
        self.say(&format!("warning: {text}"));
    }

    /// Runs a tuning, shows how it goes, and prints what comes of it. It measures for `most_time`
    /// at most, where that is given.
    pub(crate) async fn tune(
        &self,
        gateway: &Gateway,
        request: &Request,
        (journals, prices): (Journals, Prices),
        cancelled: CancellationToken,
        most_time: Option<Duration>,
    ) -> Result<(), Failure> {
        let (events, heard) = Events::channel();
        let shown = self.show(heard);
        let keep = self.keep();
        let context =
            Context { by: whoami(), events, cancelled, journals, keep, prices, most_time };
        // A run is a large future.
        let ending = Box::pin(tune(gateway, request, &context)).await;
        drop(context);
        // The display ends when everything has been said, where the terminal takes it.
        let _ = tokio::time::timeout(LAST_WORDS, shown).await;
        let (measured, error) = match ending {
            Ok(ending) => (Some(ending), None),
            Err(Unfinished { error, measured }) => (measured, Some(error)),
        };
        // What was measured is paid for, whatever went wrong after it.
        let printed = self.print_measured(measured.as_ref());
        let Some(error) = error else { return printed };
        if let Err(failure) = printed {
            failure.print();
        }
        Err(error.into())
    }

    /// Prints what was measured, if anything was.
    pub(super) fn print_measured(&self, measured: Option<&Ending>) -> Result<(), Failure> {
        match measured {
            Some(Ending::Tuned(result)) => self.print(result),
            Some(Ending::Dry(dry_run)) => self.print_dry_run(dry_run),
            None => Ok(()),
        }
    }

    /// Keeps results in the file that they are to be saved to.
    fn keep(&self) -> Keep {
        let Some(path) = self.save.clone() else { return Keep::default() };
        Keep::by(move |result| {
            let early = |destination: Destination| destination.write_early(&json(result));
            let written = Destination::of(&path).and_then(early);
            written.map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
        })
    }

    /// Where events can be sent, to be shown, and the display, which ends with them.
    pub(crate) fn events(&self) -> (UnboundedSender<Event>, JoinHandle<()>) {
        let (events, heard) = mpsc::unbounded_channel();
        (events, self.show(heard))
    }

    fn show(&self, heard: UnboundedReceiver<Event>) -> JoinHandle<()> {
        let terminal = io::stderr().is_terminal();
        let mode = Mode::choose(self.quiet, self.verbose, self.no_progress, terminal);
        let mode = match mode {
            Mode::Bars { .. } => Mode::Bars { color: self.color != Color::Never },
            other => other,
        };
        progress::show(heard, mode)
    }

    /// Prints a dry run.
    ///
    /// # Errors
    /// Where the function works at none of its memory sizes.
    pub(crate) fn print_dry_run(&self, dry_run: &DryRun) -> Result<(), Failure> {
        print(&output::dry_run(dry_run, self.output, &Style::of_stdout(self.color)))?;
        if dry_run.stats.iter().any(|trial| trial.state == TrialState::Works) {
            return Ok(());
        }
        Err(Failure::Other(
            "the function works at none of these memory sizes; nothing can be tuned until it does"
                .to_owned(),
        ))
    }

    /// Saves a result, where that was asked for, and prints it.
    pub(crate) fn print(&self, result: &TuningResult) -> Result<(), Failure> {
        let saved = self.save.as_deref().map(|path| save(path, result));
        let printed = print(&output::result(result, self.output, &Style::of_stdout(self.color)));
        match (saved, printed) {
            (None, printed) => printed,
            (Some(Ok(path)), Err(failure)) => {
                failure.print();
                Err(Failure::Other(format!("the result is in {}", path.display())))
            }
            (Some(Err(failure)), Err(not_printed)) => {
                not_printed.print();
                Err(failure)
            }
            (Some(saved), Ok(())) => saved.map(|_| ()),
        }
    }
}

fn save<'a>(path: &'a Path, result: &TuningResult) -> Result<&'a Path, Failure> {
    let written = Destination::of(path).and_then(|destination| destination.write(&json(result)));
    written.map(|()| path).map_err(|error| {
        Failure::Other(format!("the result was not saved to {}: {error}", path.display()))
    })
}

fn json(result: &TuningResult) -> String {
    output::result(result, Format::Json, &Style::of_stdout(Color::Never))
}

/// Who runs this, for others to see in the function's tags.
fn whoami() -> String {
    let user = ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let host = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = host.as_deref().map_or("unknown host", str::trim);
    format!("{}@{host}", user.as_deref().unwrap_or("unknown"))
}
