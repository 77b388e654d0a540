//! Standard output and standard error. All that is said goes through here, since `println!` and its
//! kin panic where the reader is gone or the disk is full, and the exit code is to say how the run
//! went.

use std::io::{self, ErrorKind, Write};

use crate::failure::Failure;

/// Writes data to stdout.
///
/// # Errors
/// When it could not be written. A reader that is gone has had enough, which is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    written(write_all(io::stdout().lock(), text.as_bytes()))
}

/// What writing to stdout came to.
pub(crate) fn written(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Other(format!("stdout could not be written to: {error}")))
        }
        _ => Ok(()),
    }
}

/// Says a line on stderr. Where that is gone there is nobody to tell.
pub(crate) fn say(line: &str) {
    let _ = write_all(io::stderr().lock(), format!("{line}\n").as_bytes());
}

/// Says something on stderr that an answer is to follow in the same line.
pub(crate) fn prompt(text: &str) {
    let _ = write_all(io::stderr().lock(), text.as_bytes());
}

fn write_all(mut stream: impl Write, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    stream.flush()
}
