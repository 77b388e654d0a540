//! `powertune completions`: scripts by which shells complete arguments.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::{Arguments, console::print, error::CommandError};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  powertune completions bash > ~/.local/share/bash-completion/completions/powertune
  powertune completions zsh > ~/.zfunc/_powertune
  powertune completions fish > ~/.config/fish/completions/powertune.fish")]
pub(crate) struct CompletionsCommand {
    /// The shell
    shell: Shell,
}

impl CompletionsCommand {
    pub(crate) fn run(&self) -> Result<(), CommandError> {
        let mut command = Arguments::command();
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "powertune", &mut script);
        print(&String::from_utf8_lossy(&script))
    }
}
