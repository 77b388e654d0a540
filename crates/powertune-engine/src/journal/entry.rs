//! The entries of a journal, and the state that they lead to.

use std::{collections::BTreeSet, io};

use jiff::Timestamp;
use powertune_core::power::Power;
use serde::{Deserialize, Serialize};

/// A call that a run is about to make, or a state that it has read since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "next", rename_all = "camelCase")]
pub(crate) enum JournalEntry {
    /// TagResource. Undo: UntagResource.
    Tag,
    /// UpdateFunctionConfiguration. Undo: the same call with the memory size in the mark.
    SetMemory { from: Power, to: Power },
    /// Lambda refused the last `SetMemory`.
    Refused,
    /// Lambda refused the last `SetMemory`, but `$LATEST` has that size. Either a proxy sent the
    /// call twice, or somebody else set the same size.
    Doubted,
    /// The state of `$LATEST` after the run's own last call.
    Read(Read),
    /// Tags and versions do not change LastModified at this endpoint; only updates do.
    UpdatesAloneModify,
    /// `$LATEST` has its own memory size again, or the one that the user requested.
    MemoryBack,
    /// PublishVersion. Undo: DeleteFunction of the version with this description.
    Publish { power: Power, description: String },
    /// CreateAlias or UpdateAlias. There is no undo: the user requested it, and the version is the
    /// user's from then on.
    PointAlias { alias: String, version: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Read {
    pub(crate) power: Power,
    pub(crate) revision_id: Option<String>,
    pub(crate) last_modified: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct JournalLine {
    pub(super) at: Timestamp,
    #[serde(flatten)]
    pub(super) entry: JournalEntry,
}

/// The memory sizes that a run has set, or may have set, and not put back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Unsettled {
    /// The sizes that `$LATEST` may have because of the run.
    pub(crate) sizes: BTreeSet<Power>,
    /// The state of `$LATEST` after the run's last answered call.
    pub(crate) read: Option<Read>,
    /// The time of the last change of the memory size that is known to have succeeded.
    pub(crate) changed: Option<Timestamp>,
    /// The time of the last call that may have changed LastModified, if nothing was read after it.
    pub(crate) unanswered: Option<Timestamp>,
}

impl JournalEntry {
    pub(super) fn line(&self, at: Timestamp) -> io::Result<String> {
        let line = JournalLine { at, entry: self.clone() };
        Ok(serde_json::to_string(&line)? + "\n")
    }
}

/// The open changes after these lines; the last call may or may not have been executed. `None` if
/// `$LATEST` was never changed or has its own size again.
pub(super) fn replay(original: Option<Power>, lines: &[JournalLine]) -> Option<Unsettled> {
    let mut unsettled: Option<Unsettled> = None;
    let mut before = None;
    let mut updates_alone_modify = false;
    for JournalLine { at, entry } in lines {
        match entry {
            JournalEntry::SetMemory { from, to } => {
                before.clone_from(&unsettled);
                let now = unsettled.get_or_insert_default();
                now.sizes =
                    [*from, *to].into_iter().filter(|&power| Some(power) != original).collect();
                now.unanswered = Some(*at);
            }
            JournalEntry::Refused => unsettled.clone_from(&before),
            JournalEntry::Doubted => {
                let now = unsettled.get_or_insert_default();
                (now.read, now.unanswered) = (None, None);
            }
            JournalEntry::Read(read) => {
                let Some(now) = &mut unsettled else { continue };
                now.unanswered = None;
                if now.sizes.contains(&read.power) {
                    now.changed = now.changed.max(read.last_modified);
                }
                now.read = Some(read.clone());
            }
            JournalEntry::MemoryBack => unsettled = None,
            JournalEntry::UpdatesAloneModify => updates_alone_modify = true,
            JournalEntry::Tag | JournalEntry::Publish { .. } if !updates_alone_modify => {
                if let Some(now) = &mut unsettled {
                    now.unanswered = Some(*at);
                }
            }
            JournalEntry::Tag | JournalEntry::Publish { .. } | JournalEntry::PointAlias { .. } => {}
        }
    }
    unsettled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn power(mb: u32) -> Power {
        Power::new(mb).expect("a power")
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn set(from: u32, to: u32) -> JournalEntry {
        JournalEntry::SetMemory { from: power(from), to: power(to) }
    }

    fn read(mb: u32, revision: &str, second: i64) -> JournalEntry {
        JournalEntry::Read(Read {
            power: power(mb),
            revision_id: Some(revision.to_owned()),
            last_modified: Some(at(second)),
        })
    }

    /// Replays entries that were written one second apart.
    fn replayed(entries: &[JournalEntry]) -> Option<Unsettled> {
        let lines: Vec<JournalLine> = (1..)
            .zip(entries)
            .map(|(n, entry)| JournalLine { at: at(n), entry: entry.clone() })
            .collect();
        replay(Some(power(256)), &lines)
    }

    fn sizes(entries: &[JournalEntry]) -> Vec<u32> {
        let unsettled = replayed(entries).map(|unsettled| unsettled.sizes);
        unsettled.into_iter().flatten().map(Power::mb).collect()
    }

    #[test]
    fn what_was_set_is_unsettled_until_it_is_back() {
        assert_eq!(replayed(&[JournalEntry::Tag]), None);
        assert_eq!(sizes(&[set(256, 128)]), [128]);
        assert_eq!(sizes(&[set(256, 128), read(128, "b", 1), set(128, 512)]), [128, 512]);
        assert_eq!(sizes(&[set(256, 128), set(128, 256)]), [128]);
        assert_eq!(replayed(&[set(256, 128), set(128, 256), JournalEntry::MemoryBack]), None);
    }

    #[test]
    fn what_was_refused_was_never_set() {
        assert_eq!(replayed(&[set(256, 128), JournalEntry::Refused]), None);
        let once = [set(256, 128), read(128, "b", 1)];
        let refused = [set(256, 128), read(128, "b", 1), set(128, 512), JournalEntry::Refused];
        assert_eq!(replayed(&refused), replayed(&once));
    }

    #[test]
    fn a_size_that_is_there_although_it_was_refused_proves_nothing() {
        let entries = [set(256, 128), read(128, "b", 1), set(128, 512), JournalEntry::Doubted];
        let doubted = replayed(&entries).expect("it is unsettled");
        assert!(doubted.sizes.contains(&power(512)));
        assert_eq!((doubted.read, doubted.unanswered), (None, None));
    }

    #[test]
    fn a_call_is_unanswered_until_something_is_read() {
        let unanswered =
            |entries: &[JournalEntry]| replayed(entries).and_then(|now| now.unanswered);
        let publish = JournalEntry::Publish { power: power(128), description: String::new() };
        assert_eq!(unanswered(&[set(256, 128)]), Some(at(1)));
        assert_eq!(unanswered(&[set(256, 128), read(128, "b", 1)]), None);
        let published = [set(256, 128), read(128, "b", 1), publish];
        assert_eq!(unanswered(&published), Some(at(3)));
        let told = [&[JournalEntry::UpdatesAloneModify], published.as_slice()].concat();
        assert_eq!(unanswered(&told), None, "a version does not move LastModified there");
    }

    #[test]
    fn the_last_own_change_is_the_latest_that_was_read() {
        let entries = [set(256, 128), read(128, "b", 7), read(256, "a", 3)];
        let unsettled = replayed(&entries).expect("it is unsettled");
        assert_eq!(unsettled.changed, Some(at(7)), "an older answer does not count");
    }

    #[test]
    fn a_line_says_when_and_what_and_nothing_of_the_users() {
        let line = set(256, 128).line(Timestamp::UNIX_EPOCH).expect("a line");
        assert_eq!(
            line,
            "{\"at\":\"1970-01-01T00:00:00Z\",\"next\":\"setMemory\",\"from\":256,\"to\":128}\n"
        );
        for entry in
            [set(256, 128), read(128, "b", 1), JournalEntry::MemoryBack, JournalEntry::Refused]
        {
            let line = entry.line(Timestamp::UNIX_EPOCH).expect("a line");
            assert_eq!(serde_json::from_str::<JournalLine>(&line).expect("a line").entry, entry);
        }
    }
}
