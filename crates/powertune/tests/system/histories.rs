//! Runs the real `powertune run` on executions with histories as AWS writes them.
//!
//! A server on this machine answers like Step Functions. Its answers repeat facts of AWS: the types
//! of events and their details, the names of errors, and causes that are JSON text, empty or
//! missing. No interpreter writes all of them as AWS does.
//!
//! `cargo test -p powertune --test system -- --recordings FOLDER` follows every history in a
//! folder of LocalStack's `*.snapshot.json` files, which were recorded on AWS, and prints the
//! output of `powertune run`.

mod cases;
mod cleaning;
mod history;
mod interrupted;
mod lambda;
mod outages;
mod recordings;
mod run;
mod server;

use std::{env, process::ExitCode};

use libtest_mimic::Trial;

/// The argument before the folder with the recordings.
const RECORDINGS: &str = "--recordings";

/// Walks over recordings if the command line asks for it. `None` otherwise: then the tests run.
pub(crate) fn instead_of_tests() -> Option<ExitCode> {
    let mut given = env::args().skip_while(|argument| argument != RECORDINGS).skip(1);
    given.next().map(|folder| recordings::walk(folder.as_ref()))
}

pub(crate) fn trials() -> Vec<Trial> {
    cases::trials()
        .into_iter()
        .chain(interrupted::trials())
        .chain(outages::trials())
        .chain(cleaning::trials())
        .collect()
}
