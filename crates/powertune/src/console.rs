//! Standard output and standard error. All output goes through here: `println!` and the like panic
//! if the reader is gone or the disk is full, and the exit code is to tell the outcome of the run.

use std::io::{self, ErrorKind, Write};

use crate::error::CommandError;

/// Writes data to stdout.
///
/// # Errors
/// When stdout can't be written to. A reader that has closed its end of a pipe is no failure.
pub(crate) fn print(text: &str) -> Result<(), CommandError> {
    written(write_all(io::stdout().lock(), text.as_bytes()))
}

/// The result of writing to stdout.
pub(crate) fn written(written: io::Result<()>) -> Result<(), CommandError> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(CommandError::Other(format!("stdout could not be written to: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes a line to stderr. Errors are ignored: there is no other place to report them.
pub(crate) fn say(line: &str) {
    let _ = write_all(io::stderr().lock(), format!("{line}\n").as_bytes());
}

/// Writes a question to stderr; the answer follows on the same line.
pub(crate) fn prompt(text: &str) {
    let _ = write_all(io::stderr().lock(), text.as_bytes());
}

fn write_all(mut stream: impl Write, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    stream.flush()
}
