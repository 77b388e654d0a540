//! The real `powertune run`.

use std::process::{Command, Output, Stdio};

use crate::{
    lambda::FUNCTION,
    server::{Execution, MACHINE, serve},
};

/// What came of it.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Follows this execution; `lambda` are the variables that lead to a Lambda, if there is one.
pub(crate) fn run(execution: Execution, lambda: &[(&'static str, String)]) -> Ran {
    let url = serve(execution);
    let mut command = Command::new(env!("CARGO_BIN_EXE_powertune"));
    command.args(["run", FUNCTION, "--state-machine", MACHINE, "--endpoint-url", &url]);
    command.args(["--output", "json", "--no-progress"]).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    // Nobody listens on the port of discard.
    command.env("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:9");
    command.envs(lambda.iter().map(|(name, value)| (name, value)));
    let Output { status, stdout, stderr } = command.output().expect("it runs");
    let [stdout, stderr] =
        [stdout, stderr].map(|bytes| String::from_utf8(bytes).expect("it is text"));
    Ran { code: status.code(), stdout, stderr }
}

impl Ran {
    /// The error's own lines.
    pub(crate) fn error(&self) -> &str {
        self.stderr.split_once("error: ").map_or("", |(_, error)| error.trim_end())
    }
}
