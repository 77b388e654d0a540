//! Runs each check behind the promises in RELIABILITY.md, and writes its findings into that page.
//!
//! A check is a test or a script that says what it found in lines that begin with `figure: `.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader},
    process::Stdio,
    time::Instant,
};

use anyhow::{Context, Result, bail};

use crate::{recordings, shell};

/// The page, and the lines in it between which the figures go.
const PAGE: &str = "RELIABILITY.md";
const BEGIN: &str = "<!-- figures: begin, by cargo xtask reliability -->";
const END: &str = "<!-- figures: end -->";
/// The beginning of a line with the finding of a check.
const FIGURE: &str = "figure: ";

/// The check that needs what this repository does not hold.
const RECORDED: &str = "Answers of AWS";

/// A check and what it is called by.
struct Check {
    title: &'static str,
    /// The arguments of cargo, or of a shell script in the repository.
    command: &'static [&'static str],
}

const CHECKS: &[Check] = &[
    Check {
        title: "Killed at every change; what goes wrong",
        command: &["cargo", "test", "-p", "powertune", "--test", "system", "crash"],
    },
    Check {
        title: "The state machine",
        command: &["cargo", "test", "-p", "powertune", "--test", "system", "--", "--every-machine"],
    },
    Check {
        title: "A soak",
        command: &["cargo", "test", "-p", "powertune", "--test", "system", "--", "--seed", "7"],
    },
    Check {
        title: "Every interleaving of runs that begin",
        command: &[
            "cargo",
            "test",
            "-p",
            "powertune-engine",
            "--lib",
            "explorer",
            "--",
            "--nocapture",
        ],
    },
    Check {
        title: "Races of runs",
        command: &[
            "env",
            "POWERTUNE_RACES=200",
            "cargo",
            "test",
            "-p",
            "powertune-engine",
            "--test",
            "local",
            "races",
            "--",
            "--nocapture",
        ],
    },
    Check { title: RECORDED, command: &["cargo", "xtask", "recordings"] },
    Check {
        title: "Permissions",
        command: &[
            "cargo",
            "test",
            "-p",
            "powertune",
            "--test",
            "system",
            "the_state_machine_on_moto",
        ],
    },
    Check { title: "Load", command: &["cargo", "bench", "-p", "powertune", "--bench", "load"] },
    Check {
        title: "Bad input",
        command: &["cargo", "test", "-p", "powertune-core", "--test", "corpus"],
    },
    Check {
        title: "Fuzzed, half a minute each",
        command: &["cargo", "xtask", "fuzz", "--seconds", "30"],
    },
    Check {
        title: "What functions and others say",
        command: &["cargo", "test", "-p", "powertune", "--test", "system", "hostile"],
    },
    Check {
        title: "Who gets in",
        command: &[
            "cargo",
            "test",
            "-p",
            "powertune-local",
            "--test",
            "api",
            "security",
            "--",
            "--nocapture",
        ],
    },
    Check {
        title: "What gets out",
        command: &[
            "cargo",
            "test",
            "-p",
            "powertune",
            "--test",
            "cli",
            "local",
            "--",
            "--nocapture",
        ],
    },
];

/// Runs every check, or those whose title or command contains `only`, and writes what each found
/// into the page as soon as it is known.
pub(crate) fn run(only: Option<&str>) -> Result<()> {
    let is_chosen = |check: &&Check| {
        only.is_none_or(|only| check.shown().contains(only) || check.title.contains(only))
    };
    let mut chosen: Vec<&Check> = CHECKS.iter().filter(is_chosen).collect();
    if chosen.is_empty() {
        bail!("no check contains {:?}", only.unwrap_or_default());
    }
    if let Err(missing) = recordings::folder(None) {
        println!("{RECORDED}: left out, because {missing}");
        chosen.retain(|check| check.title != RECORDED);
    }
    let commit = commit()?;
    for check in chosen {
        let started = Instant::now();
        let figures = check.run().with_context(|| check.title)?;
        let took = format!("{} s at {commit}", started.elapsed().as_secs());
        let mut rows = format!("| {}`{}` | {took} |\n", check.heading(), check.shown());
        for figure in figures {
            let (what, found) = figure.split_once(": ").unwrap_or((figure.as_str(), ""));
            let _ = writeln!(rows, "| {what} | {found} |");
        }
        println!("\n{rows}");
        write(check, &rows)?;
    }
    Ok(())
}

/// The commit that is checked, and whether there is more than it has.
fn commit() -> Result<String> {
    let commit = shell::output(shell::command("git").args(["rev-parse", "--short=10", "HEAD"]))?;
    let changed = shell::output(shell::command("git").args(["status", "--porcelain"]))?;
    let is_changed = changed.lines().any(|line| !line.ends_with(PAGE));
    Ok(format!("{}{}", commit.trim(), if is_changed { ", changed" } else { "" }))
}

impl Check {
    fn shown(&self) -> String {
        self.command.join(" ")
    }

    /// The beginning of its first row in the page.
    fn heading(&self) -> String {
        format!("**{}**, ", self.title)
    }

    /// The lines in which it says what it found. Everything that it prints is passed on.
    fn run(&self) -> Result<Vec<String>> {
        let (program, arguments) = self.command.split_first().context("a command has a name")?;
        let mut command =
            if *program == "cargo" { shell::cargo() } else { shell::command(program) };
        command.args(arguments).stdout(Stdio::piped());
        let mut process = command.spawn().with_context(|| self.shown())?;
        let printed = process.stdout.take().context("its output is piped")?;
        let mut figures = Vec::new();
        for line in BufReader::new(printed).lines() {
            let line = line?;
            println!("{line}");
            // The test harness may have begun a line with the test's name.
            let figure = line.split_once(FIGURE).map(|(_, figure)| figure.to_owned());
            figures.extend(figure);
        }
        let status = process.wait()?;
        if !status.success() {
            bail!("{} failed: {status}", self.shown());
        }
        if figures.is_empty() {
            bail!("{} says nothing of what it found", self.shown());
        }
        Ok(figures)
    }
}

/// Puts a check's rows into the page, in place of those that it has there.
fn write(check: &Check, rows: &str) -> Result<()> {
    let path = shell::root().join(PAGE);
    let page = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let (before, rest) = page.split_once(BEGIN).context("the page has no place for figures")?;
    let (table, after) = rest.split_once(END).context("the place for figures has no end")?;
    let table = replaced(table, check, rows);
    let page = format!("{before}{BEGIN}\n| what | found |\n|---|---|\n{table}{END}{after}");
    fs::write(&path, page).with_context(|| path.display().to_string())
}

/// The rows of every check, in order: this one's are new, the others' are those of the old table.
fn replaced(table: &str, check: &Check, rows: &str) -> String {
    let mut new = String::new();
    for known in CHECKS {
        if known.title == check.title {
            new.push_str(rows);
            continue;
        }
        let begin = format!("| {}", known.heading());
        let old = table.lines().skip_while(|line| !line.starts_with(&begin));
        let is_own = |line: &&str| line.starts_with(&begin) || !line.starts_with("| **");
        for line in old.take_while(is_own).filter(|line| !line.is_empty()) {
            let _ = writeln!(new, "{line}");
        }
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_replaces_its_own_rows_alone() {
        let [first, second, ..] = CHECKS else { unreachable!("there are many") };
        let rows =
            |check: &Check, found: &str| format!("| {}x | |\n| a | {found} |\n", check.heading());
        let (of_first, of_second) = (rows(first, "1"), rows(second, "2"));
        let table = replaced("", second, &of_second);
        assert_eq!(table, of_second);
        let table = replaced(&table, first, &of_first);
        assert_eq!(table, format!("{of_first}{of_second}"));
        let again = rows(first, "3");
        assert_eq!(replaced(&table, first, &again), format!("{again}{of_second}"));
    }
}
