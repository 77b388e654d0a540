//! One fault, single or lasting, in the middle of a run, and the end of the run.

use std::{fmt, process::Output};

use crate::crash::{
    answer,
    bench::{Bench, TIMEOUT_S},
    by_hand::by_hand,
    fault::{FAILURE, Fault},
    footprint::Footprint,
    kind::{Applied, POWERS},
    operation::Operation,
    point::clean_there,
    process::{Host, finish, said},
    proxy::Proxy,
    trap::{Aim, Trap},
};

/// The answer to credentials that have expired.
pub(crate) const EXPIRED: Fault = Fault::exception(403, "ExpiredTokenException");
/// The answer to a caller without the permission.
pub(crate) const DENIED: Fault = Fault::exception(403, "AccessDeniedException");

/// The alias that a run makes.
pub(crate) const NEW_ALIAS: &str = "tuned";

/// A fault, and the requests that get it.
#[derive(Debug, Clone)]
pub(crate) struct Strike {
    pub(crate) aim: Aim,
    pub(crate) fault: Fault,
    /// The expected end of the run; `None` if an answer and an error are both right.
    pub(crate) ending: Option<Ending>,
    /// The alias that the choice is applied to: the user's, or a new one.
    pub(crate) alias: &'static str,
    pub(crate) timeout_s: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Ending {
    /// With the right answer.
    Answer,
    /// With an error that says what to do, and everything as it was.
    Error,
    /// With an error that says what is left, and how to put it back.
    LeftBehind,
}

/// The way to put the function back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    Clean,
    /// The commands that the run has named.
    ByHand,
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.fault, self.aim)
    }
}

impl Strike {
    /// A fault that a run should survive. The run makes every call that powertune has.
    pub(crate) fn new(aim: Aim, fault: Fault) -> Self {
        Self { aim, fault, ending: None, alias: NEW_ALIAS, timeout_s: TIMEOUT_S }
    }

    /// The end of a run with this fault, or its problem.
    pub(crate) async fn outcome(
        self,
        bench: &Bench,
        remedy: Remedy,
    ) -> (Self, Result<Ending, String>) {
        let outcome = self.strike(bench, remedy).await;
        (self, outcome)
    }

    async fn strike(&self, bench: &Bench, remedy: Remedy) -> Result<Ending, String> {
        let function = bench.function_with(false, self.timeout_s).await;
        let before = bench.footprint(&function).await;
        let trap = Trap::Fault { aim: self.aim.clone(), fault: self.fault };
        let proxy = Proxy::start(bench, &[trap]);
        let host = Host::new();
        let arguments =
            ["tune", &function, "--power-values", POWERS, "--quiet", "--output", "json"];
        let applies = Applied::Alias(self.alias);
        let arguments = [arguments.as_slice(), &["--num", "5"], &applies.arguments()].concat();
        let output = finish(&host, &proxy, &arguments).await?;
        if proxy.faults() == 0 {
            return Err(format!("there was no such request: {}", said(&output)));
        }
        let after = bench.footprint(&function).await;
        let checked = match output.status.code() {
            Some(0) if answer::has_left_open(&output) => after
                .must_be(&before)
                .and_then(|()| answer::check(&output, &proxy.bill(self.timeout_s)))
                .map(|()| Ending::Answer),
            Some(0) => applies
                .check_end(&before, &after)
                .and_then(|()| answer::check(&output, &proxy.bill(self.timeout_s)))
                .map(|()| Ending::Answer),
            Some(1) => after.must_be(&before).map(|()| Ending::Error),
            Some(2) => self.check_refusal(&before, &after, &proxy).map(|()| Ending::Error),
            Some(4) => {
                match remedy {
                    Remedy::Clean => clean_there(&host, bench, &function).await?,
                    Remedy::ByHand => by_hand(&host, bench, &output).await?,
                }
                let cleaned = bench.footprint(&function).await;
                let checked =
                    applies.check_cleaned(&before, &cleaned, proxy.may_have_applied(POWERS));
                checked.map(|()| Ending::LeftBehind)
            }
            _ => Err("another exit code was expected".to_owned()),
        };
        let checked = checked.and_then(|ending| self.check_ending(ending, &output));
        checked.map_err(|problem| format!("{problem}; {}", said(&output)))
    }

    /// Checks the end, and the advice if something is left.
    fn check_ending(&self, ending: Ending, output: &Output) -> Result<Ending, String> {
        if self.ending.is_some_and(|expected| expected != ending) {
            return Err(format!("it should have ended with {:?}", self.ending));
        }
        let advised = match self.fault {
            EXPIRED => "log in again",
            DENIED => "(allow lambda:",
            Fault::Failed => FAILURE,
            Fault::Exception { name, .. } => name,
            _ => "",
        };
        let is_told = ending == Ending::Answer || said(output).contains(advised);
        if is_told { Ok(ending) } else { Err(format!("there is no advice on {advised}")) }
    }

    /// Checks a refusal: its cause lasts, and it says that nothing was changed.
    fn check_refusal(
        &self,
        before: &Footprint,
        after: &Footprint,
        proxy: &Proxy,
    ) -> Result<(), String> {
        let lasts = matches!(self.fault, Fault::Exception { status: 400..=404, .. });
        if !lasts || proxy.has_reached(Operation::Invoke) {
            return Err("it is no refusal".to_owned());
        }
        after.must_be(before)
    }
}
