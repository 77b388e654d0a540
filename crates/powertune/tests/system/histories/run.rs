//! The real `powertune run`.

use std::process::{Child, Command, Output, Stdio};

use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process};

use crate::histories::{
    lambda::FUNCTION,
    server::{Execution, MACHINE, Server},
};

#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Follows this execution; `lambda` are the environment variables of a Lambda, if there is one.
pub(crate) fn run(execution: Execution, lambda: &[(&'static str, String)]) -> Ran {
    let server = Server::start(execution);
    ended(&mut command(&server, &["--state-machine", MACHINE], lambda))
}

/// A failure with the expectation and the output, unless `is_so`.
pub(crate) fn check(is_so: bool, what: &str, ran: &Ran) -> Result<(), Failed> {
    if is_so { Ok(()) } else { Err(format!("{what}\n{ran:?}").into()) }
}

/// Runs it to its end.
pub(crate) fn ended(command: &mut Command) -> Ran {
    command.output().expect("it runs").into()
}

/// Runs it, and interrupts it after this many calls of an operation.
pub(crate) fn interrupted(
    command: &mut Command,
    server: &Server,
    operation: &str,
    times: usize,
) -> Ran {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    server.wait_for(operation, times);
    interrupt(&child);
    child.wait_with_output().expect("it ends").into()
}

fn interrupt(child: &Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, Signal::INT).expect("it lives");
}

/// `powertune run` on the function, with more arguments.
pub(crate) fn command(
    server: &Server,
    arguments: &[&str],
    lambda: &[(&'static str, String)],
) -> Command {
    let of_all = ["run", FUNCTION, "--endpoint-url", &server.url(), "--output", "json"];
    powertune(&[of_all.as_slice(), &["--no-progress"], arguments].concat(), lambda)
}

pub(crate) fn powertune(arguments: &[&str], lambda: &[(&'static str, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_powertune"));
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    // Nothing listens on the discard port.
    command.env("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:9");
    command.envs(lambda.iter().map(|(name, value)| (name, value)));
    command
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let Output { status, stdout, stderr } = output;
        let [stdout, stderr] =
            [stdout, stderr].map(|bytes| String::from_utf8(bytes).expect("it is text"));
        Self { code: status.code(), stdout, stderr }
    }
}

impl Ran {
    /// The lines of the error.
    pub(crate) fn error(&self) -> &str {
        self.stderr.split_once("error: ").map_or("", |(_, error)| error.trim_end())
    }
}
