//! How a run is shown and where its result goes.

use std::{
    fs::{self, OpenOptions},
    io::{IsTerminal, Write},
    path::PathBuf,
};

use clap::Args;
use powertune_core::{dry_run::DryRun, request::Request, result::TuningResult};
use powertune_engine::{
    Journals,
    error::TuneError,
    event::{Event, Events},
    gateway::Gateway,
    run::{Context, Ending, tune},
};
use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    failure::Failure,
    output::{self, Format, Style},
    progress::{self, Mode},
};

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct DisplayOptions {
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    output: Format,
    /// Also write the result to this file, as JSON
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Print nothing but the result and errors
    #[arg(long, short)]
    quiet: bool,
    /// Say more about what happens
    #[arg(long, short)]
    verbose: bool,
    /// No progress bars
    #[arg(long)]
    no_progress: bool,
}

impl DisplayOptions {
    /// Checks the options: a result that can't be saved would be lost.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let Some(path) = &self.save else { return Ok(()) };
        let opened = OpenOptions::new().append(true).create(true).open(path);
        opened.map(|_| ()).map_err(|error| {
            Failure::input("--save", format!("{} can't be written: {error}", path.display()))
        })
    }

    /// Says something to people who want to hear it.
    pub(crate) fn say(&self, text: &str) {
        if !self.quiet {
            eprintln!("{}", output::plain(text));
        }
    }

    /// Runs a tuning, shows how it goes, and prints what comes of it.
    pub(crate) async fn tune(
        &self,
        gateway: &Gateway,
        request: &Request,
        journals: Journals,
        cancelled: CancellationToken,
    ) -> Result<(), Failure> {
        let (events, heard) = Events::channel();
        let shown = self.show(heard);
        let context = Context { by: whoami(), events, cancelled, journals };
        let ending = tune(gateway, request, &context).await;
        drop(context);
        // The display ends when everything has been said.
        let _ = shown.await;
        match ending {
            Ok(Ending::Tuned(result)) => self.print(&result),
            Err(TuneError::LeftBehind { cause, left, result: Some(result) }) => {
                self.print(&result)?;
                Err(TuneError::LeftBehind { cause, left, result: None }.into())
            }
            Err(TuneError::Outdated { cause, result }) => {
                self.print(&result)?;
                Err(TuneError::Outdated { cause, result }.into())
            }
            Err(TuneError::NotApplied { cause, result }) => {
                self.print(&result)?;
                Err(TuneError::NotApplied { cause, result }.into())
            }
            Err(error) => Err(error.into()),
            Ok(Ending::Dry(dry_run)) => self.print_dry_run(&dry_run),
        }
    }

    /// Where events can be sent, to be shown, and the display, which ends with them.
    pub(crate) fn events(&self) -> (UnboundedSender<Event>, JoinHandle<()>) {
        let (events, heard) = mpsc::unbounded_channel();
        (events, self.show(heard))
    }

    fn show(&self, heard: UnboundedReceiver<Event>) -> JoinHandle<()> {
        let terminal = std::io::stderr().is_terminal();
        let mode = Mode::choose(self.quiet, self.verbose, self.no_progress, terminal);
        progress::show(heard, mode)
    }

    pub(crate) fn print_dry_run(&self, dry_run: &DryRun) -> Result<(), Failure> {
        print(&output::dry_run(dry_run, self.output, &Style::of_stdout()))
    }

    pub(crate) fn print(&self, result: &TuningResult) -> Result<(), Failure> {
        print(&output::result(result, self.output, &Style::of_stdout()))?;
        self.save(result)
    }

    fn save(&self, result: &TuningResult) -> Result<(), Failure> {
        let Some(path) = &self.save else { return Ok(()) };
        let json = output::result(result, Format::Json, &Style::of_stdout());
        fs::write(path, json).map_err(|error| {
            Failure::Other(format!("the result was not saved to {}: {error}", path.display()))
        })
    }
}

/// Writes to stdout; a reader that has gone is no failure of ours.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::Other(format!("the result could not be printed: {error}")))
        }
        _ => Ok(()),
    }
}

/// Who runs this, for others to see in the function's tags.
fn whoami() -> String {
    let user = ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let host = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = host.as_deref().map_or("unknown host", str::trim);
    format!("{}@{host}", user.as_deref().unwrap_or("unknown"))
}
