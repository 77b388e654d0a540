//! `powertune completions`: what a shell needs to complete our arguments.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::Arguments;

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self) {
        let mut command = Arguments::command();
        clap_complete::generate(self.shell, &mut command, "powertune", &mut std::io::stdout());
    }
}
