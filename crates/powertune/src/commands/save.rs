//! The destination of `--save`. A file is replaced as a whole, so that it never holds half a
//! result. A pipe or a device is written to once, at the end.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl},
    unistd::{AccessFlags, access},
};

/// The most symbolic links that are followed.
const MOST_LINKS: usize = 40;
/// The time that writing waits for a reader of a pipe.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Destination {
    /// A file, which may not exist yet.
    File(PathBuf),
    /// A file in a folder in which no file can be created.
    InPlace(PathBuf),
    /// A pipe, a device, or a descriptor of this process.
    Stream(PathBuf),
    Stdout,
    Stderr,
}

impl Destination {
    /// The destination behind `path`; creates nothing.
    ///
    /// # Errors
    /// When it can't be written to.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let (folder, file) = followed(path)?;
        if is_descriptors(&folder) {
            return Ok(match file.file_name().and_then(|name| name.to_str()) {
                Some("1") => Self::Stdout,
                Some("2") => Self::Stderr,
                _ => Self::Stream(file),
            });
        }
        let kind = match fs::metadata(&file) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                access(&folder, AccessFlags::W_OK | AccessFlags::X_OK)?;
                return Ok(Self::File(file));
            }
            metadata => metadata?.file_type(),
        };
        if kind.is_dir() {
            return Err(ErrorKind::IsADirectory.into());
        }
        if kind.is_socket() {
            return Err(io::Error::other("it is a socket"));
        }
        access(&file, AccessFlags::W_OK)?;
        let is_replaceable = access(&folder, AccessFlags::W_OK | AccessFlags::X_OK).is_ok();
        Ok(match (kind.is_file(), is_replaceable) {
            (true, true) => Self::File(file),
            (true, false) => Self::InPlace(file),
            (false, _) => Self::Stream(file),
        })
    }

    /// Writes a preliminary result, if the destination can be written to again later.
    pub(super) fn write_early(&self, text: &str) -> io::Result<()> {
        match self {
            Self::File(path) => replace(path, text),
            Self::InPlace(_) | Self::Stream(_) | Self::Stdout | Self::Stderr => Ok(()),
        }
    }

    /// Writes the final result.
    pub(super) fn write(&self, text: &str) -> io::Result<()> {
        match self {
            Self::File(path) => replace(path, text),
            Self::InPlace(path) => fs::write(path, text),
            Self::Stream(path) => stream(path, text),
            Self::Stdout => io::stdout().write_all(text.as_bytes()),
            Self::Stderr => io::stderr().write_all(text.as_bytes()),
        }
    }
}

/// The folder and the path of the file behind all symbolic links. Links in /proc stand for open
/// files and are not followed.
fn followed(path: &Path) -> io::Result<(PathBuf, PathBuf)> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let name = path.file_name().ok_or_else(|| io::Error::other("it names no file"))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).canonicalize()?;
        let file = folder.join(name);
        match fs::read_link(&file) {
            Ok(target) if !is_descriptors(&folder) => path = folder.join(target),
            _ => return Ok((folder, file)),
        }
    }
    Err(io::Error::other("too many links lead to it"))
}

/// True for a folder whose files stand for the open files of this process.
fn is_descriptors(folder: &Path) -> bool {
    folder == Path::new("/dev/fd") || (folder.starts_with("/proc") && folder.ends_with("fd"))
}

/// Writes a temporary file and renames it, so that until then the old file stays as it is.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let old = fs::metadata(path).ok().map(|metadata| metadata.permissions());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".powertune-").permissions(Permissions::from_mode(0o666));
    let folder = path.parent().ok_or_else(|| io::Error::other("it is in no folder"))?;
    let mut file = builder.tempfile_in(folder)?;
    if let Some(permissions) = old {
        file.as_file().set_permissions(permissions)?;
    }
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist(path) {
        // The file is a mount point of its own, as in containers.
        Err(error) if error.error.kind() == ErrorKind::ResourceBusy => fs::write(path, text),
        persisted => persisted.map(|_| ()).map_err(|error| error.error),
    }
}

/// Writes to a pipe or a device. The reader of a pipe may open it a moment later.
fn stream(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).custom_flags(OFlag::O_NONBLOCK.bits());
    let started = Instant::now();
    let mut file = loop {
        match options.open(path) {
            Err(error) if is_unread(&error) && started.elapsed() < PATIENCE => {
                thread::sleep(Duration::from_millis(50));
            }
            Err(error) if is_unread(&error) => return Err(io::Error::other("nothing reads it")),
            opened => break opened?,
        }
    };
    let flags = OFlag::from_bits_retain(fcntl(&file, FcntlArg::F_GETFL)?);
    fcntl(&file, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK))?;
    file.write_all(text.as_bytes())
}

/// True if the pipe has no reader.
fn is_unread(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::ENXIO as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_apart_and_nothing_is_created() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().canonicalize().unwrap();
        let place = |name: &str| here.join(name);
        fs::write(place("old.json"), "old").unwrap();
        std::os::unix::fs::symlink("old.json", place("link.json")).unwrap();
        std::os::unix::fs::symlink("new.json", place("dangling.json")).unwrap();
        std::os::unix::fs::symlink("loop.json", place("loop.json")).unwrap();
        let of = |path: PathBuf| Destination::of(&path).ok();
        assert_eq!(of(place("old.json")), Some(Destination::File(place("old.json"))));
        assert_eq!(of(place("link.json")), Some(Destination::File(place("old.json"))));
        assert_eq!(of(place("dangling.json")), Some(Destination::File(place("new.json"))));
        assert_eq!(of("/dev/stdout".into()), Some(Destination::Stdout));
        assert_eq!(of("/dev/fd/2".into()), Some(Destination::Stderr));
        assert_eq!(of("/dev/null".into()), Some(Destination::Stream("/dev/null".into())));
        for bad in ["loop.json", "", "absent/new.json", ".."] {
            assert_eq!(of(place(bad)), None, "{bad:?}");
        }
        assert_eq!(fs::read_dir(&here).unwrap().count(), 4);
    }

    #[test]
    fn a_file_keeps_its_permissions_and_a_new_one_gets_the_usual() {
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let [old, new, usual] = ["old", "new", "usual"].map(|name| folder.path().join(name));
        fs::write(&old, "old").unwrap();
        fs::set_permissions(&old, Permissions::from_mode(0o640)).unwrap();
        fs::write(&usual, "").unwrap();
        for path in [&old, &new] {
            Destination::of(path).unwrap().write("result").unwrap();
            assert_eq!(fs::read_to_string(path).unwrap(), "result");
        }
        assert_eq!((mode(&old), mode(&new)), (0o640, mode(&usual)));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "nothing temporary is left");
    }
}
