//! Journals that can't be read, and what a person is told of them.

use std::{fmt, path::PathBuf};

/// A file among the journals that can't be read as one, or the folder of them all. Nobody knows
/// what it would say, so that `clean` goes by the tags on the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OddJournal {
    /// Where it is.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: Oddness,
}

/// What is wrong with a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Oddness {
    /// It is no regular file, but a directory, a pipe, a link or a device.
    NotAFile,
    /// It is longer than any journal.
    TooLong {
        /// The most that a journal can have, in bytes.
        limit: u64,
    },
    /// A newer powertune has written it.
    Newer {
        /// The format's number.
        format: u32,
    },
    /// A line is not what powertune writes.
    Corrupt {
        /// The line's number, from 1.
        line: usize,
    },
    /// It, or the folder, can't be read.
    Unreadable(String),
    /// It, or the folder, is another user's.
    Foreign {
        /// The user's number.
        owner: u32,
    },
    /// Others may write to it, or to the folder.
    Writable {
        /// Its permissions.
        mode: u32,
    },
}

impl OddJournal {
    /// What is wrong, in words.
    pub(super) fn fault(&self) -> String {
        let path = self.path.display();
        match &self.why {
            Oddness::NotAFile => format!("{path} is among the journals of runs and is no file"),
            Oddness::TooLong { limit } => {
                format!("the journal {path} is longer than {} MB", limit / 1024 / 1024)
            }
            Oddness::Newer { format } => format!(
                "the journal {path} is of a newer powertune (format {format}), which can read it"
            ),
            Oddness::Corrupt { line } => format!("the journal {path} is damaged at line {line}"),
            Oddness::Unreadable(error) => format!("the journal {path} can't be read: {error}"),
            Oddness::Foreign { owner } => {
                format!("{path} belongs to another user (uid {owner}), and is not believed")
            }
            Oddness::Writable { mode } => format!(
                "others may write to {path} (mode {mode:o}; chmod go-w changes that), and it is \
                 not believed"
            ),
        }
    }
}

impl fmt::Display for OddJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}; what its run has changed is put back by the tags on the function alone; delete it \
             when the function is as it should be",
            self.fault()
        )
    }
}
