//! The real binary, connected to the proxy.

use std::{
    process::{Output, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::process::Command;

use crate::crash::proxy::Proxy;

/// The longest time of a run that does not hang.
pub(crate) const LONGEST: Duration = Duration::from_mins(2);

/// The end of a process.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The proxy has killed it.
    Killed,
    ByItself(Output),
}

/// A machine with the journals of the runs of `powertune` on it.
#[derive(Debug)]
pub(crate) struct Host(TempDir);

impl Host {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// The number of journals.
    pub(crate) fn journals(&self) -> usize {
        std::fs::read_dir(self.0.path().join("powertune/journals")).map_or(0, Iterator::count)
    }
}

/// Runs `powertune` against the proxy, and kills it when the proxy says so.
pub(crate) async fn powertune(
    host: &Host,
    proxy: &Proxy,
    arguments: &[&str],
) -> Result<Ended, String> {
    let process = command(host, proxy, arguments).spawn().map_err(|error| error.to_string())?;
    tokio::select! {
        output = process.wait_with_output() => {
            output.map(Ended::ByItself).map_err(|error| error.to_string())
        }
        () = proxy.crash() => Ok(Ended::Killed),
        () = tokio::time::sleep(LONGEST) => Err(format!("{arguments:?} does not end")),
    }
}

/// `powertune` on this host, connected to this proxy.
pub(crate) fn command(host: &Host, proxy: &Proxy, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_powertune"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    settle(&mut command, host, proxy);
    // SIGKILL when the command is dropped.
    command.kill_on_drop(true);
    command
}

/// Makes a process use this host and this proxy, and nothing of the real machine's AWS settings.
pub(crate) fn settle(command: &mut Command, host: &Host, proxy: &Proxy) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true").envs(proxy.environment());
    command.env("XDG_STATE_HOME", host.0.path());
    // powertune gives up lasting faults after this many seconds, instead of a quarter of an hour.
    command.env("POWERTUNE_PATIENCE", "4");
}

/// Runs `powertune` to its end.
pub(crate) async fn finish(
    host: &Host,
    proxy: &Proxy,
    arguments: &[&str],
) -> Result<Output, String> {
    match powertune(host, proxy, arguments).await? {
        Ended::ByItself(output) => Ok(output),
        Ended::Killed => Err(format!("{arguments:?} was killed")),
    }
}

/// The output of a process, for the message of a failed test.
pub(crate) fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    format!("{}, saying {:?} {:?}", output.status, text(&output.stdout), text(&output.stderr))
}
