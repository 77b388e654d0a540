//! The server's temporary folder, named after its process, so that what a killed server left
//! behind is known and removed by the next one.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use tempfile::{Builder, TempDir};

const NAME: &str = "powertune-server-";

/// A folder that nobody else may read, gone when dropped.
pub(super) fn private() -> io::Result<TempDir> {
    remove_leftovers(&std::env::temp_dir(), |process| {
        Path::new(&format!("/proc/{process}")).exists()
    });
    Builder::new()
        .prefix(&format!("{NAME}{}-", std::process::id()))
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir()
}

/// Removes the folders of this user's servers that have ended.
fn remove_leftovers(place: &Path, lives: impl Fn(u32) -> bool) {
    let user = rustix::process::getuid().as_raw();
    for entry in fs::read_dir(place).into_iter().flatten().filter_map(Result::ok) {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(NAME)?.split_once('-'));
        let Some(process) = owner.and_then(|(process, _)| process.parse().ok()) else { continue };
        let ours = entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == user);
        if ours && !lives(process) {
            // What can't be removed is no obstacle to running functions.
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
