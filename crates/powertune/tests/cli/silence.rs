//! Calls without an answer: the output names them, and nothing is left running.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, test_kill_process};

use crate::{
    binary::{powertune, signal},
    stage::{FUNCTION, Spoilt, Stage},
};

/// The commands that call Lambda.
const COMMANDS: [&[&str]; 2] = [&["tune", "fn"], &["clean", "fn"]];

/// The first line on stderr about waiting, and the time until it.
fn told(process: &mut Child, started: Instant) -> (String, Duration) {
    let lines = BufReader::new(process.stderr.take().expect("a pipe")).lines();
    let line = lines.map(|line| line.expect("UTF-8")).find(|line| line.starts_with("waiting: "));
    (line.expect("it says what it waits for"), started.elapsed())
}

fn start(command: &mut Command) -> (Child, Instant) {
    let started = Instant::now();
    let process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    (process.expect("powertune starts"), started)
}

/// Stops the process, which ends at once, since it has changed nothing.
fn stopped(mut process: Child, stop: Signal) {
    let started = Instant::now();
    signal(&process, stop);
    assert_eq!(process.wait().expect("a child").code(), Some(130));
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[test]
fn an_endpoint_that_does_not_answer_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    for arguments in COMMANDS {
        let (mut process, started) = start(
            powertune(&[arguments, &["--endpoint-url", &url]].concat())
                .env("AWS_REGION", "us-east-1")
                .env("AWS_ACCESS_KEY_ID", "key")
                .env("AWS_SECRET_ACCESS_KEY", "secret"),
        );
        let (line, after) = told(&mut process, started);
        assert!(line.contains(&format!("GetFunction: {url} has not answered for 5 s")), "{line}");
        assert!((4..9).contains(&after.as_secs()), "{after:?}");
        stopped(process, Signal::INT);
    }
}

#[test]
fn a_call_in_the_middle_of_a_run_is_named_too() {
    let stage = Stage::new("return 1");
    let rule = |seen: &[String]| {
        let publishes = seen.last().is_some_and(|request| request.contains("/versions"));
        let is_first = seen.iter().filter(|request| request.contains("/versions")).count() == 1;
        (publishes && is_first).then_some(Spoilt::Silent)
    };
    let arguments = ["tune", FUNCTION, "--power-values", "256", "--num", "5"];
    let (mut process, started) = start(&mut stage.spoilt(&arguments, std::sync::Arc::new(rule)));
    let (line, _) = told(&mut process, started);
    assert!(line.contains("PublishVersion: http://127.0.0.1:"), "{line}");
    // The next attempt succeeds.
    assert_eq!(process.wait().expect("a child").code(), Some(0));
    stage.must_be_clean();
}

#[test]
fn a_credential_process_that_hangs_is_told_of_and_does_not_outlive_the_command() {
    let folder = tempfile::tempdir().expect("a folder");
    for (arguments, stop) in COMMANDS.into_iter().zip([Signal::TERM, Signal::INT]) {
        let pids = folder.path().join("pids");
        let script = folder.path().join("credentials.sh");
        // A child in a session of its own, which does not get the signals of its parent.
        let text = format!(
            "#!/bin/sh\nsleep 1000 &\necho $$ $! > {pids}.new\nmv {pids}.new {pids}\nwait\n",
            pids = pids.display()
        );
        fs::write(&script, text).expect("a script");
        fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("its mode is set");
        let config = folder.path().join("config");
        let profile = format!(
            "[profile work]\nregion = us-east-1\ncredential_process = {}\n",
            script.display()
        );
        fs::write(&config, profile).expect("a configuration");
        let (mut process, started) = start(
            powertune(&[arguments, &["--profile", "work"]].concat())
                .env("AWS_CONFIG_FILE", &config)
                .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        );
        let (line, after) = told(&mut process, started);
        assert!(line.contains("no AWS credentials for 5 s"), "{line}");
        assert!(line.contains("credential_process") && line.contains("profile work"), "{line}");
        assert!((4..9).contains(&after.as_secs()), "{after:?}");
        let ids = read(&pids);
        assert!(ids.iter().all(|&id| is_alive(id)), "{ids:?}");
        stopped(process, stop);
        let gone = Instant::now();
        while ids.iter().any(|&id| is_alive(id)) {
            assert!(gone.elapsed() < Duration::from_secs(5), "{ids:?} are still there");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn read(pids: &Path) -> Vec<Pid> {
    let text = fs::read_to_string(pids).expect("the script has begun");
    text.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?)).collect()
}

/// True if the process exists and is no zombie.
fn is_alive(id: Pid) -> bool {
    let state = fs::read_to_string(format!("/proc/{}/stat", id.as_raw_nonzero()));
    let is_zombie = state.is_ok_and(|state| state.contains(") Z "));
    test_kill_process(id).is_ok() && !is_zombie
}

/// As if somebody sets the function's reserved concurrency to 0 during a run.
#[test]
fn a_run_whose_invocations_are_all_refused_says_so() {
    let stage = Stage::new("return 1");
    let rule = |seen: &[String]| {
        let is_one = seen.last().is_some_and(|request| request.contains("/invocations"));
        is_one.then_some(Spoilt::Refused(429, "TooManyRequestsException"))
    };
    let arguments = ["tune", FUNCTION, "--power-values", "512", "--num", "5"];
    let (mut process, started) = start(&mut stage.spoilt(&arguments, std::sync::Arc::new(rule)));
    let (line, after) = told(&mut process, started);
    assert!(line.contains("Lambda has let no invocation through for"), "{line}");
    assert!((5..20).contains(&after.as_secs()), "{after:?}");
    signal(&process, Signal::INT);
    assert_eq!(process.wait().expect("a child").code(), Some(130));
    stage.must_be_clean();
}
