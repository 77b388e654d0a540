//! What a run is about to change, written down before it does: the tags on the function say how to
//! undo a run from anywhere, a journal says it exactly, on the host that it ran on.
//!
//! A journal is a file of lines of JSON. Its run holds a lock on it as long as it lives, so that
//! whoever finds one can tell whether the run is over; it is deleted when nothing is left to undo.

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

use self::entry::{Line, replay};
pub(crate) use self::{
    entry::{Entry, Read, Unsettled},
    folder::Kept,
};
pub use self::{
    folder::Journals,
    odd::{OddJournal, Oddness},
};
use crate::mark::Mark;

/// The journal of a run that is going on.
#[derive(Debug, Clone)]
pub(crate) struct Journal(Arc<Written>);

#[derive(Debug)]
struct Written {
    mark: Mark,
    lines: Mutex<Vec<Line>>,
    /// Where there is a place for it.
    file: Option<Locked>,
}

/// A file that this process alone writes.
#[derive(Debug)]
struct Locked {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// A journal that ends with the process.
    pub(crate) fn in_memory(mark: Mark) -> Self {
        Self(Arc::new(Written { mark, lines: Mutex::default(), file: None }))
    }

    /// Writes down what is about to be done. It is on the disk when this returns.
    pub(crate) async fn record(&self, entry: Entry) -> io::Result<()> {
        let written = Arc::clone(&self.0);
        let recorded = tokio::task::spawn_blocking(move || written.record(entry)).await;
        recorded.map_err(io::Error::other)?
    }

    /// The id of the run.
    pub(crate) fn run(&self) -> &str {
        &self.0.mark.run
    }

    /// What there is to put back of the memory size.
    pub(crate) fn unsettled(&self) -> Option<Unsettled> {
        let lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        replay(self.0.mark.original, &lines)
    }

    /// Where it is, for people to look.
    pub(crate) fn path(&self) -> Option<&PathBuf> {
        self.0.file.as_ref().map(|locked| &locked.path)
    }

    /// Deletes it: nothing is left to undo.
    pub(crate) fn close(&self) {
        if let Some(path) = self.path() {
            // A leftover journal is harmless: everything it lists is already undone.
            let _ = fs::remove_file(path);
        }
    }
}

impl Written {
    fn record(&self, entry: Entry) -> io::Result<()> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let at = Timestamp::now();
        if let Some(Locked { file, .. }) = &self.file {
            append(file, &entry.line(at)?)?;
        }
        lines.push(Line { at, entry });
        Ok(())
    }
}

/// Appends a line and waits until it is on the disk.
fn append(mut file: &File, line: &str) -> io::Result<()> {
    file.write_all(line.as_bytes())?;
    file.sync_data()
}
