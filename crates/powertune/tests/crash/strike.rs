//! Single faults in the middle of a run, and how it ends.

use std::{fmt, process::Output};

use serde_json::Value;

use crate::{
    bench::Bench,
    fault::Fault,
    kind::{Applied, Kind, POWERS},
    operation::Operation,
    point::clean_there,
    process::{Host, finish, said},
    proxy::{Proxy, Trap},
};

/// A run that makes every call that powertune has.
const RUN: Kind = Kind {
    name: "struck",
    arguments: &["--num", "5", "--auto-optimize", "--auto-optimize-alias", "tuned"],
    is_published: false,
    applies: Applied::Alias("tuned"),
    kills_clean: false,
};

/// Which requests of an operation are struck, counted from 1: in the middle, and in what comes
/// after measuring.
const TARGETS: &[(Operation, &[usize])] = &[
    (Operation::GetFunction, &[1, 5]),
    (Operation::GetAccountSettings, &[1]),
    (Operation::ListTags, &[1]),
    (Operation::ListVersionsByFunction, &[1]),
    (Operation::TagResource, &[1]),
    (Operation::UpdateFunctionConfiguration, &[1, 3, 7]),
    (Operation::PublishVersion, &[2, 6]),
    (Operation::UpdateAlias, &[1]),
    (Operation::CreateAlias, &[1]),
    (Operation::DeleteFunction, &[2]),
    (Operation::UntagResource, &[1]),
    (Operation::Invoke, &[1, 4]),
];

/// What a client hears whose time-limited credentials have run out.
const EXPIRED: Fault = Fault::exception(403, "ExpiredTokenException");

/// What can go wrong with any call.
const ANYWHERE: &[Fault] = &[
    Fault::throttled("CallerRateLimitExceeded"),
    Fault::exception(500, "ServiceException"),
    EXPIRED,
    Fault::Gateway(502),
    Fault::Gateway(503),
    Fault::ResetBefore,
    Fault::ResetAfter,
    Fault::Cut,
];

/// What can go wrong with a change.
const OF_CHANGES: &[Fault] = &[
    Fault::exception(409, "ResourceConflictException"),
    Fault::exception(412, "PreconditionFailedException"),
];

/// What can go wrong with an invocation.
const OF_INVOCATIONS: &[Fault] = &[
    Fault::throttled("ConcurrentInvocationLimitExceeded"),
    Fault::throttled("FunctionInvocationRateLimitExceeded"),
    Fault::throttled("ReservedFunctionConcurrentInvocationLimitExceeded"),
    Fault::exception(409, "ResourceConflictException"),
    Fault::NoLogResult,
];

/// One fault at one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Strike {
    operation: Operation,
    nth: usize,
    fault: Fault,
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:?} {}", self.fault, self.operation, self.nth)
    }
}

/// How a run may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With the right answer.
    Answer,
    /// With an error that says what to do, and everything as it was.
    Error,
    /// With an error that says what is left, and how to put it back.
    LeftBehind,
}

/// Every fault at every target.
pub(crate) fn all() -> Vec<Strike> {
    let mut strikes = Vec::new();
    for &(operation, targets) in TARGETS {
        let further = match operation {
            Operation::Invoke => OF_INVOCATIONS,
            operation if operation.is_change() => OF_CHANGES,
            _ => &[],
        };
        for &nth in targets {
            let faults = ANYWHERE.iter().chain(further);
            strikes.extend(faults.map(|&fault| Strike { operation, nth, fault }));
        }
    }
    strikes
}

impl Strike {
    /// How a run ends that this strikes, and what is wrong with it.
    pub(crate) async fn outcome(self, bench: &Bench) -> (Self, Result<Ending, String>) {
        (self, self.strike(bench).await)
    }

    async fn strike(self, bench: &Bench) -> Result<Ending, String> {
        let Self { operation, nth, fault } = self;
        let function = bench.function(RUN.is_published).await;
        let before = bench.footprint(&function).await;
        let tune = ["tune", &function, "--power-values", POWERS, "--quiet", "--output", "json"];
        let proxy = Proxy::start(bench, Some(Trap::Fault { operation, nth, fault })).await;
        let host = Host::new();
        let output = finish(&host, &proxy, &[&tune, RUN.arguments].concat()).await?;
        if proxy.count(operation).0 < nth {
            return Err(format!("there was no such request: {}", said(&output)));
        }
        let after = bench.footprint(&function).await;
        let checked = match output.status.code() {
            Some(0) => RUN
                .check_end(&before, &after)
                .and_then(|()| self.check_counts(&output, &proxy))
                .map(|()| Ending::Answer),
            Some(1) => after.must_be(&before).map(|()| Ending::Error),
            // What lasts is told as a refusal where nothing was changed yet.
            Some(2) if fault == EXPIRED && proxy.changes().iter().all(|it| *it == operation) => {
                after.must_be(&before).map(|()| Ending::Error)
            }
            // Who has no credentials any more can't put anything back.
            Some(4) if fault == EXPIRED => {
                clean_there(&host, bench, &function).await?;
                let cleaned = bench.footprint(&function).await;
                let checked = RUN.check_cleaned(&before, &cleaned, false);
                checked.map(|()| Ending::LeftBehind)
            }
            _ => Err("another exit code was expected".to_owned()),
        };
        let checked = checked.and_then(|ending| self.check_advice(&output).map(|()| ending));
        checked.map_err(|problem| format!("{problem}; {}", said(&output)))
    }

    /// What is the user's to put right is said with how.
    fn check_advice(self, output: &Output) -> Result<(), String> {
        let is_theirs = self.fault == EXPIRED && self.operation != Operation::Invoke;
        let is_advised = output.status.success() || said(output).contains("log in again");
        if !is_theirs || is_advised { Ok(()) } else { Err("there is no advice".to_owned()) }
    }

    /// Every invocation is counted once, whatever came of it, and none that Lambda has refused.
    fn check_counts(self, output: &Output, proxy: &Proxy) -> Result<(), String> {
        let result: Value = serde_json::from_slice(&output.stdout).map_err(|e| e.to_string())?;
        let (sent, reached) = proxy.count(Operation::Invoke);
        let is_refused = matches!(self.fault, Fault::Exception { status: 409 | 429, .. });
        let of_invoke = self.operation == Operation::Invoke;
        let expected = if of_invoke && is_refused { reached } else { sent };
        let counted = result["invocations"].as_u64();
        let rows = result["stats"].as_array().into_iter().flatten();
        let failures: u64 = rows.filter_map(|row| row["failures"].as_u64()).sum();
        let expected_failures = u64::from(of_invoke && !is_refused);
        if counted == Some(expected as u64) && failures == expected_failures {
            return Ok(());
        }
        Err(format!(
            "{counted:?} invocations and {failures} failures were counted; {sent} were sent and \
             {reached} have reached Lambda"
        ))
    }
}
