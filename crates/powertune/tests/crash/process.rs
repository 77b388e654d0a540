//! The real binary, as a user runs it, in front of the proxy.

use std::{
    process::{Output, Stdio},
    time::Duration,
};

use tokio::process::Command;

use crate::proxy::Proxy;

/// No run takes longer, unless it hangs.
const LONGEST: Duration = Duration::from_mins(2);

/// How a process ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// By the proxy, at the request that it was told to wait for.
    Killed,
    ByItself(Output),
}

/// Runs `powertune` on what is behind the proxy, and kills it if the proxy says so.
pub(crate) async fn powertune(proxy: &Proxy, arguments: &[&str]) -> Result<Ended, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_powertune"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true").envs(proxy.environment());
    // SIGKILL, as soon as nobody waits for it any more.
    let process = command.kill_on_drop(true).spawn().map_err(|error| error.to_string())?;
    tokio::select! {
        output = process.wait_with_output() => {
            output.map(Ended::ByItself).map_err(|error| error.to_string())
        }
        () = proxy.crash() => Ok(Ended::Killed),
        () = tokio::time::sleep(LONGEST) => Err(format!("{arguments:?} does not end")),
    }
}

/// Runs `powertune` to its end.
pub(crate) async fn finish(proxy: &Proxy, arguments: &[&str]) -> Result<Output, String> {
    match powertune(proxy, arguments).await? {
        Ended::ByItself(output) => Ok(output),
        Ended::Killed => Err(format!("{arguments:?} was killed")),
    }
}

/// What a process said, for a test that fails.
pub(crate) fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    format!("{}, saying {:?} {:?}", output.status, text(&output.stdout), text(&output.stderr))
}
