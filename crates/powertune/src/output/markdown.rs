//! A result as a comment on a pull request.

use powertune_core::result::{PowerStats, State, TuningResult};

use super::{
    figures::{
        Criterion, Rank, decides, failures, is_current, measured, percentile, percentile_name,
        rank, state_name, versus,
    },
    headline::headline,
    provenance,
    quantity::{self, MILLION, change, estimated_duration, money},
    style::Charset,
    table::decimals,
    text::{harmless, message},
};

/// Markdown is UTF-8 everywhere.
const CHARSET: Charset = Charset::Unicode;

pub(super) fn markdown(result: &TuningResult) -> String {
    let headline = headline(result);
    let picture = harmless(&result.state_machine.visualization).replace(['<', '>'], "");
    let mut lines = vec![format!("**{}**", escaped(&headline.sentence)), String::new()];
    for note in &headline.notes {
        lines.extend([escaped(note), String::new()]);
    }
    lines.push(table(result));
    lines.push("<details>\n<summary>What this rests on</summary>\n".to_owned());
    let provenance = provenance::lines(result, CHARSET);
    lines.extend(provenance.iter().map(|(label, text)| format!("- {label}: {}", escaped(text))));
    lines.push(format!("- [Picture](<{picture}>)"));
    lines.extend(result.warnings.iter().map(|text| format!("- {}", warning(text))));
    lines.push("\n</details>\n".to_owned());
    lines.join("\n")
}

/// A warning, which may quote texts of others.
pub(super) fn warning(text: &str) -> String {
    format!("**Warning:** {}", escaped(&message(text)))
}

fn table(result: &TuningResult) -> String {
    let today = result.current.as_ref().map(|current| current.power);
    let has_percentile = measured(result).any(|row| percentile(result, row).is_some());
    let has_failures = measured(result).any(|row| failures(row).is_some());
    let named = |name: &str, is| {
        if decides(result) == is { format!("{name} (decides)") } else { name.to_owned() }
    };
    let mut header = vec!["Memory".to_owned(), named("Time (95 % CI)", Criterion::Time)];
    header.extend(has_percentile.then(|| percentile_name(result)));
    header.push(named("Cost per million", Criterion::Cost));
    let is_balanced = decides(result) == Criterion::Balance;
    header.extend(is_balanced.then(|| named("Balance", Criterion::Balance)));
    if let Some(today) = today {
        header.extend([format!("Cost vs {today}"), format!("Time vs {today}")]);
    }
    header.extend(has_failures.then(|| "Failed".to_owned()));
    header.extend(["Cold starts (init)".to_owned(), "Memory used".to_owned(), String::new()]);
    let costs: Vec<Option<f64>> =
        measured(result).map(|row| row.deciding.map(|it| it.cost.mean * MILLION)).collect();
    let shape = TableShape { has_percentile, has_failures, decimals: decimals(&costs) };
    let rule = |title: &String| if title.is_empty() { "---" } else { "---:" }.to_owned();
    let rule: Vec<String> = header.iter().map(rule).collect();
    let mut lines = vec![line(&header), line(&rule)];
    lines.extend(result.stats.iter().map(|row| line(&cells(result, row, shape))));
    lines.concat()
}

/// The optional columns, and the decimals of amounts.
#[derive(Debug, Clone, Copy)]
struct TableShape {
    has_percentile: bool,
    has_failures: bool,
    decimals: usize,
}

fn cells(result: &TuningResult, row: &PowerStats, shape: TableShape) -> Vec<String> {
    let figures = row.state == State::Measured;
    let shown = |text: Option<String>| text.filter(|_| figures).unwrap_or_default();
    let mut cells = vec![row.value.to_string(), shown(time(row))];
    cells.extend(
        shape.has_percentile.then(|| shown(percentile(result, row).map(quantity::duration))),
    );
    cells.push(shown(cost(result, row, shape.decimals)));
    if decides(result) == Criterion::Balance {
        let score = row.deciding.and_then(|figures| figures.score);
        cells.push(shown(score.map(|score| format!("{score:.3}"))));
    }
    if result.current.is_some() {
        let versus = versus(result, row.value);
        let ratio = |ratio: Option<f64>| shown(ratio.map(|ratio| change(ratio, CHARSET)));
        cells.push(ratio(versus.map(|(cost, _)| cost.ratio())));
        cells.push(ratio(versus.map(|(_, time)| time.ratio())));
    }
    cells.extend(shape.has_failures.then(|| shown(failures(row))));
    cells.push(shown(Some(cold_starts(row))));
    cells.push(shown(row.max_memory_used.map(|mb| format!("{mb} MB"))));
    if rank(result, row.value) == Rank::Best {
        for cell in cells.iter_mut().filter(|cell| !cell.is_empty()) {
            *cell = format!("**{cell}**");
        }
    }
    cells.push(remark(result, row));
    cells
}

fn time(row: &PowerStats) -> Option<String> {
    let (mean, range) = estimated_duration(row.deciding?.duration, CHARSET);
    Some(range.map_or(mean.clone(), |range| format!("{mean} ({range})")))
}

fn cost(result: &TuningResult, row: &PowerStats, decimals: usize) -> Option<String> {
    let cost = row.deciding?.cost;
    let amount = money(cost.mean * MILLION, result.currency, decimals, CHARSET);
    let uncertainty = quantity::uncertainty(cost, CHARSET);
    Some(uncertainty.map_or(amount.clone(), |uncertainty| format!("{amount} {uncertainty}")))
}

fn cold_starts(row: &PowerStats) -> String {
    let init = row.init_duration.map(|ms| format!(" ({})", quantity::duration(ms)));
    format!("{}{}", row.cold_starts, init.unwrap_or_default())
}

fn remark(result: &TuningResult, row: &PowerStats) -> String {
    if row.state != State::Measured {
        let reason = row.reason.as_deref().map(|reason| format!(": {}", code(reason)));
        return format!("{}{}", state_name(row.state), reason.unwrap_or_default());
    }
    let rank = match rank(result, row.value) {
        Rank::Best => Some("chosen"),
        Rank::Tie => Some("as good"),
        Rank::Other => None,
    };
    let today = is_current(result, row.value).then_some("today");
    [rank, today].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

pub(super) fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// A text of others as code, in which no markup and no mention works.
pub(super) fn code(text: &str) -> String {
    format!("`{}`", message(text).replace('`', "'").replace('|', "\\|"))
}

/// A text that may quote others: no markup and no mention in it works.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '&') {
            escaped.push('\\');
        }
        escaped.push(character);
        if character == '@' {
            // A zero-width space ends the name before it begins.
            escaped.push('\u{200b}');
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_function_says_stays_in_its_cell() {
        assert_eq!(code("a | b\n`@team`"), "`a \\| b '@team'`");
        assert_eq!(escaped("a|b <img> @team"), "a\\|b \\<img\\> @\u{200b}team");
    }
}
