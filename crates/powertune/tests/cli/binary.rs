//! Starts the binary and reads its output.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

/// `powertune` with these arguments and none of the caller's AWS settings.
pub(crate) fn powertune(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_powertune"));
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true").env_remove("NO_COLOR");
    // The developer's own journals and prices are not used.
    for name in ["XDG_STATE_HOME", "XDG_DATA_HOME"] {
        command.env(name, env!("CARGO_TARGET_TMPDIR"));
    }
    command
}

pub(crate) fn run(arguments: &[&str]) -> Output {
    powertune(arguments).output().expect("powertune runs")
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("stdout is UTF-8")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("stderr is UTF-8")
}

pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/functions").join(name)
}

/// `powertune local`, and the environment variables that it prints.
pub(crate) struct Local {
    process: Child,
    pub(crate) environment: Vec<(String, String)>,
}

impl Local {
    pub(crate) fn start() -> Self {
        let mut process = powertune(&["local", "--port", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("powertune local starts");
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let mut environment = Vec::new();
        while environment.len() < 5 {
            let line = lines.next().expect("another line").expect("UTF-8");
            let variable = line.strip_prefix("export ").and_then(|export| export.split_once('='));
            let (name, value) = variable.expect("a line of the form export NAME=VALUE");
            environment.push((name.to_owned(), value.to_owned()));
        }
        Self { process, environment }
    }

    pub(crate) fn value(&self, name: &str) -> String {
        let found = self.environment.iter().find(|(known, _)| known == name);
        found.expect("the variable is printed").1.clone()
    }

    /// `powertune` with the variables that it prints.
    pub(crate) fn powertune(&self, arguments: &[&str]) -> Command {
        let mut command = powertune(arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        signal(&self.process, rustix::process::Signal::TERM);
        let _ = self.process.wait();
    }
}

pub(crate) fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    let _ = rustix::process::kill_process(pid.expect("a process id"), signal);
}
