//! The journal of a run: what the run is about to change. The tags on the function allow an undo
//! from anywhere. The journal allows an exact one, on the machine that the run ran on.
//!
//! A journal is a file with one JSON object a line. Its run holds a lock on it while it lives, so
//! other processes can tell whether the run is over. The run deletes the file when nothing is left
//! to undo.

mod entry;
mod folder;
mod odd;

use std::{
    fs::{self, File},
    io::{self, Write},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;

use self::entry::{JournalLine, replay};
pub(crate) use self::{
    entry::{JournalEntry, Read, Unsettled},
    folder::FoundJournal,
};
pub use self::{
    folder::Journals,
    odd::{OddJournal, Oddness},
};
use crate::mark::Mark;

#[derive(Debug, Clone)]
pub(crate) struct Journal(Arc<Written>);

#[derive(Debug)]
struct Written {
    mark: Mark,
    lines: Mutex<Vec<JournalLine>>,
    /// The file; `None` if no folder was usable.
    file: Option<Locked>,
}

/// A file that this process holds a lock on.
#[derive(Debug)]
struct Locked {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// A journal without a file; it ends with the process.
    pub(crate) fn in_memory(mark: Mark) -> Self {
        Self(Arc::new(Written { mark, lines: Mutex::default(), file: None }))
    }

    /// Writes an entry before its change is made. The entry is on the disk when this returns.
    pub(crate) async fn record(&self, entry: JournalEntry) -> io::Result<()> {
        let written = Arc::clone(&self.0);
        let recorded = tokio::task::spawn_blocking(move || written.record(entry)).await;
        recorded.map_err(io::Error::other)?
    }

    pub(crate) fn run(&self) -> &str {
        &self.0.mark.run
    }

    pub(crate) fn unsettled(&self) -> Option<Unsettled> {
        let lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        replay(self.0.mark.original, &lines)
    }

    pub(crate) fn path(&self) -> Option<&PathBuf> {
        self.0.file.as_ref().map(|locked| &locked.path)
    }

    pub(crate) fn close(&self) {
        if let Some(path) = self.path() {
            // A leftover journal is harmless: everything it lists is already undone.
            let _ = fs::remove_file(path);
        }
    }
}

impl Written {
    fn record(&self, entry: JournalEntry) -> io::Result<()> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let at = Timestamp::now();
        if let Some(Locked { file, .. }) = &self.file {
            append(file, &entry.line(at)?)?;
        }
        lines.push(JournalLine { at, entry });
        Ok(())
    }
}

/// Appends a line and syncs it to the disk.
fn append(mut file: &File, line: &str) -> io::Result<()> {
    file.write_all(line.as_bytes())?;
    file.sync_data()
}
