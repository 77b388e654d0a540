use std::{
    io::Cursor,
    os::unix::fs::{PermissionsExt, symlink},
};

use tempfile::TempDir;
use zip::{ZipWriter, write::SimpleFileOptions};

use super::*;

/// A folder to unpack to.
struct UnpackFolder(TempDir);

impl UnpackFolder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn unpack_within(&self, zip: &Bytes, room: UnpackLimits) -> Result<Package, PackageError> {
        Package::unpack_within(zip, self.0.path(), room)
    }

    /// The error for a zip file. Nothing of the file may be left.
    fn refusal(&self, zip: &Bytes, room: UnpackLimits) -> PackageError {
        let error = self.unpack_within(zip, room).unwrap_err();
        let left = fs::read_dir(self.0.path()).unwrap().count();
        assert_eq!(left, 0, "{error:?}");
        error
    }
}

/// A zip file of entries with a name, a content and a mode with the kind of file.
fn zip_of(entries: &[(&str, &[u8], u32)]) -> Bytes {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content, mode) in entries {
        zip.start_file(*name, SimpleFileOptions::DEFAULT.unix_permissions(*mode)).unwrap();
        zip.write_all(content).unwrap();
    }
    Bytes::from(zip.finish().unwrap().into_inner())
}

/// The same zip file with other bytes at an offset of every entry in its directory.
fn patched(zip: &Bytes, place: usize, with: &[u8]) -> Bytes {
    let mut bytes = zip.to_vec();
    for at in 0..bytes.len() - 4 {
        if bytes[at..].starts_with(b"PK\x01\x02") {
            bytes[at + place..at + place + with.len()].copy_from_slice(with);
        }
    }
    bytes.into()
}

/// The same zip file with a kind of entry that the writer does not make.
fn with_kind(zip: &Bytes, kind: u16) -> Bytes {
    // The upper half of the external attributes is the mode.
    patched(zip, 40, &(kind | 0o644).to_le_bytes())
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
    let place = UnpackFolder::new();
    let package = Package::unpack(&zip, place.0.path()).unwrap();
    let code = package.code.path();
    assert_eq!(fs::read(code.join("link")).unwrap(), b"data");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&code.join("bootstrap")), 0o700);
    assert_eq!(mode(&code.join("lib/data")), 0o600);
    assert_eq!((mode(&code), mode(&code.join("lib"))), (0o700, 0o700));
    assert_eq!(mode(package.archive.path()), 0o600);
    assert_eq!(package.zip().unwrap(), zip);
    assert_eq!(package.size, zip.len() as u64);
    drop(package);
    assert_eq!(fs::read_dir(place.0.path()).unwrap().count(), 0);
}

#[test]
fn entries_outside_the_folder_are_refused() {
    let place = UnpackFolder::new();
    for name in ["../outside", "a/../../outside", "/etc/outside", "a/../b", "..", "../"] {
        let zip = zip_of(&[("inside", b"x", 0o644), (name, b"x", 0o644)]);
        let error = place.refusal(&zip, UnpackLimits::default());
        assert!(matches!(error, PackageError::Outside(_)), "{name}: {error:?}");
    }
    assert!(!place.0.path().parent().unwrap().join("outside").exists());
}

/// Other systems take these names for paths to other folders.
#[test]
fn backslashes_and_drives_stay_inside() {
    let place = UnpackFolder::new();
    let names = ["..\\outside", "C:\\outside", "\\\\server\\outside", "C:outside"];
    let package = place.unpack_within(
        &zip_of(&names.map(|name| (name, &b"x"[..], 0o644))),
        UnpackLimits::default(),
    );
    let package = package.unwrap();
    let mut found: Vec<_> =
        fs::read_dir(package.code.path()).unwrap().collect::<Result<_, _>>().unwrap();
    found.sort_by_key(fs::DirEntry::file_name);
    let mut expected = names.map(std::ffi::OsString::from);
    expected.sort();
    assert!(found.iter().map(fs::DirEntry::file_name).eq(expected));
}

#[test]
fn what_is_neither_file_nor_folder_is_refused() {
    let place = UnpackFolder::new();
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.add_symlink("link", "/etc/passwd", SimpleFileOptions::DEFAULT).unwrap();
    let zip = Bytes::from(zip.finish().unwrap().into_inner());
    assert!(matches!(place.refusal(&zip, UnpackLimits::default()), PackageError::SymbolicLink(_)));

    let plain = zip_of(&[("file", b"x", 0o644)]);
    for (kind, what) in [
        (0o010_000, "a pipe"),
        (0o020_000, "a character device"),
        (0o060_000, "a block device"),
        (0o140_000, "a socket"),
    ] {
        let error = place.refusal(&with_kind(&plain, kind), UnpackLimits::default());
        assert!(matches!(error, PackageError::Special(_)), "{what}: {error:?}");
    }
    assert!(place.unpack_within(&with_kind(&plain, 0), UnpackLimits::default()).is_ok());
}

#[test]
fn modes_beyond_permissions_are_dropped() {
    let place = UnpackFolder::new();
    let zip = with_kind(&zip_of(&[("file", b"x", 0o644)]), 0o107_000);
    let package = place.unpack_within(&zip, UnpackLimits::default()).unwrap();
    let mode = fs::metadata(package.code.path().join("file")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600, "neither set-user-ID nor anything for others");
}

#[test]
fn names_that_get_in_each_others_way_are_refused() {
    let place = UnpackFolder::new();
    let long = "x".repeat(300);
    let twice = ["a/b", "a//b"];
    for names in [["a", "a/b"], ["a/b", "a"], twice, ["fine", "nul\0"], ["fine", &long]] {
        let zip = zip_of(&names.map(|name| (name, &b"x"[..], 0o644)));
        let error = place.refusal(&zip, UnpackLimits::default());
        assert!(matches!(error, PackageError::Unusable(_)), "{names:?}: {error:?}");
    }
}

#[test]
fn a_zip_bomb_is_stopped_at_the_limit() {
    let place = UnpackFolder::new();
    let zeros = vec![0; 50_000];
    let zip = zip_of(&[("zeros", &zeros, 0o644), ("more", &zeros, 0o644)]);
    assert!(zip.len() < 1000, "it is small as long as it is packed");
    let room = |bytes| UnpackLimits { bytes, ..UnpackLimits::default() };
    let honest = place.refusal(&zip, room(99_999));
    assert!(matches!(honest, PackageError::TooLarge), "{honest:?}");
    assert_eq!(honest.to_string(), "Unzipped size must be smaller than 262144000 bytes");
    // With flag 3 the sizes follow the data, as in a streamed zip file.
    let streamed = place.refusal(&patched(&zip, 8, &[1 << 3]), room(99_999));
    assert!(matches!(streamed, PackageError::TooLarge), "{streamed:?}");
    // The unpacked size in the directory.
    let lie = place.refusal(&patched(&zip, 24, &1_u32.to_le_bytes()), room(99_999));
    assert!(matches!(lie, PackageError::NotAZip(_) | PackageError::TooLarge), "{lie:?}");
    assert!(place.unpack_within(&zip, room(100_000)).is_ok());
}

#[test]
fn folders_count_as_entries() {
    let place = UnpackFolder::new();
    let room = |entries| UnpackLimits { entries, ..UnpackLimits::default() };
    let zip = zip_of(&[("a/b/c/d/file", b"x", 0o644), ("a/b/other", b"x", 0o644)]);
    assert!(place.unpack_within(&zip, room(6)).is_ok());
    let error = place.refusal(&zip, room(5));
    assert!(matches!(error, PackageError::TooMany(5)), "{error:?}");
}

#[test]
fn folders_go_to_a_depth() {
    let place = UnpackFolder::new();
    let at_depth = |depth: usize| format!("{}file", "a/".repeat(depth - 1));
    let deep = zip_of(&[(&at_depth(100), b"x", 0o644)]);
    assert!(place.unpack_within(&deep, UnpackLimits::default()).is_ok());
    let deeper = zip_of(&[(&at_depth(101), b"x", 0o644)]);
    let error = place.refusal(&deeper, UnpackLimits::default());
    assert!(matches!(error, PackageError::TooDeep(100)), "{error:?}");
}

#[test]
fn what_is_no_package_is_refused() {
    let place = UnpackFolder::new();
    let not_a_zip = place.refusal(&Bytes::from_static(b"not a zip"), UnpackLimits::default());
    assert!(matches!(not_a_zip, PackageError::NotAZip(_)));
    let empty = place.refusal(&zip_of(&[]), UnpackLimits::default());
    assert!(matches!(empty, PackageError::NoEntries));
}
