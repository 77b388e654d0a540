//! The Rust sources in a folder, for the checks that scan them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Each source in a folder and in the folders in it, with its text, in the order of their paths.
pub(crate) fn of(folder: &Path) -> Result<Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    let entries = folder.read_dir().with_context(|| format!("can't list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(of(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("can't read {}", path.display()))?;
            found.push((path, text));
        }
    }
    found.sort();
    Ok(found)
}
