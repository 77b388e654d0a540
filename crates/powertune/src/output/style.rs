//! The style of the output: as the terminal allows and the user wants it.

use std::{
    env,
    io::{IsTerminal, Stdout, stdout},
};

use anstyle::{AnsiColor, Style as Paint};
use clap::ValueEnum;
use powertune_core::region::Currency;

/// The width without a terminal, and the largest width of a table.
const WIDTH: usize = 100;
/// The smallest width. On a narrower terminal, lines wrap.
const LEAST_WIDTH: usize = 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless the environment says otherwise
    Auto,
    /// Also where it is written to a file or a pipe
    Always,
    /// Never
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) color: bool,
    /// In columns.
    pub(crate) width: usize,
    pub(crate) charset: Charset,
}

/// The characters that a display shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charset {
    Unicode,
    /// For a locale without UTF-8.
    Ascii,
}

impl Style {
    /// The style for standard output.
    pub(crate) fn of_stdout(color: Color) -> Self {
        let mut style = Self::of(&stdout(), |name| env::var(name).ok());
        match color {
            Color::Auto => {}
            Color::Always => style.color = true,
            Color::Never => style.color = false,
        }
        style
    }

    fn of(stdout: &Stdout, variable: impl Fn(&str) -> Option<String>) -> Self {
        let columns = terminal_size::terminal_size_of(stdout).map(|(width, _)| width.0.into());
        Self::choose(stdout.is_terminal(), columns, variable)
    }

    fn choose(
        terminal: bool,
        columns: Option<usize>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_some_and(|term| term == "dumb");
        let forced = set("CLICOLOR_FORCE").is_some_and(|value| value != "0");
        Self {
            color: set("NO_COLOR").is_none() && (forced || terminal && !dumb),
            width: columns.filter(|_| terminal).unwrap_or(WIDTH).clamp(LEAST_WIDTH, WIDTH),
            charset: Charset::choose(variable),
        }
    }

    /// The text with escape codes, if they are allowed.
    pub(super) fn paint(&self, paint: Paint, text: &str) -> String {
        if self.color && paint != Paint::new() && !text.is_empty() {
            format!("{paint}{text}{paint:#}")
        } else {
            text.to_owned()
        }
    }
}

impl Charset {
    /// The characters of the environment's locale.
    pub(crate) fn of_environment() -> Self {
        Self::choose(|name| env::var(name).ok())
    }

    fn choose(variable: impl Fn(&str) -> Option<String>) -> Self {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .find_map(|name| variable(name).filter(|value| !value.is_empty()))
            .unwrap_or_default()
            .to_ascii_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") {
            Self::Unicode
        } else {
            Self::Ascii
        }
    }

    /// `unicode`, or its replacement in ASCII.
    pub(crate) const fn pick(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        match self {
            Self::Unicode => unicode,
            Self::Ascii => ascii,
        }
    }

    pub(super) const fn minus(self) -> &'static str {
        self.pick("−", "-")
    }

    pub(super) const fn plus_minus(self) -> &'static str {
        self.pick("±", "+/-")
    }

    /// Between the ends of a range.
    pub(super) const fn dash(self) -> &'static str {
        self.pick("–", "-")
    }

    /// Before the chosen power.
    pub(super) const fn best(self) -> &'static str {
        self.pick("▸", ">")
    }

    /// Before a power that can't be told apart from the chosen one.
    pub(super) const fn tie(self) -> &'static str {
        self.pick("≈", "~")
    }

    /// Before an amount in `currency`.
    pub(super) const fn currency(self, currency: Currency) -> &'static str {
        match currency {
            Currency::Usd => "$",
            Currency::Cny => self.pick("¥", "CNY "),
            Currency::Eur => self.pick("€", "EUR "),
        }
    }
}

/// The sentence that matters, and headings.
pub(super) const BOLD: Paint = Paint::new().bold();
/// The chosen power, and changes for the better.
pub(super) const GOOD: Paint = AnsiColor::Green.on_default();
/// Changes for the worse, and powers that failed.
pub(super) const BAD: Paint = AnsiColor::Red.on_default();
/// Warnings.
pub(super) const ATTENTION: Paint = AnsiColor::Yellow.on_default();
/// Details.
pub(super) const DIM: Paint = Paint::new().dimmed();
pub(super) const COST: Paint = AnsiColor::Cyan.on_default();
pub(super) const TIME: Paint = AnsiColor::Blue.on_default();

#[cfg(test)]
mod tests {
    use super::*;

    fn style(terminal: bool, columns: Option<usize>, variables: &[(&str, &str)]) -> Style {
        let find = |name: &str| variables.iter().find(|(given, _)| *given == name);
        Style::choose(terminal, columns, |name| find(name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn only_a_terminal_gets_escape_codes() {
        assert!(style(true, Some(80), &[("TERM", "xterm")]).color);
        assert!(style(true, Some(80), &[("NO_COLOR", "")]).color);
        assert!(!style(false, None, &[("TERM", "xterm")]).color);
        assert!(!style(true, Some(80), &[("NO_COLOR", "1")]).color);
        assert!(!style(true, Some(80), &[("TERM", "dumb")]).color);
        let plain = style(false, None, &[]);
        assert_eq!(plain.paint(BOLD, "text"), "text");
        assert_eq!(style(true, None, &[]).paint(BOLD, "text"), "\u{1b}[1mtext\u{1b}[0m");
    }

    #[test]
    fn the_width_is_the_terminals_within_reason() {
        assert_eq!(style(true, Some(80), &[]).width, 80);
        assert_eq!(style(true, Some(300), &[]).width, 100);
        assert_eq!(style(true, Some(0), &[]).width, 40);
        assert_eq!(style(false, Some(80), &[]).width, 100);
    }

    #[test]
    fn the_first_locale_that_is_set_decides_on_the_characters() {
        let charset = |variables: &[(&str, &str)]| style(true, None, variables).charset;
        assert_eq!(charset(&[("LANG", "en_US.UTF-8")]), Charset::Unicode);
        assert_eq!(charset(&[("LC_ALL", "C.utf8"), ("LANG", "C")]), Charset::Unicode);
        assert_eq!(charset(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]), Charset::Ascii);
        assert_eq!(charset(&[("LC_ALL", ""), ("LANG", "en_US.UTF-8")]), Charset::Unicode);
        assert_eq!(charset(&[]), Charset::Ascii);
    }
}
