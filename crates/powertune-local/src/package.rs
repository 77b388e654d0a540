//! Deployment packages: a client's zip file, and its content in a folder for functions.

mod pack;
mod unpack;

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use uuid::Uuid;

pub(crate) use self::pack::zip_from;
use self::unpack::UnpackLimits;
use crate::{folder, version::Code};

/// AWS's limit for the unpacked size of a package, in bytes.
const UNPACKED_LIMIT: u64 = 262_144_000;

/// A deployment package, packed for download and unpacked for functions.
#[derive(Debug)]
pub(crate) struct Package {
    /// The name in download links.
    pub(crate) id: Uuid,
    /// SHA-256 of the zip file in base64: a function's `CodeSha256`.
    pub(crate) sha256: String,
    /// Size of the zip file in bytes: a function's `CodeSize`.
    pub(crate) size: u64,
    pub(crate) code: Arc<Code>,
    archive: NamedTempFile,
}

/// Packages with the same content are equal.
impl PartialEq for Package {
    fn eq(&self, other: &Self) -> bool {
        self.sha256 == other.sha256
    }
}

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
    #[error(
        "Could not unzip uploaded file: its entry {0:?} lies outside the folder that it is unpacked to. Please remove it, then try to upload again."
    )]
    Outside(String),
    #[error(
        "Could not unzip uploaded file: its entry {0:?} is a symbolic link, which does not run here. Please put the file in its place, then try to upload again."
    )]
    SymbolicLink(String),
    #[error(
        "Could not unzip uploaded file: its entry {0:?} is neither a file nor a folder. Please remove it, then try to upload again."
    )]
    Special(String),
    #[error(
        "Could not unzip uploaded file: several of its entries have the same name. Please remove all but one of them, then try to upload again."
    )]
    Duplicates,
    #[error(
        "Could not unzip uploaded file: nothing can have the name of its entry {0:?} beside its other entries. Please rename it, then try to upload again."
    )]
    Unusable(String),
    #[error(
        "Could not unzip uploaded file: it holds more than {0} files and folders. Please leave out what the function does not need, then try to upload again."
    )]
    TooMany(usize),
    #[error(
        "Could not unzip uploaded file: an entry lies more than {0} folders deep. Please move it up, then try to upload again."
    )]
    TooDeep(usize),
    #[error("Unzipped size must be smaller than {UNPACKED_LIMIT} bytes")]
    TooLarge,
    #[error("The package could not be stored: {0}; free space in the folder for temporary files.")]
    Store(#[source] io::Error),
}

impl Package {
    /// Unpacks a zip file into a new folder in `place`. On an error nothing stays there.
    pub(crate) fn unpack(zip: &Bytes, place: &Path) -> Result<Self, PackageError> {
        Self::unpack_within(zip, place, UnpackLimits::default())
    }

    fn unpack_within(zip: &Bytes, place: &Path, room: UnpackLimits) -> Result<Self, PackageError> {
        let folder = folder::private(place, "code-").map_err(PackageError::Store)?;
        unpack::unpack(zip, folder.path(), room)?;
        let packed = NamedTempFile::with_prefix_in("package-", place);
        let mut packed = packed.map_err(PackageError::Store)?;
        packed.write_all(zip).map_err(PackageError::Store)?;
        Ok(Self {
            id: Uuid::new_v4(),
            sha256: BASE64.encode(Sha256::digest(zip)),
            size: zip.len() as u64,
            code: Arc::new(Code::new(folder)),
            archive: packed,
        })
    }

    pub(crate) fn zip(&self) -> io::Result<Vec<u8>> {
        fs::read(self.archive.path())
    }
}

#[cfg(test)]
mod tests;
