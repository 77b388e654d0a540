//! What the tests have come to, for people to read.

use std::sync::{Mutex, PoisonError};

use libtest_mimic::Failed;

/// The lines of all tests that have ended.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// What one test has come to.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) name: String,
    pub(crate) tried: usize,
    /// With fewer the test has not found what it should.
    pub(crate) fewest: usize,
    pub(crate) problems: Vec<String>,
    /// What is to be said of those without problems.
    pub(crate) verdict: &'static str,
    pub(crate) note: String,
}

impl Figures {
    /// Keeps the figures; fails if something is wrong with them.
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

/// Keeps a line until all tests have ended, so that it stands alone.
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
