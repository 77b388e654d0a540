//! Packing: a zip file from a folder or a file of the user.

use std::{
    fs::{self, File},
    io::{self, Cursor, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::{PackageError, UNPACKED_LIMIT};

/// Reads a zip file, or packs a folder into one.
pub(crate) fn zip_from(path: &Path) -> Result<Bytes, PackageError> {
    let metadata = fs::metadata(path).map_err(|source| read_error(path, source))?;
    if !metadata.is_dir() {
        return fs::read(path).map(Bytes::from).map_err(|source| read_error(path, source));
    }
    let mut packer =
        Packer { zip: ZipWriter::new(Cursor::new(Vec::new())), room: UNPACKED_LIMIT, files: 0 };
    packer.add_folder(path, "", &mut Vec::new())?;
    if packer.files == 0 {
        return Err(PackageError::Empty(path.to_owned()));
    }
    let zip = packer.zip.finish().map_err(PackageError::NotAZip)?;
    Ok(Bytes::from(zip.into_inner()))
}

fn read_error(path: &Path, source: io::Error) -> PackageError {
    PackageError::Read { path: path.to_owned(), source }
}

/// Packs a folder. Nothing is compressed, because it is unpacked at once. The same folder always
/// makes the same zip file, because `CodeSha256` has to show changes.
struct Packer {
    zip: ZipWriter<Cursor<Vec<u8>>>,
    room: u64,
    files: usize,
}

impl Packer {
    /// Adds the content of a folder. `above` holds the real paths of the folders around it.
    fn add_folder(
        &mut self,
        folder: &Path,
        name: &str,
        above: &mut Vec<PathBuf>,
    ) -> Result<(), PackageError> {
        let error = |source| read_error(folder, source);
        let real = folder.canonicalize().map_err(error)?;
        if above.contains(&real) {
            return Err(PackageError::Loop(folder.to_owned()));
        }
        above.push(real);
        let entries = fs::read_dir(folder).map_err(error)?;
        let mut names = entries
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(error)?;
        names.sort();
        for entry in names {
            let path = folder.join(&entry);
            let entry = entry.to_string_lossy();
            let name = if name.is_empty() { entry.into_owned() } else { format!("{name}/{entry}") };
            let metadata = fs::metadata(&path).map_err(|source| read_error(&path, source))?;
            if metadata.is_dir() {
                self.add_folder(&path, &name, above)?;
            } else if metadata.is_file() {
                self.add_file(&path, name, metadata.permissions().mode())?;
            }
        }
        above.pop();
        Ok(())
    }

    fn add_file(&mut self, path: &Path, name: String, mode: u32) -> Result<(), PackageError> {
        let file = File::open(path).map_err(|source| read_error(path, source))?;
        let options = SimpleFileOptions::DEFAULT
            .compression_method(CompressionMethod::Stored)
            .unix_permissions(mode & 0o777);
        self.zip.start_file(name, options).map_err(PackageError::NotAZip)?;
        let size = io::copy(&mut file.take(self.room + 1), &mut self.zip)
            .map_err(|source| read_error(path, source))?;
        self.room = self.room.checked_sub(size).ok_or(PackageError::TooLarge)?;
        self.files += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_can_not_be_packed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(zip_from(folder.path()), Err(PackageError::Empty(_))));
        let missing = folder.path().join("missing");
        assert!(matches!(zip_from(&missing), Err(PackageError::Read { .. })));
        symlink(".", folder.path().join("self")).unwrap();
        assert!(matches!(zip_from(folder.path()), Err(PackageError::Loop(_))));
    }
}
