//! What goes to standard output: a result, or what a dry run found, in the form asked for.
//!
//! Everything here turns data into text and touches nothing; who calls it prints.

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

/// The form in which a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// A recommendation in words, a table and a chart, for people
    #[default]
    Table,
    /// The whole result
    Json,
    /// One row a power
    Csv,
    /// For a comment on a pull request
    Markdown,
}

/// A result, with a line break at its end.
pub(crate) fn result(result: &TuningResult, format: Format, style: &Style) -> String {
    match format {
        Format::Table => table::table(result, style),
        Format::Json => json(result),
        Format::Csv => csv::csv(result),
        Format::Markdown => markdown::markdown(result),
    }
}

fn json(result: &impl Serialize) -> String {
    let json = serde_json::to_string_pretty(result).expect("a result has nothing JSON can't hold");
    escaped(&json) + "\n"
}

/// What a dry run found, with a line break at its end.
pub(crate) fn dry_run(dry_run: &DryRun, format: Format, style: &Style) -> String {
    match format {
        Format::Table => dry_run::table(dry_run, style),
        Format::Json => json(dry_run),
        Format::Csv => dry_run::csv(dry_run),
        Format::Markdown => dry_run::markdown(dry_run),
    }
}
