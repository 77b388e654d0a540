//! The text of a result or of a dry run, in each output format.
//!
//! Nothing here has side effects; the callers print.

mod chart;
#[cfg(test)]
mod consistency;
mod csv;
mod dry_run;
mod figures;
mod grid;
mod headline;
mod markdown;
pub(crate) mod prices;
mod provenance;
mod quantity;
mod style;
mod table;
#[cfg(test)]
mod tests;
mod text;

use clap::ValueEnum;
use powertune_core::{dry_run::DryRun, result::TuningResult};
use serde::Serialize;

use self::text::escaped;
pub(crate) use self::{
    provenance::{SIMULATED, is_simulated, name as function_name},
    quantity::{duration, spent},
    style::{Charset, Color, Style},
    text::{is_harmless, message, plain},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum OutputFormat {
    /// A recommendation in words, a table and a chart, for people
    #[default]
    Table,
    /// The whole result
    Json,
    /// One row for each memory size
    Csv,
    /// For a comment on a pull request
    Markdown,
}

/// The text of a result, with a line break at its end.
pub(crate) fn result(result: &TuningResult, format: OutputFormat, style: &Style) -> String {
    match format {
        OutputFormat::Table => table::table(result, style),
        OutputFormat::Json => json(result),
        OutputFormat::Csv => csv::csv(result),
        OutputFormat::Markdown => markdown::markdown(result),
    }
}

fn json(result: &impl Serialize) -> String {
    let json = serde_json::to_string_pretty(result).expect("a result has nothing JSON can't hold");
    escaped(&json) + "\n"
}

/// The text of a dry run, with a line break at its end.
pub(crate) fn dry_run(dry_run: &DryRun, format: OutputFormat, style: &Style) -> String {
    match format {
        OutputFormat::Table => dry_run::table(dry_run, style),
        OutputFormat::Json => json(dry_run),
        OutputFormat::Csv => dry_run::csv(dry_run),
        OutputFormat::Markdown => dry_run::markdown(dry_run),
    }
}
