//! Deployment packages: a zip file as a client sends it, unpacked where functions run from.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Cursor, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempDir};
use uuid::Uuid;
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

use crate::version::Code;

/// AWS's limit for a package's unpacked size.
const UNPACKED_LIMIT: u64 = 262_144_000;

/// A deployment package, kept packed for download and unpacked to run.
#[derive(Debug)]
pub(crate) struct Package {
    /// Names it in download links.
    pub(crate) id: Uuid,
    /// SHA-256 of the zip file in base64: a function's `CodeSha256`.
    pub(crate) sha256: String,
    /// Size of the zip file in bytes: a function's `CodeSize`.
    pub(crate) size: u64,
    pub(crate) code: Arc<Code>,
    archive: NamedTempFile,
}

/// Packages are equal when their content is.
impl PartialEq for Package {
    fn eq(&self, other: &Self) -> bool {
        self.sha256 == other.sha256
    }
}

/// Why a package could not be made or unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackageError {
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: a symbolic link leads back to a folder that holds it", .0.display())]
    Loop(PathBuf),
    #[error("{}: there is no file in it", .0.display())]
    Empty(PathBuf),
    #[error("Could not unzip uploaded file. Please check your file, then try to upload again.")]
    NotAZip(#[source] zip::result::ZipError),
    #[error("Uploaded file must be a non-empty zip")]
    NoEntries,
    #[error("The zip file's entry {0:?} lies outside the folder it is unpacked to; remove it.")]
    Outside(String),
    #[error(
        "The zip file's entry {0:?} is a symbolic link, which does not run here; put the file in its place."
    )]
    SymbolicLink(String),
    #[error("Unzipped size must be smaller than {UNPACKED_LIMIT} bytes")]
    TooLarge,
    #[error("The package could not be stored: {0}; free space in the folder for temporary files.")]
    Store(#[source] io::Error),
}

impl Package {
    /// Unpacks a zip file.
    pub(crate) fn unpack(zip: &Bytes) -> Result<Self, PackageError> {
        Self::unpack_within(zip, UNPACKED_LIMIT)
    }

    fn unpack_within(zip: &Bytes, limit: u64) -> Result<Self, PackageError> {
        let folder = TempDir::with_prefix("powertune-").map_err(PackageError::Store)?;
        let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(PackageError::NotAZip)?;
        if archive.is_empty() {
            return Err(PackageError::NoEntries);
        }
        let mut room = limit;
        for index in 0..archive.len() {
            room -= unpack_entry(&mut archive, index, folder.path(), room)?;
        }
        let mut packed = NamedTempFile::with_prefix("powertune-").map_err(PackageError::Store)?;
        packed.write_all(zip).map_err(PackageError::Store)?;
        Ok(Self {
            id: Uuid::new_v4(),
            sha256: BASE64.encode(Sha256::digest(zip)),
            size: zip.len() as u64,
            code: Arc::new(Code::new(folder)),
            archive: packed,
        })
    }

    /// The zip file as it was sent.
    pub(crate) fn zip(&self) -> io::Result<Vec<u8>> {
        fs::read(self.archive.path())
    }
}

/// Unpacks one entry and returns its size.
fn unpack_entry(
    archive: &mut ZipArchive<Cursor<&Bytes>>,
    index: usize,
    folder: &Path,
    room: u64,
) -> Result<u64, PackageError> {
    let mut entry = archive.by_index(index).map_err(PackageError::NotAZip)?;
    let name = entry.name().map_err(PackageError::NotAZip)?.into_owned();
    let path = Path::new(&name);
    let inside =
        path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !inside {
        return Err(PackageError::Outside(name));
    }
    if entry.is_symlink() {
        return Err(PackageError::SymbolicLink(name));
    }
    let target = folder.join(path);
    if entry.is_dir() {
        return fs::create_dir_all(target).map(|()| 0).map_err(PackageError::Store);
    }
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(PackageError::Store)?;
    }
    // A zip file made where there are no modes has none in it.
    let mode = entry.unix_mode().map_or(0o644, |mode| mode & 0o777);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode | 0o400)
        .open(target)
        .map_err(PackageError::Store)?;
    let size = io::copy(&mut entry.by_ref().take(room + 1), &mut file)
        .map_err(|error| PackageError::NotAZip(zip::result::ZipError::Io(error)))?;
    if size > room { Err(PackageError::TooLarge) } else { Ok(size) }
}

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

/// Packs a folder: uncompressed, since it is unpacked at once, and the same every time, since
/// `CodeSha256` tells changes.
struct Packer {
    zip: ZipWriter<Cursor<Vec<u8>>>,
    room: u64,
    files: usize,
}

impl Packer {
    /// Adds what a folder holds; `above` are the folders that it lies in, by their real paths.
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

    fn zip_of(name: &str, content: &[u8], mode: u32) -> Bytes {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file(name, SimpleFileOptions::DEFAULT.unix_permissions(mode)).unwrap();
        zip.write_all(content).unwrap();
        Bytes::from(zip.finish().unwrap().into_inner())
    }

    #[test]
    fn a_folder_comes_out_as_it_went_in() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("lib")).unwrap();
        fs::write(folder.path().join("lib/data"), b"data").unwrap();
        fs::write(folder.path().join("bootstrap"), b"#!/bin/sh").unwrap();
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.path().join("bootstrap"), executable).unwrap();
        symlink("lib/data", folder.path().join("link")).unwrap();

        let zip = zip_from(folder.path()).unwrap();
        assert_eq!(zip, zip_from(folder.path()).unwrap(), "the same folder makes the same zip");
        let package = Package::unpack(&zip).unwrap();
        let code = package.code.path();
        assert_eq!(fs::read(code.join("link")).unwrap(), b"data");
        let mode = |name| fs::metadata(code.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("bootstrap") & 0o111, 0o111);
        assert_eq!(mode("lib/data") & 0o111, 0);
        assert_eq!(package.zip().unwrap(), zip);
        assert_eq!(package.size, zip.len() as u64);
    }

    #[test]
    fn entries_outside_the_folder_are_refused() {
        for name in ["../outside", "a/../../outside", "/etc/outside", "a/../b"] {
            let error = Package::unpack(&zip_of(name, b"x", 0o644)).unwrap_err();
            assert!(matches!(error, PackageError::Outside(_)), "{name}: {error:?}");
        }
    }

    #[test]
    fn symbolic_links_in_a_zip_are_refused() {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.add_symlink("link", "/etc/passwd", SimpleFileOptions::DEFAULT).unwrap();
        let zip = Bytes::from(zip.finish().unwrap().into_inner());
        assert!(matches!(Package::unpack(&zip), Err(PackageError::SymbolicLink(_))));
    }

    #[test]
    fn a_zip_bomb_is_stopped_at_the_limit() {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("zeros", SimpleFileOptions::DEFAULT).unwrap();
        zip.write_all(&vec![0; 100_000]).unwrap();
        let zip = Bytes::from(zip.finish().unwrap().into_inner());
        assert!(zip.len() < 1000, "it is small as long as it is packed");
        assert!(matches!(Package::unpack_within(&zip, 99_999), Err(PackageError::TooLarge)));
        assert!(Package::unpack_within(&zip, 100_000).is_ok());
    }

    #[test]
    fn what_is_no_package_is_refused() {
        let unpack = |bytes: &'static [u8]| Package::unpack(&Bytes::from_static(bytes));
        assert!(matches!(unpack(b"not a zip"), Err(PackageError::NotAZip(_))));
        let empty = ZipWriter::new(Cursor::new(Vec::new())).finish().unwrap().into_inner();
        assert!(matches!(Package::unpack(&empty.into()), Err(PackageError::NoEntries)));
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(zip_from(folder.path()), Err(PackageError::Empty(_))));
        let missing = folder.path().join("missing");
        assert!(matches!(zip_from(&missing), Err(PackageError::Read { .. })));
        symlink(".", folder.path().join("self")).unwrap();
        assert!(matches!(zip_from(folder.path()), Err(PackageError::Loop(_))));
    }
}
