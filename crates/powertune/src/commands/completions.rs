//! `powertune completions`: what a shell needs to complete our arguments.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::{Arguments, console::print, failure::Failure};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  powertune completions bash > ~/.local/share/bash-completion/completions/powertune
  powertune completions zsh > ~/.zfunc/_powertune
  powertune completions fish > ~/.config/fish/completions/powertune.fish")]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let mut command = Arguments::command();
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "powertune", &mut script);
        print(&String::from_utf8_lossy(&script))
    }
}
