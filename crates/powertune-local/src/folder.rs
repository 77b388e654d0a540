//! The files of the server, private to its user.
//!
//! The name of the server's folder holds its process id, so that the next server can remove the
//! folder of a killed server. All other files are in this folder.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use tempfile::{Builder, TempDir};

const NAME: &str = "powertune-server-";
const PRIVATE: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;

/// The server's folder, removed when dropped.
pub(crate) fn of_the_server() -> io::Result<TempDir> {
    let place = std::env::temp_dir();
    remove_leftovers(&place, |process| Path::new(&format!("/proc/{process}")).exists());
    private(&place, &format!("{NAME}{}-", std::process::id()))
}

/// A private folder in `place`, removed when dropped.
pub(crate) fn private(place: &Path, prefix: &str) -> io::Result<TempDir> {
    let permissions = fs::Permissions::from_mode(PRIVATE);
    Builder::new().prefix(prefix).permissions(permissions).tempdir_in(place)
}

/// Writes a new private file.
pub(crate) fn write(path: &Path, content: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(PRIVATE_FILE).open(path)?;
    file.write_all(content.as_bytes())
}

/// Removes the folders of this user's servers that have ended.
fn remove_leftovers(place: &Path, lives: impl Fn(u32) -> bool) {
    let user = nix::unistd::getuid().as_raw();
    for entry in fs::read_dir(place).into_iter().flatten().filter_map(Result::ok) {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(NAME)?.split_once('-'));
        let Some(process) = owner.and_then(|(process, _)| process.parse().ok()) else { continue };
        let ours = entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == user);
        if ours && !lives(process) {
            // A folder that can't be removed does not prevent the start.
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_for_their_owner_alone() {
        let server = of_the_server().unwrap();
        let inside = private(server.path(), "inside-").unwrap();
        for folder in [server.path(), inside.path()] {
            let mode = fs::metadata(folder).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, PRIVATE, "{}", folder.display());
        }
    }

    #[test]
    fn only_folders_of_ended_servers_are_removed() {
        let place = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let folder = place.path().join(name);
            fs::create_dir_all(folder.join("inside")).unwrap();
            folder
        };
        let gone = make(&format!("{NAME}7-abc"));
        let kept = [
            make(&format!("{NAME}8-abc")),
            make(&format!("{NAME}-abc")),
            make(&format!("{NAME}7")),
            make("powertune-7-abc"),
        ];
        let file = place.path().join(format!("{NAME}7-file"));
        fs::write(&file, "").unwrap();
        remove_leftovers(place.path(), |process| process == 8);
        assert!(!gone.exists() && file.exists());
        assert!(kept.iter().all(|folder| folder.exists()));
    }
}
