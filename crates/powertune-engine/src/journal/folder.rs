//! The folder that the journals of this host's runs are in.

use std::{
    fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

use super::{
    Journal, Locked, OddJournal, Oddness, Unsettled, Written, append,
    entry::{Entry, Line, replay},
};
use crate::mark::Mark;

/// What a journal's name ends with.
const EXTENSION: &str = "jsonl";
/// The number of the format that is written here. A powertune that does not know a number does not
/// guess what such a journal says.
const FORMAT: u32 = 1;
/// No journal is longer: a day's run has some thousand lines of a hundred bytes.
const LONGEST: u64 = 4 * 1024 * 1024;

/// The folder of the journals, if there is one.
#[derive(Debug, Clone, Default)]
pub struct Journals(Option<PathBuf>);

/// The first line of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    /// [`FORMAT`]; journals of before there was a number are of the first.
    #[serde(default = "first_format")]
    format: u32,
    /// The function's ARN, unqualified.
    function: String,
    #[serde(flatten)]
    mark: Mark,
}

fn first_format() -> u32 {
    1
}

/// A head of any format.
#[derive(Debug, Deserialize)]
struct Format {
    #[serde(default = "first_format")]
    format: u32,
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
    /// Whether its last line is cut: what it says may then not be all that the run has done.
    pub(crate) is_cut: bool,
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
        // A journal in a folder of others' would not be believed later.
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
        // So that the file's name is on the disk, too.
        File::open(folder)?.sync_all()?;
        let written = Written {
            mark: mark.clone(),
            lines: Mutex::default(),
            file: Some(Locked { file, path }),
        };
        Ok(Journal(Arc::new(written)))
    }

    /// The journals of this function's runs, without those that can't be read.
    pub(crate) fn of(&self, function: &str) -> Vec<Kept> {
        let found = self.paths().unwrap_or_default().into_iter();
        found.filter_map(|path| Kept::read(path, function).ok().flatten()).collect()
    }

    /// The journals that can't be read, of whatever function they are. It may block.
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

impl Kept {
    fn read(path: PathBuf, function: &str) -> Result<Option<Self>, Oddness> {
        let Content { head, lines, is_alive, is_cut } = match Content::read(&path)? {
            Some(content) if content.head.function == function => content,
            _ => return Ok(None),
        };
        let mark = head.mark;
        let unsettled = replay(mark.original, &lines);
        Ok(Some(Self { mark, unsettled, is_alive, is_cut, path }))
    }

    /// Writes down that the memory size is back, so that what is set later is not taken for the
    /// run's.
    pub(crate) fn memory_is_back(&self) -> io::Result<()> {
        let text = fs::read(&self.path)?;
        let file = OpenOptions::new().append(true).open(&self.path)?;
        // A process that was killed may have left half a line.
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64)?;
        append(&file, &Entry::MemoryBack.line(Timestamp::now())?)
    }

    /// Deletes it: nothing is left to undo.
    pub(crate) fn forget(&self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// What a journal says.
#[derive(Debug)]
struct Content {
    head: Head,
    lines: Vec<Line>,
    is_alive: bool,
    is_cut: bool,
}

impl Content {
    /// Reads a journal; `None` where its process was killed before it had written the head, and so
    /// before it had changed anything.
    fn read(path: &Path) -> Result<Option<Self>, Oddness> {
        let metadata = match fs::symlink_metadata(path) {
            // Its run has just ended.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            metadata => metadata.map_err(unreadable)?,
        };
        // To open a pipe would be to wait for its other end.
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
        // It may grow while it is read.
        (&file).take(LONGEST + 1).read_to_end(&mut text).map_err(unreadable)?;
        if text.len() as u64 > LONGEST {
            return Err(Oddness::TooLong { limit: LONGEST });
        }
        let whole = parse(&text)?;
        Ok(whole.map(|Whole { head, lines, is_cut }| Self { head, lines, is_alive, is_cut }))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is for map_err")]
fn unreadable(error: io::Error) -> Oddness {
    Oddness::Unreadable(error.to_string())
}

/// Refuses what somebody else may have written: a journal says which memory size `clean` sets.
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

/// What is whole of a journal.
#[derive(Debug)]
struct Whole {
    head: Head,
    lines: Vec<Line>,
    /// Whether there was half a line after it.
    is_cut: bool,
}

/// A process that is killed may leave half a line at the end; so may a disk that loses what it had
/// written, and then the run has done what the line said.
fn parse(text: &[u8]) -> Result<Option<Whole>, Oddness> {
    let mut lines = text.split_inclusive(|&byte| byte == b'\n');
    let Some(first) = lines.next() else { return Ok(None) };
    let is_cut = |line: &[u8]| !line.ends_with(b"\n");
    if let Ok(Format { format }) = serde_json::from_slice(first)
        && format != FORMAT
    {
        return Err(Oddness::Newer { format });
    }
    let head = match serde_json::from_slice(first) {
        Ok(head) => head,
        Err(_) if is_cut(first) && first.starts_with(b"{") => return Ok(None),
        Err(_) => return Err(Oddness::Corrupt { line: 1 }),
    };
    let mut whole = Whole { head, lines: Vec::new(), is_cut: false };
    for (line, number) in lines.zip(2..) {
        match serde_json::from_slice(line) {
            Ok(line) => whole.lines.push(line),
            // Nothing comes after it.
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
