//! A dry run: the changes and the highest cost of the run, and a trial of each memory size.

use powertune_core::dry_run::{DryRun, Trial, TrialState};

use super::{
    csv,
    grid::{Align, Cell, Column, GridRow, Span, rendered},
    markdown::{self, code, escaped},
    provenance::{SIMULATED, is_simulated, name},
    quantity::{duration, spent},
    style::{ATTENTION, BAD, BOLD, Charset, GOOD, Style},
    table::labelled,
    text::{harmless, message, wrapped},
};

fn state_name(state: TrialState) -> &'static str {
    match state {
        TrialState::Works => "works",
        TrialState::Failed => "failed",
        TrialState::Skipped => "skipped",
    }
}

fn sentence(dry_run: &DryRun) -> String {
    let name = harmless(name(&dry_run.function_arn));
    let works = dry_run.stats.iter().filter(|trial| trial.state == TrialState::Works).count();
    let all = dry_run.stats.len();
    let powers = match (works, all) {
        (1, 1) => "the one memory size".to_owned(),
        (2, 2) => "both memory sizes".to_owned(),
        _ if works == all => format!("all {all} memory sizes"),
        _ => format!("{works} of {all} memory sizes"),
    };
    format!("{name} works at {powers}; everything is as it was before.")
}

fn costs(dry_run: &DryRun, charset: Charset) -> String {
    let amount = |amount| spent(amount, dry_run.currency, charset);
    let most = format!(
        "at most {}, if every invocation lasted until the timeout",
        amount(dry_run.worst_cost)
    );
    let simulated = if is_simulated(&dry_run.function_arn) { SIMULATED } else { "" };
    match dry_run.expected_cost.map(amount) {
        Some(expected) => format!(
            "The run itself costs about {expected}, if its invocations take as long as these; \
             {most}{simulated}."
        ),
        None => format!("The run itself costs {most}{simulated}."),
    }
}

const CAVEAT: &str = "Each memory size was invoked once, mostly from a cold start: the times say nothing about the choice.";

pub(super) fn table(dry_run: &DryRun, style: &Style) -> String {
    let mut table = style.paint(BOLD, &wrapped(&sentence(dry_run), style.width, 0));
    for text in [costs(dry_run, style.charset), CAVEAT.to_owned()] {
        table.push('\n');
        table.push_str(&wrapped(&text, style.width, 0));
    }
    table.push_str("\n\nIt would change this:\n");
    for change in &dry_run.changes {
        table.extend(["- ", &wrapped(&message(change), style.width, 2), "\n"]);
    }
    table.push('\n');
    let heads = ["Memory", "", "Time", "Init", "Memory used"];
    let columns = heads.map(|head| Column {
        head: [String::new(), head.to_owned()],
        align: if head.is_empty() { Align::Left } else { Align::Right },
        spare: 0,
    });
    let lines: Vec<GridRow> = dry_run.stats.iter().map(table_line).collect();
    table.push_str(rendered(&columns, &lines, style).trim_start_matches('\n'));
    if !dry_run.warnings.is_empty() {
        table.push('\n');
    }
    for warning in &dry_run.warnings {
        let warning = wrapped(&message(warning), style.width, 10);
        table.push_str(&labelled("Warning", ATTENTION, &warning, style));
    }
    table
}

fn table_line(trial: &Trial) -> GridRow {
    let power: Cell = vec![Span::plain(trial.value.to_string())];
    let paint = match trial.state {
        TrialState::Works => {
            let texts = cells(trial).map(|text| vec![Span::plain(text)]);
            let works = vec![Span::new(state_name(trial.state), GOOD)];
            return GridRow::Cells([power, works].into_iter().chain(texts).collect());
        }
        TrialState::Failed => BAD,
        TrialState::Skipped => ATTENTION,
    };
    let reason = trial.reason.as_deref().map(message).unwrap_or_default();
    GridRow::Text(power, Span::new(format!("{}: {reason}", state_name(trial.state)), paint))
}

/// The cells of time, init and memory.
fn cells(trial: &Trial) -> [String; 3] {
    let memory = trial.max_memory_used.map(|mb| format!("{mb} MB"));
    [
        trial.duration.map(duration).unwrap_or_default(),
        trial.init_duration.map(duration).unwrap_or_default(),
        memory.unwrap_or_default(),
    ]
}

pub(super) fn csv(dry_run: &DryRun) -> String {
    const HEADER: [&str; 7] =
        ["value", "state", "duration", "billedDuration", "initDuration", "maxMemoryUsed", "reason"];
    let record = |trial: &Trial| {
        vec![
            trial.value.mb().to_string(),
            state_name(trial.state).to_owned(),
            csv::optional(trial.duration),
            csv::optional(trial.billed_duration),
            csv::optional(trial.init_duration),
            csv::optional(trial.max_memory_used),
            trial.reason.as_deref().map(harmless).unwrap_or_default(),
        ]
    };
    csv::written(&HEADER, dry_run.stats.iter().map(record))
}

pub(super) fn markdown(dry_run: &DryRun) -> String {
    let sentence = escaped(&sentence(dry_run));
    let costs = escaped(&costs(dry_run, Charset::Unicode));
    let mut markdown = format!("**{sentence}**\n\n{costs} {CAVEAT}\n\n");
    markdown.push_str("It would change this:\n\n");
    for change in &dry_run.changes {
        markdown.extend(["- ", &escaped(&message(change)), "\n"]);
    }
    markdown.push('\n');
    let header = ["Memory", "Time", "Init", "Memory used", ""].map(str::to_owned);
    markdown.push_str(&markdown::line(&header));
    markdown.push_str(&markdown::line(&["---:", "---:", "---:", "---:", "---"].map(str::to_owned)));
    for trial in &dry_run.stats {
        let remark = match &trial.reason {
            Some(reason) => format!("{}: {}", state_name(trial.state), code(reason)),
            None => state_name(trial.state).to_owned(),
        };
        let row: Vec<String> =
            [trial.value.to_string()].into_iter().chain(cells(trial)).chain([remark]).collect();
        markdown.push_str(&markdown::line(&row));
    }
    for warning in &dry_run.warnings {
        markdown.push('\n');
        markdown.push_str(&markdown::warning(warning));
        markdown.push('\n');
    }
    markdown
}
