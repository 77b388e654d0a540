//! The verdict on a memory size: whether the function works there, by the outcomes of its
//! invocations.

use std::fmt;

use crate::{
    observation::{Failure, Outcome},
    stats,
};

/// After this many equal failures and no success, the next invocation would fail too.
const ALIKE: usize = 3;
/// The error rate is too high if its lower 95 % bound is.
const TAIL: f64 = 0.05;

/// The verdict on one size.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict<'a> {
    /// The function works, and the size takes part in the decision.
    Works,
    /// Every further invocation would fail in the same way.
    Repeats {
        /// The repeated failure.
        failure: &'a Failure,
    },
    /// More invocations failed than the request allows.
    TooMany {
        /// The number of failed invocations.
        failed: usize,
        /// The number of finished invocations.
        ended: usize,
        /// The first failure.
        first: &'a Failure,
    },
    /// Unknown for reasons outside of the function: invocations were refused or lost, or came
    /// without a REPORT.
    Unmeasured {
        /// The first failure. `None` if no invocation counted and none failed.
        first: Option<&'a Failure>,
    },
}

impl<'a> Verdict<'a> {
    /// Judges a size by the number of `counted` invocations and by its `failures`.
    ///
    /// `max_error_rate` is a share, 0.1 for 10 %. The bound of the error rate is the one-sided
    /// bound of Clopper and Pearson ("The Use of Confidence or Fiducial Limits Illustrated in the
    /// Case of the Binomial", Biometrika 26(4), 1934).
    pub fn of(counted: usize, failures: &[&'a Failure], max_error_rate: f64) -> Self {
        if let Some(failure) = repeats(counted, failures) {
            return Self::Repeats { failure };
        }
        let is_foreign = |failure: &&&Failure| failure.is_foreign();
        let own = errors(failures);
        let ended = counted + own.len();
        if let Some(first) = own.first()
            && max_error_rate < 1.0
            && stats::at_least(own.len(), ended, max_error_rate) < TAIL
        {
            return Self::TooMany { failed: own.len(), ended, first };
        }
        let first_foreign = failures.iter().find(is_foreign).copied();
        let first = first_foreign.or(own.first().copied());
        if counted == 0 || failures.iter().filter(is_foreign).count() > counted {
            return Self::Unmeasured { first };
        }
        Self::Works
    }
}

/// The failure that would repeat itself, if there is one.
fn repeats<'a>(counted: usize, failures: &[&'a Failure]) -> Option<&'a Failure> {
    let at_once = |failure: &&&Failure| matches!(failure, Failure::Timeout | Failure::OutOfMemory);
    if let Some(failure) = failures.iter().find(at_once) {
        return Some(failure);
    }
    let own = errors(failures);
    let first = *own.first()?;
    let alike = own.iter().filter(|failure| failure.is_like(first)).count();
    (counted == 0 && alike == own.len() && alike >= ALIKE).then_some(first)
}

fn errors<'a>(failures: &[&'a Failure]) -> Vec<&'a Failure> {
    let is_error = |failure: &&Failure| matches!(failure, Failure::FunctionError { .. });
    failures.iter().copied().filter(is_error).collect()
}

/// True if another invocation would fail like these outcomes, the only ones of a size so far.
pub fn is_condemned<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> bool {
    let (mut counted, mut failures) = (0, Vec::new());
    for outcome in outcomes {
        match outcome {
            Outcome::Counted(_) | Outcome::Allowed(_) => counted += 1,
            Outcome::Failed { failure, .. } => failures.push(failure),
        }
    }
    repeats(counted, &failures).is_some()
}

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Works => write!(f, "it works"),
            Self::Repeats { failure } => failure.fmt(f),
            Self::TooMany { failed, ended, first } => {
                write!(f, "{failed} of {ended} invocations failed; the first: {first}")
            }
            Self::Unmeasured { first: Some(first) } => first.fmt(f),
            Self::Unmeasured { first: None } => write!(f, "no invocation counted"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(name: &str) -> Failure {
        Failure::FunctionError {
            error_type: Some(name.to_owned()),
            message: None,
            trace: Vec::new(),
        }
    }

    #[test]
    fn one_error_among_good_invocations_condemns_nothing() {
        let error = error("Teapot");
        assert_eq!(Verdict::of(4, &[&error], 0.1), Verdict::Works);
        assert_eq!(Verdict::of(18, &[&error, &error], 0.1), Verdict::Works);
    }

    #[test]
    fn what_repeats_itself_condemns_at_once() {
        let (timeout, memory, teapot) = (Failure::Timeout, Failure::OutOfMemory, error("Teapot"));
        assert_eq!(Verdict::of(9, &[&timeout], 1.0), Verdict::Repeats { failure: &timeout });
        assert_eq!(Verdict::of(9, &[&memory], 1.0), Verdict::Repeats { failure: &memory });
        let three = [&teapot; 3];
        assert_eq!(Verdict::of(0, &three, 1.0), Verdict::Repeats { failure: &teapot });
        assert_eq!(Verdict::of(0, &three[..2], 1.0), Verdict::Unmeasured { first: Some(&teapot) });
        let other = error("Kettle");
        let two_kinds = Verdict::of(0, &[&teapot, &teapot, &other], 1.0);
        assert_eq!(two_kinds, Verdict::Unmeasured { first: Some(&teapot) });
    }

    #[test]
    fn a_rate_that_is_surely_too_high_fails() {
        let error = error("Teapot");
        // P(6 or more of 20 at 10 %) = 1.1 %, P(4 or more) = 13 %.
        let failures = [&error; 6];
        let too_many = Verdict::TooMany { failed: 6, ended: 20, first: &error };
        assert_eq!(Verdict::of(14, &failures, 0.1), too_many);
        assert_eq!(Verdict::of(16, &failures[..4], 0.1), Verdict::Works);
        assert_eq!(Verdict::of(14, &failures, 0.3), Verdict::Works);
        assert!(matches!(Verdict::of(19, &failures[..1], 0.0), Verdict::TooMany { .. }));
    }

    proptest! {
        #[test]
        fn a_higher_rate_never_fails_what_a_lower_one_lets_pass(
            counted in 1..60_usize, failed in 0..60_usize, rate in 0.0..1.0_f64,
        ) {
            let error = error("Teapot");
            let failures = vec![&error; failed];
            if Verdict::of(counted, &failures, rate) == Verdict::Works {
                let higher = rate + (1.0 - rate) / 2.0;
                prop_assert_eq!(Verdict::of(counted, &failures, higher), Verdict::Works);
            }
        }
    }
}
