//! A result for people: the recommendation in words, a table, a chart, and the basis of it all.

use anstyle::Style as Paint;
use powertune_core::result::{DecidedBy, PowerStats, State, TuningResult};

use super::{
    chart,
    figures::{
        Criterion, Rank, decides, failures, is_current, measured, percentile, percentile_name,
        rank, state_name, versus,
    },
    grid::{Align, Cell, Column, GridRow, Span, left_aligned, rendered, right_aligned},
    headline::headline,
    provenance,
    quantity::{self, Direction, MILLION, change, direction, estimated_duration, money},
    style::{ATTENTION, BAD, BOLD, DIM, GOOD, Style},
    text::{message, width, wrapped},
};

/// The width of the labels below the table.
const LABEL: usize = 10;

pub(super) fn table(result: &TuningResult, style: &Style) -> String {
    let headline = headline(result);
    let mut table = style.paint(BOLD, &wrapped(&headline.sentence, style.width, 0));
    for note in headline.notes {
        table.push('\n');
        table.push_str(&wrapped(&note, style.width, 0));
    }
    table.push_str("\n\n");
    table.push_str(&grid(result, style));
    if let Some(legend) = legend(result, style) {
        table.push_str(&legend);
    }
    if let Some(chart) = chart::chart(result, style) {
        table.push('\n');
        table.push_str(&chart);
    }
    table.push('\n');
    table.push_str(&rests_on(result, style));
    table
}

fn grid(result: &TuningResult, style: &Style) -> String {
    let names = names(result, style);
    let rows: Vec<&PowerStats> = measured(result).collect();
    let columns = [
        time(result, &rows, style),
        percentiles(result, &rows),
        cost(result, &rows, style),
        balance(result, &rows),
        comparison(result, &rows, style),
        failed(&rows),
        cold_starts(&rows),
        memory(&rows),
    ];
    let present: Vec<&(Column, Vec<Cell>)> = columns.iter().flatten().collect();
    let size = Column { head: [String::new(), "Memory".to_owned()], align: Align::Right, spare: 0 };
    let heads: Vec<Column> =
        [size].into_iter().chain(present.iter().map(|(head, _)| head.clone())).collect();
    let (mut place, mut told) = (0, None);
    let lines: Vec<GridRow> = result
        .stats
        .iter()
        .zip(names)
        .map(|(row, name)| {
            if row.state != State::Measured {
                return GridRow::Text(name, excuse(row, &mut told));
            }
            let cells = present.iter().map(|(_, cells)| cells[place].clone());
            let line = GridRow::Cells([name].into_iter().chain(cells).collect());
            place += 1;
            line
        })
        .collect();
    rendered(&heads, &lines, style)
}

/// The memory sizes with their marks, all of the same width.
pub(super) fn names(result: &TuningResult, style: &Style) -> Vec<Cell> {
    let powers: Vec<String> = result.stats.iter().map(|row| row.value.to_string()).collect();
    let name = |(row, power): (&PowerStats, String)| match rank(result, row.value) {
        Rank::Best => {
            vec![Span::new(format!("{} {power}", style.charset.best()), GOOD.bold())]
        }
        Rank::Tie => {
            vec![Span::new(style.charset.tie(), GOOD), Span::plain(format!(" {power}"))]
        }
        Rank::Other => vec![Span::plain(format!("  {power}"))],
    };
    result.stats.iter().zip(right_aligned(&powers)).map(name).collect()
}

/// The reason for missing figures. If several sizes in a row have the same reason, it is told once.
fn excuse<'a>(row: &'a PowerStats, told: &mut Option<&'a str>) -> Span {
    let word = state_name(row.state);
    let paint = match row.state {
        State::Measured => Paint::new(),
        State::Failed => BAD,
        State::Skipped => ATTENTION,
    };
    let same = row.reason.is_some() && *told == row.reason.as_deref();
    *told = row.reason.as_deref();
    match &row.reason {
        Some(_) if same => Span::new(format!("{word}: the same"), paint),
        Some(reason) => Span::new(format!("{word}: {}", message(reason)), paint),
        None => Span::new(word, paint),
    }
}

/// The name of a column, with a mark if it decides.
fn marked(name: &str, result: &TuningResult, is: Criterion) -> String {
    if decides(result) == is { format!("{name} *") } else { name.to_owned() }
}

fn time(result: &TuningResult, rows: &[&PowerStats], style: &Style) -> Option<(Column, Vec<Cell>)> {
    let shown = |row: &&PowerStats| {
        let duration = row.deciding.map(|figures| figures.duration);
        duration.map(|mean| estimated_duration(mean, style.charset)).unwrap_or_default()
    };
    let (means, ranges): (Vec<String>, Vec<Option<String>>) = rows.iter().map(shown).unzip();
    let is_known = ranges.iter().any(Option::is_some);
    let range = |range: Option<String>| match range {
        None if is_known => "unknown".to_owned(),
        range => range.unwrap_or_default(),
    };
    let ranges: Vec<String> = ranges.into_iter().map(range).collect();
    let range = if is_known { "95 % CI" } else { "" };
    let name = average(result);
    let mean_width = means.iter().map(|mean| width(mean)).max().unwrap_or(0);
    let head = format!("{name:>mean_width$}  {range}");
    let top = marked("Time", result, Criterion::Time);
    column(&top, &head, Align::Left, 0, paired(&means, &ranges, "  "))
}

fn average(result: &TuningResult) -> &'static str {
    match result.decided_by {
        DecidedBy::AveragePrice => "trimmed",
        DecidedBy::CostMean => "mean",
    }
}

fn percentiles(result: &TuningResult, rows: &[&PowerStats]) -> Option<(Column, Vec<Cell>)> {
    let spare = if result.percentile.is_some() { 0 } else { 2 };
    let text = |row: &&PowerStats| percentile(result, row).map(quantity::duration);
    optional("", &percentile_name(result), spare, rows.iter().map(text).collect())
}

fn balance(result: &TuningResult, rows: &[&PowerStats]) -> Option<(Column, Vec<Cell>)> {
    let score = |row: &&PowerStats| row.deciding?.score.map(|score| format!("{score:.3}"));
    let top = marked("Balance", result, Criterion::Balance);
    optional(&top, "lower wins", 0, rows.iter().map(score).collect())
}

fn failed(rows: &[&PowerStats]) -> Option<(Column, Vec<Cell>)> {
    optional("", "Failed", 0, rows.iter().map(|row| failures(row)).collect())
}

fn cost(result: &TuningResult, rows: &[&PowerStats], style: &Style) -> Option<(Column, Vec<Cell>)> {
    let costs: Vec<Option<f64>> =
        rows.iter().map(|row| row.deciding.map(|figures| figures.cost.mean * MILLION)).collect();
    let decimals = decimals(&costs);
    let amount = |cost: &Option<f64>| {
        cost.map(|cost| money(cost, result.currency, decimals, style.charset)).unwrap_or_default()
    };
    let amounts: Vec<String> = costs.iter().map(amount).collect();
    let uncertainties: Vec<String> = rows
        .iter()
        .map(|row| {
            row.deciding.and_then(|figures| quantity::uncertainty(figures.cost, style.charset))
        })
        .map(Option::unwrap_or_default)
        .collect();
    let top = marked("Cost per", result, Criterion::Cost);
    column(&top, "million", Align::Left, 0, paired(&amounts, &uncertainties, " "))
}

/// The decimals for a column of amounts.
pub(super) fn decimals(amounts: &[Option<f64>]) -> usize {
    let smallest = amounts.iter().flatten().copied().min_by(f64::total_cmp);
    quantity::decimals(smallest.unwrap_or(1.0))
}

/// The changes of cost and time against the current size.
fn comparison(
    result: &TuningResult,
    rows: &[&PowerStats],
    style: &Style,
) -> Option<(Column, Vec<Cell>)> {
    let today = result.current.as_ref()?.power;
    let ratios: Vec<Option<(f64, f64)>> = rows
        .iter()
        .map(|row| versus(result, row.value))
        .map(|versus| versus.map(|(cost, time)| (cost.ratio(), time.ratio())))
        .collect();
    let text =
        |ratio: Option<f64>| ratio.map(|ratio| change(ratio, style.charset)).unwrap_or_default();
    let side = |head: &str, figure: &dyn Fn((f64, f64)) -> f64| {
        let cells = ratios.iter().map(|ratios| text(ratios.map(figure)));
        right_aligned(&[head.to_owned()].into_iter().chain(cells).collect::<Vec<_>>())
    };
    let (costs, times) = (side("cost", &|(cost, _)| cost), side("time", &|(_, time)| time));
    let cells = rows.iter().zip(&ratios).enumerate().map(|(index, (row, ratios))| {
        if is_current(result, row.value) {
            return vec![Span::new("today", DIM)];
        }
        let painted =
            |text: &str, ratio: Option<f64>| Span::new(text, ratio.map_or(Paint::new(), paint));
        vec![
            painted(&costs[index + 1], ratios.map(|(cost, _)| cost)),
            Span::plain("  "),
            painted(&times[index + 1], ratios.map(|(_, time)| time)),
        ]
    });
    let head = format!("{}  {}", costs[0], times[0]);
    column(&format!("vs {today}"), &head, Align::Left, 1, cells.collect())
}

fn paint(ratio: f64) -> Paint {
    match direction(ratio) {
        Direction::Less => GOOD,
        Direction::Same => Paint::new(),
        Direction::More => BAD,
    }
}

fn cold_starts(rows: &[&PowerStats]) -> Option<(Column, Vec<Cell>)> {
    let counts: Vec<String> = rows.iter().map(|row| row.cold_starts.to_string()).collect();
    let init = |row: &&PowerStats| {
        row.init_duration.map(|ms| format!("({})", quantity::duration(ms))).unwrap_or_default()
    };
    let inits: Vec<String> = rows.iter().map(init).collect();
    column("Cold starts", "(init)", Align::Left, 3, paired(&counts, &inits, " "))
}

fn memory(rows: &[&PowerStats]) -> Option<(Column, Vec<Cell>)> {
    let texts = rows.iter().map(|row| row.max_memory_used.map(|mb| format!("{mb} MB"))).collect();
    optional("Memory", "used", 4, texts)
}

/// Cells with two parts, each aligned on its own.
fn paired(left: &[String], right: &[String], between: &str) -> Vec<Cell> {
    right_aligned(left)
        .into_iter()
        .zip(left_aligned(right))
        .map(|(left, right)| vec![Span::plain(left), Span::new(format!("{between}{right}"), DIM)])
        .collect()
}

/// A column, or `None` if all its cells are missing.
fn optional(
    top: &str,
    bottom: &str,
    spare: u8,
    texts: Vec<Option<String>>,
) -> Option<(Column, Vec<Cell>)> {
    texts.iter().flatten().next()?;
    let cells = texts.into_iter().map(|text| vec![Span::plain(text.unwrap_or_default())]).collect();
    column(top, bottom, Align::Right, spare, cells)
}

#[expect(clippy::unnecessary_wraps, reason = "beside columns that may be missing")]
fn column(
    top: &str,
    bottom: &str,
    align: Align,
    spare: u8,
    cells: Vec<Cell>,
) -> Option<(Column, Vec<Cell>)> {
    Some((Column { head: [top.to_owned(), bottom.to_owned()], align, spare }, cells))
}

fn legend(result: &TuningResult, style: &Style) -> Option<String> {
    let (best, tie) = (style.charset.best(), style.charset.tie());
    let tie = (!result.ties.is_empty()).then(|| format!("{tie} as good, as far as measured   "));
    let tie = tie.unwrap_or_default();
    let legend = format!("{best} chosen   {tie}* decides");
    (measured(result).count() > 1).then(|| format!("{}\n", style.paint(DIM, &legend)))
}

/// The measurements, the picture, and the warnings.
fn rests_on(result: &TuningResult, style: &Style) -> String {
    let mut lines = String::new();
    for (label, text) in provenance::lines(result, style.charset) {
        lines.push_str(&labelled(label, DIM, &wrapped(&text, style.width, LABEL), style));
    }
    // Not wrapped, so that a terminal can open it.
    let picture = harmless_url(result);
    lines.push_str(&labelled("Picture", DIM, &picture, style));
    for warning in &result.warnings {
        let warning = wrapped(&message(warning), style.width, LABEL);
        lines.push_str(&labelled("Warning", ATTENTION, &warning, style));
    }
    lines
}

fn harmless_url(result: &TuningResult) -> String {
    super::text::harmless(&result.state_machine.visualization)
}

pub(super) fn labelled(label: &str, paint: Paint, text: &str, style: &Style) -> String {
    format!("{}{text}\n", style.paint(paint, &format!("{label:LABEL$}")))
}
