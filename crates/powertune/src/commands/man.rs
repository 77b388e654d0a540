//! `powertune man`: the manual pages.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::{Args, CommandFactory, ValueHint};
use clap_mangen::Man;

use crate::{
    Arguments,
    console::{print, say},
    error::CommandError,
    output::plain,
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  powertune man | man -l -
  powertune man --folder ~/.local/share/man/man1")]
pub(crate) struct ManCommand {
    /// Write a page for each command into this folder instead of printing the first
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    folder: Option<PathBuf>,
}

impl ManCommand {
    pub(crate) fn run(&self) -> Result<(), CommandError> {
        let Some(folder) = &self.folder else {
            let mut page = Vec::new();
            let rendered = Man::new(Arguments::command()).render(&mut page);
            rendered
                .map_err(|error| CommandError::Other(format!("cannot make a page: {error}")))?;
            return print(&String::from_utf8_lossy(&page));
        };
        write(folder).map_err(|error| {
            CommandError::Other(format!("{} can't be written to: {error}", folder.display()))
        })?;
        say(&plain(&format!("the pages are in {}", folder.display())));
        Ok(())
    }
}

fn write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Arguments::command(), folder)
}
