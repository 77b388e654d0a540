//! Output without a reader or without room: no command panics, and the exit code tells the outcome
//! of the command.

use std::{
    fs::File,
    process::{Command, Stdio},
    time::Duration,
};

use rustix::process::Signal;

use crate::{
    binary::{signal, stderr},
    stage::{FUNCTION, Stage},
};

/// The destination of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sink {
    /// A pipe without a reader.
    Unread,
    /// A full disk.
    Full,
    /// A closed descriptor.
    Closed,
}

const SINKS: [Sink; 3] = [Sink::Unread, Sink::Full, Sink::Closed];

impl Sink {
    fn stdio(self) -> Stdio {
        match self {
            Self::Unread => {
                let (reader, writer) = std::io::pipe().expect("a pipe");
                drop(reader);
                writer.into()
            }
            Self::Full => File::options().write(true).open("/dev/full").expect("it opens").into(),
            Self::Closed => Stdio::null(),
        }
    }
}

/// `powertune` with one of its outputs connected to the sink.
fn command(stage: &Stage, arguments: &[&str], descriptor: u32, sink: Sink) -> Command {
    let mut command = Command::new("sh");
    let close = if sink == Sink::Closed { format!(" {descriptor}>&-") } else { String::new() };
    command.arg("-c").arg(format!("exec \"$@\"{close}")).arg("sh");
    command.arg(env!("CARGO_BIN_EXE_powertune")).args(arguments).stdin(Stdio::null());
    command.envs(stage.environment());
    if descriptor == 1 {
        command.stdout(sink.stdio())
    } else {
        command.stderr(sink.stdio())
    };
    command
}

const TUNE: &[&str] = &["tune", FUNCTION, "--power-values", "256,512", "--num", "5"];

/// Each command that ends by itself, with its exit code.
const COMMANDS: &[(&[&str], i32)] = &[
    (TUNE, 0),
    (&["tune", FUNCTION, "--power-values", "256", "--dry-run"], 0),
    (&["clean", FUNCTION], 0),
    (&["generate", "asl"], 0),
    (&["generate", "sam"], 0),
    (&["generate", "iam", "--for", "tune"], 0),
    (&["prices", "--all"], 0),
    (&["completions", "bash"], 0),
    (&["man"], 0),
    (&["--help"], 0),
    (&["tune", "--help"], 0),
    (&["--version"], 0),
];

/// Commands that print only an error.
const FAILURES: &[(&[&str], i32)] = &[
    (&["tune", FUNCTION, "--num", "1"], 2),
    (&["tune", "nobody"], 2),
    (&["clean", "nobody"], 2),
    (&["run", "--state-machine", "arn:nothing", "--num", "1"], 2),
    (&["local", "--port", "no"], 2),
    (&["nothing"], 2),
];

#[test]
fn no_command_panics_where_its_output_goes_nowhere() {
    let stage = Stage::new("time.sleep(0.02)");
    for sink in SINKS {
        for (arguments, code) in COMMANDS.iter().chain(FAILURES) {
            let output = command(&stage, arguments, 1, sink).stderr(Stdio::piped()).output();
            let output = output.expect("it runs");
            let said = stderr(&output);
            let is_lost = *code == 0 && sink == Sink::Full;
            let expected = if is_lost { 1 } else { *code };
            assert_eq!(output.status.code(), Some(expected), "{arguments:?} {sink:?}: {said}");
            assert_eq!(said.contains("stdout could not be written to"), is_lost, "{said}");
            assert!(!said.contains("panicked"), "{arguments:?}: {said}");

            let output = command(&stage, arguments, 2, sink).stdout(Stdio::piped()).output();
            let output = output.expect("it runs");
            assert_eq!(output.status.code(), Some(*code), "{arguments:?} 2>{sink:?}");
            assert_eq!(output.stdout.is_empty(), *code != 0, "{arguments:?} 2>{sink:?}");
        }
    }
    stage.must_be_clean();
}

#[test]
fn a_demo_that_nobody_reads_is_no_failure() {
    let stage = Stage::new("return 1");
    let output = command(&stage, &["demo", "--quiet"], 1, Sink::Unread).output().expect("it runs");
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}

#[test]
fn a_result_that_can_not_be_printed_is_where_it_was_saved() {
    let stage = Stage::new("time.sleep(0.02)");
    let path = stage.path("result.json");
    let file = path.display().to_string();
    let arguments = [TUNE, &["--save", &file, "--quiet"]].concat();
    let output = command(&stage, &arguments, 1, Sink::Full).stderr(Stdio::piped()).output();
    let output = output.expect("it runs");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("the result is in {file}")), "{said}");
    let saved = std::fs::read_to_string(path).expect("it was saved");
    assert!(serde_json::from_str::<serde_json::Value>(&saved).is_ok(), "{saved}");
}

#[test]
fn a_local_lambda_goes_on_when_nobody_reads_its_variables_and_stops_where_they_are_lost() {
    let stage = Stage::new("return 1");
    let local = ["local", "--port", "0"];
    let full = command(&stage, &local, 1, Sink::Full).stderr(Stdio::piped()).output();
    let full = full.expect("it runs");
    assert_eq!(full.status.code(), Some(1), "{}", stderr(&full));
    for (descriptor, sink) in
        [(1, Sink::Unread), (1, Sink::Closed), (2, Sink::Unread), (2, Sink::Full)]
    {
        let mut command = command(&stage, &local, descriptor, sink);
        if descriptor == 1 {
            command.stderr(Stdio::null())
        } else {
            command.stdout(Stdio::null())
        };
        let mut process = command.spawn().expect("it starts");
        std::thread::sleep(Duration::from_secs(2));
        assert!(process.try_wait().expect("a child").is_none(), "{descriptor}>{sink:?}");
        signal(&process, Signal::TERM);
        assert_eq!(process.wait().expect("a child").code(), Some(0), "{descriptor}>{sink:?}");
    }
}
