//! Holds the local Lambda against answers of AWS that others recorded. The recordings are not part of
//! this repository; `peers/recordings.py` says what they are and how they are compared.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::shell;

/// The variable that names the folder of the recordings, where no argument does.
const VARIABLE: &str = "POWERTUNE_RECORDINGS";

/// The folder of the recordings.
pub(crate) fn folder(named: Option<PathBuf>) -> Result<PathBuf> {
    let named = named.or_else(|| env::var_os(VARIABLE).map(PathBuf::from));
    named.with_context(|| format!("no folder of recordings is named, nor is {VARIABLE} set"))
}

/// Plays the recorded scenarios on `powertune local`, and prints how many fields are as recorded.
pub(crate) fn run(folder: &Path, unequal: bool) -> Result<()> {
    let python = shell::root().join("target/peers/venv/bin/python");
    if !python.exists() {
        bail!("AWS's Python client is not in target/peers: run `cargo xtask peers` first");
    }
    shell::run(shell::cargo().args(["build", "--quiet", "--package", "powertune"]))?;
    let mut walk = shell::command(python);
    walk.arg("peers/recordings.py").arg(std::path::absolute(folder)?);
    walk.args(["--powertune", "target/debug/powertune"]);
    if unequal {
        walk.arg("--unequal");
    }
    shell::run(&mut walk)
}
