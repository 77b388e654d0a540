//! Exit codes.

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use rustix::{
    process::Signal,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};
use tempfile::TempDir;

use crate::{
    binary::{Local, powertune, run, signal, stderr},
    stage::{FUNCTION, Stage},
};

fn function(body: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let source = format!("import time\ndef handler(event, context):\n    {body}\n");
    fs::write(folder.path().join("app.py"), source).expect("the code");
    folder
}

fn arguments(path: &Path) -> Vec<String> {
    let path = path.display().to_string();
    ["tune", "--local", &path, "--runtime", "python3.11", "--handler", "app.handler"]
        .into_iter()
        .chain(["--power-values", "256,512", "--num", "5"])
        .map(str::to_owned)
        .collect()
}

fn borrowed(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

#[test]
fn a_function_that_always_fails_is_1() {
    let folder = function("raise ValueError('\\x1b[31mred\\x1b[0m')");
    let output = run(&borrowed(&arguments(folder.path())));
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("ValueError") && said.contains("everything was put back"), "{said}");
    assert!(!said.contains('\u{1b}'), "the function's escape codes stay its own: {said:?}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_function_that_is_not_there_is_2() {
    let local = Local::start();
    let output = local.powertune(&["tune", "nobody"]).output().expect("powertune runs");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("ResourceNotFoundException"), "{said}");
}

#[test]
fn a_cost_that_one_invocation_may_exceed_is_2() {
    let folder = function("return 1");
    let mut arguments = arguments(folder.path());
    arguments.extend(["--max-cost", "1e-9"].map(str::to_owned));
    let output = run(&borrowed(&arguments));
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("maxCost") && said.contains("give at least 0.0"), "{said}");
}

#[test]
fn an_endpoint_that_is_not_there_is_1() {
    let output = powertune(&["tune", "fn", "--endpoint-url", "http://127.0.0.1:1"])
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "key")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .output()
        .expect("powertune runs");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("--endpoint-url"), "{said}");
}

#[test]
fn an_interrupted_run_is_130() {
    for stop in [Signal::INT, Signal::TERM, Signal::QUIT, Signal::HUP] {
        let folder = function("time.sleep(20)");
        let mut child = powertune(&borrowed(&arguments(folder.path())))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("powertune starts");
        std::thread::sleep(Duration::from_secs(2));
        signal(&child, stop);
        let mut said = String::new();
        let mut pipe = child.stderr.take().expect("a pipe");
        pipe.read_to_string(&mut said).expect("UTF-8");
        let status = child.wait().expect("powertune ends");
        assert_eq!(status.code(), Some(130), "{said}");
        assert!(said.contains("everything was put back"), "{said}");
    }
}

#[test]
fn a_run_under_nohup_outlives_its_terminal() {
    let folder = function("time.sleep(0.3)");
    let mut child = Command::new("sh")
        .args(["-c", "trap '' HUP; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_powertune")])
        .args(arguments(folder.path()))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("powertune starts");
    std::thread::sleep(Duration::from_secs(2));
    signal(&child, Signal::HUP);
    let mut said = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("UTF-8");
    assert_eq!(child.wait().expect("powertune ends").code(), Some(0), "{said}");
}

/// The kernel sends SIGHUP, and from then on every write to the terminal fails.
#[test]
fn a_run_whose_terminal_is_closed_is_130_and_puts_everything_back() {
    let stage = Stage::new("time.sleep(0.3)");
    // No other process may have the person's end of the terminal.
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let person = openpt(flags).expect("a terminal");
    grantpt(&person).and_then(|()| unlockpt(&person)).expect("it can be opened");
    let name = ptsname(&person, Vec::new()).expect("it has a name");
    let terminal = File::options().read(true).write(true).open(name.to_string_lossy().as_ref());
    let terminal = terminal.expect("its other end");
    let other = || terminal.try_clone().expect("a duplicate");
    let path = stage.path("result.json");
    // Without --fork, setsid becomes powertune itself, the leader of a new session.
    let mut child = Command::new("setsid")
        .args(["--ctty", env!("CARGO_BIN_EXE_powertune"), "tune", FUNCTION, "--num", "50"])
        .args(["--power-values", "256,512", "--save", &path.display().to_string()])
        .envs(stage.environment())
        .stdin(other())
        .stdout(other())
        .stderr(other())
        .spawn()
        .expect("powertune starts");
    drop(terminal);
    std::thread::sleep(Duration::from_secs(4));
    drop(person);
    assert_eq!(child.wait().expect("powertune ends").code(), Some(130));
    let saved = fs::read_to_string(path).expect("it was saved");
    assert!(saved.contains("\"complete\": false"), "{saved}");
    stage.must_be_clean();
}
