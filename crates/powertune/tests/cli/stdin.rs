//! Commands that read stdin.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

/// Runs a command to its end, with this text on its stdin.
pub(crate) fn with_stdin(command: &mut Command, text: &str) -> Output {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("powertune starts");
    // A command that refuses its arguments does not read its stdin.
    let _ = child.stdin.take().expect("a pipe").write_all(text.as_bytes());
    child.wait_with_output().expect("powertune ends")
}
