//! What the promises in RELIABILITY.md rest on: runs each check and writes down what it found.
//!
//! A check is a test or a script that says what it found in lines that begin with `figure: `.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::Stdio,
    time::Instant,
};

use anyhow::{Context, Result, bail};

use crate::shell;

/// The page, and the lines in it between which the figures go.
const PAGE: &str = "RELIABILITY.md";
const BEGIN: &str = "<!-- figures: begin, by cargo xtask reliability -->";
const END: &str = "<!-- figures: end -->";
/// What a line begins with that says what a check found.
const FIGURE: &str = "figure: ";

/// A check and what it is called by.
struct Check {
    title: &'static str,
    /// What cargo, or a shell script in the repository, is given.
    command: &'static [&'static str],
}

const CHECKS: &[Check] = &[
    Check {
        title: "Killed at every change; what goes wrong",
        command: &["cargo", "test", "-p", "powertune", "--test", "crash"],
    },
    Check {
        title: "Others at the same function",
        command: &[
            "cargo",
            "test",
            "-p",
            "powertune-engine",
            "--test",
            "local",
            "others",
            "--",
            "--nocapture",
        ],
    },
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
        command: &["cargo", "test", "-p", "powertune", "--test", "hostile"],
    },
    Check {
        title: "Who gets in",
        command: &[
            "cargo",
            "test",
            "-p",
            "powertune-local",
            "--test",
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

/// Runs every check, or those whose title or command contains `only`, and prints what they found;
/// writes the page if all were run and none failed.
pub(crate) fn run(only: Option<&str>) -> Result<()> {
    let chosen: Vec<&Check> = CHECKS
        .iter()
        .filter(|check| only.is_none_or(|only| check.shown().contains(only)))
        .collect();
    if chosen.is_empty() {
        bail!("no check contains {:?}", only.unwrap_or_default());
    }
    let mut rows = vec!["| what | found | seconds |".to_owned(), "|---|---|--:|".to_owned()];
    for check in chosen {
        let started = Instant::now();
        let figures = check.run().with_context(|| check.title)?;
        let seconds = started.elapsed().as_secs();
        rows.push(format!("| **{}**, `{}` | | {seconds} |", check.title, check.shown()));
        for figure in figures {
            let (what, found) = figure.split_once(": ").unwrap_or((figure.as_str(), ""));
            rows.push(format!("| {what} | {found} | |"));
        }
    }
    let table = rows.join("\n") + "\n";
    println!("\n{table}");
    if only.is_none() { write(&table) } else { Ok(()) }
}

impl Check {
    fn shown(&self) -> String {
        self.command.join(" ")
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

/// Puts the table into the page, in place of the one that is there.
fn write(table: &str) -> Result<()> {
    let path = shell::root().join(PAGE);
    let page = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let (before, rest) = page.split_once(BEGIN).context("the page has no place for figures")?;
    let (_, after) = rest.split_once(END).context("the place for figures has no end")?;
    let page = format!("{before}{BEGIN}\n{table}{END}{after}");
    fs::write(&path, page).with_context(|| path.display().to_string())?;
    println!("{PAGE} is written");
    Ok(())
}
