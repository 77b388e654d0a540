//! Which of several runs that begin at the same time goes on: the protocol, without the calls.
//!
//! Lambda has no lock. It has tags, which anybody may add, and a RevisionId, which guards a change.
//! A run *announces* itself by a tag, looks at the function, and goes on once its first change of
//! the memory size has succeeded. `docs/two-runs.md` says why at most one run gets there.
//!
//! An [`Election`] says what to do next and is told what came of it. The test beside it walks every
//! interleaving of several elections against a model of Lambda; `announce` carries one out for real.

use std::collections::BTreeSet;

use powertune_core::power::Power;

/// One run's way from its announcement to its first change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Election {
    run: String,
    /// The memory size of `$LATEST` when the run found it.
    original: Power,
    /// The memory size that the first change sets.
    target: Power,
    /// Whether a version shows the original memory size.
    is_published: bool,
    /// Whether the first change may have been made, without an answer that says so.
    may_be_made: bool,
    next: Next,
}

/// The next call of a run, or its decision.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Next {
    /// TagResource with the run's tags.
    Tag,
    /// GetFunction: the configuration, the RevisionId and the tags, all of one moment.
    Look,
    /// The same after a pause: another run is about to leave, or Lambda is at work on an update.
    LookLater {
        /// The runs to wait for; none where Lambda is at work.
        others: BTreeSet<String>,
    },
    /// PublishVersion, guarded by this RevisionId.
    Publish {
        /// The RevisionId of the last look.
        revision_id: Option<String>,
    },
    /// UpdateFunctionConfiguration to the target, guarded by this RevisionId.
    Change {
        /// The RevisionId of the last look.
        revision_id: Option<String>,
    },
    /// The run has made the first change: no other run can.
    GoOn,
    /// The run takes its tags away and ends.
    Leave(Leaving),
}

/// Why a run leaves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Leaving {
    /// This other run goes on.
    Behind(String),
    /// The function is no longer as the run found it.
    Changed,
    /// Somebody has taken the run's tags away.
    Unmarked,
}

/// The outcome of the first change, as far as the run knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Change {
    /// Lambda has made it.
    Made,
    /// Lambda has refused it.
    Refused,
    /// No answer came: it may have been made.
    Unknown,
}

/// The function at one moment, as GetFunction tells it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Look {
    /// Guards the next change; absent where the endpoint keeps none.
    pub(crate) revision_id: Option<String>,
    /// The memory size of `$LATEST`.
    pub(crate) power: Power,
    /// Whether code and configuration, memory size aside, are as the run found them.
    pub(crate) is_as_found: bool,
    /// Whether no update is in progress.
    pub(crate) is_settled: bool,
    /// The runs whose tags are there.
    pub(crate) runs: BTreeSet<String>,
}

impl Election {
    /// The election of a run that found `$LATEST` at `original` and first sets it to `target`.
    pub(crate) fn new(run: String, original: Power, target: Power) -> Self {
        debug_assert_ne!(original, target, "a change that changes nothing excludes nobody");
        let next = Next::Tag;
        Self { run, original, target, is_published: false, may_be_made: false, next }
    }

    /// The next step.
    pub(crate) fn next(&self) -> &Next {
        &self.next
    }

    /// The memory size that the first change sets.
    pub(crate) fn target(&self) -> Power {
        self.target
    }

    /// The first change sets another memory size: the account does not have the first one.
    pub(crate) fn retarget(&mut self, target: Power) {
        debug_assert_ne!(self.original, target, "a change that changes nothing excludes nobody");
        self.target = target;
        self.next = Next::Look;
    }

    /// The tags are on the function.
    pub(crate) fn tagged(&mut self) {
        self.next = Next::Look;
    }

    /// PublishVersion was answered; `is_done` says whether with a version.
    pub(crate) fn published(&mut self, is_done: bool) {
        self.is_published |= is_done;
        // Publishing moves the RevisionId, and so does whatever came in between.
        self.next = Next::Look;
    }

    /// The first change was sent.
    pub(crate) fn changed(&mut self, change: Change) {
        self.may_be_made |= change == Change::Unknown;
        self.next = if change == Change::Made { Next::GoOn } else { Next::Look };
    }

    /// The function was looked at.
    pub(crate) fn looked(&mut self, look: Look) {
        self.next = self.after(look);
    }

    fn after(&self, look: Look) -> Next {
        let Look { revision_id, power, is_as_found, is_settled, mut runs } = look;
        if !runs.remove(&self.run) {
            return Next::Leave(Leaving::Unmarked);
        }
        let first = runs.first().cloned();
        if self.may_be_made && power == self.target && is_as_found {
            // The answer to the own change was lost. It is no other run's change: from the moment
            // at which this run sent its own, every other run sees its tags and waits.
            return Next::GoOn;
        }
        match first {
            // Another run has made its first change, or somebody else a change.
            _ if power != self.original || !is_as_found => {
                Next::Leave(first.map_or(Leaving::Changed, Leaving::Behind))
            }
            Some(first) if first < self.run => Next::Leave(Leaving::Behind(first)),
            Some(_) => Next::LookLater { others: runs },
            None if !is_settled => Next::LookLater { others: runs },
            None if !self.is_published => Next::Publish { revision_id },
            None => Next::Change { revision_id },
        }
    }

    /// The run has waited long enough.
    pub(crate) fn give_up(&mut self) {
        let leaving = match &self.next {
            Next::LookLater { others } => others.first().cloned().map(Leaving::Behind),
            _ => None,
        };
        self.next = Next::Leave(leaving.unwrap_or(Leaving::Changed));
    }
}

#[cfg(test)]
mod explorer;
