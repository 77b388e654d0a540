//! Aligned columns of cells. If not all columns fit, the least important ones are left out.

use anstyle::Style as Paint;

use super::{
    style::{BOLD, Style},
    text::{self, wrapped},
};

/// The spaces between two columns.
const GAP: usize = 2;

#[derive(Debug, Clone)]
pub(super) struct Span {
    text: String,
    paint: Paint,
}

impl Span {
    pub(super) fn new(text: impl Into<String>, paint: Paint) -> Self {
        Self { text: text.into(), paint }
    }

    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self::new(text, Paint::new())
    }
}

pub(super) type Cell = Vec<Span>;

fn width(cell: &Cell) -> usize {
    cell.iter().map(|span| text::width(&span.text)).sum()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

#[derive(Debug, Clone)]
pub(super) struct Column {
    /// The two lines of the head.
    pub(super) head: [String; 2],
    pub(super) align: Align,
    /// The column with the highest number is left out first; 0 always stays.
    pub(super) spare: u8,
}

#[derive(Debug, Clone)]
pub(super) enum GridRow {
    /// A cell for each column.
    Cells(Vec<Cell>),
    /// A first cell, and a text across all other columns.
    Text(Cell, Span),
}

/// The text of the grid; each line ends with a line break.
pub(super) fn rendered(columns: &[Column], lines: &[GridRow], style: &Style) -> String {
    let widths: Vec<usize> =
        (0..columns.len()).map(|index| column_width(columns, lines, index)).collect();
    let kept = fitting(columns, &widths, style.width);
    let mut rendered = String::new();
    for level in 0..2 {
        let head = |&index: &usize| vec![Span::new(columns[index].head[level].clone(), BOLD)];
        let cells: Vec<Cell> = kept.iter().map(head).collect();
        push_cells(&mut rendered, &cells, &kept, columns, &widths, style);
    }
    for line in lines {
        match line {
            GridRow::Cells(cells) => {
                let cells: Vec<Cell> = kept.iter().map(|&index| cells[index].clone()).collect();
                push_cells(&mut rendered, &cells, &kept, columns, &widths, style);
            }
            GridRow::Text(first, rest) => {
                let indent = widths.first().copied().unwrap_or(0) + GAP;
                rendered.push_str(&aligned(first, Align::Right, indent - GAP, style));
                rendered.push_str(&" ".repeat(GAP));
                let rest_text = wrapped(&rest.text, style.width, indent);
                rendered.push_str(&style.paint(rest.paint, &rest_text));
                rendered.push('\n');
            }
        }
    }
    rendered
}

fn column_width(columns: &[Column], lines: &[GridRow], index: usize) -> usize {
    let cells = lines.iter().filter_map(|line| match line {
        GridRow::Cells(cells) => Some(width(&cells[index])),
        GridRow::Text(first, _) => (index == 0).then(|| width(first)),
    });
    let heads = columns[index].head.iter().map(|head| text::width(head));
    cells.chain(heads).max().unwrap_or(0)
}

/// The indices of the columns that fit in `room`.
fn fitting(columns: &[Column], widths: &[usize], room: usize) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..columns.len()).collect();
    loop {
        let total: usize = kept.iter().map(|&index| widths[index] + GAP).sum();
        if total <= room + GAP {
            return kept;
        }
        let spare = kept.iter().enumerate().max_by_key(|(_, index)| columns[**index].spare);
        match spare {
            Some((place, &index)) if columns[index].spare > 0 => kept.remove(place),
            _ => return kept,
        };
    }
}

fn push_cells(
    rendered: &mut String,
    cells: &[Cell],
    kept: &[usize],
    columns: &[Column],
    widths: &[usize],
    style: &Style,
) {
    let cells: Vec<String> = cells
        .iter()
        .zip(kept)
        .map(|(cell, &index)| aligned(cell, columns[index].align, widths[index], style))
        .collect();
    rendered.push_str(cells.join(&" ".repeat(GAP)).trim_end());
    rendered.push('\n');
}

fn aligned(cell: &Cell, align: Align, room: usize, style: &Style) -> String {
    let padding = " ".repeat(room.saturating_sub(width(cell)));
    let text: String = cell.iter().map(|span| style.paint(span.paint, &span.text)).collect();
    match align {
        Align::Left => text + &padding,
        Align::Right => padding + &text,
    }
}

/// The texts with spaces before them, all as wide as the widest.
pub(super) fn right_aligned(texts: &[String]) -> Vec<String> {
    padded(texts, |padding, text| padding + text)
}

/// The texts with spaces behind them, all as wide as the widest.
pub(super) fn left_aligned(texts: &[String]) -> Vec<String> {
    padded(texts, |padding, text| text.to_owned() + &padding)
}

fn padded(texts: &[String], join: impl Fn(String, &str) -> String) -> Vec<String> {
    let room = texts.iter().map(|text| text::width(text)).max().unwrap_or(0);
    texts.iter().map(|text| join(" ".repeat(room - text::width(text)), text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::style::Charset;

    fn column(head: &str, align: Align, spare: u8) -> Column {
        Column { head: [String::new(), head.to_owned()], align, spare }
    }

    fn cells(texts: &[&str]) -> GridRow {
        GridRow::Cells(texts.iter().map(|text| vec![Span::plain(*text)]).collect())
    }

    fn shown(width: usize) -> String {
        let columns = [
            column("a", Align::Right, 0),
            column("bb", Align::Left, 2),
            column("c", Align::Right, 1),
        ];
        let reason = GridRow::Text(vec![Span::plain("z")], Span::plain("why it is not there"));
        let lines = [cells(&["1", "x", "±10"]), cells(&["22", "yyy", "2"]), reason];
        rendered(&columns, &lines, &Style { color: false, width, charset: Charset::Unicode })
    }

    #[test]
    fn cells_are_aligned() {
        let expected =
            "\n a  bb     c\n 1  x    ±10\n22  yyy    2\n z  why it\n    is not\n    there\n";
        assert_eq!(shown(12), expected);
    }

    #[test]
    fn the_least_wanted_column_goes_first() {
        assert_eq!(shown(11).lines().nth(3), Some("22    2"));
        assert_eq!(shown(6).lines().nth(3), Some("22"));
    }
}
