//! The figures of the tests, for people.

use std::sync::{Mutex, PoisonError};

use libtest_mimic::Failed;

/// The lines of all tests that have ended.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The figures of one test.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) name: String,
    pub(crate) tried: usize,
    /// The least number of cases. With fewer, the test has missed some.
    pub(crate) fewest: usize,
    pub(crate) problems: Vec<String>,
    /// The word for cases without problems.
    pub(crate) verdict: &'static str,
    pub(crate) note: String,
}

impl Figures {
    /// Keeps the figures; fails if there are problems.
    pub(crate) fn conclude(self) -> Result<(), Failed> {
        let Self { name, tried, fewest, problems, verdict, note } = self;
        let well = tried - problems.len();
        keep(format!("{name}: {well} of {tried} {verdict}{note}"));
        match problems.as_slice() {
            [] if tried < fewest => Err(format!("only {tried} were found").into()),
            [] => Ok(()),
            problems => Err(problems.join("\n").into()),
        }
    }
}

/// Keeps a line until all tests have ended, so that no other output is in between.
pub(crate) fn keep(figure: String) {
    LINES.lock().unwrap_or_else(PoisonError::into_inner).push(figure);
}

pub(crate) fn print() {
    let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines.sort();
    for line in lines.drain(..) {
        println!("figure: {line}");
    }
}
