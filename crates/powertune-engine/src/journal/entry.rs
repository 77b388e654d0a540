//! The lines of a journal, and what they come to.

use std::io;

use jiff::Timestamp;
use powertune_core::power::Power;
use serde::{Deserialize, Serialize};

use crate::{held::Held, mark::Mark};

/// Something that a run is about to do, with what undoing it needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "next", rename_all = "camelCase")]
pub(crate) enum Entry {
    /// TagResource; undone by UntagResource.
    Tag,
    /// UpdateFunctionConfiguration; undone by another to the memory size that the mark says, as
    /// long as it is one of these two.
    SetMemory {
        /// What it is.
        from: Power,
        /// What it is to be.
        to: Power,
    },
    /// PublishVersion; undone by DeleteFunction of the version that has this description.
    Publish {
        /// Its memory size.
        power: Power,
        /// Its description, which names the run.
        description: String,
    },
    /// CreateAlias or UpdateAlias; not undone, since it is what the user has asked for. From then
    /// on the version is theirs.
    PointAlias {
        /// The alias.
        alias: String,
        /// The version.
        version: String,
    },
}

/// A line: an entry, and when it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) at: Timestamp,
    #[serde(flatten)]
    pub(super) entry: Entry,
}

/// What a run that ended after some entries has to have undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pending {
    /// Whether its tags may be there.
    pub(crate) is_tagged: bool,
    /// The memory sizes that `$LATEST` may have because of it.
    pub(crate) held: Held,
    /// Whether there may be versions of it.
    pub(crate) has_published: bool,
}

impl Entry {
    /// It as a line of a journal.
    pub(super) fn line(&self, at: Timestamp) -> io::Result<String> {
        let line = Line { at, entry: self.clone() };
        Ok(serde_json::to_string(&line)? + "\n")
    }
}

/// What there is to undo after these entries, of which the last may have been carried out or not.
///
/// A memory size is held from the moment that it is about to be set, and the one before it until
/// another is set: whoever sets one has read what there was.
pub(crate) fn replay(mark: &Mark, entries: &[Entry]) -> Pending {
    let mut pending = Pending { is_tagged: false, held: Held::default(), has_published: false };
    for entry in entries {
        match entry {
            Entry::Tag => pending.is_tagged = true,
            Entry::SetMemory { from, to } => {
                let others = [*from, *to].into_iter().filter(|&power| Some(power) != mark.original);
                pending.held = Held::Exactly(others.collect());
            }
            Entry::Publish { .. } => pending.has_published = true,
            Entry::PointAlias { .. } => {}
        }
    }
    pending
}

#[cfg(test)]
mod tests {
    use super::*;

    fn power(mb: u32) -> Power {
        Power::new(mb).expect("a power")
    }

    fn mark() -> Mark {
        Mark::new(power(256), Held::default(), "me", Timestamp::UNIX_EPOCH)
    }

    fn held(entries: &[Entry]) -> Held {
        replay(&mark(), entries).held
    }

    #[test]
    fn what_was_set_is_held_until_it_is_back() {
        let set = |from, to| Entry::SetMemory { from: power(from), to: power(to) };
        let exactly = |mb: &[u32]| Held::Exactly(mb.iter().copied().map(power).collect());
        assert_eq!(held(&[]), exactly(&[]));
        assert_eq!(held(&[set(256, 128)]), exactly(&[128]));
        assert_eq!(held(&[set(256, 128), set(128, 512)]), exactly(&[128, 512]));
        assert_eq!(held(&[set(256, 128), set(128, 256)]), exactly(&[128]));
        // After a first try that was not carried out.
        assert_eq!(held(&[set(256, 128), set(256, 128)]), exactly(&[128]));
    }

    #[test]
    fn a_line_says_when_and_what_and_nothing_of_the_users() {
        let entry = Entry::SetMemory { from: power(256), to: power(128) };
        let line = entry.line(Timestamp::UNIX_EPOCH).expect("a line");
        assert_eq!(
            line,
            "{\"at\":\"1970-01-01T00:00:00Z\",\"next\":\"setMemory\",\"from\":256,\"to\":128}\n"
        );
        assert_eq!(serde_json::from_str::<Line>(&line).expect("a line").entry, entry);
    }
}
