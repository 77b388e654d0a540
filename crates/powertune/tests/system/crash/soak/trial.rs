//! A run of the soak, and its checks.

use std::{fmt, process::Output};

use super::case::Case;
use crate::crash::{
    answer,
    bench::{Bench, TIMEOUT_S},
    footprint::Footprint,
    operation::Operation,
    point::{clean_elsewhere, clean_there, is_unproven},
    process::{self, Host, finish, powertune, said},
    proxy::Proxy,
};

/// The end of a run without a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Answer,
    Error,
    Refusal,
    /// With leftovers, which `clean` has put back.
    LeftBehind,
    /// By SIGKILL, with leftovers that `clean` has put back.
    Killed,
}

/// A problem.
#[derive(Debug)]
pub(super) enum Problem {
    /// The function is neither as before nor as asked for.
    Leftover(String),
    /// The result, or the cap, is wrong.
    Account(String),
    Other(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leftover(what) => write!(f, "a leftover: {what}"),
            Self::Account(what) => write!(f, "a wrong account: {what}"),
            Self::Other(what) => write!(f, "{what}"),
        }
    }
}

/// The surroundings of a run.
struct Scene<'a> {
    case: &'a Case,
    bench: &'a Bench,
    host: Host,
    function: String,
    before: Footprint,
    proxy: Proxy,
}

impl Case {
    /// Runs it; returns the number of faults that it met, and its end.
    pub(super) async fn run(&self, bench: &Bench) -> (usize, Result<Ended, Problem>) {
        let function = bench.function(self.is_published).await;
        let before = bench.footprint(&function).await;
        let proxy = Proxy::start(bench, &self.traps);
        let scene = Scene { case: self, bench, host: Host::new(), function, before, proxy };
        scene.run().await
    }
}

impl Scene<'_> {
    async fn run(self) -> (usize, Result<Ended, Problem>) {
        let mut arguments = vec!["tune", &self.function, "--quiet", "--output", "json"];
        arguments.extend(self.case.arguments.iter().map(String::as_str));
        let mut faults = 0;
        let outcome = match powertune(&self.host, &self.proxy, &arguments).await {
            Ok(process::Ended::Killed) => self.cleaned(&mut faults).await.map(|()| Ended::Killed),
            Ok(process::Ended::ByItself(output)) => {
                let checked = self.check(&output, &mut faults).await;
                checked.map_err(|problem| problem.after(&output))
            }
            Err(problem) => Err(Problem::Other(problem)),
        };
        let bill = self.proxy.bill(TIMEOUT_S);
        let kept = bill.check_cap(self.case.max_cost).map_err(Problem::Account);
        (self.proxy.faults() + faults, outcome.and_then(|ended| kept.map(|()| ended)))
    }

    async fn check(&self, output: &Output, faults: &mut usize) -> Result<Ended, Problem> {
        let after = self.bench.footprint(&self.function).await;
        if !output.stdout.is_empty() && !self.case.is_dry {
            answer::check(output, &self.proxy.bill(TIMEOUT_S)).map_err(Problem::Account)?;
        }
        let text = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code();
        let is_as_before = || after.must_be(&self.before).map_err(Problem::Leftover);
        match code {
            Some(0) if answer::has_left_open(output) => is_as_before()?,
            Some(0) => {
                let checked = self.case.applies.check_end(&self.before, &after);
                checked.map_err(Problem::Leftover)?;
            }
            Some(1) => {
                is_as_before()?;
                let is_told = ["nothing was changed", "everything was put back"];
                if !is_told.iter().any(|told| text.contains(told)) {
                    return Err(Problem::Other("it does not say how things are".to_owned()));
                }
            }
            Some(2) => {
                is_as_before()?;
                if self.proxy.has_reached(Operation::Invoke) {
                    return Err(Problem::Other("it has invoked, and refuses".to_owned()));
                }
            }
            Some(4) if text.contains("; by hand: ") => {
                self.cleaned(faults).await?;
                return Ok(Ended::LeftBehind);
            }
            _ => return Err(Problem::Other("another exit code was expected".to_owned())),
        }
        if self.host.journals() > 0 {
            return Err(Problem::Leftover("it is over, and has left its journal".to_owned()));
        }
        Ok(match code {
            Some(0) => Ended::Answer,
            Some(1) => Ended::Error,
            _ => Ended::Refusal,
        })
    }

    /// Cleans up, first with faults, then without.
    async fn cleaned(&self, faults: &mut usize) -> Result<(), Problem> {
        let Self { case, bench, function, before, proxy, .. } = self;
        let disturbed = Proxy::start(bench, &case.traps_of_clean);
        let elsewhere = Host::new();
        let (host, arguments): (_, &[&str]) = if case.cleans_elsewhere {
            (&elsewhere, &["clean", function, "--force"])
        } else {
            (&self.host, &["clean", function])
        };
        let output = finish(host, &disturbed, arguments).await.map_err(Problem::Other)?;
        *faults += disturbed.faults();
        if !matches!(output.status.code(), Some(0 | 1 | 2 | 4)) {
            return Err(Problem::Other(format!("clean ended with {}", said(&output))));
        }
        let cleaned = if case.cleans_elsewhere {
            clean_elsewhere(bench, function, is_unproven(&proxy.changes())).await
        } else {
            clean_there(&self.host, bench, function).await
        };
        cleaned.map_err(Problem::Leftover)?;
        let after = bench.footprint(function).await;
        case.applies
            .check_cleaned(before, &after, proxy.may_have_applied(case.powers))
            .map_err(Problem::Leftover)
    }
}

impl Problem {
    /// Adds the output of the process.
    fn after(self, output: &Output) -> Self {
        let told = |text: String| format!("{text}; it ended with {}", said(output));
        match self {
            Self::Leftover(text) => Self::Leftover(told(text)),
            Self::Account(text) => Self::Account(told(text)),
            Self::Other(text) => Self::Other(told(text)),
        }
    }
}
