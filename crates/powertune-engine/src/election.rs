//! Decides which of several simultaneous runs may tune the function: the protocol, without the
//! calls.
//!
//! Lambda has no lock. It has tags, which anybody may add, and a RevisionId, which guards a change.
//! A run *announces* itself by a tag, looks at the function, and wins when its first change of the
//! memory size succeeds. `docs/two-runs.md` explains why at most one run wins.
//!
//! An [`Election`] is a pure state machine: it returns the next step and takes in its result. The
//! test beside it explores every interleaving of several elections on a model of Lambda. `announce`
//! makes the real calls.

use std::collections::BTreeSet;

use powertune_core::power::Power;

/// The state of one run between its announcement and its first change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Election {
    run: String,
    original: Power,
    /// The memory size that the first change sets.
    target: Power,
    /// A version with the original memory size exists.
    is_published: bool,
    /// The answer to the first change was lost, so it may have succeeded.
    may_be_made: bool,
    next: Action,
}

/// The next call of a run, or its decision.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Tag,
    /// GetFunction: the configuration, the RevisionId and the tags at the same moment.
    Look,
    /// GetFunction after a pause: another run is about to leave, or Lambda works on an update.
    LookLater {
        /// The runs to wait for; empty if Lambda works on an update.
        others: BTreeSet<String>,
    },
    /// PublishVersion, guarded by the RevisionId of the last look.
    Publish {
        revision_id: Option<String>,
    },
    /// UpdateFunctionConfiguration to the target, guarded by the RevisionId of the last look.
    Change {
        revision_id: Option<String>,
    },
    /// The run won: no other run can make a first change now.
    GoOn,
    /// The run removes its tags and ends.
    Leave(Leaving),
}

/// The reason why a run leaves the election.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Leaving {
    /// This other run wins.
    Behind(String),
    Changed,
    /// Somebody has removed the run's tags.
    Unmarked,
}

/// The result of the first change, as far as the run knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum FirstChange {
    Made,
    Refused,
    /// No answer came: Lambda may have made the change.
    Unknown,
}

/// The answer of GetFunction.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Snapshot {
    /// `None` if the endpoint has no RevisionId.
    pub(crate) revision_id: Option<String>,
    pub(crate) power: Power,
    /// Code and configuration, apart from the memory size, are as the run found them.
    pub(crate) is_as_found: bool,
    pub(crate) is_settled: bool,
    /// The runs that have tags on the function.
    pub(crate) runs: BTreeSet<String>,
}

impl Election {
    /// The election of a run that found `$LATEST` at `original` and first sets it to `target`.
    pub(crate) fn new(run: String, original: Power, target: Power) -> Self {
        debug_assert_ne!(original, target, "a change that changes nothing excludes nobody");
        let next = Action::Tag;
        Self { run, original, target, is_published: false, may_be_made: false, next }
    }

    pub(crate) fn next(&self) -> &Action {
        &self.next
    }

    pub(crate) fn target(&self) -> Power {
        self.target
    }

    /// Replaces the target, because the account does not allow the first one.
    pub(crate) fn retarget(&mut self, target: Power) {
        debug_assert_ne!(self.original, target, "a change that changes nothing excludes nobody");
        self.target = target;
        self.next = Action::Look;
    }

    pub(crate) fn tagged(&mut self) {
        self.next = Action::Look;
    }

    /// Takes in the answer to PublishVersion; `is_done` is true if it returned a version.
    pub(crate) fn published(&mut self, is_done: bool) {
        self.is_published |= is_done;
        // Publishing changes the RevisionId, and so may calls of others.
        self.next = Action::Look;
    }

    pub(crate) fn changed(&mut self, change: FirstChange) {
        self.may_be_made |= change == FirstChange::Unknown;
        self.next = if change == FirstChange::Made { Action::GoOn } else { Action::Look };
    }

    pub(crate) fn looked(&mut self, look: Snapshot) {
        self.next = self.after(look);
    }

    fn after(&self, look: Snapshot) -> Action {
        let Snapshot { revision_id, power, is_as_found, is_settled, mut runs } = look;
        if !runs.remove(&self.run) {
            return Action::Leave(Leaving::Unmarked);
        }
        let first = runs.first().cloned();
        if self.may_be_made && power == self.target && is_as_found {
            // The answer to this run's own change was lost. The change can't be another run's:
            // every other run saw this run's tags before, and waits.
            return Action::GoOn;
        }
        match first {
            // Another run, or somebody else, has changed the function.
            _ if power != self.original || !is_as_found => {
                Action::Leave(first.map_or(Leaving::Changed, Leaving::Behind))
            }
            Some(first) if first < self.run => Action::Leave(Leaving::Behind(first)),
            Some(_) => Action::LookLater { others: runs },
            None if !is_settled => Action::LookLater { others: runs },
            None if !self.is_published => Action::Publish { revision_id },
            None => Action::Change { revision_id },
        }
    }

    pub(crate) fn give_up(&mut self) {
        let leaving = match &self.next {
            Action::LookLater { others } => others.first().cloned().map(Leaving::Behind),
            _ => None,
        };
        self.next = Action::Leave(leaving.unwrap_or(Leaving::Changed));
    }
}

#[cfg(test)]
mod explorer;
