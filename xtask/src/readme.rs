//! The picture in README.md: the output of a real `powertune demo`, in the colours of a terminal.

use std::{fs, process::Output};

use anstyle_svg::{Term, WIN10_CONSOLE};
use anyhow::{Context, Result, bail};

use crate::shell;

/// The page, and the lines in it between which the picture is shown.
const PAGE: &str = "README.md";
const BEGIN: &str = "<!-- demo: begin, by cargo xtask readme -->";
const END: &str = "<!-- demo: end -->";
const PICTURE: &str = "docs/demo.svg";

/// Columns of the terminal in the picture; the widest table has as many.
const WIDTH: usize = 100;
/// A colour begins with this, and ends with an `m`.
const ESCAPE: char = '\u{1b}';

/// Runs the demo, and puts its output into the picture and its recommendation into the page.
pub(crate) fn write() -> Result<()> {
    // With the whole workspace nothing is built a second time with other features.
    shell::run(shell::cargo().args(["build", "--quiet", "--workspace", "--bin", "powertune"]))?;
    let output = demo()?;
    let page = page()?;
    let (before, after) = around(&page)?;
    let shown = format!("{before}{BEGIN}\n{}\n{END}{after}", image(&recommendation(&output)));
    for (path, text) in [(PICTURE, picture(&output)), (PAGE, shown)] {
        fs::write(shell::root().join(path), text).with_context(|| path.to_owned())?;
        println!("{path}");
    }
    Ok(())
}

/// Fails if the page has no place for the picture, or does not show it. Every run is another one, so
/// the content can't be compared.
pub(crate) fn check() -> Result<()> {
    let page = page()?;
    let (before, after) = around(&page)?;
    let shown = &page[before.len()..page.len() - after.len()];
    if !shown.contains(&format!("]({PICTURE})")) {
        bail!("{PAGE} does not show {PICTURE}: run `cargo xtask readme`");
    }
    Ok(())
}

fn page() -> Result<String> {
    fs::read_to_string(shell::root().join(PAGE)).with_context(|| PAGE.to_owned())
}

/// The page before and after the place of the picture.
fn around(page: &str) -> Result<(&str, &str)> {
    let (before, rest) =
        page.split_once(BEGIN).with_context(|| format!("{PAGE} has no {BEGIN}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("{PAGE} has no {END}"))?;
    Ok((before, after))
}

/// The coloured output of a demo on an idle machine.
fn demo() -> Result<String> {
    let mut demo = shell::command(shell::root().join("target/debug/powertune"));
    demo.args(["demo", "--color", "always", "--no-progress"]).env("LC_ALL", "C.UTF-8");
    let Output { status, stdout, stderr } = demo.output().context("the demo does not start")?;
    let said = String::from_utf8_lossy(&stderr);
    if !status.success() {
        bail!("the demo failed: {status}\n{said}");
    }
    let output = String::from_utf8(stdout).context("the demo's output")?;
    if format!("{output}{said}").contains("this machine is busy") {
        bail!("this machine is busy, and its figures would be no example: run it again later");
    }
    Ok(output)
}

/// The output as a terminal shows it: with bright colours, and no line beyond its width.
fn picture(output: &str) -> String {
    let mut palette = WIN10_CONSOLE;
    // The darker half is hard to read on black.
    palette.0.copy_within(9..16, 1);
    let lines: Vec<_> = output.trim_end().lines().map(cut).collect();
    let svg =
        Term::new().palette(palette).render_svg(&format!("$ powertune demo\n{}", lines.join("\n")));
    svg.replace(".dimmed { opacity: 0.4; }", ".dimmed { opacity: 0.7; }")
}

/// A line that ends at the terminal's width.
fn cut(line: &str) -> String {
    let mut width = 0;
    let kept = with_escapes(line).filter_map(|(c, is_escape)| {
        width += usize::from(!is_escape);
        let is_kept = is_escape || width <= WIDTH;
        is_kept.then_some(c).or_else(|| (width == WIDTH + 1).then_some('…'))
    });
    kept.collect()
}

/// The first paragraph of a result, as plain text in one line.
fn recommendation(output: &str) -> String {
    let lines: Vec<_> = output.lines().take_while(|line| !line.trim().is_empty()).collect();
    let text = lines.join(" ");
    with_escapes(&text).filter(|(_, is_escape)| !is_escape).map(|(c, _)| c).collect()
}

/// Each character of a text, and whether it is part of a colour's code.
fn with_escapes(text: &str) -> impl Iterator<Item = (char, bool)> {
    text.chars().scan(false, |is_inside, c| {
        let is_escape = *is_inside || c == ESCAPE;
        *is_inside = is_escape && c != 'm';
        Some((c, is_escape))
    })
}

/// The picture, with what it says for a reader who can't see it.
fn image(recommendation: &str) -> String {
    let spoken = recommendation.replace(['[', ']'], "");
    format!(
        "![The output of powertune demo. {spoken} A table and a chart show each memory size with \
         its time and its cost.]({PICTURE})"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recommendation_is_the_first_paragraph_without_colours() {
        let output = "\u{1b}[1mChoose 512 MB:\u{1b}[0m cheaper\nand faster.\n\nTable\n";
        assert_eq!(recommendation(output), "Choose 512 MB: cheaper and faster.");
    }

    #[test]
    fn a_long_line_is_cut_and_its_colours_end() {
        let long = format!("\u{1b}[1m{}\u{1b}[0m", "x".repeat(WIDTH + 9));
        assert_eq!(cut(&long), format!("\u{1b}[1m{}…\u{1b}[0m", "x".repeat(WIDTH)));
        assert_eq!(cut("short"), "short");
    }

    #[test]
    fn the_page_shows_the_picture_between_the_marks() {
        let page = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        assert_eq!(around(&page).unwrap(), ("a\n", "\nb\n"));
        assert!(around("a").is_err());
    }
}
