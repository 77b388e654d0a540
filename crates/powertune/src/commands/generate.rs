//! `powertune generate`: templates and policies that deploy the state machine.

use std::{fs, path::PathBuf};

use clap::{Args, ValueEnum, ValueHint};
use powertune_core::arn::FunctionRef;
use powertune_deploy::{DeployTarget, File, caller::PermittedCommand, generate};

use crate::{
    console::{print, say},
    error::CommandError,
    output::plain,
};

/// The hint on the policy of `powertune run`.
const RULE: &str = "after Ctrl-C the rule on the end of executions puts the function back; with the \
                    permissions of --for clean too, `powertune run` does it at once and says so";

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  powertune generate sam --folder powertune
  powertune generate terraform --folder powertune
  powertune generate iam --for tune --function my-function")]
pub(crate) struct GenerateCommand {
    /// The template or policy
    #[arg(value_enum, value_name = "WHAT")]
    artifact: Artifact,
    /// Print the least policy for users of this command, instead of the functions' policies
    #[arg(long = "for", value_enum, value_name = "COMMAND")]
    command: Option<PolicyCommand>,
    /// Function of the command, by name, partial ARN or ARN [default: any]
    #[arg(long, requires = "command")]
    function: Option<String>,
    /// Write the files into this folder instead of printing the first of them
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    folder: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Artifact {
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

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PolicyCommand {
    /// `powertune tune`
    Tune,
    /// `powertune clean`
    Clean,
    /// `powertune run`
    Run,
}

impl From<PolicyCommand> for PermittedCommand {
    fn from(caller: PolicyCommand) -> Self {
        match caller {
            PolicyCommand::Tune => Self::Tune,
            PolicyCommand::Clean => Self::Clean,
            PolicyCommand::Run => Self::Run,
        }
    }
}

impl From<Artifact> for DeployTarget {
    fn from(artifact: Artifact) -> Self {
        match artifact {
            Artifact::Asl => Self::Asl,
            Artifact::Sam => Self::Sam,
            Artifact::Serverless => Self::Serverless,
            Artifact::Terraform => Self::Terraform,
            Artifact::Iam => Self::Iam,
        }
    }
}

impl GenerateCommand {
    pub(crate) fn run(self) -> Result<(), CommandError> {
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
                CommandError::Other(format!("{} can't be written: {error}", path.display()))
            })?;
            say(&plain(&path.display().to_string()));
        }
        Ok(())
    }

    fn files(&self) -> Result<Vec<File>, CommandError> {
        let Some(command) = self.command.map(PermittedCommand::from) else {
            return Ok(generate(self.artifact.into()));
        };
        if !matches!(self.artifact, Artifact::Iam) {
            return Err(CommandError::input("--for", "works only with `generate iam`".to_owned()));
        }
        let function = self.function.as_deref().map(str::parse::<FunctionRef>).transpose();
        let function =
            function.map_err(|error| CommandError::input("--function", error.to_string()))?;
        if matches!(command, PermittedCommand::Run) {
            say(RULE);
        }
        let content = format!("{:#}\n", command.policy(function.as_ref()));
        Ok(vec![File { path: format!("{}.json", command.name()), content }])
    }
}
