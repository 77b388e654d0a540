//! Unpacking of untrusted zip files.
//!
//! Only files and folders below one folder are made, within the limits, and readable for the
//! server's user alone. There are no links, no devices, and no paths to other folders.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Cursor, ErrorKind, Read},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Component, Path},
};

use zip::{ZipArchive, read::ZipFile};

use super::{PackageError, UNPACKED_LIMIT};

/// Most files and folders together. Lambda has no limit of its own. A package of the largest size
/// then has 4 kB for each.
const ENTRY_LIMIT: usize = 65_536;
/// Most folders around an entry. A name has room for two thousand, which take minutes to make, and
/// which many programs can't remove again.
const DEPTH_LIMIT: usize = 100;

/// The bits of a mode with the kind of file, and the kinds that are unpacked. Some programs write
/// no kind.
const KIND: u32 = 0o170_000;
const NO_KIND: u32 = 0;
const FOLDER: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

/// Limits for the content of a zip file.
#[derive(Debug, Clone, Copy)]
pub(super) struct UnpackLimits {
    pub(super) bytes: u64,
    pub(super) entries: usize,
}

impl Default for UnpackLimits {
    fn default() -> Self {
        Self { bytes: UNPACKED_LIMIT, entries: ENTRY_LIMIT }
    }
}

/// Unpacks a zip file into an existing folder. On an error, the caller removes what is there.
pub(super) fn unpack(zip: &[u8], folder: &Path, room: UnpackLimits) -> Result<(), PackageError> {
    let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(PackageError::NotAZip)?;
    if archive.is_empty() {
        return Err(PackageError::NoEntries);
    }
    // Of two entries with one name, another program may have shown the other one.
    if archive.has_duplicate_names() {
        return Err(PackageError::Duplicates);
    }
    // An honest file that is too large is refused before anything is written.
    if archive.decompressed_size().is_some_and(|size| size > room.bytes.into()) {
        return Err(PackageError::TooLarge);
    }
    let mut unpacker = Unpacker { folder, limit: room, room };
    for index in 0..archive.len() {
        unpacker.unpack(archive.by_index(index).map_err(PackageError::NotAZip)?)?;
    }
    Ok(())
}

struct Unpacker<'a> {
    folder: &'a Path,
    limit: UnpackLimits,
    /// The rest of the limit.
    room: UnpackLimits,
}

impl Unpacker<'_> {
    fn unpack<R: Read>(&mut self, mut entry: ZipFile<'_, R>) -> Result<(), PackageError> {
        let name = entry.name().map_err(PackageError::NotAZip)?.into_owned();
        let path = Path::new(&name);
        let stays = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if !path.components().all(stays) {
            return Err(PackageError::Outside(name));
        }
        if path.components().count() > DEPTH_LIMIT {
            return Err(PackageError::TooDeep(DEPTH_LIMIT));
        }
        // Systems without modes write none.
        let mode = entry.unix_mode().unwrap_or(REGULAR | 0o600);
        let is_folder = match mode & KIND {
            FOLDER => true,
            REGULAR | NO_KIND => entry.is_dir(),
            LINK => return Err(PackageError::SymbolicLink(name)),
            _ => return Err(PackageError::Special(name)),
        };
        if is_folder {
            return self.make_folder(path, &name);
        }
        if let Some(parent) = path.parent() {
            self.make_folder(parent, &name)?;
        }
        let mut file = self.make_file(path, mode, &name)?;
        self.room.bytes -= write(&mut entry, &mut file, self.room.bytes)?;
        Ok(())
    }

    /// Makes a folder and the folders above it. Each counts, because one name in a zip file can
    /// stand for many folders.
    fn make_folder(&mut self, path: &Path, name: &str) -> Result<(), PackageError> {
        let mut folder = self.folder.to_owned();
        if folder.join(path).is_dir() {
            return Ok(());
        }
        for part in path.components() {
            folder.push(part);
            match DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => self.count()?,
                Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
                Err(error) => return Err(not_made(error, name)),
            }
        }
        Ok(())
    }

    fn make_file(&mut self, path: &Path, mode: u32, name: &str) -> Result<File, PackageError> {
        self.count()?;
        let mut options = OpenOptions::new();
        // Only the owner's part of the mode, and the owner has to read the file. Never an existing
        // file, because two names can lead to the same place.
        options.write(true).create_new(true).mode(mode & 0o700 | 0o400);
        options.open(self.folder.join(path)).map_err(|error| not_made(error, name))
    }

    fn count(&mut self) -> Result<(), PackageError> {
        let left = self.room.entries.checked_sub(1);
        self.room.entries = left.ok_or(PackageError::TooMany(self.limit.entries))?;
        Ok(())
    }
}

/// Writes the content of an entry and returns its size. The size in the zip file is not trusted.
fn write(entry: &mut impl Read, file: &mut File, room: u64) -> Result<u64, PackageError> {
    let size = io::copy(&mut entry.take(room + 1), file).map_err(|error| match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            PackageError::Store(error)
        }
        _ => PackageError::NotAZip(zip::result::ZipError::Io(error)),
    })?;
    if size > room { Err(PackageError::TooLarge) } else { Ok(size) }
}

/// The error of a file or folder that could not be made: a fault of the package or of this machine.
fn not_made(error: io::Error, name: &str) -> PackageError {
    match error.kind() {
        ErrorKind::AlreadyExists
        | ErrorKind::NotADirectory
        | ErrorKind::IsADirectory
        | ErrorKind::InvalidFilename
        | ErrorKind::InvalidInput => PackageError::Unusable(name.to_owned()),
        _ => PackageError::Store(error),
    }
}
