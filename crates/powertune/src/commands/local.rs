//! `powertune local`: serves Lambda on this machine until it is stopped.

use std::{
    fmt,
    fs::{File, Permissions},
    io,
    os::{fd::AsFd, unix::fs::PermissionsExt},
    path::PathBuf,
    time::Duration,
};

use clap::{Args, ValueEnum, ValueHint};
use powertune_local::{CpuControl, Credentials, LocalLambda, Settings};

use super::interrupt;
use crate::{
    console::{print, say},
    error::CommandError,
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  powertune local
  powertune local --port 9002 --region eu-west-1 > local.env")]
pub(crate) struct LocalCommand {
    /// Port on 127.0.0.1; 0 takes any free one
    #[arg(long, default_value_t = 9001)]
    port: u16,
    /// Region in the ARNs of functions
    #[arg(long, default_value = "us-east-1")]
    region: String,
    /// Time that new versions stay Pending and updates InProgress
    #[arg(long, value_name = "MS", default_value_t = 20)]
    update_delay: u64,
    /// The account's limit of concurrent executions
    #[arg(long, value_name = "N", default_value_t = 1000)]
    concurrency: u32,
    /// The most memory that functions can have; some accounts stop at 3008
    #[arg(long, value_name = "MB", default_value_t = 10_240)]
    largest_memory: u32,
    /// Another key pair that callers may sign with; can be given many times
    #[arg(long, value_name = "ID:SECRET", allow_hyphen_values = true)]
    key_pair: Vec<KeyPair>,
    /// Write a line of JSON to this file for each call, which shows the permissions a program needs
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    log_calls: Option<PathBuf>,
    /// Method that limits functions to their share of the CPU
    #[arg(long, value_enum, default_value_t = Cpu::Auto)]
    cpu: Cpu,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Cpu {
    /// Control groups if this user may use them, else signals
    Auto,
    /// Control groups
    Cgroup,
    /// SIGSTOP and SIGCONT
    Signals,
    /// No limit: functions take all CPU that is free, so that measurements mean nothing
    Unlimited,
}

/// An unparsed key pair. It is parsed after clap has ended: clap quotes the values that a parser
/// refuses, and this one may be a secret.
#[derive(Clone)]
struct KeyPair(String);

impl From<String> for KeyPair {
    fn from(given: String) -> Self {
        Self(given)
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPair(..)")
    }
}

impl KeyPair {
    fn read(&self) -> Result<Credentials, CommandError> {
        match self.0.split_once(':') {
            Some((id, secret)) if !id.is_empty() && !secret.is_empty() && !id.contains('/') => {
                Ok(Credentials {
                    access_key_id: id.to_owned(),
                    secret_access_key: secret.to_owned(),
                    session_token: None,
                })
            }
            _ => Err(CommandError::input(
                "--key-pair",
                "it is not of the form ID:SECRET; the value is not shown here",
            )),
        }
    }
}

/// Takes the file behind `output` away from other users of this machine: a key is written to it.
fn keep_private(output: &impl AsFd) -> io::Result<()> {
    let file = File::from(output.as_fd().try_clone_to_owned()?);
    let found = file.metadata()?;
    let mode = found.permissions().mode();
    if found.is_file() && mode & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(mode & 0o700))?;
    }
    Ok(())
}

impl LocalCommand {
    pub(crate) async fn run(self) -> Result<(), CommandError> {
        let further = self.key_pair.iter().map(KeyPair::read).collect::<Result<Vec<_>, _>>()?;
        let stop = interrupt::on_signal();
        let settings = Settings {
            port: self.port,
            region: self.region,
            update_delay: Duration::from_millis(self.update_delay),
            concurrency: self.concurrency,
            // The first pair is printed.
            credentials: [vec![Credentials::random()], further].concat(),
            call_log: self.log_calls,
            largest_memory_mb: self.largest_memory,
            cpu: match self.cpu {
                Cpu::Auto => CpuControl::Auto,
                Cpu::Cgroup => CpuControl::Cgroup,
                Cpu::Signals => CpuControl::Signals,
                Cpu::Unlimited => CpuControl::Unlimited,
            },
            ..Settings::default()
        };
        let lambda = LocalLambda::start(settings)
            .await
            .map_err(|error| CommandError::Other(error.to_string()))?;
        if let Err(error) = keep_private(&io::stdout()) {
            say(&format!("others may be able to read the key in the output ({error}): chmod 600"));
        }
        let variables = lambda.environment().into_iter();
        let exports = variables.map(|(name, value)| format!("export {name}={value}\n"));
        if let Err(failure) = print(&exports.collect::<String>()) {
            lambda.shutdown().await;
            return Err(failure);
        }
        say(&format!("Lambda is served at {} ({})", lambda.endpoint_url(), lambda.cpu_control()));
        say("functions live until it stops; stop it with Ctrl-C");
        stop.cancelled().await;
        lambda.shutdown().await;
        Ok(())
    }
}
