//! The commands of powertune's developers: `cargo xtask --help` lists them.

mod check;
mod fuzz;
mod generate;
mod links;
mod messages;
mod peers;
mod purity;
mod readme;
mod recordings;
mod reliability;
mod shell;
mod sources;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// The commands of powertune's developers.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Formatting, generated files, pages, lints, purity and documentation, as CI checks them
    Check,
    /// That powertune-core touches no clock, file, network or environment
    Purity,
    /// Writes the deploy folder
    Generate {
        /// Write nothing; fail if there is something to write
        #[arg(long)]
        check: bool,
    },
    /// Checks the pages: links lead to something, and docs/troubleshooting.md has every message
    Pages,
    /// Runs the demo, for the picture in README.md
    Readme,
    /// Runs what the promises in RELIABILITY.md rest on, and writes down there what it found
    Reliability {
        /// Only the checks whose title or command contains this; the others' figures stay as they are
        only: Option<String>,
    },
    /// Fuzzes what is read from outside, with cargo-fuzz; `cargo +nightly xtask fuzz` does it with a
    /// nightly toolchain
    Fuzz {
        /// The time for each target
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Take what is found into the corpus: few inputs that reach much
        #[arg(long)]
        keep: bool,
    },
    /// Holds the local Lambda against recorded answers of AWS, which this repository does not hold
    Recordings {
        /// The folder with the *.snapshot.json files; without it, that of POWERTUNE_RECORDINGS
        folder: Option<PathBuf>,
        /// Print every field that is not as recorded
        #[arg(long)]
        unequal: bool,
    },
    /// Installs what others wrote and the tests run against, into target/peers
    Peers,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Check => check::run(),
        Task::Purity => purity::run(),
        Task::Generate { check: false } => generate::write(),
        Task::Generate { check: true } => generate::check(),
        Task::Pages => check::pages(),
        Task::Readme => readme::write(),
        Task::Reliability { only } => reliability::run(only.as_deref()),
        Task::Fuzz { seconds, keep } => fuzz::run(seconds, keep),
        Task::Recordings { folder, unequal } => {
            recordings::run(&recordings::folder(folder)?, unequal)
        }
        Task::Peers => peers::run(),
    }
}
