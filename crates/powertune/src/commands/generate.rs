//! `powertune generate`: what deploys the Step Functions edition.

use std::{fs, path::PathBuf};

use clap::{Args, ValueEnum, ValueHint};
use powertune_core::arn::FunctionRef;
use powertune_deploy::{File, Target, caller::Command, generate};

use crate::{
    console::{print, say},
    failure::Failure,
    output::plain,
};

/// What to know of the policy of `run`.
const RULE: &str = "after Ctrl-C the rule on the end of executions puts the function back; with the \
                    permissions of --for clean too, `powertune run` does it at once and says so";

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  powertune generate sam --folder powertune
  powertune generate terraform --folder powertune
  powertune generate iam --for tune --function my-function")]
pub(crate) struct Generate {
    /// What to generate
    #[arg(value_enum)]
    what: What,
    /// Print the least policy of whoever runs this command, instead of those of the functions
    #[arg(long = "for", value_enum, value_name = "COMMAND")]
    command: Option<Caller>,
    /// The function that the command is run on, by name, partial ARN or ARN; any without it
    #[arg(long, requires = "command")]
    function: Option<String>,
    /// Write the files into this folder instead of printing the first of them
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    folder: Option<PathBuf>,
}

/// What to generate.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// The state machine, in the Amazon States Language
    Asl,
    /// A template for the AWS SAM CLI
    Sam,
    /// A service for the Serverless Framework
    Serverless,
    /// A Terraform module
    Terraform,
    /// A policy for the role of each function
    Iam,
}

/// A command that calls AWS.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Caller {
    /// `powertune tune`
    Tune,
    /// `powertune clean`
    Clean,
    /// `powertune run`
    Run,
}

impl From<Caller> for Command {
    fn from(caller: Caller) -> Self {
        match caller {
            Caller::Tune => Self::Tune,
            Caller::Clean => Self::Clean,
            Caller::Run => Self::Run,
        }
    }
}

impl From<What> for Target {
    fn from(what: What) -> Self {
        match what {
            What::Asl => Self::Asl,
            What::Sam => Self::Sam,
            What::Serverless => Self::Serverless,
            What::Terraform => Self::Terraform,
            What::Iam => Self::Iam,
        }
    }
}

impl Generate {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let files = self.files()?;
        let Some(folder) = self.folder else {
            let names: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
            if let [_, others @ ..] = names.as_slice()
                && !others.is_empty()
            {
                say(&format!(
                    "this is {}; it goes with {}: --folder FOLDER writes all of them",
                    names[0],
                    others.join(", ")
                ));
            }
            return files.first().map_or(Ok(()), |file| print(&file.content));
        };
        for file in files {
            let path = folder.join(&file.path);
            let written = path.parent().map_or(Ok(()), fs::create_dir_all);
            written.and_then(|()| fs::write(&path, &file.content)).map_err(|error| {
                Failure::Other(format!("{} can't be written: {error}", path.display()))
            })?;
            say(&plain(&path.display().to_string()));
        }
        Ok(())
    }

    fn files(&self) -> Result<Vec<File>, Failure> {
        let Some(command) = self.command.map(Command::from) else {
            return Ok(generate(self.what.into()));
        };
        if !matches!(self.what, What::Iam) {
            return Err(Failure::input("--for", "only `generate iam` knows of it".to_owned()));
        }
        let function = self.function.as_deref().map(str::parse::<FunctionRef>).transpose();
        let function = function.map_err(|error| Failure::input("--function", error.to_string()))?;
        if matches!(command, Command::Run) {
            say(RULE);
        }
        let content = format!("{:#}\n", command.policy(function.as_ref()));
        Ok(vec![File { path: format!("{}.json", command.name()), content }])
    }
}
