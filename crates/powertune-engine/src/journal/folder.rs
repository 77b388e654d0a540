//! The folder that the journals of this host's runs are in.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Journal, Locked, Unsettled, Written, append,
    entry::{Entry, Line, replay},
};
use crate::{
    mark::Mark,
    put_back::{Basis, Claim},
};

/// What a journal's name ends with.
const EXTENSION: &str = "jsonl";

/// The folder of the journals, if there is one.
#[derive(Debug, Clone, Default)]
pub struct Journals(Option<PathBuf>);

/// The first line of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    /// The function's ARN, unqualified.
    function: String,
    #[serde(flatten)]
    mark: Mark,
}

/// A journal that was found.
#[derive(Debug)]
pub(crate) struct Kept {
    /// The run as it announces itself.
    pub(crate) mark: Mark,
    /// What there is to put back of the memory size.
    pub(crate) unsettled: Option<Unsettled>,
    /// Whether the run's process lives.
    pub(crate) is_alive: bool,
    path: PathBuf,
}

impl Journals {
    /// Journals in this folder, which need not be there yet.
    pub fn at(folder: PathBuf) -> Self {
        Self(Some(folder))
    }

    /// A journal for a run of this function. Nobody but its owner can read it.
    pub(crate) fn begin(&self, function: &str, mark: &Mark) -> io::Result<Journal> {
        let Some(folder) = &self.0 else { return Ok(Journal::in_memory(mark.clone())) };
        create_private(folder)?;
        let path = folder.join(format!("{}.{EXTENSION}", mark.run));
        let mut options = OpenOptions::new();
        options.create_new(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        file.lock()?;
        let head = Head { function: function.to_owned(), mark: mark.clone() };
        append(&file, &(serde_json::to_string(&head)? + "\n"))?;
        // So that the file's name is on the disk, too.
        File::open(folder)?.sync_all()?;
        let written = Written {
            mark: mark.clone(),
            lines: Mutex::default(),
            file: Some(Locked { file, path }),
        };
        Ok(Journal(Arc::new(written)))
    }

    /// The journals of this function's runs. What can't be read is no journal.
    pub(crate) fn of(&self, function: &str) -> Vec<Kept> {
        let Some(Ok(files)) = self.0.as_ref().map(fs::read_dir) else { return Vec::new() };
        files
            .filter_map(|file| file.ok().map(|file| file.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION))
            .filter_map(|path| Kept::read(path, function).ok().flatten())
            .collect()
    }
}

impl Kept {
    fn read(path: PathBuf, function: &str) -> io::Result<Option<Self>> {
        let mut file = File::open(&path)?;
        let is_alive = match file.try_lock_shared() {
            Ok(()) => false,
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(error)) => return Err(error),
        };
        let Some((head, lines)) = parse(BufReader::new(&mut file)) else { return Ok(None) };
        if head.function != function {
            return Ok(None);
        }
        let mark = head.mark;
        let unsettled = replay(mark.original, &lines);
        Ok(Some(Self { mark, unsettled, is_alive, path }))
    }

    /// What the run says of the memory size, where it may not be back.
    pub(crate) fn claim(&self) -> Option<Claim> {
        let (original, unsettled) = self.mark.original.zip(self.unsettled.clone())?;
        let basis = Basis::Journal(unsettled);
        Some(Claim { run: self.mark.run.clone(), original, basis })
    }

    /// Writes down that the memory size is back, so that what is set later is not taken for the
    /// run's.
    pub(crate) fn memory_is_back(&self) -> io::Result<()> {
        let file = OpenOptions::new().append(true).open(&self.path)?;
        // A process that was killed may have left half a line.
        append(&file, &format!("\n{}", Entry::MemoryBack.line(Timestamp::now())?))
    }

    /// Deletes it: nothing is left to undo.
    pub(crate) fn forget(&self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// What is whole of a journal: a process that is killed may leave half a line at its end.
fn parse(lines: impl BufRead) -> Option<(Head, Vec<Line>)> {
    let mut lines = lines.split(b'\n').map_while(Result::ok);
    let head = serde_json::from_slice(&lines.next()?).ok()?;
    // The end of a killed run is half a line, and `clean` may have written after it.
    Some((head, lines.filter_map(|line| serde_json::from_slice(&line).ok()).collect()))
}

fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests;
