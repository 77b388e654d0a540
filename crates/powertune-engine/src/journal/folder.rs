//! The folder with the journals of the runs on this machine.

use std::{
    fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

use super::{
    Journal, Locked, OddJournal, Oddness, Unsettled, Written, append,
    entry::{JournalEntry, JournalLine, replay},
};
use crate::mark::Mark;

/// The extension of a journal's file name.
const EXTENSION: &str = "jsonl";
/// The version of the file format. An unknown version is not read: its meaning is unknown.
const FORMAT: u32 = 1;
/// The longest journal, in bytes. A day's run writes some thousand lines of a hundred bytes.
const LONGEST: u64 = 4 * 1024 * 1024;

/// The folder of the journals, if there is one.
#[derive(Debug, Clone, Default)]
pub struct Journals(Option<PathBuf>);

/// The first line of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    #[serde(default = "first_format")]
    format: u32,
    function: String,
    #[serde(flatten)]
    mark: Mark,
}

fn first_format() -> u32 {
    1
}

/// The part of the first line that all formats have.
#[derive(Debug, Deserialize)]
struct FormatNumber {
    #[serde(default = "first_format")]
    format: u32,
}

/// A journal in the folder.
#[derive(Debug)]
pub(crate) struct FoundJournal {
    pub(crate) mark: Mark,
    pub(crate) unsettled: Option<Unsettled>,
    /// True if the run's process holds the lock.
    pub(crate) is_alive: bool,
    /// True if the last line is incomplete; the run may have done more than the journal lists.
    pub(crate) is_cut: bool,
    path: PathBuf,
}

impl Journals {
    /// The journals in this folder. It is created when needed.
    pub fn at(folder: PathBuf) -> Self {
        Self(Some(folder))
    }

    /// Creates a journal for a run of this function. Only the user can read it.
    pub(crate) fn begin(&self, function: &str, mark: &Mark) -> io::Result<Journal> {
        let Some(folder) = &self.0 else { return Ok(Journal::in_memory(mark.clone())) };
        create_private(folder)?;
        // A journal in another user's folder would be rejected later.
        trust(&fs::metadata(folder)?)
            .map_err(|why| io::Error::other(OddJournal { path: folder.clone(), why }.fault()))?;
        let path = folder.join(format!("{}.{EXTENSION}", mark.run));
        let mut options = OpenOptions::new();
        options.create_new(true).append(true);
        options.mode(0o600);
        let file = options.open(&path)?;
        file.lock()?;
        let head = Head { format: FORMAT, function: function.to_owned(), mark: mark.clone() };
        append(&file, &(serde_json::to_string(&head)? + "\n"))?;
        // Sync the folder, so that the file's name is on the disk too.
        File::open(folder)?.sync_all()?;
        let written = Written {
            mark: mark.clone(),
            lines: Mutex::default(),
            file: Some(Locked { file, path }),
        };
        Ok(Journal(Arc::new(written)))
    }

    /// The readable journals of this function's runs.
    pub(crate) fn of(&self, function: &str) -> Vec<FoundJournal> {
        let found = self.paths().unwrap_or_default().into_iter();
        found.filter_map(|path| FoundJournal::read(path, function).ok().flatten()).collect()
    }

    /// The unreadable journals of all functions. This call may block.
    pub fn odd(&self) -> Vec<OddJournal> {
        let paths = match self.paths() {
            Ok(paths) => paths,
            Err(why) => {
                let path = self.0.clone().unwrap_or_default();
                return vec![OddJournal { path, why }];
            }
        };
        let odd = |path: PathBuf| {
            let why = Content::read(&path).err()?;
            Some(OddJournal { path, why })
        };
        paths.into_iter().filter_map(odd).collect()
    }

    fn paths(&self) -> Result<Vec<PathBuf>, Oddness> {
        let Some(folder) = &self.0 else { return Ok(Vec::new()) };
        match fs::metadata(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            metadata => trust(&metadata.map_err(unreadable)?)?,
        }
        let files = fs::read_dir(folder).map_err(unreadable)?;
        let is_journal =
            |path: &PathBuf| path.extension().is_some_and(|extension| extension == EXTENSION);
        let paths = files.filter_map(|file| file.ok().map(|file| file.path()));
        let mut paths: Vec<PathBuf> = paths.filter(is_journal).collect();
        paths.sort();
        Ok(paths)
    }
}

impl FoundJournal {
    fn read(path: PathBuf, function: &str) -> Result<Option<Self>, Oddness> {
        let Content { head, lines, is_alive, is_cut } = match Content::read(&path)? {
            Some(content) if content.head.function == function => content,
            _ => return Ok(None),
        };
        let mark = head.mark;
        let unsettled = replay(mark.original, &lines);
        Ok(Some(Self { mark, unsettled, is_alive, is_cut, path }))
    }

    /// Appends the entry that the memory size is back, so that later changes do not count as the
    /// run's.
    pub(crate) fn memory_is_back(&self) -> io::Result<()> {
        let text = fs::read(&self.path)?;
        let file = OpenOptions::new().append(true).open(&self.path)?;
        // A killed process may leave an incomplete line.
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64)?;
        append(&file, &JournalEntry::MemoryBack.line(Timestamp::now())?)
    }

    pub(crate) fn forget(&self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

#[derive(Debug)]
struct Content {
    head: Head,
    lines: Vec<JournalLine>,
    is_alive: bool,
    is_cut: bool,
}

impl Content {
    /// Reads a journal; `None` if it has no complete first line: its process was killed before it
    /// changed anything.
    fn read(path: &Path) -> Result<Option<Self>, Oddness> {
        let metadata = match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            metadata => metadata.map_err(unreadable)?,
        };
        // Opening a pipe would block until its other end opens.
        if !metadata.is_file() {
            return Err(Oddness::NotAFile);
        }
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(unreadable)?,
        };
        trust(&file.metadata().map_err(unreadable)?)?;
        let is_alive = match file.try_lock_shared() {
            Ok(()) => false,
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(error)) => return Err(unreadable(error)),
        };
        let mut text = Vec::new();
        // The file may grow during the read.
        (&file).take(LONGEST + 1).read_to_end(&mut text).map_err(unreadable)?;
        if text.len() as u64 > LONGEST {
            return Err(Oddness::TooLong { limit: LONGEST });
        }
        let whole = parse(&text)?;
        Ok(whole.map(|CompleteLines { head, lines, is_cut }| Self {
            head,
            lines,
            is_alive,
            is_cut,
        }))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is for map_err")]
fn unreadable(error: io::Error) -> Oddness {
    Oddness::Unreadable(error.to_string())
}

/// Rejects files that another user may have written: a journal decides which memory size `clean`
/// sets.
fn trust(metadata: &Metadata) -> Result<(), Oddness> {
    let (owner, mode) = (metadata.uid(), metadata.mode());
    if owner != geteuid().as_raw() {
        return Err(Oddness::Foreign { owner });
    }
    if mode & 0o022 != 0 {
        return Err(Oddness::Writable { mode: mode & 0o777 });
    }
    Ok(())
}

/// The complete lines of a journal.
#[derive(Debug)]
struct CompleteLines {
    head: Head,
    lines: Vec<JournalLine>,
    /// True if an incomplete line follows.
    is_cut: bool,
}

/// Parses a journal. The last line may be incomplete: a killed process did not finish it, or a disk
/// lost a part of it, and then the run has made that change.
fn parse(text: &[u8]) -> Result<Option<CompleteLines>, Oddness> {
    let mut lines = text.split_inclusive(|&byte| byte == b'\n');
    let Some(first) = lines.next() else { return Ok(None) };
    let is_cut = |line: &[u8]| !line.ends_with(b"\n");
    if let Ok(FormatNumber { format }) = serde_json::from_slice(first)
        && format != FORMAT
    {
        return Err(Oddness::Newer { format });
    }
    let head = match serde_json::from_slice(first) {
        Ok(head) => head,
        Err(_) if is_cut(first) && first.starts_with(b"{") => return Ok(None),
        Err(_) => return Err(Oddness::Corrupt { line: 1 }),
    };
    let mut whole = CompleteLines { head, lines: Vec::new(), is_cut: false };
    for (line, number) in lines.zip(2..) {
        match serde_json::from_slice(line) {
            Ok(line) => whole.lines.push(line),
            Err(_) if is_cut(line) => whole.is_cut = true,
            Err(_) => return Err(Oddness::Corrupt { line: number }),
        }
    }
    Ok(Some(whole))
}

fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    builder.mode(0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests;
