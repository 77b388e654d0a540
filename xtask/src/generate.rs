//! Writes the `deploy` folder, or checks that it is what would be written.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::shell;

const FOLDER: &str = "deploy";

/// Writes every file that is not as it has to be, and names it.
pub(crate) fn write() -> Result<()> {
    let stale = stale()?;
    for file in &stale {
        let path = shell::root().join(FOLDER).join(&file.path);
        let parent = path.parent().expect("a file lies in a folder");
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, &file.content))
            .with_context(|| format!("can't write {}", path.display()))?;
        println!("{FOLDER}/{}", file.path);
    }
    println!("generate: {} files written", stale.len());
    Ok(())
}

/// Fails if a file is missing or is not as it has to be, and names it.
pub(crate) fn check() -> Result<()> {
    let stale: Vec<_> =
        stale()?.into_iter().map(|file| format!("{FOLDER}/{}", file.path)).collect();
    if !stale.is_empty() {
        bail!("`cargo xtask generate` has to be run again: {}", stale.join(", "));
    }
    Ok(())
}

fn stale() -> Result<Vec<powertune_deploy::File>> {
    let mut stale = Vec::new();
    for file in powertune_deploy::deploy() {
        let path = shell::root().join(FOLDER).join(&file.path);
        let there = path.exists().then(|| fs::read_to_string(&path)).transpose();
        let there = there.with_context(|| format!("can't read {}", path.display()))?;
        if there.as_ref() != Some(&file.content) {
            stale.push(file);
        }
    }
    Ok(stale)
}
