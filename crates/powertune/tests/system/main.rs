//! The real binary in all that can go wrong around it, and with programs of others.
//!
//! Each module gives a list of tests. They are one program, so that those that wait leave the
//! processors to the others.

mod bootstrap;
mod crash;
mod histories;
mod hostile;
mod local;
mod peers;

use std::{env, process::ExitCode};

use libtest_mimic::{Arguments, Trial};

/// The number of tests at the same time, if the command line does not say it: most of the time they
/// wait.
const AT_ONCE: usize = 6;

fn main() -> ExitCode {
    if let Some(ended) = crash::instead_of_tests().or_else(histories::instead_of_tests) {
        return ended;
    }
    let every_machine = env::args().any(|argument| argument == crash::EVERY_MACHINE);
    let trials = if every_machine { crash::every_machine() } else { trials() };
    let arguments = env::args().filter(|argument| argument != crash::EVERY_MACHINE);
    let mut arguments = Arguments::from_iter(arguments);
    arguments.test_threads.get_or_insert(AT_ONCE);
    let conclusion = libtest_mimic::run(&arguments, trials);
    crash::print_figures();
    hostile::print_figure();
    conclusion.exit_code()
}

/// All tests. The modules with the longest tests come first, so that others run beside them.
fn trials() -> Vec<Trial> {
    let of = |module: &'static str, trials: Vec<Trial>| {
        trials.into_iter().map(move |trial| trial.with_kind(module))
    };
    of("crash", crash::trials())
        .chain(of("peers", peers::trials()))
        .chain(of("histories", histories::trials()))
        .chain(of("hostile", hostile::trials()))
        .collect()
}
