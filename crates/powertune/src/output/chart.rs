//! A small chart with two bars for each memory size, one for the cost and one for the time, each in
//! proportion to the highest.

use powertune_core::result::{PowerStats, State, TuningResult};

use super::{
    figures::{Rank, deciding, rank},
    grid::{Align, Cell, Column, GridRow, Span, rendered},
    style::{COST, Charset, GOOD, Style, TIME},
    table::names,
};

/// The columns of the longest bar.
const LONGEST: usize = 32;
/// The columns of the memory sizes and the gaps.
const BESIDE: usize = 15;
/// With more powers than this, the chart would push the recommendation off the screen.
const MOST_POWERS: usize = 24;

/// The chart; `None` if there are too few or too many memory sizes for one.
pub(super) fn chart(result: &TuningResult, style: &Style) -> Option<String> {
    let shown: Vec<(&PowerStats, Cell)> = result
        .stats
        .iter()
        .zip(names(result, style))
        .filter(|(row, _)| row.state == State::Measured)
        .collect();
    if !(2..=MOST_POWERS).contains(&shown.len()) {
        return None;
    }
    let room = (style.width.saturating_sub(BESIDE) / 2).min(LONGEST);
    let figures: Vec<(f64, f64)> =
        shown.iter().map(|(row, _)| deciding(row)).collect::<Option<_>>()?;
    let highest = |figures: &mut dyn Iterator<Item = f64>| figures.fold(0.0, f64::max);
    let highest_cost = highest(&mut figures.iter().map(|(cost, _)| *cost));
    let highest_time = highest(&mut figures.iter().map(|(_, time)| *time));
    let lines: Vec<GridRow> = shown
        .iter()
        .zip(&figures)
        .map(|((row, name), (cost, time))| {
            let best = rank(result, row.value) == Rank::Best;
            let bar = |share, paint| {
                vec![Span::new(bar(share, room, style.charset), if best { GOOD } else { paint })]
            };
            let (cost, time) = (bar(cost / highest_cost, COST), bar(time / highest_time, TIME));
            GridRow::Cells(vec![name.clone(), cost, time])
        })
        .collect();
    let wide = |title: &str| format!("{title:room$}");
    let columns = [String::new(), wide("Cost"), wide("Time")].map(|title| Column {
        head: [String::new(), title],
        align: Align::Left,
        spare: 0,
    });
    Some(rendered(&columns, &lines, style).trim_start_matches('\n').to_owned())
}

/// A bar over `share` of `room` columns.
fn bar(share: f64, room: usize, charset: Charset) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let eighths = whole(share * room as f64 * 8.0).max(1);
    match charset {
        Charset::Unicode => format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8]),
        Charset::Ascii => "#".repeat(((eighths + 4) / 8).max(1)),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of the columns of a terminal"
)]
fn whole(value: f64) -> usize {
    value.round() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_share() {
        let unicode = |share| bar(share, 4, Charset::Unicode);
        assert_eq!(unicode(1.0), "████");
        assert_eq!(unicode(0.5), "██");
        assert_eq!(unicode(0.53), "██▏");
        assert_eq!(unicode(0.0), "▏");
        assert_eq!(unicode(f64::NAN), "▏");
        assert_eq!(bar(0.5, 4, Charset::Ascii), "##");
        assert_eq!(bar(0.01, 4, Charset::Ascii), "#");
    }
}
