//! Journals that can't be read, and their descriptions for people.

use std::{fmt, path::PathBuf};

/// A file in the folder that can't be read as a journal, or the folder itself. Its content is
/// unknown, so `clean` uses the tags on the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OddJournal {
    /// The path of the file or folder.
    pub path: PathBuf,
    /// The fault.
    pub why: Oddness,
}

/// The fault of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Oddness {
    /// It is not a regular file, but a directory, pipe, link or device.
    NotAFile,
    /// It is longer than any journal.
    TooLong {
        /// The longest length of a journal, in bytes.
        limit: u64,
    },
    /// A newer powertune wrote it.
    Newer {
        /// The number of its format.
        format: u32,
    },
    /// A line is not one that powertune writes.
    Corrupt {
        /// The line's number, from 1.
        line: usize,
    },
    /// The file or folder can't be read; the text is the error.
    Unreadable(String),
    /// Another user owns the file or folder.
    Foreign {
        /// The owner's user id.
        owner: u32,
    },
    /// Other users may write to the file or folder.
    Writable {
        /// The permission bits.
        mode: u32,
    },
}

impl OddJournal {
    /// The fault as a phrase, for messages.
    pub(super) fn fault(&self) -> String {
        let path = self.path.display();
        match &self.why {
            Oddness::NotAFile => {
                format!("{path} is in the folder of journals and is not a regular file")
            }
            Oddness::TooLong { limit } => {
                format!("the journal {path} is longer than {} MB", limit / 1024 / 1024)
            }
            Oddness::Newer { format } => format!(
                "the journal {path} was written by a newer powertune (format {format}), and only \
                 that can read it"
            ),
            Oddness::Corrupt { line } => format!("the journal {path} is damaged at line {line}"),
            Oddness::Unreadable(error) => format!("the journal {path} can't be read: {error}"),
            Oddness::Foreign { owner } => {
                format!("{path} belongs to another user (uid {owner}), so it is not trusted")
            }
            Oddness::Writable { mode } => format!(
                "other users may write to {path} (mode {mode:o}; chmod go-w changes that), so it \
                 is not trusted"
            ),
        }
    }
}

impl fmt::Display for OddJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}; only the tags on the function say how to undo its run; delete it when the \
             function is as it should be",
            self.fault()
        )
    }
}
