//! The actions of a proxy, and their requests.

use std::{fmt, ops::RangeInclusive};

use crate::crash::{fault::Fault, operation::Operation};

/// The action at one or more requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trap {
    /// The process is killed at its n-th change, counted from 1.
    Crash { nth: usize, moment: Moment },
    /// Requests go wrong.
    Fault { aim: Aim, fault: Fault },
}

/// The moment of the kill, relative to the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The request never reaches Lambda.
    Before,
    /// Lambda has carried out the request, and the answer is dropped.
    After,
}

/// Some requests of an operation, or of all operations, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Aim {
    /// `None` counts all operations.
    pub(crate) operation: Option<Operation>,
    pub(crate) requests: RangeInclusive<usize>,
}

impl Moment {
    pub(crate) const BOTH: [Self; 2] = [Self::Before, Self::After];
}

impl Aim {
    /// One request.
    pub(crate) fn at(operation: Operation, nth: usize) -> Self {
        Self { operation: Some(operation), requests: nth..=nth }
    }

    /// This request and all that come after it.
    pub(crate) fn from(operation: Option<Operation>, nth: usize) -> Self {
        Self { operation, requests: nth..=usize::MAX }
    }

    /// True if the last of these requests is one of them.
    fn means(&self, operations: &[Operation]) -> bool {
        let counts = |operation: &Operation| self.operation.is_none_or(|meant| meant == *operation);
        operations.last().is_some_and(counts)
            && self.requests.contains(&operations.iter().filter(|it| counts(it)).count())
    }
}

impl Trap {
    /// True if the action is at the last of these requests.
    pub(crate) fn means(&self, operations: &[Operation]) -> bool {
        match self {
            Self::Crash { nth, .. } => {
                operations.last().is_some_and(|last| last.is_change())
                    && operations.iter().filter(|operation| operation.is_change()).count() == *nth
            }
            Self::Fault { aim, .. } => aim.means(operations),
        }
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.operation {
            Some(operation) => write!(f, "{operation:?} {}", self.requests.start())?,
            None => write!(f, "request {}", self.requests.start())?,
        }
        match *self.requests.end() {
            usize::MAX => write!(f, " and all after it"),
            last if last > *self.requests.start() => write!(f, " to {last}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash { nth, moment: Moment::Before } => write!(f, "killed before change {nth}"),
            Self::Crash { nth, moment: Moment::After } => write!(f, "killed after change {nth}"),
            Self::Fault { aim, fault } => write!(f, "{fault} at {aim}"),
        }
    }
}
