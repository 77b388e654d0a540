//! A dry run: what the run asked for would do and cost at most, and whether the function works at
//! each power.

use powertune_core::{
    observation::{Evidence, Outcome},
    power::Power,
    report::{Report, Start},
};
use powertune_engine::event::Plan;
use serde_json::{Value, json};

use super::{
    csv,
    grid::{Align, Cell, Column, Line, Span, rendered},
    markdown::{self, code, escaped},
    provenance::name,
    quantity::{duration, spent},
    style::{ATTENTION, BAD, BOLD, Charset, GOOD, Style},
    table::labelled,
    text::{harmless, message, wrapped},
};

/// What became of a power.
enum Tried<'a> {
    Works(&'a Report),
    Failed(String),
    Skipped(&'a str),
}

impl Tried<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Works(_) => "works",
            Self::Failed(_) => "failed",
            Self::Skipped(_) => "skipped",
        }
    }

    fn report(&self) -> Option<&Report> {
        match self {
            Self::Works(report) => Some(report),
            Self::Failed(_) | Self::Skipped(_) => None,
        }
    }

    fn reason(&self) -> Option<&str> {
        match self {
            Self::Works(_) => None,
            Self::Failed(reason) => Some(reason),
            Self::Skipped(reason) => Some(reason),
        }
    }
}

/// Every power of the plan, smallest first.
fn tried<'a>(plan: &Plan, evidence: &'a Evidence) -> Vec<(Power, Tried<'a>)> {
    let mut powers: Vec<Power> = plan.measurements.iter().map(|planned| planned.power).collect();
    powers.sort_unstable();
    powers
        .into_iter()
        .filter_map(|power| {
            let skipped = evidence.skipped.iter().find(|skipped| skipped.power == power);
            let tried = match (skipped, evidence.at(power).next()) {
                (_, Some(Outcome::Counted(report))) => Tried::Works(report),
                (_, Some(Outcome::Failed { failure, .. })) => Tried::Failed(failure.to_string()),
                (Some(skipped), None) => Tried::Skipped(&skipped.reason),
                (None, None) => return None,
            };
            Some((power, tried))
        })
        .collect()
}

fn sentence(plan: &Plan, tried: &[(Power, Tried<'_>)]) -> String {
    let name = harmless(name(&plan.function_arn));
    let works = tried.iter().filter(|(_, tried)| tried.report().is_some()).count();
    let all = tried.len();
    let powers = match (works, all) {
        (1, 1) => "the one power".to_owned(),
        (2, 2) => "both powers".to_owned(),
        _ if works == all => format!("all {all} powers"),
        _ => format!("{works} of {all} powers"),
    };
    format!("{name} works at {powers}; everything is as it was before.")
}

fn costs(plan: &Plan, charset: Charset) -> String {
    let most = spent(plan.worst_cost, plan.price.currency, charset);
    format!(
        "The run asked for would cost at most {most}, were every invocation to last until the \
         timeout."
    )
}

const CAVEAT: &str = "Each power was invoked once, mostly from a cold start, so that nothing follows for the choice.";

pub(super) fn table(plan: &Plan, evidence: &Evidence, style: &Style) -> String {
    let tried = tried(plan, evidence);
    let mut table = style.paint(BOLD, &wrapped(&sentence(plan, &tried), style.width, 0));
    for text in [costs(plan, style.charset), CAVEAT.to_owned()] {
        table.push('\n');
        table.push_str(&wrapped(&text, style.width, 0));
    }
    table.push_str("\n\n");
    let heads = ["Power", "", "Time", "Init", "Memory used"];
    let columns = heads.map(|head| Column {
        head: [String::new(), head.to_owned()],
        align: if head.is_empty() { Align::Left } else { Align::Right },
        spare: 0,
    });
    let lines: Vec<Line> = tried.iter().map(|(power, tried)| table_line(*power, tried)).collect();
    table.push_str(rendered(&columns, &lines, style).trim_start_matches('\n'));
    if !plan.warnings.is_empty() {
        table.push('\n');
    }
    for warning in &plan.warnings {
        let warning = wrapped(&message(&warning.to_string()), style.width, 10);
        table.push_str(&labelled("Warning", ATTENTION, &warning, style));
    }
    table
}

fn table_line(power: Power, tried: &Tried<'_>) -> Line {
    let power: Cell = vec![Span::plain(power.to_string())];
    let paint = match tried {
        Tried::Works(report) => {
            let texts = cells(report).map(|text| vec![Span::plain(text)]);
            let works = vec![Span::new(tried.name(), GOOD)];
            return Line::Cells([power, works].into_iter().chain(texts).collect());
        }
        Tried::Failed(_) => BAD,
        Tried::Skipped(_) => ATTENTION,
    };
    let reason = tried.reason().map(message).unwrap_or_default();
    Line::Text(power, Span::new(format!("{}: {reason}", tried.name()), paint))
}

/// Time, init and memory.
fn cells(report: &Report) -> [String; 3] {
    let memory = report.max_memory_mb.map(|mb| format!("{mb} MB"));
    [
        duration(report.duration_ms),
        init_ms(report).map(duration).unwrap_or_default(),
        memory.unwrap_or_default(),
    ]
}

fn init_ms(report: &Report) -> Option<f64> {
    match report.start {
        Start::Warm => None,
        Start::Cold { init_ms } => Some(init_ms),
        Start::Restored { restore_ms, .. } => Some(restore_ms),
    }
}

pub(super) fn json(plan: &Plan, evidence: &Evidence) -> String {
    let stats: Vec<Value> = tried(plan, evidence)
        .iter()
        .map(|(power, tried)| {
            let report = tried.report();
            json!({
                "value": power,
                "state": tried.name(),
                "duration": report.map(|report| report.duration_ms),
                "billedDuration": report.map(|report| report.billed_ms),
                "initDuration": report.and_then(init_ms),
                "maxMemoryUsed": report.and_then(|report| report.max_memory_mb),
                "reason": tried.reason(),
            })
        })
        .collect();
    let warnings: Vec<String> = plan.warnings.iter().map(ToString::to_string).collect();
    let json = json!({
        "dryRun": true,
        "functionArn": plan.function_arn,
        "currentPower": plan.current,
        "currency": plan.price.currency,
        "worstCost": plan.worst_cost,
        "warnings": warnings,
        "stats": stats,
    });
    format!("{json:#}\n")
}

pub(super) fn csv(plan: &Plan, evidence: &Evidence) -> String {
    const HEADER: [&str; 7] =
        ["value", "state", "duration", "billedDuration", "initDuration", "maxMemoryUsed", "reason"];
    let record = |(power, tried): &(Power, Tried<'_>)| {
        let report = tried.report();
        vec![
            power.mb().to_string(),
            tried.name().to_owned(),
            csv::optional(report.map(|report| report.duration_ms)),
            csv::optional(report.map(|report| report.billed_ms)),
            csv::optional(report.and_then(init_ms)),
            csv::optional(report.and_then(|report| report.max_memory_mb)),
            tried.reason().map(harmless).unwrap_or_default(),
        ]
    };
    csv::written(&HEADER, tried(plan, evidence).iter().map(record))
}

pub(super) fn markdown(plan: &Plan, evidence: &Evidence) -> String {
    let tried = tried(plan, evidence);
    let sentence = escaped(&sentence(plan, &tried));
    let costs = escaped(&costs(plan, Charset::Unicode));
    let mut markdown = format!("**{sentence}**\n\n{costs} {CAVEAT}\n\n");
    let header = ["Power", "Time", "Init", "Memory used", ""].map(str::to_owned);
    markdown.push_str(&markdown::line(&header));
    markdown.push_str(&markdown::line(&["---:", "---:", "---:", "---:", "---"].map(str::to_owned)));
    for (power, tried) in &tried {
        let figures = tried.report().map(cells).unwrap_or_default();
        let remark = match tried.reason() {
            Some(reason) => format!("{}: {}", tried.name(), code(reason)),
            None => tried.name().to_owned(),
        };
        let row: Vec<String> =
            [power.to_string()].into_iter().chain(figures).chain([remark]).collect();
        markdown.push_str(&markdown::line(&row));
    }
    for warning in &plan.warnings {
        markdown.push('\n');
        markdown.push_str(&markdown::warning(&warning.to_string()));
        markdown.push('\n');
    }
    markdown
}
