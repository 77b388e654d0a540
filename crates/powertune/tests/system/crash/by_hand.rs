//! The commands that a run names if it could not put something back, typed as they are.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use tokio::process::Command;

use crate::{
    bootstrap::workspace,
    crash::{
        bench::Bench,
        process::{Host, said, settle},
        proxy::Proxy,
    },
};

/// The text before a command.
const BY_HAND: &str = "; by hand: ";

/// Runs every command that a failed run has named, in order.
pub(crate) async fn by_hand(host: &Host, bench: &Bench, output: &Output) -> Result<(), String> {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let commands: Vec<&str> =
        text.lines().filter_map(|line| Some(line.split_once(BY_HAND)?.1)).collect();
    if commands.is_empty() {
        return Err(format!("it says nothing of what to do by hand: {}", said(output)));
    }
    for command in commands {
        let proxy = Proxy::start(bench, &[]);
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).stdin(Stdio::null());
        settle(&mut shell, host, &proxy);
        shell.env("PATH", path()?);
        let done = shell.output().await.map_err(|error| error.to_string())?;
        // If the answer of a change was lost, it may have been made.
        let is_done = done.status.success() || said(&done).contains("ResourceNotFoundException");
        if !is_done {
            return Err(format!("{command} ended with {}", said(&done)));
        }
    }
    Ok(())
}

/// The PATH with `aws` and `powertune`.
fn path() -> Result<OsString, String> {
    let beside = |file: &Path| file.parent().map(Path::to_owned).unwrap_or_default();
    let ours = [beside(&aws_cli()), beside(Path::new(env!("CARGO_BIN_EXE_powertune")))];
    let all = env::var_os("PATH").unwrap_or_default();
    env::join_paths(ours.into_iter().chain(env::split_paths(&all)))
        .map_err(|error| error.to_string())
}

/// The path of AWS's CLI, as `cargo xtask peers` installs it.
pub(crate) fn aws_cli() -> PathBuf {
    workspace().join("target/peers/venv/bin/aws")
}
